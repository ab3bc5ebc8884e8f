"""python -m gru_zoo.export MODEL.keras --to tflite:int8 saved_model onnx --out DIR"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from gru_zoo.arguments import one_of
from gru_zoo.errors import lines_of
from gru_zoo.export.variants import INTEGER_ONLY, VARIANTS, WITH_SEQUENCE, WITH_STEP
from gru_zoo.files import size_of
from gru_zoo.imports import import_without_optional, require_extra

if TYPE_CHECKING:
    import keras

PROGRAM = "python -m gru_zoo.export"
# Beside "tflite:VARIANT"; what they are is told by `gru_zoo.export`.
FORMATS = ("saved_model", "onnx")
# Flag -> the TFLite variants that do something with it; the other formats do not.
_READ_BY = {
    "representative": WITH_STEP,
    "sequence_length": WITH_SEQUENCE,
    "gates": WITH_STEP,
    "min_runtime": tuple(VARIANTS),
}


@dataclasses.dataclass(frozen=True)
class Export:
    """Export a trained model for devices and servers; every file is checked against the model.

    Attributes:
        model: the model, a `.keras` file.
        to: formats to export: tflite:VARIANT (float32, float16, int8, int4, int8_full, int16x8 or
            mediapipe), saved_model, onnx.
        out: output folder; file names are derived from the model's.
        overwrite: overwrite existing files.
        representative: calibration data, a NumPy file of typical sequences: .npy [sequences, time,
            features] or ids [sequences, time], or .npz with one array per sequence; for a model of
            several inputs .npz with one array per input, named 0/question and 0/answer, 1/question
            and 1/answer and so on. Required for int8_full and int16x8; other TFLite variants except
            mediapipe are checked on it instead of on random inputs.
        sequence_length: default sequence length in time steps of TFLite files for whole sequences;
            not for int8_full and int16x8, which run single steps.
        gates: also return the gates of each GRU from a TFLite file's step; not for mediapipe.
        min_runtime: oldest TFLite runtime version to support, such as 2.3.
    """

    model: Annotated[Path, tyro.conf.Positional]
    to: tuple[str, ...] = ("tflite:float32",)
    out: Path = Path(".")
    overwrite: bool = False
    representative: Path | None = None
    sequence_length: int | None = None
    gates: bool = False
    min_runtime: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 after a mistake in the input, 130 after Ctrl-C."""
    config = tyro.cli(Export, args=arguments, prog=PROGRAM)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        _export(config)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; files that were finished are whole.", file=sys.stderr)
        return 130
    return 0


def _export(config: Export) -> None:
    """Write every file that was asked for, then a table of them."""
    if not config.to:
        raise ValueError("to must name at least one format; got none.")
    targets = {to: _target(to, config) for to in config.to}
    _check(targets, config)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    rows = []
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(f"opening {config.model.name}", total=None)
        model = _load(config.model)
        several = len(getattr(model, "inputs", None) or []) > 1
        representative = _representative(config.representative, several)
        try:
            for to, path in targets.items():
                progress.update(task, description=f"writing {path.name}")
                difference = _write(to, model, path, config, representative)
                rows.append(_row(path, difference))
        finally:  # What was written before a mistake is there, and is told.
            progress.stop()
            if rows:
                _print(rows)
    for path in filter(_too_small_for_int8, targets.values()):
        print(
            f"note: {path.name} holds no int8 weight; TFLite leaves a matrix of fewer than 1,024 "
            "numbers in float."
        )


def _check(targets: Mapping[str, Path], config: Export) -> None:
    """Raise for what cannot be written, before anything is."""
    for path in targets.values():
        if path.exists() and not config.overwrite:
            raise FileExistsError(f"out must not hold {path.name}, or use --overwrite; it does.")
    if len(set(targets.values())) < len(targets) or len(targets) < len(config.to):
        raise ValueError(f"to must name each format once; got {', '.join(config.to)}.")
    integers = [to for to in targets if _variant(to) in INTEGER_ONLY]
    if integers and config.representative is None:
        raise ValueError(f"representative must be a file for {integers[0]!r}; got none.")
    for flag, variants in _READ_BY.items():
        given = getattr(config, flag)
        used = given is None or given is False or any(_variant(to) in variants for to in targets)
        if not used:
            raise ValueError(
                f"{flag} must be left out for {', '.join(targets)}; only tflite:"
                f"{', tflite:'.join(variants)} read it; got {given}."
            )
    for to in targets:
        if (extra := _variant(to) or to) in ("onnx", "int4"):
            require_extra(extra, f"to {to!r}")


