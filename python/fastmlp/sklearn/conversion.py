"""Conversion of estimators from and to scikit-learn's."""

import copy
import math
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

import numpy as np
from sklearn import model_selection
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from fastmlp._validation import described
from fastmlp.sklearn.arrays import NAMES

THEIRS: Final = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
"""scikit-learn's estimators by name, which ours share."""

_SEARCHES: Final = "fastmlp.sklearn.searches"
"""Their classes differ from scikit-learn's in how they fit only."""

_PRIVATE: Final = ("_label_binarizer", "_no_improvement_count")
_OURS: Final = ("validation_loss_curve_", "history_", "stopped_")


def adopt(kind: Any, model: Any) -> Any:
    """Convert a fitted `model` of scikit-learn, with its parameters and attributes, to ours.

    Weights are copied. The optimizer's state is not: a ``partial_fit`` starts with a new one.
    """
    theirs = _theirs(kind)
    if not isinstance(model, theirs):
        raise TypeError(
            f"model must be an sklearn.neural_network.{theirs.__name__}, got {described(model)}"
        )
    check_is_fitted(model)
    estimator = kind(**model.get_params(deep=False))
    _copy_attributes(model, estimator)
    estimator.coefs_, estimator.intercepts_ = model.coefs_, model.intercepts_
    network = estimator._current_network()
    scores = getattr(model, "validation_scores_", None)
    estimator.validation_loss_curve_ = None if scores is None else [math.nan] * len(scores)
    estimator._best_parameters = network.parameters.copy() if model.early_stopping else None
    return estimator


def to_sklearn(estimator: Any) -> Any:
    """Return a copy of a model of scikit-learn in which its own perceptrons replace ours.

    For the packages that know estimators by their type, such as converters to other formats.

    Parameters
    ----------
    estimator : estimator
        `MLPClassifier`, `MLPRegressor`, or any estimator that has them in it, such as a pipeline,
        a stack or a search; fitted or not.

    Returns
    -------
    estimator
        With the same predictions if fitted; with the same parameters if not.

    Raises
    ------
    ValueError
        If scikit-learn has no such network or training; the message names the parameter.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastmlp.sklearn import MLPRegressor, to_sklearn
    >>> type(to_sklearn(make_pipeline(StandardScaler(), MLPRegressor()))[-1]).__module__
    'sklearn.neural_network._multilayer_perceptron'
    """
    ours = [part for part in _inside(estimator) if _is_ours(part)]
    result = copy.deepcopy(estimator, {id(part): release(part) for part in ours})
    for part in _inside(result):
        if isinstance(part, BaseSearchCV) and type(part).__module__ == _SEARCHES:
            part.__class__ = getattr(model_selection, type(part).__name__)
    return result


def _is_ours(part: Any) -> bool:
    """Return whether scikit-learn must have an estimator of its own for this one."""
    kinds = {base.__module__ for base in type(part).__mro__} - {_SEARCHES}
    return isinstance(part, BaseEstimator) and any(kind.startswith("fastmlp.") for kind in kinds)


def _inside(estimator: Any) -> list[Any]:
    """Return an object, and what is in it, its attributes and their items, but not in ours."""
    found: list[Any] = []
    seen: dict[int, Any] = {}  # also keeps them alive, so that no two have the same id
    waiting = [estimator]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        found.append(part)
        if not _is_ours(part):
            waiting += _parts(part)
    return found


def _parts(whole: Any) -> list[Any]:
    """Return what a container has in it, or the attributes of an object."""
    match whole:
        case Mapping():
            return list(whole.values())
        case list() | tuple() | set():
            return list(whole)
        case np.ndarray():
            return whole.ravel().tolist() if whole.dtype == object else []
        case type() | ModuleType() | FunctionType():
            return []
    return list(getattr(whole, "__dict__", {}).values())


def release(estimator: Any) -> Any:
    """Convert an `estimator` of ours to scikit-learn's, fitted if it is.

    Raises
    ------
    ValueError
        If scikit-learn has no such network or training; the message names the parameter.
    """
    theirs = _theirs(type(estimator))
    names = theirs().get_params()
    model = theirs(**{name: getattr(estimator, name) for name in names})
    try:
        model._validate_params()
    except ValueError as error:
        raise ValueError(f"scikit-learn has no such estimator: {error}") from None
    if not estimator.__sklearn_is_fitted__():
        _refuse_what_trains_otherwise(estimator, names)
        return model
    estimator._current_network()  # of the arrays assigned last
    _copy_attributes(estimator, model)
    for name in NAMES:
        setattr(model, name, [array.copy() for array in getattr(estimator, name)])
    if estimator.early_stopping:
        model._best_coefs = [array.copy() for array in model.coefs_]
        model._best_intercepts = [array.copy() for array in model.intercepts_]
    return model


def _refuse_what_trains_otherwise(estimator: Any, names: Mapping[str, Any]) -> None:
    """Raise if an estimator that is not fitted has parameters that only this library has."""
    defaults = type(estimator)().get_params()
    for name, value in estimator.get_params(deep=False).items():
        if name not in {*names, "n_jobs"} and not np.array_equal(value, defaults[name]):
            raise ValueError(
                f"scikit-learn has no {name}, which is {value!r}; without it the estimator would "
                "be trained in another way"
            )


def _theirs(kind: type) -> Any:
    """Return scikit-learn's class for one of ours, or for a subclass."""
    for base in kind.__mro__:
        if base.__name__ in THEIRS:
            return THEIRS[base.__name__]
    raise TypeError(f"scikit-learn has no estimator like {kind.__name__}")


def _copy_attributes(source: Any, target: Any) -> None:
    """Copy the attributes set by a fit, except the weights; lists are copied, not shared."""
    for name, value in vars(source).items():
        public = name.endswith("_") and not name.startswith("_")
        if name in _PRIVATE or (public and name not in (*NAMES, *_OURS)):
            setattr(target, name, value.copy() if isinstance(value, list | np.ndarray) else value)
