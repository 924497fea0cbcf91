"""Random cases of ``fastmlp.sklearn`` beside scikit-learn's own estimators.

A case is a constructor, data and a course of calls, all drawn from one seed. Both estimators go
through it; whatever a user can see is compared: attributes, predictions, scores, exceptions,
warnings, and where the random state stands at the end.

How far apart two courses may be is measured, not guessed: scikit-learn goes through the case once
more with features disturbed by many roundings, and a value may differ by as much as that moved it.
"""

import io
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse
from sklearn import neural_network as theirs

from fastmlp import sklearn as ours
from parity.estimator_cases import Case, draw

DISTURBANCE = 2.0**12  # in units of eps: more than the roundings of sums and steps come to


HUGE = {False: 1e100, True: 1e15}
"""Losses from which their sums or the squares of gradients overflow, in double and single."""


@dataclass
class Outcome:
    """What a user sees of one estimator going through a case."""

    error: tuple[type, str] | None = None
    warnings: list[tuple[type, str]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    printed: str = ""


def go(module: Any, case: Case, X: Any) -> Outcome:
    """Let the estimator of a module go through a case."""
    outcome = Outcome()
    state = np.random.RandomState(case.parameters["random_state"])
    model = getattr(module, case.estimator)(**{**case.parameters, "random_state": state})
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            for name, rows in case.calls:
                weights = None if case.weights is None else case.weights[rows]
                options = {}
                if name == "partial_fit" and case.estimator == "MLPClassifier":
                    options["classes"] = case.classes
                getattr(model, name)(X[rows], case.y[rows], sample_weight=weights, **options)
        except Exception as error:  # noqa: BLE001  (whatever a user would see)
            outcome.error = type(error), str(error)
        outcome.values = seen(model, case, X, state)
    # NumPy's own, of overflows on the way to a fit that diverges, are not part of the claim.
    outcome.warnings = [
        (w.category, str(w.message)) for w in caught if w.category is not RuntimeWarning
    ]
    outcome.printed = printed.getvalue()
    return outcome


def seen(model: Any, case: Case, X: Any, state: np.random.RandomState) -> dict[str, Any]:
    """Return everything a user can query of an estimator after its fit."""
    values = {name: getattr(model, name) for name in ATTRIBUTES if hasattr(model, name)}
    if getattr(model, "loss_curve_", None):
        values["losses"] = [*model.loss_curve_, model.loss_, model.best_loss_ or 0.0]
    elif hasattr(model, "loss_"):
        values["loss_"] = model.loss_
    if hasattr(model, "coefs_") and all(np.isfinite(w).all() for w in model.coefs_):
        values["score"] = ask(model.score, X, case.y, sample_weight=case.weights)
        forms = {"as it is": X, "double": X.astype(float), "single": X.astype(np.float32)}
        for name in ("predict", "predict_proba", "predict_log_proba"):
            for form in forms if hasattr(model, name) else ():
                value = ask(getattr(model, name), forms[form])
                # Logarithms of what is nearly 1 are made of roundings.
                is_log = name == "predict_log_proba" and isinstance(value, np.ndarray)
                values[f"{name} of X {form}"] = np.exp(value) if is_log else value
    values["next draw"] = state.randint(2**31)
    return values


ATTRIBUTES = (
    *("coefs_", "intercepts_", "validation_scores_"),
    *("best_validation_score_", "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"),
    *("classes_", "n_features_in_"),
)


def ask(method: Any, *arguments: Any, **options: Any) -> Any:
    """Return what a method returns, or the error that it raises."""
    try:
        return method(*arguments, **options)
    except Exception as error:  # noqa: BLE001  (whatever a user would see)
        return type(error).__name__, str(error)


def disturbed(case: Case) -> Any:
    """Return the features of a case, perturbed by more than all rounding errors together."""
    rng = np.random.default_rng(case.seed)
    X = case.X.astype(np.float64) if case.X.dtype.kind == "i" else case.X.copy()
    values = X.data if scipy.sparse.issparse(X) else X
    signs = rng.choice([-1.0, 1.0], np.shape(values)).astype(X.dtype)
    values *= 1 + DISTURBANCE * np.finfo(X.dtype).eps * signs
    return X


def compare(seed: int) -> tuple[str, list[str]]:
    """Go through the case of a seed with both.

    Returns
    -------
    kind : str
        "same", "different", a difference that docs/guide/migration.md names, or "decided by
        rounding": the disturbance changes what scikit-learn itself does.
    differences : list of str
        Each a line.
    """
    case = draw(seed)
    expected, got = go(theirs, case, case.X), go(ours, case, case.X)
    moved = go(theirs, case, disturbed(case))
    differences = differences_of(case, expected, got, moved)
    if not differences:
        return "same", []
    kind = explanation(case, expected, got, differences)
    if not kind:
        kind = "decided by rounding" if is_chaotic(case, expected, moved) else "different"
    return kind, [str(case), *differences]


def differences_of(case: Case, expected: Outcome, got: Outcome, moved: Outcome) -> list[str]:
    """Return what differs, a line each; the message of an error only where the kind is the same."""
    if got.error or expected.error:
        same = got.error == expected.error
        return [] if same else [f"error: {expected.error} but ours {got.error}"]
    differences = []
    rtol = roundings(case)
    if expected.warnings != got.warnings:
        differences.append(f"warnings: {expected.warnings} but ours {got.warnings}")
    for name, want in expected.values.items():
        if name not in got.values:
            differences.append(f"{name}: missing")
            continue
        text = unlike(want, got.values[name], moved.values.get(name), rtol)
        if text:
            differences.append(f"{name}: {text}")
    differences += [f"{name}: ours only" for name in got.values if name not in expected.values]
    if not differences and words(expected.printed) != words(got.printed):
        differences.append(f"printed: {expected.printed} but ours {got.printed}")
    return differences


def explanation(case: Case, expected: Outcome, got: Outcome, differences: list[str]) -> str:
    """Return which of the documented differences a case shows; empty if none."""
    losses, own = (
        np.array(o.values.get("losses", o.values.get("loss_", ())), dtype=float).ravel()
        for o in (expected, got)
    )
    if case.parameters.get("loss") == "poisson" and not np.isfinite(losses).all():
        return "poisson's loss where an output underflows"
    if not (np.abs([*losses, *own]) < HUGE[case.X.dtype == np.float32]).all():
        return "a loss too large for a number"
    only_losses = all(line.startswith(("losses", "loss_")) for line in differences)
    logistic = expected.values.get("out_activation_") == "logistic"
    if only_losses and logistic and losses.max(initial=0.0) * case.X.shape[0] > 15:
        return "loss of a label that is wrong beyond all doubt"
    return ""


def roundings(case: Case) -> float:
    """Return how far roundings alone move a value, however little the disturbance does.

    Adam divides a gradient that is nothing but rounding by epsilon, and L-BFGS follows differences
    of losses that are nearly the same.
    """
    eps = float(np.finfo(case.X.dtype if case.X.dtype.kind == "f" else np.float64).eps)
    p = case.parameters
    rate = p["learning_rate_init"]
    growth = {"adam": rate / p["epsilon"], "lbfgs": 1e4, "sgd": 0.0}[p["solver"]]
    return min(max(1e-4, rate), 512 * eps * (1 + growth))


def is_chaotic(case: Case, expected: Outcome, moved: Outcome) -> bool:
    """Tell whether roundings may be whole steps, or the disturbance changed more than a little."""
    if roundings(case) >= case.parameters["learning_rate_init"]:
        return True
    if (expected.error and expected.error[0]) != (moved.error and moved.error[0]):
        return True
    if [w[0] for w in expected.warnings] != [w[0] for w in moved.warnings]:
        return True
    for name in ("n_iter_", "best_validation_score_", "score"):
        if name in expected.values and name in moved.values:
            a, b = expected.values[name], moved.values[name]
            if a is not None and unlike(a, b, None, 1e-3):
                return True
    return not all(
        np.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True)
        for a, b in zip(
            expected.values.get("coefs_", ()), moved.values.get("coefs_", ()), strict=True
        )
    )


