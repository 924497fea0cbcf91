"""The base of MLPClassifier and MLPRegressor: their parameters and their fit."""

from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from operator import is_
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from fastmlp._validation import described, threads
from fastmlp.config import get_num_threads
from fastmlp.fitting.callbacks import read_callbacks
from fastmlp.fitting.early_stopping import check_monitors
from fastmlp.fitting.monitor import check_monitor
from fastmlp.model.feature_names import usable_names
from fastmlp.network import Network
from fastmlp.sklearn import given, lbfgs
from fastmlp.sklearn.architecture import (
    Architecture,
    copy_of,
    for_each_layer,
    hidden_nodes,
)
from fastmlp.sklearn.arrays import NAMES, LayerArrays
from fastmlp.sklearn.callbacks import CallbackSupportMixin, FitTask
from fastmlp.sklearn.fitted import Fitted
from fastmlp.sklearn.fitting import StochasticFit
from fastmlp.sklearn.optimizer import Optimizer
from fastmlp.sklearn.parameters import CONSTRAINTS, are_unchanging
from fastmlp.sklearn.plain_data import checked_features
from fastmlp.sklearn.random_states import drawing
from fastmlp.sklearn.samples import EstimatorSamples, check_weights, read_samples
from fastmlp.sklearn.together import threads_of_a_fit
from fastmlp.sklearn.validation import Validation, measured_by, split

_parameter_names: "WeakKeyDictionary[type, list[str]]" = WeakKeyDictionary()

_valid_parameters: "WeakKeyDictionary[type, tuple[object, ...]]" = WeakKeyDictionary()
"""Those that scikit-learn accepted last, of each class, if they are unchanging."""


