"""Whatever the reference refuses: the type, the message, and that nothing has changed."""

import numpy as np
import pytest

from fastmlp import reference as fm

pytestmark = pytest.mark.once

X = [[0.5, 1.0], [2.0, -1.0]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("64",), TypeError, "sequence"),
        ((7,), TypeError, "sequence"),
        (([64],), ValueError, "at least one layer"),
        (([2, "3"],), TypeError, r"layers\[1\] must be an integer or a Dense"),
        (([2, 3.0],), TypeError, "integer"),
        (([True, 3],), TypeError, "integer"),
        (([fm.Dense(2, "relu"), 3],), TypeError, "number of features"),
        (([0, 3],), ValueError, "at least 1"),
        (([2, -3],), ValueError, "at least 1"),
        (([2, fm.Dense(3, "softmax"), 2],), ValueError, "hidden layer cannot be softmax"),
        (([2, 3], "gulu"), ValueError, "activation must be one of 'relu'"),
        (([2, 3], "relu", None), TypeError, "output must be one of"),
        (([2, 3], "relu", "softmax", "mean_squared_error"), ValueError, "does not fit"),
        (([2, 3], "relu", "softmax", "hinge"), ValueError, "loss must be one of"),
        (([2, 3], "relu", "softmax", None, -1), ValueError, "seed must be at least 0"),
        (([2, 3], "relu", "softmax", None, 2**64), ValueError, "seed must be at most"),
        (([2, 3], "relu", "softmax", None, 1.5), TypeError, "seed must be an integer or None"),
        (([2, 3], "relu", "softmax", None, 1, "int8"), ValueError, "'float32', 'float64'"),
        (([2, 3], "relu", "softmax", None, 1, None), TypeError, "dtype"),
        (([2**40, 2**40],), MemoryError, "bytes"),
    ],
)
def test_network_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.Network(*arguments)


@pytest.mark.parametrize(
    ("rate", "error"),
    [("x", TypeError), (True, TypeError), (None, TypeError), (1j, TypeError)]
    + [(rate, ValueError) for rate in (0, -1, float("inf"), float("nan"), 10**400)],
)
def test_learning_rates_refused(rate, error):
    with pytest.raises(error, match="learning_rate"):
        fm.SGD(rate)
    named = isinstance(rate, str)  # update reads it as the name of an optimizer
    with pytest.raises(
        ValueError if named else error, match="optimizer" if named else "learning_rate"
    ):
        fm.Network([2, 3], seed=1).update(rate)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (None, TypeError, "array or nested lists"),
        ("text", TypeError, "array or nested lists"),
        ({1: 2}, TypeError, "array or nested lists"),
        ([["a", "b"]], ValueError, "not a real number"),
        (np.array([[1j, 2j]]), ValueError, "not a real number"),
        ([0.5, 1.0], ValueError, r"one sample is a list of one row: \[X\]"),
        (3.0, ValueError, "2 dimensions"),
        ([[[0.5, 1.0]]], ValueError, "2 dimensions"),
        ([[0.5, 1.0], [2.0]], ValueError, "ragged"),
        ([[0.5, 1.0, 2.0]], ValueError, "3 features .* takes 2"),
        ([], ValueError, "0 samples"),
        ([[0.5, float("nan")]], ValueError, "NaN at row 0, column 1"),
        ([[0.5, 1.0], [float("-inf"), 1.0]], ValueError, "infinity at row 1, column 0"),
        ([[10**400, 1.0]], ValueError, "too large"),
    ],
)
def test_features_refused(bad, error, message):
    net = fm.Network([2, 3], seed=1)
    before = net.parameters
    for call in (net.forward, lambda X: net.fit(X, [0]), lambda X: net.evaluate(X, [0])):
        with pytest.raises(error, match=message):
            call(bad)
    assert (net.parameters, net.epoch, net.nodes) == (before, 0, [])


