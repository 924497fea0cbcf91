"""What our estimators have beyond scikit-learn's, and how they live with the rest of it."""

import pickle

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def short(**settings):
    return MLPClassifier(**{"random_state": 0, "max_iter": 5, **settings})


def test_weights_are_live_views(iris):
    X, y = iris
    classifier = short().fit(X, y)
    assert isinstance(classifier.coefs_, list)
    view = classifier.coefs_[0]
    assert np.shares_memory(view, classifier.coefs_[0])
    before = view.copy()
    classifier.partial_fit(X, y)
    assert not (view == before).all()
    classifier.coefs_[1][...] = 0
    classifier.intercepts_[1] = [0.0, 0.0, 3.0]
    assert (classifier.predict(X) == 2).all()
    classifier.coefs_ = [np.zeros_like(weights) for weights in classifier.coefs_]
    assert not view.any()


def test_nothing_of_a_fit_before_the_first():
    for name in ("coefs_", "intercepts_", "network_", "loss_"):
        assert not hasattr(MLPClassifier(), name)


def by_pickle(estimator, path):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path)


@pytest.mark.parametrize("copy", [by_pickle, by_joblib])
def test_copies_go_on_alike(iris, copy, tmp_path):
    X, y = iris
    original = short().fit(X, y)
    copied = copy(original, tmp_path / "model")
    assert not np.shares_memory(original.coefs_[0], copied.coefs_[0])
    for estimator in (original, copied):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(original.coefs_[0], copied.coefs_[0])


@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_sparse_is_dense(digits, container, solver):
    X, y = digits[0][:300], digits[1][:300]
    dense = short(solver=solver, early_stopping=True, batch_size=30).fit(X, y)
    sparse = short(solver=solver, early_stopping=True, batch_size=30).fit(container(X), y)
    for want, have in zip(dense.coefs_, sparse.coefs_, strict=True):
        np.testing.assert_array_equal(have, want)
    if solver != "lbfgs":
        np.testing.assert_allclose(sparse.loss_curve_, dense.loss_curve_, 1e-13)
    np.testing.assert_array_equal(sparse.predict_proba(container(X)), dense.predict_proba(X))


def test_class_weight_is_sample_weight(iris):
    X, y = iris[0][20:], iris[1][20:]
    weights = {0: 3.0, 1: 0.5, 2: 1.0}
    by_class = short(class_weight=weights).fit(X, y)
    by_sample = short().fit(X, y, np.array([weights[label] for label in y]))
    np.testing.assert_array_equal(by_class.coefs_[0], by_sample.coefs_[0])
    balanced = short(class_weight="balanced").fit(X, y)
    counts = len(y) / (3 * np.bincount(y))
    np.testing.assert_array_equal(balanced.coefs_[0], short().fit(X, y, counts[y]).coefs_[0])
    with pytest.raises(ValueError, match=r"balanced.*partial_fit"):
        short(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_activation_for_each_layer(iris):
    X, y = iris
    classifier = short(hidden_layer_sizes=(5, 4), activation=["tanh", "logistic"]).fit(X, y)
    assert [layer.activation for layer in classifier._network.layers] == [
        "tanh",
        "sigmoid",
        "softmax",
    ]
    with pytest.raises(ValueError, match="one for each of the 2 hidden layers"):
        short(hidden_layer_sizes=(5, 4), activation=["tanh"]).fit(X, y)


@pytest.mark.slow
def test_dropout(digits):
    X, y = digits
    one, two = (short(dropout=0.3, max_iter=30).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])
    assert one.score(X, y) > 0.95
    assert one.loss_ > short(max_iter=30).fit(X, y).loss_
    other = short(dropout=0.3, max_iter=30, random_state=1).fit(X, y)
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])
    layers = short(hidden_layer_sizes=(9, 8), dropout=[0.5, 0.0]).fit(X, y)._network.layers
    assert [layer.dropout for layer in layers] == [0.5, 0.0, 0.0]


