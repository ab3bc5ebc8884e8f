"""What a model's outputs become: a translation, tags, a continued text."""
