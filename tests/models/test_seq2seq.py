"""A translator: what it may see, what it must not, and steps that equal the whole."""

import keras
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tokenizers")

from gru_zoo.decoding.translating import translate, translate_greedily  # noqa: E402
from gru_zoo.models.seq2seq import Seq2Seq  # noqa: E402
from gru_zoo.text.subwords import BANNED, END, PAD, START, Subwords, padded  # noqa: E402
from gru_zoo.training.teacher_forcing import TeacherForcing  # noqa: E402
from tests.cells import some_slow  # noqa: E402
from tests.small_data import small_captions  # noqa: E402

pytestmark = pytest.mark.usefixtures("loop_kernel")

CELLS = ("gru", "lstm", "rnn", "transformer")
PAIRS = small_captions.pairs("train")
SUBWORDS = Subwords.fit([*PAIRS.source, *PAIRS.target], size=80, longest=40)


def translator(cell="gru", seed=0, **options):
    model = Seq2Seq(SUBWORDS, cell, **{"dim": 6, "units": 8, "heads": 2, "dropout": 0.3, **options})
    random = np.random.default_rng(seed)
    model.set_weights([0.6 * random.normal(size=w.shape) for w in model.weights])
    return model


def batch(seed=1):
    """Sources [3, 7] and targets [3, 5] of different lengths."""
    random = np.random.default_rng(seed)
    source, target = random.integers(4, 70, (3, 7)), random.integers(4, 70, (3, 5))
    source[1, 4:], source[2, 2:], target[:, 0], target[1, 3:] = PAD, PAD, START, PAD
    return {"source": source.astype("int32"), "target": target.astype("int32")}


@pytest.mark.parametrize("cell", some_slow(CELLS))
def test_no_logit_sees_padding_or_what_comes_later(cell):
    model, given = translator(cell), batch()
    logits = model(given).numpy()
    assert logits.shape == (3, 5, len(SUBWORDS))
    longer = {name: np.pad(ids, [(0, 0), (0, 3)]) for name, ids in given.items()}
    np.testing.assert_allclose(model(longer).numpy()[:, :5], logits, rtol=1e-4, atol=1e-4)
    changed = {**given, "target": given["target"].copy()}
    changed["target"][:, 3] = 50
    np.testing.assert_allclose(model(changed).numpy()[:, :3], logits[:, :3], rtol=1e-4, atol=1e-4)
    assert np.abs(model(changed).numpy()[:, 3] - logits[:, 3]).min(axis=-1).max() > 0
    changed = {**given, "source": given["source"].copy()}
    changed["source"][:, 1] = 50
    moved = np.abs(model(changed).numpy() - logits).max(axis=(1, 2))
    assert moved.min() > 1e-3


@pytest.mark.parametrize("cell", some_slow(CELLS))
def test_steps_equal_the_whole_and_beams_do_not_mix(cell):
    model, given = translator(cell), batch()
    whole = model(given).numpy()
    memory, state = model.read(given["source"]), model.start(3, 2)
    other = batch(seed=2)["target"]
    for t in range(3):
        ids = np.stack([given["target"][:, t], other[:, t]], axis=1)
        logits, state = model.step(tf.constant(ids), state, memory)
        np.testing.assert_allclose(logits[:, 0], whole[:, t], rtol=1e-4, atol=1e-4)


def test_every_weight_receives_a_gradient():
    model = translator()
    with tf.GradientTape() as tape:
        loss = TeacherForcing(model, 0.1)(batch(), training=True)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_label_smoothing(smoothing):
    model, given = translator(), batch()
    logits = model({**given, "target": given["target"][:, :-1]}).numpy().astype(np.float64)
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = []
    for b, t in np.ndindex(3, 4):
        y = given["target"][b, t + 1]
        if y != PAD:
            share = np.full(len(SUBWORDS), smoothing / len(SUBWORDS))
            share[y] += 1 - smoothing
            losses.append(-(share * logp[b, t]).sum())
    assert len(losses) == 10
    got = float(TeacherForcing(model, smoothing)(given))
    np.testing.assert_allclose(got, np.mean(losses), rtol=1e-5)


@pytest.mark.slow
def test_it_overfits_and_translates_what_it_learnt():
    keras.utils.set_random_seed(3)
    sources, targets = PAIRS.source[:8], PAIRS.target[:8]
    model = Seq2Seq(SUBWORDS, dim=16, units=24, heads=2, dropout=0.0)
    source = padded([[*row, END] for row in SUBWORDS.encode(sources)])
    target = padded([[START, *row, END] for row in SUBWORDS.encode(targets)])
    training_model = TeacherForcing(model, 0.0)
    training_model.compile(optimizer=keras.optimizers.Adam(0.01))
    data = tf.data.Dataset.from_tensors({"source": source, "target": target}).repeat(120)
    training_model.fit(data, shuffle=False, verbose=0)
    assert float(training_model({"source": source, "target": target})) < 0.1
    found = translate(model, sources, beams=3)
    assert [SUBWORDS.decode(best[0].ids) for best in found] == targets
    assert translate_greedily(model, sources, batch_size=3) == targets


@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_translations_do_not_depend_on_the_batch(cell):
    model = translator(cell, seed=4)
    texts = [PAIRS.source[0], "Haus", PAIRS.source[5], "Ein Hund"]
    together = translate(model, texts, beams=2, alpha=1.0)
    alone = [translate(model, [text], beams=2, alpha=1.0, batch_size=1)[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert not {*one[0].ids} & {*BANNED}
        assert one[0].ids == other[0].ids
    # Untrained, a translation goes on to its limit, which is its own sentence's.
    greedy = translate_greedily(model, texts)
    assert greedy == [translate_greedily(model, [text])[0] for text in texts]


def test_numbers_of_beams_and_sentences_are_checked_before_the_work():
    for name in ("beams", "batch_size"):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1; got 0"):
            translate(translator(), ["Haus"], **{name: 0})
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1; got -1"):
        translate_greedily(translator(), ["Haus"], batch_size=-1)


def test_half_precision_translates():
    wanted, model, texts = translator(), translator(dtype="mixed_float16"), PAIRS.source[:3]
    for found, whole in zip(translate(model, texts), translate(wanted, texts), strict=True):
        assert found[0].score == pytest.approx(whole[0].score, abs=0.05)
    assert len(translate_greedily(model, texts, batch_size=3)) == 3
    loss, exact = (float(TeacherForcing(each, 0.1)(batch())) for each in (model, wanted))
    assert loss == pytest.approx(exact, rel=0.01)


def test_it_comes_back_from_its_file(tmp_path):
    model = translator("gru", kind="additive", num_layers=2, heads=3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(batch()), model(batch()))
    assert again.subwords.encode(["Ein Mann"]) == SUBWORDS.encode(["Ein Mann"])


def test_attention_weights_are_shares():
    model, given = translator(), batch()
    weights = model.weights_of(given["source"], given["target"]).numpy()
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-5)
    assert weights[2, :, 2:].max() == 0
