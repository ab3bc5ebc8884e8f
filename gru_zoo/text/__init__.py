"""Text to numbers: tokenizers, and what else a model reads of a text."""
