"""Time one learning step of a deep Q-network, beside the same step in PyTorch.

    python benchmarks/deep_q.py [--output build/deep_q.json]

4-64-64-2 on one thread. A step draws a batch from 10,000 transitions, predicts with the target
network, computes the derivatives of Huber's loss of the actions taken, clips their norm, takes a
step of Adam and moves the target network: the loop of docs/guide/reinforcement.md without its
priorities, and in PyTorch the usual lines. They are measured as in `train_on_batch.py`.
"""

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contest import write_json
from train_on_batch import measure

SIZES, BATCHES = [4, 64, 64, 2], (1, 32, 64)
GAMMA, TAU, RATE, CLIP = 0.99, 0.005, 1e-3, 10.0
SIZE = 10_000


class Memory:
    """Transitions of an environment that does not matter here."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.before, self.after = self.rng.standard_normal((2, SIZE, 4), dtype=np.float32)
        self.actions = self.rng.integers(0, 2, SIZE)
        self.rewards = self.rng.standard_normal(SIZE, dtype=np.float32)

    def rows(self, batch: int) -> np.ndarray:
        """Draw a batch."""
        return self.rng.integers(0, SIZE, batch)


def fastmlp_step(batch: int) -> Callable[[], object]:
    """Return a step of fastmlp."""
    memory = Memory()
    net = fm.Network(SIZES, output="identity", seed=1)
    target, optimizer = net.copy(), fm.Adam(RATE, clip_norm=CLIP)
    every = np.arange(batch)

    def step() -> None:
        rows = memory.rows(batch)
        before, taken = memory.before[rows], (every, memory.actions[rows])
        wanted = memory.rewards[rows] + GAMMA * target.predict(memory.after[rows]).max(axis=1)
        outputs = net.predict(before)
        gradient = np.zeros_like(outputs)
        gradient[taken] = np.clip(outputs[taken] - wanted, -1, 1) / batch
        net.train_on_batch(before, None, optimizer, gradient=gradient)
        target.soft_update(net, TAU)

    return step


def torch_step(batch: int) -> Callable[[], object]:
    """Return a step of PyTorch."""
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    torch.set_num_threads(1)
    memory = Memory()

    def network() -> Any:
        return nn.Sequential(
            nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
        )

    net, target = network(), network()
    target.load_state_dict(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    before, after, actions, rewards = map(
        torch.from_numpy, (memory.before, memory.after, memory.actions, memory.rewards)
    )

    def step() -> None:
        rows = torch.from_numpy(memory.rows(batch))
        with torch.no_grad():
            wanted = rewards[rows] + GAMMA * target(after[rows]).max(1).values
        taken = net(before[rows]).gather(1, actions[rows, None])[:, 0]
        optimizer.zero_grad()
        nn.functional.smooth_l1_loss(taken, wanted).backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        with torch.no_grad():
            for theirs, ours in zip(target.parameters(), net.parameters(), strict=True):
                theirs.lerp_(ours, TAU)

    return step


def main() -> None:
    """Time both, print, write."""
    parser = argparse.ArgumentParser(description="Time one learning step of a deep Q-network.")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    options = parser.parse_args()
    fm.set_num_threads(1)
    table = []
    for batch in BATCHES:
        least = measure({"fastmlp": fastmlp_step(batch), "PyTorch": torch_step(batch)})
        times = least["PyTorch"] / least["fastmlp"]
        print(f"batch {batch:3}  {least['fastmlp']:6.1f} us, {least['PyTorch']:6.1f} {times:5.1f}")
        table.append({"layers, batch": f"4-64-64-2, {batch}", **least, "times as fast": times})
    if options.output:
        write_json(options.output, table, {"PyTorch": version("torch")})


if __name__ == "__main__":
    main()
