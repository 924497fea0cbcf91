"""Hessian-vector products: differences of the gradient, symmetry, the reference, SciPy, errors."""

import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.layers import ACTIVATIONS

ROWS, FEATURES = 37, 5
ELEMENTWISE = [name for name in ACTIVATIONS if name != "softmax"]
OUTPUTS = [
    ("softmax", None),
    ("softmax", "CrossEntropy"),
    ("sigmoid", None),
    ("exp", None),
    ("sigmoid", "mean_squared_error"),
    ("identity", "mean_squared_error"),
    ("tanh", "mean_absolute_error"),
    ("tanh", "Huber"),
    ("gelu", "Quantile"),
    *((name, "mean_squared_error") for name in ELEMENTWISE if name not in {"sigmoid", "identity"}),
]
PARAMETERS = {"CrossEntropy": 0.1, "Huber": 0.4, "Quantile": 0.3}


def case(library, hidden, output, loss, nodes, dtype="float64", rows=ROWS):
    """Return a network, and samples for it, of which some weigh nothing."""
    rng = np.random.default_rng(3)
    if loss in PARAMETERS:
        loss = getattr(library, loss)(PARAMETERS[loss])
    layers = [FEATURES, 7, 20, nodes]
    net = library.Network(layers, hidden, output, loss, seed=1, dtype=dtype)
    noise = 0.2 * rng.standard_normal(net.n_parameters)
    net.parameters = (np.array(net.parameters) + noise).astype(dtype).tolist()
    X = rng.standard_normal((rows, FEATURES)).astype(dtype)
    y = rng.random((rows, nodes)).astype(dtype)
    weight = (rng.random(rows) * (rng.random(rows) < 0.8)).astype(dtype)
    if output == "softmax" and not loss:
        y = rng.integers(0, nodes, rows)
    return net, X, y, weight


def check_differences(f, theta, v):
    """Check H v against differences of the gradient.

    With a step e they are wrong by e^2 C, and those with 2 e by 4 e^2 C: the two differ by three
    times the error of the first. The gradient's rounding error, some 100 units of eps, is divided
    by e. Both are doubled.
    """
    e = 1e-5
    f(theta)
    product = f.hvp(v)
    near, far = ((f(theta + s * v)[1] - f(theta - s * v)[1]) / (2 * s) for s in (e, 2 * e))
    _, gradient = f(theta)
    rounding = 100 * np.finfo(float).eps * np.abs(gradient).max() / e
    assert np.abs(product).max() > 1e3 * rounding
    assert np.abs(product - near).max() <= 2 * (np.abs(far - near).max() / 3 + rounding)


def check_symmetry(f, u, v):
    """U' H v = v' H u up to the rounding of sums of some hundred products."""
    left, right = u @ f.hvp(v), v @ f.hvp(u)
    size = np.abs(u) @ np.abs(f.hvp(v))
    assert abs(left - right) <= 100 * np.finfo(float).eps * size


@pytest.mark.parametrize("nodes", [3, 20])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_every_output_and_loss(rng, output, loss, nodes):
    net, X, y, weight = case(fm, "tanh", output, loss, nodes)
    f = net.objective(X, y, sample_weight=weight)
    u, v = rng.standard_normal((2, net.n_parameters))
    check_differences(f, net.parameters.copy(), v)
    check_symmetry(f, u, v)


@pytest.mark.parametrize("hidden", ELEMENTWISE)
def test_every_activation(rng, hidden):
    net, X, y, _ = case(fm, hidden, "softmax", None, 3)
    f = net.objective(X, y)
    u, v = rng.standard_normal((2, net.n_parameters))
    check_differences(f, net.parameters.copy(), v)
    check_symmetry(f, u, v)


@pytest.mark.parametrize("hidden", [fm.LeakyReLU(0.3), fm.ELU(0.4)])
def test_parameters_of_activations(rng, hidden):
    net, X, y, _ = case(fm, hidden, "softmax", None, 3)
    check_differences(net.objective(X, y), net.parameters.copy(), rng.standard_normal(265))


