"""`Network`: what the user holds. A `Model` that predicts, differentiates, trains and is kept."""

from collections.abc import Iterable, Mapping
from typing import Literal

from numpy.typing import ArrayLike

from fastmlp import files
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp.data.stream import Rows, Stream
from fastmlp.exchange.exports import Exports
from fastmlp.fitting import fit as training
from fastmlp.fitting.callbacks import AnyCallback
from fastmlp.fitting.checkpoints import Checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.history import History
from fastmlp.inference.derivatives import Derivatives
from fastmlp.inference.prediction import Prediction
from fastmlp.metrics import Metric, MetricName
from fastmlp.model.objective import Objective, make_objective
from fastmlp.model.samples import read_samples
from fastmlp.saving import Saving
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import SGD, Optimizer, OptimizerName

ValidationData = Rows | Stream


class Network(Prediction, Derivatives, Saving, Exports):
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
            self._core,
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
        samples = read_samples(self, X, y, sample_weight, per_row=self._bytes_per_row())
        return make_objective(self._core, samples)
