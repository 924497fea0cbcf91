"""Fits of `fastmlp.sklearn` that are trained together, beside each trained by itself."""

import sys
from contextvars import ContextVar
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from joblib import Parallel, delayed
from sklearn import model_selection
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline

from fastmlp import _core
from fastmlp.sklearn import GridSearchCV, MLPClassifier, MLPRegressor, meeting, together

pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
FITS = 18
LANES = {"neon": 4, "avx2": 8, "avx512": 16}
"""Of float32."""


def fitted_together(estimators, x, y):
    """Return the estimators, fitted by tasks of one meeting."""
    with together.on_threads(2, x):
        return Parallel()(delayed(clone(each).fit)(x, y) for each in estimators)


def fitted_or_error(estimator, x, y):
    """Return a fitted copy, or what the error says."""
    try:
        return clone(estimator).fit(x, y)
    except ValueError as error:
        return str(error)


def assert_same(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss_curve_", "n_iter_", "t_", "loss_", "best_loss_", "stopped_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one._no_improvement_count == other._no_improvement_count
    assert one._optimizer.epochs == other._optimizer.epochs
    assert one._optimizer.learning_rate == other._optimizer.learning_rate
    assert one.history_.loss == other.history_.loss
    assert one.history_.learning_rate == other.history_.learning_rate
    assert one.history_.stopped_by == other.history_.stopped_by


def test_an_error_of_the_core_is_that_of_every_fit(monkeypatch):
    def fail(*_, **__):
        raise MemoryError("no room")

    def error_of(estimator):
        with pytest.raises(MemoryError) as caught:
            estimator.fit(X, Y)
        return str(caught.value)

    for name in ("train_many32", "train_many64"):
        monkeypatch.setattr(_core, name, fail)
    with together.on_threads(2, X):
        found = Parallel()(delayed(error_of)(MLPClassifier((4,), max_iter=2)) for _ in range(FITS))
    assert found == ["no room"] * FITS


@pytest.fixture
def sizes(monkeypatch):
    """Return a list that gets the number of fits of each training of a meeting."""
    found = []
    train = meeting.train

    def counted(fits):
        found.append(len(fits))
        train(fits)

    monkeypatch.setattr(meeting, "train", counted)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alpha": 0.0, "batch_size": 7},
        {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
        {"solver": "sgd", "learning_rate_init": 0.05},
        {"solver": "sgd", "nesterovs_momentum": False, "shuffle": False},
        {"hidden_layer_sizes": (20, 5), "activation": "tanh", "dropout": 0.2},
        {"hidden_layer_sizes": ()},
    ],
    ids=lambda settings: "-".join(settings) or "defaults",
)
@pytest.mark.parametrize("targets", ["classes", "one of two", "labels", "number", "numbers"])
def test_each_has_the_bits_of_its_own_fit(settings, targets, dtype, sizes):
    y = {
        "classes": Y,
        "one of two": Y > 0,
        "labels": np.stack([Y > 0, Y > 1], axis=1),
        "number": X[:, 0],
        "numbers": X[:, :2],
    }[targets]
    kind = MLPRegressor if "number" in targets else MLPClassifier
    estimators = [
        kind(hidden_layer_sizes=(8,), max_iter=12, random_state=i % 5, tol=0.02, n_iter_no_change=2)
        .set_params(**settings)
        .set_params(alpha=settings.get("alpha", 10.0 ** (i % 4 - 4)))
        for i in range(FITS)
    ]
    for i, each in enumerate(estimators):
        if "learning_rate_init" not in settings:
            each.learning_rate_init = 0.002 * (i % 3 + 1)
    x = X.astype(dtype)
    for one, each in zip(fitted_together(estimators, x, y), estimators, strict=True):
        assert_same(one, clone(each).fit(x, y))
    assert sum(sizes) == FITS
    if _core.isa() != "scalar":
        assert max(sizes) > 1


