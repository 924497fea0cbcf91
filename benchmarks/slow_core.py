"""Time steps on all processors while another process takes a part of one.

    python benchmarks/slow_core.py [--share 0.4] [--turn 0.001] [--output FILE]

The other process computes for `share` of each `turn` (seconds) on the last processor, and sleeps
for the rest. Times are relative to the same steps on the quiet machine, in turn with them. With
fixed shares every step would wait for the thread on that processor, as long as 1 / (1 - share) of
its time: the column `fixed`. If all processors were used as far as they are free, it would be what
`ideal` says.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

import fastmlp as fm
from contest import Table, write_json
from short_fits import busy_processor

NETWORKS = (
    ((784, 512, 512, 10), 128),
    ((30, 256, 128, 2), 256),
    ((30, 256, 128, 2), 4096),
    ((1024, 1024, 1024, 10), 512),
)
ROUNDS, SECONDS = 9, 0.2


class Steps:
    """Fits of one network that take about `SECONDS`."""

    def __init__(self, sizes: tuple[int, ...], batch: int) -> None:
        rng = np.random.default_rng(0)
        self.batch, self.count = batch, max(2, 8192 // batch)
        self.net = fm.Network(list(sizes), seed=0)
        self.x = rng.standard_normal((batch * self.count, sizes[0]), dtype=np.float32)
        self.y = rng.integers(sizes[-1], size=len(self.x))
        self.epochs = max(1, int(SECONDS / (self.microseconds(2) * 1e-6 * self.count)))

    def microseconds(self, epochs: int = 0) -> float:
        """Return the time of one step of a fit."""
        epochs = epochs or self.epochs
        start = time.perf_counter()
        self.net.fit(self.x, self.y, epochs, self.batch, fm.SGD(1e-4))
        return (time.perf_counter() - start) / (epochs * self.count) * 1e6


def row_of(sizes: tuple[int, ...], batch: int, options: argparse.Namespace) -> dict[str, object]:
    """Time steps on the quiet machine and beside the other process, in turn."""
    steps, cpus = Steps(sizes, batch), sorted(os.sched_getaffinity(0))
    quiet, beside = [], []
    for _ in range(ROUNDS):
        quiet.append(steps.microseconds())
        with busy_processor(cpus[-1], options.share, options.turn):
            beside.append(steps.microseconds())
    ratios = np.array(beside) / min(quiet)
    return {
        "layers, batch": f"{'-'.join(map(str, sizes))}, {batch}",
        "quiet, µs": min(quiet),
        "best": float(ratios.min()),
        "median": float(np.median(ratios)),
        "ideal": len(cpus) / (len(cpus) - options.share),
        "fixed": 1 / (1 - options.share),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.4)
    parser.add_argument("--turn", type=float, default=0.001)
    parser.add_argument("--output", type=Path, default=Path("build/slow-core.json"))
    options = parser.parse_args()
    rows: Table = []
    for sizes, batch in NETWORKS:
        rows.append(row_of(sizes, batch, options))
        print(
            {k: v if isinstance(v, str) else round(v, 2) for k, v in rows[-1].items()}, flush=True
        )
    write_json(options.output, rows)


if __name__ == "__main__":
    main()
