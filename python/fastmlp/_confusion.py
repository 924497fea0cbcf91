"""What metrics are computed from: decisions, errors, and sums in order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data._conversion import numbers

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]


class Decisions(NamedTuple):
    """True and predicted membership of each class: rows of classes, columns of samples (C, B)."""

    truth: Booleans
    said: Booleans
    scores: Doubles
    weight: Doubles
    exclusive: bool
    """Whether each sample belongs to exactly one of several classes."""

    def present(self) -> list[tuple[Booleans, Booleans]]:
        """Return (predicted, true) of each class; exclusive classes must occur in one of them."""
        pairs = list(zip(self.said, self.truth, strict=True))
        return [(s, t) for s, t in pairs if not self.exclusive or s.any() or t.any()]

    def curves(self) -> list[tuple[Doubles, Doubles]]:
        """Return the weights of hits and of misses among the highest scores, for each class.

        Starts at (0, 0), with one point per distinct score: equal scores are combined.
        """
        result = []
        for scores, true in zip(self.scores, self.truth, strict=True):
            order = np.argsort(-scores, kind="stable")
            last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
            hits, misses = (
                np.append(0.0, np.add.accumulate((side * self.weight)[order])[last])
                for side in (true, ~true)
            )
            result.append((hits, misses))
        return result


def decisions(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None) -> Decisions:
    y, outputs, weight = arrays(y, outputs, sample_weight)
    if y.ndim != 1:
        return Decisions((y > 0.5).T, (outputs > 0.5).T, outputs.T, weight, exclusive=False)
    classes = np.arange(outputs.shape[1])[:, np.newaxis]
    truth, said, scores = classes == y, classes == outputs.argmax(axis=1), outputs.T
    if len(classes) == 2:
        return Decisions(truth[1:], said[1:], scores[1:], weight, exclusive=False)
    return Decisions(truth, said, scores, weight, exclusive=True)


def residuals(
    y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Doubles, Doubles, Doubles]:
    """Return errors and targets (N, B), and the weights."""
    y, outputs, weight = arrays(y, outputs, sample_weight)
    if y.ndim == 1:
        raise ValueError("a metric of regression needs one number per output, got labels")
    return (outputs - y).T, y.T, weight


def arrays(
    y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[NDArray[Any], Doubles, Doubles]:
    """Return labels (B,) or numbers (B, N), outputs (B, N) and weights (B,), the latter doubles.

    Samples of weight 0 are removed.
    """
    h = _doubles("outputs", outputs)
    h = h.reshape(-1, 1) if h.ndim == 1 else h
    t = numbers("y", y)
    if h.ndim != 2 or t.ndim == 0 or 0 in (*h.shape, *t.shape):
        raise ValueError(f"{_shapes(y, outputs, sample_weight)}, which do not match")
    if t.ndim == 1 and h.shape[1] > 1:
        if t.dtype.kind not in "biu":
            raise ValueError(f"y (B,) must hold integer labels with {h.shape[1]} outputs")
    else:
        t = t.astype(np.float64).reshape(len(t), -1)
    w = np.ones(len(h)) if sample_weight is None else _doubles("sample_weight", sample_weight)
    if (
        len(h) == 0
        or len(t) != len(h)
        or w.shape != (len(h),)
        or (t.ndim != 1 and t.shape != h.shape)
    ):
        raise ValueError(f"{_shapes(y, outputs, sample_weight)}, which do not match")
    if not w.all():
        counts = np.flatnonzero(w)
        if len(counts) == 0:
            raise ValueError("sample_weight is 0 for every sample; at least one must be above 0")
        t, h, w = t[counts], h[counts], w[counts]
    if t.ndim == 1:
        _refuse_labels_beyond(t, h.shape[1])
    return t, h, w


def _shapes(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None) -> str:
    """Describe what was passed to a metric."""
    arrays = {"y": y, "outputs": outputs, "sample_weight": sample_weight}
    return ", ".join(
        f"{name} has shape {numbers(name, array).shape}"
        for name, array in arrays.items()
        if array is not None
    )


def _doubles(name: str, values: ArrayLike) -> Doubles:
    return numbers(name, values).astype(np.float64, copy=False)


def _refuse_labels_beyond(labels: NDArray[Any], outputs: int) -> None:
    wrong = (labels < 0) | (labels >= outputs)
    if wrong.any():
        raise ValueError(
            f"y contains label {labels[wrong][0]}, but with {outputs} outputs labels are 0 to "
            f"{outputs - 1}"
        )


def total(values: NDArray[Any]) -> float:
    """Add in order; the order of `np.sum` differs between machines."""
    return float(np.add.accumulate(values, dtype=np.float64)[-1])


def mean(values: NDArray[Any], weight: Doubles) -> float:
    return total(values * weight) / total(weight)


def share(part: NDArray[Any], whole: NDArray[Any], weight: Doubles) -> float:
    below = total(whole * weight)
    return total(part * weight) / below if below else 0.0


def average(values: Iterable[float]) -> float:
    """Return the mean of a few numbers; NaN if there are none."""
    items = list(values)
    return total(np.array(items)) / len(items) if items else math.nan
