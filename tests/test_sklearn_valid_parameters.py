"""Parameters of estimators are checked once, and again as soon as any can have changed."""

from numbers import Real

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, InvalidParameterError

from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn.parameters import are_unchanging

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

SMALL = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}


@pytest.fixture(name="data")
def samples(rng):
    return rng.standard_normal((12, 2)), np.arange(12) % 2


@pytest.fixture(name="checks")
def count_checks(monkeypatch):
    checks = []
    validate = BaseEstimator._validate_params
    monkeypatch.setattr(
        BaseEstimator, "_validate_params", lambda self: (checks.append(self), validate(self))[1]
    )
    return checks


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_equal_parameters_are_checked_once(data, checks, kind):
    estimator = kind(**SMALL, alpha=0.125).fit(*data)
    checks.clear()
    estimator.fit(*data)
    assert not checks
    estimator.set_params(alpha=0.25).fit(*data)
    assert checks == [estimator]


@pytest.mark.parametrize(
    ("name", "bad"),
    [("alpha", -1.0), ("hidden_layer_sizes", (0,)), ("max_iter", 0), ("solver", "none")],
)
def test_what_is_wrong_later_is_refused(data, name, bad):
    estimator = MLPClassifier(**SMALL).fit(*data)
    for _ in range(2):  # what was refused is not remembered
        with pytest.raises((InvalidParameterError, ValueError), match=name):
            estimator.set_params(**{name: bad}).fit(*data)


def test_a_list_that_changes_is_checked_each_time(data):
    sizes = [3]
    estimator = MLPClassifier(sizes, max_iter=1).fit(*data)
    sizes[0] = -3
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        estimator.fit(*data)


def test_other_classes_have_constraints_of_their_own(data):
    class Careful(MLPClassifier):
        _parameter_constraints = MLPClassifier._parameter_constraints | {
            "alpha": [Interval(Real, 1, None, closed="left")]
        }

    MLPClassifier(**SMALL).fit(*data)
    with pytest.raises(InvalidParameterError, match="alpha"):
        Careful(**SMALL).fit(*data)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ((3, 4), True),
        ("relu", True),
        ([3], False),
        (((3,),), False),
        (([],), False),
        (np.float64(1), False),
        (np.random.RandomState(0), False),
    ],
)
def test_only_constants_are_unchanging(value, expected):
    assert are_unchanging([1, value, 0.5]) is expected
