"""Runs TFLite files on fixed inputs and writes what they gave; runs on either machine.

    python worker.py RESULTS.npz FILE.tflite GOLDEN.npz [FILE.tflite GOLDEN.npz ...]

Every signature of a file is run. An input takes its array in the goldens, one row after the other;
one that they do not have takes random numbers. Inputs that begin with "state_" are fed what the
run before gave under that name. Results are float32 under "FILE|SIGNATURE|OUTPUT", [runs, ...].

Where the goldens are calls, "call0000|INPUT" and so on, each is made; its results are in one row
after the other, [numbers, 1], as their shapes may differ. Only NumPy and LiteRT are needed, by
whichever of its names (tests/runtimes runs old releases).
"""

import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    try:
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter

# A stream: so many rows of the goldens, so many steps of each.
STREAMS, STEPS = 2, 40
# Emulated time is dear: of whole sequences so many steps together, or rows of a fixed length.
WHOLE_STEPS, LONG_ROWS = 750, 6


def to_numbers(array, about):
    """Return an output as float32."""
    scale, zero = about["quantization"]
    array = np.asarray(array, np.float32)
    return (array - zero) * np.float32(scale) if scale else array


def to_type(array, about):
    """Return real numbers in the type of an input."""
    scale, zero = about["quantization"]
    if scale:
        limits = np.iinfo(about["dtype"])
        array = np.clip(np.round(array / scale) + zero, limits.min, limits.max)
    array = np.asarray(array, about["dtype"])
    # A sequence may be shorter than what the file is made for; the runner resizes its input.
    fits = array.size == np.prod(about["shape"])
    return array.reshape(about["shape"] if fits else (1,) + array.shape)


def rows_for(name, about, goldens, runs):
    """Return `runs` or fewer arrays for an input of a whole sequence."""
    if name in goldens:
        rows = list(goldens[name][:runs])
        # A file of any length reads its first row with the padding and the others without.
        if rows[0].dtype.kind == "i" and -1 in about["shape_signature"]:
            steps = np.cumsum([np.count_nonzero(row) for row in rows])
            rows = rows[: max(1, np.count_nonzero(steps <= WHOLE_STEPS))]
            rows[1:] = [np.trim_zeros(row, "b") for row in rows[1:]]
        elif rows[0].dtype.kind == "i":
            # MediaPipe's file may read fewer words than the goldens have places for.
            rows = [row[: about["shape"][-1]] for row in rows[:LONG_ROWS]]
        elif rows[0].ndim > 1:
            rows = rows[:STREAMS]  # frames
        return [to_type(row, about) for row in rows]
    random = np.random.default_rng(0)
    drawn = random.normal(size=(min(runs, STREAMS), *about["shape"]))
    return [to_type(row, about) for row in drawn]


def whole(run, inputs, goldens):
    """Run a signature of whole sequences once a row."""
    rows = [rows_for(name, about, goldens, 1000) for name, about in inputs.items()]
    for row in zip(*rows):  # noqa: B905 - the other machine's Python may be older
        yield run(dict(zip(inputs, row)))  # noqa: B905


def stream(run, inputs, goldens):
    """Run a signature of one step over a few sequences, each from a state of zeros."""
    given = [name for name in inputs if not name.startswith("state_")]
    states = [name for name in inputs if name.startswith("state_")]
    random = np.random.default_rng(0)
    for row in range(STREAMS):
        state = {name: np.zeros(inputs[name]["shape"], np.float32) for name in states}
        for step in range(STEPS):
            arrays = {}
            for name in given:
                size = int(np.prod(inputs[name]["shape"]))
                if name in goldens:
                    sequence = goldens[name][row % len(goldens[name])]
                    arrays[name] = sequence[step % len(sequence)]
                else:
                    arrays[name] = random.normal(size=size)
            outputs = run(
                {name: to_type(array, inputs[name]) for name, array in {**arrays, **state}.items()}
            )
            state = {name: outputs[name] for name in states}
            yield outputs


def called(run, goldens):
    """Make the calls; return all results of each output."""
    calls = {}
    for key in sorted(goldens):
        number, name = key.split("|")
        calls.setdefault(number, {})[name] = goldens[key]
    runs = [run(arrays) for arrays in calls.values()]
    return {key: np.concatenate([np.ravel(one[key]) for one in runs])[:, None] for key in runs[0]}


def signatures(interpreter):
    """Yield name, inputs (name -> details) and a function from arrays to results."""
    listed = interpreter.get_signature_list()
    for name in listed or ():
        runner = interpreter.get_signature_runner(name)
        about = runner.get_output_details()

        def run(arrays, runner=runner, about=about):
            return {key: to_numbers(a, about[key]) for key, a in runner(**arrays).items()}

        yield name, runner.get_input_details(), run
    if not listed:
        interpreter.allocate_tensors()
        given, results = interpreter.get_input_details(), interpreter.get_output_details()

        def plain(arrays):
            for details in given:
                interpreter.set_tensor(details["index"], arrays[clean(details["name"])])
            interpreter.invoke()
            return {
                clean(d["name"]): to_numbers(interpreter.get_tensor(d["index"]), d) for d in results
            }

        yield "none", {clean(details["name"]): details for details in given}, plain


def clean(name):
    """Return a tensor's name without what the converter puts around it."""
    return name.rpartition("serving_default_")[2].partition(":")[0]


def main(results, *pairs):
    """See the module."""
    found = {}
    for file, golden in zip(pairs[::2], pairs[1::2]):  # noqa: B905
        with np.load(golden, allow_pickle=False) as archive:
            goldens = {name: archive[name] for name in archive.files if name != "texts"}
        interpreter = Interpreter(model_path=file, num_threads=1)
        for name, inputs, run in signatures(interpreter):
            if any(key.startswith("call") for key in goldens):
                results_of = called(run, goldens)
            else:
                streams = any(key.startswith("state_") for key in inputs)
                runs = list((stream if streams else whole)(run, inputs, goldens))
                results_of = {key: np.stack([one[key] for one in runs]) for key in runs[0]}
            for key, array in results_of.items():
                found["|".join((file, name, key))] = array
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
