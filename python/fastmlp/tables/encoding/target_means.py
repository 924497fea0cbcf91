"""Target encoding: the mean of the target over the rows that have the same cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.encoding.scaling import Out, scale
from fastmlp.tables.reading.stored_numbers import Floats
from fastmlp.tables.reading.table import Rows, Text

LEAST_SHARED = 0.5
"""The share of rows from which on target means are learned. Where groups of rows are in one fold,
the values of a group, such as the visits of a patient, may occur in no other."""


@dataclass(frozen=True, eq=False)
class _Means:
    """The mean target of each value of a column, shrunk to the overall mean.

    That of scikit-learn's TargetEncoder with ``smooth="auto"``: the shrinkage depends on the
    frequency of a value and on the variance of the target. In training the mean for a row is taken
    from the other folds, because a rare value would otherwise reveal the row's target.

    Attributes
    ----------
    means : ndarray, shape (values + 1, targets)
        The last row is for missing cells.
    overall : ndarray, shape (targets,)
        For values never seen.
    mean, deviation : ndarray, shape (targets,)
        Of the means over the training part, for standardizing them.
    """

    means: Floats
    overall: Floats
    mean: Floats
    deviation: Floats

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.overall)

    def table(self) -> Floats:
        """Return the means of each value, then those of missing and of unseen cells."""
        return np.concatenate([self.means, self.overall[np.newaxis]])

    def scaled(self, means: Floats) -> Floats:
        """Return standardized means."""
        result: Floats = (means - self.mean) / self.deviation
        return result


@dataclass(frozen=True, eq=False)
class TargetMeans(_Means):
    """The mean target of each word.

    Attributes
    ----------
    words : list of str
    """

    words: list[str]

    @classmethod
    def fit(
        cls, text: Text, rows: Rows, targets: Floats, folds: NDArray[np.integer[Any]]
    ) -> "tuple[TargetMeans, Floats]":
        """Fit to some rows; also return the cross-fitted means (len(rows), targets) to train on."""
        seen, state, crossed = _fit(text.codes[rows], len(text.values), targets, folds)
        encoder = cls(**state, words=[text.values[place] for place in seen])
        return encoder, encoder.scaled(crossed)

    def known(self, text: Text) -> Floats:
        """Return the means of each value of a text, last those of code -1."""
        at = {word: place for place, word in enumerate(self.words)}
        unseen = len(self.words) + 1
        places = [*(at.get(value, unseen) for value in text.values), len(self.words)]
        result: Floats = self.table()[np.array(places)]
        return result

    def encode(self, means: Floats, out: Out) -> None:
        """Write means (n, targets), standardized, into `out` (n, width)."""
        out[:] = self.scaled(means)


@dataclass(frozen=True, eq=False)
class NumberMeans(_Means):
    """The mean target of each number, for numbers that repeat, such as those of persons.

    Attributes
    ----------
    values : ndarray, shape (values,)
        The numbers, ascending.
    """

    values: Floats

    @classmethod
    def fit(
        cls, numbers: Floats, targets: Floats, folds: NDArray[np.integer[Any]]
    ) -> "tuple[NumberMeans, Floats]":
        """Fit to numbers (n,), NaN where missing; also return the cross-fitted means (n, t)."""
        missing = np.isnan(numbers)
        codes = np.full(len(numbers), -1, np.int32)
        values, codes[~missing] = np.unique(numbers[~missing], return_inverse=True)
        _, state, crossed = _fit(codes, len(values), targets, folds)
        encoder = cls(**state, values=values)
        return encoder, encoder.scaled(crossed)

    def encode(self, numbers: Floats, out: Out) -> None:
        """Write the means of numbers (n,), NaN where missing, into `out` (n, width)."""
        count = len(self.values)
        places = np.searchsorted(self.values, numbers)
        unseen = self.values[np.minimum(places, count - 1)] != numbers
        places[unseen] = count + 1
        places[np.isnan(numbers)] = count
        out[:] = self.scaled(self.table())[places]


def _fit(
    codes: NDArray[np.signedinteger[Any]],
    count: int,
    targets: Floats,
    folds: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.intp], dict[str, Floats], Floats]:
    """Return which of `count` values are seen, the attributes of `_Means`, the cross-fitted means.

    The means are not standardized yet.
    """
    means, overall = target_means(codes, targets, count)
    if share_in_other_folds(codes, folds) < LEAST_SHARED:
        means[~np.isnan(means[:, 0])] = overall  # nothing that holds for rows of other folds
    crossed = np.empty((len(codes), targets.shape[1]))
    for fold in np.unique(folds):
        inside = folds == fold
        others, everywhere = target_means(codes[~inside], targets[~inside], count)
        crossed[inside] = np.where(np.isnan(others), everywhere, others)[codes[inside]]
    seen = np.flatnonzero(~np.isnan(means[:-1, 0]))
    scales = [scale(column) for column in crossed.T]
    state = {
        "means": np.where(np.isnan(means), overall, means)[[*seen, -1]],
        "overall": overall,
        "mean": np.array([mean for mean, _ in scales]),
        "deviation": np.array([deviation for _, deviation in scales]),
    }
    return seen, state, crossed


def share_in_other_folds(codes: NDArray[np.integer[Any]], folds: NDArray[np.integer[Any]]) -> float:
    """Return the share of the rows with a value whose value also occurs in another fold."""
    codes, folds = codes[codes >= 0], folds[codes >= 0]
    if not codes.size:
        return 0.0
    first, last = np.full(codes.max() + 1, folds.max()), np.zeros(codes.max() + 1, folds.dtype)
    np.minimum.at(first, codes, folds)
    np.maximum.at(last, codes, folds)
    return float((first < last)[codes].mean())


def target_means(
    codes: NDArray[np.signedinteger[Any]], targets: Floats, count: int
) -> tuple[Floats, Floats]:
    """Return the smoothed mean of the targets (n, t) for each value, and the mean of all.

    The last of the (count + 1, t) is for code -1; NaN where no row has the value.
    """
    places = np.where(codes < 0, count, codes)
    counts = np.bincount(places, minlength=count + 1).astype(np.float64)
    overall, result = targets.mean(axis=0), np.empty((count + 1, targets.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        for j, target in enumerate(targets.T):
            means = np.bincount(places, target, count + 1) / counts
            spread = np.bincount(places, (target - means[places]) ** 2, count + 1)
            weight = np.var(target) * counts
            share = weight / (weight + spread / counts)
            smoothed = share * means + (1.0 - share) * overall[j]
            result[:, j] = np.where(np.isnan(share), overall[j], smoothed)
    result[counts == 0.0] = np.nan
    return result, overall
