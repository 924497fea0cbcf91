"""What is said of one of many arguments: of `train_many`, and of ensembles."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPEnsembleClassifier, MLPEnsembleRegressor, MLPRegressor


def networks(count=3, features=2):
    return [fm.Network([features, 3, 2], seed=seed) for seed in range(count)]


@pytest.fixture(name="data")
def samples(rng):
    return rng.standard_normal((8, 2), dtype=np.float32), np.arange(8) % 2


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([[0], [3, -1], [0]], ValueError, r"rows\[1\] .* 0 to 7, got -1 at 1"),
        ([[0], [0], [1, 2, 8]], ValueError, r"rows\[2\] .* 0 to 7, got 8 at 2"),
        ([[], [0], [0]], ValueError, r"rows\[0\] must have at least one row number of X, got none"),
        ([[0.5], [0], [0]], TypeError, r"rows\[0\] must be a vector of integers, got float64"),
    ],
)
def test_rows_that_do_not_exist_are_named(data, rows, error, message):
    with pytest.raises(error, match=message):
        fm.train_many(networks(), *data, rows=rows)


@pytest.mark.parametrize(
    "arguments",
    [
        {"optimizer": ["adam", None, "adam"]},
        {"sample_weight": [None, -np.ones(8), None]},
        {"class_weight": [None, 1, None]},
    ],
)
def test_errors_note_whose_argument_it_is(data, arguments):
    nets = networks()
    before = [net.parameters.copy() for net in nets]
    with pytest.raises((TypeError, ValueError)) as caught:
        fm.train_many(nets, *data, **arguments)
    assert caught.value.__notes__ == ["in what networks[1] is trained with"]
    for net, parameters in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)


def test_samples_of_other_networks_are_noted(data):
    with pytest.raises(ValueError, match="features") as caught:
        fm.train_many([*networks(1), *networks(1, features=5)], *data)
    assert caught.value.__notes__ == ["in what networks[1] is trained with"]


def test_a_checkpoint_needs_a_name(data):
    with pytest.raises(ValueError, match="path must name a file, got ''"):
        fm.Checkpoint("")
    for paths in ("", ["a", "", "b"]):
        with pytest.raises(ValueError, match=r"^checkpoint must have a name, got ''"):
            fm.train_many(networks(), *data, checkpoint=paths)


def test_members_are_chosen_by_integers():
    for several in (fm.Ensemble(networks()), fm.Networks([2, 3, 2], 3)):
        with pytest.raises(IndexError, match="there is no network 9 of 3"):
            several[9]
        with pytest.raises(TypeError, match="by an integer or a slice, got 'a'"):
            several["a"]


def test_members_of_ensembles_are_estimators(data):
    X, y = data
    for many in (MLPEnsembleClassifier, MLPEnsembleRegressor):
        with pytest.raises(TypeError, match=r"estimator must be like MLP.*got Network"):
            many(networks()[0]).fit(X, y)


def test_true_is_one_estimator(data):
    member = MLPRegressor(hidden_layer_sizes=(2,), max_iter=1, tol=0)
    with pytest.warns(match="Maximum iterations"):
        assert len(MLPEnsembleRegressor(member, True).fit(*data).estimators_) == 1


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("bootstrap", [False, True])
def test_members_that_have_not_converged_give_one_warning(data, solver, bootstrap):
    member = MLPClassifier(hidden_layer_sizes=(2,), solver=solver, max_iter=2)
    ensemble = MLPEnsembleClassifier(member, 4, bootstrap=bootstrap, random_state=0, n_jobs=2)
    with pytest.warns(ConvergenceWarning) as caught:
        ensemble.fit(*data)
    (warning,) = caught
    beginning = "Stochastic Optimizer: Max" if solver == "adam" else "lbfgs failed to converge"
    assert str(warning.message).startswith(beginning)
    assert "(4 of 4 members)" in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        patient = MLPClassifier(hidden_layer_sizes=(2,), tol=1e9, n_iter_no_change=1, max_iter=9)
        MLPEnsembleClassifier(patient, 3, bootstrap=bootstrap, random_state=0).fit(*data)
    with pytest.warns(ConvergenceWarning, match=r"converged yet\.$"):  # alone it warns as ever
        clone(member).set_params(solver="adam").fit(*data)


@pytest.mark.parametrize("rows", [None, 4])
def test_networks_that_learn_the_same_scaling_learn_it_once(data, monkeypatch, rows):
    learned, alone = [], networks()
    learn_from = fm.many.jobs.learn_from
    for module in (fm.many.data, fm.many.jobs):
        monkeypatch.setattr(
            module, "learn_from", lambda *given: (learned.append(given), learn_from(*given))
        )
    nets, part = networks(), slice(rows)
    given = None if rows is None else [np.arange(rows)] * 3
    fm.train_many(nets, *data, 2, rows=given, standardize=True)
    assert len(learned) == (1 if rows is None else 3)
    for net, twin in zip(nets, alone, strict=True):
        twin.fit(data[0][part], data[1][part], 2, standardize=True)
        assert net.parameters.tobytes() == twin.parameters.tobytes()
        np.testing.assert_array_equal(net.input_scale, twin.input_scale)