def test_rates_and_stops_of_their_own(sizes):
    estimators = [
        MLPClassifier((6,), max_iter=30, random_state=i, learning_rate_init=0.001 * 2**i, tol=0.01)
        for i in range(9)
    ]
    fits = fitted_together(estimators, X, Y)
    assert len({each.n_iter_ for each in fits}) > 1
    assert {each.history_.stopped_by for each in fits} == {"epochs", "convergence"}
    for one, each in zip(fits, estimators, strict=True):
        assert_same(one, clone(each).fit(X, Y))
    assert sum(sizes) == 9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MLPClassifier, {}),
        (MLPClassifier, {"hidden_layer_sizes": (20, 5), "activation": "tanh", "dropout": 0.2}),
        (MLPClassifier, {"solver": "sgd", "momentum": 0.0, "shuffle": False, "batch_size": 7}),
        (MLPRegressor, {"solver": "sgd", "momentum": 0.0, "batch_size": 31}),  # some diverge
    ],
)
def test_later_ones_take_the_lanes_of_those_that_end(kind, settings, dtype, sizes):
    x, y = X.astype(dtype), Y if kind is MLPClassifier else X[:, 0]
    rates = [0.003, 1e-3, 3e-2, 0.1] if kind is MLPClassifier else [0.003, 1e-3, 3e-2, 1e4]
    estimators = [
        kind(hidden_layer_sizes=(6,), max_iter=25, tol=0.01, n_iter_no_change=2, random_state=i)
        .set_params(learning_rate_init=rates[i % 7 % 4], alpha=10.0 ** (i % 3))
        .set_params(**settings)
        for i in range(70)
    ]
    fitted = {}
    one_thread = meeting.Meeting(1, 70)
    data = [(x, x.copy(), x[:, ::-1].copy())[i % 3][i % 4 :] for i in range(70)]

    def fit(i):
        fitted[i] = fitted_or_error(estimators[i], data[i], y[i % 4 :])

    for i in range(70):
        one_thread.add(partial(fit, i))
    one_thread.finish()
    lengths = set()
    for i, each in enumerate(estimators):
        alone = fitted_or_error(each, data[i], y[i % 4 :])
        if isinstance(alone, str):
            assert fitted[i] == alone
        else:
            assert_same(fitted[i], alone)
            lengths.add(alone.n_iter_)
    assert len(lengths) > 3
    assert sum(sizes) == 70
    if (lanes := LANES.get(_core.isa(), 1)) > 1:
        assert max(sizes) > lanes * 4 // x.itemsize


def test_few_are_trained_each_on_a_thread_of_its_own(sizes):
    fitted_together([MLPClassifier((4,), max_iter=3, random_state=i) for i in range(3)], X, Y)
    assert sizes == [1] * 3


def test_those_that_learn_slowly_are_trained_first_and_together(monkeypatch):
    """So none of them ends early and leaves a lane empty."""
    rates, train = [], meeting.train

    def noting(fits):
        rates.append({fit._rate for fit in fits})
        train(fits)

    monkeypatch.setattr(meeting, "train", noting)
    grid = {"learning_rate_init": [0.1, 0.001, 0.01], "random_state": range(6)}
    mlp = MLPClassifier((4,), max_iter=2)
    GridSearchCV(mlp, grid, cv=3, n_jobs=2, refit=False).fit(X, Y)
    assert rates[0] == {0.001}
    assert rates[-1] == {0.1}


def test_fits_begin_by_rate_and_fold_wherever_these_are_in_memory(monkeypatch):
    ranks, add = [], meeting.Meeting.add

    def noting(self, task, kind=None, rank=()):
        ranks.append(rank)
        add(self, task, kind, rank)

    monkeypatch.setattr(meeting.Meeting, "add", noting)
    grid = {"learning_rate_init": [0.1, 0.01], "alpha": [1.0, 0.1]}
    GridSearchCV(MLPClassifier((4,), max_iter=1), grid, cv=3, n_jobs=2, refit=False).fit(X, Y)
    assert ranks == [(rate, fold, 3) for rate in [0.1, 0.01] * 2 for fold in range(3)]


def test_tasks_of_a_kind_begin_by_rank():
    begun, one_thread = [], meeting.Meeting(1, 1)
    for kind, rank in [("b", (2, 1)), ("a", (5,)), ("b", (1, 9)), ("a", (3,)), ("b", (2, 0))]:
        one_thread.add(partial(begun.append, (kind, rank)), kind, rank)
    for name in "xyz":  # in the order they were added
        one_thread.add(partial(begun.append, name))
    one_thread.finish()
    of_b = [("b", rank) for rank in [(1, 9), (2, 0), (2, 1)]]
    assert begun == [*of_b, ("a", (3,)), ("a", (5,)), *"xyz"]


@pytest.mark.parametrize(
    ("coming", "enough"), [(7, 8), (40, 8), (60, 8), (63, 8), (64, 16), (100, 24), (999, 32)]
)
def test_whole_vectors_of_fits_are_trained_in_one_call(coming, enough):
    two_threads = meeting.Meeting(2, 99)
    two_threads._training.add(0)
    for _ in range(coming):
        two_threads.add(lambda: None)
    assert two_threads._enough(8) == enough


