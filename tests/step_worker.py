"""Answers the stand-ins for a phone's interpreter: one step of a signature for each "run".

They are kotlin/Interpreter.java and swift/TensorFlowLite.swift, at the other end of a pipe.
"""

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
            dtype = np.dtype(about["dtype"])
            size = int(np.prod(about["shape"])) * dtype.itemsize
            print(kind, name, size, dtype, *about["shape"])
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
