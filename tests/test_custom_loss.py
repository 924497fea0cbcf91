"""Custom losses: called with the outputs, they fill the gradient."""

import re

import numpy as np
import pytest

import fastmlp as fm


def squared_error(outputs, y, gradient):
    error = outputs - y.reshape(outputs.shape)
    gradient[...] = 2 * error / outputs.shape[1]
    return (error * error).mean(axis=1)


def cross_entropy(outputs, y, gradient):
    rows = np.arange(len(y))
    gradient[...] = 0
    gradient[rows, y] = -1 / outputs[rows, y]
    return -np.log(outputs[rows, y])


@pytest.fixture
def numbers(rng):
    X = rng.standard_normal((70, 5))
    return X, np.sin(X[:, :2])


@pytest.mark.parametrize("batch_size", [1, 16, 70])
@pytest.mark.parametrize("output", ["identity", "tanh", "gelu"])
def test_squared_error_is_ours_to_rounding(numbers, output, batch_size):
    X, y = numbers
    ours = fm.Network([5, 20, 2], output=output, loss="mean_squared_error", seed=1, dtype="float64")
    own = fm.Network([5, 20, 2], output=output, loss=squared_error, seed=1, dtype="float64")
    results = [n.fit(X, y, 3, batch_size, optimizer=fm.Adam()).loss for n in (ours, own)]
    steps = 3 * -(-70 // batch_size)
    # Each step's gradient is a few roundings apart; Adam divides it by its own size.
    bound = 100 * steps * np.finfo(float).eps
    np.testing.assert_allclose(own.parameters, ours.parameters, rtol=0, atol=bound)
    np.testing.assert_allclose(*results, rtol=bound)
    assert own.evaluate(X, y).loss == pytest.approx(ours.evaluate(X, y).loss, rel=bound)


def test_softmax_passes_the_gradient_on(blobs):
    X, y = blobs
    ours = fm.Network([4, 9, 3], seed=1, dtype="float64")
    own = fm.Network([4, 9, 3], loss=cross_entropy, seed=1, dtype="float64")
    for net in (ours, own):
        net.forward(X[:8])
        net.backward(y[:8])
    np.testing.assert_allclose(own.deltas[1], ours.deltas[1], atol=1e-14)
    np.testing.assert_allclose(own.gradients, ours.gradients, atol=1e-14)


def test_the_same_bits_for_any_number_of_threads(run_python):
    code = """
import hashlib, sys
import numpy as np, fastmlp as fm
rng = np.random.default_rng(1)
X = rng.standard_normal((200, 9)).astype("f")
y = rng.standard_normal((200, 3)).astype("f")
def loss(h, y, g):
    g[...] = np.sign(h - y)
    return np.abs(h - y).sum(axis=1)
net = fm.Network([9, 33, 17, 3], output="identity", loss=loss, seed=4)
net.fit(X, y, 3, 50, n_threads=int(sys.argv[1]), sample_weight=np.arange(200))
print(hashlib.sha256(net.parameters.tobytes()).hexdigest())
"""
    results = {run_python(code, str(n), FASTMLP_EXACT_THREADS="1").stdout for n in (1, 2, 3, 5)}
    assert len(results) == 1
    assert len(results.pop()) == 65


def test_is_handed_each_sample_with_its_target(numbers):
    X, _ = numbers
    net = fm.Network([5, 3], output="identity", loss=lambda h, y, g: g.fill(0) or y, seed=1)
    y = np.arange(70)
    history = net.fit(X, y, 1, 16)
    assert history.loss == [pytest.approx(y.mean())]
    seen = []

    def watch(h, y, g):
        seen.extend(y.tolist())
        g[...] = 0
        return 0.0

    net.loss_function = watch
    net.fit(X, y, 1, 16, shuffle=y[::-1].copy())
    assert seen == y[::-1].tolist()


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda h, y, g: 0.0, ValueError, "left elements of gradient unset"),
        (lambda h, y, g: g.fill(0) or h, ValueError, r"one number per sample, shape \(16,\)"),
        (lambda h, y, g: g.fill(0) or "x", TypeError, "must return numbers"),
        (lambda h, y, g: g.fill(0), TypeError, "must return numbers"),
        (lambda h, y, g: g.fill([1, 2]), ValueError, None),
        (lambda h, y, g: h.nothing, AttributeError, None),
    ],
)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_goes_wrong_leaves_the_last_step(numbers, loss, error, message, n_threads):
    X, y = numbers
    calls = []

    def third_is_bad(h, y, g):
        calls.append(len(h))
        return squared_error(h, y, g) if len(calls) < 3 else loss(h, y, g)

    net = fm.Network([5, 20, 2], output="identity", loss=third_is_bad, seed=1)
    with pytest.raises(error, match=message):
        net.fit(X, y, 3, 16, shuffle=False, n_threads=n_threads)
    good = fm.Network([5, 20, 2], output="identity", loss=squared_error, seed=1)
    good.fit(X[:32], y[:32], 1, 16, shuffle=False)
    assert np.array_equal(net.parameters, good.parameters)


