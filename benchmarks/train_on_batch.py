"""Time one training step from Python: `train_on_batch` beside the three calls, JAX and PyTorch.

    python benchmarks/train_on_batch.py [--peers jax torch] [--threads 1]

64-64-2 with Adam and the squared error, float32. Each is called until its arrays and compiled code
are warm, then timed in rounds, in turns with the others, so that a noisy machine disturbs all
alike; the least time of a call is reported. JAX runs a jitted step with optax that is given its
own buffers, PyTorch its usual four lines; both are asked for the loss, as fastmlp returns it.
"""

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import NAMES, write_json

SIZES = [64, 64, 2]
BATCHES = (1, 64)
ROUNDS, SECONDS = 15, 0.05


def batch_of(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, SIZES[0]), dtype=np.float32)
    return X, rng.standard_normal((rows, SIZES[-1]), dtype=np.float32)


def fastmlp_step(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return `train_on_batch`."""
    net, optimizer = fm.Network(SIZES, output="identity", seed=1), fm.Adam(1e-3)
    return lambda: net.train_on_batch(X, y, optimizer)


def three_calls(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return `forward`, `backward` and `update`."""
    net, optimizer = fm.Network(SIZES, output="identity", seed=1), fm.Adam(1e-3)

    def step() -> float:
        net.forward(X)
        loss = net.backward(y)
        net.update(optimizer)
        return loss

    return step


def jax_step(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return a jitted step of JAX with optax."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415
    import optax  # noqa: PLC0415

    keys = jax.random.split(jax.random.key(1), len(SIZES) - 1)
    parameters = [
        (jax.random.normal(key, (K, N)) / K**0.5, jnp.zeros(N))
        for key, K, N in zip(keys, SIZES, SIZES[1:], strict=False)
    ]
    optimizer = optax.adam(1e-3)
    x, targets = jnp.asarray(X), jnp.asarray(y)

    def loss_of(parameters: Any, x: Any, targets: Any) -> Any:
        (W0, b0), (W1, b1) = parameters
        return jnp.mean((jax.nn.relu(x @ W0 + b0) @ W1 + b1 - targets) ** 2)

    def update(parameters: Any, state: Any, x: Any, targets: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, targets)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, loss

    compiled = jax.jit(update, donate_argnums=(0, 1))
    held = [parameters, optimizer.init(parameters)]

    def step() -> float:
        held[0], held[1], loss = compiled(held[0], held[1], x, targets)
        return float(loss)

    return step


def torch_step(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return the step that PyTorch's tutorials have."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    net = torch.nn.Sequential(
        torch.nn.Linear(*SIZES[:2]), torch.nn.ReLU(), torch.nn.Linear(*SIZES[1:])
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, targets = torch.from_numpy(X), torch.from_numpy(y)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), targets)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


STEPS = {
    "train_on_batch": fastmlp_step,
    "three calls": three_calls,
    "jax": jax_step,
    "torch": torch_step,
}


def measure(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least microseconds of a call of each."""
    least = dict.fromkeys(steps, float("inf"))
    calls = {}
    for name, step in steps.items():
        for _ in range(20):
            step()
        start = time.perf_counter()
        for _ in range(20):
            step()
        calls[name] = max(1, int(SECONDS * 20 / (time.perf_counter() - start)))
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                step()
            least[name] = min(least[name], 1e6 * (time.perf_counter() - start) / calls[name])
    return least


def main() -> None:
    """Print a table: microseconds a step, and times as long as `train_on_batch`."""
    parser = argparse.ArgumentParser(description="Time one training step from Python.")
    parser.add_argument("--peers", nargs="*", choices=["jax", "torch"], default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    fm.set_num_threads(options.threads)
    table = []
    for rows in BATCHES:
        X, y = batch_of(rows)
        names = ["train_on_batch", "three calls", *options.peers]
        least = measure({name: STEPS[name](X, y) for name in names})
        for name, time_of in least.items():
            times = time_of / least["train_on_batch"]
            print(f"batch {rows:3}  {name:15} {time_of:8.2f} us  {times:6.1f}")
        case = f"{'-'.join(map(str, SIZES))}, {rows}"
        table.append({"layers, batch": case, **{NAMES.get(n, n): least[n] for n in names}})
    if options.output:
        write_json(options.output, table, {name: version(name) for name in options.peers})


if __name__ == "__main__":
    main()
