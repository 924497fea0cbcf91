"""Race the optimizers: the step of each beside plain SGD's, and beside the same step elsewhere.

    python benchmarks/race_optimizers.py [--shapes 784] [--optimizers Adam AdamW]

The protocol is that of `race.py`, on one processor: JAX is one `jit` of `lax.scan` over the epoch
with optax, PyTorch has `fused=True` but for RMSprop, which has none. "of SGD" is our own plain SGD,
timed in turn with all the others.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cases import OPTIMIZERS, TRAINING, Problem, make_problem
from contest import NAMES, OURS, Row, Table, installed, race, write_json
from race import check_same_steps
from workers import Worker, bind_threads

PLAIN = f"{OURS} SGD"
ENTRIES = {
    OURS: ("fastmlp", "Trainer"),
    PLAIN: ("fastmlp", "PlainTrainer"),
    "jax": ("jax", "OptaxTrainer"),
    "torch": ("torch", "Trainer"),
}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="", help="only shapes whose name holds this text")
    parser.add_argument("--optimizers", nargs="*", default=[*OPTIMIZERS], choices=[*OPTIMIZERS])
    parser.add_argument("--peers", nargs="*", default=[], choices=["jax", "torch"])
    parser.add_argument("--rounds", type=int, default=5, help="timed runs each (default 5)")
    parser.add_argument("--seconds", type=float, default=0.1, help="of a timed run (default 0.1)")
    parser.add_argument("--output", type=Path, default=Path("build/race-optimizers.json"))
    return parser.parse_args()


def check(problem: Problem, workers: dict[str, Worker]) -> None:
    """Warn of a library that steps otherwise than we do."""
    check_same_steps(problem, {n: worker for n, worker in workers.items() if n != PLAIN})


def record_of(optimizer: str, row: Row) -> dict[str, Any]:
    """Return what was measured of a step."""
    ours = row.seconds[OURS]
    return {
        "shape": row.case.name,
        "optimizer": optimizer,
        "us_per_step": {n: time / row.case.steps * 1e6 for n, time in row.seconds.items()},
        "of_sgd": ours / row.seconds[PLAIN],
        "times_as_fast": {
            n: time / ours for n, time in row.seconds.items() if n not in {OURS, PLAIN}
        },
    }


def table_of(records: list[dict[str, Any]]) -> Table:
    """Return the table of docs/performance.md: rows are shapes, columns optimizers."""
    rows: dict[str, dict[str, Any]] = {}
    for record in (record for record in records if record["optimizer"] != "SGD"):
        row = rows.setdefault(record["shape"], {"layers, batch": record["shape"]})
        ratios = {NAMES.get(name, name): value for name, value in record["times_as_fast"].items()}
        row[record["optimizer"]] = {"of SGD": record["of_sgd"], **ratios}
    return list(rows.values())


def line_of(record: dict[str, Any], names: list[str]) -> str:
    """Return the row of the table."""
    ratios = [record["times_as_fast"].get(name) for name in names]
    return (
        f"{record['shape']:>26} {record['optimizer']:>9} {record['us_per_step'][OURS]:>10.2f} "
        f"{100 * record['of_sgd']:>7.1f} %"
        + "".join(f"{'-':>10}" if ratio is None else f"{ratio:>10.2f}" for ratio in ratios)
    )


def main() -> None:
    """Race, print, write."""
    options = arguments()
    bind_threads(1)
    workers = installed(ENTRIES, options.peers)
    versions = {name: worker.call("version") for name, worker in workers.items()}
    names = [name for name in workers if name not in {OURS, PLAIN}]
    print(", ".join(f"{name} {version}" for name, version in versions.items() if name != PLAIN))
    print(f"{'layers, batch':>26} {'optimizer':>9} {'us/step':>10} {'of SGD':>9}", end="")
    print("".join(f"{'vs ' + name:>10}" for name in names))
    records = []
    for case in TRAINING:
        if options.shapes not in case.name:
            continue
        plain = make_problem(case)
        for optimizer in options.optimizers:
            problem = replace(plain, optimizer=optimizer)
            row = race(
                problem, workers, 1, options.rounds, options.seconds, partial(check, problem)
            )
            records.append(record_of(optimizer, row))
            print(line_of(records[-1], names), flush=True)
            for name, why in row.failures.items():
                print(f"  {name} failed: {why}")
    used = {name: version for name, version in versions.items() if name in NAMES}
    write_json(options.output, table_of(records), used)
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
