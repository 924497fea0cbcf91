"""Time a step of fits of a few steps, each after a pause, on two threads.

    python benchmarks/short_fits.py [--fits 40] [--steps 8] [--pause 0.05] [--threads 2]

During the pause the threads of the pool fall asleep, so a short fit pays for waking them. Prints
the median and the 90th percentile of the time of a step relative to a step of a long fit, first of
the whole call of `fit`, then of its steps alone: the difference is what Python and preparations
take. The same for one thread shows what cold caches cost; for no pause, how much of that is the
call itself; and for a pause in which this process computes, how much is not for its sleep. For
comparison a call of the standard library, which is all interpreter, after the pause relative to
without. At last beside a process that keeps the second processor busy, relative to short fits on
one thread. The table that is written has all but that.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import fastmlp as fm
from contest import Table, write_json

NETWORKS = (((784, 512, 512, 10), 128), ((30, 256, 128, 2), 256))
LONG_SECONDS = 0.2
Wait = Callable[[float], object]


def compute(seconds: float) -> None:
    """Wait without sleep."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Fits:
    """Fits of one network in batches of one size."""

    def __init__(self, sizes: tuple[int, ...], batch: int, longest: int) -> None:
        rng = np.random.default_rng(0)
        self.batch = batch
        self.net = fm.Network(list(sizes), seed=0)
        self.x = rng.standard_normal((batch * longest, sizes[0]), dtype=np.float32)
        self.y = rng.integers(sizes[-1], size=len(self.x))
        self.optimizer = fm.SGD(1e-4)

    def step_seconds(self, steps: int, epochs: int, threads: int) -> np.ndarray:
        """Return the seconds of one step of one fit: of the whole call, and of its steps alone."""
        rows = steps * self.batch
        start = time.perf_counter()
        history = self.net.fit(
            self.x[:rows], self.y[:rows], epochs, self.batch, self.optimizer, n_threads=threads
        )
        whole = time.perf_counter() - start
        return np.array([whole, sum(history.epoch_seconds)]) / (steps * epochs)

    def long(self, steps: int, threads: int) -> float:
        """Return the seconds of a step of the fastest of five long fits."""
        epochs = max(8, int(LONG_SECONDS / (steps * self.step_seconds(steps, 4, threads)[0])))
        return min(float(self.step_seconds(steps, epochs, threads)[0]) for _ in range(5))

    def short(
        self, steps: int, threads: int, fits: int, pause: float, wait: Wait = time.sleep
    ) -> np.ndarray:
        """Return the seconds of a step of each of the short fits, in two rows as above."""
        seconds = []
        for _ in range(fits):
            wait(pause)
            seconds.append(self.step_seconds(steps, 1, threads))
        return np.array(seconds).T


def parse() -> None:
    """Run some Python that is not ours."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pause", type=float)
    parser.parse_args(["--pause", "0.05"])


def interpreter(options: argparse.Namespace) -> dict[str, object]:
    """Measure what the pause costs a program without fastmlp."""

    def seconds(pause: float) -> list[float]:
        times = []
        for _ in range(options.fits):
            time.sleep(pause)
            start = time.perf_counter()
            parse()
            times.append(time.perf_counter() - start)
        return times

    seconds(0)
    ratios = np.quantile(seconds(options.pause), [0.5, 0.9]) / np.median(seconds(0))
    print(f"argparse, pause {options.pause:g} s: {ratios[0]:.2f}, 90th percentile {ratios[1]:.2f}")
    return {
        "layers, batch": "argparse instead of `fit`",
        "threads": 1,
        "pause": f"{1e3 * options.pause:g} ms",
        "whole call": float(ratios[0]),
        "90th percentile": float(ratios[1]),
    }


def take_processor(cpu: int, share: float, turn: float) -> None:
    """Compute for a share of each turn, in seconds, and sleep for the rest."""
    os.sched_setaffinity(0, [cpu])
    while True:
        compute(share * turn)
        if share < 1:
            time.sleep((1 - share) * turn)


@contextmanager
def busy_processor(cpu: int, share: float = 1.0, turn: float = 0.001) -> Iterator[None]:
    """Have another process take a share of the processor."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=take_processor, args=(cpu, share, turn), daemon=True)
    process.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.join()


def report(name: str, seconds: np.ndarray, base: float, of: str) -> dict[str, float]:
    """Print two quantiles relative to `base`, of whole calls and of their steps; return them."""
    (median, steps), (late, late_steps) = np.quantile(seconds, [0.5, 0.9], axis=1) / base
    print(
        f"{name:62} median {median:5.2f}, 90th percentile {late:5.2f}, "
        f"steps alone {steps:5.2f}, {late_steps:5.2f} of {of}",
        flush=True,
    )
    return {"whole call": median, "90th percentile": late, "its steps alone": steps}


def rows_of(fits: Fits, name: str, options: argparse.Namespace) -> Table:
    """Measure short fits on one thread and on several, with the pause and without."""
    rows: Table = []
    for threads in (1, options.threads):
        long = fits.long(options.steps, threads)
        of = f"a long fit's {long * 1e6:.0f} us"
        pause = f"{1e3 * options.pause:g} ms"
        for pause_is, seconds, wait in (
            ("0 ms", 0.0, time.sleep),
            (f"{pause} of computing", options.pause, compute),
            (pause, options.pause, time.sleep),
        ):
            short = fits.short(options.steps, threads, options.fits, seconds, wait)
            found = report(f"{name}, threads {threads}, pause {pause_is}", short, long, of)
            pauses = {"threads": threads, "pause": pause_is}
            rows.append({"layers, batch": name, **pauses, **found})
    return rows


def beside_a_busy_processor(fits: Fits, name: str, options: argparse.Namespace) -> None:
    """Measure short fits while another process keeps a processor busy."""
    with busy_processor(max(os.sched_getaffinity(0))):
        one = float(np.median(fits.short(options.steps, 1, options.fits, options.pause)[0]))
        short = fits.short(options.steps, options.threads, options.fits, options.pause)
    report(f"{name}, beside a busy core", short, one, f"one thread's {one * 1e6:.0f} us")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=40)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds before each fit")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/short-fits.json"))
    options = parser.parse_args()
    rows: Table = [interpreter(options)]
    for sizes, batch in NETWORKS:
        name = f"{'-'.join(map(str, sizes))}, {batch}"
        fits = Fits(sizes, batch, options.steps)
        rows += rows_of(fits, name, options)
        beside_a_busy_processor(fits, name, options)
    write_json(options.output, rows)


if __name__ == "__main__":
    main()
