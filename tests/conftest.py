"""Shared fixtures; TensorFlow's start-up messages are silenced before it is imported."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
