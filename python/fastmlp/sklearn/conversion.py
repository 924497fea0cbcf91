"""Conversion of fitted estimators from and to scikit-learn's."""

from typing import Any, Final

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from fastmlp._validation import described
from fastmlp.sklearn.architecture import hidden_nodes

THEIRS: Final = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
"""scikit-learn's estimators by name, which ours share."""

_NETWORK: Final = ("coefs_", "intercepts_")
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
    nodes = hidden_nodes(model.hidden_layer_sizes)
    architecture = estimator._architecture(model.n_features_in_, nodes)
    estimator._network = network = architecture.network(model.coefs_[0].dtype)
    estimator.coefs_, estimator.intercepts_ = model.coefs_, model.intercepts_
    estimator.validation_loss_curve_ = None
    estimator._best_parameters = network.parameters.copy() if model.early_stopping else None
    return estimator


def release(estimator: Any) -> Any:
    """Convert a fitted `estimator` of ours to scikit-learn's.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If scikit-learn has no such network or training; the message names the parameter.
    """
    check_is_fitted(estimator)
    theirs = _theirs(type(estimator))
    names = theirs().get_params()
    model = theirs(**{name: getattr(estimator, name) for name in names})
    try:
        model._validate_params()
    except ValueError as error:
        raise ValueError(f"scikit-learn has no such estimator: {error}") from None
    _copy_attributes(estimator, model)
    for name in _NETWORK:
        setattr(model, name, [array.copy() for array in getattr(estimator, name)])
    if estimator.early_stopping:
        model._best_coefs = [array.copy() for array in model.coefs_]
        model._best_intercepts = [array.copy() for array in model.intercepts_]
    return model


def _theirs(kind: type) -> Any:
    """Return scikit-learn's class for one of ours, or for a subclass."""
    return next(THEIRS[base.__name__] for base in kind.__mro__ if base.__name__ in THEIRS)


def _copy_attributes(source: Any, target: Any) -> None:
    """Copy the attributes set by a fit, except the weights; lists are copied, not shared."""
    for name, value in vars(source).items():
        public = name.endswith("_") and not name.startswith("_")
        if name in _PRIVATE or (public and name not in (*_NETWORK, *_OURS)):
            setattr(target, name, value.copy() if isinstance(value, list | np.ndarray) else value)
