"""The comparison of cells: its trainings, their order, and the report."""
