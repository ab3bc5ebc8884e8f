"""A folder that proves itself: its card, its files, the comparison of each with the model."""
