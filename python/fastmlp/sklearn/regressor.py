"""`MLPRegressor`: scikit-learn's, on the compiled core."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import InvalidParameterError, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
)

from fastmlp._validation import brief
from fastmlp.losses import Huber, Quantile
from fastmlp.sklearn import losses
from fastmlp.sklearn.estimator import BaseMLP
from fastmlp.sklearn.parameters import CONSTRAINTS
from fastmlp.sklearn.plain_data import checked_samples


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor: scikit-learn's, on the compiled core.

    Same constructor, attributes, methods, defaults and messages as
    ``sklearn.neural_network.MLPRegressor``, the same draws from `random_state`, and the same
    trajectories up to rounding.

    Parameters
    ----------
    loss : {"squared_error", "poisson", "absolute_error"}, Huber or Quantile, \
            default "squared_error"
        Half the squared error, or half the Poisson deviance with an exponential output, which needs
        targets of at least 0; in addition to scikit-learn's losses, "absolute_error",
        ``fastmlp.Huber(delta=1.0)`` and ``fastmlp.Quantile(quantile=0.5)``.
    hidden_layer_sizes : int or sequence of int, default (100,)
        Nodes of the hidden layers.
    activation : str or sequence of str, default "relu"
        "identity", "logistic", "tanh", "relu", or any other activation of `fastmlp.Dense`; one for
        all hidden layers, or one for each.
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"} or Optimizer, default "adam"
        Adam (Kingma and Ba, 2015), stochastic gradient descent, or SciPy's L-BFGS-B over all
        samples. An optimizer such as ``fastmlp.AdamW(1e-3)``, or "adamw" or "rmsprop" with the
        defaults of `fastmlp`, has its own rates, schedule and penalties; the parameters marked
        (named solvers) are then ignored.
    alpha : float, default 1e-4
        The squared weights times alpha / 2, divided by the number of samples of a batch, are added
        to its loss (named solvers).
    batch_size : int or "auto", default "auto"
        Samples per step; "auto" is min(200, n). Ignored by "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        The schedule of "sgd": constant; learning_rate_init / (t + 1)^power_t with t the samples
        seen so far; or divided by 5 whenever training would otherwise stop.
    learning_rate_init : float, default 1e-3
        The rate of the first epoch (named solvers).
    power_t : float, default 0.5
        The exponent of "invscaling".
    max_iter : int, default 200
        The maximum number of epochs, or of iterations of "lbfgs".
    shuffle : bool, default True
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState or None, default None
        Draws initial weights, validation samples and orders, in this order.
    tol : float, default 1e-4
        The minimum improvement of the loss, or of the score with `early_stopping`.
    verbose : bool or int, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether ``fit`` starts from the weights of the previous fit.
    momentum : float, default 0.9
        In [0, 1]; for "sgd".
    nesterovs_momentum : bool, default True
        Whether to use Nesterov's momentum; for "sgd".
    early_stopping : bool, default False
        Whether to stop when the validation score no longer improves, and restore the best weights.
        ``partial_fit`` needs an ``eval_set`` for it.
    validation_fraction : float, default 0.1
        The fraction of the samples set aside for `early_stopping`, without an ``eval_set``.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        Of "adam".
    n_iter_no_change : int or inf, default 10
        Training stops after more epochs than this without improvement.
    max_fun : int, default 15000
        The maximum number of evaluations of "lbfgs".
    dropout : float or sequence of float, default 0.0
        The probability that a node of a hidden layer is omitted in a step; one for all layers, or
        one for each.
    callbacks : callable, Callback, sequence of them, or None, default None
        As in ``Network.fit``, called with the network. scikit-learn's own callbacks are registered
        with ``set_callbacks``.
    n_jobs : int or None, default None
        The maximum number of threads; None and -1 mean ``fastmlp.get_num_threads``, -2 one less,
        and so on. The results have the same bits for any number.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (K, N) and biases (N,) of each layer: writable live views of the network's memory.
    network_ : Network
        The underlying network, to save or export.
    history_ : History
        The history of the last fit with a stochastic solver, with times and speed.
    loss_ : float
        The loss of the last epoch.
    best_loss_ : float or None
        The lowest loss; None with `early_stopping`.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_scores_, validation_loss_curve_ : list of float or None
        The R^2 and the loss of the validation data after each epoch; None without validation data.
    best_validation_score_ : float or None
        The highest score, with `early_stopping`.
    stopped_ : bool
        Whether training stopped because nothing improved any more.
    t_ : int
        Samples seen in all epochs.
    n_iter_ : int
        Epochs of the last ``fit``.
    n_features_in_, feature_names_in_
        Those of X.
    n_layers_, n_outputs_ : int
        Number of layers, counting the features as one; nodes of the last.
    out_activation_ : str
        The activation of the last layer.

    Raises
    ------
    ValueError, TypeError
        If a parameter is invalid; raised by ``fit``, not by the constructor.

    See Also
    --------
    MLPClassifier : The same for classes.
    fastmlp.Network : The network, without scikit-learn's conventions.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = MLPRegressor(solver="lbfgs", random_state=1).fit(X, y)
    >>> regressor.score(X, y) > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error"}), Huber, Quantile],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        callbacks: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self._keep(locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Train on X and y.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, features)
            Samples.
        y : array-like, shape (n,) or (n, N)
            Numbers.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples.
        eval_set : tuple (X, y) or (X, y, sample_weight), optional
            Validation data, scored after each epoch and used by `early_stopping`.

        Returns
        -------
        self
            The estimator.
        """
        self._fit(X, y, sample_weight, eval_set, incremental=False)
        return self

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None
    ) -> Self:
        """Train for one more epoch, on X and y.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, features)
            Samples.
        y : array-like, shape (n,) or (n, N)
            Numbers.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples.
        eval_set : tuple (X, y) or (X, y, sample_weight), optional
            Validation data, scored after each call. With `early_stopping` the best weights are
            kept, and restored when `stopped_` becomes True.

        Returns
        -------
        self
            The estimator.
        """
        self._fit(X, y, sample_weight, eval_set, incremental=True)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the numbers for X (n, features): (n,), or (n, N) for several outputs."""
        outputs = self._outputs(X)
        return outputs.ravel() if self.n_outputs_ == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions for X; samples of weight 0 are ignored.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, features)
            Samples.
        y : array-like, shape (n,) or (n, N)
            Numbers.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples.

        Returns
        -------
        float
            ``sklearn.metrics.r2_score``.
        """
        outputs = self.predict(X)
        if sample_weight is not None:
            y = check_array(y, ensure_2d=False, input_name="y")
            weights = _check_sample_weight(sample_weight, outputs)
            check_consistent_length(y, outputs)
            counts = np.flatnonzero(weights)
            y, outputs, sample_weight = y[counts], outputs[counts], weights[counts]
        return float(r2_score(y, outputs, sample_weight=sample_weight))

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            if isinstance(self.loss, tuple | list | int) and "'loss'" in str(error):
                raise InvalidParameterError(
                    f"{error} The first parameter is the loss, as in scikit-learn: pass "
                    f"hidden_layer_sizes={brief(self.loss)}"
                ) from None
            raise

    def _validate(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X, y = checked_samples(self, X, y, y_numeric=True, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encode(self, y: Any) -> NDArray[Any]:
        return y.reshape(len(y), -1)

    def _check_evaluated(self, y: Any) -> None:
        outputs = self._encode(y).shape[1]
        if outputs != self.n_outputs_:
            raise ValueError(f"eval_set has {outputs} outputs, but the model has {self.n_outputs_}")
        self._check_targets(self._encode(y), None)

    def _check_targets(self, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        if self.loss != "poisson":
            return
        counted = targets if weights is None else targets[weights != 0]
        if (counted < 0).any():
            raise ValueError(f"loss='poisson' needs targets of at least 0, got {counted.min():g}")

    def _output_and_loss(self) -> tuple[str, Any]:
        names = {
            "squared_error": ("identity", losses.SQUARED_ERROR),
            "poisson": ("exp", losses.POISSON),
            "absolute_error": ("identity", "mean_absolute_error"),
        }
        return names[self.loss] if isinstance(self.loss, str) else ("identity", self.loss)

    def _score_outputs(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        """Return R^2, NaN for outputs that are not finite."""
        if not np.isfinite(outputs).all():
            return np.nan
        return float(r2_score(targets, outputs, sample_weight=weights))
