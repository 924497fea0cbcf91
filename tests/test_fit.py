"""Training: the bits of the three calls, the order of samples, validation, divergence, History."""

import inspect
import pickle
import sys
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core, reference

N = 33  # leaves a short last batch for every size but 1, 3 and 33


@pytest.fixture
def data(rng):
    return rng.standard_normal((N, 7)), rng.integers(0, 3, N)


def by_steps(net, X, y, batch_size, rate, orders):
    """Train as the paper does, with the three calls; return the mean loss of each epoch."""
    losses = []
    for order in orders:
        total = 0.0
        for first in range(0, len(X), batch_size):
            rows = order[first : first + batch_size]
            net.forward(X[rows])
            total += net.backward(y[rows]) * len(rows)
            net.update(rate)
        losses.append(total / len(X))
    return losses


def bits(net):
    return net.parameters.tobytes()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 32, 33, 10**12])
@pytest.mark.parametrize(
    ("hidden", "output"),
    [("relu", "softmax"), ("tanh", "sigmoid"), ("sigmoid", "identity"), ("identity", "tanh")],
)
def test_fit_has_the_bits_of_the_three_calls(dtype, eps, rng, batch_size, hidden, output):
    X = rng.standard_normal((N, 7))
    y = rng.integers(0, 3, N) if output == "softmax" else rng.random((N, 3))
    fused, stepped = (
        fm.Network([7, 18, 5, 3], hidden, output, seed=2, dtype=dtype) for _ in range(2)
    )
    history = fused.fit(X, y, epochs=3, batch_size=batch_size, optimizer=fm.SGD(0.3), shuffle=False)
    losses = by_steps(stepped, X, y, batch_size, 0.3, [np.arange(N)] * 3)
    assert bits(fused) == bits(stepped)
    # The same losses of samples, summed in float64 with other means in between.
    assert history.loss == pytest.approx(losses, rel=N * np.finfo(np.float64).eps)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_threads_do_not_change_bits(dtype, data, n_threads):
    one, many = (fm.Network([7, 65, 3], seed=2, dtype=dtype) for _ in range(2))
    one.fit(*data, epochs=2, n_threads=1)
    many.fit(*data, epochs=2, n_threads=n_threads)
    assert bits(one) == bits(many)


def test_plain_sgd_stores_no_gradient(dtype, data):
    net = fm.Network([7, 65, 3], seed=2, dtype=dtype)
    net.fit(*data, epochs=2)
    assert not net.gradients.any()


class TestOrder:
    def test_two_fits_are_one_long_fit(self, dtype, data):
        once, twice = (fm.Network([7, 9, 3], seed=2, dtype=dtype) for _ in range(2))
        loss = once.fit(*data, epochs=4, batch_size=4).loss
        assert twice.fit(*data, epochs=2, batch_size=4).loss == loss[:2]
        assert twice.fit(*data, epochs=2, batch_size=4).loss == loss[2:]
        assert bits(once) == bits(twice)
        assert once.epoch == twice.epoch == 4

    def test_the_seed_decides_the_order(self, data):
        nets = [fm.Network([7, 9, 3], seed=seed) for seed in (2, 2, 3)]
        for net in nets:
            net.parameters = nets[0].parameters.copy()
        for net in nets:
            net.fit(*data, epochs=1)
        assert bits(nets[0]) == bits(nets[1]) != bits(nets[2])

    def test_the_drawn_order_is_the_documented_one(self, data):
        drawn, stepped = (fm.Network([7, 9, 3], seed=2) for _ in range(2))
        drawn.fit(*data, epochs=2, batch_size=5)
        by_steps(stepped, *data, 5, 0.1, [_core.draw_order(2, epoch, N) for epoch in range(2)])
        assert bits(drawn) == bits(stepped)

    def test_orders_are_permutations_that_differ(self):
        orders = [_core.draw_order(2, epoch, N) for epoch in range(20)]
        for order in orders:
            assert sorted(order) == list(range(N))
        assert len({order.tobytes() for order in orders}) == 20

    def test_one_order_for_each_epoch_handed_in(self, rng, data):
        orders = np.stack([rng.permutation(N) for _ in range(3)])
        for given in (orders, orders.astype(np.uint8), np.asfortranarray(orders), orders.tolist()):
            fitted, stepped = (fm.Network([7, 9, 3], seed=2) for _ in range(2))
            fitted.fit(*data, epochs=3, batch_size=4, shuffle=given)
            by_steps(stepped, *data, 4, 0.1, orders)
            assert bits(fitted) == bits(stepped)

    def test_one_order_for_all_epochs_may_repeat_rows(self, rng, data):
        bootstrap = rng.integers(0, N, N)
        fitted, stepped = (fm.Network([7, 9, 3], seed=2) for _ in range(2))
        fitted.fit(*data, epochs=2, batch_size=4, shuffle=bootstrap)
        by_steps(stepped, *data, 4, 0.1, [bootstrap] * 2)
        assert bits(fitted) == bits(stepped)


