"""From finished runs to a preset: the run that is shipped, all scores, the commands."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from gru_zoo.data.source import other_data
from gru_zoo.training.runs import RunFolder, newest_run
from recipes.shared import origins
from recipes.shared.presets import folder_to_publish

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.artifacts.scores import Score
    from gru_zoo.data.source import Source

# Flags that say what is written at the end of a training and where; the seed tells runs apart.
_APART = ("seed", "name", "runs", "resume", "export")


class Finished(NamedTuple):
    """Runs that differ in their seed only, and what they achieved."""

    best: RunFolder
    scores: list[Score]  # one a run, by seed
    metric: str
    commands: list[str]


def open_run(path: Path | None, runs: Path) -> RunFolder:
    """Return the run in `path`, or the one in `runs` that was started or resumed last.

    Raises:
        FileNotFoundError: there is none.
    """
    return RunFolder.open(path or newest_run(runs))


def require_forward(run: RunFolder, flag: str = "run") -> RunFolder:
    """Return a run whose model reads forwards, as the zoo's and every exported file do.

    Args:
        run: of any recipe.
        flag: that named it, for the error's message.

    Raises:
        ValueError: it was trained with `--backward`.
    """
    if run.config.get("backward", False):
        raise ValueError(f"{flag} must be a forward model; {run.path} was trained with --backward.")
    return run


def score_of(run: RunFolder) -> Score:
    """Return the score of a finished run, from its `metrics.json`.

    Raises:
        FileNotFoundError: it has not been evaluated.
    """
    from gru_zoo.artifacts.scores import Score

    return Score.of(run.config["seed"], run.metrics(), run.history)


def command(recipe: str, run: RunFolder, defaults: Any = None) -> str:
    """Return the command that trains a run: the flags that are not at their default.

    Args:
        recipe: name of the recipe's module.
        run: what was trained.
        defaults: an instance of the recipe's flags; None gives every flag that has a value.
    """
    usual = _kept(defaults) if defaults else {}
    words = [f"python -m recipes.{recipe} train --name {shlex.quote(run.path.name)}"]
    for key, value in run.config.items():
        flag = key.replace("_", "-")
        # Empty is what a flag is by default, unless it has been emptied.
        if value == usual.get(key) or (value in ([], "") and not usual.get(key)):
            continue
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{flag}")
        else:
            items = value if isinstance(value, list) else [value]
            words.append(" ".join([f"--{flag}", *(shlex.quote(str(item)) for item in items)]))
    return " ".join(words)


def _kept(defaults: Any) -> dict[str, Any]:
    """Return a recipe's flags at their default, as a run's own are kept."""
    return json.loads(json.dumps(dataclasses.asdict(defaults), default=str))


def is_run(place: str, flag: str = "run") -> bool:
    """Return whether a flag names a run's folder; False where it names a preset of the zoo.

    Args:
        place: what it names.
        flag: its own name, for the error's message.

    Raises:
        FileNotFoundError: neither.
    """
    from gru_zoo.zoo import list_models

    if Path(place, "config.json").exists():
        return True
    if place in list_models():
        return False
    presets = ", ".join(list_models())
    raise FileNotFoundError(
        f"{flag} must be a folder with a config.json, or one of {presets}; got {place!r}."
    )


def pretrained(place: str) -> Any:
    """Return the model of a run's folder or of a preset of the zoo.

    Raises:
        FileNotFoundError: neither.
    """
    from gru_zoo import zoo
    from gru_zoo.models.keras_file import load_keras_file

    return load_keras_file(Path(place) / "model.keras") if is_run(place) else zoo.load(place)


def before(run: RunFolder) -> list[str]:
    """Return the commands of the runs that a run was built on, the oldest first.

    Runs are in `runs/<recipe>/<name>`. Every flag is given, as another recipe's defaults are not
    known here.

    Raises:
        FileNotFoundError: one of them is gone.
        ValueError: one of them is no longer what it was.
    """
    from gru_zoo.zoo import card

    origins.require_unchanged(run)
    config, commands = run.config, []
    several = [*config.get("teachers", []), *config.get("mean_of", [])]
    named = [config.get("pretrained"), config.get("words"), *several]
    # A preset that is trained further is loaded from the zoo, other models come from elsewhere.
    start = config.get("start", "")
    if start and not _from_elsewhere(start) and is_run(start):
        named.append(start)
    for path in dict.fromkeys(filter(None, named)):
        if not is_run(path):
            commands += card(path).commands
            continue
        earlier = RunFolder.open(path)
        commands += [*before(earlier), command(Path(path).parent.name, earlier)]
    return list(dict.fromkeys(commands))


def _from_elsewhere(start: str) -> bool:
    """Return whether a model is a `.keras` file, the folder of an artifact, or on the hub."""
    from gru_zoo.zoo.hub import PREFIX

    return start.endswith(".keras") or start.startswith(PREFIX) or Path(start, "card.json").exists()


def require_same_data(card: Card, source: Source) -> None:
    """Raise ValueError unless a card's scores are of the data that were read."""
    if source.sha256 != card.data["sha256"]:
        raise ValueError(
            f"source must provide {card.data['name']} {card.data['version']}, which {card.name} "
            f"was trained on; got {other_data(card.data, source.as_dict())}."
        )


