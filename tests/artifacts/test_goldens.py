"""What an artifact's goldens may hold."""

import numpy as np
import pytest

from gru_zoo.artifacts.folder import publish


def test_goldens_of_objects_are_refused_before_anything_is_written(tmp_path):
    goldens = {"texts": np.array([b"a", b"bc"], object)}
    with pytest.raises(ValueError, match="goldens must hold no objects, .*; 'texts' does"):
        publish(tmp_path / "a", None, None, files={}, compare=None, goldens=goldens, assets={})
    assert not list(tmp_path.iterdir())
