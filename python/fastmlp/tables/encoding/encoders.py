"""Encoders of columns as inputs of a network, fitted on the rows of the training part only.

Every encoder is plain data: numbers, words and arrays. `encode` writes float32 columns into a part
of the feature matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.encoding.scaling import LIMIT, Out, scale
from fastmlp.tables.encoding.target_means import NumberMeans, TargetMeans
from fastmlp.tables.reading.stored_numbers import Floats
from fastmlp.tables.reading.table import Rows, Text

LEAST_OFTEN: Final = 5
"""Words that occur less often share one place, with those never seen in training."""

NO_EDGES: Final = np.empty(0)


def _median(values: Floats) -> float:
    """Return what `numpy.median` does, in half its time: it also looks for NaN."""
    middle = len(values) // 2
    parted = np.partition(values, middle)
    if len(values) % 2:
        return float(parted[middle])
    return float(np.mean([parted[:middle].max(), parted[middle]]))


@dataclass(frozen=True, eq=False)
class Number:
    """A standardized number, optionally its piecewise-linear encoding, and whether it is missing.

    The piecewise-linear encoding is that of Gorishniy et al. (2022): piece j rises from 0 at its
    lower edge to 1 at its upper one; the edges are quantiles. The first layer can then represent
    any function that is linear between the edges.

    Attributes
    ----------
    median, mean, deviation : float
        Of the training part; missing values are replaced by the median.
    edges : ndarray, shape (pieces + 1,) or (0,)
        Empty without pieces.
    missing : bool
        Whether a column indicates missing numbers.
    means : NumberMeans or None
        The mean target of each number, for a column of few numbers that repeat; last.
    """

    median: float
    mean: float
    deviation: float
    edges: Floats
    missing: bool
    means: NumberMeans | None = None

    @classmethod
    def fit(
        cls,
        values: Floats,
        pieces: int = 0,
        *,
        missing: bool | None = None,
        means: NumberMeans | None = None,
    ) -> "Number":
        """Fit to the training part, NaN where missing; `missing` None adds it if needed."""
        absent = np.isnan(values)
        known = values[~absent] if absent.any() else values
        median = _median(known) if len(known) else 0.0
        filled = np.where(absent, median, values) if len(known) < len(values) else values
        mean, deviation = scale(filled)
        edges = NO_EDGES
        if pieces:
            edges = np.unique(filled)
            if len(edges) > pieces + 1:
                edges = np.unique(np.quantile(filled, np.linspace(0.0, 1.0, pieces + 1)))
        if len(edges) <= 2:  # two distinct values: the number itself suffices
            edges = NO_EDGES
        if missing is None:
            missing = len(known) < len(values)
        return cls(median, mean, deviation, edges, missing, means)

    @property
    def width(self) -> int:
        """The number of columns."""
        of_means = 0 if self.means is None else self.means.width
        return 1 + max(0, len(self.edges) - 1) + self.missing + of_means

    def encode(self, values: Floats, out: Out) -> None:
        """Write values (n,), NaN where missing, into `out` (n, width)."""
        if self.means is not None:
            self.means.encode(values, out[:, -self.means.width :])
            out = out[:, : -self.means.width]
        missing = np.isnan(values)
        filled = np.where(missing, self.median, values)
        out[:, 0] = np.clip((filled - self.mean) / self.deviation, -LIMIT, LIMIT)
        if len(self.edges):
            _encode_pieces(filled, self.edges, out[:, 1 : len(self.edges)])
        if self.missing:
            out[:, -1] = missing


def _encode_pieces(values: Floats, edges: Floats, out: Out) -> None:
    """Write the pieces of values (n,) into `out` (n, pieces): min(max(0, (x - a) / (b - a)), 1).

    Below the piece that has the value they are 1, above it 0, so that only one is computed.
    """
    count = len(edges) - 1
    piece = np.searchsorted(edges[1:], values, side="right")
    out[:] = np.tri(count + 1, count, -1, np.float32)[piece]
    inside = np.flatnonzero(piece < count)
    piece = piece[inside]
    risen = (values[inside] - edges[piece]) / np.diff(edges)[piece]
    out[inside, piece] = np.maximum(risen, 0.0)


@dataclass(frozen=True, eq=False)
class RawNumber:
    """A number as it is, for a network that standardizes it itself.

    Attributes
    ----------
    median : float
        Of the training part; replaces missing numbers.
    least, most : float
        Limits of the number, `LIMIT` deviations from the mean.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, number: Number) -> "RawNumber":
        """Return the raw form of a fitted number."""
        reach = LIMIT * number.deviation
        return cls(number.median, number.mean - reach, number.mean + reach)

    @property
    def width(self) -> int:
        """The number of columns."""
        return 1

    def encode(self, values: Floats, out: NDArray[np.floating[Any]]) -> None:
        """Write values (n,), NaN where missing, into `out` (n, 1)."""
        out[:, 0] = np.clip(np.where(np.isnan(values), self.median, values), self.least, self.most)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Several numbers per cell, such as the parts of a date; each a `Number`."""

    parts: list[int]
    numbers: list[Number]

    @classmethod
    def fit(cls, values: Floats, pieces: int = 0) -> "Numbers":
        """Fit to (n, p); constant parts are left out, the first has the column of missing."""
        missing = np.isnan(values[:, 0])
        known = values[~missing] if missing.any() else values
        parts = [j for j in range(values.shape[1]) if len(known) and np.ptp(known[:, j]) > 0.0]
        parts = parts or [0]
        numbers = [
            Number.fit(values[:, j], pieces, missing=bool(missing.any()) and place == 0)
            for place, j in enumerate(parts)
        ]
        return cls(parts, numbers)

    @property
    def width(self) -> int:
        """The number of columns."""
        return sum(number.width for number in self.numbers)

    def encode(self, values: Floats, out: Out) -> None:
        """Write values (n, p), NaN where missing, into `out` (n, width)."""
        at = 0
        for part, number in zip(self.parts, self.numbers, strict=True):
            number.encode(values[:, part], out[:, at : at + number.width])
            at += number.width


@dataclass(frozen=True, eq=False)
class Words:
    """One-hot encoding: a column for each frequent word, one for all others, one for missing.

    That of scikit-learn's OneHotEncoder with ``handle_unknown="infrequent_if_exist"``; the column
    for others exists if the training part has rare words.
    """

    words: list[str]
    others: bool
    missing: bool

    @classmethod
    def fit(cls, text: Text, rows: Rows, most: int, least_often: int = LEAST_OFTEN) -> "Words":
        """Fit to some rows; at most `most` words, which occur at least `least_often` times each."""
        counts = text.counts(rows)
        often = np.sort(counts)[::-1]
        enough = max(1, least_often, int(often[most - 1]) if most <= len(often) else 1)
        frequent = np.flatnonzero(counts >= enough).tolist()
        frequent.sort(key=lambda place: (-counts[place], text.values[place]))
        words = sorted(text.values[place] for place in frequent[:most])
        missing = bool((text.codes[rows] < 0).any())
        return cls(words, len(words) < int(np.count_nonzero(counts)), missing)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.words) + self.others + self.missing

    def known(self, text: Text) -> NDArray[np.intp]:
        """Return the column of each value of a text, last that of code -1; -1 for none."""
        at = {word: place for place, word in enumerate(self.words)}
        other = len(self.words) if self.others else -1
        missing = self.width - 1 if self.missing else other
        return np.array([*(at.get(value, other) for value in text.values), missing], np.intp)

    def encode(self, columns: NDArray[np.intp], out: Out) -> None:
        """Write 1 into the column of each row of `out` (n, width), 0 elsewhere."""
        out[:] = 0.0
        known = columns >= 0
        out[np.flatnonzero(known), columns[known]] = 1.0


@dataclass(frozen=True, eq=False)
class Vector:
    """Numbers of the same unit, such as pixels or an embedding: centred, with a common scale."""

    mean: Floats
    deviation: float
    missing: bool

    @classmethod
    def fit(cls, values: NDArray[Any]) -> "Vector":
        """Fit to (n, k); rows of NaN are missing."""
        missing = (
            np.isnan(values).any(axis=1)
            if values.dtype.kind == "f"
            else np.zeros(len(values), bool)
        )
        known = values[~missing].astype(np.float64)
        mean = known.mean(axis=0) if len(known) else np.zeros(values.shape[1])
        centred = known - mean
        deviation = float(np.sqrt(np.mean(centred**2))) if len(known) else 1.0
        return cls(mean, deviation or 1.0, bool(missing.any()))

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.mean) + self.missing

    def encode(self, values: NDArray[Any], out: Out) -> None:
        """Write values (n, k) into `out` (n, width)."""
        missing = (
            np.isnan(values).any(axis=1)
            if values.dtype.kind == "f"
            else np.zeros(len(values), bool)
        )
        out[:, : len(self.mean)] = np.clip((values - self.mean) / self.deviation, -LIMIT, LIMIT)
        out[missing] = 0.0
        if self.missing:
            out[:, -1] = missing


Encoder = Number | RawNumber | Numbers | Words | TargetMeans | Vector


def widths(encoders: Sequence[Encoder]) -> list[int]:
    """Return the first column of each encoder, and the total number of columns."""
    return [0, *np.cumsum([encoder.width for encoder in encoders], dtype=int).tolist()]