def require_seen(places: Iterable[str | Path | None], source: Source) -> None:
    """Raise unless the runs and presets that a run starts from were trained on these data.

    Another form of a data set may hold in its test split what they were trained on.

    Args:
        places: as `pretrained` takes them; empty ones and None are passed over.
        source: what the run reads.

    Raises:
        ValueError: one of them has learnt from other data.
        FileNotFoundError: one of them is neither a run nor a preset.
    """
    from gru_zoo.zoo import card

    for place in map(str, filter(None, places)):
        known = RunFolder.open(place).data() if is_run(place) else card(place).data
        if known["sha256"] != source.sha256:
            other = other_data(known, source.as_dict())
            raise ValueError(
                f"source must provide {known['name']} {known['version']}, which {place} was "
                f"trained on; got {other}, whose test split may overlap with its training data."
            )


def alike(paths: Sequence[Path], defaults: Any, preset: str = "") -> list[RunFolder]:
    """Open runs that differ in their seed only, whether they are finished or not.

    A flag that is newer than a run is at its default there.

    Args:
        paths: as for `together`.
        defaults: as there.
        preset: as there.

    Raises:
        ValueError: no runs, runs that differ in more than their seed, or runs on a part of the data
            that would replace a preset.
        FileNotFoundError: one of them is no run.
    """
    if not paths:
        raise ValueError("finished must name at least one run folder; got none.")
    runs = sorted((RunFolder.open(path) for path in paths), key=lambda run: run.config["seed"])
    usual = _kept(defaults)
    first = {**usual, **runs[0].config}
    for last, run in itertools.pairwise(runs):
        config = {**usual, **run.config}
        for key in sorted({*first, *config} - {*_APART}):
            if config.get(key) != first.get(key):
                raise ValueError(
                    f"finished must be runs that differ only in their seed; {key} is "
                    f"{first.get(key)!r} in {runs[0].path} and {config.get(key)!r} in {run.path}."
                )
        if run.config["seed"] == last.config["seed"]:
            raise ValueError(
                f"finished must be runs that differ only in their seed; {last.path} and "
                f"{run.path} both have {run.config['seed']}."
            )
    _require_all_data(runs, preset)
    return runs


