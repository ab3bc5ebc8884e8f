"""Trained models to files that run without this package."""
