"""Look for batch sizes that are slower than smaller ones.

    python benchmarks/batch_sweep.py [--threads 1 2] [--rounds 3] [--output build/batches.json]

Trains on the same 2^17 rows in batches of 2^0 to 2^16, float32, through `Network.fit`, and compares
the time per row with the best of all smaller batches. Prints every batch, then the worst of each
network.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import fastmlp as fm
from contest import Table, write_json

NETWORKS = ((20, 64, 64, 2), (50, 256, 128, 1), (784, 512, 512, 10))
ROWS = 1 << 17
BATCHES = [1 << power for power in range(17)]
MOST_SECONDS = 0.5  # of one run: small batches train on a part of the rows


def network(sizes: tuple[int, ...]) -> fm.Network:
    """Return a classifier, or a regressor where there is one output."""
    return fm.Network(list(sizes), output="identity" if sizes[-1] == 1 else "softmax", seed=0)


class Fits:
    """Fits of one network, on as many rows as take less than `MOST_SECONDS`."""

    def __init__(self, sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, threads: int) -> None:
        self.net, self.optimizer, self.threads = network(sizes), fm.SGD(1e-4), threads
        self.x, self.y = x, y
        self.rows = {batch: self.enough_rows(batch) for batch in BATCHES}

    def seconds(self, batch: int, rows: int) -> float:
        """Return the time of one epoch."""
        start = time.perf_counter()
        self.net.fit(self.x[:rows], self.y[:rows], 1, batch, self.optimizer, n_threads=self.threads)
        return time.perf_counter() - start

    def enough_rows(self, batch: int) -> int:
        """Return a number of rows that take some time."""
        rows = max(batch, 2048)
        while rows < len(self.x) and self.seconds(batch, rows) < MOST_SECONDS / 4:
            rows = min(len(self.x), rows * 4)
        return rows

    def seconds_per_row(self, rounds: int) -> np.ndarray:
        """Return the least of each batch; all in turn, since the machine may change meanwhile."""
        seconds = [
            [self.seconds(batch, rows) / rows for batch, rows in self.rows.items()]
            for _ in range(rounds)
        ]
        least: np.ndarray = np.min(seconds, axis=0)
        return least


def worst_batch(
    sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, threads: int, rounds: int
) -> tuple[float, int]:
    """Print every batch; return by how much the worst is slower than the best before, and it."""
    least, found = np.inf, []
    seconds_per_row = Fits(sizes, x, y, threads).seconds_per_row(rounds)
    for batch, seconds in zip(BATCHES, seconds_per_row, strict=True):
        slower = seconds / least - 1
        name = f"{'-'.join(map(str, sizes))}, batch {batch}, threads {threads}"
        print(f"{name:44} {seconds * 1e9:10.1f} ns/row {slower:+8.1%}", flush=True)
        found.append((float(slower), batch))
        least = min(least, seconds)
    return max(found[1:])


def main() -> None:
    """Sweep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table: Table = []
    for sizes in NETWORKS:
        x = rng.standard_normal((ROWS, sizes[0]), dtype=np.float32)
        y = rng.integers(sizes[-1], size=ROWS) if sizes[-1] > 1 else x[:, :1]
        for threads in options.threads:
            slower, batch = worst_batch(sizes, x, y, threads, options.rounds)
            row = {"layers": "-".join(map(str, sizes)), "threads": threads}
            table.append({**row, "worst batch": batch, "above the best smaller batch": slower})
    for row in table:
        print(*(f"{name}: {value}" for name, value in row.items()), sep=", ")
    if options.output:
        write_json(options.output, table)


if __name__ == "__main__":
    main()
