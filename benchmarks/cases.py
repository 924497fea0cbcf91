"""The benchmark shapes, with the same data and initial weights for all libraries."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LEARNING_RATE = 0.01
OPTIMIZERS = {
    "SGD": LEARNING_RATE,
    "momentum": LEARNING_RATE / 10,  # 0.9
    "Nesterov": LEARNING_RATE / 10,  # 0.9
    "Adam": 1e-3,
    "AdamW": 1e-3,  # weight decay 0.01
    "RMSprop": 1e-4,  # rho 0.99
}
"""What may step, with its learning rate; everybody has the same settings."""

EPOCH_ELEMENTS = 1 << 20  # inputs of an epoch: 4 MB, so that no row is a race of memories
LARGE_BATCH = 4096


@dataclass(frozen=True)
class Case:
    """Layer sizes and a batch size; one output means regression, more mean classes."""

    sizes: tuple[int, ...]
    batch: int

    @property
    def name(self) -> str:
        """Such as "64-64-10, 32"."""
        return f"{'-'.join(map(str, self.sizes))}, {self.batch}"

    @property
    def regression(self) -> bool:
        """Whether the loss is the mean squared error instead of cross-entropy."""
        return self.sizes[-1] == 1

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        least = 8 if self.batch < LARGE_BATCH else 2
        return max(least, min(2048, EPOCH_ELEMENTS // (self.sizes[0] * self.batch)))

    @property
    def flops(self) -> int:
        """Return the flops of a step: 2 B (2 sum K N + sum over layers after the first of K N)."""
        products = [k * n for k, n in pairwise(self.sizes)]
        return 2 * self.batch * (2 * sum(products) + sum(products[1:]))


@dataclass(frozen=True)
class Problem:
    """A case with its samples, its first weights, W of shape (K, N), and a key of `OPTIMIZERS`."""

    case: Case
    X: Array
    y: NDArray[np.int64] | Array
    weights: list[Array]
    biases: list[Array]
    optimizer: str = "SGD"


TRAINING = [
    Case((64, 64, 10), 32),
    Case((64, 64, 10), 1),
    Case((10, 46, 46, 10), 128),
    Case((4, 500, 1), 32),
    Case((30, 256, 128, 2), 256),
    Case((784, 128, 10), 64),
    Case((784, 512, 512, 10), 128),
    Case((1024, 2048, 2048, 1000), 256),
]
LARGE = [
    Case((784, 512, 512, 10), 1024),
    Case((784, 512, 512, 10), 8192),
    Case((784, 512, 512, 10), 65536),
    Case((256, 256, 256, 1), 4096),
    Case((1024, 1024, 1024, 10), 512),
    Case((1024, 1024, 1024, 10), 8192),
    Case((2048, 2048, 2048, 10), 256),
    Case((4096, 4096, 10), 512),
    Case((2048, 2048, 2048, 10), 2048),
    Case((20, 64, 64, 2), 1024),
    Case((20, 64, 64, 2), 20000),
    Case((100, 64, 64, 1), 1_000_000),
    Case((50, 256, 128, 1), 4096),
    Case((50, 256, 128, 1), 1_000_000),
]
"""Large batches: wide layers, the widest, tables of 64 nodes and of 256."""
INFERENCE = [Case((40, 100, 100, 10), batch) for batch in (1, 8, 64, 1000)]


def make_problem(case: Case, rows: int | None = None) -> Problem:
    """Draw samples and first weights; without `rows`, one epoch's samples."""
    rng = np.random.default_rng(0)
    count = case.steps * case.batch if rows is None else rows
    X = rng.standard_normal((count, case.sizes[0]), dtype=np.float32)
    y: NDArray[np.int64] | Array = rng.permutation(np.arange(count) % case.sizes[-1])
    if case.regression:
        y = rng.standard_normal((count, 1), dtype=np.float32)
    weights, biases = [], []
    for k, n in zip(case.sizes, case.sizes[1:], strict=False):
        limit = np.sqrt(6 / k)
        weights.append(rng.uniform(-limit, limit, (k, n)).astype(np.float32))
        biases.append(np.zeros(n, np.float32))
    return Problem(case, X, y, weights, biases)
