"""Steps of training on 1, 2, 4, 8, 16, ... cores, beside other libraries on them and on a GPU.

    python benchmarks/cores.py [--peers jax torch] [--shapes 784] [--rounds 3]

First the rate of float32 multiply-adds of one core and of all together, then the microseconds of a
step. Each number of threads has as many processors, for every library; "of peak" is of what these
reach together, measured beside each row. The GPU's lines appear where JAX or PyTorch has one.
"""

import argparse
import os
from pathlib import Path

from cases import LARGE, TRAINING, Case, make_problem
from contest import OURS, Row, Table, installed, race, write_json
from fastmlp import _core
from workers import bind_threads

GPU = "GPU"
CASES = [
    *TRAINING,
    LARGE[0],
    Case((1024, 1024, 1024, 10), 128),
    Case((4096, 4096, 4096, 10), 1024),
]
ENTRIES = {OURS: ("fastmlp", "Trainer"), "jax": ("jax", "Trainer"), "torch": ("torch", "Trainer")}
ON_GPU = {
    OURS: ("fastmlp", "Trainer"),  # beside each row, for the same problem
    "jax": ("jax", "GpuTrainer"),
    "torch": ("torch", "GpuTrainer"),
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="", help="only shapes whose name holds this text")
    parser.add_argument("--peers", nargs="*", default=["jax", "torch"], choices=["jax", "torch"])
    parser.add_argument("--rounds", type=int, default=3, help="timed runs each (default 3)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a timed run (default 0.2)")
    parser.add_argument("--output", type=Path, default=Path("build/cores.json"))
    return parser.parse_args()


def numbers_of_threads(cores: int) -> list[int]:
    """Return 1, 2, 4, ... up to all cores."""
    return [2**i for i in range(cores.bit_length()) if 2**i <= cores]


def print_rates(cores: int) -> None:
    """Print the rate of one core, and of all."""
    for n in sorted({1, cores}):
        print(
            f"{n} core(s): {_core.peak_gflops('float32', n):.0f} GFLOP/s of float32 multiply-adds"
        )


def measure(
    cases: list[Case],
    where: str,
    entries: dict[str, tuple[str, str]],
    n_threads: int,
    options: argparse.Namespace,
) -> Table:
    """Race on the processors of this process; print and return the lines of the table."""
    workers = installed(entries, options.peers)
    lines: Table = []
    for case in cases:
        row = race(
            make_problem(case),
            workers,
            n_threads,
            options.rounds,
            options.seconds,
            check=lambda _: None,
        )
        if where == GPU and len(row.seconds) == 1:
            break  # nobody has one
        line = {"layers, batch": case.name, "on": where, **micros(row)}
        share = case.flops * case.steps / row.seconds[OURS] / 1e9 / row.peak_gflops
        lines.append(line | {"of peak": share})
        times = "".join(f"{name:>9} {us:>10.1f}" for name, us in micros(row).items())
        print(f"{case.name:>28} {where:>11} {100 * share:>5.0f} %{times}", flush=True)
    for worker in workers.values():
        worker.close()
    return lines


def micros(row: Row) -> dict[str, float]:
    """Return microseconds a step, by library."""
    return {name: time / row.case.steps * 1e6 for name, time in row.seconds.items()}


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    processors = os.sched_getaffinity(0)
    print_rates(len(processors))
    cases = [case for case in CASES if options.shapes in case.name]
    lines: Table = []
    for n in numbers_of_threads(len(processors)):
        os.sched_setaffinity(0, processors)
        bind_threads(n)
        lines += measure(cases, f"{n} thread(s)", ENTRIES, n, options)
    os.sched_setaffinity(0, processors)
    bind_threads(len(processors))
    del os.environ["JAX_PLATFORMS"]
    lines += measure(cases, GPU, ON_GPU, len(processors), options)
    write_json(options.output, lines)


if __name__ == "__main__":
    main()
