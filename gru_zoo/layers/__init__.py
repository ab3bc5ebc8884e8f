"""Layers: the GRU and what models are built of."""