@pytest.mark.parametrize(
    ("hidden", "output", "loss"),
    [("gelu", "softmax", None)]
    + [(name, "softmax", "CrossEntropy") for name in ELEMENTWISE]
    + [("tanh", *pair) for pair in OUTPUTS],
)
@pytest.mark.parametrize("nodes", [3, 20])
def test_the_reference(dtype, eps, rng, hidden, output, loss, nodes):
    """The twin has no fused operations, and the exact functions of the C library.

    Each number has gone through eight sums of at most 27 terms and as many factors, which grow with
    exp: a random walk of 8 * 27 roundings, at most 5 deviations of it, and 4 units for functions.
    """
    (net, X, y, weight), (twin, *_) = (
        case(library, hidden, output, loss, nodes, dtype, rows=9) for library in (fm, reference)
    )
    v = rng.standard_normal(net.n_parameters).astype(dtype)
    ours = net.objective(X, y, sample_weight=weight).hvp(v)
    theirs = np.array(twin.objective(X.tolist(), y.tolist(), sample_weight=weight).hvp(v))
    growth = 1 + np.abs(net.predict(X)).max() * ("exp" in (hidden, output))
    bound = 5 * np.sqrt(8 * 27 + 8 * 4) * eps / 2 * np.abs(theirs).max() * growth
    assert np.abs(ours - theirs).max() <= bound
    assert np.abs(theirs).max() > 1e-3


def case_of_heads(library, dtype="float64", rows=ROWS, numbers=False):
    """Return the same of a network with a head for each output and loss; all weigh something."""
    rng = np.random.default_rng(4)
    kinds = [pair for pair in OUTPUTS if pair != ("exp", "mean_squared_error")]
    heads, y = {}, []
    for i, (output, loss) in enumerate(kinds):
        chosen = getattr(library, loss)(PARAMETERS[loss]) if loss in PARAMETERS else loss
        heads[f"head {i}"] = library.Head(2 + i % 3, output, chosen, weight=0.3 + i / 8)
        if output == "softmax" and not numbers:
            y.append(rng.integers(0, 2, rows))
        else:
            y.append(rng.random((rows, 2 + i % 3)).astype(dtype))
    net = library.Network([FEATURES, 7, library.Heads(**heads)], "tanh", seed=1, dtype=dtype)
    noise = 0.2 * rng.standard_normal(net.n_parameters)
    net.parameters = (np.array(net.parameters) + noise).astype(dtype).tolist()
    X = rng.standard_normal((rows, FEATURES)).astype(dtype)
    return net, X, tuple(y), (0.1 + rng.random(rows)).astype(dtype)


@pytest.mark.parametrize("numbers", [False, True])
def test_heads(rng, numbers):
    net, X, y, weight = case_of_heads(fm, numbers=numbers)
    f = net.objective(X, y, sample_weight=weight)
    u, v = rng.standard_normal((2, net.n_parameters))
    check_differences(f, net.parameters.copy(), v)
    check_symmetry(f, u, v)


@pytest.mark.parametrize("numbers", [False, True])
def test_the_reference_with_heads(dtype, eps, rng, numbers):
    """The bound of `test_the_reference`."""
    (net, X, y, weight), (twin, *_) = (
        case_of_heads(library, dtype, 9, numbers) for library in (fm, reference)
    )
    v = rng.standard_normal(net.n_parameters).astype(dtype)
    ours = net.objective(X, y, sample_weight=weight).hvp(v)
    theirs = np.array(twin.objective(X.tolist(), y, sample_weight=weight).hvp(v))
    growth = 1 + np.abs(net.predict(X)).max()
    bound = 5 * np.sqrt(8 * 27 + 8 * 4) * eps / 2 * np.abs(theirs).max() * growth
    assert np.abs(ours - theirs).max() <= bound
    assert np.abs(theirs).max() > 1e-3


