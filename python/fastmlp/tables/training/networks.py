"""Training the networks of a model: one thread each, with early stopping on held-out rows."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp import config
from fastmlp.data.stream import Stream
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.history import EpochReport, History
from fastmlp.layers import ActivationLike
from fastmlp.network import Network
from fastmlp.settings.optimizers import AdamW, Optimizer
from fastmlp.settings.plateau import Plateau
from fastmlp.tables.encoding.target import Target
from fastmlp.tables.splits import split_rows

_PATIENCE, _PATIENCE_FOR_CLASSES = 30, 12  # the rate for classes is halved meanwhile
MOST_EPOCHS: Final = 300
_BLOCK: Final = 4096
_OWN_SPLITS: Final = 1 << 26
"""Bytes of the matrix up to which each network holds out rows of its own."""


@dataclass(frozen=True)
class Settings:
    """The settings of a `TabularModel` for training its networks."""

    hidden: tuple[int, ...]
    networks: int
    activation: ActivationLike
    dropout: float | None
    epochs: int | None
    batch_size: int | None
    optimizer: Optimizer | None
    patience: int | None
    n_threads: int | None
    verbose: int

    def plain(self) -> dict[str, Any]:
        """Return the settings for a file: all but those of a machine, and the optimizer."""
        values = asdict(self)
        for name in ("optimizer", "n_threads", "verbose"):
            del values[name]
        return {**values, "hidden": list(self.hidden)}

    def batch(self, rows: int) -> int:
        """Return the samples per step: 64, fewer for few rows, more for many."""
        if self.batch_size is not None:
            return self.batch_size
        many = 1 << max(0, (rows // 400).bit_length() - 1)  # the power of two below
        return max(1, min(64, rows // 8), min(many, 512))

    def dropout_of(self, target: Target) -> float:
        """Return the dropout: less for regression, whose precision suffers from it."""
        if self.dropout is not None:
            return self.dropout
        return 0.1 if target.task == "regression" else 0.25

    def patience_for(self, target: Target) -> int:
        """Return the epochs without improvement after which a network stops."""
        if self.patience is not None:
            return self.patience
        return _PATIENCE if target.task == "regression" else _PATIENCE_FOR_CLASSES

    def most_epochs(self, rows: int) -> int:
        """Return the limit of epochs: fewer for many rows, with as many steps."""
        return self.epochs or max(20, min(MOST_EPOCHS, 20_000_000 // rows))

    def rule(self, target: Target, rows: int, *, validated: bool) -> Optimizer:
        """Return the optimizer; the rate for classes is halved where their loss stagnates."""
        if self.optimizer is not None:
            return self.optimizer
        rate = learning_rate(target)
        if target.task == "regression" or not validated:
            return AdamW(rate, weight_decay=weight_decay(target, rows))
        halved = Plateau(rate, factor=0.5, patience=5, monitor="validation_loss")
        return AdamW(halved, weight_decay=weight_decay(target, rows))


def learning_rate(target: Target) -> float:
    """Return the rate of AdamW: smaller steps come closer to numbers, classes need less."""
    return 0.004 if target.task == "regression" else 0.01


def weight_decay(target: Target, rows: int) -> float:
    """Return the weight decay for a number of rows: more for few rows of classes.

    Classes that few rows separate perfectly would otherwise make the weights grow until every
    answer is certain.
    """
    if target.task == "regression":
        return 0.1
    return min(1.0, max(0.1, 100 / rows))


@dataclass(frozen=True)
class RowsOfNetwork:
    """The rows on which a network is trained, and those that it holds out.

    Attributes
    ----------
    train, held_out : ndarray of int
        Ascending; of a rank its own. Nothing held out is None; all rows are then trained on.
    count : int
        The rows to train on, those of all ranks.
    """

    train: NDArray[np.intp]
    held_out: NDArray[np.intp] | None
    count: int

    def between(self, first: int, last: int) -> RowsOfNetwork:
        """Return those of a rank, counted from its first row."""

        def cut(rows: NDArray[np.intp]) -> NDArray[np.intp]:
            start, end = np.searchsorted(rows, (first, last))
            return rows[start:end] - first

        held_out = None if self.held_out is None else cut(self.held_out)
        return RowsOfNetwork(cut(self.train), held_out, self.count)


@dataclass(frozen=True)
class Part:
    """What a network is trained on, or what a rank has of that.

    Attributes
    ----------
    train, held_out : tuple of ndarray, or stream
        X, y, and weights if there are any, or (stream, None); nothing held out is None.
    rows : int
        The rows to train on, those of all ranks.
    """

    train: tuple[Any, ...]
    held_out: tuple[Any, ...] | Stream | None
    rows: int


@dataclass(frozen=True)
class Samples:
    """The training part.

    Attributes
    ----------
    X : ndarray of float32, shape (n, width)
        Or of float64, which the networks standardize. `parts_in_place` changes the order of rows.
    y : ndarray
        Class numbers (n,), or targets of the outputs (n, N).
    weight : ndarray, shape (n,), or None
    """

    X: NDArray[Any]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.y)

    def part(self, rows: NDArray[np.intp], X: NDArray[Any] | None = None) -> tuple[Any, ...]:
        """Return X, y, and weights if there are any, of some rows; their X may be given."""
        weight = () if self.weight is None else (self.weight[rows],)
        return (self.X[rows] if X is None else X, self.y[rows], *weight)

    def parts_in_place(
        self, train: NDArray[np.intp], held_out: NDArray[np.intp]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the parts of ascending rows, whose X are moved to either end of this one.

        A large X need not be there twice. The other attributes stay in order.
        """
        X, count = self.X, len(train)
        kept = X[held_out]
        for start in range(0, count, _BLOCK):  # no row moves down, so that none is overwritten
            rows = train[start : start + _BLOCK]
            X[start : start + len(rows)] = X[rows]
        X[count:] = kept
        return self.part(train, X[:count]), self.part(held_out, X[count:])

    def split(self, rows: RowsOfNetwork, *, in_place: bool) -> Part:
        """Return what a network is trained on, in copies or, once, in place."""
        if rows.held_out is None:
            return Part(self.part(rows.train, self.X), None, rows.count)
        if in_place:
            return Part(*self.parts_in_place(rows.train, rows.held_out), rows.count)
        return Part(self.part(rows.train), self.part(rows.held_out), rows.count)


