"""Our estimators among scikit-learn's tools: data frames, sparse formats, searches, displays."""

import pickle

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import joblib
import numpy as np
import scipy.sparse as sp
import sklearn
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def short(**settings):
    return MLPClassifier(**{"random_state": 0, "max_iter": 5, **settings})


@pytest.mark.parametrize("kinds", [2, 3])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_network_has_the_names_of_classes(iris, kinds, solver):
    X, y = iris[0][: 50 * kinds], np.array(["no", "yes", "maybe"])[iris[1][: 50 * kinds]]
    classifier = short(solver=solver, dropout=0.0).fit(X, y)
    net = classifier.network_
    assert net.class_names == tuple(sorted(set(y)))
    np.testing.assert_array_equal(net.predict_classes(X), classifier.predict(X))
    classifier.activation = "tanh"  # another network
    assert classifier.network_.class_names == net.class_names
    assert pickle.loads(pickle.dumps(classifier)).network_.class_names == net.class_names


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_names_of_a_frame(iris, frame):
    X, y = iris
    names = ["a", "b", "c", "d"]
    table = pytest.importorskip(frame).DataFrame(dict(zip(names, X.T, strict=True)))
    classifier = short().fit(table, y)
    assert list(classifier.feature_names_in_) == names
    assert classifier.network_.feature_names == tuple(names)
    assert classifier.network_.class_names is None  # which are numbers
    np.testing.assert_array_equal(classifier.predict(table), short().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(table[["b", "a", "c", "d"]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.coo_array, sp.dok_array])
def test_sparse_wherever_features_go(iris, container, dtype):
    X, y = iris[0].astype(dtype), iris[1]
    sparse = container(X)
    by_part, dense = (short(early_stopping=True) for _ in range(2))
    for features, classifier in ((sparse, by_part), (X, dense)):
        for _ in range(2):
            classifier.partial_fit(features, y, classes=[0, 1, 2], eval_set=(features, y))
    assert by_part.coefs_[0].dtype == dtype
    np.testing.assert_array_equal(by_part.coefs_[0], dense.coefs_[0])
    np.testing.assert_array_equal(by_part.predict_proba(sparse), dense.predict_proba(X))
    assert by_part.validation_scores_ == dense.validation_scores_


def test_labels_of_any_type(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    for labels in (names[y], names[y].astype(object), names[np.minimum(y, 1)], y > 0, y * 1.0 - 7):
        classifier = short(max_iter=100).fit(X, labels)
        assert set(classifier.predict(X)) <= set(labels)
        assert classifier.score(X, labels) > 0.8
    one = short().fit(X, np.full(len(X), "only"))
    assert set(one.predict(X)) == {"only"}


def test_several_labels_at_once():
    X, y = make_multilabel_classification(random_state=0)
    classifier = short(max_iter=300).fit(scale(X), y)
    assert classifier.predict(scale(X)).shape == y.shape
    assert classifier.predict_proba(scale(X)).shape == y.shape
    assert classifier.score(scale(X), y) > 0.5


def test_parameters_there_and_back():
    changed = {"solver": fm.AdamW(1e-2), "dropout": 0.1, "class_weight": "balanced", "n_jobs": 2}
    for kind, settings in ((MLPClassifier, changed), (MLPRegressor, {"loss": fm.Huber(0.5)})):
        estimator = kind().set_params(**settings)
        assert kind(**estimator.get_params()).get_params() == estimator.get_params()
        assert all(f"{name}=" in repr(estimator) for name in settings)
        assert kind.__name__ in estimator._repr_html_()


def test_sample_weight_through_a_search(iris):
    X, y = iris
    weights = np.linspace(0.1, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = short().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        search = GridSearchCV(make_pipeline(scaler, routed), {"mlpclassifier__alpha": [0.1]}, cv=2)
        search.fit(X, y, sample_weight=weights)
    direct = short(alpha=0.1).fit(StandardScaler().fit_transform(X), y, weights)
    np.testing.assert_array_equal(search.best_estimator_[-1].coefs_[0], direct.coefs_[0])


def test_frames_come_out_of_a_pipeline_before_it(iris):
    pytest.importorskip("pandas")
    pipeline = make_pipeline(StandardScaler(), short()).set_output(transform="pandas")
    pipeline.fit(*iris)
    assert list(pipeline[-1].feature_names_in_) == ["x0", "x1", "x2", "x3"]


def test_workers_of_loky_share_the_cores():
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        limits = joblib.Parallel(n_jobs=2)(joblib.delayed(fm.get_num_threads)() for _ in range(2))
    get_reusable_executor().shutdown(wait=True)
    assert limits == [1, 1]


def test_every_parameter_and_attribute_is_told_of(iris):
    for kind in (MLPClassifier, MLPRegressor):
        assert all(f"{name}" in kind.__doc__ for name in kind().get_params())
        fitted = kind(max_iter=1).fit(*iris)
        public = [n for n in vars(fitted) if n.endswith("_") and not n.startswith("_")]
        assert all(name in kind.__doc__ for name in public)
