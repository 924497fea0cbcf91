"""Estimators in stores: as plain values, in equal bytes, and from older pickles."""

import copy
import pickle

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import LabelBinarizer, scale

import fastmlp as fm
from fastmlp.history import History
from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn.optimizer import Optimizer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLASSIFIERS = [
    {},
    {"solver": "sgd", "learning_rate": "adaptive", "momentum": 0.5},
    {"solver": "lbfgs"},
    {"solver": fm.AdamW(fm.LinearWarmup(fm.CosineDecay(1e-3), 3))},
    {"solver": fm.SGD(fm.Plateau(0.1, patience=1), momentum=0.9)},
    {"early_stopping": True},
    {"dropout": 0.25, "activation": [fm.LeakyReLU(0.2), "gelu_tanh"]},
    {"loss": fm.CrossEntropy(label_smoothing=0.1), "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
]
CASES = [(MLPClassifier, settings) for settings in CLASSIFIERS]
CASES += [(MLPRegressor, settings) for settings in ({"loss": fm.Huber(2.0)}, {"loss": "poisson"})]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def fitted(kind, settings, data):
    sizes = {"hidden_layer_sizes": (6, 5), "max_iter": 4, "random_state": 0}
    return kind(**sizes, **settings).fit(*data)


def is_plain(value):
    """Whether it holds numbers, text, arrays, and containers of them only."""
    match value:
        case dict():
            return all(map(is_plain, value)) and all(map(is_plain, value.values()))
        case list() | tuple():
            return type(value) in (list, tuple) and all(map(is_plain, value))
    return type(value) in (str, int, float, bool, type(None), np.ndarray, np.float64, np.float32)


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_the_state_is_plain_but_for_the_network(kind, settings, iris):
    state = fitted(kind, settings, iris).__getstate__()
    network = state.pop("_network")
    assert type(network) is fm.Network
    assert is_plain(network.__getstate__())
    assert type(state.pop("_label_binarizer", None)) in (LabelBinarizer, type(None))
    assert is_plain(state)


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_skops_trusts_two_types_and_training_goes_on(kind, settings, iris):
    skops = pytest.importorskip("skops.io")
    estimator = fitted(kind, settings, iris)
    data = skops.dumps(estimator)
    own = [f"{kind.__module__}.{kind.__name__}", "fastmlp.network.Network"]
    assert sorted(skops.get_untrusted_types(data=data)) == sorted(own)
    again = skops.loads(data, trusted=own)
    assert again.get_params() == estimator.get_params()
    if estimator.solver != "lbfgs" and not estimator.early_stopping:
        assert again.partial_fit(*iris).loss_curve_ == estimator.partial_fit(*iris).loss_curve_
    np.testing.assert_array_equal(again.predict(iris[0]), estimator.predict(iris[0]))


def test_skops_keeps_a_network():
    skops = pytest.importorskip("skops.io")
    heads = fm.Heads(a=fm.Head(2, "softmax"), b=fm.Head(1, fm.ELU(0.5), fm.Huber(2.0), weight=0.5))
    norm = fm.BatchNorm(epsilon=1e-3, after_activation=True)
    layers = [4, fm.Dense(5, "tanh", norm, trainable=False), fm.Dense(3, fm.LeakyReLU(0.3)), heads]
    net = fm.Network(layers, input_normalization="layer", dtype="float64", seed=2)
    net.feature_names = ("a", "b", "c", "d")
    again = skops.loads(skops.dumps(net), trusted=["fastmlp.network.Network"])
    assert (again.layers, again.loss.heads) == (net.layers, net.loss.heads)
    assert pickle.dumps(again) == pickle.dumps(net)


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_equal_fits_give_equal_bytes(kind, settings, iris):
    one, two = (fitted(kind, settings, iris) for _ in range(2))
    if one.solver != "lbfgs":
        assert one.history_.epoch_seconds != two.history_.epoch_seconds
        two.history_.__dict__["peak_share"] = 0.5  # once asked for, it is kept
    assert pickle.dumps(one) == pickle.dumps(two)
    assert joblib.hash(one) == joblib.hash(two)
    other = fitted(kind, settings, iris)
    other.coefs_[0][0, 0] += 1
    assert pickle.dumps(one) != pickle.dumps(other)


def test_the_state_of_older_versions(iris):
    """In which the history, the optimizer and the parameters were objects."""
    estimator = fitted(MLPClassifier, {"solver": fm.AdamW(fm.CosineDecay(1e-3))}, iris)
    old = MLPClassifier.__new__(MLPClassifier)
    old.__setstate__(dict(vars(estimator)))
    again = pickle.loads(pickle.dumps(old))
    for each in (old, again):
        assert type(each.history_) is History
        assert type(each._optimizer) is Optimizer
        assert each._optimizer.solver == each.solver == estimator.solver
        assert each.history_ == estimator.history_


def test_labels_named_as_a_setting(iris):
    X, y = iris[0], np.array(["__fastmlp__", "b", "c"])[iris[1]]
    estimator = fitted(MLPClassifier, {"class_weight": {"__fastmlp__": 2.0, "b": 1.0}}, (X, y))
    assert copy.deepcopy(estimator).class_weight == estimator.class_weight
