"""Where the real data sets are, if they are here at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def tfds_folder() -> Path | None:
    """Return the folder of prepared TFDS data sets, or None."""
    for place in (os.environ.get("TFDS_DATA_DIR"), "../shared/data/tfds"):
        if place and (Path(place) / "imdb_reviews" / "plain_text" / "1.0.0").is_dir():
            return Path(place).resolve()
    return None


needs_tfds = pytest.mark.skipif(tfds_folder() is None, reason="no prepared TFDS folder")
