"""The fine-tuned Transformer: what it reads of a text, how it learns, and that it goes on."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from gru_zoo.models import pretrained_transformer  # noqa: E402
from gru_zoo.models.pretrained_transformer import PretrainedTransformer  # noqa: E402
from tests.small_data.small_transformer import small_checkpoint  # noqa: E402

TEXTS = [b"a good film", b"bad", b"so good", b"a film so bad so bad", b"good film", b"not bad bad"]
LABELS = np.array([1, 0, 1, 0, 1, 0])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return small_checkpoint(tmp_path_factory.mktemp("hub") / "tiny")


def fitted(pretrained, **options):
    model = PretrainedTransformer.of(pretrained, 2, max_tokens=12, seed=3)
    given = {"epochs": 3, "batch_size": 2, "learning_rate": 0.01, "seed": 1, **options}
    model.fit(TEXTS, LABELS, **given)
    return model


def test_it_learns(checkpoint):
    losses = []
    model = fitted(
        checkpoint, epochs=40, progress=lambda step, steps, loss: losses.append((step, steps, loss))
    )
    found = model.predict(TEXTS)
    assert found.dtype == np.float32 and found.argmax(axis=1).tolist() == LABELS.tolist()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert [each[:2] for each in losses] == [(step, 120) for step in range(1, 121)]
    assert losses[-1][2] < 0.1 < losses[0][2]


def test_bfloat16_is_for_products_alone(checkpoint):
    model = fitted(checkpoint, bfloat16=True)
    assert {each.dtype for each in model.network.parameters()} == {torch.float32}
    config = model.network.config
    assert config.attention_probs_dropout_prob == 0 < config.hidden_dropout_prob
    whole, rounded = (model.predict(TEXTS, bfloat16=on) for on in (False, True))
    assert 0 < np.abs(whole - rounded).max() < 0.02


def test_attention_is_fused_where_nothing_is_learnt(checkpoint, monkeypatch):
    fused, calls = torch.nn.functional.scaled_dot_product_attention, []

    def counted(*given, **named):
        calls.append(torch.is_grad_enabled())
        return fused(*given, **named)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    model = fitted(checkpoint)
    assert not calls
    model.predict(TEXTS)
    assert calls and not any(calls)


def test_a_long_text_is_read_at_its_ends(checkpoint):
    model = fitted(checkpoint)
    long = [b"good"] * 5 + [b"film"] * 7 + [b"bad"] * 5
    kept = model._encode([b" ".join(long)])[0]
    known = model.tokenizer.convert_ids_to_tokens(kept)
    assert known == ["[CLS]", *["good"] * 5, *["bad"] * 5, "[SEP]"]
    other = [*long[:5], *[b"so"] * 7, *long[-5:]]
    np.testing.assert_array_equal(*(model.predict([b" ".join(each)]) for each in (long, other)))


def test_a_text_is_the_same_in_every_batch(checkpoint):
    model = fitted(checkpoint)
    seen = []
    together = model.predict(TEXTS, batch_size=4, progress=lambda *done: seen.append(done))
    assert seen == [(4, 6), (6, 6)]
    alone = np.concatenate([model.predict([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert model.predict([]).shape == (0, 2)


@pytest.mark.parametrize(("words", "padded"), [(1, 4), (2, 4), (3, 8), (20, 11)])
def test_there_are_few_shapes(checkpoint, monkeypatch, words, padded):
    monkeypatch.setattr(pretrained_transformer, "_SHAPES", 4)
    model = PretrainedTransformer.of(checkpoint, 2, max_tokens=11)
    seen, forward = [], model.network.forward
    monkeypatch.setattr(
        model.network, "forward", lambda **given: seen.append(given) or forward(**given)
    )
    model.predict([b" ".join([b"good"] * words), b"bad"])
    (given,) = seen
    assert given["input_ids"].shape == given["attention_mask"].shape == (2, padded)
    assert sorted(given["attention_mask"].sum(axis=1).tolist()) == [3, min(words + 2, 11)]


def test_a_break_is_a_space_and_no_byte_stops_it(checkpoint):
    model = fitted(checkpoint)
    one, other = (model.predict([text]) for text in (b"good<br />film", b"good film"))
    np.testing.assert_array_equal(one, other)
    assert np.isfinite(model.predict([b"\xff good", b""])).all()


def test_it_is_saved_and_loaded(checkpoint, tmp_path):
    model = fitted(checkpoint)
    model.save(tmp_path / "model")
    other = PretrainedTransformer.load(tmp_path / "model")
    np.testing.assert_array_equal(other.predict(TEXTS), model.predict(TEXTS))
    assert other.max_tokens == 12


def test_what_was_interrupted_ends_with_the_same_weights(checkpoint, tmp_path):
    kept = tmp_path / "checkpoint.pt"

    def stop(step, *_):
        if step == 5:  # in the second epoch of three steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(checkpoint, checkpoint=kept, progress=stop)
    steps = []
    resumed = fitted(checkpoint, checkpoint=kept, progress=lambda step, *_: steps.append(step))
    assert steps == [4, 5, 6, 7, 8, 9]
    whole = fitted(checkpoint).network.state_dict()
    for name, value in resumed.network.state_dict().items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=0)


def test_every_text_is_in_one_batch_with_others_of_its_length():
    ids = [[7] * (1 + number % 9) for number in range(45)]
    drawn = [
        list(pretrained_transformer._batches(ids, 5, np.random.default_rng(seed)))
        for seed in (0, 0, 1)
    ]
    rows = [np.concatenate(batches).tolist() for batches in drawn]
    assert sorted(rows[0]) == list(range(45)) and rows[0] == rows[1] != rows[2]
    for batch in drawn[0]:
        assert len({len(ids[row]) for row in batch}) == 1
    assert [len(ids[batch[0]]) for batch in drawn[0]] != list(range(1, 10))


def test_the_learning_rate_rises_and_decays():
    layer = torch.nn.Linear(2, 2)
    network, optimizer, schedule = pretrained_transformer._parts(layer, 0.5, steps=20)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        pretrained_transformer._learn(network(torch.ones(1, 2)).sum(), network, optimizer, schedule)
    np.testing.assert_allclose(rates[:2], [0.25, 0.475])
    np.testing.assert_allclose(rates[2:], 0.5 * np.arange(18, 0, -1) / 20)


@pytest.mark.parametrize(
    ("of", "fit", "message"),
    [
        ({"labels": 1}, {}, "labels must be at least 2; got 1"),
        ({"max_tokens": 2}, {}, "max_tokens must be at least 3; got 2"),
        ({}, {"labels": LABELS[:4]}, "labels must be 6, one a text; got 4"),
        ({}, {"texts": b"one"}, "texts must be"),
    ],
)
def test_bad_input_is_named(checkpoint, of, fit, message):
    with pytest.raises(ValueError, match=message):
        model = PretrainedTransformer.of(checkpoint, **{"labels": 2, "max_tokens": 12, **of})
        model.fit(**{"texts": TEXTS, "labels": LABELS, **fit})


@pytest.mark.parametrize("name", ["torch", "transformers"])
def test_a_missing_package_is_named(name, checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[transformers\]"'):
        PretrainedTransformer.of(checkpoint, 2)


def test_texts_looked_up_a_few_at_a_time_are_the_same(checkpoint, monkeypatch):
    model = PretrainedTransformer.of(checkpoint, 2, max_tokens=12)
    whole = model._encode(TEXTS)
    monkeypatch.setattr(pretrained_transformer, "_TOGETHER", 4)
    assert model._encode(TEXTS) == whole and len(whole) == len(TEXTS)
