"""`class_weight`: weights of classes, multiplied into the weights of samples.

Of a network with heads they are those of the classes of each head, all multiplied with the weight
of the sample, which is that of its losses of all heads.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.losses import Loss
from fastmlp.model.samples import CheckedSamples
from fastmlp.model.targets import targets_of_heads

OfClasses = Mapping[int, float] | Literal["balanced"]

ClassWeight = OfClasses | Mapping[str, OfClasses]
"""The types of `class_weight` in ``fit``: of heads a dict by name."""

ByClass = dict[str, "NDArray[np.float64] | str"]
"""The weight of each class, (classes,), or "balanced", by head; without heads of ""."""


def weigh_classes(
    samples: CheckedSamples, class_weight: ClassWeight, loss: Loss, outputs: int
) -> CheckedSamples:
    """Return samples whose weights are multiplied with those of their classes.

    Parameters
    ----------
    samples : CheckedSamples
        The training samples.
    class_weight : mapping of label to weight, or "balanced"
        Labels not in it have weight 1. "balanced" gives a class the weight n / (k * count), where k
        is the number of classes with samples and count the number of its samples; with sample
        weights, n and count are sums of weights (``compute_class_weight`` of scikit-learn). Of
        heads a mapping of name to these.
    loss, outputs : Loss, int
        The loss of the network and the number of its outputs.

    Raises
    ------
    TypeError, ValueError
        If `class_weight` is invalid, the targets are not labels, or no sample of weight above 0 is
        left.
    """
    by_class = read_class_weight(class_weight, loss, outputs)
    weight = times_class(by_class, samples.y, samples.weight, loss, samples.X.dtype)
    if not weight.any():
        raise ValueError("class_weight makes the sample weights all 0 or not finite")
    return replace(samples, weight=weight)


def times_class(
    by_class: ByClass,
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    loss: Loss,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Return sample weights (n,), None meaning 1, times the class weights."""
    product = np.ones(len(y)) if weight is None else weight.astype(np.float64)
    with np.errstate(over="ignore"):
        for head, labels in _labels_by_head(by_class, y, loss).items():
            of_classes = by_class[head]
            if isinstance(of_classes, str):
                of_classes = _balanced(labels, weight)
            product = product * of_classes[labels]
        result: NDArray[Any] = product.astype(dtype)
    if not np.isfinite(result).all():
        raise ValueError(
            "class_weight makes the sample weights all 0 or not finite: "
            f"from {product.min():g} to {product.max():g}"
        )
    return result


def read_class_weight(class_weight: object, loss: Loss, outputs: int) -> ByClass:
    """Return the weight of each class from the `class_weight` of ``fit``."""
    if not loss.heads:
        return {"": _of_classes("class_weight", class_weight, max(2, outputs))}
    heads = dict(loss.heads)
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "class_weight of a network with heads must be a dict by name, such as "
            f"{{{next(iter(heads))!r}: 'balanced'}}, got {_validation.described(class_weight)}"
        )
    for name in class_weight:
        _validation.choice("a name in class_weight", name, tuple(heads))
    return {
        name: _of_classes(f"class_weight[{name!r}]", class_weight[name], max(2, head.nodes))
        for name, head in heads.items()  # in their order, for the product's
        if name in class_weight
    }


def _of_classes(place: str, class_weight: object, classes: int) -> NDArray[np.float64] | str:
    """Return the weight of each class, (classes,), or "balanced"."""
    if isinstance(class_weight, str):
        return _validation.choice(place, class_weight, ("balanced",))
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"{place} must be a dict of label to weight, or 'balanced', "
            f"got {_validation.described(class_weight)}"
        )
    result = np.ones(classes, dtype=np.float64)
    for label, value in class_weight.items():
        if isinstance(label, str) or label not in range(classes):
            raise ValueError(
                f"{place} has the label {_validation.brief(label)}, but labels are 0 to "
                f"{classes - 1}"
            )
        result[int(label)] = _validation.not_negative(f"{place}[{_validation.brief(label)}]", value)
    return result


def _labels_by_head(by_class: ByClass, y: NDArray[Any], loss: Loss) -> dict[str, NDArray[Any]]:
    """Return the labels (n,) of the heads that have class weights; without heads those of ""."""
    if not loss.heads:
        return {"": _labels("", y, loss)}
    parts = zip(loss.heads, targets_of_heads(y, loss.heads), strict=True)
    return {
        name: _labels(f" of head {name!r}", part, head.loss)
        for (name, head), part in parts
        if name in by_class
    }


def _labels(where: str, y: NDArray[Any], loss: str) -> NDArray[Any]:
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
        f"binary_cross_entropy and one output; got targets{where} of shape {y.shape} with {loss}"
    )


def _balanced(labels: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return the weights (classes,) that give all classes the same total weight."""
    counts = np.bincount(labels, weights=weight)
    there = counts > 0
    whole = np.add.accumulate(counts)[-1]  # in order: the same bits everywhere
    balanced = np.zeros(len(counts))
    balanced[there] = whole / (np.count_nonzero(there) * counts[there])
    return balanced
