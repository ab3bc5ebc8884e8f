"""Paths, goldens and commands of a card that somebody else has made."""

import shutil

import numpy as np
import pytest

from gru_zoo.artifacts.card import Card
from gru_zoo.zoo import goldens, registry
from tests.zoo.conftest import NAME


class About:
    name = "some"

    def __init__(self, path):
        self.files = {path: {"sha256": "00", "bytes": 1}}


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../model.keras", "assets/../../model.keras", "..\\model.keras", "C:\\a"],
)
def test_a_path_that_leads_out_of_the_artifact_is_refused(path):
    with pytest.raises(ValueError, match="some: files must lie in the artifact; got "):
        registry.files_under(About(path), "")


def test_a_golden_that_is_no_number_is_wrong(zoo, tmp_path):
    folder = shutil.copytree(zoo / NAME, tmp_path / NAME)
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    arrays["probabilities"][0, 0] = np.nan
    np.savez_compressed(folder / "golden.npz", **arrays)
    first = next(goldens.replay(Card.from_json(folder / "card.json"), folder))
    assert first.wrong == "must be within 1e-05"


@pytest.mark.parametrize("module", ["recipes_of_others", "gru_zoology", "recipesx.sentiment"])
def test_a_module_that_is_only_called_alike_is_not_run(module):
    from gru_zoo.zoo import reproducing

    with pytest.raises(ValueError, match="commands must be python -m recipes"):
        reproducing.arguments(f"python -m {module} train")
