"""``fastmlp bench``: the training speed of this machine, compared with its FMA peak.

Measures whole SGD steps through ``Network.fit``. The clock rate of a machine varies by several
percent, so the peak is measured again with each run, and the fastest of several runs is reported.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.config import get_config, get_num_threads, peak_gflops
from fastmlp.data._text import counted
from fastmlp.network import Network
from fastmlp.settings.optimizers import SGD

ROW_SECONDS = 5.0
RUN_SECONDS = 0.05
MOST_INPUTS = 1 << 20  # features per epoch: 4 MB, so that memory bandwidth is not measured

CASES: list[tuple[tuple[int, ...], int]] = [
    ((64, 64, 10), 32),
    ((64, 64, 10), 1),
    ((10, 46, 46, 10), 128),
    ((4, 500, 1), 32),
    ((30, 256, 128, 2), 256),
    ((784, 128, 10), 64),
    ((784, 512, 512, 10), 128),
    ((1024, 2048, 2048, 1000), 256),
]
"""Layers, the features first, and batch size."""


@dataclass(frozen=True)
class Row:
    """The speed of training one network.

    Attributes
    ----------
    layers : tuple of int
        Features, then the nodes of each layer.
    batch_size : int
        Samples per step.
    us_per_step : float
        Microseconds of the fastest run, per step.
    gflops : float
        The same in GFLOP/s, counting the matrix products only.
    peak_gflops : float
        The FMA peak, measured with the runs.
    peak_share : float
        `gflops` as a share of it.
    """

    layers: tuple[int, ...]
    batch_size: int
    us_per_step: float
    gflops: float
    peak_gflops: float
    peak_share: float


def run(threads: int = 1, as_json: bool = False) -> None:
    """Measure all cases and print them, in under two minutes.

    Parameters
    ----------
    threads : int, default 1
        Threads to use, at most the limit of the process.
    as_json : bool, default False
        Print one JSON object instead of a table.
    """
    config = get_config()
    threads = min(threads, get_num_threads())
    rows = (measure(layers, batch, threads, ROW_SECONDS) for layers, batch in CASES)
    if as_json:
        print(_json(config["version"], config["isa"], threads, list(rows)))
        return
    peak = peak_gflops("float32", threads)
    print(
        f"fastmlp {config['version']}, {config['isa']}, float32, {counted(threads, 'thread')}; "
        f"FMA peak of the machine {peak:.1f} GFLOP/s\n"
    )
    for line in _table(rows):
        print(line, flush=True)


def measure(layers: tuple[int, ...], batch: int, threads: int, seconds: float) -> Row:
    """Time ``Network.fit`` on one case.

    Parameters
    ----------
    layers : tuple of int
        Features, then the nodes of each layer. One output is a regression, more are classes.
    batch : int
        Samples of a step.
    threads : int
        Upper limit of threads.
    seconds : float
        Approximate duration of the measurement.
    """
    end = time.perf_counter() + seconds
    output: Literal["identity", "softmax"] = "identity" if layers[-1] == 1 else "softmax"
    network = Network(list(layers), output=output, seed=0)
    X, y = _samples(layers, max(1, MOST_INPUTS // (layers[0] * batch)) * batch)

    def fit(steps: int, epochs: int) -> float:
        rows = steps * batch
        start = time.perf_counter()
        network.fit(X[:rows], y[:rows], epochs, batch, SGD(0.001), n_threads=threads)
        return time.perf_counter() - start

    # A large network on a slow machine: one step per run.
    steps = 1 if fit(1, 1) > RUN_SECONDS else len(X) // batch
    epochs = max(1, round(RUN_SECONDS / fit(steps, 1)))
    fastest, peak = float("inf"), 0.0
    while peak == 0.0 or time.perf_counter() < end:
        peak = max(peak, peak_gflops("float32", threads))
        fastest = min(fastest, fit(steps, epochs) / (steps * epochs))
    gflops = _flops(layers, batch) / fastest * 1e-9
    return Row(layers, batch, fastest * 1e6, gflops, peak, gflops / peak)


def _samples(layers: tuple[int, ...], rows: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, layers[0]), dtype=np.float32)
    if layers[-1] == 1:
        return X, random.standard_normal((rows, 1), dtype=np.float32)
    return X, random.integers(layers[-1], size=rows)


def _flops(layers: tuple[int, ...], batch: int) -> int:
    """Count the flops of a step: forward, gradient, and delta through all layers but the first."""
    products = [previous * nodes for previous, nodes in pairwise(layers)]
    return 2 * batch * (2 * sum(products) + sum(products[1:]))


def _table(rows: Iterator[Row]) -> Iterator[str]:
    yield f"{'layers, batch':<28}{'us/step':>10}{'GFLOP/s':>10}{'% of peak':>11}"
    for row in rows:
        name = f"{'-'.join(map(str, row.layers))}, {row.batch_size}"
        yield f"{name:<28}{row.us_per_step:>10.2f}{row.gflops:>10.1f}{row.peak_share:>11.1%}"


def _json(version: str, isa: str, threads: int, rows: list[Row]) -> str:
    return json.dumps(
        {
            "version": version,
            "isa": isa,
            "dtype": "float32",
            "threads": threads,
            "peak_gflops": max(row.peak_gflops for row in rows),
            "rows": [asdict(row) for row in rows],
        }
    )
