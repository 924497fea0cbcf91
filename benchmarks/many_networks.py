"""What `train_many` gains: 16 networks together against one `fit` after another, on all cores.

Run: python benchmarks/many_networks.py [--rounds 5] [--output build/many.json]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import write_json

SHAPES = (([10, 46, 46, 10], 128, 12_800), ([64, 64, 10], 32, 12_800), ([8, 16, 3], 8, 800))
NETWORKS = 16


def seconds(call: Callable[[], Any]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def race(layers: list[int], batch: int, rows: int, rounds: int) -> dict[str, Any]:
    """Print and return how many times as fast training together is."""
    X = np.random.default_rng(0).standard_normal((rows, layers[0]), dtype=np.float32)
    y = np.arange(rows) % layers[-1]
    nets = [fm.Network(layers, seed=seed) for seed in range(NETWORKS)]

    def together() -> None:
        fm.train_many(nets, X, y, 1, batch)

    def one_by_one() -> None:
        for net in nets:
            net.fit(X, y, 1, batch)

    least = np.min([(seconds(together), seconds(one_by_one)) for _ in range(rounds + 1)], axis=0)
    name = f"{'-'.join(map(str, layers))}, {batch}"
    times = float(least[1] / least[0])
    print(
        f"{name:>20} {least[1] * 1e3:9.2f} ms {least[0] * 1e3:9.2f} ms {times:6.2f} times as fast"
    )
    return {"layers, batch": name, "times as fast": times}


def main() -> None:
    """Run all shapes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    table = [race(*shape, arguments.rounds) for shape in SHAPES]
    if arguments.output:
        write_json(arguments.output, table)


if __name__ == "__main__":
    main()
