"""What the change of one import brings: our estimators against scikit-learn's own, whole fits.

``python benchmarks/sklearn_swap.py`` trains both on digits with defaults, then on every bundled
data set over solvers, batch sizes and widths; the two take turns and the least time of each counts.
``--check`` fails below 3 times on digits, or where ours is slower.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.preprocessing import scale

from fastmlp import sklearn as ours

CLASSIFIED = ("digits", "breast_cancer", "wine", "iris")
REGRESSED = ("diabetes",)


@dataclass
class Case:
    """One fit: a data set and what differs from the defaults."""

    data: str
    settings: dict[str, Any] = field(default_factory=dict)
    least: float = 1.0

    def __str__(self) -> str:
        return f"{self.data:14}" + " ".join(f"{k}={v}" for k, v in self.settings.items())


def cases(*, whole: bool) -> Iterator[Case]:
    """Yield the cases: digits with defaults first, to the end of training."""
    for solver in ("adam", "sgd"):
        yield Case("digits", {"solver": solver}, least=3.0)
    if not whole:
        return
    for data in (*CLASSIFIED, *REGRESSED):
        for solver in ("adam", "sgd", "lbfgs"):
            yield Case(data, {"solver": solver, "max_iter": 20})
        for batch_size in (1, 8, 32, 1000):
            yield Case(data, {"batch_size": batch_size, "max_iter": 3})
        for width in (5, 33, 100, 300, 1000):
            yield Case(data, {"hidden_layer_sizes": (width,), "max_iter": 5})
        yield Case(data, {"hidden_layer_sizes": (200, 200), "max_iter": 5})
        yield Case(data, {"early_stopping": True, "max_iter": 20})


def load(name: str, dtype: str) -> tuple[Any, Any]:
    """Load a bundled data set, its features scaled."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scale(X).astype(dtype), scale(y) if name in REGRESSED else y


def seconds(library: Any, case: Case, X: Any, y: Any) -> float:
    """Time one fit."""
    kind = "MLPRegressor" if case.data in REGRESSED else "MLPClassifier"
    estimator = getattr(library, kind)(random_state=0, **case.settings)
    start = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - start


def ratio(case: Case, dtype: str, rounds: int) -> tuple[float, float]:
    """Return scikit-learn's seconds and ours, each the least of several in turn."""
    X, y = load(case.data, dtype)
    turns = [
        (seconds(neural_network, case, X, y), seconds(ours, case, X, y)) for _ in range(rounds)
    ]
    theirs, mine = np.min(turns, axis=0)
    return float(theirs), float(mine)


def main() -> int:
    """Print the table; return 1 if `--check` finds a case too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", action="store_true", help="only digits with defaults")
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases that hold this text")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    slow = 0
    for case in cases(whole=not arguments.digits):
        if arguments.only not in str(case):
            continue
        theirs, mine = ratio(case, arguments.dtype, arguments.rounds)
        times = theirs / mine
        slow += times < case.least
        mark = "  <--" if times < case.least else ""
        print(f"{case!s:62} {theirs:9.4f} s {mine:9.4f} s {times:6.2f} x{mark}", flush=True)
    return int(arguments.check and slow > 0)


if __name__ == "__main__":
    sys.exit(main())
