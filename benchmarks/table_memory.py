"""Memory of reading a table, and of a fit, beyond that of a table of 1,000 rows.

    python benchmarks/table_memory.py [--rows 400000 1000000] [--kinds words mixed]

Each is measured in a new process, as the peak of its resident memory, in multiples of 4 bytes for
each cell; the imports and a table of 1,000 rows come before. The last column is what each further
cell takes, in bytes, from the least to the most rows. The goal is 3 times, and 12 bytes. A table
has 19 columns and a target; mixed ones have fractions, whole numbers, 40 words and days. A fit
trains for an epoch.
"""

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from contest import Table, write_json
from memory import peak_bytes
from table_reading import column

COLUMNS: Final = 20  # with the target
SMALL: Final = 1000
WORDS: Final = np.array([f"word {i}" for i in range(40)])
KINDS: Final = {
    "numbers": (("fraction",), "csv"),
    "words": (("word",), "csv"),
    "mixed": (("fraction", "whole", "word", "day"), "csv"),
    "mixed, Parquet": (("fraction", "whole", "word", "day"), "parquet"),
    "numbers, .npy": (("fraction",), "npy"),
}


def write(path: Path, kinds: tuple[str, ...], rows: int) -> None:
    """Write a file of the format of its ending."""
    import pyarrow as pa  # noqa: PLC0415  (an extra)
    from pyarrow import csv, parquet  # noqa: PLC0415

    rng = np.random.default_rng(0)
    of_columns = [kinds[i % len(kinds)] for i in range(COLUMNS - 1)]
    table = {
        f"column {i}": WORDS[rng.integers(0, len(WORDS), rows)]
        if kind == "word"
        else column(kind, rows, rng)
        for i, kind in enumerate([*of_columns, "fraction"])
    }
    if path.suffix == ".npy":
        np.save(path, np.stack(list(table.values()), axis=1).astype(np.float32))
    elif path.suffix == ".parquet":
        parquet.write_table(pa.table(table), path)
    else:
        csv.write_csv(pa.table(table), path, csv.WriteOptions(quoting_style="needed"))


def measure_here(what: str, small: str, path: str) -> None:
    """Print the peak after the imports and a small table, and after the other one."""
    import fastmlp as fm  # noqa: PLC0415  (the peak is that of a new process)
    from fastmlp.tables.reading.read import read  # noqa: PLC0415

    for file in (small, path):
        if what == "read":
            read(file)
        else:
            fm.TabularModel((8,), epochs=1, seed=1).fit(file, f"column {COLUMNS - 1}")
        print(peak_bytes())


def measured(what: str, small: Path, path: Path) -> tuple[int, int]:
    """Return what `measure_here` prints in a new process."""
    command = [sys.executable, __file__, "--measure", what, str(small), str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    before, peak = map(int, output.split())
    return before, peak


def rows_of(kind: str, sizes: list[int]) -> Table:
    """Measure a kind of table for each number of rows, print; return a row for reading and fit."""
    kinds, ending = KINDS[kind]
    table: Table = []
    with tempfile.TemporaryDirectory() as folder:
        files = {rows: Path(folder) / f"{rows}.{ending}" for rows in (SMALL, *sizes)}
        for rows, path in files.items():
            write(path, kinds, rows)
        for what in ("read", "fit"):
            row: dict[str, Any] = {"data": f"{kind}, {what}"}
            beyond = []
            for rows in sizes:
                before, peak = measured(what, files[SMALL], files[rows])
                beyond.append(peak - before)
                row |= {"imports, MB": before / 1e6}
                row |= {f"{rows:,} rows": beyond[-1] / (4 * COLUMNS * rows)}
            if len(sizes) > 1:
                more = COLUMNS * (sizes[-1] - sizes[0])
                row["bytes for a cell more"] = (beyond[-1] - beyond[0]) / more
            print(", ".join(f"{name}: {value}" for name, value in row.items()), flush=True)
            table.append(row)
    return table


def main() -> None:
    """Measure all, or one in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[400_000, 1_000_000, 2_000_000])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure_here(*arguments.measure)
        return
    table = [row for kind in arguments.kinds for row in rows_of(kind, arguments.rows)]
    if arguments.output:
        write_json(arguments.output, table, {"pyarrow": version("pyarrow")})


if __name__ == "__main__":
    main()
