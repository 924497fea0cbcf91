"""Our estimators beside scikit-learn's: same draws, same trajectories to rounding, same words."""

import pytest

pytest.importorskip("sklearn", minversion="1.9")

import numpy as np
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.preprocessing import scale

from fastmlp import sklearn as ours

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning"
)


def two_targets():
    X, y = load_diabetes(return_X_y=True)
    return X, np.column_stack([y, y**2 / 100])


EPOCHS = 15
DATA = {
    "digits": ("MLPClassifier", lambda: load_digits(return_X_y=True)),
    "iris": ("MLPClassifier", lambda: load_iris(return_X_y=True)),
    "two classes": ("MLPClassifier", lambda: load_digits(n_class=2, return_X_y=True)),
    "several labels": ("MLPClassifier", lambda: make_multilabel_classification(random_state=1)),
    "diabetes": ("MLPRegressor", lambda: load_diabetes(return_X_y=True)),
    "two targets": ("MLPRegressor", two_targets),
}
SETTINGS = {
    "adam": {},
    "adam, slow and weighed": {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "alpha": 2.0},
    "sgd": {"solver": "sgd"},
    "sgd without momentum": {"solver": "sgd", "momentum": 0},
    "plain momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.25},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 2},
    "two hidden layers": {"hidden_layer_sizes": (20, 10), "activation": "tanh"},
    "logistic": {"activation": "logistic", "batch_size": 32},
    "identity, in order": {"activation": "identity", "shuffle": False},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3},
}


def data_of(name, dtype=np.float64):
    estimator, load = DATA[name]
    X, y = load()
    if estimator == "MLPRegressor":
        y = scale(y)
    return estimator, scale(X).astype(dtype), y


def pair(estimator, **settings):
    settings = {"random_state": 3, "max_iter": EPOCHS, **settings}
    return getattr(theirs, estimator)(**settings), getattr(ours, estimator)(**settings)


def rounding(model, X, dtype=np.float64):
    """A step rounds sums of K products of its K inputs and the B rows; the steps add up."""
    widest = max(len(X), *(max(weights.shape) for weights in model.coefs_))
    steps = max(1, model.t_ // min(200, len(X)))
    return np.finfo(dtype).eps * widest * steps


def assert_same_course(expected, got, X, dtype=np.float64):
    tolerance = rounding(expected, X, dtype)
    assert got.n_iter_ == expected.n_iter_
    assert got.t_ == expected.t_
    assert got.out_activation_ == expected.out_activation_
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "loss_"):
        want = getattr(expected, name, None)
        if want is not None:
            np.testing.assert_allclose(getattr(got, name), want, tolerance, err_msg=name)
    for name in ("coefs_", "intercepts_"):
        for want, have in zip(getattr(expected, name), getattr(got, name), strict=True):
            assert have.dtype == dtype
            bound = tolerance * max(1.0, float(np.abs(want).max()))
            np.testing.assert_allclose(have, want, 0, bound, err_msg=name)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("data", DATA)
