"""What the change of one import brings: our estimators against scikit-learn's own, whole fits.

``python benchmarks/sklearn_swap.py`` trains both on digits with defaults, to the end of training.
``--data`` is the whole grid instead, on every bundled data set or on those that are named, also on
10^4 or 10^5 random rows (``rows4``, ``rows5``): solvers, widths, batch sizes; short fits, so that
what a fit costs before its first step counts too. ``--lbfgs`` is L-BFGS on two larger sets of
random rows. The two libraries take turns and the least time of each counts. Fits that miss the aim
(3 times as fast on digits with defaults, 4 times with ``--lbfgs`` in float32, 3.5 times in float64,
never slower in the grid) are timed again; ``--check`` fails if one still does.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn import datasets, neural_network
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

import fastmlp as fm
from contest import Table, write_json
from fastmlp import sklearn as ours

CLASSIFIED = ("digits", "breast_cancer", "wine", "iris")
REGRESSED = ("diabetes", "linnerud")
RANDOM = {"rows4": (10_000, 50), "rows5": (100_000, 50), "20000x50": (20_000, 50)}
RANDOM["60000x100"] = (60_000, 100)
"""Rows and features."""
WIDTHS = ((8,), (100,), (200, 200), (512,))
BATCHES = ("auto", 1, 8, 32, 200, "n")


@dataclass
class Case:
    """One fit: a data set and what differs from the defaults; `least` is the aim, in times."""

    data: str
    dtype: str
    settings: dict[str, Any] = field(default_factory=dict)
    least: float = 1.0

    def __str__(self) -> str:
        settings = " ".join(f"{k}={v}" for k, v in self.settings.items() if k != "max_iter")
        return f"{self.data:14}{self.dtype:8} {settings}"


@dataclass
class Timing:
    """The least seconds of both libraries."""

    case: Case
    theirs: float
    mine: float

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.theirs / self.mine

    @property
    def misses(self) -> bool:
        """Whether that is less than the aim."""
        return self.times < self.case.least

    def __str__(self) -> str:
        mark = "  <--" if self.misses else ""
        return f"{self.case!s:72}{self.theirs:9.4f} s {self.mine:9.4f} s {self.times:7.2f} x{mark}"


def defaults(dtype: str) -> Iterator[Case]:
    """Yield the fits of digits with defaults."""
    for solver in ("adam", "sgd"):
        yield Case("digits", dtype, {"solver": solver}, least=3.0)


def lbfgs(dtype: str) -> Iterator[Case]:
    """Yield fits by L-BFGS whose time is that of passes over many rows."""
    for data, hidden in (("20000x50", (100,)), ("60000x100", (64, 32))):
        settings = {"solver": "lbfgs", "hidden_layer_sizes": hidden, "max_iter": 10}
        yield Case(data, dtype, settings, least=4.0 if dtype == "float32" else 3.5)


def grid(data: str, dtype: str, solvers: list[str]) -> Iterator[Case]:
    """Yield short fits on one data set: every solver with every width and batch size."""
    samples = len(load(data, dtype)[0])
    for solver in solvers:
        for width in WIDTHS:
            for batch in BATCHES if solver != "lbfgs" else ("auto",):
                size = samples if batch == "n" else batch
                if isinstance(size, int) and (size > samples or (batch == "n" and samples <= 200)):
                    continue
                if data in RANDOM and size in (1, 8):  # minutes of the same steps
                    continue
                epochs = 1 if isinstance(size, int) and size < 32 else 5
                settings = {"solver": solver, "hidden_layer_sizes": width, "batch_size": size}
                yield Case(data, dtype, {**settings, "max_iter": epochs})


def load(name: str, dtype: str) -> tuple[Any, Any]:
    """Load a bundled data set, its features scaled, or draw ten classes of random rows."""
    if name in RANDOM:
        rng = np.random.default_rng(0)
        X = rng.standard_normal(RANDOM[name]).astype(dtype)
        return X, (X @ rng.standard_normal((X.shape[1], 10))).argmax(axis=1)
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scale(X).astype(dtype), scale(y).astype(dtype) if name in REGRESSED else y


def seconds(library: Any, case: Case, X: Any, y: Any) -> float:
    """Time one fit."""
    kind = "MLPRegressor" if case.data in REGRESSED else "MLPClassifier"
    estimator = getattr(library, kind)(random_state=0, **case.settings)
    start = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - start


def measure(case: Case, at_least: float) -> Timing:
    """Let the two take turns for `at_least` seconds, and three times at least."""
    X, y = load(case.data, case.dtype)
    turns: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(turns) < 3 or time.perf_counter() - start < at_least:
        turns.append((seconds(neural_network, case, X, y), seconds(ours, case, X, y)))
    return Timing(case, *np.min(turns, axis=0))


def row_of(timing: Timing, threads: int | None) -> dict[str, Any]:
    """Return the row of the table in docs/performance.md."""
    case = timing.case
    return {
        **({} if case.data == "digits" else {"data": f"{case.data}, {case.dtype}"}),
        "solver": case.settings["solver"],
        "threads": threads,
        "scikit-learn, s": timing.theirs,
        "fastmlp, s": timing.mine,
        "times as fast": timing.times,
    }


def rows_of_the_grid(timings: list[Timing]) -> Table:
    """Return a row for each data set and type: how many times as fast its fits are."""
    times: dict[str, list[float]] = {}
    for timing in timings:
        times.setdefault(f"{timing.case.data}, {timing.case.dtype}", []).append(timing.times)
    return [
        {
            "data": data,
            "fits": len(found),
            "times as fast, least": min(found),
            "times as fast, median": float(np.median(found)),
            "times as fast, most": max(found),
        }
        for data, found in times.items()
    ]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*CLASSIFIED, *REGRESSED, "rows4", "rows5"]
    parser.add_argument("--data", nargs="*", choices=known, help="the grid; default all bundled")
    parser.add_argument("--lbfgs", action="store_true", help="L-BFGS on larger data instead")
    parser.add_argument("--dtype", nargs="+", default=["float64"], choices=["float32", "float64"])
    parser.add_argument("--solvers", nargs="+", default=["adam", "sgd", "lbfgs"])
    parser.add_argument("--threads", type=int, help="for both; else as each of them chooses")
    parser.add_argument("--only", default="", help="cases that hold this text")
    parser.add_argument("--seconds", type=float, default=0.05, help="at least, for a case")
    parser.add_argument("--worst", type=int, default=0, help="print the worst of all only")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    return parser.parse_args()


def chosen_cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """Yield the cases that the command line asks for."""
    for dtype in arguments.dtype:
        if arguments.data is None:
            yield from lbfgs(dtype) if arguments.lbfgs else defaults(dtype)
        else:
            for data in arguments.data or (*CLASSIFIED, *REGRESSED):
                yield from grid(data, dtype, arguments.solvers)


def main() -> int:
    """Print the table; return 1 if `--check` finds a case too slow."""
    arguments = read_arguments()
    warnings.simplefilter("ignore")
    if arguments.threads:
        fm.set_num_threads(arguments.threads)
    timings = []
    with threadpool_limits(arguments.threads) if arguments.threads else nullcontext():
        for case in chosen_cases(arguments):
            if arguments.only not in str(case):
                continue
            timing = measure(case, arguments.seconds)
            if timing.misses:
                timing = measure(case, 10 * arguments.seconds)
            timings.append(timing)
            if not arguments.worst:
                print(timing, flush=True)
    for timing in sorted(timings, key=lambda timing: timing.times)[: arguments.worst]:
        print(timing)
    times = [timing.times for timing in timings]
    threads = arguments.threads or os.cpu_count()
    print(
        f"{len(times)} fits, up to {threads} threads: {min(times):.2f} to {max(times):.1f} times "
        f"as fast, {np.median(times):.1f} in the middle"
    )
    if arguments.output:
        table = [row_of(timing, threads) for timing in timings]
        if arguments.data is not None:
            table = rows_of_the_grid(timings)
        write_json(arguments.output, table, {"scikit-learn": sklearn.__version__})
    return int(arguments.check and any(timing.misses for timing in timings))


if __name__ == "__main__":
    sys.exit(main())
