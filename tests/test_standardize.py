"""`adapt` and ``fit(standardize=True)``: what is learned, from which samples, and when."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

RNG = np.random.default_rng(5)
X = RNG.normal([20.0, -3.0, 1e4], [5.0, 0.1, 3e3], (60, 3))
Y = np.column_stack([100 * X[:, 0] + X[:, 2], X[:, 1] - X[:, 0] / 10])
LABELS = (X[:, 0] > 20).astype(int) + (X[:, 1] > -3)


def scaled_net(dtype="float32", seed=1):
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=seed, dtype=dtype)
    net.adapt(X, Y)
    return net


def test_adapt_learns_mean_and_deviation(dtype):
    net = scaled_net(dtype)
    eps = float(np.finfo(dtype).eps)
    z = X * net.input_scale.astype(float) + net.input_offset.astype(float)
    # Both factors are rounded: the offset by half an ulp of up to 30.
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=32 * eps)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=4 * eps)
    np.testing.assert_allclose(net.output_scale, Y.std(axis=0), rtol=eps)
    np.testing.assert_allclose(net.output_offset, Y.mean(axis=0), rtol=eps)
    assert net.input_scale.dtype == dtype


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_standardize_before_the_first_fit_only(source):
    x = X.astype(source)
    net, twin = (fm.Network([3, 8, 2], "tanh", "identity", seed=1) for _ in range(2))
    twin.adapt(x, Y)
    net.fit(x, Y, 2, standardize=True)
    twin.fit(x, Y, 2)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.input_offset.tobytes() == twin.input_offset.tobytes()
    net.fit(5 * x, Y, 1, standardize=True)
    assert net.input_offset.tobytes() == twin.input_offset.tobytes()


@pytest.mark.parametrize(
    "train", [lambda net: net.fit(X, Y, 1), lambda net: net.train_on_batch(X, Y, "sgd")]
)
def test_standardize_after_a_training_without_it_is_refused(train):
    for library in (fm, reference):
        net = library.Network([3, 8, 2], "tanh", "identity", seed=1)
        train(net)
        with pytest.raises(ValueError, match=r"standardize=True.* trained without scaling"):
            net.fit(X.tolist(), Y.tolist(), 1, standardize=True)
        assert net.input_scale is None


def test_standardize_learns_from_the_training_part_only():
    outlier = X.copy()
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=1)
    net.fit(outlier, Y, 1, standardize=True, validation_fraction=0.25)
    z = X * net.input_scale + net.input_offset
    assert abs(z.mean(axis=0)).max() > 1e-3  # some rows were held out
    weight = np.ones(60)
    weight[:30] = 0
    half, twin = (fm.Network([3, 8, 2], "tanh", "identity", seed=1) for _ in range(2))
    half.fit(X, Y, 1, standardize=True, sample_weight=weight)
    twin.adapt(X[30:], Y[30:])
    assert half.input_offset.tobytes() == twin.input_offset.tobytes()


def test_classes_are_not_scaled():
    net = fm.Network([3, 8, 3], seed=1)
    net.fit(X, LABELS, 60, standardize=True)
    assert net.output_scale is None
    assert net.evaluate(X, LABELS).accuracy > 0.9
    with pytest.raises(ValueError, match="y is scaled only for outputs of identity"):
        net.adapt(X, LABELS)


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_train_many_is_each_fit(source):
    x = X.astype(source)
    nets, twins = ([scaled_net(seed=i) for i in range(3)] for _ in range(2))
    nets[2].input_scale = twins[2].input_scale = None
    histories = fm.train_many(nets, x, Y, 2, optimizer=fm.SGD(0.01))
    for net, twin, history in zip(nets[:2], twins[:2], histories, strict=False):
        own = twin.fit(x, Y, 2, optimizer=fm.SGD(0.01))
        assert net.parameters.tobytes() == twin.parameters.tobytes()
        assert history.loss == own.loss


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_streams_are_read_as_arrays(source):
    x = X.astype(source)
    stream = fm.ArrayStream(x, Y, block_rows=20)
    net, twin = scaled_net(), scaled_net()
    net.fit(stream, epochs=2, validation_data=stream)
    twin.fit(x, Y, 2)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.predict(stream).tobytes() == twin.predict(x).tobytes()
    assert net.evaluate(stream).loss == pytest.approx(twin.evaluate(x, Y).loss, rel=1e-6)
    other = fm.Network([3, 8, 2], "tanh", "identity", seed=1)
    other.adapt(stream)
    np.testing.assert_allclose(other.input_offset, net.input_offset, rtol=1e-6)
    np.testing.assert_allclose(other.output_scale, net.output_scale, rtol=1e-6)
    batches = ((x[i : i + 16], Y[i : i + 16]) for i in (0, 16, 32, 48))
    with pytest.raises(ValueError, match=r"call net\.adapt\(X, y\) before fit"):
        fm.Network([3, 8, 2], output="identity").fit(batches, epochs=1, standardize=True)


def test_constant_columns_become_zero():
    x = np.column_stack([X, np.full(60, 0.1)])
    y = np.column_stack([Y[:, :1], np.full(60, 7.5)])
    net = fm.Network([4, 8, 2], "tanh", "identity", seed=1)
    net.fit(x, y, 5, standardize=True)
    assert (net.input_scale[3], net.input_offset[3], net.output_scale[1]) == (0, 0, 0)
    assert (net.predict(x)[:, 1] == np.float32(7.5)).all()
    assert np.isfinite(net.parameters).all()
    x[:, 3] = 99
    assert np.isfinite(net.predict(x)).all()


def test_a_resumed_fit_has_the_scaling_of_its_checkpoint(tmp_path):
    def network():
        return fm.Network([3, 8, 2], "tanh", "identity", seed=1)

    whole = network()
    whole.fit(X, Y, 6, standardize=True)
    for epochs in (3, 6):
        net = network()
        net.fit(X, Y, epochs, standardize=True, checkpoint=tmp_path / "fit.ckpt")
    assert net.parameters.tobytes() == whole.parameters.tobytes()
    assert net.input_scale.tobytes() == whole.input_scale.tobytes()


def adapted(net, *samples):
    net.adapt(*samples)
    return net


def test_a_resumed_fit_refuses_another_scaling_than_that_of_its_checkpoint(tmp_path):
    def network():
        return fm.Network([3, 8, 2], "tanh", "identity", seed=1)

    def fit(net, epochs=3, **options):
        net.fit(X, Y, epochs, checkpoint=tmp_path / "fit.ckpt", **options)

    scaling = {
        "learned": (network, {"standardize": True}),
        "none": (network, {}),
        "adapted": (lambda: adapted(network(), X[:9], Y[:9]), {}),
        "adapted before": (lambda: adapted(network(), X[:9], Y[:9]), {"standardize": True}),
    }
    same = {("adapted", "adapted before"), ("adapted before", "adapted")}
    for first, (make, options) in scaling.items():
        (tmp_path / "fit.ckpt").unlink(missing_ok=True)
        fit(make(), **options)
        for second, (remake, others) in scaling.items():
            net = remake()
            before = net.input_scale, net.parameters.tobytes()
            if first == second or (first, second) in same:
                fit(net, 4, **others)
                continue
            with pytest.raises(ValueError, match="of another fit: scaling was"):
                fit(net, 4, **others)
            assert net.parameters.tobytes() == before[1]
            assert (net.input_scale is None) == (before[0] is None)


def test_a_refused_fit_learns_nothing():
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=1)
    for arguments in ({"y": Y[:5]}, {"y": Y, "sample_weight": -np.ones(60)}):
        with pytest.raises(ValueError, match=r"y|sample_weight"):
            net.fit(X, standardize=True, **arguments)
        assert net.input_scale is None
        assert net.output_scale is None


@pytest.mark.parametrize("deviations", [1e4, 1e6, 1e8, 3e9])
@pytest.mark.parametrize("source", ["float64", "int64"])
def test_a_mean_of_many_deviations_keeps_its_digits(deviations, source):
    """Such as nanoseconds since 1970 within a minute, 1e8 deviations from 0."""
    x = (1.7e15 + 1.7e15 / deviations * RNG.standard_normal((400, 1))).astype(source)
    x = np.column_stack([x, np.arange(400)]).astype(source)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    net = fm.Network([2, 3, 1], output="identity", seed=1)
    net.adapt(x)
    net.forward(x)
    # The scale is up to 2**-11 larger, for z below 5. The best of 4,096 offsets is rounded by less
    # than 1/512 of the largest possible rounding, except with probability e**-8.
    moved = float(np.spacing(np.float32(deviations))) / 2 / 512
    np.testing.assert_allclose(net.nodes[0], z, rtol=0, atol=2.0**-11 * 5 + max(moved, 1 / 128))
    assert len(np.unique(net.nodes[0][:, 0])) == len(np.unique(x[:, 0]))
    twin = reference.Network([2, 3, 1], output="identity", seed=1)
    twin.adapt(x.tolist())
    np.testing.assert_allclose(net.input_scale, twin.input_scale, rtol=2.0**-11 + 2.0**-23)
    np.testing.assert_allclose(net.input_offset, twin.input_offset, rtol=2.0**-11 + 2.0**-23)


@pytest.mark.parametrize("start", [1.7e18, 1.7e10])
def test_a_mean_that_no_offset_can_remove(start):
    """The offset would be rounded by more than a deviation, and the feature saturate the nodes."""
    X = np.tile(np.arange(300.0)[:, None], 2)
    X[:, 1] = start + X[:, 1] * np.spacing(start)
    for library, data in ((fm, X), (reference, X.tolist())):
        net = library.Network([2, 3, 1], output="identity", seed=1)
        y = X[:, 0].tolist()
        for adapt in (
            lambda net=net, data=data: net.adapt(data),
            lambda net=net, data=data, y=y: net.fit(data, y, 1, standardize=True),
        ):
            with pytest.raises(ValueError, match=r"X varies too little around its mean .*column 1"):
                adapt()
            assert net.input_scale is None
        double = library.Network([2, 3, 1], output="identity", seed=1, dtype="float64")
        double.adapt(data)
        assert double.input_scale[1] > 0
    net = fm.Network([2, 3, 1], output="identity", seed=1)
    net.adapt(X - [0, start])
    net.adapt(np.column_stack([X[:, 0], 1.7e9 + 86.4 * np.arange(300)]))  # seconds of a morning


@pytest.mark.parametrize("start", [1e9, -1.7e9, 1e7])
def test_targets_whose_deviations_float32_loses(start):
    """Rounded they may be constant, and the network seem to be right about all of them."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = start + 2 * X[:, :1] + X[:, 1:]
    words = r"y varies too little around its mean .* in column 0.*float32"
    net = fm.Network([2, 1], output="identity", seed=1)
    head = fm.Network([2, fm.Heads(a=fm.Head(1, "identity"), b=fm.Head(1, "identity"))], seed=1)
    pairs = [
        (net, y),
        (net, y[:, 0].tolist()),
        (head, (y, X[:, 1])),
        (head, {"a": y, "b": X[:, 1]}),
    ]
    for each, targets in pairs:
        for train in (
            lambda each=each, targets=targets: each.adapt(X, targets),
            lambda each=each, targets=targets: each.fit(X, targets, 1, standardize=True),
            lambda each=each, targets=targets: fm.train_many(
                [each], X, targets, 1, standardize=True
            ),
            lambda each=each, targets=targets: each.fit(
                X, targets, optimizer=fm.LBFGS(), standardize=True
            ),
        ):
            with pytest.raises(ValueError, match=words):
                train()
            assert each.output_scale is None
            assert each.epoch == 0
    stream = fm.ArrayStream(X, y, block_rows=20)
    with pytest.raises(ValueError, match=words):
        net.adapt(stream)
    twin = reference.Network([2, 1], output="identity", seed=1)
    with pytest.raises(ValueError, match=words):
        twin.adapt(X.tolist(), y.tolist())
    fm.Network([2, 1], output="identity", seed=1, dtype="float64").adapt(X, y)
    net.adapt(X, y - start)
    noisy = np.full(60, 0.1) + np.arange(60) % 2 * 2.0**-56  # a constant that was computed
    with pytest.warns(UserWarning, match="y is constant in column 0: .* output_scale.0. = 1"):
        net.adapt(X, noisy)
    assert net.output_scale[0] == 0


