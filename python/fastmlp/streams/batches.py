"""Batches from a user's iterator, cut and joined to the batch size of `fit`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.errors import DataError
from fastmlp.model.feature_names import Names, names_to_learn
from fastmlp.streams.checking import Checked, Demands, check, check_alike
from fastmlp.streams.chunks import Chunk


class Batches:
    """Samples (X, y) or (X, y, sample_weight) from an iterable, any number per item.

    The iterable runs in the thread that trains, between batches, so its side effects are the same
    as without training.

    Parameters
    ----------
    source : iterable
        An iterator is created once per epoch.
    """

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._number = 0
        self.rows = 0
        """Rows of the epoch so far."""
        self.feature_names: Names | None = None
        """Those of the first item that has them."""

    def is_spent_at_once(self) -> bool:
        """Return whether it is an iterator, which yields its items only once."""
        return iter(self._source) is self._source

    def place(self, row: int) -> tuple[str, int]:
        """Return the name of the current item in messages."""
        return f"batch {self._number}", row

    def target_file(self, row: int) -> str:
        """Return the name of the current item in messages."""
        return self.place(row)[0]

    def feature_name(self, feature: int) -> str:
        """Return the name of a feature in messages."""
        return str(feature)

    def target_name(self) -> str:
        """Return the name of the target in messages."""
        return "y"

    def chunks(self, demands: Demands, epochs: int, batch_size: int) -> Iterator[Chunk]:
        """Yield the samples as whole batches, and the rest at the end of an epoch.

        Raises
        ------
        DataError
            If an item does not match the network, or an epoch has no items.
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
                raise DataError("the iterator of batches yielded no samples")
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
    """Return some rows; targets and weights are copied, so they cannot change after the check."""
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
    check_alike("the batches", first[1:], second[1:])
    X, y = (np.concatenate(pair) for pair in zip(first[:2], second[:2], strict=True))
    weight = None
    if first[2] is not None and second[2] is not None:
        weight = np.concatenate([first[2], second[2]])
    return X, y, weight
