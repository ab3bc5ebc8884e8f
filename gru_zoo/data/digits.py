"""Handwritten digits read pixel by pixel, from the package scikit-learn: nothing is downloaded.

The 1,797 images of 8 x 8 pixels are the test part of UCI's "Optical Recognition of Handwritten
Digits" (Alpaydin and Kaynak 1998, CC BY 4.0). For a longer row every pixel is made `scale` pixels
wide and high: the same picture, seen through more steps.
"""

from __future__ import annotations

import numpy as np

from gru_zoo.arguments import one_of, positive_int
from gru_zoo.data.split import digests

# Of the images in the order of their bytes' digests.
_PARTS = {"test": slice(0, 300), "validation": slice(300, 600), "train": slice(600, None)}


def load(split: str, scale: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return images as rows of pixels, and their digits.

    Args:
        split: "train" (1,197 images), "validation" or "test" (300 each).
        scale: how many times as wide and as high an image becomes.

    Returns:
        pixels `[images, 64 * scale * scale, 1]` float32 in [0, 1]; digits `[images]` int32.

    Raises:
        ValueError: unknown split, or `scale` below 1.
        ImportError: scikit-learn is missing.

    Example:
        >>> pixels, digits = load("test", scale=2)
        >>> pixels.shape, int(digits.max())
        ((300, 256, 1), 9)
    """
    one_of("split", split, _PARTS)
    positive_int("scale", scale)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits need scikit-learn: pip install 'gru-zoo[digits]'.") from error
    images, labels = load_digits(return_X_y=True)
    keys = digests(np.array([image.tobytes() for image in images], object))
    order = sorted(range(len(images)), key=lambda i: keys[i])[_PARTS[split]]
    squares = (images[order] / 16).astype(np.float32).reshape(-1, 8, 8)
    squares = squares.repeat(scale, axis=1).repeat(scale, axis=2)
    return squares.reshape(len(order), -1, 1), labels[order].astype(np.int32)
