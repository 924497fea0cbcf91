"""`class_weight`: weights of classes, multiplied into the weights of samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.model.samples import CheckedSamples

ClassWeight = Mapping[int, float] | str
"""The types of `class_weight` in ``fit``."""


def weigh_classes(
    samples: CheckedSamples, class_weight: ClassWeight, loss: str, outputs: int
) -> CheckedSamples:
    """Return samples whose weights are multiplied with those of their classes.

    Parameters
    ----------
    samples : CheckedSamples
        The training samples.
    class_weight : mapping of label to weight, or "balanced"
        Labels not in it have weight 1. "balanced" gives a class the weight n / (k * count), where k
        is the number of classes with samples and count the number of its samples; with sample
        weights, n and count are sums of weights (``compute_class_weight`` of scikit-learn).
    loss, outputs : str, int
        The loss of the network and the number of its outputs.

    Raises
    ------
    TypeError, ValueError
        If `class_weight` is invalid, the targets are not labels, or no sample of weight above 0 is
        left.
    """
    if isinstance(class_weight, str):
        _validation.choice("class_weight", class_weight, ("balanced",))
        by_class = _balanced(samples, loss, max(2, outputs))
    else:
        by_class = of_classes(class_weight, max(2, outputs))
    weight = times_class(by_class, samples.y, samples.weight, loss, samples.X.dtype)
    if not weight.any():
        raise ValueError("class_weight makes the sample weights all 0 or not finite")
    return CheckedSamples(samples.X, samples.y, weight)


def times_class(
    by_class: NDArray[np.float64],
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    loss: str,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Return sample weights (n,), None meaning 1, times the class weights."""
    labels = _labels(y, loss)
    own = np.ones(len(labels)) if weight is None else weight.astype(np.float64)
    product = own * by_class[labels]
    with np.errstate(over="ignore"):
        result: NDArray[Any] = product.astype(dtype)
    if not np.isfinite(result).all():
        raise ValueError(
            "class_weight makes the sample weights all 0 or not finite: "
            f"from {product.min():g} to {product.max():g}"
        )
    return result


def of_classes(class_weight: object, classes: int) -> NDArray[np.float64]:
    """Return the weight of each class, (classes,), from a mapping of label to weight."""
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
    """Return the label of each sample (n,), also from rows of 0 and 1, and from one output."""
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
    """Return the weights (classes,) that give all classes the same total weight."""
    counts = np.bincount(_labels(samples.y, loss), weights=samples.weight, minlength=classes)
    there = counts > 0
    whole = np.add.accumulate(counts)[-1]  # in order: the same bits everywhere
    balanced = np.zeros(classes)
    balanced[there] = whole / (np.count_nonzero(there) * counts[there])
    return balanced
