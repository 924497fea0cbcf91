"""List the files that a training step goes through.

    cmake -S . -B build/trail -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS="--coverage -O0" \
        -DFASTMLP_BUILD_TESTS=ON && cmake --build build/trail --target train_steps
    python benchmarks/trail.py --build build/trail

A file is listed if a line of it runs once more for every further step of 784-512-512-10, relu,
plain SGD, batch 32, on one thread, by the avx2 kernels. What a fit or an epoch does once is not
counted, such as the order of the samples. It needs gcc, whose `gcov` counts the lines.
"""

import argparse
import json
import os
import subprocess
from collections import Counter
from pathlib import Path

OF_AN_EPOCH = {"src/random.cpp"}  # the order: more lines where there are more samples
ARGUMENTS = ["32", "784", "512", "512", "10"]


def lines_run(build: Path, epochs: int, steps: int) -> Counter[str]:
    """Return how many lines of each file run in a fit of some epochs of some steps."""
    for counts in build.rglob("*.gcda"):
        counts.unlink()
    program = next(path for path in build.rglob("train_steps") if path.is_file())
    command = [str(program), str(epochs), str(steps), *ARGUMENTS]
    subprocess.run(command, env=os.environ | {"FASTMLP_ISA": "avx2"}, check=True)
    lines: Counter[str] = Counter()
    for counts in build.rglob("*.gcda"):
        gcov = ["gcov", "--json-format", "--stdout", str(counts)]
        for report in subprocess.check_output(gcov, text=True, cwd=build).splitlines():
            for file in json.loads(report)["files"]:
                _, _, name = file["file"].rpartition("cpp/")
                if name.startswith(("src/", "include/")):
                    lines[name] += sum(line["count"] for line in file["lines"])
    return lines


def trail(build: Path) -> list[str]:
    """Return the files of which more lines run where there are more steps, but for their data."""
    fit, longer = (lines_run(build, 1, steps) for steps in (20, 40))
    data, more_data = (lines_run(build, 0, steps) for steps in (20, 40))
    growing = {file for file in fit if longer[file] - fit[file] > more_data[file] - data[file]}
    return sorted(growing - OF_AN_EPOCH)


def main() -> None:
    """Print the trail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="a build with --coverage")
    files = trail(parser.parse_args().build.resolve())
    print(*files, f"{len(files)} files", sep="\n")


if __name__ == "__main__":
    main()
