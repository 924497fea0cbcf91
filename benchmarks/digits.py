"""How much the accuracy of `fastmlp train digits` depends on the seed and on the split.

    python benchmarks/digits.py [--count 100] [--output build/digits.json]

Runs the command with `--seed 0`, `--seed 1`, ... on its usual split, then with `--split-seed`.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path

import numpy as np

from contest import write_json
from fastmlp.cli.main import main as fastmlp


def accuracy(*options: str) -> float:
    """Return the test accuracy of one run."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        fastmlp(["train", "digits", "--json", *options])
    return float(json.loads(output.getvalue())["test"]["accuracy"])


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="of seeds, and of splits")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    table = []
    for option in ("--seed", "--split-seed"):
        found = [accuracy(option, str(i)) for i in range(options.count)]
        row = {"data": f"{options.count} of {option}", "mean accuracy": float(np.mean(found)),
               "standard deviation": float(np.std(found, ddof=1)), "least": min(found),
               "most": max(found)}  # fmt: skip
        table.append(row)
        print(row, flush=True)
    if options.output:
        write_json(options.output, table)


if __name__ == "__main__":
    main()
