"""A step of one of many small networks: `train_many`, one fit after another, and other libraries.

Every network has its own order of the samples but in JAX and PyTorch, which do not shuffle. Peers
that are not installed are left out. For one thread:

Run: taskset -c 0 python benchmarks/many.py --threads 1 [--count 1000] [--output build/many.json]
     taskset -c 0 python benchmarks/many.py --threads 1 --linear   # time and memory of 100,000
     taskset -c 0 python benchmarks/many.py --predict   # predictions of all for the same samples
     python benchmarks/many.py --two       # two threads beside one
     taskset -c 0 python benchmarks/many.py --normalized   # with normalization, one thread
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp as fm
from contest import write_json

SHAPES = (([8, 16, 1], 32), ([20, 24, 1], 64), ([10, 32, 32, 3], 32))
SAMPLES, EPOCHS, RATE = 1024, 10, 0.01
Data = tuple[NDArray[np.float32], NDArray[np.float32]]


def seconds(call: Callable[[], Any], rounds: int) -> float:
    """Return the least time of some calls, after one that prepares."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def samples(layers: list[int]) -> Data:
    """Return features and targets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((SAMPLES, layers[0]), dtype=np.float32)
    return X, rng.standard_normal((SAMPLES, layers[-1]), dtype=np.float32)


def together(
    layers: list[int], batch: int, count: int, data: Data, optimizer: Any, **settings: Any
) -> Any:
    """Return a call of `train_many`."""
    networks = list(fm.Networks(layers, count, output="identity", seed=0, **settings))
    X, y = data
    return lambda n, epochs=EPOCHS: fm.train_many(
        networks, X, y, epochs, batch, optimizer, n_threads=n
    )


def one_by_one(
    layers: list[int], batch: int, count: int, data: Data, optimizer: Any, **settings: Any
) -> Any:
    """Return a call that fits one after another."""
    networks = list(fm.Networks(layers, count, output="identity", seed=0, **settings))
    X, y = data
    return lambda: [net.fit(X, y, EPOCHS, batch, optimizer, n_threads=1) for net in networks]


def by_joblib(layers: list[int], batch: int, count: int, data: Data, threads: int) -> Any:
    """Return a call that fits in threads of joblib."""
    from joblib import Parallel, delayed  # noqa: PLC0415  (optional)

    networks = list(fm.Networks(layers, count, output="identity", seed=0))

    def fit(net: fm.Network) -> None:
        X, y = data
        net.fit(X, y, EPOCHS, batch, fm.SGD(RATE), n_threads=1)

    return lambda: Parallel(threads, prefer="threads")(delayed(fit)(net) for net in networks)


def weights_of(layers: list[int], count: int) -> list[tuple[Any, Any]]:
    """Return weights (count, K, N) and biases of each layer."""
    networks = fm.Networks(layers, count, output="identity", seed=0)
    return [
        (np.stack([n.weights[i] for n in networks]), np.stack([n.biases[i] for n in networks]))
        for i in range(len(layers) - 1)
    ]


def by_jax(layers: list[int], batch: int, count: int, data: Data) -> Any:
    """Return a call of ``vmap(lax.scan)``, compiled."""
    import jax  # noqa: PLC0415  (optional)

    from peers import jax as peer  # noqa: PLC0415

    x, y = (part.reshape(-1, batch, part.shape[1]) for part in data)

    def train(parameters: Any) -> Any:
        def step(p: Any, pair: Any) -> Any:
            gradients = jax.grad(peer.squared_error)(p, *pair)
            return jax.tree.map(lambda w, g: w - RATE * g, p, gradients), None

        def epoch(p: Any, _: Any) -> Any:
            return jax.lax.scan(step, p, (x, y))

        return jax.vmap(lambda p: jax.lax.scan(epoch, p, length=EPOCHS)[0])(parameters)

    parameters = jax.tree.map(jax.numpy.array, weights_of(layers, count))
    compiled = jax.jit(train)
    return lambda: jax.block_until_ready(compiled(parameters))


def by_torch(layers: list[int], batch: int, count: int, data: Data, threads: int) -> Any:
    """Return a call of `torch.func.vmap` of `grad`, a step at a time."""
    import torch  # noqa: PLC0415  (optional)

    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(part).split(batch) for part in data)
    parameters = [tuple(map(torch.from_numpy, pair)) for pair in weights_of(layers, count)]

    def loss(p: Any, inputs: Any, targets: Any) -> Any:
        for w, b in p[:-1]:
            inputs = torch.relu(inputs @ w + b)
        w, b = p[-1]
        return ((inputs @ w + b - targets) ** 2).mean()

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))

    def train() -> None:
        p = parameters
        for inputs, targets in zip(x, y, strict=True):  # one epoch, which is slow enough
            found = gradient(p, inputs, targets)
            p = [
                tuple(w - RATE * g for w, g in zip(*pair, strict=True))
                for pair in zip(p, found, strict=True)
            ]

    return train


def measure(layers: list[int], batch: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Print and return nanoseconds of a step of one network."""
    count, threads, few = arguments.count, arguments.threads, max(1, arguments.count // 20)
    data = samples(layers)
    row: dict[str, Any] = {"layers, batch": f"{'-'.join(map(str, layers))}, {batch}"}

    def note(name: str, make: Callable[[], Any], networks: int, epochs: int = EPOCHS) -> None:
        try:
            call = make()
        except ImportError:
            return
        steps = networks * epochs * (SAMPLES // batch)
        row[name] = round(seconds(call, arguments.rounds) / steps * 1e9, 1)

    for title, optimizer in (("", fm.SGD(RATE)), (" Adam", fm.Adam(RATE))):
        many = together(layers, batch, count, data, optimizer)
        note(f"fastmlp{title}", partial(partial, many, threads), count)
        one = one_by_one(layers, batch, few, data, optimizer)
        note(f"one by one{title}", partial(partial, one), few)
    note("joblib", lambda: by_joblib(layers, batch, few, data, threads), few)
    note("JAX", lambda: by_jax(layers, batch, count, data), count)
    note("torch.func", lambda: by_torch(layers, batch, count, data, threads), count, 1)
    print(
        ", ".join(
            f"{key} {value}" if isinstance(value, str) else f"{key} {value:.0f} ns"
            for key, value in row.items()
        ),
        flush=True,
    )
    return row


def normalized(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return nanoseconds of a step of one network with normalization."""
    table: list[dict[str, Any]] = []
    few = max(1, arguments.count // 20)
    for (layers, batch), kind in product(SHAPES, ("batch", "layer")):
        data = samples(layers)
        shape = f"{'-'.join(map(str, layers))}, {batch}"
        row: dict[str, Any] = {"layers, batch": shape, "normalization": kind}
        for title, optimizer in (("", fm.SGD(RATE)), (" Adam", fm.Adam(RATE))):
            many = together(layers, batch, arguments.count, data, optimizer, normalization=kind)
            one = one_by_one(layers, batch, few, data, optimizer, normalization=kind)
            for name, call, count in (
                (f"fastmlp{title}", partial(many, arguments.threads), arguments.count),
                (f"one by one{title}", one, few),
            ):
                steps = count * EPOCHS * (SAMPLES // batch)
                row[name] = round(seconds(call, arguments.rounds) / steps * 1e9, 1)
        print(row, flush=True)
        table.append(row)
    return table


def linear(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return time and memory of 100,000 networks beside 1,000's, trained by Adam."""
    layers, batch = SHAPES[0]
    X, y = samples(layers)
    few, most = 1000, 100_000
    spent: dict[int, float] = {}
    memory: dict[int, float] = {}
    for count in (few, most):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        networks = fm.Networks(layers, count, output="identity", seed=0)
        train = partial(fm.train_many, networks, X, y, EPOCHS, batch, fm.Adam(RATE))
        spent[count] = seconds(partial(train, n_threads=arguments.threads), arguments.rounds)
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        memory[count] = kilobytes * 1024 / (3 * networks.parameters.nbytes)
        print(
            f"{count:,} networks: {spent[count]:.3f} s, {memory[count]:.1f} times the "
            "memory of their parameters and Adam's state",
            flush=True,
        )
    row = {
        "layers, batch": f"{'-'.join(map(str, layers))}, {batch}",
        "networks": most,
        "times the memory of parameters and Adam's state": memory[most],
        f"times as long as {few:,}": spent[most] / spent[few],
    }
    print(f"{most:,} take {spent[most] / spent[few]:.1f} times as long as {few:,}")
    return [row]


def two_threads(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return the time of a network on one thread and on two, and Python's part of it."""
    (layers, batch), count = SHAPES[0], arguments.count
    train = together(layers, batch, count, samples(layers), fm.SGD(RATE))

    def spent(epochs: int, threads: int) -> float:
        return float(seconds(partial(train, threads, epochs), arguments.rounds) * 1e6 / count)

    once, table = spent(1, 1), []
    for epochs in (10, 100):
        one, two = (spent(epochs, threads) for threads in (1, 2))
        row = {
            "layers, batch": f"{'-'.join(map(str, layers))}, {batch}",
            "epochs": epochs,
            "one thread, µs": one,
            "Python, µs": once - (one - once) / (epochs - 1),
            "two threads, µs": two,
            "times as fast": one / two,
        }
        print(row, flush=True)
        table.append(row)
    return table


def predictions(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return nanoseconds of a prediction of one network for some samples."""
    layers, count = SHAPES[0][0], arguments.count
    X = np.random.default_rng(0).standard_normal((1000, layers[0]), dtype=np.float32)
    networks = fm.Networks(layers, count, output="identity", seed=0)
    alone = list(networks)

    def one_after_another(X: NDArray[np.float32]) -> None:
        for net in alone:
            net.predict(X, n_threads=1)

    table: list[dict[str, Any]] = []
    for n in (1, 10, 100, 1000):
        times = [
            seconds(partial(call, X[:n]), 3 * arguments.rounds) / count * 1e9
            for call in (partial(networks.predict, n_threads=1), one_after_another)
        ]
        row = dict(zip(("together", "one by one"), times, strict=True))
        table.append({"rows": n, **row, "times as fast": times[1] / times[0]})
        print(table[-1], flush=True)
    return table


def main() -> None:
    """Run all shapes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="networks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    parser.add_argument("--linear", action="store_true", help="only 1,000 beside 100,000")
    parser.add_argument("--two", action="store_true", help="only two threads beside one")
    parser.add_argument("--predict", action="store_true", help="only predictions")
    parser.add_argument("--normalized", action="store_true", help="only with normalization")
    arguments = parser.parse_args()
    if arguments.linear:
        table = linear(arguments)
    elif arguments.two:
        table = two_threads(arguments)
    elif arguments.predict:
        table = predictions(arguments)
    elif arguments.normalized:
        table = normalized(arguments)
    else:
        table = [measure(*shape, arguments) for shape in SHAPES]
    if arguments.output:
        parts = (arguments.linear, arguments.two, arguments.predict, arguments.normalized)
        peers = () if any(parts) else ("jax", "joblib", "torch")
        versions = {name: version(name) for name in peers if find_spec(name)}
        write_json(arguments.output, table, versions)


if __name__ == "__main__":
    main()
