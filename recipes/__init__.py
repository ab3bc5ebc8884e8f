"""Recipes: one runnable module a task."""
