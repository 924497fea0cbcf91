"""`Network`: what the user holds.

The file is long for its docstrings, which are the contract. A method is one line: it calls a
function of a module with the network's `Model`, where all that it is made of lies. What is new
gets a field there, if it is kept, and here its docstring.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _core, files
from fastmlp._validation import FloatType
from fastmlp._validation.foreign_names import hints_at_arguments, missing_attribute
from fastmlp.data.stream import Rows, Stream
from fastmlp.exchange import exports
from fastmlp.fitting import fit as training
from fastmlp.fitting.callbacks import AnyCallback
from fastmlp.fitting.checkpoints import Checkpoint, save_checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.history import Evaluation, History
from fastmlp.inference import derivatives, prediction
from fastmlp.layers import (
    ActivationName,
    Dense,
    NormalizationName,
    build_layers,
    refuse_single_softmax,
)
from fastmlp.losses import Loss, LossLike
from fastmlp.metrics import Metric, MetricName
from fastmlp.model import parameter_views as views
from fastmlp.model import propagation, saving
from fastmlp.model.feature_names import Names, read_names
from fastmlp.model.model import Model
from fastmlp.model.objective import Objective, objective
from fastmlp.model.summary import Summary, describe, summarise
from fastmlp.settings.custom_loss import LossFunction
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import SGD, Optimizer, OptimizerName, StepOptimizerName

ValidationData = Rows | Stream


class Network:
    """A feed-forward network of dense layers, trained by the compiled core.

    All parameters lie in one contiguous buffer; `weights`, `biases` and `parameters` are live
    views of it. What each member does while another thread trains is in the guide's page "Threads
    and processes". Initial weights are uniform in [-limit, limit] with limit = sqrt(6 / K) before
    rectifiers (relu, leaky_relu, elu, gelu, silu; He et al., 2015) and sqrt(6 / (K + N)) for the
    others (Glorot and Bengio, 2010), drawn by a counter-based generator (Philox, Salmon et al.,
    2011) in float64 and rounded, the same on every platform; biases are zero.

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
            "mean_absolute_error", "huber", "quantile", "poisson"}, a loss or a callable, optional
        `CrossEntropy`, `Huber` and `Quantile` are losses with a parameter. None takes
        cross-entropy with softmax, binary cross-entropy with sigmoid, Poisson with exp, and mean
        squared error with the rest. A callable ``f(outputs, y, gradient) -> losses`` is a loss of
        one's own: for a batch it is handed the outputs (B, N) and the targets (B, ...), fills
        `gradient` (B, N) with the derivative of each sample's loss by its outputs, and returns
        the losses (B,), or their mean. It runs in Python once a batch, and does not see samples of
        weight 0.
    seed : int, optional
        In [0, 2^64): initial weights and the order of samples follow from it. None draws one;
        `seed` tells which.
    dtype : {"float32", "float64"}, default "float32"
        The type of parameters and of all arithmetic.
    normalization : {"batch", "layer"}, optional
        The normalization of hidden layers given as a number; see `Dense`.
    dropout : float, default 0.0
        The dropout of hidden layers given as a number; see `Dense`. The masks follow from the seed:
        they are the same for any number of threads.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a size is below 1, a name is unknown, softmax is not last or has one node, the loss does
        not fit the output, or the seed is out of range.
    MemoryError
        If the parameters do not fit in memory; the message tells the bytes.

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
        activation: ActivationName = "relu",
        output: ActivationName = "softmax",
        loss: LossLike | None = None,
        seed: int | None = None,
        dtype: FloatType = "float32",
        normalization: NormalizationName | None = None,
        dropout: float = 0.0,
    ) -> None:
        features, dense = build_layers(layers, activation, output, normalization, dropout)
        refuse_single_softmax(dense)
        self._model = Model.new(features, dense, loss, seed, dtype)

    # What it is made of

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self._model.features

    @property
    def feature_names(self) -> Names | None:
        """Names of the features, or None: those of the first frame that `fit` was given.

        A frame of pandas, polars or pyarrow whose columns have other names, or another order, is
        refused with a ValueError from then on; arrays have no names and are taken as they are. Set
        it to a sequence of unique strings, one for each feature, or to None. Copies and pickles
        keep the names; files have no place for them (`Network.save`).
        """
        return self._model.feature_names

    @feature_names.setter
    def feature_names(self, names: Sequence[str] | None) -> None:
        self._model.feature_names = read_names(names, self._model.features)

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers after the features."""
        return self._model.layers

    @property
    def loss(self) -> Loss:
        """Name of the loss, ``"custom"`` for a function; its ``parameter`` is an attribute."""
        return self._model.loss

    @property
    def loss_function(self) -> LossFunction | None:
        """The user's own loss, if `loss` is ``"custom"``; a loaded network wants it set again.

        Raises
        ------
        ValueError
            If the network was loaded, and its function not set yet; or set where there is none.
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
        """The seed, given or drawn."""
        return self._model.core.seed

    @property
    def epoch(self) -> int:
        """Number of epochs ever trained: with the seed, the position of the sample order."""
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
            Its text is the table: ``print(net.summary())``. A notebook shows it for the network
            itself, too.
        """
        return summarise(self._model, type(self).__name__)

    if not TYPE_CHECKING:  # for a type checker there is nothing but what is written down

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(type(self).__name__, name)

    def __repr__(self) -> str:
        return describe(self._model, type(self).__name__)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # Its memory: live views. One that is read while another thread fits, or takes a step, may show
    # some elements from before a step and some from after it.

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

        An item is a RuntimeError before the first `forward`, and while another thread fits.
        """
        return views.ArrayViews("nodes", self._model.core.nodes, len(self.layers) + 1)

    @property
    def deltas(self) -> views.ArrayViews:
        """Read-only views (B, N) of dL/dz of the last `backward` (2.2), per sample.

        An item is a RuntimeError before the first `forward`, and while another thread fits.
        """
        return views.ArrayViews("deltas", self._model.core.deltas, len(self.layers))

    @property
    def parameters(self) -> NDArray[Any]:
        """The whole buffer as one flat live view: W0, b0, W1, b1, ... in C order.

        Scales and shifts of a normalised layer follow its biases. While another thread fits, the
        view is torn: `predict` answers from a whole set of parameters, this does not.
        """
        return self._model.core.parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        views.copy_into("parameters", self.parameters, value, self._model.core)

    @property
    def gradients(self) -> NDArray[Any]:
        """All gradients as one flat live view, in the order of `parameters`, torn like them."""
        return self._model.core.gradients

    @gradients.setter
    def gradients(self, value: ArrayLike) -> None:
        views.copy_into("gradients", self.gradients, value, self._model.core)

    @property
    def scales(self) -> views.LayerViews:
        """Live views (N,) by layer, of the normalised layers: at first 1."""
        core = self._model.core
        return views.of_normalized("scales", self._model, core.scales)

    @property
    def shifts(self) -> views.LayerViews:
        """Live views (N,) by layer, of the normalised layers: at first 0."""
        core = self._model.core
        return views.of_normalized("shifts", self._model, core.shifts)

    @property
    def scale_gradients(self) -> views.LayerViews:
        """Live views (N,) of dL/dscale by layer; zero before the first `backward`."""
        core = self._model.core
        return views.of_normalized("scale_gradients", self._model, core.scale_gradients)

    @property
    def shift_gradients(self) -> views.LayerViews:
        """Live views (N,) of dL/dshift by layer; zero before the first `backward`."""
        core = self._model.core
        return views.of_normalized("shift_gradients", self._model, core.shift_gradients)

    @property
    def running_means(self) -> views.LayerViews:
        """Live views (N,) by layer, of the batch-normalised layers: at first 0.

        After a batch they are ``0.9 * running + 0.1 * mean``. Prediction normalises by them.
        """
        core = self._model.core
        return views.of_normalized("running_means", self._model, core.running_means, "batch")

    @property
    def running_variances(self) -> views.LayerViews:
        """Live views (N,) by layer, of the batch-normalised layers: at first 1.

        As `running_means`, of the unbiased variance of the batch.
        """
        core = self._model.core
        return views.of_normalized(
            "running_variances", self._model, core.running_variances, "batch"
        )

    @property
    def statistics(self) -> NDArray[Any]:
        """All running averages as one flat live view: means, variances, layer after layer."""
        return self._model.core.statistics

    @statistics.setter
    def statistics(self, value: ArrayLike) -> None:
        views.copy_into("statistics", self.statistics, value, self._model.core)

    @property
    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """What the last optimizer remembers, flat live views in the order of `parameters`.

        ``"velocity"`` of momentum, ``"mean"`` of Adam, ``"mean_square"`` of Adam and RMSprop. The
        next ``fit`` goes on from it if its optimizer is of the same kind. RuntimeError while
        another thread fits; views taken before may be torn then.
        """
        return views.optimizer_state(self._model.core)

    @property
    def steps(self) -> int:
        """Number of steps since the optimizer's state was zero.

        RuntimeError while another thread fits.
        """
        return self._model.core.optimizer_state[3]

    def reset_optimizer(self) -> None:
        """Forget what the last optimizer remembers: the next ``fit`` begins with a fresh one.

        Raises
        ------
        RuntimeError
            If another thread is fitting the network.
        """
        self._model.core.set_optimizer_state(_core.OptimizerKind.SGD, None, None, 0)

    # The three steps of the paper, one at a time

    def forward(self, X: ArrayLike, training: bool = True) -> NDArray[Any]:
        """Compute the nodes of every layer (1.2).

        `training` makes a difference to networks with normalization or dropout only.

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples. ``nodes[0]`` borrows it where it needs no conversion.
        training : bool, default True
            True goes on as a step of `fit` does: batch normalisation is by this batch and moves
            the running averages, unless B is 1, and dropout draws the masks of the next B samples
            of the epoch.
            False computes what `predict` does, and `backward` then the gradients of that.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs, ``nodes[-1]``: read-only, valid until the next `forward` or `fit`.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C: as if there had been no `forward`, not even those before.
        TypeError, ValueError
            If X does not fit the network, or is not finite.
        RuntimeError
            If another thread is fitting the network.
        """
        return propagation.forward(self._model, X, training)

    def backward(self, y: ArrayLike) -> float:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.

        Returns
        -------
        float
            The mean loss.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C: the gradients are then as before or zero, never some of them.
        TypeError, ValueError
            If y does not fit the network or the batch.
        RuntimeError
            If there was no `forward`, or another thread is fitting the network.
        """
        return propagation.backward(self._model, y)

    def update(self, learning_rate: float | Optimizer | StepOptimizerName) -> None:
        """Take one step against `gradients`: ``w = w - learning_rate * gradient`` (2.13), (2.14).

        Parameters
        ----------
        learning_rate : float, Optimizer or str
            The step size eta, finite and above 0; or an optimizer, or the name of one with its
            defaults, whose step is taken, with a number as its learning rate. What it remembers is
            `optimizer_state`.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these.
        RuntimeError
            If another thread is fitting the network.
        """
        propagation.update(self._model, learning_rate)

    # Training

    @hints_at_arguments
    def fit(
        self,
        X: ArrayLike | Stream | Iterable[Rows],
        y: ArrayLike | None = None,
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
        class_weight: Mapping[int, float] | Literal["balanced"] | None = None,
        validation_fraction: float | None = None,
        metrics: MetricName | Metric | Iterable[MetricName | Metric] | None = None,
        early_stopping: EarlyStopping | bool | None = None,
        checkpoint: Checkpoint | files.Path | None = None,
    ) -> History:
        """Train on mini-batches: `forward`, `backward` and `update` over the epochs, fused.

        The same seed gives the same bits for any number of threads, and ``fit(epochs=2)`` twice
        gives those of ``fit(epochs=4)``.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (n, features)
            Samples, at least 1. C-contiguous data of the network's dtype are used in place, also
            read-only or memory-mapped. Of other types, what takes less than 16 MB is copied at
            once, and more is converted batch by batch. Not to be changed meanwhile. Sparse ones are
            copied as they are: the first layer reads only what is stored, and plain SGD changes
            only the weights it belongs to. Not with LBFGS. The columns of a frame give the network
            its `feature_names`, or must have them.

            Instead of X and y, for more than memory holds: a `Stream`; or an iterable of batches
            (X, y) or (X, y, sample_weight), whose rows are trained on as they come, `batch_size`
            at a time however many each batch has. An iterator, which gives them once, is for one
            epoch.
        y : array-like, shape (n,) or (n, N)
            Integer class labels 0 .. N-1 (n,), with cross-entropy only; else one-hot or real
            targets (n, N). With one output and another loss, (n,) means (n, 1).
        epochs : int, default 10
            Times to go through X, at least 1.
        batch_size : int or None, default 32
            Samples per step, at least 1; the last batch of an epoch may be shorter. None is all
            samples. Batch normalization needs 2: a batch of one row leaves the running averages
            alone, and a fit of such batches only is refused.
        optimizer : Optimizer, LBFGS or str, default SGD(learning_rate=0.1)
            How a gradient changes the parameters. "sgd", "adam", "adamw", "rmsprop" and "lbfgs" are
            those with their defaults.
        shuffle : bool or array-like of int, shape (n,) or (epochs, n), default True
            True draws an order of samples per epoch from the seed; False takes them as they
            stand; row indices are an order handed in, for every epoch or for each. A stream draws
            its own order (see `Stream`); batches of an iterable stay as they come.
        validation_data : tuple (X, y) or (X, y, sample_weight), or Stream, optional
            Evaluated after each epoch.
        verbose : int, default 0
            1 shows the progress on standard error: a bar if tqdm is installed (the extra
            ``fastmlp[progress]``), else a line per epoch; 2 shows a line per epoch.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.
        callbacks : Callback, callable, or sequence of them, optional
            What to tell of the training; see `Callback`. A callable is called as
            ``callback(network, epoch_report)`` at the end of each epoch; a true result stops after
            this epoch. It may predict, copy and write weights, but not fit.
        sample_weight : array-like, shape (n,), optional
            How much each sample counts, finite, at least 0, not all 0: a loss is the weighted mean,
            sum(w l) / sum(w), in a batch as in an epoch. A sample of weight 0 is left out, whatever
            it holds; a batch of them is no step.
        class_weight : dict of label to weight, or "balanced", optional
            How much the samples of each class count, beside `sample_weight`, in training but not
            in validation; labels left out have 1. "balanced" is n / (k * count): of k classes each
            counts the same.
        validation_fraction : float, optional
            Instead of validation data: the share of the samples, above 0 and below 1, to hold out
            and validate on. The seed decides which; every class gives its share. Both parts are
            copies.
        metrics : str, callable, or sequence of them, optional
            What to measure on the validation data beside the loss: names of `fastmlp.metrics`
            ("f1", "auc", "r2", ..., "top_5_accuracy"), or functions ``f(y, outputs) -> float``,
            y being labels (B,) with cross-entropy and else numbers (B, N). "f1" is told as
            "validation_f1". They do not see samples of weight 0.
        early_stopping : EarlyStopping or bool, optional
            When to stop before the last epoch; True is ``EarlyStopping()``.
        checkpoint : Checkpoint, str or os.PathLike, optional
            A file to save to after each epoch, and to go on from if it exists already: the same
            call in a new process ends with the bits of one that was never interrupted.

        Returns
        -------
        History
            Losses per epoch, time and speed.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has changed then.
        DataError
            If samples of a stream or a batch cannot be used, whatever their conversion raises; it
            names the file, row and column, and the network is what it was before.
        ModelFormatError
            If the checkpoint is damaged or does not make sense; nothing has changed then.
        OSError
            If the checkpoint cannot be read or written; found out before the first epoch, as far as
            the system tells.
        DivergenceError
            If the loss of an epoch is not finite; the parameters are back at the last finite
            epoch end.
        RuntimeError
            If the network is being fitted already.
        KeyboardInterrupt
            On Ctrl-C; as with an exception of a callback or of the iterable of batches, the
            parameters are those of the last completed step.
        """
        return training.fit(
            self,
            self._model,
            X,
            y,
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
        )

    def objective(
        self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Objective:
        """Return the mean loss over (X, y) as a function of the flat parameters, for SciPy.

        Parameters
        ----------
        X : array-like, shape (B, features)
            Samples, at least 1.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        sample_weight : array-like, shape (B,), optional
            How much each sample counts: the mean is weighted. Those of weight 0 are left out.

        Returns
        -------
        callable
            ``f(theta) -> (loss, gradient)``, theta (n_parameters,) in the order of `parameters`,
            gradient a copy in float64. A call leaves theta in the network, and raises RuntimeError
            while another thread fits it. Dropout is off, and batch normalisation by the running
            averages. SciPy's line searches want a network of dtype float64.

        Examples
        --------
        >>> net = Network([2, 3, 1], output="sigmoid", seed=1, dtype="float64")
        >>> f = net.objective([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
        >>> from scipy.optimize import minimize  # doctest: +SKIP
        >>> net.parameters = minimize(f, net.parameters.copy(), jac=True).x  # doctest: +SKIP
        """
        return objective(self._model, X, y, sample_weight)

    # Outputs, losses and derivatives, which leave the network as it is

    def predict(
        self, X: ArrayLike | Stream, out: NDArray[Any] | None = None, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the outputs for X, without touching the network.

        Many threads may predict at once, also from a callback of `fit`. While another thread is
        inside a `fit`, the outputs are those of the network at its last epoch end; a single step
        is waited for. A row has the same bits alone and in any batch, with any number of threads.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features), or Stream
            Samples; B may be 0. One sample is ``x.reshape(1, -1)``. A stream is read piece by
            piece; the rows of the result are as its own stand.
        out : ndarray, shape (B, N), optional
            Written and returned, of the network's dtype, C-contiguous, apart from X and weights.
            A call that raises in the middle, as on Ctrl-C, may have written some of it.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.

        Returns
        -------
        ndarray, shape (B, N)
            The outputs: probabilities for softmax and sigmoid.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite, or `out` does not fit.
        MemoryError
            If the outputs cannot fit into memory; then not a value of X was looked at.
        """
        return prediction.predict(self._model, X, out, n_threads)

    def evaluate(
        self,
        X: ArrayLike | Stream | Iterable[Rows],
        y: ArrayLike | None = None,
        n_threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Evaluation:
        """Compute the mean loss and the accuracy of the network on X against y.

        Beside a `fit` in another thread they are those of its last epoch end, as in `predict`.

        Parameters
        ----------
        X : array-like or sparse matrix of SciPy, shape (B, features)
            Samples, at least 1; or a `Stream`, or an iterable of batches, alone.
        y : array-like, shape (B,) or (B, N)
            Targets as in `fit`.
        n_threads : int, optional
            Upper limit of threads; None is the limit of the process.
        sample_weight : array-like, shape (B,), optional
            How much each sample counts: finite, at least 0, not all 0. Those of weight 0 are left
            out, whatever they hold.

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
        return prediction.evaluate(self._model, X, y, n_threads, sample_weight)

    def jacobian(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the derivatives of the outputs with respect to the features.

        Those of what `predict` computes, softmax and running averages included, also beside a
        `fit` in another thread; the network is not touched, and many threads may ask at once. A
        sample has the same bits in any batch.

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
            corner, as relu at 0, the derivative is that of training (2.12). With X `Rescaled` it is
            that by x_j before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network or is not finite.

        Examples
        --------
        >>> from fastmlp import Network
        >>> net = Network([3, 8, 2], "tanh", "identity", seed=1)
        >>> net.jacobian([[0.1, 0.2, 0.3]]).shape
        (1, 2, 3)
        """
        return derivatives.jacobian(self._model, X, n_threads)

    def input_gradient(
        self, X: ArrayLike, y: ArrayLike, n_threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the derivatives of each sample's loss with respect to its features.

        Those of the loss that `evaluate` averages, also beside a `fit` in another thread; the
        network is not touched, and many threads may ask at once. A sample has the same bits in any
        batch.

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
            dL_b / d x_bj with L_b the loss of sample b alone, not divided by B. With X `Rescaled`
            it is that by x_bj before it is rescaled.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit the network or is not finite.
        """
        return derivatives.input_gradient(self._model, X, y, n_threads)

    # Files, copies and pickles

    def save(self, path: files.Path, *, allow_nonfinite: bool = False) -> None:
        """Write the network to a file that `load` reads back to the same bits.

        The file is a safetensors file, which other programs read as it is: parameters, layers,
        loss, seed and epoch. Gradients, nodes, deltas and `feature_names` stay behind. It appears
        as a whole or not at all, also if the process is killed or the machine loses power: see
        ``docs/file-format.md``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists. Of a symbolic link the file it leads to is replaced.
        allow_nonfinite : bool, default False
            Save parameters that are NaN or infinite, too, which `load` takes with the same word.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If a parameter is not finite; the old file is as it was.
        OSError
            If the system refuses, with errno and the file's name; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        saving.save(self._model, path, allow_nonfinite)

    def save_checkpoint(self, path: files.Path) -> None:
        """Write the network and what its optimizer remembers, for `load_checkpoint`.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.

        Raises
        ------
        TypeError
            If `path` is not a path.
        ValueError
            If a parameter, or what the optimizer remembers, is not finite; the old file is as it
            was.
        OSError
            If the system refuses; the old file is as it was.
        RuntimeError
            If another thread is fitting the network.
        """
        save_checkpoint(self._model.core, path)

    def __getstate__(self) -> dict[str, Any]:
        """Give plain values and one array, so that copies are independent and equal.

        Gradients, nodes and deltas stay behind. With pickle protocol 5 the array can travel out of
        band.
        """
        own = {name: value for name, value in self.__dict__.items() if name != "_model"}
        return saving.to_state(self._model, own)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._model, own = saving.from_state(state)
        self.__dict__.update(own)

    # Other libraries and formats

    def to_onnx(self, path: files.Path) -> None:
        """Write the network as an ONNX file, for ONNX Runtime and all else that reads it.

        The graph has the input ``X`` (batch, features), with any number of rows, and the output
        ``Y`` (batch, N), which is `predict` up to rounding. The same network gives the same bytes.
        Needs ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.

        Raises
        ------
        ValueError
            If the parameters do not fit in a file of 2 GiB, the limit of the format.
        OSError
            If the file cannot be written; the old one is as it was.
        ImportError
            If onnx is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.to_onnx("model.onnx")  # doctest: +SKIP
        """
        exports.to_onnx(self._model, path)

    def to_torch(self, *, share: bool = False) -> Any:
        """Return the network as a ``torch.nn.Sequential``.

        Parameters
        ----------
        share : bool, default False
            True lets the modules have the network's own memory, through DLPack: training one is
            training the other. PyTorch's weights are (N, K): they are transposed views.

        Returns
        -------
        torch.nn.Sequential
            Linear modules and activations; the last one is the network's too, so that a
            cross-entropy of logits takes ``model[:-1]``.

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
        """Return the network as a ``keras.Sequential`` with copies of the weights.

        Returns
        -------
        keras.Sequential
            Built, not compiled: loss and optimizer are the caller's choice. Weights of float64
            stay float64 where the backend has it (JAX with ``jax_enable_x64`` only), but some
            backends of Keras multiply matrices in float32 all the same.

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

    def to_sklearn(self, *, labels: ArrayLike | None = None) -> Any:
        """Return the network as a fitted estimator of scikit-learn.

        Parameters
        ----------
        labels : array-like, optional
            What the outputs of a classifier stand for, sorted as scikit-learn keeps them: one for
            each output, or two for one sigmoid output. None is 0, 1, ...

        Returns
        -------
        MLPClassifier or MLPRegressor
            A classifier for softmax and sigmoid outputs, several sigmoids meaning several labels
            at once; a regressor for identity and exp.

        Raises
        ------
        ValueError
            If scikit-learn has no such network, or `labels` do not fit it.
        ImportError
            If scikit-learn is not installed.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> model = net.to_sklearn(labels=["cat", "dog", "fox"])  # doctest: +SKIP
        """
        return exports.to_sklearn(self._model, labels)

    def export_c(self, path: files.Path, name: str = "model", *, training: bool = False) -> None:
        """Write the network as one C header that needs nothing else.

        It compiles as C99 and as C++17, allocates nothing, and has the weights in it to the bit.
        ``model_predict(parameters, x, y, workspace)`` computes one sample; with ``training`` there
        is ``model_train(parameters, x, targets, batch, learning_rate, workspace)``, a step of SGD
        on a copy of the parameters, and ``model_train_labels`` for class numbers. The order of all
        operations is that of the core: with ``-ffp-contract=off`` results have the bits of
        `predict` and of `fit`. Its first lines tell how to use it.

        Parameters
        ----------
        path : str or os.PathLike
            Replaced if it exists, as a whole or not at all.
        name : str, default "model"
            An identifier of C that every name in the header starts with.
        training : bool, default False
            Whether it can train as well.

        Raises
        ------
        TypeError
            If `name` is not a string.
        ValueError
            If `name` is no identifier, or a parameter is not finite.
        OSError
            If the file cannot be written; the old one is as it was.
        RuntimeError
            If another thread is fitting the network.

        Examples
        --------
        >>> net.export_c("digits.h", "digits", training=True)  # doctest: +SKIP
        """
        exports.export_c(self._model, path, name, training)


def network_of(model: Model) -> Network:
    """Return a network that holds `model`: for what reads one from a file or a library."""
    network = Network.__new__(Network)
    network._model = model  # noqa: SLF001  (its own module)
    return network


def model_of(network: Network) -> Model:
    """Return what a network holds: for what trains it otherwise than by its methods."""
    return network._model  # noqa: SLF001  (its own module)
