"""Teacher forcing reads source and target with dropout while it learns, and without it after."""

import keras
import pytest

pytest.importorskip("tokenizers")

from gru_zoo.layers.kernels import forced  # noqa: E402
from gru_zoo.models.seq2seq import Seq2Seq  # noqa: E402
from gru_zoo.training.teacher_forcing import TeacherForcing  # noqa: E402
from tests.models.test_seq2seq import batch, translator  # noqa: E402


def test_what_is_learnt_is_read_with_dropout(monkeypatch):
    seen = []
    for name in ("read", "features"):
        unwatched = getattr(Seq2Seq, name)

        def watched(model, *given, training=False, name=name, unwatched=unwatched):
            seen.append((name, training))
            return unwatched(model, *given, training=training)

        monkeypatch.setattr(Seq2Seq, name, watched)
    with forced("loop"):
        teacher = TeacherForcing(translator())
        teacher.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        teacher.train_on_batch(batch())
        assert seen == [("read", True), ("features", True)]
        seen.clear()
        teacher(batch())
    assert seen == [("read", False), ("features", False)]
