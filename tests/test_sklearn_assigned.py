"""Arrays and names assigned to estimators, fitted or not: as in scikit-learn, or refused."""

import copy
import itertools
import pickle

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import numpy as np
from sklearn import neural_network
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import scale

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = scale(X)
NUMBERS = np.column_stack([X[:, 0] * X[:, 1], X[:, 2]])
TARGETS = {
    "three classes": LABELS,
    "two classes": np.array(["no", "yes"])[(LABELS > 0).astype(int)],
    "labels": make_multilabel_classification(150, n_classes=3, random_state=0)[1],
    "number": NUMBERS[:, 0],
    "numbers": NUMBERS,
}
ASSIGNED = ("coefs_", "intercepts_", "n_layers_", "out_activation_")
SETTINGS = {"hidden_layer_sizes": (7, 6), "max_iter": 5, "random_state": 0}


def of(module, case, **settings):
    """An estimator of ours or of scikit-learn."""
    ours = module is fm
    if "number" in case:
        return (MLPRegressor if ours else neural_network.MLPRegressor)(**SETTINGS, **settings)
    return (MLPClassifier if ours else neural_network.MLPClassifier)(**SETTINGS, **settings)


def both(case, **settings):
    """The two estimators, with equal weights."""
    theirs = of(neural_network, case, **settings).fit(X, TARGETS[case])
    return theirs, type(of(fm, case)).from_sklearn(theirs)


