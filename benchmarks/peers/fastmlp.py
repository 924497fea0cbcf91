"""fastmlp itself, through its public face."""

from dataclasses import replace

import fastmlp as fm
from cases import OPTIMIZERS, Array, Problem
from fastmlp import _core
from fastmlp.layers import ActivationName
from fastmlp.settings.optimizers import Optimizer

DISTRIBUTION = "fastmlp"


def make_network(problem: Problem, output: ActivationName) -> fm.Network:
    """Return a network that starts from the problem's weights."""
    network = fm.Network(list(problem.case.sizes), output=output, seed=0)
    for i, (weights, biases) in enumerate(zip(problem.weights, problem.biases, strict=True)):
        network.weights[i] = weights
        network.biases[i] = biases
    return network


def make_optimizer(name: str) -> Optimizer:
    """Return the optimizer of that name in `cases`."""
    rate = OPTIMIZERS[name]
    kinds: dict[str, Optimizer] = {
        "SGD": fm.SGD(rate),
        "momentum": fm.SGD(rate, momentum=0.9),
        "Nesterov": fm.SGD(rate, momentum=0.9, nesterov=True),
        "Adam": fm.Adam(rate),
        "AdamW": fm.AdamW(rate),
        "RMSprop": fm.RMSprop(rate),
    }
    return kinds[name]


class Trainer:
    """`Network.fit`."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.problem = problem
        self.n_threads = n_threads
        self.network = make_network(problem, "identity" if problem.case.regression else "softmax")
        self.optimizer = make_optimizer(problem.optimizer)

    def run(self, epochs: int) -> None:
        """Train."""
        self.network.fit(
            self.problem.X,
            self.problem.y,
            epochs=epochs,
            batch_size=self.problem.case.batch,
            optimizer=self.optimizer,
            shuffle=False,
            n_threads=self.n_threads,
        )

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return list(self.network.weights)

    def peak(self) -> float:
        """Return the machine's FMA peak in GFLOP/s."""
        return _core.peak_gflops("float32", self.n_threads)


class PlainTrainer(Trainer):
    """Plain SGD, compared with the optimizer of the problem."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(replace(problem, optimizer="SGD"), n_threads)


class Predictor:
    """`Network.predict`, a new array per call."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.X = problem.X
        self.n_threads = n_threads
        self.network = make_network(problem, "identity")

    def run(self, calls: int) -> None:
        """Predict."""
        predict, X = self.network.predict, self.X
        for _ in range(calls):
            predict(X)

    def outputs(self) -> Array:
        """Return the outputs."""
        return self.network.predict(self.X)

    def peak(self) -> float:
        """Return the machine's FMA peak in GFLOP/s."""
        return _core.peak_gflops("float32", self.n_threads)


class PredictorWithOut(Predictor):
    """`Network.predict` into an array that is there."""

    def run(self, calls: int) -> None:
        """Predict."""
        predict, X, out = self.network.predict, self.X, self.outputs()
        for _ in range(calls):
            predict(X, out=out)
