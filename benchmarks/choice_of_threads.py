"""Compare the automatic number of threads with the best: small steps, where two may not pay.

    python benchmarks/choice_of_threads.py [--output FILE]

Another process, with FASTMLP_EXACT_THREADS=1, times steps on one thread and on two; this one leaves
the number to fastmlp. All three in turn, the least of each counts. Prints the automatic time
relative to the faster of the two.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
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
ROUNDS, SECONDS = 7, 0.05  # enough steps for a trial
EXACT = "FASTMLP_EXACT_THREADS"


class Steps:
    """Fits of one network, of some steps each."""

    def __init__(self, sizes: tuple[int, ...], batch: int) -> None:
        rng = np.random.default_rng(0)
        self.batch, self.steps = batch, max(4, 1024 // batch)
        self.net = fm.Network(list(sizes), seed=0)
        self.x = rng.standard_normal((batch * self.steps, sizes[0]), dtype=np.float32)
        self.y = rng.integers(sizes[-1], size=len(self.x))

    def microseconds(self, epochs: int, threads: int | None) -> float:
        """Return the time of one step; without `threads` on as many as fastmlp chooses."""
        start = time.perf_counter()
        self.net.fit(
            self.x, self.y, epochs, self.batch, fm.SGD(1e-4), n_threads=threads, shuffle=False
        )
        return (time.perf_counter() - start) / (epochs * self.steps) * 1e6


steps_of = cache(Steps)


def microseconds(
    sizes: tuple[int, ...], batch: int, epochs: int | None, threads: int | None
) -> float:
    """Return the time of one step of a fit; without `epochs`, of one that takes `SECONDS`."""
    steps = steps_of(sizes, batch)
    if epochs is None:
        epochs = max(2, int(SECONDS / (steps.microseconds(2, threads) * 1e-6 * steps.steps)))
    return steps.microseconds(epochs, threads)


@contextmanager
def exact_process() -> Iterator[ProcessPoolExecutor]:
    """Give a process that uses just as many threads as a call asks for."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        os.environ[EXACT] = "1"
        executor.submit(fm.get_num_threads).result()  # starts it
        del os.environ[EXACT]
        yield executor


def row_of(sizes: tuple[int, ...], batch: int, exact: ProcessPoolExecutor) -> dict[str, object]:
    """Time the automatic number, one thread and two, in turn."""
    rounds = [
        [
            microseconds(sizes, batch, None, None),
            *(exact.submit(microseconds, sizes, batch, None, n).result() for n in (1, 2)),
        ]
        for _ in range(ROUNDS)
    ]
    automatic, one, two = np.min(rounds, axis=0)
    products = [k * n for k, n in pairwise(sizes)]
    return {
        "layers, batch": f"{'-'.join(map(str, sizes))}, {batch}",
        "MFLOP": 2 * batch * (2 * sum(products) + sum(products[1:])) / 1e6,
        "1 thread": float(one),
        "2 threads": float(two),
        "automatic": float(automatic),
        "over the best": float(automatic / min(one, two)),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/choice-of-threads.json"))
    options = parser.parse_args()
    rows: Table = []
    with exact_process() as exact:
        for sizes, batch in CASES:
            rows.append(row_of(sizes, batch, exact))
            print(*rows[-1].values(), flush=True)
    write_json(options.output, rows)


if __name__ == "__main__":
    main()
