"""Activations and normalizations with parameters: results, files and exchange, errors."""

import copy
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import layers, reference

LAMBDA = 5  # the confidence of the bound, as in test_against_reference.py
EPOCHS, BATCH = 4, 7
ROWS = 5 * BATCH - 2
STEPS = 5 * EPOCHS

KINDS = {
    "slope": lambda lib, nodes: lib.Dense(nodes, lib.LeakyReLU(negative_slope=0.3)),
    "slope above 1": lambda lib, nodes: lib.Dense(nodes, lib.LeakyReLU(1.5)),
    "no slope": lambda lib, nodes: lib.Dense(nodes, lib.LeakyReLU(0)),
    "alpha": lambda lib, nodes: lib.Dense(nodes, lib.ELU(alpha=0.4)),
    "tanh": lambda lib, nodes: lib.Dense(nodes, lib.GELU(approximate="tanh")),
    "batch": lambda lib, nodes: lib.Dense(nodes, "tanh", lib.BatchNorm(1e-2, 0.3), 0.1),
    "layer": lambda lib, nodes: lib.Dense(nodes, lib.ELU(0.4), lib.LayerNorm(epsilon=1e-2)),
    "batch after": lambda lib, nodes: lib.Dense(
        nodes, "relu", lib.BatchNorm(after_activation=True), 0.2
    ),
    "layer after": lambda lib, nodes: lib.Dense(
        nodes, "silu", lib.LayerNorm(1e-3, after_activation=True), 0.2
    ),
    "batch after, no dropout": lambda lib, nodes: lib.Dense(
        nodes, lib.LeakyReLU(0.2), lib.BatchNorm(1e-3, 0.5, after_activation=True)
    ),
}
"""Layers of either library."""


def network(library, kind, dtype="float32"):
    """A wide and a narrow layer of a kind, which sum in different orders."""
    hidden = [KINDS[kind](library, nodes) for nodes in (20, 12)]
    return library.Network([5, *hidden, 3], seed=3, dtype=dtype)


def data(dtype="float64", rows=ROWS):
    rng = np.random.default_rng(2)
    return rng.standard_normal((rows, 5)).astype(dtype), rng.integers(0, 3, rows)


def bound(eps):
    """Roundings of the steps, as test_normalization.py derives it; growth at most 30."""
    return LAMBDA * math.sqrt(2 * STEPS * 3 * (20 + 24)) * eps / 2 * 30


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_that_of_the_reference(kind, dtype, eps):
    X, y = data(dtype)
    ours, twin = network(fm, kind, dtype), network(reference, kind, dtype)
    assert ours.parameters.tolist() == twin.parameters
    ours.fit(X, y, EPOCHS, BATCH, fm.SGD(0.05))
    twin.fit(X.tolist(), y.tolist(), EPOCHS, BATCH, reference.SGD(0.05))
    assert np.abs(ours.parameters - twin.parameters).max() <= bound(eps)
    assert np.abs(ours.predict(X) - twin.predict(X.tolist())).max() <= bound(eps)
    for i in ours.running_means:
        assert np.abs(ours.running_means[i] - twin.running_means[i]).max() <= bound(eps)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_differences(kind):
    """Central differences with h = 1e-5: see test_reference.py for the tolerance."""
    first, second, _ = network(fm, kind).layers
    hidden = [replace(layer, dropout=0.0) for layer in (first, second)]  # masks would differ
    net = fm.Network([5, *hidden, 3], seed=3, dtype="float64")
    net.parameters += 0.01 * np.random.default_rng(1).standard_normal(net.n_parameters)
    X, y = data(rows=9)
    net.forward(X)
    net.backward(y)
    gradients, theta, h = net.gradients.copy(), net.parameters.copy(), 1e-5
    for i in range(0, theta.size, 3):
        losses = []
        for step in (h, -h):
            net.parameters = theta
            net.parameters[i] += step
            net.forward(X)
            losses.append(net.backward(y))
        difference = (losses[0] - losses[1]) / (2 * h)
        assert difference == pytest.approx(gradients[i], rel=1e-6, abs=1e-8), i


@pytest.mark.parametrize("kind", KINDS)
def test_the_jacobian_is_that_of_differences(kind):
    net, X, h = network(fm, kind, "float64"), data(rows=6)[0], 1e-6
    jacobian = net.jacobian(X)
    for j in range(5):
        step = h * np.eye(5)[j]
        difference = (net.predict(X + step) - net.predict(X - step)) / (2 * h)
        assert np.abs(jacobian[:, :, j] - difference).max() <= 1e-8


@pytest.mark.parametrize("kind", KINDS)
def test_everything_keeps_them(kind, tmp_path):
    net = network(fm, kind)
    X, y = data("float32")
    net.fit(X, y, 1, BATCH)
    net.save(tmp_path / "net")
    net.save_checkpoint(tmp_path / "checkpoint")
    trained = network(fm, kind)
    fm.train_many([trained], X, y, epochs=1, batch_size=BATCH)
    kept = {
        "file": fm.load(tmp_path / "net"),
        "checkpoint": fm.load_checkpoint(tmp_path / "checkpoint"),
        "pickle": pickle.loads(pickle.dumps(net)),
        "deepcopy": copy.deepcopy(net),
        "copy": net.copy(),
    }
    for name, other in kept.items():
        assert other.layers == net.layers, name
        assert repr(other) == repr(net), name
        assert other.predict(X).tobytes() == net.predict(X).tobytes(), name
    assert trained.layers == net.layers
    assert trained.parameters.tobytes() == net.parameters.tobytes()
    fm.load(tmp_path / "net").save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()


