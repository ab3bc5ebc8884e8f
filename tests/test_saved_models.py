"""Each shipped artifact proves itself: checksums, goldens in every format, its card's figure."""

import importlib
import shlex
import shutil
import subprocess

import numpy as np
import pytest
import tyro

from gru_zoo import list_models, load, verify
from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.card_text import readme
from gru_zoo.export.checks.inspection import steps_of
from gru_zoo.markdown import replace_section
from gru_zoo.zoo import card, goldens, models_folder, table
from tests.real_data import needs_tfds, tfds_folder
from tests.real_scores import SCORES, tolerance

# A text's model and a model of frames; the others' goldens take a while.
QUICK = ("sentiment_imdb_gru_small", "music_jsb_gru_small")
FOR_MEDIAPIPE = [
    name
    for name in list_models()
    if any(export["variant"] == "mediapipe" for export in card(name).exports)
]


@pytest.mark.parametrize("name", list_models())
def test_every_file_is_the_one_the_card_speaks_of(name):
    folder = models_folder() / name
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(verify(name)) == on_disk - {"card.json", "README.md"}
    assert max(path.stat().st_size for path in folder.rglob("*")) < 10e6
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 60e6


def test_git_never_changes_the_line_ends_of_a_file_with_a_checksum():
    folder = models_folder()
    root = folder.parent
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("needs git and a checkout")
    paths = [f"{folder.name}/{name}/{path}" for name in list_models() for path in card(name).files]
    command = ["git", "check-attr", "-z", "--stdin", "text"]
    told = subprocess.run(
        command, input="\0".join(paths).encode(), cwd=root, capture_output=True, check=True
    )
    # Path, name of the attribute and its value, one behind the other.
    values = told.stdout.decode().split("\0")[2::3]
    assert values == ["unset"] * len(paths)


@pytest.mark.parametrize("name", list_models())
def test_the_readme_is_the_cards(name):
    folder = models_folder() / name
    assert (folder / "README.md").read_text() == readme(Card.from_json(folder / "card.json"))


def test_the_projects_readme_has_the_cards_table():
    text = (models_folder().parent / "README.md").read_text()
    made = table.preset_table(map(card, list_models()))
    assert text == replace_section(text, made, table.BEGIN, table.END), (
        "run: python -m gru_zoo.zoo table --write"
    )


@pytest.mark.parametrize("name", list_models())
def test_the_card_says_what_a_reader_asks(name):
    about = card(name)
    assert about.uses and about.limits and about.published and about.commands and about.commit
    assert all(score.train_seconds > 0 for score in about.scores)
    assert {export["file"] for export in about.exports} <= {
        path.partition("/")[0] for path in about.files
    }


@pytest.mark.parametrize("name", list_models())
def test_todays_flags_take_the_cards_commands(name):
    # A flag that was renamed would leave weights that nobody can make again.
    for command in card(name).commands:
        _, _, module, *words = shlex.split(command)
        steps = importlib.import_module(module).COMMANDS
        step = words.pop(0) if words[0] in steps else next(iter(steps))
        flags, _ = steps[step]
        assert isinstance(tyro.cli(flags, args=words), flags), command


@pytest.mark.parametrize("name", list_models())
def test_the_hub_reads_the_card(name):
    hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    about = card(name)
    text = (models_folder() / name / "README.md").read_text()
    (result,) = hub.ModelCard(text, ignore_metadata_errors=False).data.eval_results
    assert (result.task_type, result.dataset_type) == (about.task, about.dataset)
    assert result.metric_value == pytest.approx(about.value, abs=5e-5)


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in list_models()],
)
def test_every_format_gives_its_goldens(name, monkeypatch):
    about = card(name)
    if any(export["file"].endswith(".onnx") for export in about.exports):
        pytest.importorskip("onnxruntime")
    if about.task == "translation":
        pytest.importorskip("tokenizers", reason="needs the extra translation")
    unharmed, off = goldens.AGAIN[about.model["class"]], {}

    def again(model, golden, about):
        # The model is asked: it does not give goldens that are another's.
        spoilt = {key: a + 0.01 if a.dtype.kind == "f" else a for key, a in golden.items()}
        given, _ = unharmed(model, spoilt, about)
        for key in golden.keys() - {"inputs"}:  # which are what it is asked with
            if golden[key].dtype.kind == "f":
                off[key] = goldens.difference({key: given[key]}, {key: spoilt[key]})
        return unharmed(model, golden, about)

    monkeypatch.setitem(goldens.AGAIN, about.model["class"], again)
    results = list(goldens.replay(about, models_folder() / name))
    assert off and all(0.005 < each for each in off.values())
    replayed = {result.file for result in results}
    assert replayed == {"model.keras", *(export["file"] for export in about.exports)}
    assert not [result for result in results if result.wrong]


@pytest.mark.parametrize("name", FOR_MEDIAPIPE)
def test_mediapipe_runs_the_file_as_it_is(name):
    pytest.importorskip("mediapipe")
    from gru_zoo.export.mediapipe import classify, resized

    path = models_folder() / name / "model_mediapipe.tflite"
    with np.load(models_folder() / name / "golden.npz") as archive:
        texts, expected = archive["texts"].tolist(), archive["probabilities"]
        longer = archive["ids"][:, steps_of(path) :].any(axis=1)
    texts = [text.decode() for text in texts]
    if longer.any():  # The file reads fewer words than the model: the rest are not its goldens.
        expected[longer] = resized(load(name), steps_of(path)).predict(texts, verbose=0)[longer]
    np.testing.assert_allclose(classify(path, texts), expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@needs_tfds
@pytest.mark.parametrize("name", list_models())
def test_the_real_test_split_gives_the_cards_figure(name, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    about = card(name)
    for file, expected, given in SCORES[about.model["class"]](about):
        assert given == pytest.approx(expected, abs=tolerance(about, file)), file


@pytest.mark.slow
@needs_tfds
@pytest.mark.parametrize("name", FOR_MEDIAPIPE)
def test_mediapipe_on_two_hundred_real_reviews(name, monkeypatch):
    pytest.importorskip("mediapipe")
    from gru_zoo.data import imdb
    from gru_zoo.export.mediapipe import classify, resized

    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    dataset, _ = imdb.load("test", "tfds")
    texts = [row["text"].decode() for row in dataset.take(200).as_numpy_iterator()]
    path = models_folder() / name / "model_mediapipe.tflite"
    model = resized(load(name), steps_of(path))
    np.testing.assert_allclose(classify(path, texts), model.predict(texts, verbose=0), atol=1e-3)
