"""Every way of computing a step of training, in one list for the tests to go through.

A new path through the trainer gets a line in `WAYS`, and is then held to what holds for all:
`test_step_ways` has it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp as fm

RATE = 0.01


def plain_sgd(rate: Any) -> fm.SGD:
    return fm.SGD(rate)


@dataclass(frozen=True, eq=False)
class Way:
    """The settings that select a certain path of the training step."""

    name: str
    layers: tuple[int, ...] = (8, 64, 48, 3)
    batch: int = 8
    n_threads: int = 1
    dtype: str = "float32"
    network: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Callable[[Any], Any] = plain_sgd
    features: str = "dense"  # or "sparse", "bytes"
    source: str = "arrays"  # or "iterator", "stream"
    weighted: bool = False
    rest: int = 0  # rows of a shorter batch at the end of an epoch
    rows: int | None = None  # of an epoch, where it has one step only

    def __str__(self) -> str:
        return self.name

    def new_network(self, loss: Any = None) -> fm.Network:
        """Return the network to be trained: a classifier, or with a loss a regressor."""
        output = {} if loss is None else {"output": "identity", "loss": loss}
        return fm.Network(list(self.layers), seed=1, dtype=self.dtype, **(self.network | output))

    def samples(self, steps: int, *, labels: bool) -> tuple[Any, NDArray[Any]]:
        """Return features and targets of the first `steps` steps."""
        rng = np.random.default_rng(3)
        most, count = self.rows or 20 * self.batch, self.rows or steps * self.batch + self.rest
        shape = (most, self.layers[0])
        values = rng.standard_normal(shape).astype(self.dtype)
        if self.features == "bytes":
            values = rng.integers(0, 3, shape, np.uint8)
        elif self.features == "sparse":
            values[rng.random(shape) < 0.7] = 0
        y = rng.standard_normal((most, self.layers[-1])).astype(self.dtype)
        return values[:count], np.arange(count) % self.layers[-1] if labels else y[:count]

    def fit(
        self, net: fm.Network, steps: int, rate: Any = RATE, *, given: int | None = None, **options
    ) -> fm.History:
        """Train for `steps` steps; of a source no more than `given` rows, then Stop."""
        X, y = self.samples(steps, labels=net.loss == "cross_entropy")
        options |= {"batch_size": self.batch, "n_threads": self.n_threads, "shuffle": False}
        options |= {"optimizer": self.optimizer(rate), "epochs": steps if self.rows else 1}
        if self.source == "iterator":
            return net.fit(batches(X, y, 3 * self.batch, given), **options)
        if self.source == "stream":
            return net.fit(fm.ArrayStream(X, y, block_rows=3 * self.batch), **options)
        if self.features == "sparse":
            import scipy.sparse  # noqa: PLC0415  (an optional dependency)

            X = scipy.sparse.csr_array(X)
        weights = np.full(len(X), 2.0) if self.weighted else None  # as much as none, to the bit
        return net.fit(X, y, sample_weight=weights, **options)

    def by_hand(self, net: fm.Network, steps: int) -> None:
        """Train by the three steps of the paper."""
        X, y = self.samples(steps, labels=net.loss == "cross_entropy")
        for _ in range(steps if self.rows else 1):
            for first in range(0, len(X), self.batch):
                net.forward(X[first : first + self.batch])
                net.backward(y[first : first + self.batch])
                net.update(self.optimizer(RATE))


class Stop(Exception):  # noqa: N818  (no error)
    """What the functions of a test raise."""


def batches(
    X: NDArray[Any], y: NDArray[Any], size: int, given: int | None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for first in range(0, len(X), size):
        if given is not None and first >= given:
            raise Stop
        yield X[first : first + size], y[first : first + size]


def momentum(rate: Any) -> fm.SGD:
    return fm.SGD(rate, momentum=0.9, nesterov=True)


def decaying(rate: Any) -> fm.SGD:
    return fm.SGD(rate, l2=0.01, weight_decay=0.1)


def decaying_weights(rate: Any) -> fm.SGD:
    return fm.SGD(rate, l2=0.01, weight_decay=0.1, decay_biases=False)


def clipped_by_norm(rate: Any) -> fm.SGD:
    return fm.SGD(rate, clip_norm=0.05)


def clipped_by_value(rate: Any) -> fm.SGD:
    return fm.SGD(rate, clip_value=0.01)


SMALL, WIDE, SPARSE = (4, 200, 1), (32, 512, 512, 4), (50, 64, 3)
DROPOUT, BATCH, LAYER = {"dropout": 0.3}, {"normalization": "batch"}, {"normalization": "layer"}
INPUT_BATCH, INPUT_LAYER = {"input_normalization": "batch"}, {"input_normalization": "layer"}
REGRESSION = {"output": "identity"}

WAYS = [
    Way("rows"),
    Way("rows, float64", dtype="float64"),
    Way("rows, no hidden layer", layers=(8, 3)),
    Way("rows, z kept", network={"activation": "gelu"}),
    Way("rows on two threads", (64, 96, 96, 4), 32, 2, network={"activation": "tanh"}),
    Way("rows weighted", weighted=True),
    Way("rows of bytes", features="bytes"),
    Way("rows from an iterator", source="iterator"),
    Way("rows from a stream", source="stream"),
    Way("rows, the last batch one", rest=1),
    Way("all rows of an epoch", batch=32, rows=7),
    Way("one row", batch=1),
    Way("one row, float64", batch=1, dtype="float64"),
    Way("one row, no hidden layer", layers=(8, 3), batch=1),
    Way("one row, z kept", batch=1, network={"activation": "gelu"}),
    Way("one row on two threads", (64, 512, 512, 4), 1, 2),
    Way("one row weighted", batch=1, weighted=True),
    Way("one row of bytes", batch=1, features="bytes"),
    Way("one row from an iterator", batch=1, source="iterator"),
    Way("one row from a stream", batch=1, source="stream"),
    Way("one row is the epoch", batch=32, rows=1),
    Way("one row, momentum", batch=1, optimizer=momentum),
    Way("one row, RMSprop", batch=1, optimizer=fm.RMSprop),
    Way("one row, AdamW", batch=1, optimizer=fm.AdamW),
    Way("one row, decay", batch=1, optimizer=decaying),
    Way("one row, decay but of biases", batch=1, optimizer=decaying_weights),
    Way("one row, Adam", batch=1, optimizer=fm.Adam),
    Way("one row, clipped by value", batch=1, optimizer=clipped_by_value),
    Way("one row, clipped by norm", batch=1, optimizer=clipped_by_norm),
    Way("one row, dropout", batch=1, network=DROPOUT),
    Way("one row, layer normalisation", batch=1, network=LAYER),
    Way("one row, small hidden layer", SMALL, 1, network=REGRESSION),
    Way("one sparse row", SPARSE, 1, features="sparse"),
    Way("small hidden layer", SMALL, 32, network=REGRESSION),
    Way("small hidden layer, Adam", SMALL, 32, network=REGRESSION, optimizer=fm.Adam),
    Way("small hidden layer on two threads", SMALL, 64, 2, network=REGRESSION),
    Way(
        "small hidden layer, clipped by norm",
        SMALL,
        32,
        network=REGRESSION,
        optimizer=clipped_by_norm,
    ),
    Way("small hidden layer, a layer more", (4, 200, 2, 3), 32),
    Way("by columns", WIDE, 16, 2),
    Way("by columns, clipped by norm", WIDE, 16, 2, optimizer=clipped_by_norm),
    Way("sparse", SPARSE, features="sparse"),
    Way("sparse, momentum", SPARSE, features="sparse", optimizer=momentum),
    Way("sparse, clipped by norm", SPARSE, features="sparse", optimizer=clipped_by_norm),
    Way("sparse on two threads", SPARSE, 32, 2, features="sparse"),
    Way("batch normalisation", network=BATCH),
    Way("batch normalisation on two threads", (64, 96, 96, 4), 32, 2, network=BATCH),
    Way("layer normalisation", network=LAYER),
    Way("dropout", network=DROPOUT),
    Way("momentum", optimizer=momentum),
    Way("decay", optimizer=decaying),
    Way("decay but of biases", optimizer=decaying_weights),
    Way("Adam", optimizer=fm.Adam),
    Way("AdamW", optimizer=fm.AdamW),
    Way("RMSprop", optimizer=fm.RMSprop),
    Way("clipped by norm", optimizer=clipped_by_norm),
    Way("clipped by value", optimizer=clipped_by_value),
    Way("normalised features", network=INPUT_BATCH),
    Way("normalised features on two threads", WIDE, 16, 2, network=INPUT_BATCH),
    Way("normalised features, momentum", network=INPUT_BATCH, optimizer=momentum),
    Way("normalised features, clipped by norm", network=INPUT_BATCH, optimizer=clipped_by_norm),
    Way("normalised features of bytes", features="bytes", network=INPUT_BATCH),
    Way("normalised features from a stream", source="stream", network=INPUT_BATCH),
    Way("normalised features, no hidden layer", layers=(8, 3), network=INPUT_LAYER),
    Way("normalised features, one row", batch=1, network=INPUT_LAYER),
    Way("normalised features, small hidden layer", SMALL, 32, network=REGRESSION | INPUT_BATCH),
    Way("normalised features weighted", weighted=True, network=INPUT_BATCH),
    Way("all at once", network=BATCH | DROPOUT, optimizer=momentum, source="iterator"),
]
