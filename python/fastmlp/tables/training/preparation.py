"""`Preparation`: what a model has learned of a table, before its rows are encoded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import printable
from fastmlp.tables.training.encoded_rows import (
    EncodedRows,
    EncodedSamples,
    MatrixRows,
    outgrows_table,
    shares_matrix,
)
from fastmlp.tables.training.networks import (
    AnySamples,
    AnyTraining,
    Samples,
    Settings,
    Splits,
    Training,
    make_network,
    network_seeds,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastmlp.network import Network
    from fastmlp.tables.encoding.features import Features, Means
    from fastmlp.tables.encoding.target import Target
    from fastmlp.tables.reading.table import Rows
    from fastmlp.tables.training.selection import Selection

    Describe = Callable[[Features, Target], None]


@dataclass(frozen=True)
class Prepared:
    """What a model has learned of the columns, and the training of its networks.

    Attributes
    ----------
    seed : int
        That of the model.
    """

    features: Features
    target: Target
    notes: tuple[str, ...]
    seed: int
    training: AnyTraining


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a model has learned of the columns, and the rows to train on.

    Attributes
    ----------
    selection : Selection
        The table.
    rows : ndarray of int, shape (n,)
        The training part, ascending.
    features, trained
        What `fit_encoders` returns.
    target : Target
        As the networks need it.
    y, weight, labels, groups
        Of the n rows, as in `Samples` and `Splits`.
    fraction : float
        The share that each network holds out.
    seed : int
        That of the model.
    describe : callable or None
        Called with the encoding before the networks are trained.
    """

    selection: Selection
    rows: Rows
    features: Features
    trained: dict[str, Means]
    target: Target
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    labels: NDArray[np.integer[Any]]
    groups: NDArray[np.integer[Any]] | None
    fraction: float
    seed: int
    describe: Describe | None

    def matrix(self) -> NDArray[Any]:
        """Return the encoded rows; adds notes to `features`."""
        return self.features.training_matrix(self.selection.table, self.rows, self.trained)

    def notes(self) -> tuple[str, ...]:
        """Return the notes, once the rows are encoded; calls `describe`."""
        if self.describe is not None:
            self.describe(self.features, self.target)
        selection, doubts = self.selection, self.target.doubts(self.selection.table.decimal)
        notes = (*selection.table.notes, *selection.notes, *self.features.notes, *doubts)
        return tuple(map(printable, notes))  # the name of a file may not be UTF-8

    def splits(self, settings: Settings) -> Splits:
        """Return the rows of each network."""
        seeds = network_seeds(self.seed, settings.networks)
        size = self.features.dtype.itemsize * len(self.rows) * self.features.width
        return Splits(self.labels, self.groups, self.fraction, seeds, size)

    def networks(self, settings: Settings, X: NDArray[Any] | None) -> list[Network]:
        """Return the untrained networks; those of raw features scale by the encoded rows `X`."""
        target, width = self.target, self.features.width
        seeds = network_seeds(self.seed, settings.networks)
        networks = [make_network(width, target, settings, seed) for seed in seeds]
        if self.features.is_raw:
            assert X is not None
            in_units = target.task == "regression" and not target.is_scaled
            for network in networks:
                network.adapt(X, self.y if in_units else None)
                _name(network, self.features, target)
        return networks

    def prepared(self, settings: Settings) -> Prepared:
        """Return the training of the networks in this process."""
        samples: AnySamples
        splits = self.splits(settings)
        if outgrows_table(self.features, len(self.rows)):
            X = None
            table = self.selection.table
            rows = EncodedRows(self.features, table, self.rows, self.trained)
            self.features.note(table, rows.bad)
            samples = EncodedSamples(rows, self.y, self.weight)
        else:
            X = self.matrix()
            if splits.count > 1 and shares_matrix(self.features, len(X)):
                samples = EncodedSamples(MatrixRows(X), self.y, self.weight)
            else:
                samples = Samples(X, self.y, self.weight)
        notes, networks = self.notes(), self.networks(settings, X)
        training = Training(samples, networks, splits, self.target, settings)
        return Prepared(self.features, self.target, notes, self.seed, training)


def _name(network: Network, features: Features, target: Target) -> None:
    """Name the features and classes of a network, unless a file cannot hold the names."""
    with contextlib.suppress(ValueError):
        network.feature_names = [feature.name for feature in features.features]
        if target.task == "classification":
            network.class_names = [str(label) for label in target.classes]
