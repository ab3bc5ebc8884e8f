"""What an artifact's goldens may hold, and how they are asked for again."""

import numpy as np
import pytest

from gru_zoo.artifacts.folder import publish
from gru_zoo.zoo.goldens import difference, replay
from tests.zoo.conftest import about


def test_goldens_of_objects_are_refused_before_anything_is_written(tmp_path):
    goldens = {"texts": np.array([b"a", b"bc"], object)}
    with pytest.raises(ValueError, match="goldens must hold no objects, .*; 'texts' does"):
        publish(tmp_path / "a", None, None, files={}, compare=None, goldens=goldens, assets={})
    assert not list(tmp_path.iterdir())


def test_the_worst_of_all_arrays_counts():
    golden = {"a": np.array([0.5, 2.0]), "b": np.array([0.25]), "n": np.array([1])}
    for name, off, wanted in (("a", [0.25, 0.0], 0.25), ("a", [0.0, 1.0], 0.5), ("b", 0.1, 0.1)):
        given = {**golden, name: golden[name] + np.array(off)}
        assert difference(given, golden) == pytest.approx(wanted)
    for name in ("a", "b"):
        assert np.isnan(difference({**golden, name: np.nan * golden[name]}, golden))
    with pytest.raises(ValueError, match="must give the golden 'n'; it gives others"):
        difference({**golden, "n": np.array([2])}, golden)


@pytest.mark.slow
def test_a_translators_goldens_are_those_of_its_own_search(tmp_path):
    pytest.importorskip("tokenizers")
    from gru_zoo.artifacts.translator import Task, translator_goldens
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.text.subwords import Subwords

    texts = ["ein Haus", "Haus"]
    model = Seq2Seq(Subwords.fit(texts, 20, 10), dim=4, units=6, heads=2)
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=w.shape) for w in model.weights])
    goldens = {
        beams: translator_goldens(model, texts, Task(texts, len, beams=beams, alpha=0.0))
        for beams in (1, 6)
    }
    assert not np.array_equal(goldens[1]["translations"], goldens[6]["translations"])
    card = publish(
        tmp_path / "tiny",
        about(configuration={"beams": 1, "alpha": 0.0}),
        model,
        files={},
        compare=None,
        assets={},
        goldens=goldens[1],
    )
    assert next(replay(card, tmp_path / "tiny")).wrong == ""
