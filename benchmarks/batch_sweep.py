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


def seconds_per_row(
    sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, batch: int, threads: int, rounds: int
) -> float:
    """Return the least of several runs."""
    net, optimizer = network(sizes), fm.SGD(1e-4)
    rows, best = min(len(x), max(batch, 2048)), np.inf
    runs = 0
    while runs < rounds:
        start = time.perf_counter()
        net.fit(x[:rows], y[:rows], 1, batch, optimizer, n_threads=threads)
        seconds = time.perf_counter() - start
        if rows < len(x) and seconds < MOST_SECONDS / 4:
            rows = min(len(x), rows * 4)
            continue
        best = min(best, seconds / rows)
        runs += 1
    return float(best)


def worst_batch(
    sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, threads: int, rounds: int
) -> tuple[float, int]:
    """Print every batch; return by how much the worst is slower than the best before, and it."""
    least, found = np.inf, []
    for batch in BATCHES:
        seconds = seconds_per_row(sizes, x, y, batch, threads, rounds)
        slower = seconds / least - 1
        name = f"{'-'.join(map(str, sizes))}, batch {batch}, threads {threads}"
        print(f"{name:44} {seconds * 1e9:10.1f} ns/row {slower:+8.1%}", flush=True)
        found.append((slower, batch))
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
