"""Random cases of ``fastmlp.metrics`` and of class weights beside scikit-learn's functions."""

import math
import warnings
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics as theirs
from sklearn.utils.class_weight import compute_class_weight

from fastmlp import metrics as ours
from fastmlp.model.class_weight import _balanced

ROUNDING = 1e-12  # sums of up to 40 numbers in float64, in other orders


def compare(seed: int) -> tuple[str, list[str]]:
    """Compare every metric that fits the data of a seed; see `estimators.compare`."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 3, 10, 40]))
    weights = draw_weights(rng, n)
    draw = (labels, decisions, numbers)[rng.integers(3)]
    y, outputs, pairs = draw(rng, n)
    differences, kinds = [], []
    for name, function in pairs:
        want = outcome(lambda function=function: function(sample_weight=weights))
        got = outcome(lambda name=name: metric(name)(y, outputs, weights))
        if not same(want, got):
            reason = explanation(name, want, y, outputs, weights)
            (kinds if reason else differences).append(reason or f"{name}: {want} but ours {got}")
    if differences:
        text = f"seed={seed} y={y.tolist()} outputs={outputs.tolist()} weights={weights}"
        return "different", [text, *differences]
    return (kinds[0] if kinds else "same"), kinds


def metric(name: str) -> Any:
    """Return our metric of a name."""
    if name.startswith("top_"):
        return partial(ours.top_k_accuracy, k=int(name.split("_")[1]))
    return getattr(ours, name)


def draw_weights(rng: np.random.Generator, n: int) -> Any:
    """Draw weights, with zeros or without, or none."""
    kind = rng.integers(4)
    if kind == 0:
        return None
    weights = rng.random(n) + 0.1 if kind < 3 else rng.integers(1, 4, n).astype(float)
    if kind == 2:
        weights[rng.random(n) < 0.4] = 0.0
        weights[rng.integers(n)] = 1.0
    return weights


def labels(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Draw one class of several per sample; often some are missing, or of one class only."""
    classes = int(rng.integers(2, 6))
    z = 2 * rng.standard_normal((n, classes))
    z = z.round(rng.integers(0, 3)) if rng.random() < 0.5 else z
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[rng.random(n) < 0.1] = np.eye(classes)[0]  # as sure as can be
    y = rng.integers(0, classes if rng.random() < 0.6 else 1, n)
    said = p.argmax(axis=1)
    average: dict[str, Any] = {"average": "binary" if classes == 2 else "macro"}
    every = range(classes)
    scores = p[:, 1] if classes == 2 else p
    k = int(rng.integers(1, classes))
    return y, p, [
        *((name, lambda name=name, **o: getattr(theirs, f"{name}_score")(y, said, **average, **o))
          for name in ("precision", "recall", "f1")),
        ("accuracy", lambda **o: theirs.accuracy_score(y, said, **o)),
        ("balanced_accuracy", lambda **o: theirs.balanced_accuracy_score(y, said, **o)),
        ("log_loss", lambda **o: theirs.log_loss(y, p, labels=every, **o)),
        ("auc", lambda **o: theirs.roc_auc_score(
            y, scores, multi_class="ovr", labels=every if classes > 2 else None, **o)),
        ("average_precision", lambda **o: theirs.average_precision_score(y, scores, **o)),
        (f"top_{k}_accuracy", lambda **o: theirs.top_k_accuracy_score(
            y, scores, k=k, labels=every, **o)),
    ]  # fmt: skip


