"""Representative sets that cannot be used are refused by number, before anything is converted."""

import keras
import numpy as np
import pytest

from gru_zoo import GRU
from gru_zoo.export import integer_step, tflite
from gru_zoo.export.checks import arrays
from gru_zoo.export.checks.representative import checked, streams
from tests.export.conftest import WORDS, make_classifier, shake

GOOD = np.full((5, 4), 0.5, np.float32)
IDS = np.array([1, 4, 7, 3], np.int32)


@pytest.fixture(scope="module")
def vectors():
    return keras.Sequential([keras.Input((None, 4)), GRU(7), keras.layers.Dense(2)])


@pytest.fixture(scope="module")
def texts():
    return make_classifier(embedding_dim=5, units=6)


def with_nan(value):
    broken = GOOD.astype(float)
    broken[3, 1] = value
    return broken


@pytest.mark.parametrize(
    ("representative", "message"),
    [
        (None, "representative must be sequences of the model's inputs; got NoneType"),
        ("good", "representative must be sequences of the model's inputs; got str"),
        (7, "representative must be sequences of the model's inputs; got int"),
        (lambda: [GOOD], "representative must be sequences of the model's inputs; got function"),
        ([], "representative must hold at least one sequence; got none"),
        (np.zeros((0, 5, 4), np.float32), "representative must hold at least one sequence"),
        ([GOOD, GOOD[:, :3]], r"representative\[1\] must have shape \[time, 4\] .*got \(5, 3\)"),
        ([GOOD[None]], r"representative\[0\] must have shape .*got \(1, 5, 4\)"),
        ([GOOD[0]], r"representative\[0\] must have shape .*got \(4,\)"),
        ([GOOD[:0]], r"representative\[0\] must have .* at least one step; got \(0, 4\)"),
        ([GOOD.astype(int)], r"representative\[0\] must be of a float type; got int64"),
        ([[["a"] * 4]], r"representative\[0\] must be of a float type; got <U1"),
        ([[[1.0], [1.0, 2.0]]], r"representative\[0\] must be one array; .*different lengths"),
        ([GOOD, GOOD, with_nan(np.nan)], r"representative\[2\] must be finite"),
        ([with_nan(-np.inf)], r"representative\[0\] must be finite"),
        ([with_nan(1e300)], r"representative\[0\] must be finite"),
        ([{"other": GOOD}], r"representative\[0\] must have the names 'inputs'; got \['other'\]"),
    ],
)
def test_vectors_refused(vectors, representative, message):
    with pytest.raises(ValueError, match=message):
        checked(vectors, representative)


@pytest.mark.parametrize(
    ("representative", "message"),
    [
        ([IDS, IDS.astype(np.float32)], r"representative\[1\] must be of an integer type; got fl"),
        ([IDS[None]], r"representative\[0\] must have shape \[time\] .*got \(1, 4\)"),
        ([[*IDS, len(WORDS) + 3]], rf"\[0\] must hold ids from 0 to {len(WORDS) + 2}; got"),
        ([IDS, -IDS], r"representative\[1\] must hold ids from 0 to .*got -1"),
        (
            [IDS * 0],
            r"representative\[0\] must have at least one step that is no padding; got none",
        ),
        (["the film"], r"representative\[0\] must be of an integer type; got <U8"),
    ],
)
def test_ids_refused(texts, representative, message):
    with pytest.raises(ValueError, match=message):
        checked(texts, representative)


def test_nothing_runs_before_a_refusal(texts, monkeypatch):
    def never(*_, **__):
        raise AssertionError("it ran")

    for name in ("step_graph", "rollouts", "calibrated"):
        monkeypatch.setattr(integer_step, name, never)
    with pytest.raises(ValueError, match=r"representative\[1\] must hold ids"):
        integer_step.integer_step(texts, "int8_full", [IDS, IDS + 1000])
    with pytest.raises(ValueError, match="variant must be one of .*got 'int8_ful'.*'int8_full'"):
        integer_step.integer_step(texts, "int8_ful", [IDS])


