"""The long parity run: random cases beside scikit-learn and PyTorch for as long as one likes.

    python tests/long/parity.py 600 0

compares for 600 seconds, from the seed 0 on, and prints how many cases agree, how many differ as
docs/guide/migration.md says, and each that differs otherwise; the exit status is 1 if there is one.
PyTorch's part is left out where it is not installed. `--output build/parity.json` writes the table
of that page, for `benchmarks/figures.py --take parity`.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parents[2] / "benchmarks"))
from parity import estimators, metrics

from contest import write_json

Part = Callable[[int], tuple[str, list[str]]]


def parts() -> dict[str, Part]:
    """Return what is compared: a function of the seed for each part."""
    result: dict[str, Part] = {
        "estimators": estimators.compare,
        "metrics": metrics.compare,
        "class weights": metrics.compare_class_weights,
    }
    if find_spec("torch"):
        import_module("torch").set_num_threads(1)  # more would only wait for each other
        torch_peer = import_module("parity.torch_peer")
        result["trainings"] = torch_peer.compare
        result["rates"] = import_module("parity.torch_schedules").compare_rates
    return result


def row_of(name: str, counts: Counter[str]) -> dict[str, Any]:
    """Return a row of the table in docs/guide/migration.md."""
    listed = [f"{kind}: {n:,}" for kind, n in counts.most_common() if kind not in UNLISTED]
    row = {
        "part": NAMES.get(name, name),
        "cases": counts.total(),
        "the same": counts["same"],
        "differ otherwise": counts["different"],
    }
    return row | ({"differ as listed above": ", ".join(listed)} if listed else {})


def main() -> int:
    """Compare part after part, each for its share of the time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("first", type=int, help="the first seed")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = []
    for name, compare in parts().items():
        counts: Counter[str] = Counter()
        end = time.monotonic() + options.seconds * SHARES[name]
        seed = options.first
        while time.monotonic() < end:
            kind, differences = compare(seed)
            counts[kind] += 1
            if kind == "different":
                print(f"{name}, seed {seed}:", *differences, sep="\n    ")
            seed += 1
        table.append(row_of(name, counts))
        print(", ".join(f"{column}: {value}" for column, value in table[-1].items()), flush=True)
    if options.output:
        peers = {"scikit-learn": version("scikit-learn")}
        if find_spec("torch"):
            peers["PyTorch"] = version("torch")
        write_json(options.output, table, peers)
    return int(any(row["differ otherwise"] for row in table))


UNLISTED = {"same", "different"}
NAMES = {"class weights": "balanced class weights", "rates": "rates of schedules"}
SHARES = {
    "estimators": 0.6,
    "metrics": 0.1,
    "class weights": 0.02,
    "trainings": 0.25,
    "rates": 0.03,
}
"""The share of the time that each part has."""


if __name__ == "__main__":
    sys.exit(main())
