"""Answers Interpreter.java: one step of a TFLite file's signature for each "run"."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main() -> None:
    """Read the model, say what its step takes and gives, and run it until the pipe ends."""
    model = bytes.fromhex(sys.stdin.readline().strip())
    step = Interpreter(model_content=model, num_threads=1).get_signature_runner("step")
    given = step.get_input_details()
    for kind, tensors in (("input", given), ("output", step.get_output_details())):
        for name, about in tensors.items():
            size = int(np.prod(about["shape"])) * np.dtype(about["dtype"]).itemsize
            print(kind, name, size)
    print(flush=True)
    inputs = {}
    for line in sys.stdin:
        if line.strip() != "run":
            name, content = line.split()
            values = np.frombuffer(bytes.fromhex(content), given[name]["dtype"])
            inputs[name] = values.reshape(given[name]["shape"])
            continue
        for name, values in step(**inputs).items():
            print(name, values.tobytes().hex())
        sys.stdout.flush()


if __name__ == "__main__":
    main()
