"""Training over MPI: two ranks beside two threads and PyTorch, reductions, and what they predict.

    python benchmarks/mpi.py                    # all; PyTorch only where it is installed
    python benchmarks/mpi.py --torch PYTHON     # by another Python, with PyTorch
    python benchmarks/mpi.py --parts            # what two ranks take beyond two that train alone

Every line says whether it is measured or modelled. The model of a sum over n ranks of s bytes in
defined order, sent in blocks, has a latency a, a bandwidth b and a time per added byte c:
2 (n - 1) a + 2 (n - 1) / n s / b + (n - 1) / n s c. That of the library's tree is
ceil(log2 n) (a + s / b + s c). Latency, bandwidth and c are fitted to reductions on this machine;
those of a network replace the first two.
"""

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from contest import write_json

NETWORKS = {"784-512-512-10": 256, "784-128-10": 128}
BYTES = [1 << k for k in (10, 14, 18, 20, 22, 24, 26)]
WIRES = {"10 Gbit": (15e-6, 1.25e9), "100 Gbit": (2e-6, 12.5e9)}
"""Latency of a message in seconds and bytes per second: typical numbers, not measured here."""

DDP = """
import os, sys, time, json, torch
import torch.distributed as dist, torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

def work(rank, layers, batch, steps):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29521")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    modules = []
    for k, n in zip(layers, layers[1:]):
        modules += [torch.nn.Linear(k, n), torch.nn.ReLU()]
    model = DistributedDataParallel(torch.nn.Sequential(*modules[:-1]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    X, y = torch.randn(batch // 2, layers[0]), torch.randint(layers[-1], (batch // 2,))
    best = float("inf")
    for _ in range(4):
        begin = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(X), y).backward()
            optimizer.step()
        best = min(best, (time.perf_counter() - begin) / steps)
    if rank == 0:
        print(json.dumps(best))
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, (json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), nprocs=2)
"""


def layers_of(name: str) -> list[int]:
    """Return the numbers of nodes of a network."""
    return [int(n) for n in name.split("-")]


def parameters_of(name: str) -> int:
    """Return the number of its weights and biases."""
    return sum((k + 1) * n for k, n in itertools.pairwise(layers_of(name)))