def test_some_diverge():
    grid = {"learning_rate_init": [1e-3, 1e300], "random_state": range(4)}
    mlp = MLPRegressor(hidden_layer_sizes=(4,), solver="sgd", max_iter=5)
    ours, theirs = (
        search(mlp, grid, cv=3, n_jobs=2, refit=False).fit(X, X[:, 0])
        for search in (GridSearchCV, model_selection.GridSearchCV)
    )
    scores = ours.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, theirs.cv_results_["mean_test_score"])
    assert np.isnan(scores).sum() == 4


def test_a_fit_that_is_refused_leaves_the_others_alone():
    grid = {
        "learning_rate_init": [1e-3, 1e39],
        "random_state": range(4),
    }  # the second is no float32
    x, mlp = X.astype(np.float32), MLPClassifier((4,), max_iter=5)
    ours, theirs = (
        search(mlp, grid, cv=3, n_jobs=2, refit=False).fit(x, Y)
        for search in (GridSearchCV, model_selection.GridSearchCV)
    )
    scores = ours.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, theirs.cv_results_["mean_test_score"])
    assert np.isnan(scores).sum() == 4


def test_what_has_something_to_do_after_an_epoch_is_trained_by_itself(sizes):
    others = [
        MLPClassifier((4,), max_iter=5, random_state=0, early_stopping=True),
        MLPClassifier((4,), max_iter=5, random_state=0, solver="sgd", learning_rate="adaptive"),
        MLPClassifier((4,), max_iter=5, random_state=0, solver="adamw"),
        MLPClassifier((4,), max_iter=5, random_state=0, callbacks=lambda *_: None),
        MLPClassifier((4,), max_iter=5, random_state=np.random.RandomState(0)),
    ]
    for one, each in zip(fitted_together(others, X, Y), others, strict=True):
        assert one.loss_curve_ == clone(each).fit(X, Y).loss_curve_
    assert sizes == []


def test_without_a_seed_each_draws_its_own(sizes):
    fits = fitted_together([MLPClassifier((4,), max_iter=3)] * 9, X, Y)
    assert len({each.loss_ for each in fits}) == 9
    assert sum(sizes) == 9


class Inner(TransformerMixin, BaseEstimator):
    """A step that fits a network, for which other fits may wait."""

    def fit(self, X, y):
        self.mlp_ = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
        return self

    def transform(self, X):
        return np.hstack([X, self.mlp_.predict_proba(X)])


def test_networks_within_steps():
    pipeline = make_pipeline(Inner(), MLPClassifier((4,), max_iter=5, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 0.01, 1.0]}
    ours = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, Y)
    theirs = model_selection.GridSearchCV(pipeline, grid, cv=3).fit(X, Y)  # here: knows `Inner`
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_networks_within_callbacks(solver):
    """They are fitted while other threads run Python."""

    def fit_another(*_):
        MLPClassifier((4,), max_iter=3, random_state=0).fit(X, Y)

    mlp = MLPClassifier((4,), max_iter=3, random_state=0, solver=solver)
    grid = {"alpha": [1e-4, 0.01, 1.0]}
    searches = [
        GridSearchCV(mlp, grid, cv=3).fit(X, Y),
        GridSearchCV(clone(mlp).set_params(callbacks=fit_another), grid, cv=3).fit(X, Y),
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_array_equal(*scores)


class Threads(TransformerMixin, BaseEstimator):
    """A step that uses joblib itself."""

    backends = ()

    def fit(self, X, y=None):
        parallel = Parallel()
        with parallel:
            Threads.backends += (type(parallel._backend).__name__,)
            self.sums_ = parallel(delayed(np.sum)(column) for column in X.T)
        return self

    def transform(self, X):
        return X


def test_a_step_that_uses_joblib_gets_joblibs_threads():
    Threads.backends = ()
    pipeline = make_pipeline(Threads(), MLPClassifier((4,), max_iter=3, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 1.0]}
    GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, Y)
    assert len(Threads.backends) == 3 + 1
    assert Threads.backends[-1] == "ThreadingBackend"
    assert set(Threads.backends) <= {"ThreadingBackend", "SequentialBackend"}


class Noting(MLPClassifier):
    limits = ()

    def fit(self, X, y):
        Noting.limits += (together.threads_of_a_fit(None),)
        return super().fit(X, y)


def test_only_the_fits_of_candidates_are_limited_to_one_thread():
    Noting.limits = ()
    mlp = Noting((4,), max_iter=3, random_state=0)
    GridSearchCV(mlp, {"alpha": [1e-4, 1.0]}, cv=3, n_jobs=2).fit(X, Y)
    assert Noting.limits == (1,) * 6 + (None,)


