"""A `.tflite` file's bytes, read and changed; TensorFlow is needed by `tied` alone.

Here files get smaller (`packing`, `tied`, `int4`), are put together (`link`), and get what a device
needs beside the numbers (`metadata`, `checksum_archive`).
"""
