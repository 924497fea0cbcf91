"""`Network`: what the user holds. It predicts, evaluates and trains."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import arrays, validation
from .callbacks import AnyCallback, read_callbacks
from .early_stopping import EarlyStopping, read_early_stopping
from .held_out import hold_out
from .history import Evaluation, History
from .optimizers import SGD, Optimizer
from .options import FitOptions, read_options
from .samples import CheckedSamples, read_samples, weigh_classes
from .sums import weighted_mean
from .training import Training


class Network(Training):
    """A feed-forward network of dense layers, in pure Python.

    Initial weights are uniform in [-limit, limit] with limit = sqrt(6 / K) for relu layers (He et
    al., 2015) and sqrt(6 / (K + N)) for the others (Glorot and Bengio, 2010), drawn by a
    counter-based generator (Philox, Salmon et al., 2011); biases are zero.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "relu6", \
            "hardswish", "sigmoid", "tanh", "softplus", "exp", "identity"}, default "relu"
        The activation of hidden layers given as a number.
    output : {"softmax", "sigmoid", "identity", "exp", ...}, default "softmax"
        The activation of the last layer, if given as a number: softmax, or any of `activation`.
    loss : {"cross_entropy", "binary_cross_entropy", "mean_squared_error", \
            "mean_absolute_error", "huber", "quantile", "poisson"}, a loss or a callable, optional
        `CrossEntropy`, `Huber` and `Quantile` are losses with a parameter. None takes
        cross-entropy with softmax, binary cross-entropy with sigmoid, Poisson with exp, and mean
        squared error with the rest. A callable ``f(outputs, y, gradient) -> losses`` is a loss of
        one's own: for a batch it is handed lists of outputs (B, N) and targets (B, ...), fills
        ``gradient[b][n]`` with the derivative of each sample's loss by its outputs, and returns
        the losses (B,), or their mean.
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
        If an argument has the wrong type.
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

    def evaluate(
        self,
        X: object,
        y: object,
        n_threads: int | None = None,
        *,
        sample_weight: object = None,
    ) -> Evaluation:
        """Compute the mean loss and the accuracy on X against y.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least one.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Accepted and ignored.
        sample_weight : array-like, shape (B,), optional
            How much each sample counts: finite, at least 0, not all 0.

        Returns
        -------
        Evaluation
            The named tuple ``(loss, accuracy)``; accuracy is None for losses that decide
            nothing: all but the cross-entropies.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network or is not finite.
        """
        validation.n_threads(n_threads)
        return self._evaluate(read_samples(self, X, y, sample_weight))

    def fit(
        self,
        X: object,
        y: object,
        epochs: int = 10,
        batch_size: int | None = 32,
        optimizer: Optimizer | str = SGD(learning_rate=0.1),  # noqa: B008  (frozen)
        shuffle: object = True,
        validation_data: object = None,
        verbose: int = 0,
        n_threads: int | None = None,
        callbacks: AnyCallback | Iterable[AnyCallback] | None = None,
        *,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | str | None = None,
        validation_fraction: float | None = None,
        metrics: object = None,
        early_stopping: EarlyStopping | bool | None = None,
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
        batch_size : int or None, default 32
            Samples per step, at least 1; the last batch of an epoch may be shorter. None is all
            samples.
        optimizer : Optimizer or str, default SGD(learning_rate=0.1)
            How a gradient changes the parameters. "sgd", "adam", "adamw" and "rmsprop" are those
            with their defaults.
        shuffle : bool or array-like of int, shape (n,) or (epochs, n), default True
            True draws an order of samples per epoch from the seed; False takes them as they
            stand; row indices are an order handed in, for every epoch or for each.
        validation_data : tuple (X, y) or (X, y, sample_weight), optional
            Evaluated after each epoch.
        verbose : int, default 0
            1 and 2 print a line per epoch on standard error.
        n_threads : int, optional
            Accepted and ignored.
        callbacks : Callback, callable, or sequence of them, optional
            What to tell of the training. A callable is called as
            ``callback(network, epoch_report)`` at the end of each epoch; a true result stops after
            this epoch.
        sample_weight : array-like, shape (n,), optional
            How much each sample counts, finite, at least 0, not all 0: a loss is the weighted mean,
            sum(w l) / sum(w), in a batch as in an epoch. A sample of weight 0 is left out.
        class_weight : dict of label to weight, or "balanced", optional
            How much the samples of each class count, beside `sample_weight`, in training but not
            in validation; labels left out have 1. "balanced" is n / (k * count).
        validation_fraction : float, optional
            Instead of validation data: the share of the samples to hold out, by the seed.
        metrics : str or sequence of str, optional
            What to measure on the validation data beside the loss.
        early_stopping : EarlyStopping or bool, optional
            When to stop before the last epoch; True is ``EarlyStopping()``.

        Returns
        -------
        History
            Losses per epoch, and time.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; nothing has changed then.
        DivergenceError
            If the loss of an epoch is not finite; the parameters are back at the last finite
            epoch end.
        """
        validation.n_threads(n_threads)
        given = read_samples(self, X, y, sample_weight)
        samples, held_out = hold_out(
            self, given, validation_data, validation_fraction, metrics, self._seed
        )
        samples = weigh_classes(samples, class_weight, self.loss)
        options = self._read_options(samples, epochs, batch_size, optimizer, shuffle)
        followers = read_callbacks(callbacks, verbose)
        return self._train(
            samples, options, held_out, (*read_early_stopping(early_stopping), *followers)
        )

    def _read_options(
        self,
        samples: CheckedSamples,
        epochs: object,
        batch_size: object,
        optimizer: object,
        shuffle: object,
    ) -> FitOptions:
        options = read_options(
            epochs, batch_size, optimizer, shuffle, rows=len(samples.X), trained=self._epoch
        )
        if not all(any(samples.weight[i] for i in order) for order in options.orders):
            raise ValueError("shuffle has an epoch of samples whose sample_weight is 0")
        if any(layer.normalization == "batch" for layer in self._layers):
            options.check_batches(samples.weight, self._seed, self._epoch)
        return options

    def objective(
        self, X: object, y: object, *, sample_weight: object = None
    ) -> Callable[[object], tuple[float, list[float]]]:
        """Return the mean loss over (X, y) as a function of the flat parameters.

        Parameters
        ----------
        X, y : array-like
            Samples (B, features), at least one, and targets as in `fit`.
        sample_weight : array-like, shape (B,), optional
            How much each sample counts: the mean is weighted.

        Returns
        -------
        callable
            ``f(theta) -> (loss, gradient)``, theta (n_parameters,) in the order of `parameters`,
            gradient a flat list. A call leaves theta in the network. Dropout is off, and batch
            normalisation by the running averages.
        """
        samples = read_samples(self, X, y, sample_weight).counting()

        def objective(theta: object) -> tuple[float, list[float]]:
            self.parameters = theta
            self._forward(samples.X, training=False)
            losses = self._backward(samples.y, samples.weight)
            return weighted_mean(losses, samples.weight), self.gradients

        return objective