def test_without_hidden_layers_heads_are_networks_of_their_own(rng):
    """The Hessian has a block for each then; rows are more than one block of the passes."""
    heads = fm.Heads(kind=fm.Head(3, "softmax"), size=fm.Head(2, "gelu", weight=0.25))
    net = fm.Network([FEATURES, heads], seed=1, dtype="float64")
    X = rng.standard_normal((600, FEATURES))
    y = rng.integers(0, 3, 600), rng.standard_normal((600, 2))
    v = rng.standard_normal(net.n_parameters)
    product = net.objective(X, y).hvp(v)
    layer, parts, ends = net.copy(), [], (0, 3, 5)
    for direction in (v, product):
        layer.parameters = direction
        parts.append((layer.weights[0].copy(), layer.biases[0].copy()))
    outputs = ("softmax", "gelu")
    for output, weight, own, first, end in zip(
        outputs, (1.0, 0.25), y, ends, ends[1:], strict=False
    ):
        twin = fm.Network([FEATURES, end - first], output=output, dtype="float64")
        twin.weights[0][:] = net.weights[0][:, first:end]
        (V, c), (expected, of_biases) = (
            (weights[:, first:end], biases[first:end]) for weights, biases in parts
        )
        layer = twin.copy()
        layer.weights[0][:], layer.biases[0][:] = V, c
        layer.parameters = twin.objective(X, own).hvp(layer.parameters.copy())
        np.testing.assert_allclose(expected, weight * layer.weights[0], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(of_biases, weight * layer.biases[0], rtol=1e-12, atol=1e-15)


def test_outputs_and_features_that_are_scaled(rng):
    """The loss is that of the scaled targets, as in the objective itself."""
    net, X, _, _ = case(fm, "tanh", "identity", "mean_squared_error", 3)
    X, y = 100 * X + 7, 1e4 * rng.standard_normal((ROWS, 3))
    net.adapt(X, y)
    u, v = rng.standard_normal((2, net.n_parameters))
    check_differences(net.objective(X, y), net.parameters.copy(), v)
    check_symmetry(net.objective(X, y), u, v)


def test_frozen_layers_are_constants(rng):
    net, X, y, _ = case(fm, "tanh", "softmax", None, 3)
    net.trainable[1] = False
    f = net.objective(X, y)
    frozen = slice(FEATURES * 7 + 7, FEATURES * 7 + 7 + 7 * 20 + 20)
    u, v = rng.standard_normal((2, net.n_parameters))
    product = f.hvp(v)
    assert not product[frozen].any()
    assert product[: frozen.start].all()
    v[frozen] = 0
    assert f.hvp(v).tobytes() == product.tobytes()
    check_differences(f, net.parameters.copy(), v)
    check_symmetry(f, u, v)
    twin = reference.Network([FEATURES, 7, 20, 3], "tanh", seed=1)
    twin.parameters, twin.trainable[1] = net.parameters.tolist(), False
    theirs = np.array(twin.objective(X.tolist(), y.tolist()).hvp(v.tolist()))
    assert np.abs(theirs - product).max() <= 1e-12 * np.abs(product).max()


def test_dropout_is_off(rng):
    plain, dropping = (
        fm.Network([5, 9, 3], "tanh", seed=1, dropout=dropout) for dropout in (0, 0.5)
    )
    X, y, v = rng.random((9, 5)), rng.integers(0, 3, 9), rng.standard_normal(plain.n_parameters)
    products = [net.objective(X, y).hvp(v).tobytes() for net in (plain, dropping)]
    assert products[0] == products[1]


def test_kinks():
    """At a kink it is the piece whose slope the gradient takes: of relu at 0 the flat one."""
    net = fm.Network([1, 1, 1], "relu", "identity", seed=1, dtype="float64")
    net.parameters = [1, 0, 2, 0]
    f = net.objective([[0.0], [-1.0]], [[1.0], [1.0]])
    assert f.hvp([1, 1, 1, 1]).tolist() == [0, 0, 0, 2]
    assert f.hvp([1, 1, 1, 0]).tolist() == [0, 0, 0, 0]
    huber = fm.Network([1, 1], output="identity", loss=fm.Huber(1.0), seed=1, dtype="float64")
    huber.parameters = [0, 0]
    for target, inside in ((0.5, True), (1.0, True), (1.5, False)):
        product = huber.objective([[1.0]], [[target]]).hvp([1, 0])
        assert product.tolist() == [inside, inside]


def test_a_parabola_to_the_bit():
    """One layer and squared errors: H is (2 / n) A' A of the features and a column of ones."""
    X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0], [2.0, 2.0]])
    net = fm.Network([2, 1], output="identity", seed=1, dtype="float64")
    A = np.column_stack([X, np.ones(4)])
    v = np.array([1.0, -2.0, 3.0])
    assert net.objective(X, np.ones((4, 1))).hvp(v).tolist() == (0.5 * A.T @ (A @ v)).tolist()


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg"])
def test_scipy_converges(method):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    y = np.sin(X[:, :1]) * X[:, 1:]
    net = fm.Network([2, 8, 1], "tanh", "identity", seed=2, dtype="float64")
    f = net.objective(X, y)

    def penalised(theta):
        loss, gradient = f(theta)
        return loss + 5e-4 * theta @ theta, gradient + 1e-3 * theta

    start = net.parameters.copy()
    result = optimize.minimize(
        penalised,
        start,
        jac=True,
        hessp=lambda theta, v: f.hessp(theta, v) + 1e-3 * v,
        method=method,
        options={"maxiter": 200},
    )
    assert result.success
    assert result.fun < 0.1 * penalised(start)[0]
    assert np.abs(penalised(result.x)[1]).max() < 1e-4  # their default tolerances
    assert np.array_equal(net.parameters, result.x)


