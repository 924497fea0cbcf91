"""`Network`: the public class, which predicts, evaluates and trains.

Over 400 lines because of the docstrings, which are those of `fastmlp.Network`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from . import arrays, validation
from .callbacks import AnyCallback, read_callbacks
from .dense import Matrix
from .early_stopping import EarlyStopping, read_early_stopping
from .heads import Heads
from .held_out import hold_out
from .history import Evaluation, History
from .objective import Objective, ObjectiveOfRanks
from .optimizers import SGD, MovingAverage, Optimizer
from .options import FitOptions, read_options, read_ranks
from .samples import CheckedSamples, read_samples, weigh_classes
from .scaling import REGRESSION, Scaling, of_features, of_targets
from .schedules import check_share
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
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", \
            "relu6", "hardswish", "sigmoid", "tanh", "softplus", "exp", "identity"}, default "relu"
        The activation of hidden layers given as an integer.
    output : {"softmax", "sigmoid", "identity", "exp", ...}, default "softmax"
        The activation of the last layer, if given as an integer: softmax, or any of `activation`.
    loss : {"cross_entropy", "binary_cross_entropy", "mean_squared_error", \
            "mean_absolute_error", "huber", "quantile", "poisson"}, a loss or a callable, optional
        `CrossEntropy`, `Huber` and `Quantile` are losses with a parameter. None means cross-entropy
        for softmax, binary cross-entropy for sigmoid, Poisson for exp, and mean squared error for
        all other outputs. A callable ``f(outputs, y, gradient) -> losses`` is a custom loss: it is
        called with lists of the outputs (B, N) and targets (B, ...) of a batch, fills
        ``gradient[b][n]`` with the derivative of each sample's loss with respect to its outputs,
        and returns the losses (B,), or their mean.
    seed : int, optional
        In [0, 2^64); determines the initial weights and the order of samples. None draws one, which
        is then the attribute `seed`.
    dtype : {"float32", "float64"}, default "float32"
        The type to which initial weights are rounded, so that a compiled network of the same dtype
        and seed starts from the same weights. All arithmetic is float64.
    normalization : {"batch", "layer"}, optional
        The normalization of hidden layers given as an integer; see `Dense`.
    dropout : float, default 0.0
        The dropout of hidden layers given as an integer; see `Dense`.
    input_normalization : {"batch", "layer"}, BatchNorm or LayerNorm, optional
        The normalization of the features, after they are scaled and before the first layer, with
        which its scales and shifts are trained.
    loss_weights : list of float, shape (N,), optional
        A weight of at least 0 for each output, of a loss that is a mean over the outputs: the loss
        of a sample is the sum of the losses of its outputs, each times its weight, over N.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a size is below 1, a name is unknown, softmax is not last, the loss does not match the
        output, or the seed is out of range.
    MemoryError
        If the parameters exceed the address space.
    """

    def predict(self, X: object, out: Any = None, n_threads: int | None = None) -> Any:
        """Compute the outputs for X, without changing the network.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples; B may be 0.
        out : list of list or ndarray, shape (B, N), optional
            Written to and returned.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        list of list of float, shape (B, N)
            The outputs, or `out`.

        Raises
        ------
        TypeError, ValueError
            If X does not match the network or is not finite, or `out` has another shape.
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
            Weights of the samples: finite, at least 0, not all 0.

        Returns
        -------
        Evaluation
            The named tuple ``(loss, accuracy)``; accuracy is None for all losses except the
            cross-entropies.

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
        class_weight: Mapping[Any, Any] | str | None = None,
        validation_fraction: float | None = None,
        metrics: object = None,
        early_stopping: EarlyStopping | bool | None = None,
        ema: float | None = None,
        standardize: bool = False,
        ranks: Sequence[int] | None = None,
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
            Passes over X, at least 1.
        batch_size : int or None, default 32
            Samples per step, at least 1; the last batch of an epoch may be shorter. None is all
            samples.
        optimizer : Optimizer or str, default SGD(learning_rate=0.1)
            How gradients change the parameters. "sgd", "adam", "adamw" and "rmsprop" are the
            optimizers with their defaults.
        shuffle : bool or array-like of int, shape (n,) or (epochs, n), default True
            True draws an order of samples per epoch from the seed; False keeps their order; row
            indices are a custom order, for all epochs or one for each.
        validation_data : tuple (X, y) or (X, y, sample_weight), optional
            Evaluated after each epoch.
        verbose : int, default 0
            1 and 2 print a line per epoch on standard error.
        n_threads : int, optional
            Accepted and ignored.
        callbacks : Callback, callable, or sequence of them, optional
            Called during training. A callable is called as ``callback(network, epoch_report)`` at
            the end of each epoch; returning a true value stops training.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples: finite, at least 0, not all 0. Losses are weighted means,
            sum(w l) / sum(w), of a batch as of an epoch. A sample of weight 0 is ignored.
        class_weight : dict of label to weight, or "balanced", optional
            Weights of the classes, multiplied with `sample_weight`, in training but not in
            validation; labels not in the dict have weight 1. "balanced" is n / (k * count). With
            `Heads` a dict of them by name.
        validation_fraction : float, optional
            Instead of validation data: the fraction of the samples to hold out, chosen by the seed.
        metrics : str or sequence of str, optional
            What to measure on the validation data besides the loss. With `Heads` for each head, or
            a dict of them by name.
        early_stopping : EarlyStopping or bool, optional
            When to stop before the last epoch; True is ``EarlyStopping()``.
        ema : float, optional
            Decay, above 0 and below 1, of a moving average of the parameters after each step, which
            `averaged` returns. The next fit with the same decay continues it.
        standardize : bool, default False
            Before the first fit, learn to scale the features, and the targets of a regression, as
            `adapt` does, from the training samples.
        ranks : sequence of int, optional
            The number of rows of each rank of a fit of several processes; X has them in this order.

        Returns
        -------
        History
            Losses per epoch, and time.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; nothing has changed then.
        DivergenceError
            If the loss of an epoch is not finite; the parameters are restored to the last finite
            epoch end.
        """
        validation.n_threads(n_threads)
        given = read_samples(self, X, y, sample_weight)
        samples, held_out, parts = hold_out(
            self,
            given,
            validation_data,
            validation_fraction,
            metrics,
            self._seed,
            read_ranks(ranks, len(given.X)),
        )
        if validation.switch("standardize", standardize) and self._is_first_fit():
            self._learn_from(samples.counting())
        samples = weigh_classes(samples, class_weight, self)
        options = self._read_options(samples, epochs, batch_size, optimizer, shuffle, parts)
        followers = read_callbacks(callbacks, verbose)
        if ema is not None:
            check_share("ema", ema, zero=False, one=False)
            if self._average is None or self._average.decay != ema:
                self._average = MovingAverage(ema)
        return self._train(
            samples,
            options,
            held_out,
            (*read_early_stopping(early_stopping), *followers),
            average=None if ema is None else self._average,
        )

    def adapt(self, X: object, y: object = None) -> None:
        """Learn to scale features to mean 0 and standard deviation 1, and outputs to units of y.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples, at least one.
        y : array-like, shape (n,) or (n, N), optional
            Targets of a regression.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network or is not finite, or X hardly varies around a
            large mean.
        """
        rows = arrays.features("X", X, self._features)
        features = of_features(rows, self._dtype)
        if y is not None:
            if not self._numeric_outputs():
                raise ValueError(
                    f"y is scaled only for numbers, not with {self.loss}: pass X alone"
                )
            targets = self._layers[-1].targets("y", y, len(rows), self.loss)
            self._output_scaling = self._scaling_of(targets)
        self._input_scaling = features

    def _numeric_outputs(self) -> list[int]:
        """Return which outputs are numbers that can be scaled."""
        output = self._layers[-1]
        if not isinstance(output, Heads):
            is_numeric = output.activation == "identity" and self.loss in REGRESSION
            return list(range(output.nodes)) if is_numeric else []
        owners = [head for _, head in output.named for _ in range(head.nodes)]
        return [n for n, head in enumerate(owners) if head.is_numeric]

    def _scaling_of(self, targets: Matrix) -> Scaling:
        """Return the scaling of the outputs that are numbers, and of others 1 and 0."""
        numeric, outputs = self._numeric_outputs(), self._layers[-1].nodes
        scaling = Scaling([1.0] * outputs, [0.0] * outputs)
        learned = of_targets([[row[n] for n in numeric] for row in targets], self._dtype)
        for n, scale, offset in zip(numeric, learned.scale, learned.offset, strict=True):
            scaling.scale[n], scaling.offset[n] = scale, offset
        return scaling

    def _is_first_fit(self) -> bool:
        if (self._input_scaling, self._output_scaling) != (None, None):
            return False
        if self._epoch > 0 or self._memory.steps > 0:
            raise ValueError("standardize=True, but the network was trained without scaling")
        return True

    def _learn_from(self, samples: CheckedSamples) -> None:
        self._input_scaling = of_features(samples.X, self._dtype)
        if self._numeric_outputs():
            self._output_scaling = self._scaling_of(samples.y)

    def predict_classes(self, X: object, n_threads: int | None = None) -> list[Any]:
        """Predict classes: those of the largest outputs of softmax, or of sigmoid above 0.5.

        Parameters
        ----------
        X, n_threads
            As in `predict`.

        Returns
        -------
        list
            Names if the network has `class_names`, else integers; for several outputs of sigmoid
            lists of booleans.

        Raises
        ------
        ValueError
            If the outputs are numbers, not classes, or as in `predict`.
        """
        output = self._layers[-1]
        if isinstance(output, Heads):
            return self._classes_of_head(output, self.predict(X, None, n_threads))
        if output.activation not in ("softmax", "sigmoid"):
            raise ValueError(
                f"predict_classes needs outputs of softmax or sigmoid, not {output.activation!r}"
            )
        outputs = self.predict(X, None, n_threads)
        if output.activation == "softmax":
            chosen = [row.index(max(row)) for row in outputs]
        elif output.nodes > 1:
            return [[h > 0.5 for h in row] for row in outputs]
        else:
            chosen = [int(row[0] > 0.5) for row in outputs]
        return chosen if self.class_names is None else [self.class_names[i] for i in chosen]

    def _moves_averages(self) -> bool:
        """Whether training updates any running averages."""
        trainable = (i for i, layer in enumerate(self._layers) if layer.trainable)
        return any(its == "batch" for i in trainable for _, its, _ in self._normalizations_of(i))

    def split(self, outputs: Any) -> tuple[Matrix, ...]:
        """Divide outputs (B, N), or gradients by them, among the heads of the network.

        Parameters
        ----------
        outputs : list of list of float, shape (B, N)
            What `predict` returned.

        Returns
        -------
        tuple of list of list of float
            The columns of each head (B, nodes), copies.

        Raises
        ------
        ValueError
            If the network has no heads.
        """
        output = self._layers[-1]
        if not isinstance(output, Heads):
            raise ValueError("split needs a network with heads, and the last layer is a Dense")
        return tuple(output.split_rows(outputs))

    def _classes_of_head(self, output: Heads, outputs: Matrix) -> list[int]:
        softmax = [i for i, (_, head) in enumerate(output.named) if head.activation == "softmax"]
        if len(softmax) != 1:
            raise ValueError(f"predict_classes needs one head of softmax, not {len(softmax)}")
        return [row.index(max(row)) for row in output.split_rows(outputs)[softmax[0]]]

    def _read_options(
        self,
        samples: CheckedSamples,
        epochs: object,
        batch_size: object,
        optimizer: object,
        shuffle: object,
        ranks: Sequence[int] | None = None,
    ) -> FitOptions:
        self._refuse_frozen()
        options = read_options(
            epochs,
            batch_size,
            optimizer,
            shuffle,
            rows=len(samples.X),
            trained=self._epoch,
            ranks=ranks,
        )
        if not all(any(samples.weight[i] for i in order) for order in options.orders):
            raise ValueError("shuffle has an epoch of samples whose sample_weight is 0")
        if self._moves_averages():
            options.check_batches(samples.weight, self._seed, self._epoch)
        return options

    def objective(
        self,
        X: object,
        y: object,
        *,
        sample_weight: object = None,
        ranks: Sequence[int] | None = None,
    ) -> Objective | ObjectiveOfRanks:
        """Return the mean loss over (X, y) as a function of the flat parameters.

        It is what L-BFGS minimises, here by SciPy.

        Parameters
        ----------
        X, y : array-like
            Samples (B, features), at least one, and targets as in `fit`.
        sample_weight : array-like, shape (B,), optional
            Weights of the samples for the mean.
        ranks : sequence of int, optional
            The number of rows of each of several processes; X has them in this order.

        Returns
        -------
        Objective
            ``f(theta) -> (loss, gradient)``, theta (n_parameters,) in the order of `parameters`,
            gradient a flat list. A call stores theta in the network. Dropout is off, and batch
            normalization uses the running averages. ``f.hvp(v)`` is the product of the Hessian
            with v at the parameters of the network, ``f.hessp(theta, v)`` at theta.
        """
        self._refuse_frozen()
        samples = read_samples(self, X, y, sample_weight)
        if ranks is None:
            return Objective(self, samples.counting())
        ends = list(accumulate(read_ranks(ranks, len(samples.X)), initial=0))
        each = [list(range(*rows)) for rows in pairwise(ends)]
        return ObjectiveOfRanks(self, [samples.of_rows(rows).counting() for rows in each])
