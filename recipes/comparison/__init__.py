"""The comparison of cells: what is measured, in which order, and what is said about it."""
