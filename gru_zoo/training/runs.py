"""The folder of a training run: its configuration, its checkpoint, what it leaves behind."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_zoo.data.source import other_data
from gru_zoo.files import atomic_write, write_json

_CHECKPOINT = "checkpoint.npz"
# Checksums of the other runs' files that a run began with, if it did.
ORIGINS = "origins.json"
# A trained classifier's predictions for the reviews, from which other runs learn.
PREDICTIONS = "opinions.npz"
# The model of a run of `recipes.ngrams`.
NGRAMS = "ngrams.npz"
# The folder with the model of a run of `recipes.transformer_teacher`.
TRANSFORMER = "transformer"
# What is made of a checkpoint's weights, and is no longer of the run's when there is a newer one.
_OF_A_CHECKPOINT = ("metrics.json", "model.keras", PREDICTIONS, "files", "artifact")
_BEFORE_A_CHECKPOINT = {"config.json", "data.json", ORIGINS, "tensorboard"}


class RunFolder:
    """Files of one run: `config.json`, `checkpoint.npz`, `history.csv`, `metrics.json`, ...

    Args:
        path: the folder; its parents are made.
        config: what the run was started with, JSON values only.
        resume: go on with the run that is there instead of starting one.
        may_change: keys of `config` that may differ when a run is resumed; the new ones are kept,
            of a run that has a model with its next checkpoint.

    Raises:
        FileExistsError: the folder holds a run and `resume` is False.
        FileNotFoundError: `resume` is True and there is no run.
        ValueError: `resume` is True and the run there has another configuration.

    Example:
        >>> import tempfile
        >>> run = RunFolder(Path(tempfile.mkdtemp()) / "first", {"seed": 0})
        >>> run.history
        []
    """

    def __init__(
        self,
        path: str | os.PathLike,
        config: dict[str, Any],
        resume: bool = False,
        may_change: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self.config = json.loads(json.dumps(config, default=str))  # a path as its name
        self.history: list[dict[str, float]] = []
        self._changed = False
        known = self.path / "config.json"
        if resume:
            before = self._compare(known, may_change)
            if may_change:
                # Until something is trained, a model that is there is one of the old flags.
                self._changed = before != self.config and (self.path / "model.keras").exists()
                write_json(known, before if self._changed else self.config)
        else:
            self._claim(known)

    @classmethod
    def open(cls, path: str | os.PathLike) -> RunFolder:
        """Return the run that is in `path`, with its configuration and history.

        Raises:
            FileNotFoundError: there is none.
            ValueError: a file of it is cut short; the message names it.
        """
        path = Path(path)
        if not (path / "config.json").exists():
            raise FileNotFoundError(f"run must be a folder with a config.json; got {path}.")
        run = cls(path, _read_json(path / "config.json"), resume=True)
        run.history = run._kept_history()
        return run

    def _kept_history(self) -> list[dict[str, float]]:
        """Return the rows of `history.csv`, or of the checkpoint, which has them too."""
        try:
            with open(self.path / "history.csv", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                return [{key: float(value) for key, value in row.items()} for row in rows]
        except FileNotFoundError:
            self.load_checkpoint()
        except (TypeError, ValueError):  # A row is cut, or no number.
            if self.load_checkpoint() is None:
                raise ValueError(
                    f"{self.path / 'history.csv'} must be whole, a number in each place; it is not."
                ) from None
        return self.history

    def pin_data(self, record: dict[str, Any]) -> None:
        """Write `data.json`, what the run was trained on; later, check that it is still that.

        Raises:
            ValueError: the data read now are not those the run was started with.
        """
        path = self.path / "data.json"
        if not path.exists():
            write_json(path, record)
            return
        pinned = self.data()
        if other := other_data(pinned, record):
            raise ValueError(
                f"source must provide {pinned['name']} {pinned['version']}, which the run in "
                f"{self.path} was trained on; got {other}, whose test split may overlap with its "
                "training data."
            )

    def data(self) -> dict[str, Any]:
        """Return `data.json`.

        Raises:
            FileNotFoundError: the run has read none yet.
        """
        return _read_json(self.path / "data.json")

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`: what the finished run achieved."""
        write_json(self.path / "metrics.json", metrics)

    def metrics(self) -> dict[str, Any]:
        """Return `metrics.json`.

        Raises:
            FileNotFoundError: the run has not been evaluated yet.
        """
        path = self.path / "metrics.json"
        if not path.exists():
            raise FileNotFoundError(f"run must be a finished one; {self.path} has no metrics.json.")
        return _read_json(path)

    def _claim(self, known: Path) -> None:
        """Write the first `config.json`; of several processes one gets the folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            open(known, "x").close()  # A link would be whole at once; not every disk has links.
        except FileExistsError:
            raise FileExistsError(
                f"name must be that of a new run; {self.path} holds one already "
                "(--resume goes on with it)."
            ) from None
        try:
            write_json(known, self.config)
        except BaseException:
            known.unlink()
            raise

    def _compare(self, known: Path, may_change: Sequence[str]) -> dict[str, Any]:
        """Return what the run was started with, if it may go on with `config`."""
        if not known.exists():
            raise FileNotFoundError(f"resume needs a run folder; {self.path} has no config.json.")
        if not known.stat().st_size:
            raise ValueError(
                f"resume needs a run that has begun; {known} is empty: delete {self.path}, and "
                "start it again without --resume."
            )
        before = _read_json(known)
        for key in sorted({*before, *self.config} - {*may_change}):
            if before.get(key) != self.config.get(key):
                raise ValueError(
                    f"{key} must be {before.get(key)!r}, as the run in {self.path} was started "
                    f"with, to resume it; got {self.config.get(key)!r}."
                )
        return before

    @property
    def begun(self) -> bool:
        """Whether it has a checkpoint."""
        return (self.path / _CHECKPOINT).exists()

    def discard_unless_begun(self) -> None:
        """Remove the folder if it holds no more than what the run was started with."""
        if {path.name for path in self.path.iterdir()} <= _BEFORE_A_CHECKPOINT:
            shutil.rmtree(self.path)

    def save_checkpoint(self, arrays: dict[str, np.ndarray]) -> None:
        """Write arrays and the history as one file, whole or not at all.

        The model of the checkpoint before, its exported files, predictions and metrics are removed
        first: a process that is killed leaves none of them beside newer weights.
        """
        for name in _OF_A_CHECKPOINT:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.keep_flags()
        history = np.frombuffer(json.dumps(self.history).encode(), np.uint8)
        with atomic_write(self.path / _CHECKPOINT) as partial, open(partial, "wb") as file:
            np.savez(file, history=history, **arrays)
        self._write_history()

    def keep_flags(self) -> None:
        """Write down the flags that may change and have: from now on the run's model is of them."""
        if self._changed:
            write_json(self.path / "config.json", self.config)
            self._changed = False

    def load_checkpoint(self) -> dict[str, np.ndarray] | None:
        """Return the arrays of the last checkpoint, or None before the first one.

        Raises:
            ValueError: the file is corrupt, or holds values that are not finite.
        """
        path = self.path / _CHECKPOINT
        if not path.exists():
            return None
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            self.history = json.loads(arrays.pop("history").tobytes())
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"checkpoint {path} is corrupt or cut short: {error}") from error
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"checkpoint {path}: {name} must be finite; it holds NaN or inf.")
        self._write_history()
        return arrays

    def _write_history(self) -> None:
        with atomic_write(self.path / "history.csv") as partial, open(partial, "w") as file:
            # A run begun by an older version goes on with the columns it had.
            rows = csv.DictWriter(file, list(self.history[0]), extrasaction="ignore")
            rows.writeheader()
            rows.writerows(self.history)
        self._draw_curves()

    def _draw_curves(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        metrics = [name[4:] for name in self.history[0] if name.startswith("val_")] or ["loss"]
        figure = Figure(figsize=(4 * len(metrics), 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(metrics), squeeze=False)[0]
        epochs = [row["epoch"] for row in self.history]
        for axis, metric in zip(axes, metrics, strict=True):
            for prefix, label in (("", "training"), ("val_", "validation")):
                if prefix + metric in self.history[0]:
                    values = [row[prefix + metric] for row in self.history]
                    axis.plot(epochs, values, marker="o", label=label)
            axis.set(xlabel="epoch", ylabel=metric, xticks=epochs)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].legend(frameon=False)
        with atomic_write(self.path / "curves.png") as partial:
            figure.savefig(partial, dpi=120)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be whole JSON; {error}.") from error


def newest_run(folder: str | os.PathLike) -> Path:
    """Return the run in `folder` that was started, or resumed as recipes do it, last.

    A run that goes on is the one being worked on: its `config.json` is written again.

    Raises:
        FileNotFoundError: there is none.
    """
    runs = sorted(Path(folder).glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise FileNotFoundError(f"run needs a folder with a run; {folder} holds none.")
    return runs[-1].parent