def network_seeds(seed: int, count: int) -> list[int]:
    """Return the seeds of the networks of a model: models of other seeds have other networks."""
    drawn = np.random.Philox(key=np.array([seed, 1], np.uint64)).random_raw(count)
    return [int(own) for own in drawn]


def make_network(features: int, target: Target, settings: Settings, seed: int) -> Network:
    """Return an untrained network for a target."""
    output: dict[str, ActivationLike] = {
        "classification": "softmax",
        "regression": "identity",
        "labels": "sigmoid",
    }
    return Network(
        [features, *settings.hidden, target.outputs],
        activation=settings.activation,
        output=output[target.task],
        dropout=settings.dropout_of(target),
        seed=seed,
    )


def fit_network(
    network: Network,
    part: Part,
    target: Target,
    settings: Settings,
    rows: int,
    *,
    n_threads: int | None,
    verbose: int,
    callbacks: Any = None,
    comm: Any = None,
) -> History:
    """Train a network of a model that has this number of rows, with those that it holds out."""
    X, y, *weight = part.train
    patience, validated = settings.patience_for(target), part.held_out is not None
    return network.fit(
        X,
        y,
        epochs=settings.most_epochs(part.rows),
        batch_size=min(settings.batch(part.rows), part.rows),
        optimizer=settings.rule(target, rows, validated=validated),
        validation_data=part.held_out,
        early_stopping=EarlyStopping(patience=patience) if validated else None,
        callbacks=callbacks,
        sample_weight=weight[0] if weight else None,
        verbose=verbose,
        n_threads=n_threads,
        comm=comm,
    )


class Splits:
    """The rows of each network.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        For stratified splits.
    groups : ndarray of int, shape (n,), or None
        Rows of a group stay together.
    fraction : float
        The share of the rows to hold out.
    seeds : list of int
        Those of the networks.
    matrix_bytes : int
        Of all rows.

    Attributes
    ----------
    count : int
        The number of different splits: one if the matrix is large, which then is split in place.
    """

    def __init__(
        self,
        labels: NDArray[np.integer[Any]],
        groups: NDArray[np.integer[Any]] | None,
        fraction: float,
        seeds: list[int],
        matrix_bytes: int,
    ) -> None:
        self._labels, self._groups = labels, groups
        self._fraction, self._seeds = fraction, seeds
        self.count = len(seeds) if matrix_bytes <= _OWN_SPLITS else 1

    def of(self, i: int) -> RowsOfNetwork:
        """Return the rows of split i."""
        if self._fraction > 0.0:
            seed = self._seeds[i]
            train, held_out = split_rows(self._labels, self._fraction, seed, self._groups)
            if len(held_out):
                return RowsOfNetwork(train, held_out, len(train))
        everything = np.arange(len(self._labels))
        return RowsOfNetwork(everything, None, len(everything))


class AnySamples(Protocol):
    """The training part, with a matrix or without one."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def split(self, rows: RowsOfNetwork, *, in_place: bool) -> Part:
        """Return what a network is trained on."""


class AnyTraining(Protocol):
    """The training of the networks of a model, in this process or over ranks."""

    networks: list[Network]
    histories: list[History | None]

    def run(self) -> None:
        """Train all networks."""


class Training:
    """The networks of a model while they are trained.

    Attributes
    ----------
    networks : list of Network
        At the end each at its best epoch, also if the fit was interrupted.
    histories : list of History or None
        The history of each; None if it did not complete an epoch.
    """

    def __init__(
        self,
        samples: AnySamples,
        networks: list[Network],
        splits: Splits,
        target: Target,
        settings: Settings,
    ) -> None:
        self._samples, self._settings = samples, settings
        self._target, self._splits = target, splits
        self._stop = threading.Event()
        self._parts: list[Part] = []
        self.networks = networks
        self.histories: list[History | None] = [None] * len(networks)

    def run(self) -> None:
        """Train all networks.

        Raises
        ------
        DivergenceError
            If the loss of one became infinite or NaN.
        KeyboardInterrupt
            On Ctrl-C, once each network is at its best epoch so far.
        """
        limit = self._settings.n_threads or config.get_num_threads()
        workers = min(limit, len(self.networks))
        each = max(1, limit // workers)
        count = self._splits.count
        self._parts = [
            self._samples.split(self._splits.of(i), in_place=count == 1) for i in range(count)
        ]
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(self._fit, i, each) for i in range(len(self.networks))]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                self._stop.set()
                wait(jobs)
        _raise_first(jobs)

    def _fit(self, i: int, n_threads: int) -> None:
        def follow(_network: object, _report: EpochReport) -> bool:
            return self._stop.is_set()

        self.histories[i] = fit_network(
            self.networks[i],
            self._parts[i % len(self._parts)],
            self._target,
            self._settings,
            len(self._samples),
            n_threads=n_threads,
            verbose=self._settings.verbose if i == 0 else 0,
            callbacks=follow,
        )


def _raise_first(jobs: list[Future[None]]) -> None:
    for job in jobs:
        if (error := job.exception()) is not None:
            raise error
