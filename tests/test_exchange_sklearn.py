"""scikit-learn: fitted estimators to a network and back."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

neural_network = pytest.importorskip("sklearn.neural_network")

CASES = ["three classes", "two classes", "names", "several labels", "one number", "two numbers"]


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    X = np.random.default_rng(5).standard_normal((60, 4))
    return {
        "X": X,
        "three classes": np.arange(60) % 3,
        "two classes": np.arange(60) % 2,
        "names": np.array(["ant", "bee", "cow"])[np.arange(60) % 3],
        "several labels": np.eye(3, dtype=int)[np.arange(60) % 3],
        "one number": X[:, 0],
        "two numbers": X[:, :2],
    }


def fitted(case: str, data: dict[str, np.ndarray], dtype: str, activation: str) -> Any:
    kind = "MLPRegressor" if "number" in case else "MLPClassifier"
    model = getattr(neural_network, kind)(
        hidden_layer_sizes=(7, 5), activation=activation, max_iter=3, random_state=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs converge nowhere
        return model.fit(data["X"].astype(dtype), data[case])


def numbers(model: Any, case: str, X: np.ndarray) -> np.ndarray:
    if "number" in case:
        return model.predict(X).reshape(len(X), -1)
    return model.predict_proba(X)[:, 1:] if case == "two classes" else model.predict_proba(X)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("case", CASES)
def test_there_and_back(case, activation, dtype, data, rounding_bound):
    model = fitted(case, data, dtype, activation)
    X = data["X"].astype(dtype)
    net = fm.from_sklearn(model, seed=7)
    assert (net.dtype, net.seed, net.n_parameters) == (
        dtype,
        7,
        4 * 7 + 7 * 5 + 12 + 6 * len(net.biases[2]),
    )
    assert (np.abs(net.predict(X) - numbers(model, case, X)) <= rounding_bound(net, X)).all()

    labels = model.classes_ if case in ("three classes", "two classes", "names") else None
    again = net.to_sklearn(labels=labels)
    assert type(again) is type(model)
    assert np.array_equal(numbers(again, case, X), numbers(model, case, X))
    if "number" not in case:
        assert np.array_equal(again.predict(X), model.predict(X))
        assert again.score(X, data[case]) == model.score(X, data[case])
    pickle.loads(pickle.dumps(again)).predict(X)


def test_the_estimator_is_a_copy(data):
    net = fm.Network([4, 5, 3], seed=1)
    model = net.to_sklearn()
    net.parameters[:] = 0
    assert model.coefs_[0].any()
    assert model.n_features_in_ == 4


@pytest.mark.parametrize(
    ("net", "labels", "message"),
    [
        ([4, fm.Dense(5, "tanh"), 6, 3], None, "one activation for all hidden layers"),
        ([4, fm.Dense(5, "tanh", "layer"), 3], None, "has no normalization"),
        ([4, 5, fm.Dense(3, "tanh")], None, "must be 'softmax' or 'sigmoid'"),
        ([4, 5, fm.Dense(3, "identity")], [1, 2, 3], "labels are for classifiers"),
        ([4, 5, 2], None, "no softmax of one or two outputs"),
        ([4, 5, 3], ["a", "b"], r"labels must have shape \(3,\)"),
        ([4, 5, 3], ["b", "a", "c"], "must be sorted"),
        ([4, 5, fm.Dense(3, "sigmoid")], [1, 2, 3], "multilabel"),
    ],
)
def test_networks_it_cannot_hold_are_refused(net, labels, message):
    with pytest.raises(ValueError, match=message):
        fm.Network(net, seed=1).to_sklearn(labels=labels)


def test_labels_of_two_kinds_are_refused():
    labels = np.array([1, "a", 2], dtype=object)
    with pytest.raises(TypeError, match="labels must be numbers or text, of one kind"):
        fm.Network([4, 5, 3], seed=1).to_sklearn(labels=labels)


def test_other_estimators_are_refused():
    with pytest.raises(TypeError, match="got str"):
        fm.from_sklearn("MLPClassifier")
    with pytest.raises(ValueError, match="not fitted"):
        fm.from_sklearn(neural_network.MLPClassifier())