def test_adapt_warns_of_columns_that_are_constant_so_far():
    net = fm.Network([3, 2], output="identity", seed=1)
    X = np.array([[1.0, 2.0, 0.0], [1.0, 3.0, 0.0]])
    with pytest.warns(UserWarning, match="X is constant in column 0 and 1 more: .*input_scale"):
        net.adapt(X)
    net.input_scale[[0, 2]] = 1
    assert net.predict([[4.0, 3.0, 5.0]]).tolist() != net.predict([[1.0, 3.0, 0.0]]).tolist()
    net.adapt(X[:, [1, 1, 1]], [[1.0, 2.0], [2.0, 1.0]])


def test_adapt_refuses_an_iterator():
    net = fm.Network([2, 3], seed=1)
    with pytest.raises(TypeError, match=r"X must be .* a Stream, got a generator"):
        net.adapt(row for row in [(1.0, 2.0), (3.0, 4.0)])


@pytest.mark.parametrize(("unit", "what"), [(1e-23, "round to 0"), (1e19, "overflow")])
def test_losses_that_their_type_cannot_hold(unit, what):
    """The square of the unit leaves float32, in which losses in units of y are."""
    net, heads = fm.Network([3, 2], output="identity", seed=1), fm.Heads(a=fm.Head(2, "identity"))
    words = f"standard deviation of .*losses in units of y {what} in float32.*dtype='float64'"
    for each, y in ((net, Y * unit), (fm.Network([3, 2, heads], seed=1), {"a": Y * unit})):
        with pytest.warns(UserWarning, match=words) as warned:
            each.adapt(X, y)
        assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match=words) as warned:
        fm.Network([3, 2], output="identity", seed=1).fit(X, Y * unit**0.8, 1, standardize=True)
    assert warned[0].filename == __file__
    fm.Network([3, 2], output="identity", loss="mean_absolute_error").adapt(X, Y * unit)
    fm.Network([3, 2], output="identity", dtype="float64").adapt(X, Y * unit)