@pytest.mark.parametrize(
    ("output", "y", "message"),
    [
        ("softmax", [0], "2 samples"),
        ("softmax", [0, 3], "label 3, but with 3 outputs labels are 0 to 2"),
        ("softmax", [0, -1], "label -1"),
        ("softmax", [0.0, 1.0], "integer labels"),
        ("softmax", [[0, 1], [1, 0]], r"shape \(2, 3\)"),
        ("softmax", [[0, 1, float("nan")], [1, 0, 0]], "NaN"),
        ("softmax", [[0, 1, 0], [-1, 1, 1]], "at least 0 for cross_entropy"),
        ("sigmoid", [0, 1], r"shape \(2, 3\)"),
        ("sigmoid", [[0, 1, 2], [0, 0, 0]], r"in \[0, 1\]"),
        ("identity", [0.0, 1.0], r"shape \(2, 3\)"),
    ],
)
def test_targets_refused(output, y, message):
    net = fm.Network([2, 3], output=output, seed=1)
    before = net.parameters
    net.forward(X)
    for call in (net.backward, lambda y: net.fit(X, y), lambda y: net.objective(X, y)):
        with pytest.raises(ValueError, match=message):
            call(y)
    assert (net.parameters, net.epoch, set(net.gradients)) == (before, 0, {0.0})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs"),
        ({"epochs": 1.0}, TypeError, "epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": "32"}, TypeError, "batch_size"),
        ({"optimizer": 0.1}, TypeError, "SGD"),
        ({"shuffle": 2}, ValueError, "shuffle"),
        ({"shuffle": "yes"}, TypeError, "shuffle"),
        ({"shuffle": [0]}, ValueError, r"shape \(2,\) or \(10, 2\)"),
        ({"shuffle": [0.0, 1.0]}, TypeError, "integer row indices"),
        ({"shuffle": [0, 2]}, ValueError, r"\[0, 2\)"),
        ({"validation_data": 3}, TypeError, "validation_data"),
        ({"validation_data": (X,)}, ValueError, "1 items"),
        ({"validation_data": (X, [0])}, ValueError, r"validation_data\[1\]"),
        ({"verbose": None}, TypeError, "verbose"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"callbacks": 3}, TypeError, "callbacks"),
        ({"callbacks": [3]}, TypeError, r"callbacks\[0\]"),
    ],
)
def test_fit_refuses(options, error, message):
    net = fm.Network([2, 3], seed=1)
    before = net.parameters
    with pytest.raises(error, match=message):
        net.fit(X, [0, 1], **options)
    assert (net.parameters, net.epoch) == (before, 0)


def test_parameters_and_lists_check_shapes():
    net = fm.Network([2, 3], seed=1)
    before = net.parameters
    with pytest.raises(ValueError, match=r"parameters must have the shape \(9,\)"):
        net.parameters = [0.0]
    with pytest.raises(ValueError, match=r"weights\[0\] must have the shape \(2, 3\)"):
        net.weights[0] = [0.0, 1.0, 2.0]
    with pytest.raises(TypeError, match=r"biases\[0\]"):
        net.biases[0] = None
    with pytest.raises(ValueError, match=r"out must have the shape \(2, 3\)"):
        net.predict(X, out=[[0.0]])
    assert net.parameters == before


def test_backward_needs_a_batch():
    with pytest.raises(RuntimeError, match="forward"):
        fm.Network([2, 3], seed=1).backward([0, 1])


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


def test_lists_nested_too_deeply_are_no_array():
    with pytest.raises(ValueError, match="X is nested too deeply to be an array"):
        fm.Network([2, 3], seed=1).predict(nested(5000))


@pytest.mark.parametrize("name", ["activation", "output", "loss", "seed", "dtype"])
def test_long_text_is_not_repeated(name):
    with pytest.raises((TypeError, ValueError)) as caught:
        fm.Network([2, 3], **{name: "x" * 100_000})
    assert len(str(caught.value)) < 500
