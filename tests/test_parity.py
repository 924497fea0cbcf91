"""What the docs call equal to scikit-learn or PyTorch, compared on random cases of a few seeds.

``tests/long/parity.py`` runs more of them, for any time.
"""

import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

import sklearn.metrics
from parity import estimators, metrics
from sklearn import neural_network as theirs

import fastmlp as fm
from fastmlp import reference
from fastmlp import sklearn as ours
from fastmlp.reference import metrics as reference_metrics
from fastmlp.reference import regression_metrics

quiet = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def peer():
    """The comparison with PyTorch."""
    pytest.importorskip("torch").set_num_threads(1)  # more would only wait for each other
    return import_module("parity.torch_peer")


def check(compare, seeds):
    """Compare the cases of some seeds; a third of them at most may be anything but the same."""
    kinds = []
    for seed in seeds:
        kind, differences = compare(seed)
        assert kind != "different", "\n".join(differences)
        kinds.append(kind)
    assert kinds.count("same") > 2 / 3 * len(kinds)


@quiet
@pytest.mark.parametrize("first", range(0, 120, 30))
def test_estimators(first):
    check(estimators.compare, range(first, first + 30))


@pytest.mark.parametrize("compare", [metrics.compare, metrics.compare_class_weights])
def test_metrics(compare):
    check(compare, range(200))


@quiet
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_trainings_of_torch(peer, first):
    check(peer.compare, range(first, first + 20))


@quiet
def test_rates_of_torch(peer):
    schedules = import_module("parity.torch_schedules")
    for compare in (schedules.compare_rates, schedules.compare_shifted, schedules.compare_plateau):
        check(compare, range(100))


def test_activations_of_torch(peer, dtype):
    for name in peer.ACTIVATIONS:
        assert peer.compare_activation(name, dtype) == []


# What the grids found first, each on its own.


@quiet
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("batch_size", [200, 32])
def test_poisson_losses_are_weighted(solver, batch_size, rng):
    X = rng.standard_normal((200, 3))
    y = rng.poisson(np.exp(0.5 * X[:, 0] + 1)).astype(float)
    y[3], weights = 1e6, rng.uniform(0, 3, 200)
    weights[3] = 0.0
    settings = {"loss": "poisson", "solver": solver, "max_iter": 20, "random_state": 0}
    settings |= {"hidden_layer_sizes": (5,), "batch_size": batch_size}
    want, got = (m.MLPRegressor(**settings).fit(X, y, weights) for m in (theirs, ours))
    np.testing.assert_allclose(got.loss_, want.loss_, 1e-9)
    if solver != "lbfgs":
        np.testing.assert_allclose(got.loss_curve_, want.loss_curve_, 1e-9)
        np.testing.assert_allclose(got.best_loss_, want.best_loss_, 1e-9)


def test_poisson_refuses_negative_targets(rng):
    X, y = rng.standard_normal((30, 2)), np.arange(30.0) - 1
    for settings in ({}, {"solver": "lbfgs"}, {"early_stopping": True}):
        with pytest.raises(ValueError, match="poisson"):
            ours.MLPRegressor(loss="poisson", **settings).fit(X, y)
    with pytest.raises(ValueError, match="poisson"):
        ours.MLPRegressor(loss="poisson").partial_fit(X, y)
    with pytest.raises(ValueError, match="poisson"):
        ours.MLPRegressor(loss="poisson").fit(X, abs(y), eval_set=(X, y))
    fitted = ours.MLPRegressor(loss="poisson", max_iter=1000, tol=1.0, random_state=0)
    weights = np.append(0.0, np.ones(29))
    fitted.fit(X, y, weights)  # what weighs 0 is left out


@quiet
def test_no_hidden_layer_takes_the_weights_of_its_activation(rng):
    X, y = rng.standard_normal((20, 2)), np.arange(20) % 2
    for activation in ("logistic", "tanh"):
        settings = {"hidden_layer_sizes": (), "activation": activation, "random_state": 0}
        want, got = (m.MLPClassifier(max_iter=1, **settings).fit(X, y) for m in (theirs, ours))
        np.testing.assert_allclose(got.coefs_[0], want.coefs_[0], 1e-9)


@quiet
def test_a_single_class_is_always_right(rng):
    X, y = rng.standard_normal((20, 2)), np.full(20, "a")
    settings = {"early_stopping": True, "max_iter": 3, "random_state": 0}
    want, got = (m.MLPClassifier(**settings).fit(X, y) for m in (theirs, ours))
    assert got.validation_scores_ == want.validation_scores_ == [1.0] * 3


@quiet
def test_lbfgs_of_single_precision_cuts_probabilities_where_scikit_learn_does(rng):
    X = 30 * rng.standard_normal((40, 2)).astype(np.float32)
    y = rng.integers(0, 2, 40)
    settings = {"solver": "lbfgs", "hidden_layer_sizes": (), "max_iter": 1, "random_state": 0}
    want, got = (m.MLPClassifier(**settings).fit(X, y) for m in (theirs, ours))
    np.testing.assert_allclose(got.loss_, want.loss_, 1e-4)


