"""Comparison of an exported file with the Keras model it came from, before it gets its name.

A file that differs by more than its limit is refused; `inspection` sees what a file is made of.
"""
