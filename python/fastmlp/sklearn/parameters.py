"""The constraints of the parameters of both estimators, in scikit-learn's terms."""

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, Final

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastmlp._validation.immutable import UNCHANGING
from fastmlp.fitting.callbacks import Callback
from fastmlp.layers import ACTIVATIONS, Activation
from fastmlp.settings.optimizers import Optimizer

CONSTRAINTS: Final[dict[str, list[Any]]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"logistic", *ACTIVATIONS} - {"softmax"}), Activation, "array-like"],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", "adamw", "rmsprop"}), Optimizer],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "callbacks": [callable, Callback, "array-like", None],
    "n_jobs": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
    ],
}


def are_unchanging(values: Collection[object]) -> bool:
    """Return whether no parameter can change unless another object is assigned."""
    of_tuples = (item for value in values if type(value) is tuple for item in value)
    others = (value for value in values if type(value) is not tuple)
    return {*map(type, of_tuples), *map(type, others)} <= UNCHANGING