def test_sequences_come_out_in_the_models_types(vectors, texts):
    (given,) = checked(vectors, GOOD[None].astype(np.float64))
    assert given["inputs"].dtype == np.float32
    np.testing.assert_array_equal(given["inputs"], GOOD)
    first, second = checked(texts, [[1, 4, 0, 9, 0, 0], {"ids": IDS.astype(np.int64)}])
    assert first["ids"].dtype == second["ids"].dtype == np.int32
    np.testing.assert_array_equal(first["ids"], [1, 4, 9])  # padding is no step
    np.testing.assert_array_equal(second["ids"], IDS)


def test_several_inputs_go_by_their_names():
    words = keras.Input((None,), name="words", dtype="int32")
    sounds = keras.Input((None, 2), name="sounds")
    vectors = keras.layers.Embedding(11, 3)(words)
    both = keras.layers.Concatenate()([vectors, sounds])
    model = keras.Model({"words": words, "sounds": sounds}, GRU(7)(both))
    words, sounds = np.arange(6), np.ones((6, 2), np.float32)
    (given,) = checked(model, [{"words": words, "sounds": sounds}])
    assert {name: x.shape for name, x in given.items()} == {"words": (6,), "sounds": (6, 2)}
    with pytest.raises(ValueError, match=r"representative\[0\] must map .*'sounds'.* got ndarray"):
        checked(model, [sounds])
    with pytest.raises(ValueError, match=r"\[0\] must have inputs of one length; got \[5, 6\]"):
        checked(model, [{"words": words, "sounds": sounds[:5]}])


@pytest.mark.parametrize("nested", [False, True])
def test_every_input_has_the_ids_of_its_own_vocabulary(nested):
    words = keras.Input((None,), name="words", dtype="int32")
    letters = keras.Input((None,), name="letters", dtype="int32")
    spell = keras.layers.Embedding(6, 2)
    if nested:
        inside = keras.Input((None,), dtype="int32")
        spell = keras.Model(inside, spell(inside))
    both = keras.layers.Concatenate()([keras.layers.Embedding(50, 3)(words), spell(letters)])
    model = keras.Model({"words": words, "letters": letters}, GRU(7)(both))
    good = {"words": np.array([49, 6, 0]), "letters": np.array([5, 0, 1])}
    (given,) = checked(model, [good])
    np.testing.assert_array_equal(given["words"], [49, 6, 0])
    for name, size in (("words", 50), ("letters", 6)):
        with pytest.raises(ValueError, match=rf"must hold ids from 0 to {size - 1}; got {size}"):
            checked(model, [good | {name: np.array([size, 0, 0])}])


@pytest.mark.parametrize("sizes", [(9, 20), (20, 9)])
def test_ids_fit_the_smallest_table_that_reads_them(sizes):
    a, b = (keras.Input((None,), dtype="int32", name=name) for name in "ab")
    read_by = [keras.layers.Embedding(size, 4)(a) for size in sizes]
    x = keras.layers.Concatenate()([*read_by, keras.layers.Embedding(30, 4)(b)])
    model = keras.Model([a, b], keras.layers.GRU(3)(x))
    checked(model, [{"a": np.array([8, 1]), "b": np.array([29, 1])}])
    with pytest.raises(ValueError, match="must hold ids from 0 to 8; got 9"):
        checked(model, [{"a": np.array([9, 1]), "b": np.array([29, 1])}])


def behind(masked, *stack):
    return keras.Sequential([keras.Input((None, 4)), masked, *stack, keras.layers.Dense(2)])


def padded(value, features=4):
    rows = np.random.default_rng(0).normal(size=(2, 20, features)).astype(np.float32)
    rows[:, :12] = value
    return rows


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_rows_that_a_layer_masks_are_no_steps(value, nested):
    masked = keras.layers.Masking(value)
    if nested:
        masked = keras.Sequential([keras.Input((None, 4)), masked])
    model, rows = behind(masked, GRU(7)), padded(value)
    rows[1, 15, :3] = value  # one number that is not padding makes a step
    for given, each in zip(checked(model, rows), rows, strict=True):
        np.testing.assert_array_equal(given["inputs"], each[12:])
    with pytest.raises(ValueError, match=r"\[1\] must have at least one step that is no padding"):
        checked(model, [rows[0], rows[1, :12]])
    other = keras.Model(model.inputs, GRU(7)(model.inputs[0]))  # which masks nothing
    assert len(checked(other, rows)[0]["inputs"]) == 20


