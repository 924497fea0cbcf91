"""scikit-learn's MLP with its SGD solver: constant rate, no momentum, no penalty.

Two classes are one logistic output there, so 30-256-128-2 is slightly less work than elsewhere.
"""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from cases import LEARNING_RATE, Array, Problem

DISTRIBUTION = "scikit-learn"


def make_estimator(problem: Problem, *, regression: bool) -> MLPClassifier | MLPRegressor:
    """Return an estimator that continues from the problem's weights."""
    # Half the squared error there: twice the rate is the same step.
    estimator = (MLPRegressor if regression else MLPClassifier)(
        hidden_layer_sizes=problem.case.sizes[1:-1],
        solver="sgd",
        alpha=0.0,
        batch_size=min(problem.case.batch, len(problem.X)),
        learning_rate_init=LEARNING_RATE * (2 if regression else 1),
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        max_iter=1,
        tol=0.0,
        n_iter_no_change=1 << 30,
        warm_start=True,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    return estimator


def copy_weights(problem: Problem, estimator: MLPClassifier | MLPRegressor) -> None:
    """Set a fitted estimator to the problem's initial weights."""
    for i in range(len(problem.weights)):
        width = estimator.coefs_[i].shape[1]
        estimator.coefs_[i][:] = problem.weights[i][:, :width]
        estimator.intercepts_[i][:] = problem.biases[i][:width]


class Trainer:
    """`fit` with a warm start."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        del n_threads  # bound by the environment
        self.X = problem.X
        self.y = problem.y.ravel()
        self.estimator = make_estimator(problem, regression=problem.case.regression)
        self.estimator.fit(self.X, self.y)
        copy_weights(problem, self.estimator)

    def run(self, epochs: int) -> None:
        """Train."""
        self.estimator.set_params(max_iter=epochs)
        self.estimator.fit(self.X, self.y)

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return list(self.estimator.coefs_)


class Predictor:
    """`MLPRegressor.predict`."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        del n_threads
        self.X = problem.X
        self.estimator = make_estimator(problem, regression=True)
        targets = problem.X[:, : problem.case.sizes[-1]]
        self.estimator.fit(self.X, targets)
        copy_weights(problem, self.estimator)

    def run(self, calls: int) -> None:
        """Predict."""
        for _ in range(calls):
            self.estimator.predict(self.X)

    def outputs(self) -> Array:
        """Return the outputs."""
        return self.estimator.predict(self.X)
