"""`Network`: what the user holds. It predicts, evaluates and trains."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from . import arrays, training, validation
from .dense import Matrix
from .derivatives import Derivatives
from .early_stopping import EarlyStopping
from .errors import DivergenceError
from .held_out import HeldOut, hold_out, read_metrics
from .history import Evaluation, History
from .losses import is_right
from .optimizers import SGD, Memory, Optimizer
from .sums import mean


class Network(Derivatives):
    """A feed-forward network of dense layers, in pure Python.

    Initial weights are uniform in [-limit, limit] with limit = sqrt(6 / K) for relu layers (He et
    al., 2015) and sqrt(6 / (K + N)) for the others (Glorot and Bengio, 2010), drawn by a
    counter-based generator (Philox, Salmon et al., 2011); biases are zero.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus", \
            "exp", "identity"}, default "relu"
        The activation of hidden layers given as a number.
    output : {"softmax", "sigmoid", "identity", "exp", ...}, default "softmax"
        The activation of the last layer, if given as a number: softmax, or any of `activation`.
    loss : {"cross_entropy", "binary_cross_entropy", "mean_squared_error", \
            "mean_absolute_error", "huber", "quantile", "poisson"}, or a loss, optional
        `CrossEntropy`, `Huber` and `Quantile` are losses with a parameter. None takes
        cross-entropy with softmax, binary cross-entropy with sigmoid, Poisson with exp, and mean
        squared error with the rest.
    seed : int, optional
        In [0, 2^64): initial weights and the order of samples follow from it. None draws one;
        `seed` tells which.
    dtype : {"float32", "float64"}, default "float32"
        What initial weights are rounded to, so that a compiled network of the same dtype and seed
        starts from the same ones. All arithmetic is float64.
    normalization : {"batch", "layer"}, optional
        The normalization of hidden layers given as a number; see `Dense`.
    dropout : float, default 0.0
        The dropout of hidden layers given as a number; see `Dense`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a size is below 1, a name is unknown, softmax is not last, the loss does not fit the
        output, or the seed is out of range.
    MemoryError
        If the parameters are more than an address space holds.
    """

    def predict(self, X: object, out: Any = None, n_threads: int | None = None) -> Any:
        """Compute the outputs for X; the network stays as it is.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples; B may be 0.
        out : list of list or ndarray, shape (B, N), optional
            Written and returned.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        list of list of float, shape (B, N)
            The outputs, or `out`.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite, or `out` does not fit.
        """
        validation.n_threads(n_threads)
        nodes = self._propagate(arrays.features("X", X, self._features, minimum=0)).nodes[-1]
        if out is None:
            return nodes
        arrays.matching("out", out, (len(nodes), self._layers[-1].nodes))
        for row, outputs in zip(out, nodes, strict=True):
            row[:] = outputs
        return out

    def evaluate(self, X: object, y: object, n_threads: int | None = None) -> Evaluation:
        """Compute the mean loss and the accuracy on X against y.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least one.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        Evaluation
            The named tuple ``(loss, accuracy)``; accuracy is None for losses that decide
            nothing: all but the cross-entropies.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit the network or is not finite.
        """
        validation.n_threads(n_threads)
        return self._evaluate(*self._batch(X, y))

    def _evaluate(self, X: Matrix, y: Matrix) -> Evaluation:
        at = self._propagate(X)
        losses = self._losses(at, y)
        right = [
            decision
            for z_row, y_row in zip(at.z[-1], y, strict=True)
            for decision in is_right(self._loss, z_row, y_row)
        ]
        accuracy = right.count(True) / len(right) if right else None
        return Evaluation(mean(losses), accuracy)

    def fit(
        self,
        X: object,
        y: object,
        epochs: int = 10,
        batch_size: int = 32,
        optimizer: Optimizer = SGD(learning_rate=0.1),  # noqa: B008  (frozen)
        shuffle: object = True,
        validation_data: object = None,
        verbose: int = 0,
        n_threads: int | None = None,
        callbacks: training.Callback | Iterable[training.Callback] | None = None,
        *,
        validation_fraction: float | None = None,
        metrics: object = None,
        early_stopping: EarlyStopping | None = None,
    ) -> History:
        """Train on mini-batches: `forward`, `backward` and `update`, over the epochs.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples, at least one.
        y : array-like, shape (n,) or (n, N)
            Integer class labels 0 .. N-1 (n,), with cross-entropy only; else one-hot or real
            targets (n, N). With one output and another loss, (n,) means (n, 1).
        epochs : int, default 10
            Times to go through X, at least 1.
        batch_size : int, default 32
            Samples per step, at least 1; the last batch of an epoch may be shorter.
        optimizer : Optimizer, default SGD(learning_rate=0.1)
            How a gradient changes the parameters.
        shuffle : bool or array-like of int, shape (n,) or (epochs, n), default True
            True draws an order of samples per epoch from the seed; False takes them as they
            stand; row indices are an order handed in, for every epoch or for each.
        validation_data : tuple (X, y), optional
            Evaluated after each epoch.
        verbose : int, default 0
            1 prints a line per epoch on standard error.
        n_threads : int, optional
            Accepted and ignored.
        callbacks : callable or sequence of callables, optional
            Each called as ``callback(network, epoch_report)`` at the end of each epoch; a true
            result stops after this epoch.
        validation_fraction : float, optional
            Instead of validation data: the share of the samples to hold out, by the seed.
        metrics : str or sequence of str, optional
            What to measure on the validation data beside the loss.
        early_stopping : EarlyStopping, optional
            When to stop before the last epoch.

        Returns
        -------
        History
            Losses per epoch, and time.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has changed then.
        DivergenceError
            If the loss of an epoch is not finite; the parameters are back at the last finite
            epoch end.
        """
        validation.n_threads(n_threads)
        rows, targets = self._batch(X, y)
        held_out = None
        measured = read_metrics(metrics, self._loss)
        if validation_data is not None:
            names = ("validation_data[0]", "validation_data[1]")
            held_out = HeldOut(
                *self._batch(*training.read_pair(validation_data), names), metrics=measured
            )
        elif validation_fraction is not None:
            (rows, targets), samples = hold_out(
                rows, targets, validation_fraction, self._loss, self._seed
            )
            held_out = HeldOut(*samples, metrics=measured)
        schedule = training.read_schedule(
            epochs, batch_size, optimizer, shuffle, rows=len(rows), trained=self._epoch
        )
        followers = training.read_callbacks(callbacks, early_stopping, verbose)
        return self._train(rows, targets, schedule, held_out, followers)

    def objective(self, X: object, y: object) -> Callable[[object], tuple[float, list[float]]]:
        """Return the mean loss over (X, y) as a function of the flat parameters.

        Parameters
        ----------
        X, y : array-like
            Samples (B, features), at least one, and targets as in `fit`.

        Returns
        -------
        callable
            ``f(theta) -> (loss, gradient)``, theta (n_parameters,) in the order of `parameters`,
            gradient a flat list. A call leaves theta in the network. Dropout is off, and batch
            normalisation by the running averages.
        """
        rows, targets = self._batch(X, y)

        def objective(theta: object) -> tuple[float, list[float]]:
            self.parameters = theta
            self._forward(rows, training=False)
            return mean(self._backward(targets)), self.gradients

        return objective

    def _train(
        self,
        X: Matrix,
        y: Matrix,
        schedule: training.Schedule,
        held_out: HeldOut | None,
        followers: tuple[training.Callback, ...],
    ) -> History:
        history = History(len(X), training.flops_per_sample(self._shapes()))
        finite = self.parameters
        if self._memory.kind is not type(schedule.optimizer):
            self._memory = Memory(type(schedule.optimizer))
        for epoch in range(schedule.epochs):
            start = time.perf_counter()
            order = schedule.order(epoch, self._seed, self._epoch)
            loss = self._train_epoch(X, y, order, schedule, epoch)
            self._epoch += 1
            seconds = time.perf_counter() - start
            if not math.isfinite(loss):
                self.parameters = finite
                raise DivergenceError(epoch + 1, loss, self._rate)
            if all(math.isfinite(value) for value in self.parameters):
                finite = self.parameters
            evaluation = None if held_out is None else self._evaluate(held_out.X, held_out.y)
            metrics = {} if held_out is None else held_out.measure(self.predict(held_out.X))
            report = history.add(loss, seconds, evaluation, schedule.epochs, self._rate, metrics)
            stops = [bool(follower(self, report)) for follower in followers]
            if any(stops):
                break
        for follower in followers:
            if isinstance(follower, EarlyStopping):
                follower.end(self)
        return history
