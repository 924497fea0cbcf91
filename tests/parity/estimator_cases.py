"""The random cases of `estimators`: a constructor, data, and a course of calls, from one seed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse
from sklearn import neural_network as theirs


@dataclass
class Case:
    """A constructor, and what is called with which data."""

    seed: int
    estimator: str
    parameters: dict[str, Any]
    X: Any
    y: Any
    weights: Any
    calls: list[tuple[str, slice]] = field(default_factory=list)
    classes: Any = None

    def __str__(self) -> str:
        usual = getattr(theirs, self.estimator)().get_params()
        given = {k: v for k, v in self.parameters.items() if v is not usual[k] and v != usual[k]}
        weights = None if self.weights is None else np.asarray(self.weights)[:8]
        return (
            f"{self.estimator} seed={self.seed} {given} X={type(self.X).__name__}"
            f"{self.X.shape} {self.X.dtype} y={np.asarray(self.y).dtype}{np.shape(self.y)} "
            f"weights={weights} calls={self.calls}"
        )


def draw(seed: int) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    estimator = pick("MLPClassifier", "MLPRegressor")
    n, features = int(rng.integers(3, 60)), int(rng.integers(1, 6))
    X = rng.standard_normal((n, features))
    if rng.random() < 0.2:
        X[:, 0] = pick(0.0, 1.0, 30.0)
    if rng.random() < 0.1:
        X *= 10.0
    parameters = draw_parameters(rng, estimator, n)
    y = draw_labels(rng, n) if estimator == "MLPClassifier" else draw_numbers(rng, X, parameters)
    case = Case(seed, estimator, parameters, X, y, draw_weights(rng, n, parameters))
    draw_calls(rng, case)
    form = rng.random()
    if form < 0.3:
        case.X = X.astype(np.float32)
    elif form < 0.35:
        case.X = np.rint(X).astype(np.int64)
    elif form < 0.45:
        kind = pick(scipy.sparse.csr_matrix, scipy.sparse.csc_matrix)
        case.X = kind(X * (rng.random(X.shape) < 0.5), dtype=pick(np.float64, np.float32))
    return case


def draw_parameters(rng: np.random.Generator, estimator: str, n: int) -> dict[str, Any]:
    """Draw a constructor."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    solver = pick("adam", "adam", "sgd", "sgd", "lbfgs")
    parameters = {
        "hidden_layer_sizes": pick((), (), 3, (4,), (3, 5), [20, 2], np.array([6])),
        "activation": pick("relu", "tanh", "logistic", "identity"),
        "solver": solver,
        "alpha": pick(0.0, 1e-4, 0.1, 10.0),
        "batch_size": pick("auto", 1, 7, n - 1, n, n + 3),
        "learning_rate": pick("constant", "invscaling", "adaptive"),
        "learning_rate_init": pick(1e-3, 0.01, 0.1),
        "power_t": pick(0.0, 0.5, 1.3),
        "max_iter": int(rng.integers(1, 6 if solver == "lbfgs" else 14)),
        "shuffle": pick(True, True, False),
        "random_state": int(rng.integers(100)),
        "tol": pick(0.0, 1e-4, 0.05, 5.0),
        "verbose": pick(False, False, False, True) if solver != "lbfgs" else False,
        "warm_start": pick(False, False, True),
        "momentum": pick(0.0, 0.5, 0.9, 1.0),
        "nesterovs_momentum": pick(True, False),
        "early_stopping": pick(False, False, True),
        "validation_fraction": pick(0.1, 0.3, 0.5),
        "beta_1": pick(0.0, 0.9, 0.99),
        "beta_2": pick(0.9, 0.999),
        "epsilon": pick(1e-8, 1e-3),
        "n_iter_no_change": pick(1, 2, 10, np.inf),
        "max_fun": pick(15000, 15000, 3),
    }
    if rng.random() < 0.1:  # a step is then g / |g| but for epsilon: noise, where g is noise
        parameters.update(beta_2=0.0, epsilon=1e-3)
    if estimator == "MLPRegressor":
        parameters["loss"] = pick("squared_error", "poisson")
    return parameters


