"""Keras models as TensorFlow graphs that TFLite converts well.

`network` walks a model layer by layer; `step_graph`, `sequence_graph` and `story_graph` are what is
converted, and the other modules are what a layer becomes in them.
"""
