"""Time calls of a few rows: our estimators beside scikit-learn's, with the same settings.

    python benchmarks/sklearn_calls.py

Such calls are most of the time of online learning, and of a service that predicts row by row. What
they take is Python: checks of the data, and of the parameters in ``fit``. The two libraries take
turns, each for some calls, on one thread; the least time of each counts.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn import neural_network
from threadpoolctl import threadpool_limits

import fastmlp as fm
from contest import Table, write_json
from fastmlp import sklearn as ours

ROWS, FEATURES, CLASSES = 32, 20, 3
TURN = 0.02
"""Seconds that a library is called before the other."""


def estimator_calls(library: Any) -> dict[str, Callable[[], object]]:
    """Return the calls of both kinds of estimators of a library, by their names."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES))
    calls: dict[str, Callable[[], object]] = {}
    targets = {"MLPClassifier": np.arange(ROWS) % CLASSES, "MLPRegressor": X[:, 0].copy()}
    for kind, y in targets.items():
        make = getattr(library, kind)
        fitted = make(hidden_layer_sizes=(100,), random_state=0, max_iter=1).fit(X, y)
        fresh = make(hidden_layer_sizes=(8,), random_state=0, max_iter=1)
        calls |= {
            f"{kind}.predict, 1 row": partial(fitted.predict, X[:1]),
            f"{kind}.predict, {ROWS} rows": partial(fitted.predict, X),
            f"{kind}.partial_fit, {ROWS} rows": partial(fitted.partial_fit, X, y),
            f"{kind}.fit, {ROWS} rows, one epoch": partial(fresh.fit, X, y),
        }
    return calls


def seconds(call: Callable[[], object]) -> float:
    """Return the mean seconds of a call, over some."""
    count, start = 0, time.perf_counter()
    while (now := time.perf_counter()) < start + TURN:
        call()
        count += 1
    return (now - start) / count


def measure(turns: int) -> Table:
    """Return a row for each call."""
    theirs, mine = estimator_calls(neural_network), estimator_calls(ours)
    rows: Table = []
    for name, call in mine.items():
        taken = [(seconds(theirs[name]), seconds(call)) for _ in range(turns)]
        least = 1e6 * np.min(taken, axis=0)
        row = {
            "call": name,
            "scikit-learn, µs": float(least[0]),
            "fastmlp, µs": float(least[1]),
            "times as fast": float(least[0] / least[1]),
        }
        print(f"{name:42}{least[0]:9.0f} µs {least[1]:9.0f} µs {row['times as fast']:7.2f} x")
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path("build/sklearn-calls.json"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    fm.set_num_threads(1)
    with threadpool_limits(1):
        rows = measure(options.turns)
    write_json(options.output, rows, {"scikit-learn": sklearn.__version__})


if __name__ == "__main__":
    main()
