"""What scaling inside the network costs: a training step with it, over one without.

In every shape of the race. Timed in turns, where the least time of several rounds counts, or with
--build as instructions under valgrind (see `instructions.py`), which no other load disturbs:

    python benchmarks/scaling_cost.py --threads 1
    python benchmarks/scaling_cost.py --build build/release
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fastmlp as fm
from cases import LEARNING_RATE, TRAINING, Case, make_problem
from contest import Table, write_json
from instructions import instructions

LIMIT = 0.03
SPAN_FLOPS = 2e8  # of the steps that valgrind counts

Ratio = Callable[[Case], float]


def timed(case: Case, threads: int, rounds: int, seconds: float) -> float:
    """Return the least time of a fit with scaling over that of one without."""
    problem = make_problem(case)
    plain, scaled = (
        fm.Network(list(case.sizes), output="identity" if case.regression else "softmax", seed=1)
        for _ in range(2)
    )
    scaled.adapt(problem.X, problem.y if case.regression else None)
    sgd = fm.SGD(LEARNING_RATE)
    epochs = {id(net): 1 for net in (plain, scaled)}
    least = dict.fromkeys(epochs, float("inf"))
    for i in range(rounds + 1):  # the first warms up, and counts the epochs of a round
        for net in (plain, scaled):
            start = time.perf_counter()
            net.fit(problem.X, problem.y, epochs[id(net)], case.batch, sgd, n_threads=threads)
            taken = (time.perf_counter() - start) / epochs[id(net)]
            if i == 0:
                epochs[id(net)] = max(1, round(seconds / taken))
            else:
                least[id(net)] = min(least[id(net)], taken)
    return least[id(scaled)] / least[id(plain)]


def counted(case: Case, program: Path) -> float:
    """Return the instructions of steps with scaling over those without."""
    steps = max(1, round(SPAN_FLOPS / case.flops))
    counts = []
    for first in ((), ("scaled",)):
        once, twice = (
            instructions(program, epochs, case.batch, case.sizes, first=first, steps=steps)
            for epochs in (1, 2)
        )
        counts.append(twice - once)
    return counts[1] / counts[0]


def main() -> None:
    """Print the ratio in every shape, and whether it is within the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, help="a Release build directory: count instructions")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a timed fit (default 0.1)")
    parser.add_argument("--shapes", default="", help="only shapes whose name holds this text")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    args = parser.parse_args()
    ratio: Ratio = partial(timed, threads=args.threads, rounds=args.rounds, seconds=args.seconds)
    if args.build is not None:
        ratio = partial(counted, program=next(args.build.rglob("train_steps")))
    column = "time" if args.build is None else "instructions"
    table: Table = []
    for case in TRAINING:
        if args.shapes in case.name:
            cost = ratio(case) - 1
            verdict = "ok" if cost <= LIMIT else "above the limit"
            print(f"{case.name:>28}: {cost:+7.2%} {verdict}", flush=True)
            table.append({"layers, batch": case.name, f"more {column}": cost})
    if args.output:
        write_json(args.output, table)


if __name__ == "__main__":
    main()
