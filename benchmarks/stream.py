"""Training on a stream against training on the same rows in memory: samples per second of `fit`.

The files are written to a temporary directory, and read from the page cache: the disk keeps up.
Run: python benchmarks/stream.py [--rows 100000] [--rounds 3]
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp as fm
from contest import write_json

NETWORKS = {"784-128-10": [784, 128, 10], "100-256-128-2": [100, 256, 128, 2]}
BATCH = 128
GROUP = 20_000  # rows of a row group, and of a record batch


def write_tables(folder: Path, X: NDArray[Any], y: NDArray[Any], group: int) -> None:
    """Write files as most do: Parquet compressed by Snappy in row groups, Arrow in batches."""
    import pyarrow as pa  # noqa: PLC0415  (an extra)
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([(f"f{j}", pa.float32()) for j in range(X.shape[1])] + [("y", pa.int64())])
    with (
        pq.ParquetWriter(folder / "table.parquet", schema, use_dictionary=["y"]) as parquet,
        pa.ipc.new_file(folder / "table.arrow", schema) as arrow,
    ):
        for i in range(0, len(X), group):
            columns = [*X[i : i + group].T.copy(), y[i : i + group]]
            table = pa.table(columns, schema=schema)
            parquet.write_table(table, row_group_size=group)
            arrow.write_table(table)


def best(fits: dict[str, Callable[[], fm.History]], rounds: int) -> dict[str, float]:
    """Return the most samples a second of each, taking turns."""
    speeds: dict[str, float] = {}
    for _ in range(rounds):
        for name, fit in fits.items():
            speeds[name] = max(speeds.get(name, 0.0), fit().samples_per_second)
    return speeds


def race(name: str, rows: int, rounds: int) -> dict[str, Any]:
    """Print and return how fast a network trains on the same rows from memory and from files."""
    layers = NETWORKS[name]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, layers[0]), dtype=np.float32)
    y = rng.integers(0, layers[-1], rows)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        np.save(folder / "X.npy", X)
        np.save(folder / "y.npy", y)
        write_tables(folder, X, y, GROUP)
        streams: dict[str, Any] = {
            "memory": (X, y),
            ".npy": (fm.ArrayStream(folder / "X.npy", folder / "y.npy"), None),
            "Arrow": (fm.ParquetStream(folder / "table.arrow", "y"), None),
            "Parquet": (fm.ParquetStream(folder / "table.parquet", "y"), None),
        }

        def fit(X: Any, y: Any) -> fm.History:
            net = fm.Network(layers, seed=1)
            return net.fit(X, y, 2, BATCH, fm.SGD(0.01), n_threads=1)

        fits: dict[str, Callable[[], fm.History]] = {
            kind: partial(fit, *samples) for kind, samples in streams.items()
        }
        speeds = best(fits, rounds)
    for kind, speed in speeds.items():
        print(f"{name:15} {kind:8} {speed:12,.0f} samples/s {speed / speeds['memory']:6.0%}")
    memory = speeds.pop("memory")
    shares = {k: {"samples/s": round(s), "of memory": s / memory} for k, s in speeds.items()}
    return {"layers, batch": f"{name}, {BATCH}", "memory": round(memory), **shares}


def main() -> None:
    """Run both networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    table = [race(name, arguments.rows, arguments.rounds) for name in NETWORKS]
    if arguments.output:
        write_json(arguments.output, table)


if __name__ == "__main__":
    main()
