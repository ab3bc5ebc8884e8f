"""python -m gru_zoo.export: files, table, and mistakes in one line."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from gru_zoo import GRU
from gru_zoo.export import variants
from gru_zoo.export.__main__ import _row, main
from gru_zoo.export.checks.inspection import inspect
from tests.export.conftest import shake


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "small.keras"
    model = keras.Sequential([keras.Input((None, 5)), layers.GRU(7), layers.Dense(3)])
    shake(model, 4)
    model.save(path)
    return path, model


@pytest.mark.slow
def test_writes_what_was_asked_for_and_a_table(saved, tmp_path, capsys):
    path, model = saved
    words = [str(path), "--to", "tflite:int8", "tflite", "saved_model", "--out", str(tmp_path)]
    assert main(words) == 0
    assert {file.name for file in tmp_path.iterdir()} == {
        "small_int8.tflite",
        "small_float32.tflite",
        "small_saved_model",
    }
    shown = capsys.readouterr().out
    assert "small_int8.tflite" in shown and "max. abs. difference" in shown
    assert "note: small_int8.tflite holds no int8 weight" in " ".join(shown.split())
    x = np.random.default_rng(0).normal(size=(1, 4, 5)).astype(np.float32)
    runner = Interpreter(str(tmp_path / "small_float32.tflite")).get_signature_runner(
        "serving_default"
    )
    np.testing.assert_allclose(runner(inputs=x)["outputs"], model(x), atol=1e-5)
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words[:3], "--out", str(tmp_path), "--overwrite"]) == 0


@pytest.mark.slow
def test_int8_of_a_larger_model_holds_int8(tmp_path, capsys):
    model = keras.Sequential([keras.Input((None, 5)), layers.GRU(21), layers.Dense(3)])
    model.save(tmp_path / "larger.keras")
    words = ["--to", "tflite:int8", "tflite", "--out", str(tmp_path)]
    assert main([str(tmp_path / "larger.keras"), *words]) == 0
    assert "note" not in capsys.readouterr().out
    types = {
        variant: inspect(tmp_path / f"larger_{variant}.tflite")["constant_types"]
        for variant in ("int8", "float32")
    }
    assert types["int8"] == sorted([*types["float32"], "INT8"])


def test_what_the_variants_have():
    """By name, for whoever adds one: flags, recipes and artifacts go by these."""
    assert variants.BASIC == ("float32", "float16", "int8")
    assert variants.INTEGER_ONLY == ("int8_full", "int16x8")
    assert variants.WITH_STEP == (*variants.BASIC, "int4", *variants.INTEGER_ONLY)
    assert variants.WITH_SEQUENCE == (*variants.BASIC, "int4", "mediapipe")
    assert {*variants.WITH_STEP, *variants.WITH_SEQUENCE} == variants.VARIANTS.keys()


def test_every_format_tells_by_how_much_it_differs(saved, tmp_path, capsys, monkeypatch):
    def write(model, path, overwrite):
        path.mkdir()
        return 3.2e-6

    monkeypatch.setattr("gru_zoo.export.saved_model_folder.saved_model", write)
    assert main([str(saved[0]), "--out", str(tmp_path), "--to", "saved_model"]) == 0
    assert "3.2e-06" in capsys.readouterr().out
    (tmp_path / "m.onnx").write_bytes(b"")
    assert _row(tmp_path / "m.onnx", 4.5e-6) == ("m.onnx", "0", "4.5e-06", "", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "tflite:int9"], "'tflite:', must be one of .*got 'int9'.*'int8'"),
        (["--to", "onx"], "to must be one of .*got 'onx'. Did you mean 'onnx'"),
        (
            ["--to", "tflite", "tflite:int16x8"],
            "representative must be a file for 'tflite:int16x8'",
        ),
        (["--to", "tflite", "tflite:float32"], "name each format once; got tflite, tflite:float32"),
        (["--to", "tflite:mediapipe"], "must be a SequenceClassifier for variant 'mediapipe'"),
        (["--to", "tflite:int8", "--min-runtime", "new"], "min_runtime must be a version"),
        (["--representative", "none.npy"], "representative must be .*none.npy does not exist"),
    ],
)
def test_a_mistake_is_one_line(saved, tmp_path, capsys, words, message):
    assert main([str(saved[0]), "--out", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    pytest.raises(ValueError, _raise, error).match(message)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["onnx", "saved_model", "tflite:mediapipe", "--representative", "none.npy"],
            "representative must be left out for onnx, saved_model, tflite:mediapipe; only "
            "tflite:float32, .*tflite:int16x8 read it; got none.npy",
        ),
        (["tflite:mediapipe", "--gates"], "gates must be left out for tflite:mediapipe; only"),
        (["onnx", "--sequence-length", "9"], "sequence_length must be left out for onnx; .* got 9"),
        (["saved_model", "--min-runtime", "2.3"], "min_runtime must be left out for saved_model"),
    ],
)
def test_a_flag_that_no_format_reads_is_refused(saved, tmp_path, capsys, words, message):
    assert main([str(saved[0]), "--out", str(tmp_path), "--to", *words]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    pytest.raises(ValueError, _raise, error).match(f"error: {message}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "package"), [("onnx", "onnxruntime"), ("tflite:int4", "ai_edge_quantizer")]
)
def test_a_missing_package_is_told_before_a_file_is_written(
    saved, tmp_path, capsys, monkeypatch, to, package
):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert main([str(saved[0]), "--out", str(tmp_path), "--to", "tflite", to]) == 2
    assert f"error: to {to!r} needs " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_each_format_gets_the_flags_that_it_reads(saved, tmp_path, monkeypatch):
    given = {}

    def tflite(model, path, variant, **options):
        given[variant] = sorted(options)
        path.write_bytes(b"")

    monkeypatch.setattr("gru_zoo.export.tflite_file.tflite", tflite)
    monkeypatch.setattr("gru_zoo.export.__main__._row", lambda path, difference: (path.name,) * 5)
    np.save(tmp_path / "steps.npy", np.ones((2, 4, 5), np.float32))
    words = ["--representative", str(tmp_path / "steps.npy"), "--sequence-length", "9", "--gates"]
    formats = ["tflite", "tflite:int8_full", "tflite:mediapipe"]
    assert main([str(saved[0]), "--out", str(tmp_path), *words, "--to", *formats]) == 0
    assert given == {
        "float32": ["gates", "min_runtime", "overwrite", "representative", "sequence_length"],
        "int8_full": ["gates", "min_runtime", "overwrite", "representative"],
        "mediapipe": ["min_runtime", "overwrite", "sequence_length"],
    }


@pytest.mark.slow
def test_what_was_written_before_a_mistake_is_told(saved, tmp_path, capsys):
    words = ["--to", "tflite", "tflite:mediapipe", "--out", str(tmp_path)]
    assert main([str(saved[0]), *words]) == 2
    shown = capsys.readouterr()
    assert "small_float32.tflite" in shown.out and "SequenceClassifier" in shown.err
    assert [file.name for file in tmp_path.iterdir()] == ["small_float32.tflite"]


def write_representative(folder, name):
    steps = np.ones((2, 4, 5), np.float32)
    path = folder / name
    writers = {
        "empty.npy": lambda file: None,
        "text.npy": lambda file: file.write(b"1,2,3"),
        "number.npy": lambda file: np.save(file, np.float32(1)),
        "none.npy": lambda file: np.save(file, steps[:0]),
        "array.npz": lambda file: np.save(file, steps),
        "archive.npy": lambda file: np.savez(file, steps[0]),
        "none.npz": lambda file: np.savez(file),
        "cut.npz": lambda file: np.savez(file, steps[0]),
        "steps.txt": lambda file: np.save(file, steps),
    }
    with open(path, "wb") as file:
        writers[name](file)
    if name == "cut.npz":
        path.write_bytes(path.read_bytes()[:-50])
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty.npy", r"must be a whole \.npy file; .*empty\.npy: "),
        ("text.npy", r"must be a whole \.npy file; .*text\.npy: "),
        ("cut.npz", r"must be a whole \.npz file; .*cut\.npz: "),
        ("number.npy", r"must be an array \[sequences, time\] .*number\.npy holds one number"),
        ("none.npy", r"must hold at least one sequence; .*none\.npy holds none"),
        ("none.npz", r"must hold at least one sequence; .*none\.npz holds none"),
        ("array.npz", r"its name says, \.npz; .*array\.npz is one array, which is a \.npy"),
        ("archive.npy", r"its name says, \.npy; .*archive\.npy is an archive, which is a \.npz"),
        ("steps.txt", r"must be one of '\.npy', '\.npz'; got '\.txt'"),
    ],
)
def test_a_representative_file_that_cannot_be_read(saved, tmp_path, capsys, name, message):
    path = write_representative(tmp_path, name)
    words = ["--to", "tflite:int8_full", "--representative", str(path)]
    assert main([str(saved[0]), "--out", str(tmp_path), *words]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    pytest.raises(ValueError, _raise, error).match(f"error: representative.* {message}")
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.fixture(scope="module")
def saved_of_two_inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("two") / "two.keras"
    one, other = keras.Input((None, 5), name="question"), keras.Input((None, 5), name="answer")
    read = layers.Concatenate()([layers.GRU(4)(one), layers.GRU(3)(other)])
    keras.Model([one, other], layers.Dense(2)(read)).save(path)
    return path


def test_of_several_inputs_the_names_in_the_archive_are_sequence_and_input(
    saved_of_two_inputs, tmp_path, monkeypatch
):
    given = []

    def tflite(model, path, variant, **options):
        given.extend(options["representative"])
        path.write_bytes(b"")

    monkeypatch.setattr("gru_zoo.export.tflite_file.tflite", tflite)
    monkeypatch.setattr("gru_zoo.export.__main__._row", lambda path, difference: (path.name,) * 5)
    names = ["0/question", "0/answer", "1/question", "1/answer"]
    sent = {name: np.full((4, 5), number, "f") for number, name in enumerate(names)}
    np.savez(tmp_path / "steps.npz", **sent)
    words = ["--to", "tflite:int8_full", "--representative", str(tmp_path / "steps.npz")]
    assert main([str(saved_of_two_inputs), "--out", str(tmp_path), *words]) == 0
    assert [{name: x[0, 0] for name, x in one.items()} for one in given] == [
        {"question": 0, "answer": 1},
        {"question": 2, "answer": 3},
    ]


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_of_several_inputs_names_without_an_input_are_refused(
    saved_of_two_inputs, tmp_path, capsys, suffix
):
    path, steps = tmp_path / f"steps.{suffix}", np.ones((2, 4, 5), np.float32)
    np.save(path, steps) if suffix == "npy" else np.savez(path, steps[0])
    words = ["--to", "tflite:int8_full", "--representative", str(path)]
    assert main([str(saved_of_two_inputs), "--out", str(tmp_path), *words]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    held = "one array" if suffix == "npy" else "arr_0"
    assert error == (
        "error: representative must be a .npz archive of arrays with names such as 0/question and "
        f"0/answer for a model of several inputs; {path} holds {held}."
    )


def _raise(text):
    raise ValueError(text)


def test_a_file_that_is_no_model_is_refused(tmp_path, capsys):
    (tmp_path / "text.keras").write_text("no archive")
    path = tmp_path / "text.keras"
    assert main([str(path), "--out", str(tmp_path)]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith(f"error: model must be a whole .keras file; {path} is corrupt: ")


def test_a_folder_in_a_files_place_is_called_one(saved, tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error == f"error: model must be a .keras file; {tmp_path} is a folder."
    inside = tmp_path / "model.keras"
    inside.write_bytes(saved[0].read_bytes())
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 2
    assert f"{tmp_path} is a folder. Did you mean {inside}?" in capsys.readouterr().err
    assert main([str(saved[0]), "--representative", str(tmp_path), "--out", str(tmp_path)]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.endswith(f"must be a .npy or .npz file; {tmp_path} is a folder.")


def test_a_lambda_is_not_run(tmp_path, capsys):
    path = tmp_path / "lambda.keras"
    keras.Sequential([keras.Input((None, 5)), layers.Lambda(lambda x: 2 * x), GRU(3)]).save(path)
    assert zipfile.is_zipfile(path)
    assert main([str(path), "--out", str(tmp_path)]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith(f"error: model must be a whole .keras file; {path} could not be read: ")


def test_help_does_not_wait_for_tensorflow():
    code = (
        "import sys; from gru_zoo.export.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "--to" in done.stdout, done.stderr


def test_brackets_in_a_name_are_no_markup(saved, tmp_path, capsys, monkeypatch):
    path = tmp_path / "run[bold].keras"
    path.write_bytes(saved[0].read_bytes())

    def write(model, path, overwrite):
        path.mkdir()
        return 0.0

    monkeypatch.setattr("gru_zoo.export.saved_model_folder.saved_model", write)
    monkeypatch.setenv("FORCE_COLOR", "1")  # Progress is shown to terminals only.
    monkeypatch.setattr("rich._console", None)  # One of before knows no terminal.
    assert main([str(path), "--out", str(tmp_path), "--to", "saved_model"]) == 0
    shown = capsys.readouterr().out
    assert "opening run[bold].keras" in shown and "│ run[bold]_saved_model" in shown