def close(ours, theirs):
    """Compare everything the two predict: both compute in float64."""
    for method in ("predict", "predict_proba"):
        if hasattr(theirs, method):
            mine, expected = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert mine.shape == expected.shape
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(mine, expected, rtol=1e-11, atol=1e-12)
            else:
                np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("case", TARGETS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_estimator_from_arrays(case, activation):
    theirs = of(neural_network, case, activation=activation).fit(X, TARGETS[case])
    ours = of(fm, case, activation=activation)
    for name in (*ASSIGNED, "n_outputs_", "classes_", "_label_binarizer"):
        if hasattr(theirs, name):
            setattr(ours, name, copy.deepcopy(getattr(theirs, name)))
    close(ours, theirs)
    close(pickle.loads(pickle.dumps(ours)), theirs)
    assert ours.network_.n_parameters == sum(w.size for w in theirs.coefs_ + theirs.intercepts_)


@pytest.mark.parametrize("names", [*itertools.permutations(ASSIGNED)])
def test_in_any_order(names):
    theirs, _ = both("number")
    ours = of(fm, "number")
    for name in names:
        assert not hasattr(ours, "loss_curve_")
        setattr(ours, name, getattr(theirs, name))
    close(ours, theirs)


@pytest.mark.parametrize("case", ["three classes", "two classes", "labels", "numbers"])
def test_labels_are_enough_for_a_binarizer_and_for_training(case):
    theirs, before = both(case)
    ours = of(fm, case)
    for name in ("coefs_", "intercepts_", "out_activation_", "classes_"):
        if hasattr(theirs, name):
            setattr(ours, name, getattr(theirs, name))
    close(ours, theirs)
    loss = before.partial_fit(X, TARGETS[case]).loss_  # both with a new optimizer
    assert ours.partial_fit(X, TARGETS[case]).loss_ == loss
    assert ours.loss_curve_ == [loss]


@pytest.mark.parametrize("case", ["three classes", "two classes", "labels"])
def test_labels_in_a_list_are_those_of_an_array(case):
    theirs, before = both(case)
    ours = of(fm, case)
    for name in ("coefs_", "intercepts_", "out_activation_"):
        setattr(ours, name, getattr(theirs, name))
    ours.classes_ = theirs.classes_.tolist()
    assert (ours.predict(X) == theirs.predict(X)).all()
    loss = before.partial_fit(X, TARGETS[case]).loss_
    assert ours.partial_fit(X, TARGETS[case]).loss_ == loss
    ours.classes_ = ours.classes_[:-1]
    with pytest.raises(ValueError, match="classes not in"):
        ours.partial_fit(X, TARGETS[case])


@pytest.mark.parametrize("missing", ["coefs_", "intercepts_", "out_activation_", "classes_"])
def test_what_is_missing_is_named(missing):
    theirs, _ = both("three classes")
    ours = of(fm, "three classes")
    for name in {"coefs_", "intercepts_", "out_activation_", "classes_"} - {missing}:
        setattr(ours, name, getattr(theirs, name))
    with pytest.raises(NotFittedError, match=f"assigned to it, but not {missing}"):
        ours.predict(X)
    setattr(ours, missing, getattr(theirs, missing))
    close(ours, theirs)


def prune_lists(model):
    keep = [0, 2, 3]
    model.coefs_ = [model.coefs_[0][:, keep], model.coefs_[1][keep], model.coefs_[2]]
    model.intercepts_ = [model.intercepts_[0][keep], *model.intercepts_[1:]]


def prune_items(model):
    keep = [5, 1]
    model.intercepts_[1] = model.intercepts_[1][keep]
    model.coefs_[2] = model.coefs_[2][keep]
    model.coefs_[1] = model.coefs_[1][:, keep]


def prune_one_list_held(model):
    coefs, intercepts = model.coefs_, model.intercepts_
    for i in range(2):
        coefs[i] = coefs[i][:, :4]
        coefs[i + 1] = coefs[i + 1][:4]
        intercepts[i] = intercepts[i][:4]


def grow(model):
    model.coefs_.insert(1, np.eye(7))
    model.intercepts_ = [*model.intercepts_[:1], np.full(7, 0.25), *model.intercepts_[1:]]
    model.n_layers_ += 1


def shorten(model):
    del model.coefs_[1:2]
    model.coefs_[1] = np.ones((7, model.coefs_[1].shape[1]))
    model.intercepts_.pop(1)
    model.n_layers_ -= 1


def other_functions(model):
    model.out_activation_ = "tanh"
    model.set_params(activation="logistic")


CHANGES = [prune_lists, prune_items, prune_one_list_held, grow, shorten, other_functions]


@pytest.mark.parametrize("case", TARGETS)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_fitted_estimator(case, change):
    theirs, ours = both(case)
    before = ours.predict(X)
    for model in (theirs, ours):
        change(model)
    close(ours, theirs)
    close(pickle.loads(pickle.dumps(ours)), theirs)
    close(copy.deepcopy(ours), theirs)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(ours.network_.predict(X).ravel(), np.ravel(before))
    if change is not other_functions:
        close(ours.to_sklearn(), theirs)
        assert np.shares_memory(ours.coefs_[0], ours.network_.weights[0])  # live again


def test_pruned_estimators_learn():
    _, ours = both("three classes", early_stopping=True)
    prune_lists(ours)
    for _ in range(3):
        ours.partial_fit(X, LABELS, eval_set=(X, LABELS))
    assert ours.coefs_[0].shape == (4, 3)
    assert len(ours.validation_scores_) == len(ours.validation_loss_curve_) >= 3


def test_a_list_held_before_stays_live_after_pruning():
    _, ours = both("number")
    coefs = ours.coefs_
    prune_items(ours)
    ours.predict(X)
    coefs[2][...] = 0
    np.testing.assert_array_equal(ours.predict(X), np.full(len(X), ours.intercepts_[2][0]))
    held = ours.coefs_
    weights = held[0].copy()
    ours.fit(X, NUMBERS[:, 0])
    np.testing.assert_array_equal(held[0], weights)  # a new fit has a new list


def test_logits_and_back_again():
    """The optimizer continues where it was."""
    one, two = (of(fm, "three classes").fit(X, LABELS) for _ in range(2))
    one.out_activation_ = "identity"
    logits = one.predict_proba(X)
    np.testing.assert_allclose(
        np.log(two.predict_proba(X)),
        logits - np.logaddexp.reduce(logits, axis=1, keepdims=True),
        rtol=1e-9,
        atol=1e-12,
    )
    np.testing.assert_array_equal(one.network_.predict(X), logits)
    with pytest.raises(ValueError, match=r"'identity', but training .* needs 'softmax'"):
        one.partial_fit(X, LABELS)
    one.out_activation_ = "softmax"
    for model in (one, two):
        model.partial_fit(X, LABELS)
    assert pickle.dumps(one) == pickle.dumps(two)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"activation": ["tanh", fm.LeakyReLU(0.3)]}, "activation"),
        ({"dropout": [0.5, 0.0]}, "dropout"),
        ({"loss": fm.Huber(0.01)}, "loss"),
    ],
)
def test_parameters_set_after_the_first_fit_hold(settings, what):
    ours, other = (of(fm, "number").partial_fit(X, NUMBERS[:, 0]) for _ in range(2))
    ours.set_params(**settings).partial_fit(X, NUMBERS[:, 0])
    other.partial_fit(X, NUMBERS[:, 0])
    assert ours.network_.steps == other.network_.steps  # the optimizer continues
    layers, loss = ours.network_.layers, ours.network_.loss
    got = {
        "activation": [layer.activation for layer in layers[:-1]],
        "dropout": [layer.dropout for layer in layers[:-1]],
        "loss": fm.Huber(loss.parameter) if loss == "huber" else loss,
    }
    assert got[what] == settings[what]
    assert (ours.coefs_[0] != other.coefs_[0]).any()
    ours.set_params(loss="poisson")
    with pytest.raises(ValueError, match="out_activation_ is 'identity'"):
        ours.partial_fit(X, np.abs(NUMBERS[:, 0]))


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("coefs_", [np.ones(4)], ValueError, r"coefs_\[0\] must be a matrix"),
        ("coefs_", [["a"]], ValueError, r"coefs_\[0\] must be a matrix of numbers"),
        ("coefs_", 3, TypeError, "coefs_ must be a list"),
        ("intercepts_", [np.ones((1, 4))], ValueError, r"intercepts_\[0\] must be a vector"),
        ("intercepts_", [np.ones(2) * 1j], ValueError, "a vector of numbers"),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_what_cannot_be_arrays_is_refused_at_the_assignment(name, value, error, message, fitted):
    ours = both("number")[1] if fitted else of(fm, "number")
    expected = ours.predict(X) if fitted else None
    with pytest.raises(error, match=message):
        setattr(ours, name, value)
    if fitted:
        with pytest.raises(error):
            getattr(ours, name)[:] = value
        np.testing.assert_array_equal(ours.predict(X), expected)
    else:
        assert not hasattr(ours, name)