def test_a_closed_meeting_ends_those_that_wait():
    closed, ends = meeting.Meeting(1, 99), []

    def task():
        try:
            MLPClassifier((4,), max_iter=3, random_state=0).fit(X, Y)
        except meeting.Closed:
            ends.append(True)

    for each in [task] * 3 + [closed.close] + [task] * 20:
        closed.add(each)
    closed.finish()
    assert ends == [True] * 3 or _core.isa() == "scalar"


def test_fits_that_wait_use_up_half_of_the_stack(sizes):
    """Of one that is too small for all that may wait at once."""
    shapes = [*range(1, 60), *range(1, 60)]
    estimators = [MLPClassifier((nodes,), max_iter=2, random_state=0) for nodes in shapes]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    try:
        fitted = fitted_together(estimators, X, Y)
    finally:
        sys.setrecursionlimit(limit)
    for one, each in zip(fitted, estimators, strict=True):
        assert_same(one, clone(each).fit(X, Y))
    assert sum(sizes) == len(estimators)


PLACE = ContextVar("PLACE", default="outside")


class Watching(MLPClassifier):
    """Fits while no division by 0 is allowed, in a context, and notes those before."""

    before = ()

    def fit(self, X, y):
        Watching.before += ((np.geterr()["divide"], PLACE.get()),)
        token = PLACE.set("within a fit")
        try:
            with np.errstate(divide="raise"):
                return super().fit(X, y)
        finally:
            PLACE.reset(token)


def test_fits_that_wait_leave_no_trace_in_others():
    Watching.before = ()
    fitted_together([Watching((4,), max_iter=3, random_state=i) for i in range(FITS)], X, Y)
    assert Watching.before == ((np.geterr()["divide"], "outside"),) * FITS


def test_a_search_fills_vectors_with_networks_of_one_shape(sizes):
    grid = {"alpha": [1e-3, 1e-2, 1.0], "hidden_layer_sizes": [(4,), (5,)], "batch_size": [8, 16]}
    mlp = MLPClassifier(max_iter=3, random_state=0)
    x = X.astype(np.float32)
    GridSearchCV(mlp, grid, cv=[(np.arange(60), np.arange(60, 90))] * 8, n_jobs=2).fit(x, Y)
    assert sum(sizes) == 3 * 4 * 8
    lanes = LANES.get(_core.isa(), 1)
    assert lanes <= max(sizes) <= 4 * lanes
    assert sum(size >= lanes for size in sizes) >= 4


@pytest.mark.parametrize(
    ("settings", "grid", "where"),
    [
        ({}, {"alpha": [1e-3, 1.0]}, "threads"),
        ({"solver": "lbfgs"}, {"alpha": [1e-3, 1.0]}, "processes"),
        ({"early_stopping": True}, {"alpha": [1e-3, 1.0]}, "processes"),
        ({}, [{"solver": ["lbfgs"]}, {"early_stopping": [True]}], "processes"),
        ({}, {"early_stopping": [False, True]}, "threads"),
        ({"solver": "sgd"}, {"learning_rate": ["adaptive", "invscaling"]}, "processes"),
        ({"learning_rate": "adaptive"}, {"alpha": [1e-3, 1.0]}, "threads"),  # Adam ignores it
    ],
)
@pytest.mark.parametrize("steps", [[], [Threads()]])
def test_what_runs_python_after_each_epoch_runs_in_processes(settings, grid, where, steps):
    mlp = MLPClassifier((4,), max_iter=3, random_state=0, **settings)
    grids = grid if isinstance(grid, list) else [grid]
    if steps:
        grids = [{f"mlpclassifier__{k}": v for k, v in each.items()} for each in grids]
    estimator = make_pipeline(*steps, mlp) if steps else mlp
    assert GridSearchCV(estimator, grids, n_jobs=2)._is_for_processes() == (where == "processes")
    assert not GridSearchCV(estimator, grids)._is_for_processes()


def test_other_estimators_of_a_grid_are_not_asked():
    pipeline = make_pipeline(Threads(), MLPClassifier(solver="lbfgs"))
    grid = {"mlpclassifier": [MLPClassifier(), MLPClassifier(solver="lbfgs")]}
    assert not GridSearchCV(pipeline, grid, n_jobs=2)._is_for_processes()
    with pytest.raises((TypeError, ValueError), match="grid"):
        GridSearchCV(MLPClassifier(solver="lbfgs"), 3, n_jobs=2).fit(X, Y)