def decisions(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Draw yes or no for one output or several."""
    outputs = int(rng.choice([1, 1, 3]))
    y = (rng.random((n, outputs)) < rng.choice([0.0, 0.4, 1.0], outputs)).astype(float)
    p = rng.random((n, outputs)).round(int(rng.integers(1, 4)))
    said = p > 0.5
    average: dict[str, Any] = {"average": "binary" if outputs == 1 else "macro"}
    columns = [(y[:, i], p[:, i]) for i in range(outputs)]
    mean = lambda score, **o: np.mean([score(t, q, **o) for t, q in columns])  # noqa: E731
    own = lambda score: lambda t, q, **o: score(t, q > 0.5, **o)  # noqa: E731
    return y, p, [
        *((name, lambda name=name, **o: getattr(theirs, f"{name}_score")(y, said, **average, **o))
          for name in ("precision", "recall", "f1")),
        ("accuracy", lambda **o: mean(own(theirs.accuracy_score), **o)),
        ("balanced_accuracy", lambda **o: mean(own(theirs.balanced_accuracy_score), **o)),
        ("log_loss", lambda **o: mean(
            lambda t, q, **o: theirs.log_loss(t, q, labels=[0, 1], **o), **o)),
        ("auc", lambda **o: theirs.roc_auc_score(y, p, **o)),
        ("average_precision", lambda **o: theirs.average_precision_score(y, p, **o)),
    ]  # fmt: skip


def numbers(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
    """Draw targets of a regression, constant ones and perfect outputs among them."""
    outputs = int(rng.choice([1, 2]))
    y = rng.standard_normal((n, outputs)) * rng.choice([1e-3, 1.0, 1e6])
    if rng.random() < 0.3:
        y[:, 0] = rng.choice([0.0, 0.1, 3.0])
    h = y + rng.standard_normal((n, outputs)) * rng.choice([0.0, 1.0])
    return y, h, [
        ("mse", lambda **o: theirs.mean_squared_error(y, h, **o)),
        ("rmse", lambda **o: theirs.root_mean_squared_error(y, h, **o)),
        ("mae", lambda **o: theirs.mean_absolute_error(y, h, **o)),
        ("mape", lambda **o: theirs.mean_absolute_percentage_error(y, h, **o)),
        ("r2", lambda **o: theirs.r2_score(y, h, **o)),
    ]  # fmt: skip


def outcome(function: Any) -> float | str:
    """Return the metric, or the name of its error; scikit-learn warns where ours is silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(function())
        except ValueError as error:
            return str(error)


def same(want: float | str, got: float | str) -> bool:
    if isinstance(want, str) or isinstance(got, str):
        return isinstance(want, str) and isinstance(got, str)
    both_nan = math.isnan(want) and math.isnan(got)
    return both_nan or math.isclose(want, got, rel_tol=ROUNDING, abs_tol=ROUNDING)


def explanation(name: str, want: float | str, y: Any, outputs: Any, weights: Any) -> str:
    """Return which of the differences in docs/guide/migration.md it is; empty if none."""
    weighs = np.ones(len(y), bool) if weights is None else weights > 0
    exclusive = y.ndim == 1 and outputs.shape[1] > 2
    missing = exclusive and set(y[weighs].tolist()) != set(range(outputs.shape[1]))
    if missing and name in ("auc", "average_precision"):
        return "areas of classes without samples"
    if name.startswith("top_") and any(len(set(row)) < len(row) for row in outputs.tolist()):
        return "equal outputs among the largest"
    if name == "r2" and any(np.ptp(t[weighs]) == 0 for t in y.T):
        return "r2 of a constant whose mean rounds"
    if exclusive and name in ("precision", "recall", "f1") and not weighs.all():
        said = outputs.argmax(axis=1)
        if {*y[weighs], *said[weighs]} != {*y, *said}:
            return "classes of samples of weight 0"
    return ""


def compare_class_weights(seed: int) -> tuple[str, list[str]]:
    """Compare ``class_weight="balanced"`` with ``compute_class_weight``."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 40)), int(rng.integers(2, 6))
    y = rng.integers(0, rng.integers(1, classes + 1), n).astype(np.int32)
    weights = rng.random(n) + 0.1 if rng.integers(2) else None
    there = np.unique(y)
    want = compute_class_weight("balanced", classes=there, y=y, sample_weight=weights)
    got = _balanced(np.bincount(y, weights=weights).astype(np.float64))[there]
    if np.allclose(got, want, rtol=ROUNDING, atol=0):
        return "same", []
    return "different", [f"seed={seed} balanced: {want} but ours {got}"]
