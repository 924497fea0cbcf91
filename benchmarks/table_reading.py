"""Reading and preparing a CSV file of 100 MB and 30 columns, beside polars' reading of it.

    python benchmarks/table_reading.py [--rounds 5] [--mix plain]

Ours is what `TabularModel.fit` does before it trains: the file is read and checked, the kinds of
its columns are decided, their cells parsed, and their encoders fitted; and apart, with the matrix
that the networks learn from, whose size depends on the encoding. All use one thread and take turns,
each in a new process, of which the shortest processor time and the largest resident memory are
printed. The goal is 2.5 times the time of polars, and 0.5 GB. "plain" has numbers, dates and words
as most files have them; in "hard" most columns are text that has to be parsed or is different in
nearly every row.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contest import write_json
from memory import peak_bytes

ROWS = {"plain": 400_000, "hard": 260_000}
MIXES = {
    "plain": {"fraction": 10, "whole": 6, "gaps": 3, "few": 4, "many": 2, "day": 2, "yes": 2},
    "hard": {"fraction": 4, "whole": 3, "gaps": 4, "few": 3, "many": 2, "day": 2, "yes": 1,
             "moment": 2, "day first": 1, "code": 2, "thousands": 2, "name": 2, "prose": 1},
}  # fmt: skip


def column(kind: str, rows: int, rng: np.random.Generator) -> Any:
    """Return the cells of a column."""
    if kind == "fraction":
        return rng.normal(50, 20, rows).round(4)
    whole = rng.integers(0, 100_000, rows)
    if kind == "whole":
        return whole
    if kind in {"few", "many", "yes"}:
        count = {"few": 12, "many": 2000, "yes": 2}[kind]
        words = ["yes", "no"] if kind == "yes" else [f"town {i}" for i in range(count)]
        return np.array(words)[whole % count]
    if kind == "gaps":
        return np.where(rng.random(rows) < 0.1, "NA", (whole / 100).astype(str))
    if kind in {"day", "day first", "moment"}:
        return dates(kind, rng.integers(0, 20_000 * 86_400, rows))
    form = {
        "code": "{:05d}", "thousands": '{:,}', "name": "customer-{:07d}",
        "prose": "a remark on {} that is somewhat longer than other cells, and has a comma",
    }[kind]  # fmt: skip
    if kind == "name":
        whole = rng.permutation(rows)
    return [form.format(number) for number in whole.tolist()]


def dates(kind: str, seconds: NDArray[np.int64]) -> Any:
    """Return days, or moments of a day, as text."""
    moments = seconds.astype("M8[s]")
    if kind == "moment":
        return np.char.replace(moments.astype(str), "T", " ")
    days = moments.astype("M8[D]").astype(str).tolist()
    if kind == "day":
        return days
    return [f"{day[8:]}/{day[5:7]}/{day[:4]}" for day in days]


def write(path: Path, mix: str, rows: int) -> None:
    """Write a file with the columns of a mix, and a target that depends on some of them."""
    import pyarrow as pa  # noqa: PLC0415  (an extra)
    from pyarrow import csv  # noqa: PLC0415

    rng = np.random.default_rng(0)
    kinds = [(kind, i) for kind, count in MIXES[mix].items() for i in range(count)]
    table = {f"{kind} {i}": column(kind, rows, rng) for kind, i in kinds}
    table["price"] = (table["fraction 0"] * 3 + rng.normal(size=rows)).round(2)
    options = csv.WriteOptions(quoting_style="needed", quoting_header="needed")
    csv.write_csv(pa.table(table), path, options)


def by_polars(path: Path) -> None:
    """Read the file, with the types that polars infers."""
    import polars as pl  # noqa: PLC0415

    pl.read_csv(path, infer_schema_length=10_000, null_values=["NA"])


def by_fastmlp(path: Path) -> tuple[Any, ...]:
    """Read the file and fit the encoders of its columns."""
    from fastmlp.tables.encoding.fit_encoders import fit_encoders  # noqa: PLC0415
    from fastmlp.tables.reading.read import read  # noqa: PLC0415
    from fastmlp.tables.training.selection import select  # noqa: PLC0415

    selection = select(read(path), "price")
    targets = np.zeros((len(selection.rows), 1))
    features, _ = fit_encoders(selection.table, selection.rows, selection.features, targets)
    return features, selection


def with_matrix(path: Path) -> None:
    """Encode the file as a matrix, too."""
    features, selection = by_fastmlp(path)
    features.matrix(selection.table, selection.rows)


READERS: dict[str, Callable[[Path], object]] = {
    "polars": by_polars, "fastmlp": by_fastmlp, "and matrix": with_matrix
}  # fmt: skip


def measure_here(reader: str, path: Path) -> None:
    """Print the seconds and the peak memory of one reading; the imports are done before."""
    small = path.with_name("small.csv")
    READERS[reader](small)
    start = time.process_time()
    READERS[reader](path)
    print(time.process_time() - start, peak_bytes())


def measured(reader: str, path: Path) -> tuple[float, float]:
    """Return what `measure_here` prints in a new process."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--reader", reader, "--file", str(path)]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seconds, peak = output.stdout.split()
    return float(seconds), float(peak)


def race(mix: str, rows: int, rounds: int) -> dict[str, Any]:
    """Write a file, read it in turns, print; return the row of the table in docs/performance.md."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write(path, mix, rows)
        write(path.with_name("small.csv"), mix, 1000)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
        for _ in range(rounds):
            for name, results in found.items():
                results.append(measured(name, path))
        best = {name: min(results)[0] for name, results in found.items()}
        size = f"{path.stat().st_size / 1e6:.0f} MB"
        print(f"{mix}: {size}, {rows:,} rows, 29 columns and a target")
        row: dict[str, Any] = {"data": f"{mix}, {size}"}
        for name, results in found.items():
            peak = max(peak for _, peak in results) / 1e9
            times = best[name] / best["polars"]
            print(f"  {name:<10} {best[name]:5.2f} s, {times:4.2f} times polars, {peak:.2f} GB")
            row |= {f"{name}, s": best[name], f"{name}, GB": peak}
        return row | {"times polars": best["fastmlp"] / best["polars"]}


def main() -> None:
    """Race, or read in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mix", choices=[*MIXES, "both"], default="both")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        measure_here(arguments.reader, arguments.file)
        return
    mixes = MIXES if arguments.mix == "both" else [arguments.mix]
    table = [race(mix, ROWS[mix], arguments.rounds) for mix in mixes]
    if arguments.output:
        versions = {name: version(name) for name in ("polars", "pyarrow")}
        write_json(arguments.output, table, versions)


if __name__ == "__main__":
    main()
