"""The checks of scikit-learn for what an estimator is given, which find nothing in plain arrays.

They take longer than a prediction, or a step, of a few samples.
"""

from typing import Any, Final

import numpy as np
from sklearn.utils.validation import validate_data

from fastmlp.data._conversion import first_non_finite, is_ready

_FLOATS: Final = (np.dtype(np.float32), np.dtype(np.float64))

_SPARSE: Final = ("csr", "csc")

_FEW: Final = 2**14
"""Of numbers that are not adjacent, such as columns of a table, whose checks need memory."""


def checked_features(estimator: Any, X: Any, accept_sparse: tuple[str, ...] = _SPARSE) -> Any:
    """Return ``validate_data`` of features to predict for."""
    if _are_plain_features(estimator, X) and X.shape[1] == vars(estimator).get("n_features_in_"):
        return X
    return validate_data(estimator, X, accept_sparse=[*accept_sparse], reset=False)


def checked_samples(
    estimator: Any, X: Any, y: Any, *, y_numeric: bool, reset: bool
) -> tuple[Any, Any]:
    """Return ``validate_data`` of features and targets to train on; of the first with `reset`."""
    if _are_plain_features(estimator, X) and _are_plain_targets(y, len(X)):
        if reset:
            estimator.n_features_in_ = X.shape[1]
        if X.shape[1] == vars(estimator).get("n_features_in_"):
            return X, y
    checked: tuple[Any, Any] = validate_data(
        estimator,
        X,
        y,
        accept_sparse=[*_SPARSE],
        multi_output=True,
        y_numeric=y_numeric,
        dtype=(np.float64, np.float32),
        reset=reset,
    )
    return checked


def _are_plain_features(estimator: Any, X: Any) -> bool:
    """Whether they are an array that is left as it is, and need not be compared with names."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in _FLOATS:
        return False
    return "feature_names_in_" not in vars(estimator) and bool(X.size) and _are_finite(X)


def _are_plain_targets(y: Any, count: int) -> bool:
    """Whether they are an array of `count` numbers, rows or labels that is left as it is."""
    if type(y) is not np.ndarray or y.ndim not in (1, 2) or not y.size or len(y) != count:
        return False
    if y.dtype in _FLOATS:
        return _are_finite(y)
    return y.dtype.kind in "biuU" and bool(y.dtype.isnative)


def _are_finite(values: Any) -> bool:
    """Whether numbers are finite; False, too, if there are many that the core cannot read."""
    if is_ready(values, values.dtype):
        return first_non_finite(values) < 0
    return values.size <= _FEW and bool(np.isfinite(values).all())
