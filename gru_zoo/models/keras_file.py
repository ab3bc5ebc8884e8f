"""Any model of this package from its `.keras` file, and into one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from gru_zoo.errors import lines_of
from gru_zoo.files import atomic_write

# Where a `.keras` archive has its weights, and what the model is made of.
_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
# What is raised of an archive that is cut short or changed, whatever it held.
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError)
# What only training goes on with; Keras writes it whatever `include_optimizer` says.
_OPTIMIZER = "optimizer"


def load_keras_file(path: str | os.PathLike, argument: str = "path") -> keras.Model:
    """Read a model from its `.keras` file, with Keras' safe mode on, not compiled.

    Args:
        path: of the file.
        argument: the caller's name for it, for errors.

    Raises:
        ValueError: the file is missing, a folder, corrupt or cut short, or holds what safe mode
            refuses or this process does not know; in one line.
        ImportError: a package that the model needs is missing.

    Example:
        >>> load_keras_file("missing.keras", "model")
        Traceback (most recent call last):
        ValueError: model must be a .keras file; missing.keras does not exist.
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        inside = file / "model.keras"  # as a preset's folder has it
        hint = f" Did you mean {inside}?" if inside.is_file() else ""
        raise ValueError(f"{argument} must be a .keras file; {path} {what}.{hint}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except ImportError:
        raise
    except Exception as error:  # Whatever a damaged archive makes of Keras' loader.
        # Keras says "file not found" of a file that is there but no longer a zip archive; but it
        # also raises ValueError of a whole file with a Lambda, or with a class that is not known.
        damaged = isinstance(error, _DAMAGED) or not zipfile.is_zipfile(path)
        what = "is corrupt" if damaged else "could not be read"
        message = f"{argument} must be a whole .keras file; {path} {what}: {_reason(path, error)}"
        raise ValueError(message) from error


def _reason(path: str | os.PathLike, error: Exception) -> str:
    """Return the line of Keras' error that says what is wrong with a file."""
    if not zipfile.is_zipfile(path):
        return "it is no zip archive, as Keras' files are."
    lines = lines_of(error)
    # A class that is not known is named behind the whole model that it is in.
    return next((line for line in lines if "Could not locate" in line), lines[0])


def save_keras_file(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a model without its optimizer; weights that are all float16 numbers take two bytes.

    Keras writes every float32 weight with four bytes, and reads one of two as well: what is loaded
    is the same to the last bit. `round_to_half` makes such weights.

    Args:
        model: built, of a class that Keras has registered.
        path: a new `.keras` file; an older one is replaced once the new one is whole.

    Example:
        >>> model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(200)])
        >>> save_keras_file(model, "whole.keras")
        >>> round_to_half(model)
        >>> save_keras_file(model, "half.keras")
        >>> Path("half.keras").stat().st_size < 0.6 * Path("whole.keras").stat().st_size
        True
    """
    with atomic_write(path) as partial:
        whole = partial.with_name(f"whole-{partial.name}")
        model.save(whole)
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(partial, "w") as target:
            for item in source.infolist():
                content = source.read(item)
                if item.filename == _WEIGHTS:
                    # Not compressed: Keras jumps about in it.
                    target.writestr(item, _narrowed(content))
                    continue
                if item.filename == _CONFIG:
                    content = _not_compiled(content)
                target.writestr(item, content, zipfile.ZIP_DEFLATED)


def weights_checksum(path: str | os.PathLike) -> str:
    """Return the SHA-256 of the weights in a `.keras` file: of their places, shapes and values.

    Keras writes the date into the file, which is another one whenever the same model is saved.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> for name in ("once.keras", "again.keras"):
        ...     save_keras_file(model, name)
        >>> weights_checksum("once.keras") == weights_checksum("again.keras")
        True
    """
    import h5py

    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read(_WEIGHTS))) as file:
        file.visititems(keep)
    checksum = hashlib.sha256()
    for name, values in sorted(found.items()):
        checksum.update(f"{name} {values.dtype} {values.shape}".encode())
        checksum.update(values.tobytes())
    return checksum.hexdigest()


def round_to_half(model: keras.Model) -> None:
    """Round each float32 weight to the nearest float16 number; it stays float32.

    Raises:
        ValueError: a weight is NaN or beyond what float16 holds; all weights stay what they are.

    Example:
        >>> layer = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(0.1))
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> round_to_half(model)
        >>> float(layer.kernel[0, 0])
        0.0999755859375
    """
    weights = [weight for weight in model.weights if weight.dtype == "float32"]
    for weight in weights:
        largest, limit = np.abs(np.asarray(weight)).max(initial=0), np.finfo(np.float16).max
        if not largest <= limit:  # NaN is refused too.
            raise ValueError(
                f"model must have weights of at most {limit:.0f}; {weight.path} has {largest:g}."
            )
    for weight in weights:
        weight.assign(np.asarray(weight).astype(np.float16))


def _not_compiled(content: bytes) -> bytes:
    """Return a model's configuration without the optimizer and the loss."""
    config = json.loads(content)
    config.pop("compile_config", None)
    return json.dumps(config).encode()


def _narrowed(content: bytes) -> bytes:
    """Return an HDF5 file of weights without the optimizer's.

    Every data set that loses nothing by it is in float16.
    """
    import h5py

    written = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as source, h5py.File(written, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if name.split("/")[0] == _OPTIMIZER:
                return
            if isinstance(item, h5py.Group):
                made = target.create_group(name)
            else:
                values = item[()]
                made = target.create_dataset(name, data=_half_if_lossless(values))
            made.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    return written.getvalue()


def _half_if_lossless(values: np.ndarray) -> np.ndarray:
    """Return float32 numbers as float16 if every one stays what it is, else as they are."""
    if values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half, values) else values
