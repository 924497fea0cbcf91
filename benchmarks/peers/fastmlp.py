"""fastmlp itself, through its public face."""

import fastmlp as fm
from cases import LEARNING_RATE, Array, Problem
from fastmlp import _core

DISTRIBUTION = "fastmlp"


def make_network(problem: Problem, output: str) -> fm.Network:
    """Return a network that starts from the problem's weights."""
    network = fm.Network(list(problem.case.sizes), output=output, seed=0)
    for i, (weights, biases) in enumerate(zip(problem.weights, problem.biases, strict=True)):
        network.weights[i] = weights
        network.biases[i] = biases
    return network


class Trainer:
    """`Network.fit`."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.problem = problem
        self.n_threads = n_threads
        self.network = make_network(problem, "identity" if problem.case.regression else "softmax")

    def run(self, epochs: int) -> None:
        """Train."""
        self.network.fit(
            self.problem.X,
            self.problem.y,
            epochs=epochs,
            batch_size=self.problem.case.batch,
            optimizer=fm.SGD(LEARNING_RATE),
            shuffle=False,
            n_threads=self.n_threads,
        )

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return list(self.network.weights)

    def peak(self) -> float:
        """Return the machine's FMA peak in GFLOP/s."""
        return _core.peak_gflops("float32", self.n_threads)


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
