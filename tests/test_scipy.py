"""The closure for scipy.optimize."""

import numpy as np
import pytest

import fastmlp as fm

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = np.array([0, 1, 1, 0])


def network(dtype="float64"):
    return fm.Network([2, fm.Dense(4, "tanh"), fm.Dense(1, "sigmoid")], seed=11, dtype=dtype)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG"])
def test_minimize_converges(method):
    net = network()
    start = net.parameters.copy()
    result = optimize.minimize(
        net.objective(X, XOR), start, jac=True, method=method, options={"maxiter": 500}
    )
    net.parameters = result.x
    loss, accuracy = net.evaluate(X, XOR)
    assert accuracy == 1
    assert loss == pytest.approx(result.fun, rel=1e-12)
    assert loss < 1e-3


def test_float32_converges_as_far_as_it_can():
    net = network("float32")
    result = optimize.minimize(
        net.objective(X, XOR), net.parameters.copy(), jac=True, method="L-BFGS-B"
    )
    assert result.fun < 1e-2


def test_the_gradient_is_a_copy():
    net = network()
    f = net.objective(X, XOR)
    theta = net.parameters.copy()
    _, first = f(theta)
    kept = first.copy()
    _, second = f(theta + 1)
    assert not np.shares_memory(first, net.gradients)
    assert first.flags.owndata
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_theta_stays_in_the_network():
    net = network()
    theta = np.linspace(-1, 1, net.n_parameters)
    loss, gradient = net.objective(X, XOR)(theta)
    np.testing.assert_array_equal(net.parameters, theta)
    np.testing.assert_array_equal(net.gradients, gradient)
    assert loss == pytest.approx(net.evaluate(X, XOR).loss, rel=1e-14)
    theta[:] = 0
    assert net.parameters.any()


def test_the_gradient_agrees_with_differences():
    net = network()
    f = net.objective(X, XOR)
    theta = net.parameters.copy()
    _, gradient = f(theta)
    h = np.finfo(np.float64).eps ** (1 / 3)
    central = [(f(theta + h * e)[0] - f(theta - h * e)[0]) / (2 * h) for e in np.eye(len(theta))]
    # Truncation h^2 times a third derivative of order 1, and rounding eps / h: both about 4e-11.
    np.testing.assert_allclose(gradient, central, rtol=0, atol=100 * h**2)


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        (np.zeros(3), ValueError, r"theta must have shape \(17,\), got \(3,\)"),
        (np.zeros((17, 1)), ValueError, r"\(17, 1\)"),
        (np.zeros(17, complex), ValueError, "complex"),
        (None, TypeError, "theta"),
    ],
)
def test_a_wrong_theta_changes_nothing(assert_unchanged, theta, error, message):
    net = network()
    f = net.objective(X, XOR)
    with assert_unchanged(net), pytest.raises(error, match=message):
        f(theta)


def test_wrong_data_are_found_at_once(assert_unchanged):
    net = network()
    with assert_unchanged(net), pytest.raises(ValueError, match="inconsistent"):
        net.objective(X, XOR[:3])


def test_it_is_the_loss_of_prediction():
    """Without dropout, and normalised by the running averages, which stay."""
    net = fm.Network([2, 9, 1], output="sigmoid", normalization="batch", dropout=0.5, seed=1)
    net.fit(X, XOR, epochs=3)
    statistics = net.statistics.copy()
    loss, _ = net.objective(X, XOR)(net.parameters.copy())
    assert loss == net.evaluate(X, XOR).loss
    np.testing.assert_array_equal(net.statistics, statistics)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, bool])
def test_labels_and_weights_are_copied(dtype):
    """Those of later would not be checked: a weight of -1, say."""
    net = fm.Network([2, 4, 2], seed=1, dtype="float64")
    y, weight = XOR.astype(dtype), np.array([1.0, 2.0, 0.5, 1.0])
    f = net.objective(X.astype(float), y, sample_weight=weight)
    theta = net.parameters.copy()
    before = *f(theta), f.hvp(theta)
    y[:] = 1 - y.astype(int)
    weight[:] = -1.0
    after = *f(theta), f.hvp(theta)
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first, second)


def test_features_may_be_parameters():
    """They are copied, as calls store theta there."""
    net = fm.Network([2, 3, 2], seed=1, dtype="float64")
    rows, theta = net.weights[1][:, :2], np.linspace(-1.0, 1.0, net.n_parameters)
    known = net.objective(rows.copy(), [0, 1, 1])
    f = net.objective(rows, [0, 1, 1])
    loss, gradient = f(theta)
    assert loss == known(theta)[0]
    np.testing.assert_array_equal(gradient, known(theta)[1])
