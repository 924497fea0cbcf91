"""Race fastmlp's `predict` against other libraries: 40-100-100-10 from Python, float32.

    python benchmarks/inference.py [--threads 2] [--peers onnxruntime torch]

The same weights and samples for all, hidden layers relu, the output linear. Times are of one call
for the whole batch; "fastmlp, out=" writes into an array that is there.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cases import INFERENCE, make_problem
from contest import NAMES, OURS, Row, installed, race, write_json
from workers import Worker, bind_threads

IN_PLACE = "fastmlp, out="
ENTRIES = {
    OURS: ("fastmlp", "Predictor"),
    IN_PLACE: ("fastmlp", "PredictorWithOut"),
    "onnxruntime": ("onnxruntime", "Predictor"),
    "torch": ("torch", "Predictor"),
    "torch.compile": ("torch", "CompiledPredictor"),
    "sklearn": ("sklearn", "Predictor"),
    "mlpfile": ("mlpfile", "Predictor"),
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="for every library (default 1)")
    parser.add_argument("--peers", nargs="*", default=[], help="only these")
    parser.add_argument("--rounds", type=int, default=7, help="timed runs each (default 7)")
    parser.add_argument("--seconds", type=float, default=0.1, help="of a timed run (default 0.1)")
    parser.add_argument("--output", type=Path, help="default build/inference-THREADS.json")
    return parser.parse_args()


def check_same_outputs(workers: dict[str, Worker]) -> None:
    """Warn of a library that computes something else."""
    ours = workers[OURS].call("ask", "outputs")
    for name, worker in workers.items():
        if not np.allclose(worker.call("ask", "outputs"), ours, rtol=1e-3, atol=1e-4):
            print(f"  note: {name} computes other outputs")


def gflops_of(row: Row) -> float:
    """Return the speed of the fastest of ours: 2 B sum K N flops a call."""
    products = sum(k * n for k, n in pairwise(row.case.sizes))
    return 2 * row.case.batch * products / min(row.seconds[OURS], row.seconds[IN_PLACE]) / 1e9


def line_of(row: Row, names: list[str]) -> str:
    """Return the row of the table: microseconds of each, and ours in GFLOP/s."""
    times = [
        f"{row.seconds[name] * 1e6:>15.2f}" if name in row.seconds else f"{'-':>15}"
        for name in names
    ]
    share = 100 * gflops_of(row) / row.peak_gflops
    return f"{row.case.batch:>6}{''.join(times)} {gflops_of(row):>8.1f} {share:>6.1f} %"


def record_of(row: Row) -> dict[str, Any]:
    """Return the row of the table in docs/performance.md."""
    times = {NAMES.get(name, name): time * 1e6 for name, time in row.seconds.items()}
    return {"rows": row.case.batch, **times}


def main() -> None:
    """Race, print, write."""
    options = arguments()
    bind_threads(options.threads)
    workers = installed(ENTRIES, options.peers)
    versions = {name: worker.call("version") for name, worker in workers.items()}
    print(f"{options.threads} thread(s); " + ", ".join(f"{n} {v}" for n, v in versions.items()))
    print("40-100-100-10, microseconds a call")
    print(f"{'batch':>6}{''.join(f'{name:>15}' for name in workers)}  GFLOP/s  of peak")
    records = []
    for case in INFERENCE:
        problem = make_problem(case, rows=case.batch)
        row = race(
            problem, workers, options.threads, options.rounds, options.seconds, check_same_outputs
        )
        print(line_of(row, list(workers)), flush=True)
        for name, why in row.failures.items():
            print(f"  {name} failed: {why}")
        records.append(record_of(row))
    output = options.output or Path(f"build/inference-{options.threads}.json")
    write_json(output, records, {n: v for n, v in versions.items() if not n.startswith(OURS)})
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
