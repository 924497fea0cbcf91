"""Look for cliffs: shapes that are slow for no reason their neighbours share.

    python benchmarks/sweep.py [--threads 1 2] [--quick]

Trains w, w-w and w-w-w (10 outputs, 16 features) over widths near the edges of the tiles and over
batches, float32, through `Network.fit`. The time per flop, with every width padded to a whole
vector, is compared with the mean of the two neighbours in width and in batch; the automatic number
of threads with the best fixed one. Prints the worst cases.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fastmlp as fm

FEATURES, OUTPUTS, VECTOR = 16, 10, 16
EDGES = (16, 32, 46, 48, 64, 96, 128, 256)
WIDTHS = sorted(
    {8, 12, 24, 40, 80, 112, 192, 384, 512} | {e + d for e in EDGES for d in (-1, 0, 1)}
)
BATCHES = (1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 48, 64, 100, 128, 256, 512)
LIMIT, AUTO_LIMIT = 1.35, 1.10
AUTO = 0  # the automatic number of threads


@dataclass(frozen=True)
class Point:
    """One network, batch size and number of threads."""

    width: int
    depth: int
    batch: int
    threads: int

    @property
    def padded_flops(self) -> int:
        """Return the flops of a step with every width padded to whole vectors."""
        sizes = [FEATURES, *[self.width] * self.depth, OUTPUTS]
        padded = [-(-size // VECTOR) * VECTOR for size in sizes]
        products = [k * n for k, n in itertools.pairwise(padded)]
        return 2 * self.batch * (2 * sum(products) + sum(products[1:]))

    def __str__(self) -> str:
        """Return the name that the report shows."""
        threads = "auto" if self.threads == AUTO else str(self.threads)
        sizes = "-".join(map(str, [FEATURES, *[self.width] * self.depth, OUTPUTS]))
        return f"{sizes}, batch {self.batch}, threads {threads}"


def seconds_per_step(point: Point, seconds: float, repeats: int) -> float:
    """Return the best time of a step over a few runs of about `seconds` each."""
    steps = max(4, 1024 // point.batch)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((steps * point.batch, FEATURES), dtype=np.float32)
    y = rng.integers(0, OUTPUTS, len(X))
    network = fm.Network([FEATURES, *[point.width] * point.depth, OUTPUTS], seed=0)
    n_threads = None if point.threads == AUTO else point.threads

    def run(epochs: int) -> float:
        start = time.perf_counter()
        network.fit(
            X,
            y,
            epochs=epochs,
            batch_size=point.batch,
            optimizer=fm.SGD(1e-3),
            shuffle=False,
            n_threads=n_threads,
        )
        return (time.perf_counter() - start) / (epochs * steps)

    epochs = max(1, round(seconds / (run(1) * steps)))
    return min(run(epochs) for _ in range(repeats))


def neighbours(
    points: dict[Point, float], axis: str, values: Sequence[int]
) -> Iterator[tuple[float, Point]]:
    """Yield each inner point with its time per flop over the mean of its two sides."""
    per_flop = {point: time / point.padded_flops for point, time in points.items()}
    place = {value: i for i, value in enumerate(values)}
    for point, cost in per_flop.items():
        i = place[getattr(point, axis)]
        if 0 < i < len(values) - 1:
            sides = [per_flop[Point(**{**vars(point), axis: values[j]})] for j in (i - 1, i + 1)]
            yield cost / (sum(sides) / 2), point


def automatic(points: dict[Point, float]) -> Iterator[tuple[float, Point]]:
    """Yield each automatic point with its time over the best of the fixed numbers."""
    for point, cost in points.items():
        if point.threads == AUTO:
            fixed = [
                time
                for other, time in points.items()
                if other.threads != AUTO
                and (other.width, other.depth, other.batch)
                == (point.width, point.depth, point.batch)
            ]
            if fixed:
                yield cost / min(fixed), point


def report(title: str, ratios: Iterator[tuple[float, Point]], limit: float, count: int) -> None:
    """Print the worst cases."""
    worst = sorted(ratios, key=lambda pair: -pair[0])
    beyond = sum(ratio > limit for ratio, _ in worst)
    print(f"\n{title}: {beyond} of {len(worst)} above {limit}")
    for ratio, point in worst[:count]:
        print(f"  {ratio:5.2f}  {point}")


def main() -> None:
    """Measure everything, print the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=0.004, help="of a timed run")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of a point")
    parser.add_argument("--quick", action="store_true", help="two hidden layers, fewer batches")
    parser.add_argument("--worst", type=int, default=12, help="cases to print (default 12)")
    parser.add_argument("--output", type=Path, default=Path("build/sweep.json"))
    options = parser.parse_args()
    depths, batches = ((2,), (1, 4, 32, 33, 256)) if options.quick else ((1, 2, 3), BATCHES)
    threads = [*options.threads, AUTO]
    points = {}
    for depth, batch, width in itertools.product(depths, batches, WIDTHS):
        for number in threads:
            point = Point(width, depth, batch, number)
            points[point] = seconds_per_step(point, options.seconds, options.repeats)
        if width == WIDTHS[-1]:
            print(f"measured: {point}", file=sys.stderr)
    report(
        "against the neighbours in width", neighbours(points, "width", WIDTHS), LIMIT, options.worst
    )
    report(
        "against the neighbours in batch",
        neighbours(points, "batch", batches),
        LIMIT,
        options.worst,
    )
    report("automatic threads against the best", automatic(points), AUTO_LIMIT, options.worst)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    records = [{**vars(point), "us_per_step": time * 1e6} for point, time in points.items()]
    options.output.write_text(json.dumps(records) + "\n")


if __name__ == "__main__":
    main()