def step_seconds(name: str, comm: Any, threads: int, rounds: int = 8, share: int = 1) -> float:
    """Return the seconds of a step of ``fit`` on a share of a batch, the least of some epochs."""
    import fastmlp as fm  # noqa: PLC0415  (not needed by the launcher)

    layers, batch = layers_of(name), NETWORKS[name] // share
    size, rank = (comm.size, comm.rank) if comm else (1, 0)
    steps = 40 if NETWORKS[name] == 256 else 200
    rng = np.random.default_rng(rank)
    X = rng.standard_normal((batch * steps // size, layers[0]), np.float32)
    y = rng.integers(0, layers[-1], len(X))
    net = fm.Network(layers, seed=0)
    settings = {"epochs": 1, "batch_size": batch, "n_threads": threads, "comm": comm}
    times = [net.fit(X, y, **settings).epoch_seconds[0] for _ in range(rounds)]
    return min(times) / steps


def reduction_seconds(comm: Any) -> dict[str, list[float]]:
    """Return the seconds of sums of each size, in defined order and by the library."""
    from fastmlp.fitting.ranks import Ranks  # noqa: PLC0415

    result: dict[str, list[float]] = {"in order": [], "library": []}
    with Ranks(comm) as ranks:
        for size in BYTES:
            values, sums = np.ones(size // 4, np.float32), np.ones(2)
            calls = max(2, min(50, (1 << 24) // size))
            for name, seconds in result.items():
                best = math.inf
                for _ in range(3):
                    comm.Barrier()
                    begin = time.perf_counter()
                    for _ in range(calls):
                        if name == "library":
                            comm.Allreduce(_in_place(), values)
                        else:
                            ranks.add(values, sums)
                    best = min(best, (time.perf_counter() - begin) / calls)
                    values[:] = 1
                seconds.append(best)
    return result


def _in_place() -> Any:
    from mpi4py import MPI  # noqa: PLC0415

    return MPI.IN_PLACE


def parts_of_steps(comm: Any) -> list[dict[str, Any]]:
    """Return steps of ranks, and of as many processes that train alone on their parts of a batch.

    Then whether messages as long as the gradients are passed while a rank computes.
    """
    rows: list[dict[str, Any]] = []
    for name, batch in NETWORKS.items():
        alone, ranks = math.inf, math.inf
        for _ in range(3):
            comm.Barrier()
            alone = min(alone, step_seconds(name, None, 1, share=comm.size))
            ranks = min(ranks, step_seconds(name, comm, 1))
        seconds = {"each alone": alone, "two ranks": ranks}
        seconds |= message_seconds(comm, parameters_of(name) // comm.size * comm.size)
        micros = {part: round(value * 1e6, 1) for part, value in seconds.items()}
        rows.append({"layers, batch": f"{name}, {batch}", **micros})
    return rows


def message_seconds(comm: Any, count: int) -> dict[str, float]:
    """Return the least seconds of messages, of a computation, and of both begun together."""
    sent, received = np.ones(count, np.float32), np.empty(count, np.float32)
    counts = [count // comm.size] * comm.size
    places = [rank * counts[0] for rank in range(comm.size)]
    matrix = np.ones((300, 300), np.float32)

    def begin() -> Any:
        return comm.Ialltoallv([sent, (counts, places)], [received, (counts, places)])

    def both() -> None:
        request = begin()
        np.dot(matrix, matrix)
        request.Wait()

    ways = {
        "messages": lambda: begin().Wait(),
        "a computation": lambda: np.dot(matrix, matrix),
        "both at once": both,
    }
    least = dict.fromkeys(ways, math.inf)
    for _ in range(50):
        for name, way in ways.items():
            comm.Barrier()
            begun = time.perf_counter()
            way()
            least[name] = min(least[name], time.perf_counter() - begun)
    return least


def on_rank(what: str) -> None:
    """Measure on each rank; rank 0 prints the numbers."""
    from mpi4py import MPI  # noqa: PLC0415

    comm = MPI.COMM_WORLD
    if what == "steps":
        result: Any = {name: step_seconds(name, comm, 1) for name in NETWORKS}
    elif what == "parts":
        result = parts_of_steps(comm)
    else:
        result = reduction_seconds(comm)
    if comm.rank == 0:
        sys.stdout.write(json.dumps(result) + "\n")


def launched(ranks: int, what: str) -> Any:
    """Return what rank 0 prints."""
    launcher = Path(sys.executable).with_name("mpiexec")
    command = [str(launcher), "-n", str(ranks), sys.executable, "-m", "mpi4py", __file__]
    done = subprocess.run([*command, "--on-rank", what], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def features(ranks: int, size: int, kind: str) -> list[float]:
    """Return how often a sum pays latency, bandwidth, and the addition of a byte."""
    if kind == "library":
        rounds = math.ceil(math.log2(ranks))
        return [rounds, rounds * size, rounds * size]
    share = (ranks - 1) / ranks * size
    return [2 * (ranks - 1), 2 * share, share]


def fitted(measured: dict[int, dict[str, list[float]]], kind: str) -> tuple[float, float]:
    """Return latency and seconds per byte, moved and added, of least relative errors."""
    rows, ones = [], []
    for ranks, times in measured.items():
        for size, seconds in zip(BYTES, times[kind], strict=True):
            messages, moved, _ = features(ranks, size, kind)
            rows.append([messages / seconds, moved / seconds])
            ones.append(1.0)
    latency, per_byte = np.linalg.lstsq(np.array(rows), np.array(ones), rcond=None)[0]
    return float(max(latency, 0)), float(max(per_byte, 0))


def modelled(ranks: int, size: int, kind: str, wire: str) -> float:
    """Return the seconds of a sum over a network of typical numbers; added at 10 GB/s."""
    latency, bandwidth = WIRES[wire]
    messages, moved, added = features(ranks, size, kind)
    return messages * latency + moved / bandwidth + added / 1e10


def ddp_seconds(torch: str, name: str) -> float:
    """Return the seconds of a step of two processes of PyTorch; infinity where it does not run."""
    batch = NETWORKS[name]
    steps = "20" if batch == 256 else "100"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ddp.py"
        program.write_text(DDP)
        command = [torch, str(program), json.dumps(layers_of(name)), str(batch), steps]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else math.inf


def print_steps(torch: str, rounds: int = 3) -> list[dict[str, Any]]:
    """Print the steps of two ranks, of two threads and of PyTorch, measured in turns."""
    table = []
    ranks, threads, ddp = (dict.fromkeys(NETWORKS, math.inf) for _ in range(3))
    for _ in range(rounds):
        for name, seconds in launched(2, "steps").items():
            ranks[name] = min(ranks[name], seconds)
            threads[name] = min(threads[name], step_seconds(name, None, 2))
            ddp[name] = min(ddp[name], ddp_seconds(torch, name))
    for name, batch in NETWORKS.items():
        mine, alone = ranks[name], threads[name]
        row = {
            "layers, batch": f"{name}, {batch}",
            "two threads": round(alone * 1e6, 1),
            "two ranks": round(mine * 1e6, 1),
            "over two threads": round(mine / alone, 2),
        }
        text = f"two threads {alone * 1e6:.0f} us, two ranks {mine * 1e6:.0f} us, "
        text += f"{mine / alone:.2f} times"
        if ddp[name] < math.inf:
            text += f"; PyTorch DDP (gloo) {ddp[name] * 1e6:.0f} us, {ddp[name] / mine:.1f} times"
            row["PyTorch DDP"] = round(ddp[name] * 1e6, 1)
            row["times as fast"] = round(ddp[name] / mine, 2)
        table.append(row)
        print(f"measured   step of {name}, batch {batch}: {text}")
    return table


def print_model() -> None:
    """Print measured sums, and steps of more ranks than there are here."""
    measured = {ranks: launched(ranks, "reductions") for ranks in (2, 4)}
    for ranks, times in measured.items():
        for kind, seconds in times.items():
            text = ", ".join(
                f"{size >> 10} kB {t * 1e6:.0f}" for size, t in zip(BYTES, seconds, strict=True)
            )
            print(f"measured   sum over {ranks} ranks, {kind}, us: {text}")
    for kind in ("in order", "library"):
        latency, per_byte = fitted(measured, kind)
        rate = 1e-9 / per_byte if per_byte else math.inf
        print(f"fitted     {kind}: {latency * 1e6:.1f} us a message, {rate:.1f} GB/s, this machine")
    for name, batch in NETWORKS.items():
        alone = step_seconds(name, None, 1)
        size = 4 * parameters_of(name)
        print(
            f"measured   step of {name} on one thread, batch {batch} a rank: {alone * 1e6:.0f} us"
        )
        for wire in WIRES:
            for kind in ("in order", "library"):
                parts = []
                for ranks in (2, 4, 16, 64, 256, 1024):
                    step = alone + modelled(ranks, size, kind, wire)
                    parts.append(f"{ranks} {alone / step:.0%}")
                print(f"modelled   of its speed on {wire}, {kind}: " + ", ".join(parts))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", default=sys.executable, help="a Python with PyTorch")
    parser.add_argument("--on-rank", default="", help=argparse.SUPPRESS)
    parser.add_argument("--steps-only", action="store_true")
    parser.add_argument("--parts", action="store_true", help="of a step of two ranks")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    if arguments.on_rank:
        on_rank(arguments.on_rank)
        return
    if arguments.parts:
        table = launched(2, "parts")
        for row in table:
            print("measured   us: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    else:
        table = print_steps(arguments.torch)
    if arguments.output:
        write_json(arguments.output, table, {"mpi4py": version("mpi4py")})
    if not arguments.steps_only and not arguments.parts:
        print_model()


if __name__ == "__main__":
    main()
