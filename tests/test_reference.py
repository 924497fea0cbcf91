"""The pure-Python reference: by hand, by finite differences, and by what it learns."""

import ast
import itertools
import math
import pickle
import sys
from copy import copy, deepcopy
from pathlib import Path

import pytest

from fastmlp import reference as fm
from fastmlp.reference import activations

pytestmark = pytest.mark.once

LN3 = math.log(3.0)
EPS = 2.0**-52


def close(expected):
    """Equal to a few roundings: the worked example has sums of at most three terms."""
    return pytest.approx(expected, rel=8 * EPS, abs=8 * EPS)


@pytest.fixture
def worked():
    """A 2-2-2 relu and softmax network, computed by hand."""
    net = fm.Network([2, 2, 2])
    net.weights[0] = [[0.5, -1.0], [0.25, 0.25]]
    net.biases[0] = [0.0, 0.25]
    net.weights[1] = [[LN3, 0.0], [-LN3, 0.0]]
    net.biases[1] = [0.0, 0.0]
    return net


# Two samples, both of class 1.
WORKED_X = [[1.0, 2.0], [-1.0, -1.0]]
WORKED_Y = [1, 1]


def test_forward_by_hand(worked):
    outputs = worked.forward(WORKED_X)
    # Layer 1, sample 1: z = (0.5 * 1 + 0.25 * 2 + 0,    -1 * 1 + 0.25 * 2 + 0.25) = (1, -0.25)
    #          sample 2: z = (-0.5 - 0.25 + 0,             1 - 0.25 + 0.25)         = (-0.75, 1)
    # relu keeps what is positive (1.1).
    assert worked.nodes[0] == WORKED_X
    assert worked.nodes[1] == [[1.0, 0.0], [0.0, 1.0]]
    # Layer 2, sample 1: z = (ln 3, 0), exponentials (3, 1) up to a factor: p = (3/4, 1/4)
    #          sample 2: z = (-ln 3, 0), exponentials (1/3, 1):              p = (1/4, 3/4)
    assert outputs == [close([0.75, 0.25]), close([0.25, 0.75])]
    assert outputs is worked.nodes[2]


def test_backward_by_hand(worked):
    worked.forward(WORKED_X)
    loss = worked.backward(WORKED_Y)
    # (2.8): the mean of -ln(1/4) and -ln(3/4), that is (ln 4 + ln(4/3)) / 2 = ln(16/3) / 2
    assert loss == close(math.log(16 / 3) / 2)
    # (2.9): p - y with y = (0, 1)
    assert worked.deltas[1] == [close([0.75, -0.75]), close([0.25, -0.25])]
    # (2.5), sample 1: (ln 3 * 0.75 + 0 * -0.75,  -ln 3 * 0.75) = (0.75 ln 3, -0.75 ln 3)
    #        sample 2: (ln 3 * 0.25,              -ln 3 * 0.25) = (0.25 ln 3, -0.25 ln 3)
    # (2.12): only where z of layer 1 was positive: node 1 in sample 1, node 2 in sample 2.
    assert worked.deltas[0] == [close([0.75 * LN3, 0.0]), close([0.0, -0.25 * LN3])]
    # (2.6), the mean over the two samples: ((0.75 + 0.25) / 2, (-0.75 - 0.25) / 2)
    assert worked.bias_gradients[1] == close([0.5, -0.5])
    # (2.7): nodes (1, 0) with delta (0.75, -0.75), nodes (0, 1) with delta (0.25, -0.25), halved
    assert worked.weight_gradients[1] == [close([0.375, -0.375]), close([0.125, -0.125])]
    # The same for layer 1, whose nodes before are the features (1, 2) and (-1, -1):
    # dw_11 = 1 * 0.75 ln 3 / 2     dw_12 = -1 * -0.25 ln 3 / 2
    # dw_21 = 2 * 0.75 ln 3 / 2     dw_22 = -1 * -0.25 ln 3 / 2
    assert worked.bias_gradients[0] == close([0.375 * LN3, -0.125 * LN3])
    assert worked.weight_gradients[0] == [
        close([0.375 * LN3, 0.125 * LN3]),
        close([0.75 * LN3, 0.125 * LN3]),
    ]


def test_update_by_hand(worked):
    worked.forward(WORKED_X)
    worked.backward(WORKED_Y)
    worked.update(0.4)
    # (2.14): w - 0.4 dL/dw
    assert worked.weights[0] == [
        close([0.5 - 0.15 * LN3, -1.0 - 0.05 * LN3]),
        close([0.25 - 0.3 * LN3, 0.25 - 0.05 * LN3]),
    ]
    assert worked.weights[1] == [close([LN3 - 0.15, 0.15]), close([-LN3 - 0.05, 0.05])]
    # (2.13): b - 0.4 dL/db
    assert worked.biases[0] == close([-0.15 * LN3, 0.25 + 0.05 * LN3])
    assert worked.biases[1] == close([-0.2, 0.2])