def test_trajectory(data, settings):
    estimator, X, y = data_of(data)
    expected, got = pair(estimator, **SETTINGS[settings])
    assert_same_course(expected.fit(X, y), got.fit(X, y), X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("data", DATA)
def test_trajectory_in_float32(data, solver):
    estimator, X, y = data_of(data, np.float32)
    expected, got = pair(estimator, solver=solver)
    assert_same_course(expected.fit(X, y), got.fit(X, y), X, np.float32)


@pytest.mark.parametrize("data", DATA)
def test_sample_weight(data):
    estimator, X, y = data_of(data)
    weights = np.random.RandomState(0).uniform(0.1, 3.0, len(X))
    weights[::7] = 0.0
    expected, got = pair(estimator, batch_size=32, early_stopping=True)
    expected.fit(X, y, weights)
    assert_same_course(expected, got.fit(X, y, weights), X)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs(data, weighted):
    estimator, X, y = data_of(data)
    weights = np.random.RandomState(0).uniform(0.1, 3.0, len(X)) if weighted else None
    expected, got = pair(estimator, solver="lbfgs", max_iter=8)
    expected.fit(X, y, weights)
    got.fit(X, y, weights)
    assert got.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(got.loss_, expected.loss_, 1e-9)
    for want, have in zip(expected.coefs_, got.coefs_, strict=True):
        np.testing.assert_allclose(have, want, 1e-6, 1e-8)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_poisson(solver):
    X = np.random.RandomState(0).normal(size=(100, 4))
    y = np.random.RandomState(1).poisson(np.exp(X[:, 0]))
    expected, got = pair("MLPRegressor", loss="poisson", solver=solver)
    expected.fit(X, y)
    got.fit(X, y)
    np.testing.assert_allclose(got.loss_, expected.loss_, 1e-9)
    np.testing.assert_allclose(got.predict(X), expected.predict(X), 1e-6)


def test_losses_of_unscaled_data_are_cut_where_scikit_learn_cuts_them():
    X, y = load_digits(return_X_y=True)
    expected, got = pair("MLPClassifier", activation="identity")
    assert_same_course(expected.fit(X * 4, y), got.fit(X * 4, y), X)


def test_the_random_state_ends_where_scikit_learn_leaves_it():
    _, X, y = data_of("iris")
    for settings in ({}, {"early_stopping": True}, {"tol": 10.0, "n_iter_no_change": 2}):
        states = np.random.RandomState(5), np.random.RandomState(5)
        for estimator, state in zip(pair("MLPClassifier", **settings), states, strict=True):
            estimator.set_params(random_state=state).fit(X, y)
        assert states[0].randint(2**31) == states[1].randint(2**31)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_of_chunks(solver):
    _, X, y = data_of("digits")
    models = pair("MLPClassifier", solver=solver, learning_rate="invscaling")
    for model in models:
        for first in range(0, len(X), 300):
            chunk = slice(first, first + 300)
            model.partial_fit(X[chunk], y[chunk], classes=np.unique(y))
    assert_same_course(*models, X)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_warm_start(solver):
    _, X, y = data_of("iris")
    models = pair("MLPClassifier", solver=solver, warm_start=True, max_iter=5)
    for model in models:
        for _ in range(3):
            model.fit(X, y)
    expected, got = models
    for want, have in zip(expected.coefs_, got.coefs_, strict=True):
        np.testing.assert_allclose(have, want, 1e-9, 1e-11)


def test_partial_fit_after_fit_goes_on():
    _, X, y = data_of("digits")
    models = pair("MLPClassifier")
    for model in models:
        model.fit(X, y).partial_fit(X[:500], y[:500]).partial_fit(X[500:], y[500:])
    assert_same_course(*models, X)


@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"tol": 1e-1}, {"max_iter": 3}])
def test_words(settings, capsys):
    _, X, y = data_of("iris")
    words, warnings = [], []
    for model in pair("MLPClassifier", verbose=True, n_iter_no_change=2, **settings):
        with pytest.WarningsRecorder(_ispytest=True) as caught:
            model.fit(X, y)
        words.append(capsys.readouterr().out)
        warnings.append([(w.category, str(w.message)) for w in caught])
    assert words[0] == words[1]
    assert warnings[0] == warnings[1]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_divergence(early_stopping):
    X, y = load_iris(return_X_y=True)
    settings = {
        "solver": "sgd",
        "activation": "identity",
        "learning_rate_init": 1,
        "early_stopping": early_stopping,
    }
    for model in pair("MLPRegressor", **settings):
        if early_stopping:
            model.fit(X, y)
            assert np.isnan(model.validation_scores_[-1])
            assert len(model.loss_curve_) == EPOCHS
        else:
            with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
                model.fit(X, y)


def test_predictions_agree():
    _, X, y = data_of("digits")
    expected, got = (model.fit(X, y) for model in pair("MLPClassifier"))
    assert (got.predict(X) == expected.predict(X)).all()
    np.testing.assert_allclose(got.predict_proba(X), expected.predict_proba(X), 1e-6, 1e-9)
    assert got.score(X, y) == expected.score(X, y)


def test_constructor_and_its_defaults():
    for name in ("MLPClassifier", "MLPRegressor"):
        mine, other = getattr(ours, name)(), getattr(theirs, name)()
        expected = other.get_params()
        assert {key: mine.get_params()[key] for key in expected} == expected
        code = type(mine).__init__.__code__.co_varnames
        assert (
            code[: 1 + len(expected)]
            == type(other).__init__.__code__.co_varnames[: 1 + len(expected)]
        )
        assert clone(mine).get_params() == mine.get_params()
