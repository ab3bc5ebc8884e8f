"""A Keras model as an ONNX graph, layer by layer; `gru_zoo.export.onnx_file` writes the file."""
