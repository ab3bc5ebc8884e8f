"""A translator's files: they do what the model does, one sentence or many, step by step."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

pytest.importorskip("tokenizers")

from gru_zoo.artifacts.translator import Task, translator_files, translator_parts  # noqa: E402
from gru_zoo.decoding.translating import translate, translate_greedily  # noqa: E402
from gru_zoo.export import translator  # noqa: E402
from gru_zoo.export.checks.inspection import Refused, inspect  # noqa: E402
from gru_zoo.export.runners.lite_translator import LiteTranslator  # noqa: E402
from gru_zoo.models.seq2seq import Seq2Seq  # noqa: E402
from gru_zoo.text.subwords import END, START, Subwords  # noqa: E402
from tests.small_data import small_captions  # noqa: E402

pytestmark = pytest.mark.usefixtures("loop_kernel")

PAIRS = small_captions.pairs("train")
# Any score that changes with each translation and with their order.
TASK = Task(
    PAIRS.source[:5], score=lambda said: float(zlib.crc32("\n".join(said).encode())), beams=3
)


def model_of(cell="gru"):
    subwords = Subwords.fit([*PAIRS.source, *PAIRS.target], size=80, longest=40)
    model = Seq2Seq(subwords, cell, dim=24, units=32, heads=2)
    random = np.random.default_rng(0)
    model.set_weights([0.3 * random.normal(size=w.shape) for w in model.weights])
    return model


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """A folder with every file."""
    folder = tmp_path_factory.mktemp("files")
    for name, write in translator_files(model).items():
        write(folder / name)
    return folder


def lite_of(files, kind):
    return LiteTranslator(files / f"encoder_{kind}.tflite", files / f"decoder_{kind}.tflite")


@pytest.mark.parametrize(("kind", "limit"), [("float32", 1e-5), ("float16", 1e-2), ("int8", 0.25)])
def test_encoder_and_steps(model, files, kind, limit):
    lite = lite_of(files, kind)
    source = [*model.subwords.encode([PAIRS.source[3]])[0], END]
    keys, values, mask = model.read(np.array([source], np.int32))
    memory = lite.read(source)
    np.testing.assert_allclose(memory["keys"], keys, rtol=limit, atol=limit)
    np.testing.assert_allclose(memory["values"], values, rtol=limit, atol=limit)
    state, expected = lite.start(3), model.start(1, 3)
    memory = {"keys": keys.numpy(), "values": values.numpy()}
    for ids in ([START] * 3, [7, 8, 9], [30, 20, 10]):
        ids = np.array([ids], np.int32)
        logits, state = lite.step(ids, state, memory)
        wanted, expected = model.step(ids, expected, (keys, values, mask))
        probabilities = tf.nn.softmax(logits).numpy(), tf.nn.softmax(wanted).numpy()
        np.testing.assert_allclose(*probabilities, rtol=limit, atol=limit)
        for part, other in zip(state, expected, strict=True):
            np.testing.assert_allclose(part, other, rtol=limit, atol=limit)


def test_the_int8_decoder_has_the_tied_table_once(files, model):
    graphs = Interpreter(str(files / "decoder_int8.tflite"))
    shape = [len(model.subwords), model.dim]
    tables = [t["index"] for t in graphs.get_tensor_details() if t["shape"].tolist() == shape]
    assert len(tables) == 2  # looked up, and multiplied with
    graphs.allocate_tensors()
    one, other = (graphs.get_tensor(number) for number in tables)
    assert one.dtype == np.int8 and np.array_equal(one, other)
    content = (files / "decoder_int8.tflite").read_bytes()
    assert content.count(one.tobytes()) == 1


def test_the_loop_over_the_interpreter_finds_what_the_model_finds(model, files):
    lite = lite_of(files, "float32")
    texts = [*PAIRS.source[:4], "Haus"]
    for beams, alpha in ((1, 0.0), (4, 1.0)):
        wanted = translate(model, texts, beams=beams, alpha=alpha)
        for text, found in zip(texts, wanted, strict=True):
            got = lite.search(text, beams, alpha)
            assert [one.ids for one in got] == [one.ids for one in found]
            np.testing.assert_allclose(got[0].score, found[0].score, rtol=1e-4)
        best = [model.subwords.decode(found[0].ids) for found in wanted]
        assert lite.translate(texts, beams, alpha) == best


def test_half_of_a_surrogate_pair_is_read_as_u_fffd(model, files):
    lite, whole = lite_of(files, "float32"), [f"{PAIRS.source[0]}\ufffd", "\ufffdHaus"]
    halves = [f"{PAIRS.source[0]}\udce9", "\ud83dHaus"]
    wanted = lite.translate(whole, beams=2)
    assert lite.translate(halves, beams=2) == wanted
    with pytest.raises(ValueError, match="texts must be texts; number 2 is None"):
        lite.translate(["Ein Hund", None])
    with pytest.raises(ValueError, match="texts must be a list of texts; got a str"):
        lite.translate("Ein Hund")
    found = translate(model, halves, beams=2)
    assert [model.subwords.decode(one[0].ids) for one in found] == wanted
    assert translate_greedily(model, halves) == translate_greedily(model, whole)


def test_files_are_small_and_of_builtin_operators(files):
    sizes = {path.name: inspect(path)["bytes"] for path in files.iterdir()}
    assert sizes["decoder_int8.tflite"] < sizes["decoder_float32.tflite"]


def test_the_comparison_passes_what_is_right(model, files):
    parts = translator_parts(model, TASK)
    assert set(parts["files"]) == {path.name for path in files.iterdir()}
    for name in ("saved_model", "encoder_float32.tflite", "decoder_float32.tflite"):
        record = parts["compare"](files / name, name)
        assert record["largest_difference"] < 1e-5 and record["same_translations"] == 1.0
        assert record["metric"] == record["model_metric"] and record["latency_ms"] > 0


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_the_comparison_refuses_another_model(model, files, part):
    other = model_of()
    weights = other.get_weights()
    weights[2 if part == "encoder" else -1] *= 1.1
    other.set_weights(weights)
    compare = translator_parts(other, TASK)["compare"]
    name = f"{part}_float32.tflite"
    with pytest.raises(Refused, match=f"path must differ by at most 1e-05; .*{name} differs by"):
        compare(files / name, name)


def test_a_changed_file_is_refused(files, tmp_path):
    content = bytearray((files / "encoder_int8.tflite").read_bytes())
    content[2000] ^= 1
    (tmp_path / "encoder.tflite").write_bytes(content)
    with pytest.raises(ValueError, match="path must be unchanged since it was written"):
        LiteTranslator(tmp_path / "encoder.tflite", files / "decoder_int8.tflite")
    with pytest.raises(ValueError, match="subwords.json attached; .* has none"):
        LiteTranslator(files / "decoder_int8.tflite", files / "decoder_int8.tflite")


def test_other_cells_have_no_files(tmp_path):
    lstm = model_of("lstm")
    with pytest.raises(ValueError, match="cell must be 'gru' for a translator's files; got 'lstm'"):
        translator_files(lstm)
    with pytest.raises(ValueError, match="cell must be 'gru' for a TFLite file; got 'lstm'"):
        translator.encoder_file(lstm, tmp_path / "encoder.tflite")
    with pytest.raises(ValueError, match="cell must be one of 'gru', 'lstm', 'rnn'"):
        translator.saved_model(model_of("transformer"), tmp_path / "folder")


def test_the_device_needs_no_tensorflow(files):
    code = (
        "import sys\n"
        "from gru_zoo.export.runners.lite_translator import LiteTranslator\n"
        f"lite = LiteTranslator({str(files / 'encoder_int8.tflite')!r}, "
        f"{str(files / 'decoder_int8.tflite')!r})\n"
        "assert len(lite.translate(['Ein Hund'], beams=2)) == 1\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
