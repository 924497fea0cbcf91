"""What another compiler makes of the core: the raced shapes trained by two builds, in turns.

Run: ``python benchmarks/compilers.py BUILD OTHER`` with two Release build directories made with
``-DFASTMLP_BUILD_TESTS=ON``, say one by g++ and one by clang++. One thread, float32.
"""

import argparse
import os
import subprocess
import time
from pathlib import Path

from cases import TRAINING, Case

STEPS_PER_EPOCH = 20


def seconds(program: Path, case: Case, epochs: int) -> float:
    """Return the time of one whole run."""
    numbers = [epochs, STEPS_PER_EPOCH, case.batch, *case.sizes]
    start = time.perf_counter()
    subprocess.run(
        [program, *map(str, numbers)], env=os.environ | {"FASTMLP_NUM_THREADS": "1"}, check=True
    )
    return time.perf_counter() - start


def main() -> None:
    """Print the time of a step of each build: what a run of more epochs takes longer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs=2, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="about that long a run")
    arguments = parser.parse_args()
    programs = [next(build.rglob("train_steps")) for build in arguments.builds]
    for program in programs:
        print(subprocess.check_output([program], text=True).strip())
    for case in TRAINING:
        epochs = max(2, round(arguments.seconds * 150e9 / (case.flops * STEPS_PER_EPOCH)))
        long, short = ([float("inf")] * 2 for _ in range(2))
        for _ in range(arguments.rounds):
            for i, program in enumerate(programs):
                long[i] = min(long[i], seconds(program, case, epochs + 1))
                short[i] = min(short[i], seconds(program, case, 1))
        steps = epochs * STEPS_PER_EPOCH
        one, other = ((a - b) / steps * 1e6 for a, b in zip(long, short, strict=True))
        print(f"{case.name:26} {one:10.2f} us {other:10.2f} us {other / one:6.2f}", flush=True)


if __name__ == "__main__":
    main()