ACTIVATIONS = [name for name in activations.NAMES if name != "softmax"]
COMBINATIONS = [
    (hidden, output, loss)
    for hidden, (output, loss) in itertools.product(
        ACTIVATIONS,
        [
            ("softmax", "cross_entropy"),
            ("sigmoid", "binary_cross_entropy"),
            ("exp", "poisson"),
            ("softmax", fm.CrossEntropy(0.1)),
            ("identity", "mean_absolute_error"),
            ("gelu", fm.Huber(0.3)),
            ("silu", fm.Quantile(0.8)),
            *((output, "mean_squared_error") for output in ACTIVATIONS),
        ],
    )
]


@pytest.mark.parametrize(("hidden", "output", "loss"), COMBINATIONS)
def test_gradients_against_finite_differences(hidden, output, loss):
    # 17 nodes sum in order, 3 nodes by tree16: both rules are used.
    net = fm.Network([2, 17, 3], hidden, output, loss, seed=1, dtype="float64")
    net.biases[1] = [0.1, 0.2, 0.3]
    X = [[0.3, -0.8], [1.1, 0.4], [-0.5, 0.9]]
    y = [[0.2, 0.7, 0.4], [1.0, 0.0, 0.0], [0.5, 0.5, 0.1]]
    f = net.objective(X, y)
    theta = net.parameters
    _, gradient = f(theta)
    assert any(gradient)
    # Central differences are off by h^2 / 6 times the third derivative, which is of order one, and
    # by the rounding of two losses of order one, EPS / h; h = 1e-5 makes both about 2e-11.
    h = 1e-5
    for i, expected in enumerate(gradient):
        above, below = list(theta), list(theta)
        above[i] += h
        below[i] -= h
        difference = (f(above)[0] - f(below)[0]) / (2 * h)
        assert difference == pytest.approx(expected, rel=1e-8, abs=1e-9), i


def test_labels_are_one_hot_rows():
    one, other = (fm.Network([2, 3], seed=3) for _ in range(2))
    X = [[0.5, 1.0], [2.0, -1.0]]
    one.forward(X)
    other.forward(X)
    assert one.backward([2, 0]) == other.backward([[0, 0, 1], [1, 0, 0]])
    assert one.gradients == other.gradients


def test_losses_stay_finite_where_outputs_round_to_zero_or_one():
    net = fm.Network([1, 2], seed=1)
    net.parameters = [1000.0, -1000.0, 0.0, 0.0]
    assert net.evaluate([[1.0]], [1]) == (2000.0, 0.0)
    net = fm.Network([1, 1], output="sigmoid", seed=1)
    net.parameters = [1000.0, 0.0]
    assert net.evaluate([[1.0], [-1.0]], [0, 1]) == (1000.0, 0.0)
    assert net.predict([[1.0], [-1.0]]) == [[1.0], [0.0]]


def blobs(n_per_class):
    """Three clusters in the plane, around the corners of a triangle."""
    centres = [(0.0, 2.0), (2.0, -1.0), (-2.0, -1.0)]
    X = [
        [centres[i % 3][0] + math.sin(7.0 * i), centres[i % 3][1] + math.cos(11.0 * i)]
        for i in range(3 * n_per_class)
    ]
    return X, [i % 3 for i in range(3 * n_per_class)]


def test_learns_xor():
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    net = fm.Network([2, 8, 1], activation="tanh", output="sigmoid", seed=1)
    history = net.fit(X, y, epochs=500, batch_size=4, optimizer=fm.SGD(learning_rate=1.0))
    assert history.loss[-1] < 0.02
    assert net.evaluate(X, y).accuracy == 1.0


def test_learns_clusters():
    X, y = blobs(30)
    net = fm.Network([2, 8, 3], seed=1)
    history = net.fit(X, y, epochs=20, batch_size=8, validation_data=blobs(10))
    assert history.loss[-1] < history.loss[0] / 4
    assert history.validation_accuracy[-1] > 0.95
    assert net.evaluate(X, y).accuracy > 0.95


@pytest.mark.slow
def test_learns_digits():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    X, y = X[:50] / 16, y[:50]
    net = fm.Network([64, 8, 10], seed=1)
    net.fit(X, y, epochs=20, batch_size=2)
    assert net.evaluate(X, y).accuracy > 0.95


def test_learns_a_line():
    net = fm.Network([1, 1], output="identity", seed=1)
    X = [[x / 10] for x in range(-10, 11)]
    net.fit(X, [3 * x - 1 for (x,) in X], epochs=100, batch_size=7)
    assert net.parameters == pytest.approx([3.0, -1.0], abs=1e-3)
    assert net.evaluate(X, [3 * x - 1 for (x,) in X]).accuracy is None


@pytest.mark.parametrize("shared", [copy, deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_independent_and_equal(shared):
    X, y = blobs(3)
    net = fm.Network([2, fm.Dense(4, "tanh"), 3], seed=2)
    net.fit(X, y, epochs=1)
    other = shared(net)
    before = net.parameters
    assert (other.parameters, other.epoch, other.seed) == (before, net.epoch, net.seed)
    other.fit(X, y, epochs=1)
    assert net.parameters == before
    net.fit(X, y, epochs=1)
    assert net.parameters == other.parameters


def test_imports_the_standard_library_and_itself_only():
    files = list(Path(fm.__file__).parent.glob("*.py"))
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
                assert roots <= sys.stdlib_module_names, file
            elif isinstance(node, ast.ImportFrom):
                inside = node.level == 1
                assert inside or str(node.module).split(".")[0] in sys.stdlib_module_names, file
