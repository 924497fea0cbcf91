"""The long parity run: random cases beside scikit-learn and PyTorch for as long as one likes.

    python tests/long/parity.py 600 0

compares for 600 seconds, from the seed 0 on, and prints how many cases agree, how many differ as
docs/guide/migration.md says, and each that differs otherwise; the exit status is 1 if there is one.
PyTorch's part is left out where it is not installed.
"""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from parity import estimators, metrics

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


def main(seconds: float, first: int) -> int:
    """Compare part after part, each for its share of the time; return the exit status."""
    failed = 0
    for name, compare in parts().items():
        counts: Counter[str] = Counter()
        end = time.monotonic() + seconds * SHARES[name]
        seed = first
        while time.monotonic() < end:
            kind, differences = compare(seed)
            counts[kind] += 1
            if kind == "different":
                print(f"{name}, seed {seed}:", *differences, sep="\n    ")
            seed += 1
        failed += counts["different"]
        print(f"{name}: {counts.total():,} cases, {counts.pop('same', 0):,} the same")
        for kind, count in counts.most_common():
            print(f"    {count:,} {kind}")
    return int(failed > 0)


SHARES = {
    "estimators": 0.6,
    "metrics": 0.1,
    "class weights": 0.02,
    "trainings": 0.25,
    "rates": 0.03,
}
"""The share of the time that each part has."""


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2])))
