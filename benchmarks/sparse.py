"""Time `fit` on sparse features against the same features made dense.

    python benchmarks/sparse.py [--features 10000] [--density 0.01] [--repeats 5]

One thread, plain SGD and Adam, float32. Both are trained in turn and the least time of an epoch
counts; the parameters of both must be the same.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

import fastmlp as fm
from contest import write_json

HIDDEN, CLASSES, ROWS = 128, 10, 2048


def seconds(net: fm.Network, X: Any, y: Any, batch_size: int, optimizer: fm.SGD | fm.Adam) -> float:
    """Return the time of one epoch."""
    history = net.fit(X, y, 1, batch_size, optimizer, n_threads=1)
    return history.seconds


def compare(
    X: Any, y: Any, batch_size: int, optimizer: fm.SGD | fm.Adam, repeats: int
) -> dict[str, Any]:
    """Train on both in turn; print and return the least times."""
    layers = [X.shape[1], HIDDEN, CLASSES]
    data = {"sparse": X, "dense": X.toarray()}
    nets = {name: fm.Network(layers, seed=1) for name in data}
    least = dict.fromkeys(data, float("inf"))
    for _ in range(repeats):
        for name, x in data.items():
            least[name] = min(least[name], seconds(nets[name], x, y, batch_size, optimizer))
    assert np.array_equal(nets["sparse"].parameters, nets["dense"].parameters)
    print(
        f"{type(optimizer).__name__:5} batch {batch_size:4}   "
        f"sparse {least['sparse'] * 1e3:8.1f} ms   dense {least['dense'] * 1e3:8.1f} ms   "
        f"{least['dense'] / least['sparse']:5.1f} times as fast"
    )
    return {
        "layers, batch": f"{'-'.join(map(str, layers))}, {batch_size}, {type(optimizer).__name__}",
        **{f"{name}, ms": seconds * 1e3 for name, seconds in least.items()},
        "times as fast": least["dense"] / least["sparse"],
    }


def main() -> None:
    """Compare batches and optimizers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--features", type=int, default=10_000)
    parser.add_argument("--density", type=float, default=0.01)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    shape = ROWS, arguments.features
    X = scipy.sparse.random_array(
        shape, density=arguments.density, rng=rng, dtype=np.float32, format="csr"
    )
    y = rng.integers(0, CLASSES, ROWS)
    table = [
        compare(X, y, batch_size, optimizer, arguments.repeats)
        for optimizer in (fm.SGD(0.1), fm.Adam())
        for batch_size in (32, 256)
    ]
    if arguments.output:
        write_json(arguments.output, table)


if __name__ == "__main__":
    main()
