"""Compare the automatic number of threads with the best: small steps, where two may not pay.

    python benchmarks/choice_of_threads.py [--output FILE]

A process with FASTMLP_EXACT_THREADS=1 times steps on one thread and on two, in turn, and another
has the automatic number. Prints the time on the chosen number relative to the faster one.
"""

import argparse
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import fastmlp as fm
from contest import Table, write_json

CASES = (
    ((10, 8, 10), 256), ((50, 16, 16, 2), 32), ((10, 64, 10), 32), ((10, 16, 16, 2), 128),
    ((50, 16, 10), 64), ((50, 100, 100, 2), 8), ((10, 46, 46, 10), 32), ((10, 32, 32, 10), 64),
    ((50, 46, 10), 64), ((10, 64, 10), 128), ((50, 16, 2), 256), ((10, 46, 46, 10), 128),
)  # fmt: skip
ROUNDS, SECONDS = 7, 0.02


class Steps:
    """Fits of one network, of some steps each."""

    def __init__(self, sizes: tuple[int, ...], batch: int) -> None:
        rng = np.random.default_rng(0)
        self.batch, self.steps = batch, max(4, 1024 // batch)
        self.net = fm.Network(list(sizes), seed=0)
        self.x = rng.standard_normal((batch * self.steps, sizes[0]), dtype=np.float32)
        self.y = rng.integers(sizes[-1], size=len(self.x))

    def fit(self, epochs: int, threads: int | None) -> fm.History:
        """Train; without `threads` as many as fastmlp chooses."""
        return self.net.fit(
            self.x, self.y, epochs, self.batch, fm.SGD(1e-4), n_threads=threads, shuffle=False
        )

    def microseconds(self, epochs: int, threads: int) -> float:
        """Return the time of one step."""
        start = time.perf_counter()
        self.fit(epochs, threads)
        return (time.perf_counter() - start) / (epochs * self.steps) * 1e6


def chosen() -> list[int]:
    """Return the automatic number of threads of each case, from a process without the variable."""
    if os.environ.get("FASTMLP_EXACT_THREADS") != "1":
        return [min(2, Steps(sizes, batch).fit(1, None).n_threads) for sizes, batch in CASES]
    code = "import choice_of_threads as c; print(*c.chosen())"
    environment = {k: v for k, v in os.environ.items() if k != "FASTMLP_EXACT_THREADS"}
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(number) for number in process.stdout.split()]


def row_of(sizes: tuple[int, ...], batch: int, automatic: int) -> dict[str, object]:
    """Time both numbers of threads in turn; the least of each counts."""
    steps = Steps(sizes, batch)
    epochs = max(2, int(SECONDS / (steps.microseconds(2, 1) * 1e-6 * steps.steps)))
    rounds = [[steps.microseconds(epochs, threads) for threads in (1, 2)] for _ in range(ROUNDS)]
    one, two = np.min(rounds, axis=0)
    products = [k * n for k, n in pairwise(sizes)]
    return {
        "layers, batch": f"{'-'.join(map(str, sizes))}, {batch}",
        "MFLOP": 2 * batch * (2 * sum(products) + sum(products[1:])) / 1e6,
        "1 thread": float(one),
        "2 threads": float(two),
        "chosen": automatic,
        "over the best": float((one, two)[automatic - 1] / min(one, two)),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/choice-of-threads.json"))
    options = parser.parse_args()
    if os.environ.get("FASTMLP_EXACT_THREADS") != "1":
        sys.exit("run with FASTMLP_EXACT_THREADS=1")
    rows: Table = []
    for (sizes, batch), automatic in zip(CASES, chosen(), strict=True):
        rows.append(row_of(sizes, batch, automatic))
        print(*rows[-1].values(), flush=True)
    write_json(options.output, rows)


if __name__ == "__main__":
    main()
