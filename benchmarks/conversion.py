"""Training on features of other types against float32: seconds of an epoch, types taking turns.

The features are large enough to be borrowed and converted batch by batch, not copied.
Run: python benchmarks/conversion.py [--rounds 5]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import write_json

SHAPES = (([784, 128, 10], 64, 24_000), ([64, 64, 10], 32, 300_000))
EPOCHS = 2


def features(rows: int, columns: int) -> dict[str, Any]:
    """Return the same pixels as several types, and rescaled."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, columns), dtype=np.uint8)
    return {
        "float32": (pixels / 255).astype(np.float32),
        "float64": pixels / 255,
        "uint8": pixels,
        "uint8, scaled": fm.Rescaled(pixels, 1 / 255),
    }


def race(layers: list[int], batch: int, rows: int, rounds: int) -> dict[str, Any]:
    """Print the least seconds of an epoch of each type; return them over float32's."""
    y = np.arange(rows) % layers[-1]
    best: dict[str, float] = {}
    kinds = features(rows, layers[0])
    for _ in range(rounds):
        for name, X in kinds.items():
            net = fm.Network(layers, seed=1)
            history = net.fit(X, y, EPOCHS, batch, fm.SGD(1e-6), n_threads=1)
            best[name] = min(best.get(name, np.inf), *history.epoch_seconds)
    print(f"{'-'.join(map(str, layers))}, batches of {batch}")
    for name, seconds in best.items():
        print(f"  {name:14} {seconds * 1e3:8.1f} ms  {seconds / best['float32']:5.2f}")
    ratios = {
        name: seconds / best["float32"] for name, seconds in best.items() if name != "float32"
    }
    return {"layers, batch": f"{'-'.join(map(str, layers))}, {batch}", **ratios}


def main() -> None:
    """Run both networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    table = [race(*shape, arguments.rounds) for shape in SHAPES]
    if arguments.output:
        write_json(arguments.output, table)


if __name__ == "__main__":
    main()
