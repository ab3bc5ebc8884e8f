"""Data sets: one a file, raw examples and where they came from."""