class BaseMLP(CallbackSupportMixin, Fitted):
    """The estimator without its targets; use `MLPClassifier` or `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    n_outputs_: int
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters, which take a sixth of a short fit to look for."""
        if cls not in _parameter_names:
            _parameter_names[cls] = super()._get_param_names()
        return _parameter_names[cls].copy()

    def _validate_params(self) -> None:
        """Check the parameters, a fifth of a short fit, unless they are those of the last check."""
        cls, values = type(self), tuple(self.get_params(deep=False).values())
        valid = _valid_parameters.get(cls)
        if valid is not None and len(valid) == len(values) and all(map(is_, valid, values)):
            return
        super()._validate_params()
        if are_unchanging(values):
            _valid_parameters[cls] = values

    def _keep(self, parameters: Mapping[str, Any]) -> None:
        """Set the constructor's arguments from its ``locals()``."""
        for name, value in parameters.items():
            if name not in {"self", "__class__"}:
                setattr(self, name, value)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        eval_set: Any,
        *,
        incremental: bool,
        before: dict[str, Any] | None = None,
    ) -> None:
        """Check everything, create the network unless there is one to continue with, and train.

        If something is refused, the attributes are restored to `before`, or to those of now.
        """
        before = dict(vars(self)) if before is None else before
        task = None
        try:
            with drawing(self.random_state) as random_state:
                train = self._prepared(X, y, sample_weight, eval_set, random_state, incremental)
                task = FitTask(self, X, y, sample_weight, self.max_iter, self._reconstruction)
                train(task)
        except BaseException as error:
            if task is None or self._is_refused(error):
                self.__dict__ = before  # a fitted estimator does not change
            raise
        task.ends()
        self._name(self._network)
        if not np.isfinite(self._network.parameters).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            )

    def _is_refused(self, error: BaseException) -> bool:
        """Return whether training ended before its first step, for example by its first rate."""
        refused = isinstance(error, TypeError | ValueError) and self.solver != "lbfgs"
        return refused and self._network.steps == 0

    def _prepared(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        eval_set: Any,
        random_state: np.random.RandomState,
        incremental: bool,
    ) -> Callable[[FitTask], None]:
        """Check everything and return the function that trains; changes only attributes."""
        nodes = hidden_nodes(self.hidden_layer_sizes)
        fresh = not self.__sklearn_is_fitted__() or not (self.warm_start or incremental)
        features, labels = self._validate(X, y, reset=fresh)
        if not fresh:
            self._current_network()
            self._refuse_other_nodes(nodes)
        self._take_targets(labels, incremental=incremental)
        targets = self._encode(labels)
        if incremental and self.early_stopping and eval_set is None:
            raise ValueError("partial_fit does not support early_stopping=True")
        self._count_outputs(targets, fresh=fresh)
        weights = self._weights(features, labels, sample_weight, incremental=incremental)
        self._check_targets(targets, weights)
        if fresh:
            self._nodes = nodes
            architecture = self._architecture(features.shape[1], nodes)
            self._initialize(architecture, features.dtype, random_state)
        else:
            network = given.training(self, self._network)
            if network is not self._network:
                self._hold(network)
        by_features = fresh and self.solver == "lbfgs"
        dtype = features.dtype if by_features else self._network.dtype
        samples = read_samples(dtype, features, targets, weights)
        validation = None if eval_set is None else self._read_eval_set(eval_set)
        if self.solver == "lbfgs":
            return partial(lbfgs.fit, self, samples, dtype)
        if self.early_stopping and validation is None:
            stratify = self._stratify(samples)
            fraction = self.validation_fraction
            samples, held_out = split(samples, fraction, random_state, stratify, self)
            validation = Validation(held_out, self._score_outputs, is_classifier(self))
        measured = measured_by(validation)
        check_monitors(read_callbacks(self.callbacks), measured)
        self._n_threads()
        optimizer = None if incremental and hasattr(self, "_optimizer") else Optimizer(self)
        plateau = (optimizer or self._optimizer).plateau
        if plateau is not None:
            check_monitor("Plateau", plateau.monitor, plateau.mode, measured)
        return partial(
            self._fit_stochastic, optimizer, samples, validation, random_state, incremental
        )

    def _fit_stochastic(
        self,
        optimizer: Optimizer | None,
        samples: EstimatorSamples,
        validation: Validation | None,
        random_state: np.random.RandomState,
        incremental: bool,
        task: FitTask,
    ) -> None:
        """Train with a stochastic solver; only ``partial_fit`` continues with its optimizer."""
        if optimizer is not None:
            self._optimizer = optimizer
            self._network.reset_optimizer()
        if validation is not None and self.validation_scores_ is None:
            self._forget_validation()
        StochasticFit(self, samples, validation, random_state, task, incremental=incremental).run()

    def _refuse_other_nodes(self, nodes: list[int]) -> None:
        """Refuse that hidden_layer_sizes has changed since the first fit, whose network remains.

        Arrays that are assigned may have other sizes.
        """
        first = getattr(self, "_nodes", nodes)
        if nodes not in (first, [layer.nodes for layer in self._network.layers[:-1]]):
            raise ValueError(
                f"hidden_layer_sizes was {tuple(first)} in the first fit and is {tuple(nodes)} "
                "now, but warm_start and partial_fit continue with its network: set "
                "warm_start=False, or clone the estimator"
            )

    def _name(self, network: Network) -> None:
        """Give a network the names of the features, if X had any."""
        names = getattr(self, "feature_names_in_", None)
        network.feature_names = usable_names(names, network.features)

    def _weights(
        self, X: Any, y: Any, sample_weight: Any, *, incremental: bool
    ) -> NDArray[Any] | None:
        """Return the sample weights times the class weights; None if all are 1."""
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        check_weights("fit", weights)
        by_class = self._class_weights(y, weights, incremental=incremental)
        return by_class if weights is None else weights if by_class is None else weights * by_class

    def _read_eval_set(self, eval_set: Any) -> Validation:
        """Check the validation data of the user."""
        if not isinstance(eval_set, tuple | list) or len(eval_set) not in (2, 3):
            raise ValueError(
                "eval_set must be (X, y) or (X, y, sample_weight), got " + described(eval_set)
            )
        X, y = self._validate(*eval_set[:2], reset=False)
        weights = None
        if len(eval_set) == 3 and eval_set[2] is not None:
            weights = _check_sample_weight(eval_set[2], X)
            check_weights("eval_set", weights)
            counting = np.flatnonzero(weights)
            X, y, weights = X[counting], y[counting], weights[counting]
        self._check_evaluated(y)
        samples = read_samples(self._network.dtype, X, self._encode(y), weights)
        return Validation(samples, self._score_outputs, is_classifier(self))

    def _architecture(self, features: int, nodes: list[int]) -> Architecture:
        activations = for_each_layer("activation", self.activation, len(nodes))
        dropouts = for_each_layer("dropout", self.dropout, len(nodes))
        output, loss = self._output_and_loss()
        usual = self.activation if isinstance(self.activation, str) else "relu"
        before_output = activations[-1] if activations else usual
        return Architecture(
            features, nodes, activations, self.n_outputs_, output, loss, dropouts, before_output
        )

    def _initialize(
        self,
        architecture: Architecture,
        dtype: np.dtype[Any],
        random_state: np.random.RandomState,
    ) -> None:
        """Create a new network and reset the attributes. That of L-BFGS is float64."""
        # Only dropout needs a seed; otherwise only what scikit-learn draws is drawn.
        seed = random_state.randint(2**31) if any(architecture.dropouts) else 0
        computed_in = np.dtype(np.float64) if self.solver == "lbfgs" else dtype
        self._hold(architecture.network(computed_in, seed), fresh=True)
        architecture.initialize(self._network, random_state, dtype)
        self.n_layers_ = len(architecture.hidden) + 2
        self.out_activation_ = architecture.output
        self._reset_counters()

    def _complete(self, network: Network) -> None:
        """Set the attributes of a fit that assigned arrays do not bring, for their `network`."""
        if not hasattr(self, "t_"):
            self._reset_counters()
        if getattr(self, "_best_parameters", None) is not None:  # of the network before
            self.best_validation_score_ = -np.inf
            self._best_parameters = network.parameters.copy()

    def _reset_counters(self) -> None:
        self.n_iter_ = 0
        self.t_ = 0
        if self.solver != "lbfgs":
            self.loss_curve_ = []
            self._no_improvement_count = 0
            self.validation_scores_ = None
            self.validation_loss_curve_ = None
            self.best_validation_score_ = None
            self.best_loss_ = None if self.early_stopping else np.inf

    def _forget_validation(self) -> None:
        """Reset the validation history; the current parameters are the best so far."""
        self.validation_scores_ = []
        self.validation_loss_curve_ = []
        self.best_validation_score_ = -np.inf
        self._best_parameters = self._network.parameters.copy()

    def _reconstruction(self) -> dict[str, Any]:
        """Return the attributes of a copy of this estimator that stopped here."""
        network = copy_of(self._network, self._network.dtype)
        arrays = {name: LayerArrays.of(name, network) for name in NAMES}
        return {"__dict__": {**vars(self), "_network": network, **arrays}}

    def _validate(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        raise NotImplementedError

    def _count_outputs(self, targets: NDArray[Any], *, fresh: bool) -> None:
        outputs = targets.shape[1] if targets.ndim == 2 else len(self.classes_)
        if not fresh and outputs != self.n_outputs_:
            raise ValueError(f"y has {outputs} outputs, but the model has {self.n_outputs_}")
        self.n_outputs_ = outputs

    def _take_targets(self, y: Any, *, incremental: bool) -> None:
        """Set the attributes that a fit derives from `y`, or check `y` against them."""

    def _encode(self, y: Any) -> NDArray[Any]:
        raise NotImplementedError

    def _check_targets(self, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Check that the loss is defined for encoded targets, except for samples of weight 0."""

    def _check_evaluated(self, y: Any) -> None:
        """Check the targets of an ``eval_set``."""

    def _output_and_loss(self) -> tuple[str, Any]:
        raise NotImplementedError

    def _class_weights(
        self, y: Any, weights: NDArray[Any] | None, *, incremental: bool
    ) -> NDArray[Any] | None:
        """Return the class weight of each sample."""

    def _stratify(self, samples: EstimatorSamples) -> NDArray[Any] | None:
        """Return the classes whose proportions a validation set keeps."""

    def _score_outputs(
        self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
    ) -> float:
        raise NotImplementedError

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return the outputs for X, (n, N): in double precision if X is."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # which raises
        X = checked_features(self, X)
        network = self._network_to_predict()
        dtype = np.result_type(X.dtype, network.dtype)
        if dtype != network.dtype:
            network = copy_of(network, dtype)
        return network.predict(X, n_threads=self._n_threads())

    def _n_threads(self) -> int | None:
        """Return the limit; -2 is one thread less than all there are, as in joblib."""
        n_jobs: Any = self.n_jobs
        if n_jobs is None or n_jobs == -1:
            return threads_of_a_fit(None)
        if isinstance(n_jobs, Integral) and int(n_jobs) < -1:
            return threads_of_a_fit(max(get_num_threads() + 1 + int(n_jobs), 1))
        return threads_of_a_fit(threads("n_jobs", n_jobs))

    def _check_solver(self) -> bool:
        """Raise the AttributeError that hides partial_fit for solvers without it."""
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic"
                f" optimizers. {self.solver} is not stochastic."
            )
        return True
