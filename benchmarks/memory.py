"""Measure what `fit` adds to the memory of a process that holds a large array.

    python benchmarks/memory.py [--gigabytes 1]

The array is C-contiguous float32: in memory, read-only, and mapped from a file. The growth of the
peak resident memory may be 50 MB and 8 bytes a row. At last 50-256-128-1 is trained with one batch
of 10^6 rows, which may take 64 MB.
"""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp as fm
from contest import Table, write_json

FEATURES, CLASSES, BATCH = 256, 10, 256
FIXED_ALLOWANCE, ROW_ALLOWANCE = 50e6, 8
FULL_BATCH_ALLOWANCE = 64e6


def peak_bytes() -> int:
    """Return the peak resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell the peak of the resident memory")


def make_array(kind: str, rows: int, folder: Path) -> NDArray[np.float32]:
    """Return a resident array of the kind."""
    if kind == "mapped":
        path = folder / "X.npy"
        writable = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES))
        writable[:] = 0.5
        writable.flush()
        del writable
        mapped: NDArray[np.float32] = np.load(path, mmap_mode="r")
        mapped.max(axis=0)  # every page is touched before the count begins
        return mapped
    array = np.full((rows, FEATURES), 0.5, np.float32)
    array.flags.writeable = kind != "read-only"
    return array


def growth(kind: str, rows: int, folder: Path) -> int:
    """Return the bytes by which an epoch in batches raises the peak of this process."""
    X = make_array(kind, rows, folder)
    y = np.arange(rows) % CLASSES
    network = fm.Network([FEATURES, 32, CLASSES], seed=0)
    network.fit(X[:64], y[:64], epochs=1)
    before = peak_bytes()
    network.fit(X, y, epochs=1, batch_size=BATCH)
    return peak_bytes() - before


def growth_of_full_batch() -> int:
    """Return the same for one batch of a million rows, shuffled."""
    X = np.random.default_rng(0).random((1_000_000, 50), dtype=np.float32)
    y = X[:, :1].copy()
    network = fm.Network([50, 256, 128, 1], output="identity", seed=0)
    network.fit(X[:64], y[:64], epochs=1)
    before = peak_bytes()
    network.fit(X, y, epochs=1, batch_size=len(X))
    return peak_bytes() - before


def main() -> int:
    """Measure each kind of array in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of the array (default 1)")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    rows = int(options.gigabytes * 1e9 / (4 * FEATURES))
    allowed = FIXED_ALLOWANCE + ROW_ALLOWANCE * rows
    batches = f"{options.gigabytes:g} GB {{}}, batches of {BATCH}"
    context = multiprocessing.get_context("spawn")
    table: Table = []
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        measured: list[tuple[str, float, Callable[..., int], tuple[Any, ...]]] = [
            (batches.format(kind), allowed, growth, (kind, rows, Path(folder)))
            for kind in ("in memory", "read-only", "mapped")
        ]
        measured.append(("one batch of 10^6 rows", FULL_BATCH_ALLOWANCE, growth_of_full_batch, ()))
        for data, most, function, arguments in measured:
            with context.Pool(1) as pool:
                grown = pool.apply(function, arguments)
            fine = fine and grown <= most
            table.append({"data": data, "MB beside it": grown / 1e6})
            print(f"{data}: peak + {grown / 1e6:.1f} MB, allowed {most / 1e6:.1f} MB", flush=True)
    if options.output:
        write_json(options.output, table)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