@quiet
def test_double_precision_features_have_predictions_in_double(rng):
    X, y = rng.standard_normal((40, 2)), rng.integers(0, 2, 40)
    single = X.astype(np.float32)
    want, got = (m.MLPClassifier(random_state=0, max_iter=2).fit(single, y) for m in (theirs, ours))
    assert got.predict_proba(X).dtype == want.predict_proba(X).dtype == np.float64
    assert got.predict_proba(single).dtype == want.predict_proba(single).dtype == np.float32


def test_one_sample_has_no_r2():
    one = np.ones((1, 1))
    with pytest.warns(sklearn.exceptions.UndefinedMetricWarning):
        assert np.isnan(sklearn.metrics.r2_score(one, one))
    assert np.isnan(fm.metrics.r2(one, one))
    assert np.isnan(regression_metrics.r2([[1.0]], [[1.0]], [1.0]))


def test_r2_of_a_constant_does_not_depend_on_rounding(rng):
    y, weights = np.full((200, 1), 0.1), rng.random(200)
    assert fm.metrics.r2(y, y, weights) == 1.0
    assert fm.metrics.r2(y, y + 1, weights) == 0.0
    rows = y.tolist(), (y + 1).tolist(), weights.tolist()
    assert regression_metrics.r2(*rows) == 0.0


def test_areas_of_outputs_without_a_yes():
    y, p = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.1, 0.2], [0.3, 0.1]])
    rows = y.tolist(), p.tolist(), [1.0, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(sklearn.metrics.roc_auc_score(y, p))
        average_precision = sklearn.metrics.average_precision_score(y, p)
    assert np.isnan(fm.metrics.auc(y, p))
    assert np.isnan(reference_metrics.auc(*rows, exclusive=False))
    assert fm.metrics.average_precision(y, p) == average_precision == 0.5
    assert reference_metrics.average_precision(*rows, exclusive=False) == 0.5


def test_a_class_without_weight_has_no_recall():
    y, weights = np.array([0, 1, 2]), np.array([1.0, 1.0, 0.0])
    p = np.eye(3)[[0, 1, 1]]
    assert fm.metrics.balanced_accuracy(y, p, weights) == 1.0
    rows = np.eye(3).tolist(), p.tolist(), weights.tolist()
    assert reference_metrics.balanced_accuracy(*rows, exclusive=True) == 1.0


def test_the_slope_of_leaky_relu_at_0_is_the_leak(dtype):
    net = fm.Network([1, 1], output="leaky_relu", dtype=dtype, seed=1)
    net.parameters = [1.0, 0.0]
    assert net.jacobian([[0.0], [-0.0], [1e-30]]).ravel().tolist() == pytest.approx([0.01, 0.01, 1])
    assert reference.activations.leaky_relu_back(1.0, 0.0) == 0.01


@pytest.mark.parametrize("lib", [fm, reference])
@pytest.mark.parametrize("warm_up", [0, 1])
def test_schedules_of_few_steps(lib, warm_up):
    def rates(schedule, steps):
        schedule = lib.LinearWarmup(schedule, warm_up) if warm_up else schedule
        return [schedule.rate_at(step, 1, steps) for step in range(steps)]

    half = lambda x: (1 + np.cos(np.pi * x)) / 2  # noqa: E731
    cycle = lambda x: 0.1 * (4e-6 + (1 - 4e-6) * half(x))  # noqa: E731
    assert rates(lib.OneCycle(0.1), 1) == pytest.approx([4e-7])
    assert rates(lib.OneCycle(0.1), 2) == pytest.approx([cycle(0.4 / 1.4), 4e-7])
    assert rates(lib.OneCycle(0.1), 3) == pytest.approx([cycle(x / 2.1) for x in (0.1, 1.1, 2.1)])
    assert rates(lib.CosineDecay(0.1), 1) == [0.1]
    assert rates(lib.CosineDecay(0.1), 2) == pytest.approx([0.1, 0.0])
    assert rates(lib.CosineDecay(0.1), 3) == pytest.approx([0.1, 0.05, 0.0])


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "RMSprop"])
def test_the_smallest_epsilon_divides_no_0_by_0(kind, dtype, rng):
    X = rng.standard_normal((20, 3)).astype(dtype)
    X[:, 1] = 0.0
    net = fm.Network([3, 4, 1], output="identity", dtype=dtype, seed=1)
    before = net.weights[0][1].copy()
    least = float(np.finfo(dtype).smallest_subnormal)
    optimizer = replace(getattr(fm, kind)(0.01, epsilon=least), weight_decay=0.0)
    net.fit(X, X[:, 0], epochs=3, optimizer=optimizer)
    assert np.isfinite(net.parameters).all()
    assert np.array_equal(net.weights[0][1], before)


@pytest.mark.parametrize("lib", [fm, reference])
def test_a_small_gradient_after_a_large_one_keeps_its_digits(lib):
    net = lib.Network([1, 1], output="identity", dtype="float32", seed=1)
    before = float(net.weights[0][0][0])
    optimizer = lib.Adam(0.125, beta_1=0.0, beta_2=0.0)
    net.fit([[1.0], [1.0]], [[1e15], [10.0]], 1, 1, optimizer=optimizer, shuffle=False)
    assert float(net.weights[0][0][0]) == pytest.approx(before + 0.25)
