"""Which run is shipped, and the commands in its card."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

from gru_zoo.data.source import Source
from gru_zoo.files import write_json
from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.training.runs import RunFolder
from gru_zoo.zoo import card, list_models, models_folder, own_models_folder, registry
from recipes import (
    language_model,
    language_model_artifact,
    polyphonic_music_artifact,
    pos_tagging_artifact,
    semi_supervised,
    sentiment,
    sentiment_artifact,
    translation,
    translation_artifact,
)
from recipes.shared.publishing import (
    before,
    command,
    has_artifact,
    require_same_data,
    require_same_task,
    require_seen,
    to_zoo,
    together,
)
from recipes.shared.starting import RunFlags


@dataclasses.dataclass(frozen=True)
class Flags(RunFlags):
    units: int = 64
    sizes: tuple[int, ...] = ()
    folded: bool = True
    export: bool = True


@pytest.fixture
def finished(tmp_path):
    """A function that leaves a finished run behind."""

    def leave(name, seed, value, validation, metric="accuracy", **flags):
        given = {"seed": seed, "units": 64, "sizes": [], "folded": True, **flags}
        write_json(tmp_path / name / "config.json", given)
        metrics = {"metric": {"name": metric, "value": value}, f"validation_{metric}": validation}
        write_json(tmp_path / name / "metrics.json", {**metrics, "epochs": 2, "train_seconds": 9.0})
        return tmp_path / name

    return leave


@pytest.mark.parametrize(
    "write",
    [
        lambda: to_zoo("some", [Path("run")], "mine", Flags(), pytest.fail),
        lambda: language_model.publish(language_model.Publish((Path("run"),))),
        lambda: semi_supervised.publish(semi_supervised.Publish((Path("run"),), preset="mine")),
        lambda: sentiment_artifact.rewrite_preset("mine"),
        lambda: sentiment_artifact.measure("mine"),
        lambda: language_model_artifact.rewrite_preset("mine"),
        lambda: pos_tagging_artifact.rewrite_preset("mine"),
        lambda: polyphonic_music_artifact.rewrite_preset("mine"),
        lambda: translation.export(translation.Export(preset="mine")),
    ],
)
def test_nothing_is_made_for_an_installed_package(tmp_path, monkeypatch, write):
    monkeypatch.delenv("GRU_ZOO_MODELS", raising=False)
    shutil.copytree(models_folder() / list_models()[0], tmp_path / "presets" / list_models()[0])
    monkeypatch.setattr(registry, "PACKAGED", tmp_path / "presets")
    with pytest.raises(ValueError, match="set GRU_ZOO_MODELS to a folder of your own to write"):
        write()
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "mine"))
    assert own_models_folder() == tmp_path / "mine"


@pytest.mark.parametrize(
    "write",
    [
        sentiment_artifact.rewrite_preset,
        sentiment_artifact.measure,
        language_model_artifact.rewrite_preset,
        pos_tagging_artifact.rewrite_preset,
        polyphonic_music_artifact.rewrite_preset,
        translation_artifact.rewrite_preset,
    ],
)
def test_what_is_no_preset_is_not_rewritten(write, tmp_path, monkeypatch):
    for place in ("runs/mine/artifact", "mine"):
        write_json(tmp_path / place / "card.json", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gru_zoo.zoo.load", lambda *given: pytest.fail("it was loaded"))
    for name in ("runs/mine/artifact", "./mine", "mine", "..", "hf://me/mine", ""):
        message = f"the name of a preset in the zoo .*; got '{re.escape(name)}'"
        with pytest.raises(ValueError, match=message):
            write(name)


@pytest.mark.parametrize(
    "publish",
    [
        lambda name: to_zoo("some", [Path("run")], name, Flags(), pytest.fail),
        lambda name: language_model.publish(language_model.Publish((Path("run"),), preset=name)),
        lambda name: semi_supervised.publish(semi_supervised.Publish((Path("run"),), preset=name)),
    ],
)
def test_a_preset_is_a_folder_among_the_presets(publish):
    for name in ("me/my_reviews", "../x", "..", ".", "", "hf://me/mine"):
        message = f"preset must be a plain folder name, created in .*; got '{re.escape(name)}'"
        with pytest.raises(ValueError, match=message):
            publish(name)


def test_a_preset_without_files_has_none_to_write_again(monkeypatch):
    name = "sentiment_imdb_gru_supervised"
    model = SimpleNamespace(card=dataclasses.replace(card(name), exports=[]))
    monkeypatch.setattr("recipes.shared.models.of_zoo", lambda *given: model)
    with pytest.raises(ValueError, match=f"preset must have exported files; {name} has none"):
        sentiment_artifact.rewrite_preset(name)


def test_a_language_models_artifact_has_the_command_of_the_shipped_run(finished, monkeypatch):
    paths = [
        finished("a", 0, 30.0, 31.0, "perplexity"),
        finished("b", 1, 50.0, 20.0, "perplexity"),
    ]
    for seed, path in enumerate(paths):
        write_json(path / "config.json", {"seed": seed})
        write_json(path / "data.json", card("next_word_imdb_gru_small").data)
        metrics = json.loads((path / "metrics.json").read_text())
        metrics["metric"]["split"] = "test"  # It has been read.
        write_json(path / "metrics.json", metrics)
    given = []

    def write(run, model, config, trained, variants):
        given.extend((run.path.name, trained))
        raise ValueError("enough")

    monkeypatch.setattr(language_model_artifact, "write_artifact", write)
    monkeypatch.setattr("recipes.shared.models.of_run", lambda *given: None)
    with pytest.raises(ValueError, match="enough"):
        language_model.publish(language_model.Publish(tuple(paths), preset="mine"))
    assert given == ["b", "python -m recipes.language_model train --name b --seed 1"]


def test_the_best_on_validation_is_shipped_and_every_command_kept(finished):
    flags = {"units": 5, "sizes": [1, 2], "folded": False}
    paths = [finished("b", 1, 0.9, 0.7, **flags), finished("a", 0, 0.8, 0.9, **flags)]
    found = together("some", paths, Flags(), "task_data_gru_small")
    assert found.best.path.name == "a" and found.metric == "accuracy"
    assert [(score.seed, score.value) for score in found.scores] == [(0, 0.8), (1, 0.9)]
    rest = "--units 5 --sizes 1 2 --no-folded --no-export"
    assert found.commands == [
        f"python -m recipes.some train --name a {rest}",
        f"python -m recipes.some train --name b --seed 1 {rest}",
        "python -m recipes.some publish runs/some/a runs/some/b --preset task_data_gru_small",
    ]


def test_an_artifact_of_an_older_model_is_none(finished):
    run = RunFolder.open(finished("a", 0, 0.9, 0.9))
    assert not has_artifact(run)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    folder = run.path / "artifact"
    folder.mkdir()
    for path in (run.path, folder):
        save_keras_file(model, path / "model.keras")
    assert not has_artifact(run)  # half of one
    write_json(folder / "card.json", {})
    assert has_artifact(run)
    model.layers[0].kernel.assign_add([[0.1, 0.0]] * 3)
    save_keras_file(model, run.path / "model.keras")
    assert not has_artifact(run)


def test_the_runs_before_it_are_made_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = {"units": 9, "seed": 0, "folded": False, "sizes": []}
    write_json(Path("runs/words/a/config.json"), words)
    write_json(Path("runs/some/b/config.json"), {"pretrained": "runs/words/a", "seed": 1})
    last = {"pretrained": None, "words": "runs/some/b", "teachers": ["runs/some/b"], "seed": 0}
    write_json(Path("runs/some/c/config.json"), last)
    assert before(RunFolder.open("runs/some/c")) == [
        "python -m recipes.words train --name a --units 9 --seed 0 --no-folded",
        "python -m recipes.some train --name b --pretrained runs/words/a --seed 1",
    ]


def test_a_flag_that_was_emptied_is_in_the_command(finished):
    @dataclasses.dataclass(frozen=True)
    class Hard(Flags):
        sizes: tuple[int, ...] = (16, 19)

    run = RunFolder.open(finished("a", 0, 0.8, 0.9))
    assert command("some", run, Hard()) == "python -m recipes.some train --name a --sizes"
    assert command("some", run, Flags()) == "python -m recipes.some train --name a"


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("dataset", "tiny_shakespeare"),
        ("metric", "perplexity"),
        ("task", "text-generation"),
        ("language", ["de", "en"]),
    ],
)
def test_another_tasks_model_replaces_no_preset(what, other):
    preset = "sentiment_imdb_gru_supervised"
    require_same_task(preset, card(preset))
    require_same_task("another_name", dataclasses.replace(card(preset), **{what: other}))
    with pytest.raises(ValueError, match=f"preset must be a new name, or .* {what} .*; {preset} "):
        require_same_task(preset, dataclasses.replace(card(preset), **{what: other}))


def test_a_model_of_other_data_replaces_no_preset():
    # Another treebank, or another form of the reviews with another test split.
    preset = card("pos_ewt_gru_small")
    other = {**preset.data, "name": "universal_dependencies/en_gum (TFDS)"}
    with pytest.raises(
        ValueError, match=r"model with data 'univ.*en_gum.*; pos_ewt.* has '.*en_ewt"
    ):
        require_same_task("pos_ewt_gru_small", dataclasses.replace(preset, data=other))


def test_a_preset_that_a_run_began_with_is_made_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preset = "sentiment_imdb_gru_supervised"
    write_json(Path("runs/some/a/config.json"), {"pretrained": preset, "seed": 1})
    commands = before(RunFolder.open("runs/some/a"))
    assert commands == card(preset).commands and len(commands) > 1
    write_json(Path("runs/some/b/config.json"), {"pretrained": "nothing", "seed": 1})
    with pytest.raises(FileNotFoundError, match=f"or one of .*{preset}.*; got 'nothing'"):
        before(RunFolder.open("runs/some/b"))


def test_a_smoke_test_replaces_no_preset(finished):
    run = finished("a", 0, 0.8, 0.9, limit=64)
    preset = "sentiment_imdb_gru_supervised"
    with pytest.raises(ValueError, match=f"runs with --limit 64, .*; {preset} already exists"):
        together("some", [run], Flags(), preset)
    assert together("some", [run], Flags(), "another_name").best.path == run
    assert together("some", [finished("b", 0, 0.8, 0.9)], Flags(), preset).metric == "accuracy"


def test_runs_that_differ_in_more_than_their_seed_are_refused(finished):
    one = finished("a", 0, 0.8, 0.9)
    said = "must be runs that differ only in their seed; "
    with pytest.raises(ValueError, match=f"{said}units is 64 in .*/a and 5 in .*/b"):
        together("some", [one, finished("b", 1, 0.8, 0.9, units=5)], Flags())
    with pytest.raises(ValueError, match=f"{said}.*/a and .*/c both have 0"):
        together("some", [one, finished("c", 0, 0.8, 0.9)], Flags())
    with pytest.raises(ValueError, match="must name at least one run folder; got none"):
        together("some", [], Flags())
    with pytest.raises(ValueError, match="must be runs with the same metric"):
        together("some", [one, finished("d", 1, 30.0, 30.0, metric="bleu")], Flags())


def test_a_flag_that_is_newer_than_a_run_is_at_its_default_there(finished):
    older, newer = finished("a", 0, 0.8, 0.9), finished("b", 1, 0.8, 0.9, halved=False)

    @dataclasses.dataclass(frozen=True)
    class Newer(Flags):
        halved: bool = False

    assert len(together("some", [older, newer], Newer()).scores) == 2
    other = finished("c", 2, 0.8, 0.9, halved=True)
    with pytest.raises(ValueError, match="halved is False in .*/a and True in .*/c"):
        together("some", [older, newer, other], Newer())


def source(**changed):
    given = {"name": "imdb", "version": "1", "origin": "", "licence": "", "splits": {}}
    return Source(**{**given, "sha256": {"train": "00"}, **changed})


def test_data_are_told_by_their_content_and_not_by_their_name(tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 0})
    run.pin_data(source().as_dict())
    require_seen([run.path, None, ""], source(name="renamed"))
    with pytest.raises(ValueError, match="provide imdb 1, .*; got other contents of train,"):
        require_seen([run.path], source(sha256={"train": "01"}))
    preset = card("sentiment_imdb_gru_small")
    same = source(sha256=preset.data["sha256"])
    require_same_data(preset, same)
    require_seen(["sentiment_imdb_gru_small"], same)
    named = source(name=preset.data["name"])
    with pytest.raises(ValueError, match="source must provide imdb_reviews"):
        require_same_data(preset, named)
    with pytest.raises(ValueError, match="which sentiment_imdb_gru_small was trained on"):
        require_seen(["sentiment_imdb_gru_small"], named)


def test_the_least_perplexity_is_shipped(finished):
    paths = [
        finished("a", 0, 30.0, 31.0, metric="perplexity"),
        finished("b", 1, 50.0, 20.0, metric="perplexity"),
    ]
    assert together("some", paths, Flags()).best.path.name == "b"


def test_a_flag_of_several_words_is_one_in_the_command(finished):
    run = RunFolder.open(finished("a", 0, 0.8, 0.9, pretrained="my runs/a"))
    assert command("some", run, Flags()).endswith(" --pretrained 'my runs/a'")
    named = RunFolder.open(finished("my run", 0, 0.8, 0.9))
    assert command("some", named, Flags()).startswith(
        "python -m recipes.some train --name 'my run'"
    )
    publishing = together("some", [named.path], Flags(), "mine").commands[-1]
    assert publishing == "python -m recipes.some publish 'runs/some/my run' --preset mine"


@pytest.mark.parametrize(
    ("recipe", "arguments", "flag"),
    [
        (sentiment, "predict fine --run back", "run"),
        (sentiment, "export --run back --out files", "run"),
        (sentiment, "train --from back --csv mine.csv", "from"),
        (language_model, "generate --run back", "run"),
        (language_model, "export --run back", "run"),
        (language_model, "publish back --preset mine", "finished"),
        (semi_supervised, "publish back --preset mine", "finished"),
    ],
)
def test_what_reads_backwards_is_not_used_forwards(
    recipe, arguments, flag, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    config = {"seed": 0, "backward": True, "unlabelled_per_labelled": 3}
    write_json(tmp_path / "back" / "config.json", config)
    assert recipe.main(arguments.split()) == 2
    said = capsys.readouterr().err
    assert f"error: {flag} must be a forward model; back was trained with --backward" in said