def _load(path: Path) -> keras.Model:
    """Return the model of a `.keras` file; raise ValueError for what is none."""
    from gru_zoo.models.keras_file import load_keras_file

    return load_keras_file(path, "model")


def _missing(path: Path) -> str:
    """Return why a path is no file."""
    return "is a folder" if path.is_dir() else "does not exist"


def _variant(to: str) -> str | None:
    """Return the TFLite variant that a format is, None if it is another format."""
    kind, _, variant = to.partition(":")
    return (variant or "float32") if kind == "tflite" else None


def _target(to: str, config: Export) -> Path:
    """Return the path of a format's file."""
    kind, _, variant = to.partition(":")
    stem = config.model.stem
    if kind == "tflite":
        variant = one_of("to, after 'tflite:',", variant or "float32", VARIANTS)
        return config.out / f"{stem}_{variant}.tflite"
    one_of("to", to, (*(f"tflite:{name}" for name in VARIANTS), *FORMATS))
    return config.out / (f"{stem}_saved_model" if to == "saved_model" else f"{stem}.onnx")


def _representative(path: Path | None, several: bool) -> list[Any] | None:
    """Return the arrays of a file, a sequence each; raise ValueError if it is not whole.

    Args:
        path: of the file.
        several: whether a sequence is an array of each input, by name.
    """
    if path is None:
        return None
    import numpy as np

    if not path.is_file():
        raise ValueError(f"representative must be a .npy or .npz file; {path} {_missing(path)}.")
    kind = one_of("representative, at its end,", path.suffix.lower(), (".npy", ".npz"))
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            one = isinstance(found, np.ndarray)
            arrays = None if one else dict(found)
    except Exception as error:  # Whatever a damaged archive makes of NumPy's loader.
        reason = lines_of(error)[0]
        raise ValueError(f"representative must be a whole {kind} file; {path}: {reason}") from error
    if one != (kind == ".npy"):
        content = "one array, which is a .npy" if one else "an archive, which is a .npz"
        raise ValueError(f"representative must be what its name says, {kind}; {path} is {content}.")
    if one and found.ndim == 0:
        allowed = "[sequences, time] or [sequences, time, features]"
        raise ValueError(f"representative must be an array {allowed}; {path} holds one number.")
    if not len(found if one else arrays):
        raise ValueError(f"representative must hold at least one sequence; {path} holds none.")
    if several:
        return _by_input(path, {} if one else arrays)
    return list(found if one else arrays.values())


def _by_input(path: Path, arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arrays of an archive as input's name -> array, a sequence each."""
    found: dict[str, dict[str, Any]] = {}
    for key, array in arrays.items():
        sequence, _, name = key.partition("/")
        found.setdefault(sequence, {})[name] = array
    if not found or any("" in sequence for sequence in found.values()):
        given = ", ".join(arrays) or "one array"
        raise ValueError(
            "representative must be a .npz archive of arrays with names such as 0/question and "
            f"0/answer for a model of several inputs; {path} holds {given}."
        )
    return list(found.values())


def _write(
    to: str, model: keras.Model, path: Path, config: Export, representative: list[Any] | None
) -> float:
    """Write one file; return its largest difference from the model."""
    from gru_zoo import export

    if to in FORMATS:
        return getattr(export, to)(model, path, overwrite=config.overwrite)
    variant = _variant(to)
    options = {flag: getattr(config, flag) for flag in _READ_BY if variant in _READ_BY[flag]}
    if "representative" in options:
        options["representative"] = representative
    return export.tflite(model, path, variant, overwrite=config.overwrite, **options)


def _row(path: Path, difference: float) -> tuple[str, ...]:
    """Return what is to say about a file: name, size, difference, operators, runtime."""
    from gru_zoo.export.checks import inspection

    operators = runtime = ""
    if path.suffix == ".tflite":
        record = inspection.inspect(path)
        operators = str(sum(record["operators"].values()))
        runtime = record["min_runtime_version"] or ""
    size = f"{size_of(path) / 1e3:,.0f}"
    return path.name, size, f"{difference:.1e}", operators, runtime


def _too_small_for_int8(path: Path) -> bool:
    """Return whether a file of the variant int8 has all weights in float."""
    from gru_zoo.export.checks import inspection

    int8 = path.name.endswith("_int8.tflite")
    return int8 and "INT8" not in inspection.inspect(path)["constant_types"]


def _print(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    names = Column("file", overflow="fold")  # A name is never cut.
    table = Table(names, "KB", "max. abs. difference", "operators", "runtime from")
    for row in rows:
        table.add_row(*map(Text, row))  # Brackets in a name are no markup.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    import_without_optional()
    sys.exit(main())
