"""mlpfile: one sample a call, so a batch is a loop."""

import struct
import tempfile
from pathlib import Path

import mlpfile
import numpy as np

from cases import Array, Problem

DISTRIBUTION = "mlpfile"
LINEAR, RELU = 2, 3


def make_model(problem: Problem) -> mlpfile.Model:
    """Write the problem's weights in mlpfile's format and load them."""
    kinds, data = [], []
    for weights, biases in zip(problem.weights, problem.biases, strict=True):
        kinds += [struct.pack("<II", LINEAR, len(biases)), struct.pack("<I", RELU)]
        data += [np.ascontiguousarray(weights.T).tobytes(), biases.tobytes()]
    kinds.pop()
    head = struct.pack("<II", len(kinds), problem.case.sizes[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.mlp"
        path.write_bytes(b"".join([head, *kinds, *data]))
        return mlpfile.Model.load(str(path))


class Predictor:
    """`Model.forward` for each row; it has one thread."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        del n_threads
        self.rows = list(problem.X)
        self.model = make_model(problem)

    def run(self, calls: int) -> None:
        """Predict."""
        forward, rows = self.model.forward, self.rows
        for _ in range(calls):
            for row in rows:
                forward(row)

    def outputs(self) -> Array:
        """Return the outputs."""
        return np.stack([self.model.forward(row) for row in self.rows])
