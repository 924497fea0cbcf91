"""Batches from an iterator of the user's: they come as they come, and are cut as `fit` says."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.errors import DataError
from fastmlp.model.feature_names import Names, names_to_learn
from fastmlp.streams.checking import Checked, Demands, check
from fastmlp.streams.chunks import Chunk


class Batches:
    """Samples (X, y) or (X, y, sample_weight) that an iterable gives, in whatever numbers.

    The iterable is asked by the thread that trains, when all whole batches are trained on: what it
    does of its own is done as if there were no training.

    Parameters
    ----------
    source : iterable
        Its iterator is taken once an epoch.
    """

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._number = 0
        self.rows = 0
        """Rows of the epoch so far."""
        self.feature_names: Names | None = None
        """Those of the first item that has some."""

    def is_spent_at_once(self) -> bool:
        """Tell whether it is an iterator, which gives its items but once."""
        return iter(self._source) is self._source

    def place(self, row: int) -> tuple[str, int]:
        """Return what messages call the present item."""
        return f"batch {self._number}", row

    def target_file(self, row: int) -> str:
        """Return what messages call the present item."""
        return self.place(row)[0]

    def feature_name(self, feature: int) -> str:
        """Return what messages call a feature."""
        return str(feature)

    def target_name(self) -> str:
        """Return what messages call the target."""
        return "y"

    def chunks(self, demands: Demands, epochs: int, batch_size: int) -> Iterator[Chunk]:
        """Yield what comes as whole batches, and at the end of an epoch what is left.

        Raises
        ------
        DataError
            If an item does not fit the network, or an epoch has none.
        """
        for _ in range(epochs):
            rest: Checked | None = None
            self.rows = 0
            for samples in self.items(demands):
                self.rows += len(samples[0])
                joined = samples if rest is None else _joined(rest, samples)
                whole = len(joined[0]) // batch_size * batch_size
                rest = _copied(joined, whole)
                if whole:
                    yield Chunk(*_rows(joined, 0, whole), last=False)
            if rest is None or self.rows == 0:
                raise DataError("the iterator of batches gave no samples")
            yield Chunk(*rest, last=True)

    def items(self, demands: Demands) -> Iterator[Checked]:
        """Yield the items of an epoch, checked."""
        for number, item in enumerate(self._source):
            self._number = number
            names = demands.feature_names or self.feature_names
            samples = check(item, replace(demands, feature_names=names), self, 0)
            if names is None:
                self.feature_names = names_to_learn(item[0], demands.n_features)
            yield samples


def _rows(samples: Checked, start: int, stop: int) -> Checked:
    """Return some rows; targets and weights as copies, which nobody can make wrong any more."""
    X, y, weight = samples
    return (
        X[start:stop],
        y[start:stop].copy(),
        None if weight is None else weight[start:stop].copy(),
    )


def _copied(samples: Checked, start: int) -> Checked:
    X, y, weight = samples
    return X[start:].copy(), y[start:].copy(), None if weight is None else weight[start:].copy()


def _joined(first: Checked, second: Checked) -> Checked:
    if len(first[0]) == 0:
        return second
    if (first[2] is None) != (second[2] is None):
        raise DataError("some batches have weights and others have none")
    if first[1].shape[1:] != second[1].shape[1:] or first[1].dtype != second[1].dtype:
        raise DataError(
            f"targets of the batches were of {first[1].dtype}, shape {first[1].shape}, and now are "
            f"of {second[1].dtype}, shape {second[1].shape}"
        )
    X, y = (np.concatenate(pair) for pair in zip(first[:2], second[:2], strict=True))
    weight = None
    if first[2] is not None and second[2] is not None:
        weight = np.concatenate([first[2], second[2]])
    return X, y, weight