@pytest.mark.parametrize("loss", ["absolute_error", fm.Huber(0.5), fm.Quantile(0.5)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_regression(loss, solver):
    X = np.random.RandomState(0).normal(size=(200, 3))
    y = X @ [1.0, -2.0, 0.5]
    regressor = MLPRegressor(loss, solver=solver, early_stopping=True, random_state=0)
    regressor.set_params(learning_rate_init=0.01).fit(X, y)
    assert regressor.score(X, y) > 0.9


def test_label_smoothing(digits, iris):
    X, y = iris
    smooth = short(loss=fm.CrossEntropy(label_smoothing=0.2), max_iter=100).fit(X, y)
    assert smooth.predict_proba(X).max() < short(max_iter=100).fit(X, y).predict_proba(X).max()
    with pytest.raises(ValueError, match="more than two classes"):
        short(loss=fm.CrossEntropy()).fit(X, y > 0)


def test_our_optimizers(digits):
    X, y = digits
    for solver in (fm.AdamW(1e-2), fm.RMSprop(1e-3), fm.SGD(0.1, momentum=0.9)):
        assert short(solver=solver).fit(X, y).score(X, y) > 0.9


def test_our_schedules(digits):
    X, y = digits
    rates = []
    optimizer = fm.Adam(fm.CosineDecay(1e-2))
    short(solver=optimizer, callbacks=lambda _, r: rates.append(r.learning_rate)).fit(X, y)
    assert len(rates) == 5
    assert rates == sorted(rates, reverse=True)
    chunks = short(solver=fm.Adam(fm.ExponentialDecay(1e-2, 0.5)))
    for _ in range(3):
        chunks.partial_fit(X, y, classes=np.unique(y))
        rates.append(chunks.history_.learning_rate[-1])
    np.testing.assert_allclose(rates[-3:], [1e-2, 5e-3, 2.5e-3])


def test_a_plateau_watches_what_there_is(digits):
    X, y = digits
    classifier = MLPClassifier(solver=fm.Adam(fm.Plateau(0.1, monitor="validation_loss")))
    with pytest.raises(ValueError, match="needs validation_data"):
        classifier.fit(X, y)


def test_eval_set(digits):
    X, X_val, y, y_val = train_test_split(*digits, random_state=0)
    watched = short(max_iter=30).fit(X, y, eval_set=(X_val, y_val))
    assert len(watched.validation_scores_) == len(watched.validation_loss_curve_) == 30
    assert watched.validation_scores_[-1] == watched.score(X_val, y_val)
    np.testing.assert_array_equal(watched.coefs_[0], short(max_iter=30).fit(X, y).coefs_[0])
    stopped = short(max_iter=300, early_stopping=True, n_iter_no_change=3)
    stopped.fit(X, y, eval_set=(X_val, y_val))
    assert stopped.stopped_
    assert stopped.score(X_val, y_val) == stopped.best_validation_score_
    assert stopped.history_["validation_loss"] == stopped.validation_loss_curve_
    with pytest.raises(ValueError, match=r"must be \(X, y\) or"):
        short().fit(X, y, eval_set=X_val)
    with pytest.raises(ValueError, match="classes not in"):
        short().fit(X, y, eval_set=(X_val, y_val + 5))


def test_partial_fit_that_stops_early(digits):
    X, X_val, y, y_val = train_test_split(*digits, random_state=0)
    classifier = short(early_stopping=True, n_iter_no_change=2, solver="sgd", tol=1e-3)
    calls = 0
    while not (calls and classifier.stopped_):
        classifier.partial_fit(X, y, classes=np.unique(y), eval_set=(X_val, y_val))
        calls += 1
        assert calls < 500
    assert calls > 5
    assert classifier.score(X_val, y_val) == max(classifier.validation_scores_)


def test_regressor_with_several_outputs():
    X = np.random.RandomState(0).normal(size=(100, 3))
    y = X @ [[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]]
    regressor = MLPRegressor(solver="lbfgs", random_state=0).fit(X, y)
    assert regressor.predict(X).shape == (100, 2)
    assert regressor.score(X, y) > 0.99
    with pytest.raises(ValueError, match="1 outputs, but the model has 2"):
        MLPRegressor(solver="adam", max_iter=1).fit(X, y).partial_fit(X, y[:, 0])


def test_callbacks_of_fit(iris):
    X, y = iris
    seen = []

    def stop_at_three(network, report):
        seen.append((type(network), report.epoch, report.loss))
        return report.epoch == 3

    classifier = short(max_iter=50, callbacks=[stop_at_three]).fit(X, y)
    assert classifier.n_iter_ == 3
    assert [loss for _, _, loss in seen] == classifier.loss_curve_


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_in_parallel(digits, backend):
    X, y = digits[0][:400], digits[1][:400]
    pipeline = make_pipeline(StandardScaler(), short())
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__hidden_layer_sizes": [(8,), (9,)]}
    with joblib.parallel_config(backend=backend):
        parallel = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    serial = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )


def test_same_bits_for_any_n_jobs(digits):
    X, y = digits
    one, two = (short(n_jobs=n, hidden_layer_sizes=(256,)).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])


def test_cross_val_score_beside_scikit_learn(digits):
    X, y = digits[0][:600], digits[1][:600]
    mine = cross_val_score(short(max_iter=20), X, y, cv=3)
    other = theirs.MLPClassifier(random_state=0, max_iter=20)
    np.testing.assert_array_equal(mine, cross_val_score(other, X, y, cv=3))


def test_where_the_two_are_not_the_same(iris):
    """The differences that docs/guide/migration.md names."""
    X, y = make_multilabel_classification(random_state=1)
    settings = {"random_state": 0, "max_iter": 2, "activation": "identity"}
    mine, other = (
        kind(**settings).fit(100 * X, y) for kind in (MLPClassifier, theirs.MLPClassifier)
    )
    assert mine.loss_curve_[0] > 2 * other.loss_curve_[0]  # theirs is cut
    settings = {"random_state": 0, "max_iter": 30, "early_stopping": True, "warm_start": True}
    mine, other = (
        kind(**settings, n_iter_no_change=3) for kind in (MLPClassifier, theirs.MLPClassifier)
    )
    for estimator, goes_back in ((mine, True), (other, False)):
        best = estimator.fit(*iris).coefs_[0].copy()
        assert np.array_equal(estimator.fit(*iris).coefs_[0], best) == goes_back