TIMES = 1_700_000_000_000_000_000  # nanoseconds, which float64 rounds to multiples of 256


@pytest.mark.parametrize("step", [1, 10, 100, 300])
def test_integers_that_float64_rounds_are_refused(dtype, step, assert_unchanged):
    y = np.arange(60.0)
    times = (TIMES + step * np.arange(60))[:, np.newaxis]
    net = fm.Network([1, 4, 1], output="identity", seed=1, dtype=dtype)
    for name, use in {
        "X": lambda: net.fit(times, y, standardize=True),
        "X, a list": lambda: net.fit(times.tolist(), y, standardize=True),
        "X, adapted": lambda: net.adapt(times),
        "X, rescaled": lambda: fm.Rescaled.standardize(times),
        "X, unsigned": lambda: net.adapt(times.astype(np.uint64)),
        "X, negative": lambda: net.adapt(-times),
        "X, a stream": lambda: net.adapt(fm.ArrayStream(times, y)),
        "X of many": lambda: fm.train_many([net], times, y, standardize=True),
        "y": lambda: net.fit(y[:, np.newaxis], times, standardize=True),
        "y, adapted": lambda: net.adapt(y[:, np.newaxis], times[:, 0]),
    }.items():
        with (
            assert_unchanged(net),
            pytest.raises(ValueError, match=f"^{name[0]} holds integers from .* multiples of 256"),
        ):
            use()


def test_integers_that_float64_keeps_apart_are_scaled():
    """Also constants, and what is left after a subtraction."""
    y = np.arange(60.0)
    for times in (TIMES + 1000 * np.arange(60), np.full(60, TIMES + 1), np.arange(60)):
        net = fm.Network([1, 4, 1], output="identity", seed=1, dtype="float64")
        net.fit(times[:, np.newaxis], y, 1, standardize=True)
        exact = times - times[0]  # of integers
        deviation = exact.std()
        expected = 1 / deviation if deviation else 0.0
        np.testing.assert_allclose(net.input_scale, expected, rtol=1 / 64)


def test_columns_of_integers_beside_floats_are_refused():
    """pandas makes one array of floats of both."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"level": np.arange(60.0), "time": TIMES + np.arange(60)})
    net = fm.Network([2, 4, 1], output="identity", seed=1)
    for use in (
        lambda: net.adapt(frame),
        lambda: net.fit(frame, np.arange(60.0), standardize=True),
    ):
        with pytest.raises(ValueError, match=r"^X, column 'time', holds integers from"):
            use()
