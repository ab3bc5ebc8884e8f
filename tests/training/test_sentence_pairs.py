"""Batches of pairs: all of them, in an order of seed and epoch alone; figures after an epoch."""

import numpy as np
import pytest

pytest.importorskip("tokenizers")

from gru_zoo.arguments import TooFew  # noqa: E402
from gru_zoo.data.pairs import Pairs  # noqa: E402
from gru_zoo.decoding.translating import translate_greedily  # noqa: E402
from gru_zoo.layers.kernels import forced  # noqa: E402
from gru_zoo.models.seq2seq import Seq2Seq  # noqa: E402
from gru_zoo.text.subwords import END, PAD, START, Subwords  # noqa: E402
from gru_zoo.training import sentence_pairs  # noqa: E402
from gru_zoo.training.sentence_pairs import LONGEST, PairBatches, Validation  # noqa: E402
from gru_zoo.training.teacher_forcing import TeacherForcing  # noqa: E402
from tests.small_data import small_captions  # noqa: E402

PAIRS = small_captions.pairs("train")
SUBWORDS = Subwords.fit([*PAIRS.source, *PAIRS.target], size=80, longest=LONGEST)


def texts_of(batch):
    sources = [SUBWORDS.decode(row) for row in batch["source"]]
    return list(zip(sources, [SUBWORDS.decode(row) for row in batch["target"]], strict=True))


def test_every_pair_comes_once_an_epoch_with_its_translation():
    batches = PairBatches(SUBWORDS, PAIRS, batch_size=4, seed=3)
    found = []
    for batch in batches.epoch(0):
        assert (batch["target"][:, 0] == START).all()
        for ids in batch.values():
            lengths = (ids != PAD).sum(axis=1)
            assert ids.shape == (4, lengths.max())
            assert (ids[np.arange(4), lengths - 1] == END).all()
        found += texts_of(batch)
    assert len(batches) == 6
    assert sorted(found) == sorted(zip(*PAIRS, strict=True))


def test_the_order_is_that_of_seed_and_epoch():
    def order(seed, epoch):
        return [texts_of(b) for b in PairBatches(SUBWORDS, PAIRS, 4, seed).epoch(epoch)]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 0) and order(0, 1) != order(1, 1)
    batches = PairBatches(SUBWORDS, PAIRS, 4, 0).dataset(1, 2).as_numpy_iterator()
    assert [texts_of(batch) for batch in batches] == order(0, 1)


def test_validation_is_a_mean_over_subwords_and_scores_in_order(monkeypatch):
    monkeypatch.setattr(sentence_pairs, "_AT_ONCE", 4)  # Parts of unequal numbers of subwords.
    model = Seq2Seq(SUBWORDS, dim=6, units=8, heads=2)
    random = np.random.default_rng(0)
    model.set_weights([0.5 * random.normal(size=w.shape) for w in model.weights])
    pairs = small_captions.pairs("test")
    seen = []

    def score(translations, wanted):
        seen.append((translations, wanted))
        return 12.5

    with forced("loop"):
        figures = Validation(model, pairs, score)()
        total = count = 0
        for batch in PairBatches(SUBWORDS, pairs, 1, 0).epoch(0):
            subwords = int((batch["target"][:, 1:] != PAD).sum())
            total += float(TeacherForcing(model, 0.0)(batch)) * subwords
            count += subwords
        assert figures == {"loss": pytest.approx(total / count, rel=1e-5), "bleu": 12.5}
        assert seen == [(translate_greedily(model, pairs.source), pairs.target)]


@pytest.mark.parametrize(
    "make",
    [
        lambda none: PairBatches(SUBWORDS, none, 1, 0),
        lambda none: Validation(Seq2Seq(SUBWORDS, dim=4, units=4, heads=2), none, len),
    ],
)
def test_no_pairs_are_too_few(make):
    with pytest.raises(TooFew, match="pairs must be one or more; got none"):
        make(Pairs([], []))
