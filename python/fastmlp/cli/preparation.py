"""Preparing data for a network: the task, the labels, the split and the scaling. NumPy only."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._text import listing
from fastmlp.data.splitting import Rows, stratified
from fastmlp.errors import DataError

Task = Literal["classification", "regression"]
Label = str | int | float

MOST_GUESSED_CLASSES = 20


def guess_task(y: NDArray[Any]) -> tuple[Task, str]:
    """Guess what a target asks for.

    Text and booleans mean classification; so do whole numbers of at most 20 different values;
    all other numbers mean regression.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Targets, numbers or text.

    Returns
    -------
    task : {"classification", "regression"}
        The guess.
    reason : str
        Why, to be told to the user.
    """
    if y.dtype.kind == "U":
        return "classification", "the target is text"
    if y.dtype.kind == "b":
        return "classification", "the target is true or false"
    if not (y == np.floor(y)).all():
        return "regression", "the target has fractions"
    values = len(np.unique(y))
    if values <= MOST_GUESSED_CLASSES:
        return "classification", f"the target has {values} different whole numbers"
    return "regression", f"the target has {values} different numbers"


def encode_labels(y: NDArray[Any]) -> tuple[list[Label], NDArray[np.int64]]:
    """Give each class a number from 0, in sorted order.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Labels, numbers or text.

    Returns
    -------
    classes : list of str, int or float
        The label of each class; ``classes[labels[i]]`` is that of sample i. Whole numbers are
        int, whatever their dtype.
    labels : ndarray, shape (n,)
        The class of each sample.

    Raises
    ------
    DataError
        If there is only one class.
    """
    values, labels = np.unique(y, return_inverse=True)
    classes: list[Label] = values.tolist()
    if y.dtype.kind == "f" and (values == np.floor(values)).all():
        classes = [int(value) for value in values]
    if len(classes) == 1:
        raise DataError(
            f"the target has a single class, {brief(classes[0])}: nothing to tell apart"
        )
    return classes, labels.astype(np.int64)


def split_rows(labels: NDArray[np.int64], share: float, seed: int) -> tuple[Rows, Rows]:
    """Split samples into a training and a test part of the same mixture of classes.

    Every class gives its share to the test part, to the nearest sample, and keeps at least one
    sample for training. The same seed gives the same split on every platform.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Classes numbered from 0; all 0 for a split without regard to classes.
    share : float
        The share of the test part, above 0 and below 1.
    seed : int
        In [0, 2^64).

    Returns
    -------
    train, test : ndarray of int
        Row numbers, ascending.

    Raises
    ------
    DataError
        If no sample would be left for one of the parts.
    """
    # Sorting a counter-based generator's raw output shuffles; its bits never change with NumPy.
    order = np.argsort(np.random.Philox(key=seed).random_raw(len(labels)), kind="stable")
    train, test = stratified(labels, share, order)
    if len(test) == 0:
        classes = len(np.unique(labels))
        raise DataError(
            f"with a test share of {share:g}, {len(labels)} samples in {classes} classes leave "
            "no sample to test on"
            + ("; is the target a number? try --task regression" if classes > 1 else "")
        )
    return train, test


@dataclass(frozen=True)
class Standardiser:
    """Columns to mean 0 and standard deviation 1, by what was seen in training.

    Attributes
    ----------
    mean : ndarray, shape (K,)
        Means of the training rows.
    deviation : ndarray, shape (K,)
        Their standard deviations (of the population); 1 for columns that never change, which
        so become 0.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def fit(cls, columns: NDArray[Any], common_unit: bool = False) -> "Standardiser":
        """Measure the columns of the training rows.

        Parameters
        ----------
        columns : ndarray, shape (n, K)
            Finite numbers.
        common_unit : bool, default False
            Whether all columns are in the same unit. They then share one deviation, so that a
            pixel at the edge, nearly always 0, is not blown up to the weight of the others.

        Raises
        ------
        DataError
            If the numbers are too large for their variance.
        """
        values = columns.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = values.mean(axis=0)
            deviation = values.std(axis=0)
            if common_unit:
                deviation[:] = np.sqrt(np.mean(deviation**2))
        too_large = ~np.isfinite(deviation)
        if too_large.any():
            raise DataError(f"column {int(too_large.argmax()) + 1} holds numbers beyond 1e150")
        # Rounding makes the deviation of a constant column like 0.1 not quite 0.
        constant = deviation <= 1e-12 * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, deviation))

    def transform(self, columns: NDArray[Any]) -> NDArray[np.float32]:
        """Return the columns (n, K) standardised, in float32."""
        return ((columns - self.mean) / self.deviation).astype(np.float32)


@dataclass(frozen=True)
class Part:
    """Samples ready for ``Network.fit`` and ``Network.evaluate``."""

    X: NDArray[np.float32]
    y: NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """A data set made ready for a network.

    Attributes
    ----------
    task : {"classification", "regression"}
        What is learnt.
    classes : list of str, int or float
        The labels of the classes; empty for regression.
    train, test : Part
        The samples; targets are class numbers (n,), or standardised numbers (n, 1).
    """

    task: Task
    classes: list[Label]
    train: Part
    test: Part


def prepare(
    X: NDArray[Any], y: NDArray[Any], task: Task, share: float, seed: int, common_unit: bool = False
) -> Problem:
    """Encode or standardise the targets, split, and standardise the features.

    Parameters
    ----------
    X : ndarray, shape (n, K)
        Features, finite numbers.
    y : ndarray, shape (n,)
        Targets, finite numbers or text.
    task : {"classification", "regression"}
        What is learnt.
    share, seed
        As in `split_rows`.
    common_unit : bool, default False
        As in `Standardiser.fit`.

    Raises
    ------
    DataError
        If there is nothing to learn, or too little to split.
    """
    classes: list[Label] = []
    if task == "classification":
        classes, labels = encode_labels(y)
    elif y.dtype.kind == "U":
        raise DataError(f"regression needs a numeric target, got text: {listing(list(y[:3]))}")
    elif (y == y[0]).all():
        raise DataError(f"the target is always {y[0]}: nothing to learn")
    else:
        labels = np.zeros(len(y), np.int64)
    train, test = split_rows(labels, share, seed)
    features = Standardiser.fit(X[train], common_unit)
    targets: NDArray[Any] = labels
    if task == "regression":
        column = y.reshape(-1, 1).astype(np.float64)
        targets = Standardiser.fit(column[train]).transform(column)
    return Problem(
        task,
        classes,
        Part(features.transform(X[train]), targets[train]),
        Part(features.transform(X[test]), targets[test]),
    )
