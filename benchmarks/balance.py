"""How evenly a step is divided among threads: busiest thread over the mean, computed.

    python benchmarks/balance.py --build BUILD

Runs no step: `balance` applies the rules that divide the work to 1 to 64 threads, and the worst
stage between two barriers counts. Numbers of threads that `fit` would not use are left
out. BUILD is a build with FASTMLP_BUILD_TESTS=ON.
"""

import argparse
import subprocess
from pathlib import Path

from cases import LARGE, TRAINING, Case

MOST_THREADS = 64
SHOWN = (2, 4, 8, 16, 32, 64)


def imbalances(program: Path, case: Case) -> dict[int, float]:
    """Return busiest over mean for each number of threads that is worthwhile."""
    command = [program, MOST_THREADS, case.batch, *case.sizes]
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    lines = map(str.split, output.stdout.splitlines())
    return {int(threads): float(ratio) for threads, _, ratio in lines}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    program = next(path for path in parser.parse_args().build.rglob("balance") if path.is_file())
    print(f"{'layers, batch':>28}" + "".join(f"{n:>7}" for n in SHOWN) + "   worst of 1..64")
    for case in (*TRAINING, *LARGE):
        ratios = imbalances(program, case)
        worst = max(ratios, key=ratios.__getitem__)
        cells = "".join(f"{ratios[n]:7.2f}" if n in ratios else f"{'-':>7}" for n in SHOWN)
        print(f"{case.name:>28}{cells}   {ratios[worst]:.2f} ({worst} threads)")


if __name__ == "__main__":
    main()
