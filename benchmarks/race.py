"""Race fastmlp against other libraries: whole steps of stochastic gradient descent, float32.

    python benchmarks/race.py [--threads 2] [--shapes 784] [--peers jax torch] [--large]

Same shapes, data, first weights and order of samples. Each library has a process of its own with
the same processors; they run in turn, and the best of several runs counts. "% of peak" is of the
fused multiply-adds the same processors did in registers just before and after.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cases import LARGE, TRAINING, Problem, make_problem
from contest import NAMES, OURS, Row, installed, race, write_json
from workers import Worker, bind_threads

ENTRIES = {
    OURS: ("fastmlp", "Trainer"),
    "sklearn": ("sklearn", "Trainer"),
    "torch": ("torch", "Trainer"),
    "torch.compile": ("torch", "CompiledTrainer"),
    "jax": ("jax", "Trainer"),
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="for every library (default 1)")
    parser.add_argument("--shapes", default="", help="only shapes whose name holds this text")
    parser.add_argument("--peers", nargs="*", default=[], choices=[n for n in ENTRIES if n != OURS])
    parser.add_argument("--alone", action="store_true", help="without other libraries")
    parser.add_argument("--large", action="store_true", help="large batches instead")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs each (default 5)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a timed run (default 0.2)")
    parser.add_argument("--output", type=Path, help="default build/race[-large]-THREADS.json")
    return parser.parse_args()


def check_same_steps(problem: Problem, workers: dict[str, Worker]) -> None:
    """Warn of a library whose weights moved otherwise than ours after the same epochs."""
    moves = {
        name: [
            float(np.linalg.norm(w - first[:, : w.shape[1]]))
            for w, first in zip(worker.call("ask", "weights"), problem.weights, strict=True)
        ]
        for name, worker in workers.items()
    }
    for name, move in moves.items():
        if not np.allclose(move, moves[OURS], rtol=0.02):
            print(f"  note: {name} moved by {move}, fastmlp by {moves[OURS]}")


def line_of(row: Row, names: list[str]) -> str:
    """Return the row of the table."""
    time = row.seconds[OURS] / row.case.steps
    gflops = row.case.flops / time / 1e9
    ratios = [
        f"{row.seconds[name] / row.seconds[OURS]:>17.2f}" if name in row.seconds else f"{'-':>17}"
        for name in names
    ]
    return (
        f"{row.case.name:>26} {time * 1e6:>10.2f} {gflops:>8.1f} "
        f"{100 * gflops / row.peak_gflops:>6.1f} %" + "".join(ratios)
    )


def record_of(row: Row) -> dict[str, Any]:
    """Return the row of the table in docs/performance.md."""
    ours = row.seconds[OURS]
    gflops = row.case.flops * row.case.steps / ours / 1e9
    return {
        "layers, batch": row.case.name,
        "µs/step": ours / row.case.steps * 1e6,
        "GFLOP/s": gflops,
        "of peak": gflops / row.peak_gflops,
        **{NAMES.get(name, name): t / ours for name, t in row.seconds.items() if name != OURS},
    }


def main() -> None:
    """Race, print, write."""
    options = arguments()
    bind_threads(options.threads)
    entries = {OURS: ENTRIES[OURS]} if options.alone else ENTRIES
    workers = installed(entries, options.peers)
    versions = {name: worker.call("version") for name, worker in workers.items()}
    names = [name for name in workers if name != OURS]
    print(f"{options.threads} thread(s); " + ", ".join(f"{n} {v}" for n, v in versions.items()))
    print(f"{'layers, batch':>26} {'us/step':>10} {'GFLOP/s':>8} {'of peak':>8}", end="")
    print("".join(f"{'vs ' + name:>17}" for name in names))
    records = []
    for case in LARGE if options.large else TRAINING:
        if options.shapes not in case.name:
            continue
        problem = make_problem(case)
        row = race(
            problem,
            workers,
            options.threads,
            options.rounds,
            options.seconds,
            partial(check_same_steps, problem),
        )
        print(line_of(row, names), flush=True)
        for name, why in row.failures.items():
            print(f"  {name} failed: {why}")
        records.append(record_of(row))
    name = "race-large" if options.large else "race"
    output = options.output or Path(f"build/{name}-{options.threads}.json")
    write_json(output, records, {n: v for n, v in versions.items() if n in NAMES})
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