class TestLearning:
    def test_it_learns(self, dtype, blobs):
        X, y = blobs
        net = fm.Network([4, 16, 3], seed=1, dtype=dtype)
        before = net.evaluate(X, y)
        history = net.fit(X, y, epochs=30)
        after = net.evaluate(X, y)
        assert after.accuracy == 1 > before.accuracy
        assert after.loss < history.loss[-1] < history.loss[0]

    def test_one_class_one_row_and_constant_features(self, dtype):
        net = fm.Network([4, 5, 3], seed=1, dtype=dtype)
        history = net.fit(np.ones((1, 4)), [2], epochs=50, batch_size=100)
        assert all(later < earlier for earlier, later in pairwise(history.loss))

    def test_dead_relus_stay_finite(self, data):
        net = fm.Network([7, 9, 3], seed=1)
        net.biases[0][:] = -1e6
        net.fit(*data, epochs=2)
        assert np.isfinite(net.parameters).all()


class TestValidation:
    def test_is_evaluated_after_each_epoch(self, dtype, data, rng):
        X, y = rng.standard_normal((10, 7)), rng.integers(0, 3, 10)
        net, twin = (fm.Network([7, 9, 3], seed=2, dtype=dtype) for _ in range(2))
        history = net.fit(*data, epochs=3, validation_data=(X, y))
        expected = []
        for _ in range(3):
            twin.fit(*data, epochs=1)
            expected.append(twin.evaluate(X, y))
        assert bits(net) == bits(twin)
        assert history.validation_loss == [e.loss for e in expected]
        assert history.validation_accuracy == [e.accuracy for e in expected]

    def test_runs_while_the_fit_holds_its_threads(self, rng):
        X, y = rng.standard_normal((600, 64)), rng.integers(0, 3, 600)
        one, two = (fm.Network([64, 256, 3], seed=2) for _ in range(2))
        losses = [
            net.fit(X, y, 2, 300, validation_data=(X, y), n_threads=n).validation_loss
            for n, net in enumerate((one, two), start=1)
        ]
        assert losses[0] == losses[1]
        assert bits(one) == bits(two)

    def test_regression_has_no_accuracy(self, data, rng):
        net = fm.Network([7, 1], output="identity", seed=2)
        X, y = data
        history = net.fit(X, y, epochs=2, validation_data=[X, y])
        assert len(history.validation_loss) == 2
        assert history.validation_accuracy == []


