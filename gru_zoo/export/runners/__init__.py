"""Exported files run as a device runs them: by LiteRT's interpreter, with NumPy.

`streamer` takes one step at a time, `lite_*` take what a user has: texts, words or stories.
`lite_classifier` and `lite_language_model` tokenize with TensorFlow; the others do without it.
"""