def test_what_does_not_fit_together_is_refused_when_used():
    _, ours = both("number")
    ours.coefs_[1] = np.ones((3, 6))
    with pytest.raises(ValueError, match=r"do not fit together: their shapes are \[\(4, 7\), \(3"):
        ours.predict(X)
    ours.coefs_[1] = np.ones((7, 6))
    ours.n_layers_ = 3
    with pytest.raises(ValueError, match="n_layers_ is 3, but coefs_ has 3 arrays"):
        ours.predict(X)


def test_the_arrays_are_attributes_and_copies_are_independent():
    _, ours = both("number")
    assert {"coefs_", "intercepts_"} <= set(vars(ours))
    copies = copy.deepcopy(ours.coefs_)
    assert type(copies) is list
    copies[0][...] = 0
    assert ours.coefs_[0].all()
    twin = of(fm, "number")
    vars(twin).update(copy.deepcopy(vars(ours)))
    np.testing.assert_array_equal(twin.predict(X), ours.predict(X))
    twin.coefs_[2][...] = 0
    assert ours.coefs_[2].all()


def test_the_type_of_assigned_arrays():
    theirs, _ = both("number")
    for kind, expected in ((np.float16, "float32"), (np.float32, "float32"), (float, "float64")):
        ours = of(fm, "number")
        ours.out_activation_ = "identity"
        ours.coefs_ = [array.astype(kind) for array in theirs.coefs_]
        ours.intercepts_ = [array.astype(kind) for array in theirs.intercepts_]
        assert ours.network_.dtype == expected
        ours.coefs_ = [array.tolist() for array in theirs.coefs_]
        assert ours.coefs_[0].dtype == expected  # the memory keeps its type