def draw_labels(rng: np.random.Generator, n: int) -> Any:
    """Draw labels of every kind: two classes, one, many; of any type; several at once."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    kind = pick("two", "two", "many", "many", "labels", "one", "few")
    if kind == "labels":
        return (rng.random((n, pick(1, 2, 4))) < pick(0.0, 0.3, 0.5)).astype(pick(int, bool))
    number = {"two": 2, "many": 4, "one": 1, "few": 2}[kind]
    y = rng.integers(0, number, n)
    if kind == "few":
        y[:] = 0
        y[: pick(1, 2)] = 1
    names = pick(
        np.array([0, 1, 2, 3]),
        np.array([-1, 1, 5, 9]),
        np.array(["b", "a", "ccc", "d"]),
        np.array(["b", "a", "ccc", "d"], dtype=object),
        np.array([0.0, 1.0, 2.0, 3.0]),
        np.array([False, True, True, True]),
    )
    labels = names[y]
    return labels.reshape(-1, 1) if rng.random() < 0.1 else labels


def draw_numbers(rng: np.random.Generator, X: Any, parameters: dict[str, Any]) -> Any:
    """Draw targets of a regression."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    n = len(X)
    if parameters["loss"] == "poisson":
        y = rng.poisson(np.exp(np.clip(X[:, 0], -3, 3) + pick(-1, 0, 2))).astype(pick(float, int))
    else:
        y = X.sum(axis=1) + rng.standard_normal(n)
        y = pick(y, y, np.full(n, 0.5), np.rint(y).astype(int), 100 * y)
    shape = pick("flat", "flat", "column", "two")
    if shape == "two":
        return np.column_stack([y, y[::-1] * 2])
    return y.reshape(-1, 1) if shape == "column" else y


def draw_weights(rng: np.random.Generator, n: int, parameters: dict[str, Any]) -> Any:
    """Draw weights of samples, or None; with zeros no batch is left without any."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    kind = pick("none", "none", "uniform", "zeros", "whole", "ones", "list")
    weights: Any = rng.uniform(0.1, 3.0, n)
    if kind == "none":
        return None
    if kind == "zeros":
        parameters["batch_size"] = n
        weights[rng.random(n) < 0.4] = 0.0
        weights[0] = weights[-1] = 1.0
        parameters["early_stopping"] = False  # as the samples held out might all weigh 0
    if kind == "whole":
        weights = rng.integers(1, 4, n)
    if kind == "list":
        return weights.tolist()
    return np.ones(n) if kind == "ones" else weights


def draw_calls(rng: np.random.Generator, case: Case) -> None:
    """Draw the calls: fits, a fit and partial fits, or partial fits only."""
    n = case.X.shape[0]
    whole, first, rest = slice(0, n), slice(0, (n + 1) // 2), slice(n // 2, n)
    courses = [
        [("fit", whole)],
        [("fit", whole)],
        [("fit", whole), ("fit", whole)],
        [("fit", whole), ("partial_fit", first), ("partial_fit", rest)],
        [("partial_fit", first), ("partial_fit", rest), ("partial_fit", whole)],
        [("partial_fit", whole), ("fit", whole)],
    ]
    case.calls = courses[rng.integers(len(courses))]
    if case.estimator == "MLPClassifier":
        case.classes = np.unique(case.y) if np.ndim(case.y) == 1 else np.arange(case.y.shape[1])
    p = case.parameters
    if any(name == "partial_fit" for name, _ in case.calls):
        if rng.random() < 0.8:
            p["early_stopping"] = p["warm_start"] = False
        if p["solver"] == "lbfgs" and case.estimator == "MLPRegressor":
            p["solver"] = "adam"  # refused here: see docs/guide/migration.md
    if len(case.calls) > 1 and p["early_stopping"]:
        p["warm_start"] = False  # restores another epoch: see docs/guide/migration.md