def test_of_several_inputs_padding_is_what_is_padding_in_every_sequence():
    sounds, who = keras.Input((None, 2), name="sounds"), keras.Input((3,), name="who")
    words = keras.Input((None,), name="words", dtype="int32")
    heard = GRU(7)(keras.layers.Masking()(sounds))
    read = GRU(6)(keras.layers.Embedding(9, 3, mask_zero=True)(words))
    both = keras.layers.Concatenate()([heard, read, who])
    model = keras.Model([sounds, who, words], keras.layers.Dense(2)(both))
    item = {"sounds": padded(0, 2)[0], "who": np.ones((20, 3), "f"), "words": np.arange(20) // 10}
    (given,) = checked(model, [item])
    np.testing.assert_array_equal(given["sounds"], item["sounds"][10:])
    assert given["who"].shape == (10, 3) and given["words"].all()


def question_and_answer():
    question, answer = (keras.Input((None,), dtype="int32", name=n) for n in ("question", "answer"))
    read = [GRU(5)(keras.layers.Embedding(12, 4, mask_zero=True)(x)) for x in (question, answer)]
    model = keras.Model([question, answer], keras.layers.Dense(2)(keras.layers.Concatenate()(read)))
    shake(model, 3)
    return model


SHORT = {"question": np.array([3, 4, 0, 0, 0, 0]), "answer": np.array([5, 6, 7, 8, 9, 2])}
NEVER = {"question": np.zeros(6, int), "answer": np.arange(6)}


@pytest.mark.parametrize("item", [SHORT, NEVER], ids=["short", "never"])
def test_a_step_is_compared_on_no_padding_of_one_input(item, tmp_path, monkeypatch):
    pushed, unharmed = [], arrays.streamed
    monkeypatch.setattr(
        arrays, "streamed", lambda path, x, like: pushed.append(x) or unharmed(path, x, like)
    )
    model = question_and_answer()
    difference = tflite(model, tmp_path / "m.tflite", sequence_length=20, representative=[item])
    assert difference < 1e-5
    assert pushed and all(rows.all() for x in pushed for rows in x.values())


def test_a_step_is_calibrated_on_no_padding_of_one_input():
    model = question_and_answer()
    (found,) = streams(model, checked(model, [NEVER, SHORT]))
    np.testing.assert_array_equal(found["question"], [3, 4, 3, 4, 3, 4])
    np.testing.assert_array_equal(found["answer"], SHORT["answer"])
    with pytest.raises(ValueError, match="a step of every input that is no padding; got none"):
        integer_step.integer_step(model, "int8_full", [NEVER])


def test_integers_are_calibrated_on_no_padding_of_one_input(monkeypatch):
    seen = []
    monkeypatch.setattr(
        integer_step, "rollouts", lambda graph, sequences: seen.extend(sequences) or []
    )
    monkeypatch.setattr(integer_step, "calibrated", lambda *args, **options: b"")
    integer_step.integer_step(question_and_answer(), "int8_full", [SHORT, NEVER])
    assert len(seen) == 1 and all(rows.all() for rows in seen[0].values())


@pytest.mark.slow
def test_padding_in_front_is_no_ground_to_refuse_a_file(tmp_path):
    model = behind(keras.layers.Masking(), GRU(7, bias_initializer="uniform"))
    shake(model, 3)
    assert tflite(model, tmp_path / "m.tflite", representative=padded(0)) < 1e-5


def test_a_vector_is_the_same_at_every_step():
    x, v = keras.Input((None, 3), name="x"), keras.Input((2,), name="v")
    both = keras.layers.Concatenate()([keras.layers.GRU(4)(x), v])
    model = keras.Model([x, v], keras.layers.Dense(2)(both))
    steps, vector = np.ones((5, 3), "float32"), np.array([1, 2], "float32")
    for given in (vector, vector[None], np.tile(vector, (5, 1))):
        (item,) = checked(model, [{"x": steps, "v": given}])
        np.testing.assert_array_equal(item["v"], np.tile(vector, (5, 1)))
    with pytest.raises(ValueError, match=r"representative\[0\]\['v'\] must have shape \[time, 2\]"):
        checked(model, [{"x": steps, "v": np.ones(3, "float32")}])