def require_same_task(preset: str, made: About | SimpleNamespace) -> None:
    """Raise ValueError if a preset that is there does something else than what would replace it.

    Args:
        preset: a name, new or not.
        made: has the new one's task, dataset, metric, language and data, as its card has them.
    """
    from gru_zoo.zoo import card, list_models

    if preset not in list_models():
        return
    there = card(preset)
    fields = ("task", "dataset", "metric", "language")
    pairs = {what: (getattr(there, what), getattr(made, what)) for what in fields}
    # Of one data set there are several forms, or parts such as treebanks.
    pairs["data"] = there.data["name"], made.data["name"]
    for what, (before, after) in pairs.items():
        if before != after:
            raise ValueError(
                f"preset must be a new name, or that of a model with {what} {after!r}; {preset} "
                f"has {before!r}."
            )


def together(recipe: str, paths: Sequence[Path], defaults: Any, preset: str = "") -> Finished:
    """Open runs that differ in their seed only.

    Args:
        recipe: name of the recipe's module.
        paths: folders of the runs, one or more.
        defaults: an instance of the recipe's flags.
        preset: the name that `publish` gives them; empty for a run that is not published.

    Raises:
        ValueError: no runs, runs that differ in more than their seed or not of one metric, or runs
            on a part of the data that would replace a preset.
        FileNotFoundError: one of them is not a finished run.
    """
    from gru_zoo.artifacts import scores

    runs = alike(paths, defaults, preset)
    metrics = {run.metrics()["metric"]["name"] for run in runs}
    if len(metrics) > 1:
        raise ValueError(f"finished must be runs with the same metric; got {sorted(metrics)}.")
    metric = metrics.pop()
    each = [score_of(run) for run in runs]
    best = runs[each.index(scores.best(metric, each))]
    commands = [command(recipe, run, defaults) for run in runs]
    if preset:
        if hasattr(defaults, "export"):  # Publishing exports the one that is shipped.
            commands = [f"{trained} --no-export" for trained in commands]
        where = shlex.join(f"runs/{recipe}/{run.path.name}" for run in runs)
        commands.append(f"python -m recipes.{recipe} publish {where} --preset {preset}")
    return Finished(best, each, metric, commands)


def to_zoo(
    recipe: str,
    paths: Sequence[Path],
    preset: str,
    defaults: Any,
    export: Callable[[RunFolder], Any],
    change: Callable[[Card], Card] = lambda card: card,
) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card.

    Args:
        recipe: name of the recipe's module.
        paths: folders of runs that differ in their seed only.
        preset: the name that they are given.
        defaults: an instance of the recipe's flags.
        export: writes a run's artifact, where it has none yet of its model.
        change: gives the card that is published, from the one with every run's score.

    Raises:
        ValueError: as for `together`, or the zoo is an installed package's, or a run that the best
            one began with has changed since.
        FileNotFoundError: one of them is not a finished run.
    """
    from gru_zoo.artifacts.card import Card
    from gru_zoo.artifacts.folder import republish

    folder = folder_to_publish(preset)
    found = together(recipe, paths, defaults, preset)
    if not has_artifact(found.best):
        export(found.best)
    path = found.best.path / "artifact" / "card.json"
    commands = [*before(found.best), *found.commands]
    about = {"name": preset, "scores": found.scores, "commands": commands}
    card = change(dataclasses.replace(Card.from_json(path), **about))
    require_same_task(preset, card)
    republish(path.parent, folder, card)
    print(f"published {preset}: {card.spread()} on {card.scored_on}")


def has_artifact(run: RunFolder) -> bool:
    """Return whether a run has an artifact of its model: one that was resumed may have another."""
    from gru_zoo.models.keras_file import weights_checksum

    if not (run.path / "artifact" / "card.json").exists():
        return False
    own, exported = run.path / "model.keras", run.path / "artifact" / "model.keras"
    return weights_checksum(own) == weights_checksum(exported)


def _require_all_data(runs: Sequence[RunFolder], preset: str) -> None:
    """Raise ValueError if runs of a smoke test would replace a preset that is there."""
    from gru_zoo.zoo import list_models

    limit = runs[0].config.get("limit", 0)
    if limit and preset in list_models():
        raise ValueError(
            f"preset must be a new name for runs with --limit {limit}, which used only part of the "
            f"data; {preset} already exists."
        )