def test_types_and_copies(dtype, assert_unchanged):
    net, X, y, _ = case(fm, "tanh", "softmax", None, 3, dtype)
    net.forward(X)
    nodes = net.nodes[1].copy()
    f, v = net.objective(X, y), np.arange(net.n_parameters)
    with assert_unchanged(net, X):
        first = f.hvp(v)
        second = f.hvp(v[::-1])
        assert f.hvp(v.tolist()).tobytes() == first.tobytes()
    assert first.dtype == np.float64
    assert first.flags.owndata
    assert np.array_equal(first, first.astype(dtype))  # computed in the dtype of the network
    assert first.tobytes() != second.tobytes()
    assert net.nodes[1].tobytes() == nodes.tobytes()
    theta = net.parameters + 1
    assert f.hessp(theta, v).tobytes() == f.hvp(v).tobytes()
    assert np.array_equal(net.parameters, theta)


def test_memory_of_a_smaller_batch_is_reused(dtype):
    net, X, y, _ = case(fm, "gelu", "softmax", None, 3, dtype)
    v = np.ones(net.n_parameters)
    alone = [net.copy().objective(X[:n], y[:n]).hvp(v) for n in (5, ROWS, 9)]
    for n, product in zip((5, ROWS, 9), alone, strict=True):
        assert net.objective(X[:n], y[:n]).hvp(v).tobytes() == product.tobytes()


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalizations_are_refused(normalization):
    for library in (fm, reference):
        for place in ("normalization", "input_normalization"):
            net = library.Network([5, 4, 3], seed=1, **{place: str(normalization)})
            f = net.objective(np.ones((2, 5)).tolist(), [0, 1])
            with pytest.raises(ValueError, match=f"hvp does not support {normalization} normal"):
                f.hvp([0.0] * net.n_parameters)


def test_custom_losses_are_refused():
    def loss(outputs, y, gradient):
        return [0.0] * len(outputs)

    for library in (fm, reference):
        net = library.Network([5, 3], output="identity", loss=loss, seed=1)
        f = net.objective(np.ones((2, 5)).tolist(), np.ones((2, 3)).tolist())
        with pytest.raises(ValueError, match="custom loss"):
            f.hvp([0.0] * net.n_parameters)


@pytest.mark.parametrize(
    ("v", "error", "message"),
    [
        (np.zeros(3), ValueError, r"v must have shape \(265,\), got \(3,\)"),
        (np.zeros((265, 1)), ValueError, r"\(265, 1\)"),
        (np.zeros(265, complex), ValueError, "complex"),
        (None, TypeError, "v"),
    ],
)
def test_a_wrong_v_changes_nothing(assert_unchanged, v, error, message):
    net, X, y, _ = case(fm, "tanh", "softmax", None, 3)
    f = net.objective(X, y)
    with assert_unchanged(net):
        with pytest.raises(error, match=message):
            f.hvp(v)
        with pytest.raises(error, match=message):
            f.hessp(net.parameters + 1, v)
        with pytest.raises(ValueError, match="theta"):
            f.hessp(np.zeros(3), np.zeros(265))


def test_another_thread_is_refused_while_fitting():
    net, X, y, _ = case(fm, "tanh", "softmax", None, 3)
    f, errors = net.objective(X, y), []

    def multiply():
        try:
            f.hvp(np.zeros(net.n_parameters))
        except RuntimeError as error:
            errors.append(error)

    def meanwhile(network, report):
        thread = threading.Thread(target=multiply)
        thread.start()
        thread.join()

    net.fit(X, y, epochs=1, callbacks=meanwhile)
    assert len(errors) == 1