def unlike(want: Any, got: Any, moved: Any, rtol: float) -> str:
    """Return how two values differ, by more than `moved` lets them; empty if they do not."""
    arrays = isinstance(want, list | tuple) and any(isinstance(a, np.ndarray) for a in want)
    if arrays and isinstance(got, list | tuple) and len(want) == len(got):
        theirs_moved = moved if isinstance(moved, list | tuple) else ()
        padded = [*theirs_moved, *[None] * len(want)]
        texts = (unlike(a, b, c, rtol) for a, b, c in zip(want, got, padded, strict=False))
        return next((f"[{i}] {text}" for i, text in enumerate(texts) if text), "")
    a, b = np.asarray(want), np.asarray(got)
    if a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub" or a.shape != b.shape:
        return "" if a.shape == b.shape and (a == b).all() else f"{want!r} but ours {got!r}"
    if isinstance(want, np.ndarray) and a.dtype != b.dtype:
        return f"dtype {a.dtype} but ours {b.dtype}"
    c = np.asarray(moved) if moved is not None and np.shape(moved) == a.shape else a
    with np.errstate(all="ignore"):
        if a.dtype.kind != "f":
            return "" if ((a == b) | (a != c)).all() else f"{want!r} but ours {got!r}"
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        spread = np.where(np.isfinite(a) & np.isfinite(c), np.abs(a - c), 0.0).max(initial=0.0)
        finite = np.abs(a[np.isfinite(a)]).max(initial=0.0)
        bound = 64 * spread + rtol * max(1.0, float(finite))
        worst = apart.max(initial=0.0)
    return (
        "" if worst <= bound else f"{want!r} but ours {got!r}, {worst:.2g} apart, not {bound:.2g}"
    )


def words(printed: str) -> list[str]:
    """Return what was printed without its numbers, which are compared as attributes."""
    return [word for word in printed.split() if not any(c.isdigit() for c in word)]
