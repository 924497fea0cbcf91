"""`jacobian` and `input_gradient`: finite differences, PyTorch, the reference, bits and errors."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.layers import ACTIVATIONS

FEATURES, HIDDEN = 7, (20, 9)
SMOOTH = [name for name in ACTIVATIONS if name not in {"softmax", "exp"}]  # but for corners
OUTPUTS = [("softmax", 5), ("sigmoid", 3), ("identity", 1), ("tanh", 20), ("softmax", 150)]


def network(library, output, nodes, dtype="float64", **arguments):
    net = library.Network(
        [FEATURES, *HIDDEN, nodes], output=output, seed=1, dtype=dtype, **arguments
    )
    rng = np.random.default_rng(2)
    net.parameters = (
        np.array(net.parameters) + 0.1 * rng.standard_normal(net.n_parameters)
    ).tolist()
    for i in net.running_means:
        net.running_means[i][:] = rng.standard_normal(HIDDEN[i]).tolist()
        net.running_variances[i][:] = rng.uniform(0.5, 2, HIDDEN[i]).tolist()
    return net


def data(output, nodes, rows=40):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((rows, FEATURES))
    return X, rng.integers(0, nodes, rows) if output == "softmax" else rng.random((rows, nodes))


@pytest.mark.parametrize("kind", [None, "layer", "batch"])
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize(("output", "nodes"), OUTPUTS)
def test_finite_differences(output, nodes, activation, kind):
    net = network(fm, output, nodes, activation=activation, normalization=kind, dropout=0.2)
    X, y = data(output, nodes)
    got, gradient = net.jacobian(X), net.input_gradient(X, y)
    assert got.shape == (len(X), nodes, FEATURES)
    assert gradient.shape == X.shape
    step = 1e-6
    for j in range(FEATURES):
        change = step * np.eye(FEATURES)[j]
        difference = (net.predict(X + change) - net.predict(X - change)) / (2 * step)
        assert np.abs(difference - got[:, :, j]).max() <= 1e-7
        for b in range(3):
            sample, label = X[b : b + 1], y[b : b + 1]
            more, less = (net.evaluate(sample + s * change, label).loss for s in (1, -1))
            assert abs((more - less) / (2 * step) - gradient[b, j]) <= 1e-7


@pytest.mark.parametrize("kind", [None, "layer", "batch"])
@pytest.mark.parametrize(("output", "nodes"), OUTPUTS)
def test_the_reference(dtype, eps, output, nodes, kind):
    """Roundings through three layers there and back, sums of up to 150 terms, as elsewhere."""
    net, twin = (
        network(library, output, nodes, dtype, activation="tanh", normalization=kind)
        for library in (fm, reference)
    )
    twin.parameters = net.parameters.tolist()
    twin.statistics = net.statistics.tolist()
    X, y = data(output, nodes, 3)
    X = X.astype(dtype)
    bound = 5 * np.sqrt(2 * 3 * (150 + 24)) * eps / 2 * 30
    assert np.abs(net.jacobian(X) - twin.jacobian(X)).max() <= bound
    y = y.astype(dtype) if y.ndim == 2 else y
    assert np.abs(net.input_gradient(X, y) - twin.input_gradient(X, y)).max() <= bound


def test_torch_func():
    torch = pytest.importorskip("torch")
    net = network(fm, "softmax", 5, activation="tanh")

    def model(x):
        for i in range(3):
            x = x @ torch.tensor(net.weights[i]) + torch.tensor(net.biases[i])
            x = torch.tanh(x) if i < 2 else torch.softmax(x, -1)
        return x

    X, _ = data("softmax", 5)
    theirs = torch.func.vmap(torch.func.jacrev(model))(torch.tensor(X)).numpy()
    assert np.abs(net.jacobian(X) - theirs).max() <= 1e-13  # 1e3 roundings of float64


@pytest.mark.parametrize("kind", [None, "layer", "batch"])
def test_a_sample_has_the_same_bits_in_any_batch(dtype, kind):
    net = network(fm, "softmax", 5, dtype, normalization=kind)
    X, y = data("softmax", 5, 300)
    whole, gradient = net.jacobian(X), net.input_gradient(X, y)
    for rows in (1, 2, 25, 26, 127, 128, 129, 300):
        for threads in (1, 2):
            assert net.jacobian(X[:rows], n_threads=threads).tobytes() == whole[:rows].tobytes()
            got = net.input_gradient(X[:rows], y[:rows], n_threads=threads)
            assert got.tobytes() == gradient[:rows].tobytes()


def test_nothing_is_touched(assert_unchanged):
    net = network(fm, "softmax", 5, normalization="batch", dropout=0.5)
    X, y = data("softmax", 5)
    net.forward(X)
    nodes = net.nodes[1].copy()
    with assert_unchanged(net, X, net.statistics):
        net.jacobian(X)
        net.input_gradient(X, y)
    assert net.nodes[1].tobytes() == nodes.tobytes()


def test_errors():
    net = network(fm, "softmax", 5)
    X, y = data("softmax", 5)
    assert net.jacobian(X[:0]).shape == (0, 5, FEATURES)
    with pytest.raises(ValueError, match="the network takes 7"):
        net.jacobian(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        net.jacobian(np.full((1, FEATURES), np.nan))
    with pytest.raises(ValueError, match="y"):
        net.input_gradient(X, y[:3])
    with pytest.raises(ValueError, match="at least 1"):
        net.input_gradient(X[:0], y[:0])
    with pytest.raises(ValueError, match="n_threads"):
        net.jacobian(X, n_threads=0)
