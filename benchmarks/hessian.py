"""The time of a Hessian-vector product as a multiple of that of a gradient.

Both are those of ``Network.objective``, measured in turns. A gradient is three products with all
weights for each row, a Hessian-vector product eight: at best 2.7 times as long.

    python benchmarks/hessian.py [--threads 1] [--dtype float32]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import Table, write_json

CASES: list[tuple[str, int, list[int], Any, Any]] = [
    ("2-16-16-1 tanh", 200, [2, 16, 16, 1], "tanh", "identity"),
    ("64-64-10 relu", 256, [64, 64, 10], "relu", "softmax"),
    ("64-64-64-10 gelu", 1024, [64, 64, 64, 10], "gelu", "softmax"),
    ("30-100-1 tanh", 5000, [30, 100, 1], "tanh", "identity"),
    ("784-128-10 relu", 4096, [784, 128, 10], "relu", "softmax"),
    ("512-512-512-10 silu", 1024, [512, 512, 512, 10], "silu", "softmax"),
]
"""Name, rows, layers, activation, output."""


def durations(first: Callable[[], object], second: Callable[[], object]) -> Iterator[float]:
    """Yield the shortest time of each of two calls, in seconds, called in turns for 3 s."""
    best = [float("inf")] * 2
    end = time.perf_counter() + 3.0
    while time.perf_counter() < end:
        for i, call in enumerate((first, second)):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    yield from best


def main() -> None:
    """Print a line per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    fm.set_num_threads(arguments.threads)
    print(f"{'network':22}{'rows':>6}{'gradient':>14}{'hvp':>14}{'ratio':>8}")
    table: Table = []
    for name, rows, layers, activation, output in CASES:
        net = fm.Network(
            layers, activation=activation, output=output, seed=1, dtype=arguments.dtype
        )
        rng = np.random.default_rng(1)
        X = rng.standard_normal((rows, layers[0])).astype(arguments.dtype)
        y = rng.integers(0, 10, rows) if output == "softmax" else X[:, :1]
        f, theta = net.objective(X, y), net.parameters.copy()
        v = rng.standard_normal(theta.size).astype(arguments.dtype)
        gradient, product = durations(lambda: f(theta), lambda: f.hvp(v))  # noqa: B023
        print(
            f"{name:22}{rows:6}{1e6 * gradient:11,.0f} us{1e6 * product:11,.0f} us"
            f"{product / gradient:8.2f}"
        )
        table.append({"layers": name, "rows": rows, "gradient, µs": 1e6 * gradient,
                      "Hessian-vector product, µs": 1e6 * product,
                      "times as long": product / gradient})  # fmt: skip
    if arguments.output:
        write_json(arguments.output, table)


if __name__ == "__main__":
    main()
