"""`MLPEnsembleClassifier` and `MLPEnsembleRegressor`: several estimators that predict together."""

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp._validation import switch
from fastmlp.many.bootstraps import bootstrap
from fastmlp.many.ensemble import Ensemble
from fastmlp.sklearn.classifier import MLPClassifier
from fastmlp.sklearn.plain_data import checked_features
from fastmlp.sklearn.regressor import MLPRegressor
from fastmlp.sklearn.together import on_threads
from fastmlp.sklearn.validation import of_a_bootstrap
from fastmlp.sklearn.warned import gathered, warn

_SEEDS = 2**31


class _MLPEnsemble(MetaEstimatorMixin, BaseEstimator):
    """Both ensembles but for their targets."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "bootstrap": ["boolean"],
        "oob_score": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator: Any = None,
        n_estimators: int = 10,
        *,
        bootstrap: bool = False,
        oob_score: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.bootstrap = bootstrap
        self.oob_score = oob_score
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train all members, on threads of this process.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, features)
            Samples.
        y : array-like, shape (n,) or (n, N)
            Targets of the members.
        sample_weight : array-like, shape (n,), optional
            Weights of the samples. With `bootstrap` only samples of weight above 0 are drawn.

        Returns
        -------
        self
            The ensemble.

        Raises
        ------
        TypeError
            If `estimator` is of the other kind, or has no random state.
        ValueError
            If X, y or a parameter does not fit.
        """
        if self.oob_score and not self.bootstrap:
            raise ValueError("oob_score=True needs bootstrap=True: otherwise no sample is left out")
        template = self._template()
        X, y = self._read(X, y)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        counting = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        random_state = check_random_state(self.random_state)
        seeds = random_state.randint(_SEEDS, size=int(self.n_estimators))
        labels = self._labels(y)
        rows = [counting] * len(seeds)
        if self.bootstrap:
            rows = [counting[bootstrap(labels[counting], int(seed))] for seed in seeds]
        if self.oob_score and not _out_of_any(rows, counting):
            raise ValueError(
                f"oob_score=True needs samples that some member did not draw, but all drew the "
                f"same {len(counting)}: pass more samples, or oob_score=False"
            )
        members = [clone(template).set_params(random_state=int(seed)) for seed in seeds]

        def fit(member: Any, own: NDArray[np.intp]) -> Any:
            part = {} if weight is None else {"sample_weight": weight[own]}
            messages: list[str] = []
            with gathered(messages):
                if not self.bootstrap and weight is None:
                    return member.fit(X, y), messages
                with of_a_bootstrap(member, own):
                    return member.fit(X[own], y[own], **part), messages

        with on_threads(self.n_jobs, X):
            fitted = Parallel()(
                delayed(fit)(member, own) for member, own in zip(members, rows, strict=True)
            )
        self.estimators_ = [member for member, _ in fitted]
        self.estimators_samples_ = rows
        if self.oob_score:
            self._score_out_of_bag(X, y, counting)
        _warn_once([messages for _, messages in fitted])
        return self

    def _template(self) -> Any:
        """Return what the members are clones of."""
        if self.estimator is None:
            return self._default()
        kind, name = type(self._default()).__name__, type(self.estimator).__name__
        if not isinstance(self.estimator, BaseEstimator) or not self._fits(self.estimator):
            raise TypeError(
                f"estimator must be like {kind}, which {type(self).__name__} averages, got {name}"
            )
        if "random_state" not in self.estimator.get_params():
            raise TypeError(
                f"estimator must have a random_state, by which the members differ, as {kind} has; "
                f"{name} has none. Of a Pipeline make the last step the ensemble"
            )
        return self.estimator

    @property
    def ensemble_(self) -> Ensemble:
        """The networks of the members, to save, to export or for C++; not copied."""
        check_is_fitted(self)
        return Ensemble(member.network_ for member in self.estimators_)

    def _members(self, X: Any, method: str) -> NDArray[Any]:
        """Return what each member predicts for X, stacked."""
        check_is_fitted(self)
        X = checked_features(self, X, ("csr",))
        return np.stack([self._predicted(member, X, method) for member in self.estimators_])

    def _predicted(self, member: Any, X: Any, method: str) -> NDArray[Any]:
        """Return what one member predicts for X, by the outputs of the ensemble."""
        result: NDArray[Any] = getattr(member, method)(X)
        return result

    def _out_of_bag(self, X: Any, method: str, counting: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the mean prediction for each row by the members that did not train on it."""
        total: Any = 0.0
        count = np.zeros(X.shape[0])
        for member, own in zip(self.estimators_, self.estimators_samples_, strict=True):
            left_out = np.ones(X.shape[0], dtype=bool)
            left_out[own] = False
            predicted = self._predicted(member, X, method).astype(np.float64)
            shape = (-1,) + (1,) * (predicted.ndim - 1)
            total = total + predicted * left_out.reshape(shape)
            count += left_out
        if not count[counting].all():
            warnings.warn(
                "Some samples are in all bootstraps and have no out-of-bag prediction: take more "
                "estimators",
                UserWarning,
                stacklevel=5,
            )
        with np.errstate(invalid="ignore"):
            result: NDArray[np.float64] = total / count.reshape(shape)
        return result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, X: Any, y: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _labels(self, y: Any) -> NDArray[Any]:
        """Return the classes whose proportions a bootstrap keeps."""
        return np.zeros(len(y), np.intp)

    def _default(self) -> Any:
        raise NotImplementedError

    @staticmethod
    def _fits(estimator: Any) -> bool:
        """Return whether its predictions are those that the ensemble averages."""
        raise NotImplementedError

    def _score_out_of_bag(self, X: Any, y: Any, counting: NDArray[np.intp]) -> None:
        raise NotImplementedError


def _warn_once(messages: list[list[str]]) -> None:
    """Warn of the members that have not converged, if there are any, by the first message."""
    lacking = [each for each in messages if each]
    if lacking:
        of = f"({len(lacking)} of {len(messages)} members)"
        warn(f"{lacking[0][0]} {of}", ConvergenceWarning)


def _out_of_any(rows: list[NDArray[np.intp]], counting: NDArray[np.intp]) -> bool:
    """Return whether some sample is out of the bag of some member."""
    return any(len(np.unique(own)) < len(counting) for own in rows)


class MLPEnsembleClassifier(ClassifierMixin, _MLPEnsemble):
    """Several `MLPClassifier` whose probabilities are averaged.

    Parameters
    ----------
    estimator : MLPClassifier, optional
        What each member is a clone of, with a `random_state` of its own; None is
        ``MLPClassifier()``.
    n_estimators : int, default 10
        The number of members.
    bootstrap : bool, default False
        Whether each trains on as many samples, drawn with replacement within each class; otherwise
        they differ by their random state only.
    oob_score : bool, default False
        Whether to score each sample by the members that did not draw it; needs `bootstrap`.
    random_state : int, RandomState or None
        Determines the random states of the members and the bootstraps.
    n_jobs : int, optional
        Members to train at once; None is the limit of threads of the process.

    Attributes
    ----------
    estimators_ : list of MLPClassifier
        The members.
    estimators_samples_ : list of ndarray of int
        The rows that each trained on.
    classes_ : ndarray
        The labels, in the order of the probabilities.
    ensemble_ : fastmlp.Ensemble
        The networks of the members.
    oob_score_ : float
        Accuracy of the out-of-bag predictions, if asked for.
    oob_decision_function_ : ndarray, shape (n, classes)
        Their probabilities, NaN for samples that all members drew.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier, MLPEnsembleClassifier
    >>> ensemble = MLPEnsembleClassifier(MLPClassifier((32,)), 20, bootstrap=True, oob_score=True)
    >>> mean, std = ensemble.fit(X, y).predict_proba(X, return_std=True)  # doctest: +SKIP
    """

    classes_: NDArray[Any]
    oob_score_: float
    oob_decision_function_: NDArray[np.float64]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of the largest mean probability for each row of X, (n,)."""
        return self._decided(self.predict_proba(X))

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """Return the mean of the members' probabilities, (n, classes).

        With ``return_std=True`` a pair with their standard deviation over the members.
        """
        outputs = self._members(X, "predict_proba").astype(np.float64)
        mean = outputs.mean(axis=0)
        return (mean, outputs.std(axis=0)) if switch("return_std", return_std) else mean

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Return the logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: NDArray[Any] = np.log(self.predict_proba(X))
        return logarithms

    def _read(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, accept_sparse=["csr"], dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        return X, y

    def _labels(self, y: Any) -> NDArray[Any]:
        return np.searchsorted(self.classes_, y)

    def _default(self) -> MLPClassifier:
        return MLPClassifier()

    @staticmethod
    def _fits(estimator: Any) -> bool:
        return bool(is_classifier(estimator))

    def _score_out_of_bag(self, X: Any, y: Any, counting: NDArray[np.intp]) -> None:
        proba = self._out_of_bag(X, "predict_proba", counting)
        self.oob_decision_function_ = proba
        known = counting[np.isfinite(proba[counting]).all(axis=1)]
        self.oob_score_ = float(accuracy_score(y[known], self._decided(proba[known])))

    def _predicted(self, member: Any, X: Any, method: str) -> NDArray[Any]:
        """Return probabilities of all classes: a member knows those of weight above 0."""
        known = super()._predicted(member, X, method)
        if len(member.classes_) == len(self.classes_):
            return known
        result = np.zeros((len(known), len(self.classes_)), known.dtype)
        places = np.searchsorted(self.classes_, member.classes_)
        result[:, places] = known[:, : len(places)]
        return result

    def _decided(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """Return the labels of the largest probabilities; of a single class there are two."""
        labels: NDArray[Any] = self.classes_[probabilities[:, : len(self.classes_)].argmax(axis=1)]
        return labels


class MLPEnsembleRegressor(RegressorMixin, _MLPEnsemble):
    """Several `MLPRegressor` whose predictions are averaged.

    Parameters
    ----------
    estimator : MLPRegressor, optional
        What each member is a clone of, with a `random_state` of its own; None is
        ``MLPRegressor()``.
    n_estimators : int, default 10
        The number of members.
    bootstrap : bool, default False
        Whether each trains on as many samples, drawn with replacement; otherwise they differ by
        their random state only.
    oob_score : bool, default False
        Whether to score each sample by the members that did not draw it; needs `bootstrap`.
    random_state : int, RandomState or None
        Determines the random states of the members and the bootstraps.
    n_jobs : int, optional
        Members to train at once; None is the limit of threads of the process.

    Attributes
    ----------
    estimators_ : list of MLPRegressor
        The members.
    estimators_samples_ : list of ndarray of int
        The rows that each trained on.
    ensemble_ : fastmlp.Ensemble
        The networks of the members.
    oob_score_ : float
        R^2 of the out-of-bag predictions, if asked for.
    oob_prediction_ : ndarray, shape (n,) or (n, N)
        They themselves, NaN for samples that all members drew.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPEnsembleRegressor, MLPRegressor
    >>> member = MLPRegressor(hidden_layer_sizes=(32,))
    >>> ensemble = MLPEnsembleRegressor(member, n_estimators=20, bootstrap=True)
    >>> mean, std = ensemble.fit(X, y).predict(X_new, return_std=True)  # doctest: +SKIP
    """

    oob_score_: float
    oob_prediction_: NDArray[np.float64]

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the mean of the members' predictions for X, (n,) or (n, N).

        With ``return_std=True`` a pair with their standard deviation over the members.
        """
        outputs = self._members(X, "predict").astype(np.float64)
        mean = outputs.mean(axis=0)
        return (mean, outputs.std(axis=0)) if switch("return_std", return_std) else mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
        )
        return X, y

    def _default(self) -> MLPRegressor:
        return MLPRegressor()

    @staticmethod
    def _fits(estimator: Any) -> bool:
        return bool(is_regressor(estimator))

    def _score_out_of_bag(self, X: Any, y: Any, counting: NDArray[np.intp]) -> None:
        predicted = self._out_of_bag(X, "predict", counting)
        self.oob_prediction_ = predicted
        known = counting[np.isfinite(predicted.reshape(len(predicted), -1)[counting]).all(axis=1)]
        self.oob_score_ = float(r2_score(y[known], predicted[known]))
