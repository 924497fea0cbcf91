"""Count the instructions of a training step, and fail on unintended growth.

    python benchmarks/instructions.py --build BUILD [--update]

Times move with the machine; instruction counts do not. `train_steps` runs under valgrind twice,
for one and for two spans of epochs; the difference, per step, is compared with `instructions.json`.
The avx2 kernels are counted, as valgrind knows no AVX-512. BUILD is a Release build with
FASTMLP_BUILD_TESTS=ON.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

BASELINE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03
STEPS_PER_EPOCH = 20
# (sizes, batch, epochs of a span)
CASES = [((64, 64, 10), 32, 5), ((64, 64, 10), 1, 50), ((784, 128, 10), 64, 1)]


def name_of(sizes: tuple[int, ...], batch: int) -> str:
    """Return the case's name in the baseline, such as "64-64-10, 32"."""
    return f"{'-'.join(map(str, sizes))}, {batch}"


def instructions(
    program: Path,
    epochs: int,
    batch: int,
    sizes: tuple[int, ...],
    *,
    first: tuple[str, ...] = (),
    steps: int = STEPS_PER_EPOCH,
) -> int:
    """Return the instructions of one whole run of `program`, whose `first` arguments are given."""
    numbers = [epochs, steps, batch, *sizes]
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, str(program), *first, *map(str, numbers)],
        env=os.environ | {"FASTMLP_ISA": "avx2"},
        capture_output=True,
        text=True,
        check=False,
    )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        sys.exit(f"valgrind failed:\n{done.stderr}")
    return int(collected[1])


def count(program: Path) -> dict[str, int]:
    """Return the instructions per training step of every case."""
    counts = {}
    for sizes, batch, span in CASES:
        once = instructions(program, span, batch, sizes)
        twice = instructions(program, 2 * span, batch, sizes)
        counts[name_of(sizes, batch)] = round((twice - once) / (span * STEPS_PER_EPOCH))
    return counts


def compare(counts: dict[str, int], baseline: dict[str, int]) -> bool:
    """Print every case beside its baseline; return whether none grew too much."""
    fine = True
    for name, now in counts.items():
        growth = now / baseline[name] - 1
        verdict = "ok" if growth <= TOLERANCE else "GREW"
        fine = fine and growth <= TOLERANCE
        print(f"{name:>16}: {now:>10,} instructions a step, {growth:+7.2%} {verdict}")
    return fine


def main() -> int:
    """Count, then compare with the baseline or (--update) replace it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="a Release build directory")
    parser.add_argument("--update", action="store_true", help="make these counts the baseline")
    arguments = parser.parse_args()
    program = next(arguments.build.rglob("train_steps"))
    compiler = subprocess.check_output([program], text=True).strip()
    if arguments.update:
        content = {"compiler": compiler, "instructions_per_step": count(program)}
        BASELINE.write_text(json.dumps(content, indent=4) + "\n")
        return 0
    baseline = json.loads(BASELINE.read_text())
    if compiler != baseline["compiler"]:
        print(f"skipped: the baseline is of {baseline['compiler']}, this build of {compiler}")
        return 0
    return 0 if compare(count(program), baseline["instructions_per_step"]) else 1


if __name__ == "__main__":
    sys.exit(main())
