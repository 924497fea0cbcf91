"""What the parts of the trainer cost: the time of a step with each, over that of plain SGD.

Everything takes turns, and the least time of several rounds counts:

    python benchmarks/trainer_parts.py --threads 1
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import write_json

Part = tuple[fm.Network, Any]  # a network, and its optimizer


def parts(layers: list[int]) -> dict[str, Part]:
    """Give each part by its name; the first is what the others are compared with."""

    def network(optimizer: Any = fm.SGD(0.01), **arguments: Any) -> Part:  # noqa: B008  (frozen)
        return fm.Network(layers, seed=1, **arguments), optimizer

    return {
        "SGD": network(),
        "momentum": network(fm.SGD(0.01, momentum=0.9)),
        "Adam": network(fm.Adam()),
        "RMSprop": network(fm.RMSprop(0.001)),
        "Adam, clipped by norm": network(fm.Adam(clip_norm=1.0)),
        "dropout": network(dropout=0.2),
        "layer normalization": network(normalization="layer"),
        "batch normalization": network(normalization="batch"),
        "layer normalization, dropout": network(normalization="layer", dropout=0.2),
    }


def step_seconds(networks: dict[str, Part], args: argparse.Namespace) -> dict[str, float]:
    """Return the least seconds per step of each network."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((args.batch * args.steps, args.layers[0])).astype(np.float32)
    y = rng.integers(0, args.layers[-1], len(X))
    least = dict.fromkeys(networks, float("inf"))
    for i in range(args.rounds + 1):  # the first warms up
        for name, (net, optimizer) in networks.items():
            start = time.perf_counter()
            net.fit(X, y, 1, args.batch, optimizer, n_threads=args.threads)
            seconds = (time.perf_counter() - start) / args.steps
            if i > 0:
                least[name] = min(least[name], seconds)
    return least


def sizes(text: str) -> list[int]:
    """Read ``784,512,10``."""
    return [int(size) for size in text.split(",")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what the parts of the trainer cost")
    parser.add_argument("--layers", type=sizes, default=[784, 512, 512, 10])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40, help="steps per round")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    args = parser.parse_args()
    least = step_seconds(parts(args.layers), args)
    print(f"{'-'.join(map(str, args.layers))}, batch {args.batch}, threads {args.threads}")
    for name, seconds in least.items():
        print(f"{name:<30} {seconds * 1e6:8.1f} us  {seconds / least['SGD']:5.3f}")
    if args.output:
        names = [name for name in least if name != "SGD"]
        table = [{"part": name, "of SGD": least[name] / least["SGD"]} for name in names]
        write_json(args.output, table)


if __name__ == "__main__":
    main()
