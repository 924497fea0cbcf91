"""`class_weight`: how much the samples of each class count, in the weights of the samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.model.samples import CheckedSamples

ClassWeight = Mapping[int, float] | str
"""What ``fit`` takes as `class_weight`."""


def weigh_classes(
    samples: CheckedSamples, class_weight: ClassWeight, loss: str, outputs: int
) -> CheckedSamples:
    """Return samples whose weights are multiplied with those of their classes.

    Parameters
    ----------
    samples : CheckedSamples
        To train on.
    class_weight : mapping of label to weight, or "balanced"
        Labels left out have the weight 1. "balanced" weighs a class by n / (k * count), k being the
        number of classes there are and count that of their samples; with weights of samples, their
        sums take the place of n and count (``compute_class_weight`` of scikit-learn).
    loss, outputs : str, int
        The loss of the network and the number of its outputs.

    Raises
    ------
    TypeError, ValueError
        If `class_weight` is not what it should be, the targets are no labels, or nothing that
        counts is left.
    """
    if isinstance(class_weight, str):
        _validation.choice("class_weight", class_weight, ("balanced",))
        by_class = _balanced(samples, loss, max(2, outputs))
    else:
        by_class = of_classes(class_weight, max(2, outputs))
    weight = times_class(by_class, samples.y, samples.weight, loss, samples.X.dtype)
    if not weight.any():
        raise ValueError("class_weight leaves weights of samples that are all 0 or not finite")
    return CheckedSamples(samples.X, samples.y, weight)


def times_class(
    by_class: NDArray[np.float64],
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    loss: str,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Return weights of samples (n,), None being 1 each, times those of their classes."""
    labels = _labels(y, loss)
    own = np.ones(len(labels)) if weight is None else weight.astype(np.float64)
    product = own * by_class[labels]
    with np.errstate(over="ignore"):
        result: NDArray[Any] = product.astype(dtype)
    if not np.isfinite(result).all():
        raise ValueError(
            "class_weight leaves weights of samples that are all 0 or not finite: "
            f"from {product.min():g} to {product.max():g}"
        )
    return result


def of_classes(class_weight: object, classes: int) -> NDArray[np.float64]:
    """Return the weight of each class, (classes,), of a mapping of label to weight."""
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "class_weight must be a dict of label to weight, 'balanced' or None, "
            f"got {_validation.described(class_weight)}"
        )
    result = np.ones(classes, dtype=np.float64)
    for label, value in class_weight.items():
        if isinstance(label, str) or label not in range(classes):
            raise ValueError(
                f"class_weight has the label {_validation.brief(label)}, but labels are 0 to "
                f"{classes - 1}"
            )
        result[int(label)] = _validation.not_negative(
            f"class_weight[{_validation.brief(label)}]", value
        )
    return result


def _labels(y: NDArray[Any], loss: str) -> NDArray[Any]:
    """Return the label of each sample (n,), also of rows of 0 and 1, and of one output."""
    if loss == "cross_entropy":
        if y.ndim == 1:
            return y
        if np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
            labels: NDArray[Any] = y.argmax(axis=1)
            return labels
    elif loss == "binary_cross_entropy" and y.shape[1] == 1 and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(np.intp)
    raise ValueError(
        "class_weight needs one class per sample: labels with cross_entropy, or 0 and 1 with "
        f"binary_cross_entropy and one output; got targets of shape {y.shape} with {loss}"
    )


def _balanced(samples: CheckedSamples, loss: str, classes: int) -> NDArray[np.float64]:
    """Return the weight of each class, (classes,), with which all of them count the same."""
    counts = np.bincount(_labels(samples.y, loss), weights=samples.weight, minlength=classes)
    there = counts > 0
    whole = np.add.accumulate(counts)[-1]  # in order: the same bits everywhere
    balanced = np.zeros(classes)
    balanced[there] = whole / (np.count_nonzero(there) * counts[there])
    return balanced
