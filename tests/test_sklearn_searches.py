"""Searches and ensembles of `fastmlp.sklearn`, beside scikit-learn's."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn import model_selection
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelBinarizer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.multiclass import unique_labels

import fastmlp as fm
import fastmlp.sklearn
from fastmlp.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    MLPRegressor,
    RandomizedSearchCV,
    labels,
)

# Fits that are far too short; no instruction set changes what is tested here.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.once]

X, Y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
WORDS = np.array(["ash", "beech", "cedar"])[Y]
MLP = MLPClassifier((6,), max_iter=8, random_state=0)
GRID = {"alpha": [1e-4, 1.0], "learning_rate_init": [1e-3, 0.1], "hidden_layer_sizes": [(4,), (6,)]}
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


def results(search):
    return {k: v for k, v in search.cv_results_.items() if k not in TIMES}


def assert_same(ours, theirs):
    got, want = results(ours), results(theirs)
    assert got.keys() == want.keys()
    for key, values in got.items():
        np.testing.assert_array_equal(values, want[key], err_msg=key)
    assert ours.best_params_ == theirs.best_params_
    assert np.array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
@pytest.mark.parametrize("y", [Y, WORDS], ids=["numbers", "words"])
def test_scores_are_those_of_scikit_learn(y, n_jobs):
    given = {"cv": 3, "return_train_score": True, "scoring": ["accuracy", "neg_log_loss"]}
    ours = GridSearchCV(MLP, GRID, refit="accuracy", n_jobs=n_jobs, **given).fit(X, y)
    assert_same(ours, model_selection.GridSearchCV(MLP, GRID, refit="accuracy", **given).fit(X, y))


@pytest.mark.parametrize(
    "y",
    [Y, Y == 1, WORDS, WORDS.astype(object), Y.astype(float), list(WORDS), np.eye(3, dtype=int)[Y]],
    ids=["numbers", "bools", "words", "objects", "floats", "list", "multilabel"],
)
def test_accuracies_are_those_of_scikit_learn(y):
    mlp = clone(MLP).fit(X, y)
    weight = np.arange(90) % 3 + 0.5
    for each in (None, weight):
        score = mlp.score(X, y, sample_weight=each)
        assert type(score) is float
        assert score == accuracy_score(y, mlp.predict(X), sample_weight=each)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        mlp.score(X, y[:-1])
    other = WORDS if np.ndim(y) == 1 and np.asarray(y).dtype.kind in "bif" else Y.astype(float)
    with pytest.raises((TypeError, ValueError)) as theirs:
        accuracy_score(other, mlp.predict(X))
    with pytest.raises(type(theirs.value)) as ours:
        mlp.score(X, other)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    "y",
    [
        *(Y, Y == 1, Y.astype(np.int8), Y.astype(">i4"), Y.astype("<i4"), 1 - 2 * (Y == 1)),
        *(np.zeros(9, np.uint16), Y + 0.0, WORDS, np.array([3]), np.array([2, 1]), np.arange(4)),
    ],
)
def test_labels_are_read_as_by_scikit_learn(y):
    got, want = labels.fitted_binarizer(y), LabelBinarizer().fit(y)
    assert vars(got).keys() == vars(want).keys()
    assert (got.y_type_, got.sparse_input_) == (want.y_type_, want.sparse_input_)
    np.testing.assert_array_equal(got.classes_, want.classes_, strict=True)
    np.testing.assert_array_equal(labels.labels_in(y), unique_labels(y))


def test_as_many_labels_as_samples_warn_as_in_scikit_learn():
    messages = []
    for fit in (labels.fitted_binarizer, LabelBinarizer().fit, labels.labels_in, unique_labels):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(np.arange(90))
        messages.append([str(each.message) for each in caught])  # some versions warn
    assert messages[0] == messages[1]
    assert messages[2] == messages[3]


def test_random_searches():
    settings = {"alpha": [1e-5, 1e-3, 0.1], "batch_size": [8, 16, 32], "random_state": [0, 1]}
    given = {"n_iter": 5, "random_state": 3, "cv": 3}
    ours = RandomizedSearchCV(MLP, settings, **given).fit(X, Y)
    assert_same(ours, model_selection.RandomizedSearchCV(MLP, settings, **given).fit(X, Y))


class Counting(PCA):
    fits = 0

    def fit_transform(self, X, y=None):
        Counting.fits += 1
        return super().fit_transform(X, y)


def test_steps_before_the_network_are_fitted_once_for_each_fold_and_setting():
    pipeline = make_pipeline(StandardScaler(), Counting(random_state=0), MLP)
    grid = {"counting__n_components": [2, 4], "mlpclassifier__alpha": [1e-4, 0.1, 1.0]}
    theirs = model_selection.GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert Counting.fits == 2 * 3 * 3 + 1
    Counting.fits = 0
    ours = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert Counting.fits == 2 * 3 + 1  # and for the best on all samples
    assert_same(ours, theirs)
    assert ours.best_estimator_.memory is None
    assert ours.estimator is pipeline
    assert pipeline.memory is None
    assert not hasattr(pipeline[0], "mean_")


def test_a_step_that_changes_its_input_in_place_is_harmless():
    steps = [("scale", StandardScaler(copy=False)), ("again", StandardScaler(copy=False))]
    pipeline = Pipeline([*steps, ("mlp", MLP)])
    grid, before = {"mlp__alpha": [1e-4, 0.1, 1.0]}, X.copy()
    ours = GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, Y)
    theirs = model_selection.GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, Y)
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )
    assert np.array_equal(X, before)


def test_weights_sparse_rows_and_frames():
    weight = np.arange(90) % 3 + 0.5
    ours = GridSearchCV(MLP, GRID, cv=3).fit(X, Y, sample_weight=weight)
    assert_same(ours, model_selection.GridSearchCV(MLP, GRID, cv=3).fit(X, Y, sample_weight=weight))
    sparse = pytest.importorskip("scipy.sparse").csr_array(X)
    ours, theirs = (
        each.GridSearchCV(MLP, {"alpha": [1e-4, 1.0]}, cv=3).fit(sparse, Y)
        for each in (fastmlp.sklearn, model_selection)
    )
    assert_same(ours, theirs)


def test_regression_and_failing_candidates():
    x, y = make_regression(60, 5, random_state=0)
    grid = {"alpha": [1e-4, -1.0]}  # the second is refused by each fit
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    ours = GridSearchCV(mlp, grid, cv=3).fit(x, y)
    theirs = model_selection.GridSearchCV(mlp, grid, cv=3).fit(x, y)
    for key, values in results(ours).items():
        np.testing.assert_array_equal(values, results(theirs)[key], err_msg=key)
    with pytest.raises(ValueError, match="alpha"):
        GridSearchCV(mlp, grid, cv=3, error_score="raise").fit(x, y)


def test_other_estimators_are_searched_by_scikit_learn():
    grid = {"C": [0.1, 1.0]}
    ours = GridSearchCV(LogisticRegression(), grid, cv=3).fit(X, Y)
    assert_same(ours, model_selection.GridSearchCV(LogisticRegression(), grid, cv=3).fit(X, Y))


def test_conventions():
    search = GridSearchCV(MLP, GRID, cv=3)
    assert clone(search).get_params()["param_grid"] == GRID
    assert repr(search).startswith("GridSearchCV(")
    fitted = search.fit(X, Y)
    assert fitted is search
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))
    with pytest.raises(ValueError, match="n_jobs"):
        GridSearchCV(MLP, GRID, n_jobs=0).fit(X, Y)


# Ensembles


@parametrize_with_checks(
    [
        MLPEnsembleClassifier(MLPClassifier((20,), max_iter=60), 2),
        MLPEnsembleRegressor(
            MLPRegressor(hidden_layer_sizes=(20,), max_iter=60, learning_rate_init=0.01), 2
        ),
    ]
)
def test_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_members_are_fits_of_their_own(n_jobs):
    ensemble = MLPEnsembleClassifier(MLP, 3, random_state=5, n_jobs=n_jobs).fit(X, WORDS)
    for member in ensemble.estimators_:
        alone = clone(MLP).set_params(random_state=member.random_state).fit(X, WORDS)
        assert np.array_equal(alone.predict_proba(X), member.predict_proba(X))
    every = np.stack([member.predict_proba(X) for member in ensemble.estimators_])
    mean, std = ensemble.predict_proba(X, return_std=True)
    assert np.array_equal(mean, every.mean(axis=0))
    assert np.array_equal(std, every.std(axis=0))
    assert set(ensemble.predict(X)) <= set(WORDS)
    assert isinstance(ensemble.ensemble_, fm.Ensemble)


def test_bootstraps_and_their_score():
    ensemble = MLPEnsembleClassifier(
        MLPClassifier((8,), max_iter=60), 12, bootstrap=True, oob_score=True, random_state=0
    ).fit(X, WORDS)
    for rows in ensemble.estimators_samples_:
        assert np.array_equal(WORDS[rows], WORDS)
    by_hand = np.full((90, 3), np.nan)
    for i in range(90):
        left_out = [
            member.predict_proba(X[i : i + 1])[0]
            for member, rows in zip(ensemble.estimators_, ensemble.estimators_samples_, strict=True)
            if i not in rows
        ]
        if left_out:
            by_hand[i] = np.mean(left_out, axis=0)
    # Sums of 12 probabilities in another order.
    atol = 24 * np.finfo(float).eps
    np.testing.assert_allclose(ensemble.oob_decision_function_, by_hand, rtol=0, atol=atol)
    known = np.isfinite(by_hand).all(axis=1)
    expected = np.mean(ensemble.classes_[by_hand[known].argmax(axis=1)] == WORDS[known])
    assert ensemble.oob_score_ == expected > 0.4


def test_no_sample_is_out_of_bag():
    ensemble = MLPEnsembleClassifier(bootstrap=True, oob_score=True, random_state=0)
    with pytest.raises(ValueError, match="oob_score=True needs samples that some member did not"):
        ensemble.fit(X[:3], ["a", "b", "c"])
    assert not hasattr(ensemble, "estimators_")


def test_regressors():
    x, y = make_regression(80, 5, n_targets=2, random_state=0)
    y /= y.std(axis=0)
    ensemble = MLPEnsembleRegressor(
        MLPRegressor(hidden_layer_sizes=(16,), max_iter=150),
        8,
        bootstrap=True,
        oob_score=True,
        random_state=0,
    ).fit(x, y)
    mean, std = ensemble.predict(x, return_std=True)
    assert mean.shape == std.shape == y.shape
    assert (std > 0).all()
    assert ensemble.oob_score_ > 0
    assert ensemble.oob_prediction_.shape == y.shape
    again = pickle.loads(pickle.dumps(ensemble))
    assert np.array_equal(again.predict(x), mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"oob_score": True}, "oob_score=True needs bootstrap=True"),
        ({"n_estimators": 0}, "n_estimators"),
        ({"estimator": 3}, "estimator"),
        ({"bootstrap": "yes"}, "bootstrap"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    ensemble = MLPEnsembleClassifier(**arguments)
    with pytest.raises(ValueError, match=message):
        ensemble.fit(X, Y)
    assert not hasattr(ensemble, "estimators_")


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (MLPEnsembleClassifier(MLPRegressor()), "like MLPClassifier, which .* got MLPRegressor"),
        (MLPEnsembleRegressor(MLPClassifier()), "like MLPRegressor, which .* got MLPClassifier"),
        (MLPEnsembleClassifier(make_pipeline(StandardScaler(), MLP)), "Pipeline has none"),
        (MLPEnsembleClassifier(GridSearchCV(MLP, GRID)), "GridSearchCV has none"),
    ],
)
def test_other_estimators_are_refused(ensemble, message):
    with pytest.raises(TypeError, match=message):
        ensemble.fit(X, Y)
    assert not hasattr(ensemble, "n_features_in_")


def test_a_search_of_a_pipeline_is_pickled_without_the_fitted_steps():
    X, y = make_classification(80, random_state=0)
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: 2 * X), StandardScaler(), fastmlp.sklearn.MLPClassifier((4,))
    )
    search = fastmlp.sklearn.GridSearchCV(
        pipeline, {"mlpclassifier__alpha": [1e-4, 1e-2]}, cv=2, error_score="raise"
    )
    search.fit(X, y)  # a lambda has no pickle, and so no content to compare
    search = fastmlp.sklearn.GridSearchCV(
        Pipeline(pipeline.steps[1:]), {"mlpclassifier__alpha": [1e-4]}, cv=2
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    assert (again.predict(X) == search.predict(X)).all()
    assert len(pickle.dumps(search)) < 3 * X.nbytes


def test_an_ensemble_knows_classes_whose_samples_all_weigh_nothing():
    X, y = make_classification(150, n_informative=4, n_classes=3, random_state=0)
    ensemble = fastmlp.sklearn.MLPEnsembleClassifier(
        fastmlp.sklearn.MLPClassifier((8,)), 3, random_state=0
    )
    ensemble.fit(X, y, sample_weight=(y != 0).astype(float))
    assert ensemble.predict_proba(X).shape == (150, 3)
    assert ensemble.score(X[y > 0], y[y > 0]) > 0.6
