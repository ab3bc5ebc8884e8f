"""Exported files run as a device runs them: LiteRT's interpreter, NumPy and no TensorFlow.

`streamer` takes one step at a time, `lite_*` take what a user has: texts, words or stories.
"""
