"""Generated music: a MIDI file, and the piano roll as a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gru_zoo.arguments import positive_int
from gru_zoo.data import polyphonic_music
from gru_zoo.data.polyphonic_music import KEYS, LOWEST_KEY
from gru_zoo.files import atomic_write
from recipes.shared.device_files import require_new

if TYPE_CHECKING:
    import keras

    from recipes.polyphonic_music import Generate

    Read = Callable[[np.ndarray], np.ndarray]  # a frame [88] -> probabilities of the next [88]

_TICKS = 480  # of a quarter note, in which MIDI counts; a frame is one


def check(config: Generate) -> None:
    """Raise unless flags are in their range, and what they name is there or may be made."""
    for name in ("begin", "length"):
        positive_int(name, getattr(config, name))
    if not config.temperature >= 0:
        raise ValueError(f"temperature must be 0 or more; got {config.temperature}.")
    # A file of MIDI has three bytes for a frame's microseconds.
    if not 4 <= config.tempo <= 6000:
        raise ValueError(f"tempo must be 4 to 6,000 frames per minute; got {config.tempo}.")
    if config.tflite is not None and config.run is not None:
        raise ValueError(f"run must not be used with tflite; got {config.run}.")
    if config.tflite is not None and not config.tflite.is_file():
        raise ValueError(f"tflite must be a file; {config.tflite} does not exist.")
    if config.out.suffix not in (".mid", ".midi"):
        raise ValueError(f"out must end in .mid; got {config.out}.")
    require_new(config.out.parent, (config.out.name, _picture(config.out).name), config.overwrite)
    try:
        import mido  # noqa: F401  Reported before anything is drawn.
    except ImportError as error:
        raise ValueError('MIDI needs the package mido: pip install "gru-zoo[music]".') from error


def keras_reader(model: keras.Model) -> Read:
    """Return what reads frames one by one by a Keras model."""
    from gru_zoo.export.graphs.step_graph import step_graph

    graph = step_graph(model)
    state = graph.initial()

    def read(frame: np.ndarray) -> np.ndarray:
        nonlocal state
        after = graph.step(inputs=frame[None].astype(np.float32), **state)
        state = {name: after[name] for name in state}
        return after["outputs"][0].numpy()

    return read


def lite_reader(path: Path) -> Read:
    """Return the same of a TFLite file, through its step signature.

    Raises:
        ValueError: it has none, or another number of features.
    """
    from gru_zoo.export.runners.streamer import Streamer

    stream = Streamer(path)

    def read(frame: np.ndarray) -> np.ndarray:
        return stream.push(frame.astype(np.float32))["outputs"][0]

    return read


def write(config: Generate, read: Read) -> None:
    """Write a test piece's beginning and what a model has follow it."""
    pieces, _ = polyphonic_music.load("test", config.dataset)
    if not 0 <= config.piece < len(pieces):
        raise ValueError(f"piece must be 0 to {len(pieces) - 1}; got {config.piece}.")
    begin = pieces[config.piece][: config.begin]
    roll = continued(read, begin, config.length, config.temperature, config.seed)
    with atomic_write(config.out) as partial:
        _midi(roll, config.tempo).save(partial)
    _draw(roll, len(begin), _picture(config.out))
    print(f"{config.out}, {_picture(config.out)}: {len(begin)} given + {config.length} new frames")


def continued(
    read: Read, begin: np.ndarray, length: int, temperature: float, seed: int
) -> np.ndarray:
    """Return frames and those that follow, [frames, 88] uint8; every key is drawn on its own."""
    random = np.random.default_rng(seed)
    frames = list(begin)
    for frame in begin[:-1]:
        read(frame)
    for _ in range(length):
        chance = np.clip(read(frames[-1]).astype(np.float64), 1e-7, 1 - 1e-7)
        odds = np.log(chance / (1 - chance))
        drawn = odds > 0 if temperature == 0 else odds / temperature > random.logistic(size=KEYS)
        frames.append(drawn.astype(np.uint8))
    return np.stack(frames)


def _midi(roll: np.ndarray, tempo: float) -> object:
    """Return a piano roll as MIDI: a key that goes on sounding is held."""
    import mido

    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    changes = np.diff(np.pad(roll.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    waited = 0
    for change in changes:
        # What ends does so before something begins.
        for key in np.argsort(change, kind="stable"):
            if change[key]:
                kind = "note_on" if change[key] > 0 else "note_off"
                track.append(mido.Message(kind, note=LOWEST_KEY + int(key), time=waited))
                waited = 0
        waited += _TICKS
    # Silence at the end is a part of the piece.
    track.append(mido.MetaMessage("end_of_track", time=waited - _TICKS))
    return mido.MidiFile(tracks=[track], ticks_per_beat=_TICKS)


def _draw(roll: np.ndarray, begin: int, path: Path) -> None:
    """Draw a piano roll, with a line where the model goes on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.imshow(roll.T, aspect="auto", origin="lower", cmap="Greys", interpolation="nearest")
    axis.axvline(begin - 0.5, color="tab:red")
    used = np.nonzero(roll.any(axis=0))[0]
    if len(used):
        axis.set_ylim(used[0] - 2, used[-1] + 2)
    axis.set(xlabel="frame", ylabel="key", title="given | generated")
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120, format="png")


def _picture(out: Path) -> Path:
    return out.with_suffix(".png")
