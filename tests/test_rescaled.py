"""`Rescaled`: scale and offset without a copy, and what it refuses."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.data import copying

Y = np.arange(30) % 3


@pytest.fixture(params=[0, 1 << 24], ids=["borrowed", "converted"])
def _size(request, monkeypatch):
    monkeypatch.setattr(copying, "WORTH_BORROWING", request.param)


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (30, 21), np.uint8)


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("per_feature", [False, True])
def test_one_rounding_for_scale_and_offset(pixels, rng, dtype, fma, per_feature):
    scale, offset = rng.standard_normal((2, 21)) if per_feature else (1 / 255, -0.5)
    X = fm.Rescaled(pixels, scale, offset)
    plain = fma(pixels.astype(dtype), np.asarray(scale, dtype), np.asarray(offset, dtype))
    net, twin = (fm.Network([21, 8, 3], seed=1, dtype=dtype) for _ in range(2))
    net.fit(X, Y, epochs=2, batch_size=4, validation_data=(X, Y))
    twin.fit(plain, Y, epochs=2, batch_size=4)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.predict(X).tobytes() == twin.predict(plain).tobytes()
    assert net.evaluate(X, Y) == twin.evaluate(plain, Y)
    assert net.forward(X).tobytes() == twin.forward(plain).tobytes()
    factor = np.asarray(scale, dtype)  # of the chain rule, one more rounding
    assert net.jacobian(X).tobytes() == (twin.jacobian(plain) * factor).tobytes()
    gradient = twin.input_gradient(plain, Y) * factor
    assert net.input_gradient(X, Y).tobytes() == gradient.tobytes()
    fm.train_many([net], X, Y, epochs=1)
    fm.train_many([twin], plain, Y, epochs=1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_the_twin_computes_the_same(rng):
    """It rounds the product, too: half an ulp of that, and of the sum on either side."""
    X, test = rng.normal(3.0, 2.0, (60, 4)), rng.normal(size=(20, 4))
    X[:, 2] = 0.1
    ours, twin = fm.Rescaled.standardize(X), reference.Rescaled.standardize(X.tolist())
    eps = np.finfo(np.float64).eps
    # Sums of n terms in another order, at most n eps of their size each: of means, and of squares.
    size = 60 * eps * (np.abs(X).max() / X.std(axis=0)[[0, 1, 3]].min()) ** 2
    for one, other in ((ours, twin), (ours.like(test), twin.like(test.tolist()))):
        np.testing.assert_allclose(other.tolist(), np.asarray(one), rtol=0, atol=size)
    scale, offset = rng.normal(size=(2, 4))
    one, other = fm.Rescaled(X, scale, offset), reference.Rescaled(X.tolist(), scale, offset)
    bound = eps / 2 * (np.abs(scale * X) + 2 * np.abs(np.asarray(one)))
    assert (np.abs(np.array(other.tolist()) - np.asarray(one)) <= bound).all()


def test_nothing_is_copied(pixels):
    assert np.shares_memory(fm.Rescaled(pixels, 0.5).X, pixels)
    assert np.shares_memory(fm.Rescaled(pixels, 0.5).rows(np.dtype("float32")).values, pixels)


def test_is_an_array_like(pixels):
    X = fm.Rescaled(pixels, 1 / 255, 1)
    assert X.shape == (30, 21)
    assert len(X) == 30
    assert repr(X) == "Rescaled(uint8 (30, 21), scale=0.00392157, offset=1)"
    np.testing.assert_allclose(np.asarray(X), pixels / 255 + 1, rtol=1e-15)
    assert np.asarray(X, np.float32).dtype == np.float32
    assert "21 numbers" in repr(X.standardize(pixels))


def test_standardize(rng):
    X = rng.integers(-50, 200, (5000, 40)).astype(np.int16)  # several blocks
    X[:, 7] = 3
    train, test = X[:4000], X[4000:]
    rescaled = fm.Rescaled.standardize(train)
    z = np.asarray(rescaled)
    eps, largest = np.finfo(np.float64).eps, np.abs(z).max()
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=4000 * eps * largest)
    deviation = z.std(axis=0)
    assert deviation[7] == 0
    np.testing.assert_allclose(np.delete(deviation, 7), 1, atol=4000 * eps)
    other = rescaled.like(test)
    assert np.shares_memory(other.X, test)
    np.testing.assert_array_equal(other.scale, rescaled.scale)
    np.testing.assert_array_equal(other.offset, rescaled.offset)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("deviations", [1e4, 1e6, 1e8, 3e9])
def test_a_mean_of_many_deviations_becomes_0(rng, deviations, dtype):
    """Such as seconds since 1970 within a minute, 1e8 deviations from 0."""
    X = 1.7e9 + 1.7e9 / deviations * rng.standard_normal((400, 1))
    z = fm.Rescaled.standardize(X).rows(np.dtype(dtype)).read().astype(float)
    # As in test_scaling: of 4,096 offsets the best is rounded by 1/512 of what any may be.
    moved = float(np.spacing(np.float32(deviations))) / 2 / 512
    assert abs(z.mean()) < max(moved, 1 / 128)
    assert abs(z.std() - 1) < 2.0**-11 + 400 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e10 + 0.1, -7.7e-5])
def test_a_constant_column_becomes_0(rng, value, dtype):
    X = np.column_stack([np.full(1237, value), rng.normal(size=1237)])
    rows = fm.Rescaled.standardize(X).rows(np.dtype(dtype)).read()
    np.testing.assert_array_equal(rows[:, 0], 0)


@pytest.mark.parametrize(("value", "size"), [(1e200, "large"), (1e-200, "small")])
def test_squares_beyond_float64_are_refused(value, size):
    with pytest.raises(ValueError, match=f"too {size} to be squared in column 1"):
        fm.Rescaled.standardize(np.array([[0.0, value], [1.0, -value]]))


def test_the_old_name_warns(rng):
    X = rng.normal(size=(9, 2))
    with pytest.warns(FutureWarning, match="now called Rescaled.standardize"):
        old = fm.Rescaled.standardise(X)
    np.testing.assert_array_equal(np.asarray(old), np.asarray(fm.Rescaled.standardize(X)))


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("source", ["float64", "int64", "uint64"])
def test_what_float32_does_not_hold_keeps_its_digits(rng, source, fma):
    """Seconds since 1970, a day of them."""
    seconds = (1.7e9 + rng.integers(0, 86400, (30, 21))).astype(source)
    X = fm.Rescaled.standardize(seconds)
    scale, offset = (f.astype(np.float32).astype(np.float64) for f in (X.scale, X.offset))
    expected = fma(seconds.astype(np.float64), scale, offset).astype(np.float32)
    net, twin = (fm.Network([21, 8, 3], seed=1) for _ in range(2))
    assert net.predict(X).tobytes() == twin.predict(expected).tobytes()
    net.fit(X, Y, epochs=2, batch_size=4)
    twin.fit(expected, Y, epochs=2, batch_size=4)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    # A second is 1 / deviation, whatever the day: half an ulp of values below 4 may be lost.
    steps = np.diff(np.sort(np.unique(expected[:, 0])))
    assert steps.min() > 0.9 * X.scale[0]


def test_what_is_too_large_of_its_own():
    net = fm.Network([1, 2], seed=1)
    assert np.isfinite(net.predict(fm.Rescaled([[1e39]], 1e-9))).all()
    with pytest.raises(ValueError, match="scale and offset make it too large for float32"):
        net.predict(fm.Rescaled([[1e30]], 1e30))


def test_the_same_as_scikit_learn(rng):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    X = rng.gamma(2.0, 30.0, (500, 6))
    expected = preprocessing.StandardScaler().fit_transform(X)
    np.testing.assert_allclose(np.asarray(fm.Rescaled.standardize(X)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scale": np.nan}, ValueError, "scale must be finite, got nan"),
        ({"offset": [np.inf] * 21}, ValueError, "offset must be finite, got inf"),
        (
            {"scale": [1, 2]},
            ValueError,
            r"scale must be a number or have shape \(21,\), got \(2,\)",
        ),
        ({"offset": np.ones((21, 1))}, ValueError, r"offset must be .* got \(21, 1\)"),
        ({"scale": "wide"}, TypeError, "scale must be an array"),
        ({"scale": 1j}, ValueError, "scale is complex"),
        ({"X": np.zeros(21)}, ValueError, r"X must have 2 dimensions .* got shape \(21,\)"),
        ({"X": "pixels"}, TypeError, "X must be an array"),
    ],
)
def test_what_is_refused(pixels, arguments, error, message):
    with pytest.raises(error, match=message):
        fm.Rescaled(**{"X": pixels} | arguments)


@pytest.mark.usefixtures("_size")
def test_what_is_refused_once_the_network_is_known(pixels, assert_unchanged):
    net = fm.Network([21, 3], seed=1)
    with assert_unchanged(net, pixels):
        with pytest.raises(ValueError, match=r"scale holds 1e\+300: too large for float32"):
            net.fit(fm.Rescaled(pixels, 1e300), Y)
        large = np.full((30, 21), 2e38)
        large[0] = 0
        with pytest.raises(
            ValueError, match=r"X holds 2e\+38 at row 1, column 0: scale and offset make"
        ):
            net.fit(fm.Rescaled(large, 2), Y)
        few = pixels % 30
        few[2, 5] = 255
        with pytest.raises(
            ValueError, match=r"X holds 255 at row 2, column 5: scale and offset make it"
        ):
            net.predict(fm.Rescaled(few, 1e37))
        with pytest.raises(ValueError, match="X has 20 features"):
            net.predict(fm.Rescaled(pixels[:, :20]))
    np.testing.assert_allclose(
        fm.Network([21, 3], seed=1, dtype="float64").predict(fm.Rescaled(large, 1e-38)).sum(1), 1
    )


@pytest.mark.parametrize("X", [np.empty((0, 3)), np.array([[1.0, np.nan]])])
def test_what_has_no_mean(X):
    with pytest.raises(ValueError, match=r"X has 0 samples|X contains NaN at row 0, column 1"):
        fm.Rescaled.standardize(X)


def test_derivatives_are_by_what_is_rescaled(rng):
    X, scale, offset = rng.standard_normal((5, 3)), np.array([2.0, -0.5, 0.0]), [1, 2, 3]
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype="float64")
    twin = reference.Network([3, 8, 2], "tanh", "identity", seed=1)
    twin.parameters = net.parameters.tolist()
    y = rng.standard_normal((5, 2))
    rescaled = fm.Rescaled(X, scale, offset)
    got, gradient = net.jacobian(rescaled), net.input_gradient(rescaled, y)
    again = reference.Rescaled(X.tolist(), scale.tolist(), offset)
    np.testing.assert_allclose(got, twin.jacobian(again), atol=1e-14)
    np.testing.assert_allclose(gradient, twin.input_gradient(again, y.tolist()), atol=1e-14)
    for j in range(3):
        change = 1e-6 * np.eye(3)[j]
        more, less = (net.predict(rescaled.like(X + s * change)) for s in (1, -1))
        np.testing.assert_allclose((more - less) / 2e-6, got[:, :, j], atol=1e-7)