def test_an_optimizer_brings_its_own_rate_and_penalties(iris):
    named = {"alpha": 9.0, "learning_rate_init": 5.0, "learning_rate": "adaptive", "beta_1": 0.5}
    one, other = (short(solver=fm.Adam(), **more).fit(*iris) for more in (named, {}))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_what_was_not_measured_is_none(iris):
    plain, stopped = short().fit(*iris), short(early_stopping=True).fit(*iris)
    assert plain.validation_scores_ is plain.validation_loss_curve_ is None
    assert plain.best_loss_ == min(plain.loss_curve_)
    assert stopped.best_loss_ is None
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "sgd"}])
def test_there_and_back(iris, settings):
    X, y = iris
    original = theirs.MLPClassifier(random_state=0, max_iter=20, **settings).fit(X, y)
    mine = MLPClassifier.from_sklearn(original)
    np.testing.assert_allclose(mine.predict_proba(X), original.predict_proba(X), 1e-12)
    assert mine.loss_curve_ == original.loss_curve_
    back = mine.to_sklearn()
    assert type(back) is theirs.MLPClassifier
    for want, have in zip(original.coefs_, back.coefs_, strict=True):
        np.testing.assert_array_equal(have, want)
    assert back.get_params() == original.get_params()
    for estimator in (mine, back):
        estimator.partial_fit(X, y) if not settings.get("early_stopping") else None
    np.testing.assert_allclose(mine.coefs_[0], back.coefs_[0], 1e-10, 1e-12)


def test_a_class_made_of_ours_goes_there_and_back(iris):
    class Mine(MLPClassifier):
        pass

    fitted = Mine(max_iter=3, random_state=0).fit(*iris)
    back = fitted.to_sklearn()
    assert type(back) is theirs.MLPClassifier
    again = Mine.from_sklearn(back)
    assert type(again) is Mine
    np.testing.assert_array_equal(again.coefs_[0], fitted.coefs_[0])


def test_what_scikit_learn_does_not_have_does_not_go_there(iris):
    X, y = iris
    with pytest.raises(ValueError, match="'solver' parameter of MLPClassifier"):
        short(solver=fm.AdamW()).fit(X, y).to_sklearn()
    with pytest.raises(TypeError, match="MLPClassifier"):
        MLPClassifier.from_sklearn(theirs.MLPRegressor())


def test_clone_is_not_fitted(iris):
    classifier = clone(short(solver=fm.AdamW(1e-2), class_weight="balanced").fit(*iris))
    assert not hasattr(classifier, "coefs_")
    assert classifier.solver == fm.AdamW(1e-2)


def test_metadata_routing(iris):
    sklearn = pytest.importorskip("sklearn")
    X, y = iris
    weights = np.linspace(0.1, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = short().set_fit_request(sample_weight=True, eval_set=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, routed)
        pipeline.fit(X, y, sample_weight=weights, eval_set=(X, y))
    assert len(pipeline[-1].validation_scores_) == 5
    direct = short().fit(StandardScaler().fit_transform(X), y, weights)
    np.testing.assert_array_equal(pipeline[-1].coefs_[0], direct.coefs_[0])


def test_history_says_what_ended_a_fit(iris):
    X, y = iris
    for options, expected in (
        ({"tol": 1e9, "n_iter_no_change": 2}, "convergence"),
        ({"tol": 1e9, "n_iter_no_change": 2, "early_stopping": True}, "early_stopping"),
        ({"callbacks": lambda net, report: True}, "callback"),
    ):
        classifier = MLPClassifier((4,), max_iter=9, random_state=1, **options).fit(X, y)
        assert classifier.history_.stopped_by == expected
    classifier.partial_fit(X, y)
    assert classifier.history_.stopped_by == "callback"


@pytest.mark.parametrize("nodes", [(16,), [16, 8], 16])
def test_nodes_in_place_of_the_loss_are_recognised(nodes):
    with pytest.raises(ValueError, match=r"'loss'.*pass hidden_layer_sizes=") as caught:
        MLPRegressor(nodes).fit([[0.0], [1.0]], [0.0, 1.0])
    assert str(caught.value).endswith(f"hidden_layer_sizes={nodes}")
    with pytest.raises(ValueError, match="'alpha'") as caught:
        MLPRegressor(nodes, alpha=-1).fit([[0.0], [1.0]], [0.0, 1.0])
    assert "hidden_layer_sizes" not in str(caught.value)
    with pytest.raises(ValueError, match=r"Got 'mse' instead\.$"):
        MLPRegressor("mse").fit([[0.0], [1.0]], [0.0, 1.0])
