"""`Network`: the public class.

The file is long because of its docstrings, which are the contract. Each method is one line that
calls a function of another module with the network's `Model`, which holds its state. A new feature
gets a field there, if it has state, and its docstring here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation, files
from fastmlp._validation import FloatType
from fastmlp._validation.attributes import refuses_others
from fastmlp._validation.foreign_names import hints_at_arguments, missing_attribute
from fastmlp.data.stream import Rows, Stream, TargetsLike
from fastmlp.exchange import exports
from fastmlp.fitting import fit as training
from fastmlp.fitting._metric_names import MetricsLike
from fastmlp.fitting.callbacks import AnyCallback
from fastmlp.fitting.checkpoints import Checkpoint, save_checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.fitting.objective import objective_of_ranks
from fastmlp.fitting.options import ValidationData, read_options
from fastmlp.fitting.ranks import Ranks
from fastmlp.fitting.standardize import adapt, warn_of_constants
from fastmlp.heads import Head
from fastmlp.history import Evaluation, History
from fastmlp.inference import derivatives, prediction
from fastmlp.layers import (
    ActivationLike,
    Dense,
    NormalizationLike,
    build_layers,
    refuse_single_softmax,
)
from fastmlp.losses import Loss, LossLike
from fastmlp.model import parameter_views as views
from fastmlp.model import propagation, saving
from fastmlp.model.class_weight import ClassWeight
from fastmlp.model.feature_names import Names, read_names
from fastmlp.model.layer_settings import LayerSettings, set_all
from fastmlp.model.loss_weights import set_loss_weights
from fastmlp.model.model import Model
from fastmlp.model.moving_average import use_average
from fastmlp.model.objective import Objective, objective
from fastmlp.model.scaling import set_scaling
from fastmlp.model.soft_update import soft_update
from fastmlp.model.summary import Summary, describe, summarise
from fastmlp.model.targets import split_outputs
from fastmlp.settings.custom_loss import LossFunction
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import SGD, Optimizer, OptimizerName, StepOptimizerName

_ALONE: Final = nullcontext()
"""In place of `Ranks` if there are no others."""

_ORDERED: Final = "ordered"
"""The default of `reduction`, which needs no check."""


@refuses_others("a network")
class Network:
    """A feed-forward network of dense layers, trained by the compiled core.

    All parameters are stored in one contiguous buffer; `weights`, `biases` and `parameters` are
    live views of it. The page "Threads and processes" of the guide describes what each member does
    while another thread trains. Initial weights are uniform in [-limit, limit] with limit =
    sqrt(6 / K) before rectifiers (relu, leaky_relu, elu, gelu, gelu_tanh, silu, mish, relu6,
    hardswish; He et al., 2015), sqrt(3 / K) before selu (Klambauer et al., 2017) and
    sqrt(6 / (K + N)) before the others (Glorot and Bengio, 2010), whatever their parameters are.
    They are drawn by a counter-based generator (Philox, Salmon et al.,
    2011) in float64 and rounded, the same on every platform; biases are zero.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`. The last one
        may be `Heads`: outputs of several kinds, each with an activation and a loss of its own.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", \
            "relu6", "hardswish", "sigmoid", "tanh", "softplus", "exp", "identity"}, default "relu"
        The activation of hidden layers given as an integer.
    output : {"softmax", "sigmoid", "identity", "exp", ...}, default "softmax"
        The activation of the last layer, if given as an integer: softmax, or any of `activation`.
    loss : {"cross_entropy", "binary_cross_entropy", "mean_squared_error", \
            "mean_absolute_error", "huber", "quantile", "poisson"}, a loss or a callable, optional
        `CrossEntropy`, `Huber` and `Quantile` are losses with a parameter. None means cross-entropy
        for softmax, binary cross-entropy for sigmoid, Poisson for exp, and mean squared error for
        all other outputs; each of `Heads` has its own. A callable
        ``f(outputs, y, gradient) -> losses`` is a custom loss: it is called with the outputs (B, N)
        and the targets (B, ...) of a batch, fills `gradient` (B, N) with the derivative of each
        sample's loss with respect to its outputs, and returns the losses (B,), or their mean. It
        runs in Python once per batch, and does not see samples of weight 0.
    seed : int, optional
        In [0, 2^64); determines the initial weights and the order of samples. None draws one, which
        is then the attribute `seed`.
    dtype : {"float32", "float64"}, default "float32"
        The type of parameters and of all arithmetic.
    normalization : {"batch", "layer"}, optional
        The normalization of hidden layers given as an integer; see `Dense`.
    dropout : float, default 0.0
        The dropout of hidden layers given as an integer; see `Dense`. The masks depend on the seed,
        not on the number of threads.
    input_normalization : {"batch", "layer"}, BatchNorm or LayerNorm, optional
        The normalization of the features, after `input_scale` and `input_offset` and before the
        first layer: each feature over the samples of a batch with ``"batch"``, the features of a
        sample with ``"layer"``. Its scales and shifts are trained with layer 0, whose `trainable`
        and `rate_factors` are also its own. It takes no sparse X.
    loss_weights : array-like, shape (N,), optional
        A weight for each output in the loss; see the attribute `loss_weights`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a size is below 1, a name is unknown, softmax is not last or has one node, the loss does
        not match the output or takes no `loss_weights`, or the seed is out of range.
    MemoryError
        If the parameters do not fit in memory; the message says how many bytes they need.

    Examples
    --------
    >>> net = Network([64, Dense(32, "tanh"), 10], seed=7)
    >>> net
    Network: 64 features, cross_entropy, float32, 2,410 parameters
      layer 0  64 -> 32  tanh     2,080 parameters
      layer 1  32 -> 10  softmax    330 parameters
    >>> net.weights[0].shape
    (64, 32)
    """

    _model: Model

    @hints_at_arguments
    def __init__(
        self,
        layers: Sequence[int | Dense],
        activation: ActivationLike = "relu",
        output: ActivationLike = "softmax",
        loss: LossLike | None = None,
        seed: int | None = None,
        dtype: FloatType = "float32",
        normalization: NormalizationLike | None = None,
        dropout: float = 0.0,
        input_normalization: NormalizationLike | None = None,
        loss_weights: ArrayLike | None = None,
    ) -> None:
        features, dense = build_layers(layers, activation, output, normalization, dropout)
        refuse_single_softmax(dense)
        self._model = Model.new(features, dense, loss, seed, dtype, input_normalization)
        set_loss_weights(self._model, loss_weights)

    # Properties

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self._model.features

    @property
    def feature_names(self) -> Names | None:
        """Names of the features, or None: those of the first data frame passed to `fit`.

        From then on, a data frame of pandas, polars or pyarrow whose columns have other names, or
        another order, is refused with a ValueError; arrays, which have no names, are accepted. Set
        it to a sequence of unique strings, one for each feature, or to None. Copies, pickles
        and files keep the names.
        """
        return self._model.feature_names

    @feature_names.setter
    def feature_names(self, names: Sequence[str] | None) -> None:
        self._model.feature_names = read_names("feature_names", names, self._model.features)

    @property
    def class_names(self) -> Names | None:
        """Names of the classes, or None.

        One for each output of softmax or, if there are several labels, of sigmoid; two for a single
        output of sigmoid, that of 0 first. Other outputs have no classes. Set it to a sequence of
        unique strings or to None. Copies, pickles and files keep the names.
        """
        return self._model.core.class_names

    @class_names.setter
    def class_names(self, names: Sequence[str] | None) -> None:
        output = self._model.layers[-1]
        if names is not None and self._model.loss.heads:
            raise ValueError(
                "class_names are those of one output layer, and this network has heads: keep the "
                "names of the classes of each head beside it"
            )
        if names is not None and self._model.n_classes == 0:
            raise ValueError(
                "class_names need outputs of softmax or sigmoid, those of this network are "
                f"{output.activation!r}"
            )
        self._model.core.class_names = read_names("class_names", names, self._model.n_classes)

    @property
    def input_scale(self) -> NDArray[Any] | None:
        """Scale of each feature (features,), a live view; None if the features are not scaled.

        A feature x is read as ``fma(x, input_scale, input_offset)``, rounded to the network's type
        once; `adapt` and ``fit(standardize=True)`` set both. Training does not change them. Set it
        to a number for all features, to one for each, or to None, which removes both; without an
        `input_offset`, that becomes 0.
        """
        return self._model.core.input_scale

    @input_scale.setter
    def input_scale(self, value: ArrayLike | None) -> None:
        set_scaling(self._model, "input_scale", value)

    @property
    def input_offset(self) -> NDArray[Any] | None:
        """Offset of each feature (features,), a live view, or None: see `input_scale`."""
        return self._model.core.input_offset

    @input_offset.setter
    def input_offset(self, value: ArrayLike | None) -> None:
        set_scaling(self._model, "input_offset", value)

    @property
    def output_scale(self) -> NDArray[Any] | None:
        """Scale of each output (N,), a live view; None if the outputs are not scaled.

        An output h of identity becomes ``fma(h, output_scale, output_offset)``, and a target y of
        training ``(y - output_offset) / output_scale``. Set like `input_scale`, at least 0. Of
        `Heads` only those of identity are scaled: the others have a scale of 1 and an offset of 0.
        """
        return self._model.core.output_scale

    @output_scale.setter
    def output_scale(self, value: ArrayLike | None) -> None:
        set_scaling(self._model, "output_scale", value)

    @property
    def output_offset(self) -> NDArray[Any] | None:
        """Offset of each output (N,), a live view, or None: see `output_scale`."""
        return self._model.core.output_offset

    @output_offset.setter
    def output_offset(self, value: ArrayLike | None) -> None:
        set_scaling(self._model, "output_offset", value)

    @property
    def loss_weights(self) -> NDArray[Any] | None:
        """Weight of each output in the loss (N,), a live view; None if all have the same.

        The loss of a sample is ``sum(loss_weights * losses) / N`` for the losses of its N outputs,
        so weights of 1 change nothing. It is the loss of training, `evaluate`, `History` and early
        stopping, with `output_scale` in units of y; metrics and accuracies have no weights. An
        output of weight 0 is not trained: its targets, which must be finite, have no effect.

        Set it to finite numbers of at least 0, not all 0, or to None. Only for losses that are a
        mean over the outputs: `fit` has ``class_weight`` for cross-entropy, and each `Head` a
        weight; a custom loss can weigh its outputs. A ``gradient=`` passed to `backward` is not
        weighted. Copies, pickles and files keep the weights, other formats do not.
        """
        return self._model.core.loss_weights

    @loss_weights.setter
    def loss_weights(self, value: ArrayLike | None) -> None:
        set_loss_weights(self._model, value)

    def adapt(
        self, X: ArrayLike | Stream, y: TargetsLike | None = None, *, comm: Any = None
    ) -> None:
        """Learn `input_scale` and `input_offset` from samples: mean 0 and standard deviation 1.

        With y also `output_scale` and `output_offset`, so that the targets of training have mean 0
        and standard deviation 1 and the outputs are in units of y. The network then takes samples
        as they are, wherever it is used, and files keep the scaling. One pass, in float64. A
        constant column has the scale 0, of which a warning tells: later samples may vary there.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix, shape (n, features), or Stream
            Samples, at least 1. A sparse matrix is scaled without an offset. The targets of a
            stream are those of y.
        y : array-like, shape (n,) or (n, N), optional
            Targets. Only for outputs of identity with the losses mean_squared_error,
            mean_absolute_error, huber and quantile. With `Heads` a tuple or dict as in `fit`: heads
            of such numbers are scaled, the others are left.
        comm : mpi4py.MPI.Comm, optional
            Learn from the samples of all ranks, each of which passes its own; it may have none.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network, is not finite, or its squares are not; nothing has
            changed then.
        RuntimeError
            If the network is being fitted.

        Examples
        --------
        >>> net = Network([2, 8, 1], output="identity", seed=1)
        >>> net.adapt([[20.0, 1.7e9], [30.0, 1.8e9]], [100.0, 300.0])
        >>> net.output_offset
        array([200.], dtype=float32)
        """
        with _ALONE if comm is None else Ranks(comm) as ranks:
            adapt(self._model, X, y, ranks)
        warn_of_constants(self._model)

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers after the features."""
        return self._model.layers

    @property
    def input_normalization(self) -> NormalizationLike | None:
        """The normalization of the features before the first layer, or None."""
        return self._model.input_normalization

    @property
    def trainable(self) -> LayerSettings[bool]:
        """Whether training changes each layer, live: ``net.trainable[0] = False`` freezes one.

        A frozen layer keeps every bit of its weights, biases, scales, shifts and running averages,
        whatever momentum and weight decay; it normalizes by the running averages, as in
        prediction. Its gradients are not computed (0 after `backward`), and the norm that
        `clip_norm` limits is that of the others. If every layer is frozen, all that trains raises
        a ValueError. Set it to one value for all layers, or one for each. RuntimeError during
        ``fit``.
        """
        return LayerSettings(self._model, "trainable")

    @trainable.setter
    def trainable(self, value: bool | Sequence[bool]) -> None:
        set_all(self._model, "trainable", value)

    @property
    def rate_factors(self) -> LayerSettings[float]:
        """Factors of the learning rate of each layer, live: ``net.rate_factors[0] = 0.1``.

        Decoupled weight decay uses the rate of the layer. Set it to one value for all layers, or
        one for each. RuntimeError during ``fit``.
        """
        return LayerSettings(self._model, "rate_factor")

    @rate_factors.setter
    def rate_factors(self, value: float | Sequence[float]) -> None:
        set_all(self._model, "rate_factor", value)

    @property
    def loss(self) -> Loss:
        """Name of the loss, ``"custom"`` for a function; its ``parameter`` is an attribute.

        ``"heads"`` is the sum of the losses of `heads`, each times its weight.
        """
        return self._model.loss

    @property
    def heads(self) -> Mapping[str, Head]:
        """The heads by name, in the order of their outputs, read-only; empty if there are none."""
        return MappingProxyType(dict(self._model.loss.heads))

    @property
    def loss_function(self) -> LossFunction | None:
        """The custom loss, if `loss` is ``"custom"``; set it again after loading a network.

        Raises
        ------
        ValueError
            If the network was loaded and its function has not been set; when set, if the loss is
            not custom.
        """
        return self._model.loss_function

    @loss_function.setter
    def loss_function(self, function: LossFunction) -> None:
        self._model.loss = self._model.loss.with_function(function)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, float32 or float64."""
        return self._model.dtype

    @property
    def seed(self) -> int:
        """The seed, passed or drawn."""
        return self._model.core.seed

    @property
    def epoch(self) -> int:
        """Number of epochs ever trained; with the seed, it determines the order of samples."""
        return self._model.core.epoch

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._model.n_parameters

    def summary(self) -> Summary:
        """Return a table of the layers with their parameters, flops and memory.

        Returns
        -------
        Summary
            Its string is the table: ``print(net.summary())``. Notebooks also show it for the
            network itself.
        """
        return summarise(self._model, type(self).__name__)

    if not TYPE_CHECKING:  # type checkers see only the members that are defined

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute("a network", name)

    def __repr__(self) -> str:
        return describe(self._model, type(self).__name__)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # Live views. Read while another thread fits or takes a step, a view may have some elements from
    # before a step and some from after it.

    @property
    def weights(self) -> views.WritableArrayViews:
        """Live views, one (K, N) per layer: ``weights[i][j, k]`` of the equations (1.1)."""
        return views.of_layers("weights", self._model, self._model.core.weights)

    @property
    def biases(self) -> views.WritableArrayViews:
        """Live views, one (N,) per layer."""
        return views.of_layers("biases", self._model, self._model.core.biases)

    @property
    def weight_gradients(self) -> views.WritableArrayViews:
        """Live views (K, N) of dL/dw (2.7); zero before the first `backward`."""
        core = self._model.core
        return views.of_layers("weight_gradients", self._model, core.weight_gradients)

    @property
    def bias_gradients(self) -> views.WritableArrayViews:
        """Live views (N,) of dL/db (2.6); zero before the first `backward`."""
        core = self._model.core
        return views.of_layers("bias_gradients", self._model, core.bias_gradients)

    @property
    def nodes(self) -> views.ArrayViews:
        """Read-only views of the last `forward`: ``nodes[0]`` is its X, ``nodes[p]`` (B, N).

        Indexing raises a RuntimeError before the first `forward`, and while another thread fits.
        """
        return views.ArrayViews("nodes", self._model.core.nodes, len(self.layers) + 1)

    @property
    def deltas(self) -> views.ArrayViews:
        """Read-only views (B, N) of dL/dz of the last `backward` (2.2), per sample.

        Indexing raises a RuntimeError before the first `forward`, and while another thread fits.
        """
        return views.ArrayViews("deltas", self._model.core.deltas, len(self.layers))

    @property
    def feature_gradients(self) -> NDArray[Any]:
        """Read-only view (B, features) of the derivatives of each sample's loss by its features.

        Those of the last `backward`: per sample like `deltas`, not divided by B; after a
        `backward` with `gradient`, those of the whole loss. Computed when first read, from the
        weights at that time: RuntimeError after an update, without a `backward`, and while another
        thread fits.
        """
        return self._model.core.feature_gradients()

    @property
    def parameters(self) -> NDArray[Any]:
        """The whole buffer as one flat live view: W0, b0, W1, b1, ... in C order.

        Scales and shifts of a normalized layer follow its biases, and those of an
        `input_normalization` follow all parameters of layer 0. While another thread fits, the view
        may be torn, unlike the parameters that `predict` uses.
        """
        return self._model.core.parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        views.copy_into("parameters", self.parameters, value, self._model.core)

    @property
    def gradients(self) -> NDArray[Any]:
        """All gradients as one flat live view, in the order of `parameters`."""
        return self._model.core.gradients

    @gradients.setter
    def gradients(self, value: ArrayLike) -> None:
        views.copy_into("gradients", self.gradients, value, self._model.core)

    @property
    def scales(self) -> views.LayerViews:
        """Live views (N,) by layer, of the normalized layers; initially 1.

        ``scales["input"]`` (features,) is that of `input_normalization`, if there is one; the same
        in `shifts`, their gradients, `running_means` and `running_variances`.
        """
        core = self._model.core
        return views.of_normalized("scales", self._model, core.scales, core.input_scales)

    @property
    def shifts(self) -> views.LayerViews:
        """Live views (N,) by layer, of the normalized layers; initially 0."""
        core = self._model.core
        return views.of_normalized("shifts", self._model, core.shifts, core.input_shifts)

    @property
    def scale_gradients(self) -> views.LayerViews:
        """Live views (N,) of dL/dscale by layer; zero before the first `backward`."""
        core = self._model.core
        return views.of_normalized(
            "scale_gradients", self._model, core.scale_gradients, core.input_scale_gradients
        )

    @property
    def shift_gradients(self) -> views.LayerViews:
        """Live views (N,) of dL/dshift by layer; zero before the first `backward`."""
        core = self._model.core
        return views.of_normalized(
            "shift_gradients", self._model, core.shift_gradients, core.input_shift_gradients
        )

    @property
    def running_means(self) -> views.LayerViews:
        """Live views (N,) by layer, of the batch-normalized layers; initially 0.

        After a batch they are ``0.9 * running + 0.1 * mean``. Prediction uses them.
        """
        core = self._model.core
        return views.of_normalized(
            "running_means", self._model, core.running_means, core.input_running_means, "batch"
        )

    @property
    def running_variances(self) -> views.LayerViews:
        """Live views (N,) by layer, of the batch-normalized layers; initially 1.

        Updated as `running_means`, with the unbiased variance of the batch.
        """
        core = self._model.core
        return views.of_normalized(
            "running_variances",
            self._model,
            core.running_variances,
            core.input_running_variances,
            "batch",
        )

    @property
    def statistics(self) -> NDArray[Any]:
        """All running averages as one flat live view: means, variances, layer after layer.

        Those of an `input_normalization` follow those of layer 0.
        """
        return self._model.core.statistics

    @statistics.setter
    def statistics(self, value: ArrayLike) -> None:
        views.copy_into("statistics", self.statistics, value, self._model.core)

    @property
    def optimizer_state(self) -> Mapping[str, NDArray[Any]]:
        """State of the last optimizer: flat live views in the order of `parameters`, read-only.

        ``"velocity"`` of momentum, ``"mean"`` of Adam, ``"mean_square"`` of Adam and RMSprop. The
        next ``fit`` continues from it if its optimizer is of the same kind. The arrays can be
        written, ``net.optimizer_state["mean"][:] = 0``; `reset_optimizer` discards them. Raises a
        RuntimeError while another thread fits; views taken earlier may be torn then.
        """
        return views.optimizer_state(self._model.core)

    @property
    def steps(self) -> int:
        """Number of steps of the last optimizer, in `fit`, `train_on_batch` and `update`.

        Another optimizer begins at 0, as after `reset_optimizer`. `update` with a number, L-BFGS
        and the best epoch that early stopping restores leave it. Raises a RuntimeError while
        another thread fits.
        """
        return self._model.core.steps

    def reset_optimizer(self) -> None:
        """Discard the state of the last optimizer: the next ``fit`` starts with a new one.

        Raises
        ------
        RuntimeError
            If another thread is fitting the network.
        """
        views.reset_optimizer(self._model.core)

    # The three steps of the paper, one at a time

    def forward(
        self, X: ArrayLike, training: bool = True, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the nodes of every layer (1.2).

        `training` only matters for networks with normalization or dropout.

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples. ``nodes[0]`` is a view of it if it needs no conversion.
        training : bool, default True
            True computes what a step of `fit` does: batch normalization uses the statistics of this
            batch and updates the running averages, unless B is 1, and dropout draws the masks of
            the next B samples of the epoch. False computes what `predict` does, and a following
            `backward` the gradients of that.
        n_threads : int, optional
            Upper limit of threads; by default that of the process. As many are used as are
            worthwhile; the bits do not depend on it.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs, ``nodes[-1]``: read-only, valid until the next `forward` or `fit`.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C; afterwards the network is as if `forward` had never been called.
        TypeError, ValueError
            If X does not match the network or is not finite.
        RuntimeError
            If another thread is fitting the network.
        """
        return propagation.forward(self._model, X, training, n_threads)

    @overload
    def backward(
        self,
        y: TargetsLike,
        *,
        sample_weight: ArrayLike | None = None,
        gradient: None = None,
        n_threads: int | None = None,
    ) -> float: ...
    @overload
    def backward(
        self, y: None = None, *, gradient: ArrayLike, n_threads: int | None = None
    ) -> None: ...
    def backward(
        self,
        y: TargetsLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        gradient: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> float | None:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`. The gradients are those of the mean loss.
        sample_weight : array-like, shape (B,), optional
            The weight of each sample, as in `fit`: losses are weighted means. `nodes` and `deltas`
            then only have the rows whose weight is not 0. `forward` has moved the running averages
            of batch normalization by all rows; `train_on_batch` leaves out those of weight 0.
        gradient : array-like, shape (B, N), optional
            Instead of y, the derivatives of any loss with respect to the outputs that `forward`
            returned. They are passed back through softmax, sigmoid etc.; the gradients of the
            parameters are sums over the rows and are not divided by B.
        n_threads : int, optional
            As in `forward`.

        Returns
        -------
        float or None
            The mean loss; None for a `gradient`.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C; the gradients are then unchanged or all zero.
        TypeError, ValueError
            If y or `gradient` does not match the network or the batch, or not exactly one of them
            is passed.
        RuntimeError
            If there was no `forward`, or another thread is fitting the network.
        """
        return propagation.backward(self._model, y, sample_weight, gradient, n_threads)

    def update(
        self,
        learning_rate: float | Optimizer | StepOptimizerName,
        n_threads: int | None = None,
    ) -> None:
        """Take one step against `gradients`: ``w = w - learning_rate * gradient`` (2.13), (2.14).

        Parameters
        ----------
        learning_rate : float, Optimizer or str
            The step size eta, finite and above 0; or an optimizer, or the name of one with its
            defaults, which works as in a step of `fit`. Its state is `optimizer_state`. A schedule
            or a function is asked for the rate of step number `steps`; without epochs a schedule
            counts a step as an epoch.
        n_threads : int, optional
            As in `forward`.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these, or a schedule that depends on the losses or the
            number of epochs of a fit; or every layer is frozen.
        RuntimeError
            If another thread is fitting the network.
        """
        propagation.update(self._model, learning_rate, n_threads)

    @overload
    def train_on_batch(
        self,
        X: ArrayLike,
        y: TargetsLike,
        optimizer: Optimizer | StepOptimizerName,
        *,
        sample_weight: ArrayLike | None = None,
        gradient: None = None,
        n_threads: int | None = None,
    ) -> float: ...
    @overload
    def train_on_batch(
        self,
        X: ArrayLike,
        y: None,
        optimizer: Optimizer | StepOptimizerName,
        *,
        gradient: ArrayLike,
        n_threads: int | None = None,
    ) -> None: ...
    def train_on_batch(
        self,
        X: ArrayLike,
        y: TargetsLike | None,
        optimizer: Optimizer | StepOptimizerName,
        *,
        sample_weight: ArrayLike | None = None,
        gradient: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> float | None:
        """Take one step on a batch: `forward`, `backward` and `update` in one call, the same bits.

        For training loops that `fit` does not cover. Arrays of the network's dtype in C order, and
        the same optimizer object each time, make it fastest. Like `fit` it leaves `nodes`, `deltas`
        and, unless the optimizer clips the norm, `gradients` as they are.

        Parameters
        ----------
        X : array-like, sparse matrix or Rescaled, shape (B, features)
            A batch of samples.
        y : array-like, shape (B,) or (B, N), or None
            Targets as in `fit`; None with a `gradient`.
        optimizer : Optimizer or str
            How the gradients change the parameters, as in `update`.
        sample_weight : array-like, shape (B,), optional
            The weight of each sample, as in `fit`; samples of weight 0 are left out, also of
            the running averages of batch normalization, which `forward` moves by all rows.
        gradient : array-like, shape (B, N), optional
            Instead of y, the derivatives of a loss with respect to the outputs for X; see
            `backward`.
        n_threads : int, optional
            As in `forward`.

        Returns
        -------
        float or None
            The mean loss before the step; None for a `gradient`.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C, before or after the step.
        TypeError, ValueError
            If an argument does not match the network or another argument, or every layer is frozen;
            the network is then unchanged.
        RuntimeError
            If another thread is training the network.
        """
        return propagation.train_on_batch(
            self._model, X, y, optimizer, sample_weight, gradient, n_threads
        )

    # Training

    @hints_at_arguments
    def fit(
        self,
        X: ArrayLike | Stream | Iterable[Rows],
        y: TargetsLike | None = None,
        epochs: int = 10,
        batch_size: int | None = 32,
        optimizer: Optimizer | LBFGS | OptimizerName = SGD(learning_rate=0.1),  # noqa: B008  (frozen)
        shuffle: bool | ArrayLike = True,
        validation_data: ValidationData | None = None,
        verbose: int = 0,
        n_threads: int | None = None,
        callbacks: AnyCallback | Iterable[AnyCallback] | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        validation_fraction: float | None = None,
        metrics: MetricsLike | None = None,
        early_stopping: EarlyStopping | bool | None = None,
        checkpoint: Checkpoint | files.Path | None = None,
        ema: float | None = None,
        standardize: bool = False,
        comm: Any = None,
        reduction: Literal["ordered", "mpi"] = _ORDERED,
    ) -> History:
        """Train on mini-batches: `forward`, `backward` and `update` over the epochs, fused.

        The same seed gives the same bits for any number of threads, and ``fit(epochs=2)`` twice
        those of ``fit(epochs=4)``. The page "Training" of the guide has details and examples.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix, shape (n, features)
            Samples, at least 1, not to be changed during the fit. Instead of X and y: a `Stream`,
            or an iterable of batches (X, y) or (X, y, sample_weight).
        y : array-like, shape (n,) or (n, N)
            Labels 0 .. N-1 (n,) or one-hot rows for cross-entropy; else numbers (n, N), or (n,)
            for one output. With `Heads` a tuple of the targets of each head, or a dict by name.
        epochs : int, default 10
            Passes over X.
        batch_size : int or None, default 32
            Samples per step; None is all. Batch normalization needs 2.
        optimizer : Optimizer, LBFGS or str, default SGD(learning_rate=0.1)
            "sgd", "adam", "adamw", "rmsprop" and "lbfgs" are those with their defaults.
        shuffle : bool or array-like of int, shape (n,) or (epochs, n), default True
            Whether each epoch draws an order of the samples; or row indices as a custom order.
        validation_data : tuple (X, y) or (X, y, sample_weight), or Stream, optional
            Measured after each epoch.
        verbose : int, default 0
            1 shows the progress on standard error, 2 a line per epoch.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.
        callbacks : Callback, callable, or sequence of them, optional
            A callable is called as ``callback(network, epoch_report)`` after each epoch; returning
            a true value stops training.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples, at least 0; losses are weighted means.
        class_weight : dict of label to weight, or "balanced", optional
            Weights of the classes, multiplied with `sample_weight`. With `Heads` a dict by name:
            ``{"policy": "balanced"}``.
        validation_fraction : float, optional
            The fraction of the samples to hold out for validation, stratified by class.
        metrics : str, callable, or sequence of them, optional
            Measured on the validation data: names of `fastmlp.metrics`, or functions
            ``f(y, outputs) -> float``. "f1" is reported as "validation_f1". With `Heads` for each
            head, or a dict by name: {"policy": "f1"} is reported as "validation_policy_f1".
        early_stopping : EarlyStopping or bool, optional
            When to stop before the last epoch; True is ``EarlyStopping()``.
        standardize : bool, default False
            Before the first fit, learn to scale features, and targets of a regression: see `adapt`.
        checkpoint : Checkpoint, str or os.PathLike, optional
            A file to save to after each epoch, and to resume from if it exists.
        ema : float, optional
            Decay, above 0 and below 1, of the moving average that `averaged` returns.
        comm, reduction : mpi4py.MPI.Comm and str, optional
            Train with other ranks, each on its rows: see the guide.

        Returns
        -------
        History
            Losses, time and speed.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; nothing has changed then.
        DataError, ModelFormatError, OSError
            If a stream or the checkpoint cannot be read or written.
        DivergenceError
            If the loss of an epoch is not finite; the parameters are those of the last finite one.
        RuntimeError
            If the network is already being fitted.
        KeyboardInterrupt
            On Ctrl-C. As after an exception in a callback, the parameters are those of the last
            completed step.
        """
        if reduction is not _ORDERED:
            _validation.choice("reduction", reduction, ("ordered", "mpi"))
        with _ALONE if comm is None else Ranks(comm, reduction) as ranks:
            options = read_options(
                self._model,
                epochs=epochs,
                batch_size=batch_size,
                optimizer=optimizer,
                shuffle=shuffle,
                validation_data=validation_data,
                verbose=verbose,
                n_threads=n_threads,
                callbacks=callbacks,
                sample_weight=sample_weight,
                class_weight=class_weight,
                validation_fraction=validation_fraction,
                metrics=metrics,
                early_stopping=early_stopping,
                checkpoint=checkpoint,
                ema=ema,
                standardize=standardize,
                ranks=ranks,
            )
            return training.fit(self, self._model, X, y, options, ranks)

    def objective(
        self,
        X: ArrayLike,
        y: TargetsLike,
        *,
        sample_weight: ArrayLike | None = None,
        comm: Any = None,
    ) -> Objective:
        """Return the mean loss over (X, y) as a function of the flat parameters, for SciPy.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least 1.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`. X, and y if it has floats, are read in place in every call if they
            are C-contiguous and of the network's dtype, and are checked only once: do not change
            them. Everything else is copied.
        sample_weight : array-like, shape (B,), optional
            Weights of the samples for the mean. Samples of weight 0 are ignored.
        comm : mpi4py.MPI.Comm, optional
            Return the mean over the samples of all ranks, each of which passes its own and calls
            the function with the same theta. The network becomes that of rank 0, with its scaling;
            a call raises ValueError if a rank has changed its own since.

        Returns
        -------
        callable
            ``f(theta) -> (loss, gradient)``, theta (n_parameters,) in the order of `parameters`,
            gradient a copy in float64. A call stores theta in the network, and raises RuntimeError
            while another thread fits it. Dropout is off, and batch normalization uses the running
            averages. SciPy's line searches need a network of dtype float64. ``f.hvp(v)`` is the
            exact product of the Hessian with v at the parameters of the network, and
            ``f.hessp(theta, v)`` at theta, for SciPy's ``hessp``. They need a loss of fastmlp and
            layers without normalization. Threads are as many as are worthwhile.

        Examples
        --------
        >>> net = Network([2, 3, 1], output="sigmoid", seed=1, dtype="float64")
        >>> f = net.objective([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
        >>> from scipy.optimize import minimize  # doctest: +SKIP
        >>> net.parameters = minimize(f, net.parameters.copy(), jac=True).x  # doctest: +SKIP
        >>> result = minimize(
        ...     f, net.parameters.copy(), jac=True, hessp=f.hessp, method="trust-ncg"
        ... )  # doctest: +SKIP
        """
        if comm is None:
            return objective(self._model, X, y, sample_weight)
        return objective_of_ranks(self._model, X, y, sample_weight, comm)

    # Outputs, losses and derivatives; none of these change the network

    def predict(
        self, X: ArrayLike | Stream, out: NDArray[Any] | None = None, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the outputs for X, without changing the network.

        Any number of threads may predict concurrently, also from a callback of `fit`. While another
        thread is inside a `fit`, the outputs are those of the network at the end of its last epoch;
        a single step is waited for. A row gives the same bits alone and in any batch, with any
        number of threads.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features), or Stream
            Samples; B may be 0. One sample is ``x.reshape(1, -1)``. A stream is read piece by
            piece; the rows of the result are in its order.
        out : ndarray, shape (B, N), optional
            Written to and returned. C-contiguous, of the network's dtype, and without overlap with
            X and the weights. A call that is interrupted may have written part of it.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs: probabilities for softmax and sigmoid.

        Raises
        ------
        TypeError, ValueError
            If X does not match the network or is not finite, or `out` is not as described.
        MemoryError
            If the outputs cannot fit into memory; raised before X is read.
        """
        limit = 0 if n_threads is None else _validation.n_threads(n_threads)
        # The core checks what needs no conversion itself: not even a call of Python is left then.
        result = self._model.core.predict(X, out, limit)
        if result is not NotImplemented:
            return result
        return prediction.predict_converted(self._model, X, out, limit)

    def split(self, outputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Split outputs, or gradients with respect to them, into those of each head.

        Parameters
        ----------
        outputs : ndarray, shape (..., N)
            A result of `predict` or `forward`, ``deltas[-1]``, or an array of this shape that is
            still to be filled.

        Returns
        -------
        tuple of ndarray, shape (..., nodes)
            A view of the columns of each head, in the order of `heads`.

        Raises
        ------
        TypeError, ValueError
            If the network has no heads, or `outputs` is no array of N columns.

        Examples
        --------
        >>> import fastmlp as fm
        >>> heads = fm.Heads(policy=fm.Head(2, "softmax"), value=fm.Head(1, "identity"))
        >>> net = Network([4, 8, heads], seed=1)
        >>> policy, value = net.split(net.predict([[0.0, 1.0, 2.0, 3.0]]))
        >>> policy.shape, value.shape
        ((1, 2), (1, 1))
        """
        return split_outputs(self._model, outputs)

    def predict_classes(self, X: ArrayLike | Stream, n_threads: int | None = None) -> NDArray[Any]:
        """Predict classes: those of the largest outputs of softmax, or of sigmoid above 0.5.

        Parameters
        ----------
        X, n_threads
            As in `predict`.

        Returns
        -------
        ndarray, shape (B,), or (B, N) for several labels
            Names if the network has `class_names`, otherwise integers; for N > 1 outputs of sigmoid
            booleans, one for each label. Of a network with heads those of its one softmax head.

        Raises
        ------
        ValueError
            If the outputs are numbers, not classes, or as in `predict`.
        """
        prediction.check_classes(self._model)
        return prediction.classes(self._model, self.predict(X, None, n_threads))

    def evaluate(
        self,
        X: ArrayLike | Stream | Iterable[Rows],
        y: TargetsLike | None = None,
        n_threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Evaluation:
        """Compute the mean loss and the accuracy of the network on X against y.

        During a `fit` in another thread they are those at the end of its last epoch, as in
        `predict`.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features)
            Samples, at least 1; or a `Stream` or an iterable of batches, without y.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.
        sample_weight : array-like, shape (B,), optional
            Weights of the samples: finite, at least 0, not all 0. Samples of weight 0 are ignored,
            whatever their values.

        Returns
        -------
        Evaluation
            The named tuple ``(loss, accuracy)``; accuracy is None for all losses except the
            cross-entropies. Of a network with heads its attribute `heads` is a dict with the
            evaluation of each by name: ``net.evaluate(X, y).heads["policy"].accuracy``.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network or is not finite.
        """
        return prediction.evaluate(self._model, X, y, n_threads, sample_weight)

    def jacobian(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the derivatives of the outputs with respect to the features.

        These are derivatives of what `predict` computes, including softmax and running averages,
        also during a `fit` in another thread. The network does not change, and any number of
        threads may call this concurrently. A sample gives the same bits in any batch.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples; B may be 0.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, N, features)
            ``jacobian[b, n, j]`` is d output_n / d x_j at sample b. Where an activation has a
            corner, such as relu at 0, the derivative is the one used in training (2.12). For a
            `Rescaled` X it is with respect to x_j before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X does not match the network or is not finite.

        Examples
        --------
        >>> from fastmlp import Network
        >>> net = Network([3, 8, 2], "tanh", "identity", seed=1)
        >>> net.jacobian([[0.1, 0.2, 0.3]]).shape
        (1, 2, 3)
        """
        return derivatives.jacobian(self._model, X, n_threads)

    def input_gradient(
        self, X: ArrayLike, y: TargetsLike, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the derivatives of each sample's loss with respect to its features.

        These are derivatives of the loss that `evaluate` averages, also during a `fit` in another
        thread. The network does not change, and any number of threads may call this concurrently. A
        sample gives the same bits in any batch.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least 1.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, features)
            dL_b / d x_bj with L_b the loss of sample b alone, not divided by B. For a `Rescaled` X
            it is with respect to x_bj before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X or y does not match the network or is not finite.
        """
        return derivatives.input_gradient(self._model, X, y, n_threads)

    # Files, copies and pickles

    def save(self, path: files.Path, *, allow_nonfinite: bool = False) -> None:
        """Write the network to a file that `load` reads back to the same bits.

        The file is a safetensors file, which other programs can read: parameters, layers, loss,
        names, seed and epoch. Gradients, nodes and deltas are not saved. Writing is atomic, even if
        the process is killed or the machine loses power: see ``docs/file-format.md``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists. If it is a symbolic link, its target is replaced.
        allow_nonfinite : bool, default False
            Also save parameters that are NaN or infinite, which `load` accepts with the same
            argument.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a parameter is not finite; the old file is unchanged.
        OSError
            If the file cannot be written, with errno and its name; the old file is unchanged.
        RuntimeError
            If another thread is fitting the network.
        """
        saving.save(self._model, path, allow_nonfinite)

    def save_checkpoint(self, path: files.Path) -> None:
        """Write the network and the state of its optimizer, for `load_checkpoint`.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced atomically if it exists.

        Raises
        ------
        TypeError
            If `path` is not a path.
        ValueError
            If a parameter or the optimizer's state is not finite; the old file is unchanged.
        OSError
            If the file cannot be written; the old file is unchanged.
        RuntimeError
            If another thread is fitting the network.
        """
        save_checkpoint(self._model.core, path)

    # Copies

    def copy(self) -> Network:
        """Return an independent copy of all that makes up the network.

        Parameters, statistics, scales, names, seed, position in the sample order, what the
        optimizer and the moving average remember, and the attributes of a subclass, as
        ``copy.copy(net)``; gradients, nodes and deltas are not included. The copy trains on to the
        same bits.

        Raises
        ------
        RuntimeError
            If another thread is fitting the network.
        """
        return copy.copy(self)

    def soft_update(self, source: Network, tau: float) -> None:
        """Move the parameters and running averages towards those of another network.

        They become ``(1 - tau) * own + tau * source``, as a target network of reinforcement
        learning does after each step; nothing is allocated, and views stay valid.

        Parameters
        ----------
        source : Network
            A network of the same layers, loss, scaling and dtype, which is not changed. Dropout and
            other training settings may differ. Scaling is not blended, so it must be equal: after
            another `adapt`, copy the scaling, or the network.
        tau : float
            From 0, which changes nothing, to 1, which copies.

        Raises
        ------
        TypeError, ValueError
            If `source` is no such network, naming the first difference, or `tau` is out of range.
        RuntimeError
            If another thread is fitting one of the networks.

        Examples
        --------
        >>> online = Network([4, 16, 2], seed=1)
        >>> target = online.copy()
        >>> target.soft_update(online, 0.005)  # after each step of `online`
        """
        soft_update(self._model, getattr(source, "_model", source), tau)

    def averaged(self) -> Network:
        """Return a network with the moving average of the parameters that ``fit(ema=...)`` keeps.

        It often predicts better than the last parameters (Polyak and Juditsky, 1992). It has the
        averages of the running averages too, and all else of this network but the state of its
        optimizer. Only fits with `ema` change the average. After early stopping it is that of the
        last epoch: only the network itself goes back to the best one.

        Raises
        ------
        ValueError
            If there is no average.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.fit(X, y, epochs=50, ema=0.999)  # doctest: +SKIP
        >>> net.averaged().evaluate(X_test, y_test)  # doctest: +SKIP
        """
        result = self.copy()
        use_average(model_of(result))
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Return plain values and one array, so that copies are independent and equal.

        Gradients, nodes and deltas are not included. Pickle protocol 5 can transfer the array out
        of band.
        """
        own = {name: value for name, value in self.__dict__.items() if name != "_model"}
        return saving.to_state(self._model, own)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._model, own = saving.from_state(state)
        self.__dict__.update(own)

    # Other libraries and formats

    def to_onnx(
        self,
        path: files.Path,
        *,
        opset: int | None = None,
        input_name: str = "X",
        output_name: str = "Y",
        labels: bool = False,
    ) -> None:
        """Write the network as an ONNX file, for ONNX Runtime and other readers.

        The graph has the input ``X`` (batch, features), with any number of rows, and the output
        ``Y`` (batch, N), which is `predict` up to rounding: with `Heads` the outputs of all of
        them. The same network gives the same bytes. Needs ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced atomically if it exists.
        opset : int, optional
            The operator set, by default the first with all operators that the network needs: 13,
            14 with batch and 17 with layer normalization.
        input_name, output_name : str
            The names of ``X`` and ``Y``.
        labels : bool, default False
            Add the output ``label`` (batch,), for networks that end with softmax, or with sigmoid
            of one output: the name of the most likely class, or its number if classes have none.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If the parameters exceed 2 GiB, the limit of the format, or are not finite; if `opset`
            is too early, or later than onnx has, a name is taken, or the network has no labels.
        OSError
            If the file cannot be written; the old file is unchanged.
        ImportError
            If onnx is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.to_onnx("model.onnx")  # doctest: +SKIP
        """
        exports.to_onnx(self._model, path, opset, input_name, output_name, labels)

    def to_torch(self, *, share: bool = False) -> Any:
        """Return the network as a ``torch.nn.Sequential``.

        Parameters
        ----------
        share : bool, default False
            True makes the modules share the network's memory, through DLPack: training one trains
            the other. PyTorch's weights have shape (N, K), so they are transposed views.

        Returns
        -------
        torch.nn.Sequential
            Linear modules and activations, including the last one; for a cross-entropy from logits
            use ``model[:-1]``. With `Heads` the last module is ``HeadOutputs``, which returns the
            outputs joined, as `predict`, and whose `split` divides them. A network that scales
            features or outputs begins or ends with a module ``Scaling(scale, offset)``, whose two
            are buffers; it takes any numeric type.

        Raises
        ------
        ImportError
            If torch is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_torch(share=True)  # doctest: +SKIP
        >>> model[0].weight.shape  # doctest: +SKIP
        torch.Size([64, 64])
        """
        return exports.to_torch(self._model, share)

    def to_keras(self) -> Any:
        """Return the network as a Keras model with copies of the weights.

        Returns
        -------
        keras.Sequential, or keras.Model with heads
            With `Heads` a functional model whose outputs are a dict by their names, otherwise a
            Sequential. Built, but not compiled: loss and optimizer are the caller's choice. Scales
            of features and outputs are Rescaling layers, that of features in float64. float64
            weights stay float64 if the backend supports it (JAX only with ``jax_enable_x64``, else
            there is a UserWarning), but some backends multiply matrices in float32 even so.

        Raises
        ------
        ImportError
            If keras is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_keras()  # doctest: +SKIP
        """
        return exports.to_keras(self._model)

    def to_flax(self) -> tuple[Any, dict[str, Any]]:
        """Return the network as a model of Flax, with copies of the weights.

        Returns
        -------
        model : flax.linen.Sequential
            It predicts: batch normalization uses its running averages, dropout does nothing.
        variables : dict
            ``{"params": ...}``, a tree of arrays; ``model.apply(variables, X)`` is `predict`.

        Raises
        ------
        ValueError
            If the network has heads, or weights of float64 without ``jax_enable_x64``.
        ImportError
            If flax is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model, variables = net.to_flax()  # doctest: +SKIP
        """
        made: tuple[Any, dict[str, Any]] = exports.to_flax(self._model)
        return made

    def to_equinox(self) -> Any:
        """Return the network as a model of Equinox, with copies of the weights.

        Returns
        -------
        equinox.nn.Sequential
            Of one sample: ``jax.vmap(model)(X)`` is `predict`. With dropout, use
            ``equinox.nn.inference_mode(model)``.

        Raises
        ------
        ValueError
            If the network has heads or batch normalization, or weights of float64 without
            ``jax_enable_x64``.
        ImportError, RuntimeError
            As `to_flax`.

        Examples
        --------
        >>> model = net.to_equinox()  # doctest: +SKIP
        """
        return exports.to_equinox(self._model)

    def to_sklearn(self, *, labels: ArrayLike | None = None) -> Any:
        """Return the network as a fitted estimator of scikit-learn.

        Parameters
        ----------
        labels : array-like, optional
            The classes of a classifier's outputs, sorted as in scikit-learn: one for each output,
            or two for one sigmoid output. None is `class_names` if they are sorted, otherwise 0,
            1, ...

        Returns
        -------
        MLPClassifier, MLPRegressor, Pipeline or TransformedTargetRegressor
            A classifier for softmax and sigmoid outputs, multilabel for several sigmoids; a
            regressor for identity and exp. If the network scales its features, it follows a scaler
            in a Pipeline; if it scales its outputs, it is inside a TransformedTargetRegressor.

        Raises
        ------
        ValueError
            If scikit-learn has no such network, or `labels` do not match it.
        ImportError
            If scikit-learn is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_sklearn(labels=["cat", "dog", "fox"])  # doctest: +SKIP
        """
        return exports.to_sklearn(self._model, labels)

    def export_c(
        self,
        path: files.Path,
        name: str = "model",
        *,
        training: bool = False,
        weights: files.Path | None = None,
    ) -> None:
        """Write the network as one self-contained C header.

        It compiles as C99 and as C++17, allocates nothing, and contains the exact weights.
        ``model_predict(parameters, x, y, workspace)`` computes one sample; with ``training`` there
        is ``model_train(parameters, x, targets, batch, learning_rate, workspace)``, a step of SGD
        on a copy of the parameters, and ``model_train_labels`` for class numbers. The order of all
        operations is that of the core: with ``-ffp-contract=off`` the results have the same bits as
        `predict` and `fit`, also where the network scales features and targets. Names of features
        and classes are arrays of strings. Its first lines explain how to use it.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced atomically if it exists.
        name : str, default "model"
            A C identifier; the prefix of every name in the header.
        training : bool, default False
            Whether to include functions for training.
        weights : str or os.PathLike, optional
            A second file for the parameters, little-endian numbers of the network's type, which the
            header has otherwise: the program reads or maps it and passes its address as
            ``parameters``. A compiler needs minutes for a header with ten million numbers.

        Raises
        ------
        TypeError
            If `name` is not a string.
        ValueError
            If `name` is not an identifier, a parameter is not finite, or both files are one.
        OSError
            If a file cannot be written, which is then as before; of two the other may be new.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.export_c("digits.h", "digits", training=True)  # doctest: +SKIP
        """
        exports.export_c(self._model, path, name, training, weights)


def network_of(model: Model) -> Network:
    """Return a network with this `model`, for functions that read one from a file or library."""
    network = Network.__new__(Network)
    network._model = model  # noqa: SLF001  (its own module)
    return network


def model_of(network: Network) -> Model:
    """Return the `Model` of a network, for functions that train it."""
    return network._model  # noqa: SLF001  (its own module)
