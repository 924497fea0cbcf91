"""`class_weight`: weights of classes, multiplied into the weights of samples.

Those of a head are factors of its losses only, beside the targets; see `weighted_heads`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.losses import Loss
from fastmlp.model.samples import CheckedSamples
from fastmlp.model.targets import targets_of_heads, weighted_heads

OfClasses = Mapping[int, float] | Literal["balanced"]

ClassWeight = OfClasses | Mapping[str, OfClasses]
"""The types of `class_weight` in ``fit``: of heads a dict by name."""

ByClass = dict[str, "NDArray[np.float64] | str"]
"""The weight of each class, (classes,), or "balanced", by head; without heads of ""."""

Total = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Returns the sums over all ranks of sums over the samples of this one."""


def only_here(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums over all samples, which are here: the `Total` of one process."""
    return sums


def weigh_classes(
    samples: CheckedSamples,
    class_weight: ClassWeight,
    loss: Loss,
    outputs: int,
    total: Total = only_here,
) -> CheckedSamples:
    """Return samples with the weights of their classes in their weights, or in those of heads.

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
    total : callable, optional
        Adds sums over samples to those of other ranks, if these have more samples.

    Raises
    ------
    TypeError, ValueError
        If `class_weight` is invalid, the targets are not labels, or no sample of weight above 0 is
        left.
    """
    dtype = samples.X.dtype
    y, weight = targets_and_weights(
        class_weight, samples.y, samples.weight, loss, outputs, dtype, total
    )
    return replace(samples, y=y, weight=weight)


def targets_and_weights(
    class_weight: ClassWeight,
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    loss: Loss,
    outputs: int,
    dtype: np.dtype[Any],
    total: Total = only_here,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the targets and weights of `weigh_classes`, from those of samples."""
    by_class = read_class_weight(class_weight, loss, outputs)
    y, weight = times_class(by_class, y, weight, loss, dtype, total)
    factors = y[:, outputs:].T if loss.heads else [weight]
    counting = total(np.array([np.any(factor) for factor in factors], np.float64))
    for name, count in zip(dict(loss.heads) or [""], counting, strict=True):
        if not count:
            raise ValueError(f"class_weight makes the weights{_of_head(name)} all 0")
    return y, weight


def times_class(
    by_class: ByClass,
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    loss: Loss,
    dtype: np.dtype[Any],
    total: Total = only_here,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return targets and sample weights (n,), None meaning 1, with the class weights in them."""
    if not loss.heads:
        own = np.ones(len(y)) if weight is None else weight.astype(np.float64)
        of_samples = _of_samples(by_class[""], _labels("", y, loss), weight, total)
        return y, _rounded("", own * of_samples, dtype)
    factors = np.ones((len(y), len(loss.heads)), dtype)
    parts = targets_of_heads(y, loss.heads)
    for i, ((name, head), part) in enumerate(zip(loss.heads, parts, strict=True)):
        if name in by_class:
            labels = _labels(_of_head(name), part, head.chosen_loss)
            of_samples = _of_samples(by_class[name], labels, weight, total)
            factors[:, i] = _rounded(name, of_samples, dtype)
    return weighted_heads(y, factors, loss.heads), weight


def _of_samples(
    of_classes: NDArray[np.float64] | str,
    labels: NDArray[Any],
    weight: NDArray[Any] | None,
    total: Total,
) -> NDArray[np.float64]:
    """Return the weight of the class of each sample, (n,)."""
    if isinstance(of_classes, str):
        of_classes = _balanced(total(np.bincount(labels, weights=weight).astype(np.float64)))
    result: NDArray[np.float64] = of_classes[labels]
    return result


def _rounded(head: str, weight: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return weights in the network's dtype, in which they must be finite."""
    with np.errstate(over="ignore"):
        result: NDArray[Any] = weight.astype(dtype)
    if not np.isfinite(result).all():
        raise ValueError(
            f"class_weight makes the weights{_of_head(head)} all 0 or not finite: "
            f"from {weight.min():g} to {weight.max():g}"
        )
    return result


def _of_head(name: str) -> str:
    return f" of head {name!r}" if name else " of the samples"


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


def _balanced(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights (classes,) that give classes of such sums the same total weight."""
    there = counts > 0
    whole = np.add.accumulate(counts)[-1]  # in order: the same bits everywhere
    balanced = np.zeros(len(counts))
    balanced[there] = whole / (np.count_nonzero(there) * counts[there])
    return balanced