class TestDivergence:
    def test_names_epoch_and_rate_and_restores(self, dtype, data):
        X, y = data
        net = fm.Network([7, 9, 1], output="identity", seed=2, dtype=dtype)
        with pytest.raises(
            fm.DivergenceError, match=r"epoch \d+ with learning_rate=1e\+06"
        ) as info:
            net.fit(X, y, epochs=500, optimizer=fm.SGD(1e6))
        error = info.value
        assert isinstance(error, ValueError)
        assert isinstance(error, ArithmeticError)
        assert error.learning_rate == 1e6
        assert not np.isfinite(error.loss)
        twin = fm.Network([7, 9, 1], output="identity", seed=2, dtype=dtype)
        for _ in range(error.epoch - 1):
            before = twin.parameters.copy()
            twin.fit(X, y, epochs=1, optimizer=fm.SGD(1e6))
            if not np.isfinite(twin.parameters).all():
                twin.parameters = before
                break
        assert np.isfinite(net.parameters).all()
        assert bits(net) == bits(twin)

    def test_in_the_first_epoch_restores_what_was_there(self, data):
        net = fm.Network([7, 9, 1], output="identity", seed=2)
        before = bits(net)
        with pytest.raises(fm.DivergenceError, match="epoch 1 "):
            net.fit(*data, epochs=3, batch_size=1, optimizer=fm.SGD(1e30))
        assert bits(net) == before
        assert net.epoch == 0
        twin = fm.Network([7, 9, 1], output="identity", seed=2)
        for again in (net, twin):  # it continues as if nothing had been tried
            again.fit(*data, epochs=1, optimizer=fm.SGD(0.01))
        assert bits(net) == bits(twin)

    def test_of_a_network_that_was_not_finite_is_said(self, data):
        net = fm.Network([7, 9, 1], output="identity", seed=2)
        net.biases[0][3] = np.nan
        with pytest.raises(ValueError, match="not finite, and had them before the fit") as caught:
            net.fit(*data, epochs=1)
        assert not isinstance(caught.value, fm.DivergenceError)

    def test_in_the_first_epoch_forgets_scaling_and_names(self, data):
        X, y = data
        frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcdefg"))
        net = fm.Network([7, 9, 1], output="identity", seed=2)
        with pytest.raises(fm.DivergenceError):
            net.fit(frame, y, standardize=True, batch_size=1, optimizer=fm.SGD(1e30))
        assert net.input_scale is None
        assert net.output_scale is None
        assert net.feature_names is None

    @pytest.mark.parametrize("library", [fm, reference])
    def test_the_undone_epoch_does_not_count(self, data, library):
        X, y = (part.tolist() for part in data)
        net = library.Network([7, 9, 1], output="identity", seed=2, dtype="float64")
        net.fit(X, y, epochs=2, optimizer=library.SGD(0.01))
        with pytest.raises(library.DivergenceError, match="epoch 1 "):
            net.fit(X, y, epochs=2, batch_size=5, optimizer=library.SGD(1e200))
        assert net.epoch == 2

    @pytest.mark.parametrize("source", ["arrays", "stream", "at once", "reference"])
    def test_the_rate_it_names_is_the_last_one_used(self, data, source):
        X, y = (part.astype(float) for part in data)
        library = reference if source == "reference" else fm
        net = library.Network([7, 9, 1], output="identity", seed=2, dtype="float64")
        rate = library.InverseScaling(1e200, power=1.0)
        given = (fm.ArrayStream(X, y),) if source == "stream" else (X, y)
        train = partial(fm.train_many, [net]) if source == "at once" else net.fit
        with pytest.raises(library.DivergenceError) as caught:
            train(*given, batch_size=5, optimizer=library.SGD(rate))
        assert caught.value.learning_rate == pytest.approx(1e200 / -(-N // 5))

    def test_a_function_s_last_rate_is_named(self, data):
        rates = []

        def rate(step):
            rates.append(1e30 / (1 + step))
            return rates[-1]

        net = fm.Network([7, 9, 1], output="identity", seed=2)
        with pytest.raises(fm.DivergenceError) as caught:
            net.fit(*data, batch_size=5, optimizer=fm.SGD(rate))
        assert caught.value.learning_rate == rates[-1]
        assert f"with learning_rate={rates[-1]:g};" in str(caught.value)

    def test_the_error_can_be_pickled(self):
        error = pickle.loads(pickle.dumps(fm.DivergenceError(3, np.inf, 0.5)))
        assert (error.epoch, error.loss, error.learning_rate) == (3, np.inf, 0.5)
        assert "inf in epoch 3 with learning_rate=0.5" in str(error)


class TestHistory:
    def test_what_it_tells(self, dtype, data):
        net = fm.Network([7, 9, 3], seed=2, dtype=dtype)
        history = net.fit(*data, epochs=4)
        assert len(history.loss) == len(history.epoch_seconds) == 4
        assert history.seconds == pytest.approx(sum(history.epoch_seconds))
        assert history.seconds > 0
        assert history.samples_per_second == pytest.approx(4 * N / history.seconds)
        flops = 2 * (2 * (7 * 9 + 9 * 3) + 9 * 3)
        assert history.gflops == pytest.approx(history.samples_per_second * flops / 1e9)
        assert history.validation_loss == history.validation_accuracy == []
        assert history.dtype == dtype

    def test_the_peak_is_measured_once_and_late(self, data, monkeypatch):
        asked = []
        monkeypatch.setattr(_core, "peak_gflops", lambda *a: asked.append(a) or 100.0)
        history = fm.Network([7, 3], seed=2).fit(*data, epochs=1, n_threads=1)
        repr(history)
        assert asked == []
        assert history.peak_share == history.gflops / 100
        assert history.peak_share == history.gflops / 100
        assert asked == [("float32", 1)]

    def test_the_share_of_the_real_peak(self, rng):
        X, y = rng.standard_normal((512, 64)), rng.integers(0, 10, 512)
        history = fm.Network([64, 64, 10], seed=2).fit(X, y, epochs=5, n_threads=1)
        assert 0 < history.peak_share < 1.2  # a busy machine may measure a low peak

    def test_repr(self):
        history = fm.History(
            [2.5, 0.5], [0.25, 0.25], 100, 10**9, np.dtype("float32"), 1, [3.0, 1.0], [0.5, 1]
        )
        assert repr(history) == (
            "History(epochs=2, loss=2.5..0.5, validation_loss=3..1, validation_accuracy=0.5..1, "
            "seconds=0.5, samples_per_second=400, gflops=400)"
        )
        history.validation_metrics.update(validation_f1=[0.25, 0.75], validation_auc=[0.5, 1])
        assert "0.5..1, validation_f1=0.25..0.75, validation_auc=0.5..1, sec" in repr(history)
        assert repr(fm.History([2.5], [0.5], 100, 10**9, np.dtype("float32"), 1)).startswith(
            "History(epochs=1, loss=2.5, seconds=0.5"
        )

    def test_pickle(self, data):
        history = fm.Network([7, 3], seed=2).fit(*data, epochs=1)
        assert pickle.loads(pickle.dumps(history)) == history

    def test_equal_fits_have_equal_histories_for_any_threads(self, rng):
        X, y = rng.standard_normal((512, 256), dtype=np.float32), rng.integers(0, 3, 512)
        histories = [
            fm.Network([256, 256, 3], seed=2).fit(X, y, 2, 256, n_threads=n) for n in (1, 2)
        ]
        assert histories[0] == histories[1]
        assert pickle.dumps(histories[0]) == pickle.dumps(histories[1])


def test_the_help_of_fit_is_short():
    """It lists what there is in two screens; the guide explains."""
    assert len(inspect.getdoc(fm.Network.fit)) <= 3500


def test_a_plain_fit_calls_few_functions(rng):
    """After a pause each costs some microseconds, as its code and data come from memory."""
    X, y = rng.standard_normal((64, 7), dtype=np.float32), rng.integers(0, 3, 64)
    net = fm.Network([7, 3], seed=2)
    called = []

    def profile(frame, event, _):
        if event == "call":
            called.append(frame.f_code.co_name)

    net.fit(X, y, epochs=1)  # with arguments that need not be checked again
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        net.fit(X, y, epochs=1)
    finally:
        sys.setprofile(before)
    assert 15 < len(called) <= 26, called