def test_a_kept_array_is_memory_of_its_own(numbers):
    X, y = numbers
    kept = []

    def loss(h, y, g):
        kept.extend([h, g])
        return squared_error(h, y, g)

    net = fm.Network([5, 20, 2], output="identity", loss=loss, seed=1)
    net.fit(X, y, 2, 16)
    del net
    assert all(np.isfinite(array).all() for array in kept)


def test_a_loaded_network_wants_its_function(numbers, tmp_path):
    X, y = numbers
    net = fm.Network([5, 20, 2], output="identity", loss=squared_error, seed=1)
    net.fit(X, y, 1)
    net.save(tmp_path / "net")
    loaded = fm.load(tmp_path / "net")
    assert np.array_equal(loaded.predict(X), net.predict(X))
    with pytest.raises(ValueError, match=r"set net\.loss_function"):
        loaded.fit(X, y, 1)
    loaded.loss_function = squared_error
    loaded.fit(X, y, 1)
    net.fit(X, y, 1)
    assert np.array_equal(loaded.parameters, net.parameters)
    with pytest.raises(ValueError, match="not a function"):
        fm.Network([5, 2]).loss_function = squared_error


TYPES = ["bool", "int8", "int64", "float16", "float32", "float64", "longdouble", ">f8", ">i4"]


@pytest.mark.parametrize("shape", [(70,), (70, 2), (70, 2, 3)], ids=str)
@pytest.mark.parametrize("kind", TYPES)
def test_targets_come_in_the_type_and_shape_given(numbers, kind, shape):
    seen = []

    def watch(h, y, g):
        seen.append((y.dtype, y.shape[1:]))
        g[...] = 0
        return 0.0

    X, y = numbers[0], (np.arange(np.prod(shape)) % 2).reshape(shape).astype(kind)
    net = fm.Network([5, 1], output="identity", loss=watch, seed=1)
    net.fit(X, y, 1, 16)
    net.evaluate(X, y)
    net.forward(X)
    net.backward(y)
    assert {*seen} == {(np.dtype(kind), shape[1:])}


@pytest.mark.parametrize(
    ("shape", "place"), [((70,), "[4]"), ((70, 2), "[2, 0]"), ((70, 2, 3), "[0, 1, 1]")]
)
@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_targets_that_are_not_finite_are_named(
    numbers, assert_unchanged, shape, place, value, kind
):
    net = fm.Network([5, 1], output="identity", loss=squared_error, seed=1)
    y = np.zeros(shape)
    y.flat[4] = value
    with (
        assert_unchanged(net),
        pytest.raises(ValueError, match=re.escape(f"y contains {kind} at {place}")),
    ):
        net.fit(numbers[0], y, 1)