def test_a_network_without_them_is_of_version_1(tmp_path):
    usual = [fm.LeakyReLU(), fm.ELU(), fm.GELU()]
    plain = ["leaky_relu", "elu", "gelu"]
    for i, activations in enumerate((usual, plain)):
        hidden = [fm.Dense(4, h, fm.BatchNorm(1e-5, 0.1)) for h in activations]
        fm.Network([2, *hidden, 2], seed=1).save(tmp_path / str(i))
    first, second = ((tmp_path / name).read_bytes() for name in "01")
    assert first == second
    assert b'"version":"1"' in first
    network(fm, "alpha").save(tmp_path / "2")
    assert b'"version":"2"' in (tmp_path / "2").read_bytes()


def test_they_equal_their_name():
    layer = fm.Dense(4, fm.LeakyReLU(0.2), fm.BatchNorm(momentum=0.01))
    assert layer.activation == "leaky_relu"
    assert layer.normalization == "batch"
    assert layer.activation.negative_slope == 0.2
    assert layer != fm.Dense(4, "leaky_relu", "batch")
    assert layer != fm.Dense(4, fm.LeakyReLU(0.3), fm.BatchNorm(momentum=0.01))
    assert layer == fm.Dense(4, fm.LeakyReLU(0.2), fm.BatchNorm(momentum=0.01))
    assert len({layer, fm.Dense(4, fm.LeakyReLU(0.2), fm.BatchNorm(momentum=0.01))}) == 1
    assert fm.LeakyReLU(0.2) != fm.LeakyReLU(0.3)
    assert fm.BatchNorm(momentum=0.01) != fm.BatchNorm()
    assert fm.Dense(4, fm.ELU(), fm.LayerNorm()) == fm.Dense(4, "elu", "layer")
    assert repr(layer) == (
        "Dense(nodes=4, activation=LeakyReLU(negative_slope=0.2), "
        "normalization=BatchNorm(momentum=0.01))"
    )
    assert "LeakyReLU(negative_slope=0.2), BatchNorm(momentum=0.01)" in repr(
        fm.Network([3, layer, 2]).summary()
    )


def test_they_stand_wherever_a_name_does():
    net = fm.Network(
        [3, 4, 2], fm.ELU(0.5), fm.LeakyReLU(0.1), normalization=fm.LayerNorm(1e-3), seed=1
    )
    assert net.layers == (
        fm.Dense(4, fm.ELU(0.5), fm.LayerNorm(1e-3)),
        fm.Dense(2, fm.LeakyReLU(0.1)),
    )
    assert net.loss == "mean_squared_error"


def test_estimators_take_them(rng):
    sklearn = pytest.importorskip("fastmlp.sklearn")
    X, y = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    for activation in (fm.LeakyReLU(0.2), [fm.ELU(0.5), "relu"]):
        model = sklearn.MLPClassifier((4, 3), activation)
        model.partial_fit(X, y, classes=[0, 1])
        first = activation if isinstance(activation, str) else activation[0]
        assert layers.parameter_of(model.network_.layers[0].activation) == first.parameter


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fm.LeakyReLU(-0.1), ValueError, "negative_slope"),
        (lambda: fm.LeakyReLU("0.1"), TypeError, "negative_slope"),
        (lambda: fm.LeakyReLU(alpha=0.1), TypeError, "write negative_slope="),
        (lambda: fm.ELU(math.inf), ValueError, "alpha"),
        (lambda: fm.GELU("erf"), ValueError, "approximate"),
        (lambda: fm.BatchNorm(0.0), ValueError, "epsilon"),
        (lambda: fm.BatchNorm(eps=1e-3), TypeError, "write epsilon="),
        (lambda: fm.BatchNorm(momentum=1.1), ValueError, "momentum"),
        (lambda: fm.BatchNorm(momentum=None), TypeError, "momentum"),
        (lambda: fm.LayerNorm(after_activation="yes"), TypeError, "after_activation"),
        (lambda: fm.Dense(3, fm.LeakyReLU), TypeError, r"write LeakyReLU\(\)"),
        (lambda: fm.Dense(3, "relu", fm.LayerNorm), TypeError, r"write LayerNorm\(\)"),
        (lambda: fm.Dense(3, fm.BatchNorm()), ValueError, "activation"),
        (lambda: fm.Network([2, 3, 1], fm.LeakyReLU(1e300), "identity"), ValueError, "slope"),
        (lambda: fm.Network([2, fm.Dense(3, "relu", fm.LayerNorm(1e-60)), 2]), ValueError, "eps"),
        (lambda: fm.Network([2, fm.Dense(3, "relu", fm.LayerNorm(1e-3))]), ValueError, "output"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_numbers_of_the_other_implementation_are_not_lost():
    for package, other in ((fm, reference), (reference, fm)):
        for activation in (other.LeakyReLU(0.2), other.ELU(0.5)):
            with pytest.raises(TypeError, match=r"activation is .* would be lost"):
                package.Network([2, 3, 1], activation, "identity")
        for normalization in (other.BatchNorm(epsilon=0.1), other.LayerNorm(epsilon=0.1)):
            with pytest.raises(TypeError, match=r"normalization is .* would be lost"):
                package.Network([2, 3, 1], "relu", "identity", normalization=normalization)
