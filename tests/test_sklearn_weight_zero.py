"""The estimators of fastmlp.sklearn ignore samples of weight 0, whatever their values."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

ROWS = 60
NONE = np.arange(ROWS) % 3 == 0
WEIGHT = np.where(NONE, 0.0, 1.5)
FILLS = {"float32": (0.0, 1e20, -3e38), "float64": (0.0, 1e200, -1.7e308)}


def data(dtype, fill):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((ROWS, 4)), rng.random((ROWS, 2))
    X[NONE], y[NONE] = fill, fill
    return X.astype(dtype), y.astype(dtype)


def results(model, X, y):
    scores = getattr(model, "validation_scores_", None) or []
    losses = getattr(model, "validation_loss_curve_", None) or []
    numbers = [model.loss_, *getattr(model, "loss_curve_", []), *scores, *losses]
    numbers.append(model.score(X, y, WEIGHT))
    assert np.isfinite(numbers).all()
    return model.network_.parameters.tobytes() + np.array(numbers).tobytes()


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(iterations|converge|overflow|invalid value)")
        yield


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", fm.Huber(0.5)])
def test_regressor(dtype, solver, early_stopping, loss):
    def run(fill):
        X, y = data(dtype, fill)
        model = MLPRegressor(
            loss,
            6,
            solver=solver,
            early_stopping=early_stopping,
            validation_fraction=0.2,
            max_iter=5,
            batch_size=7,
            random_state=0,
        )
        return results(model.fit(X, y, WEIGHT), X, y)

    expected, *others = map(run, FILLS[dtype])
    assert all(other == expected for other in others)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("classes", [2, 3])
def test_classifier(dtype, solver, classes):
    def run(fill):
        X = data(dtype, fill)[0]
        model = MLPClassifier(
            6,
            solver=solver,
            early_stopping=True,
            validation_fraction=0.2,
            max_iter=5,
            batch_size=7,
            random_state=0,
        )
        y = np.arange(ROWS) // 2 % classes
        return results(model.fit(X, y, WEIGHT), X, y)

    expected, *others = map(run, FILLS[dtype])
    assert all(other == expected for other in others)


@pytest.mark.parametrize("several", [False, True])
def test_balanced_classes(several):
    """The classes of samples of weight 0 are not counted, also where no other has them."""

    def run(fill):
        X, y = np.random.default_rng(0).standard_normal((ROWS, 4)), np.arange(ROWS) // 2 % 3
        y[NONE] = fill
        y = np.column_stack([y > 0, y > 1]).astype(int) if several else y
        y[:3] = [[0, 0], [1, 0], [1, 1]] if several else [0, 1, 2]
        weight = np.where(np.arange(ROWS) < 3, 0.0, WEIGHT)
        model = MLPClassifier(6, class_weight="balanced", max_iter=3, random_state=0)
        return model.fit(X, y, weight).network_.parameters.tobytes()

    assert run(0) == run(1) == run(2)


def test_a_batch_of_negative_weight_has_no_gradient():
    X, y = data("float64", 1.0)
    model = MLPRegressor(hidden_layer_sizes=6, solver="sgd", momentum=0.0, alpha=0.0)
    model.set_params(batch_size=10, shuffle=False)
    weights = np.ones(ROWS)
    weights[:10] = -1.0
    one, other = model, clone(model)
    one.set_params(random_state=0).partial_fit(X, y, weights)
    other.set_params(random_state=0).partial_fit(X[10:], y[10:], weights[10:])
    assert np.array_equal(one.network_.parameters, other.network_.parameters)


def test_partial_fit(dtype):
    def run(fill):
        X, y = data(dtype, fill)
        model = MLPRegressor(hidden_layer_sizes=6, random_state=0, batch_size=7)
        for _ in range(3):
            model.partial_fit(X, y, WEIGHT)
        return results(model, X, y)

    expected, *others = map(run, FILLS[dtype])
    assert all(other == expected for other in others)


def test_a_part_without_weight_is_refused():
    """Before training, and not by a division by zero after an epoch."""
    X, y = data("float64", 1.0)
    for weight in (np.zeros(ROWS), (np.arange(ROWS) == 7) * 1.0):
        model = MLPRegressor(hidden_layer_sizes=6, early_stopping=True, random_state=0)
        with pytest.raises(ValueError, match="at least one non-zero number"):
            model.fit(X, y, weight)
        assert getattr(model, "n_iter_", 0) == 0
    with pytest.raises(ValueError, match="validation_fraction"):
        model.fit(X, y, weight)


def test_the_score_checks_all_samples():
    X, y = data("float64", 1.0)
    model = MLPRegressor(hidden_layer_sizes=6, random_state=0, max_iter=2).fit(X, y)
    y[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.score(X, y, WEIGHT)
