"""Streams: training on them is training in memory, with the order they define, to the bit."""

import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.data.stream import RowStream
from fastmlp.reference.random import block_order, sample_order

ROWS, FEATURES = 1003, 7


@pytest.fixture
def data(rng):
    X = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    return X, rng.integers(0, 3, ROWS), rng.random(ROWS).astype(np.float32)


def network(dtype="float32"):
    hidden = (
        fm.Dense(16, "tanh", dropout=0.2),
        fm.Dense(12, "relu", normalization="batch"),
        fm.Dense(9, "gelu", normalization="layer"),
    )
    return fm.Network([FEATURES, *hidden, 3], seed=3, dtype=dtype)


def orders(stream, net, epochs):
    return np.array([stream.order(net.seed, net.epoch + epoch) for epoch in range(epochs)])


def assert_same(one, other):
    assert one.parameters.tobytes() == other.parameters.tobytes()
    assert one.statistics.tobytes() == other.statistics.tobytes()
    assert one.epoch == other.epoch


SIZES = [(13, 100), (1, 20), (500, 64), (2000, 5000), (7, 1), (None, None)]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize(("block_rows", "window_rows"), SIZES)
def test_a_stream_trains_as_its_order_in_memory(data, block_rows, window_rows, n_threads):
    X, y, weight = data
    stream = fm.ArrayStream(X, y, weight, block_rows=block_rows, window_rows=window_rows)
    streamed, in_memory = network(), network()
    rows = orders(stream, in_memory, 3)
    assert all(sorted(order) == list(range(ROWS)) for order in rows.tolist())
    for optimizer in (fm.Adam(fm.OneCycle(1e-2)), fm.SGD(fm.StepDecay(0.1), momentum=0.9)):
        history = streamed.fit(
            stream, epochs=3, batch_size=32, optimizer=optimizer, n_threads=n_threads
        )
        rows = orders(stream, in_memory, 3)
        expected = in_memory.fit(
            X, y, 3, 32, optimizer, shuffle=rows, sample_weight=weight, n_threads=1
        )
        assert_same(streamed, in_memory)
        assert history.loss == expected.loss
        assert history.learning_rate == expected.learning_rate
        assert history.samples == ROWS


@pytest.mark.parametrize("batch_size", [1, 5, 1000, 1003, 5000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batches_of_any_size(data, dtype, batch_size):
    X, y, _ = data
    stream = fm.ArrayStream(X.astype(np.float64), y, block_rows=10, window_rows=64)
    streamed = fm.Network([FEATURES, 8, 3], seed=1, dtype=dtype)
    in_memory = fm.Network([FEATURES, 8, 3], seed=1, dtype=dtype)
    rows = orders(stream, in_memory, 2)
    streamed.fit(stream, epochs=2, batch_size=batch_size)
    in_memory.fit(X.astype(dtype), y, epochs=2, batch_size=batch_size, shuffle=rows)
    assert_same(streamed, in_memory)


@pytest.mark.parametrize("source", ["float16", "uint8", ">f8", "int64", "bool"])
def test_features_of_any_type(rng, source):
    X = (rng.random((300, FEATURES)) * 5).astype(source)
    y = rng.standard_normal(300)
    stream = fm.ArrayStream(X, y, block_rows=9, window_rows=40)
    one, other = (fm.Network([FEATURES, 4, 1], output="identity", seed=2) for _ in range(2))
    order = stream.order(2, 0)
    one.fit(stream, epochs=1, optimizer=fm.SGD(1e-3))
    other.fit(X, y, epochs=1, optimizer=fm.SGD(1e-3), shuffle=order)
    assert_same(one, other)


def test_what_fits_into_a_window_is_trained_on_as_in_memory(data):
    X, y, _ = data
    one, other = network(), network()
    one.fit(fm.ArrayStream(X, y, block_rows=10), epochs=2)
    other.fit(X, y, epochs=2)
    assert_same(one, other)


class AnyRows(RowStream):
    """Rows of arrays, read one by one."""

    def __init__(self, X, y, weight):
        self.arrays = X, y, weight
        self.most = 0

    n_features = FEATURES
    block_rows = (400, 603)

    def read_rows(self, rows):
        self.most = max(self.most, len(rows))
        return tuple(array[rows] for array in self.arrays)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [5, 32, 700, 2000])
def test_rows_that_are_read_in_any_order_are_trained_on_as_in_memory(data, batch_size, shuffle):
    X, y, weight = data
    one, other = network(), network()
    stream = AnyRows(X, y, weight)
    np.testing.assert_array_equal(stream.order(3, 5), sample_order(3, 5, ROWS))
    expected = other.evaluate(X, y, sample_weight=weight)
    assert one.evaluate(stream).loss == pytest.approx(expected.loss, rel=1e-12)
    for _ in range(2):
        history = one.fit(stream, epochs=2, batch_size=batch_size, shuffle=shuffle)
        expected = other.fit(
            X, y, epochs=2, batch_size=batch_size, shuffle=shuffle, sample_weight=weight
        )
        assert history.loss == expected.loss
        assert_same(one, other)
    assert stream.most <= max(batch_size, 603)


def test_without_shuffling_rows_come_as_they_stand(data):
    X, y, _ = data
    one, other = network(), network()
    stream = fm.ArrayStream(X, y, block_rows=10, window_rows=77)
    one.fit(stream, epochs=2, shuffle=False)
    other.fit(X, y, epochs=2, shuffle=False)
    assert_same(one, other)


@pytest.mark.parametrize(
    ("block_rows", "window_rows"),
    [([5, 3, 7, 1], 4), ([16], 16), ([5, 0, 11], 100), ([100], 7), ([1] * 50, 8), ([3], 1)],
)
def test_the_order_is_that_of_the_reference(block_rows, window_rows):
    class Blocks(fm.Stream):
        n_features = 1

        def __init__(self):
            self.window_rows = window_rows

        @property
        def block_rows(self):
            return block_rows

        def read(self, start, stop):
            raise NotImplementedError

    for epoch in range(3):
        order = Blocks().order(2**63 + 5, epoch)
        assert order.tolist() == block_order(2**63 + 5, epoch, block_rows, window_rows)
        if window_rows >= sum(block_rows):
            assert order.tolist() == sample_order(2**63 + 5, epoch, sum(block_rows))


def test_a_stream_that_grows_is_trained_on_as_it_was_at_first(data):
    X, y, _ = data

    class Growing(fm.Stream):
        n_features = X.shape[1]
        block_rows = (10, 20)

        def read(self, start, stop):
            return X[start:stop], y[start:stop]

    stream, net, twin = Growing(), network(), network()
    twin.fit(Growing(), epochs=3)

    def grow(*_):
        stream.block_rows = (10, 20, 30, 40)

    net.fit(stream, epochs=3, callbacks=grow)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_files(data, tmp_path):
    X, y, weight = data
    np.save(tmp_path / "X.npy", X.astype(np.float64))
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "w.npy", weight)
    stream = fm.ArrayStream(tmp_path / "X.npy", str(tmp_path / "y.npy"), tmp_path / "w.npy")
    assert repr(stream) == "ArrayStream(1,003 rows, 7 features, float64)"
    one, other = network(), network()
    one.fit(stream, epochs=1)
    other.fit(X, y, epochs=1, sample_weight=weight)
    assert_same(one, other)


def test_predicting_and_evaluating(data):
    X, y, weight = data
    net = network()
    stream = fm.ArrayStream(X, y, weight, block_rows=10, window_rows=100)
    assert net.predict(stream).tobytes() == net.predict(X).tobytes()
    out = np.empty((ROWS, 3), np.float32)
    assert net.predict(stream, out=out) is out
    expected = net.evaluate(X, y, sample_weight=weight)
    for measured in (
        net.evaluate(stream),
        net.evaluate([(X[:9], y[:9], weight[:9]), (X[9:], y[9:], weight[9:])]),
    ):
        assert measured.loss == pytest.approx(expected.loss, rel=1e-6)
        assert measured.accuracy == pytest.approx(expected.accuracy, rel=1e-6)


def test_validation_on_a_stream(data):
    X, y, _ = data
    stream = fm.ArrayStream(X[500:], y[500:], block_rows=10)
    one, other = network(), network()
    history = one.fit(X[:500], y[:500], epochs=2, validation_data=stream, metrics="f1")
    expected = other.fit(
        X[:500], y[:500], epochs=2, validation_data=(X[500:], y[500:]), metrics="f1"
    )
    assert history.validation_loss == pytest.approx(expected.validation_loss, rel=1e-6)
    assert history["validation_f1"] == expected["validation_f1"]


@pytest.mark.parametrize("cuts", [[], [1], [5, 200, 200, 303], list(range(1, ROWS, 3))])
def test_batches_of_an_iterable_are_cut_to_the_batch_size(data, cuts):
    X, y, weight = data
    parts = zip(*(np.split(array, cuts) for array in (X, y, weight)), strict=True)
    batches = list(parts)
    one, other = network(), network()
    history = one.fit(batches, epochs=2, batch_size=32, optimizer=fm.Adam())
    expected = other.fit(X, y, 2, 32, fm.Adam(), shuffle=False, sample_weight=weight)
    assert_same(one, other)
    assert (history.loss, history.samples) == (expected.loss, ROWS)


def test_an_iterator_is_for_one_epoch(data, assert_unchanged):
    X, y, _ = data
    net = network()
    batches = ((X[i : i + 10], y[i : i + 10]) for i in range(0, ROWS, 10))
    with assert_unchanged(net), pytest.raises(ValueError, match="epochs must be 1, got 10"):
        net.fit(batches)
    assert net.fit(batches, epochs=1).samples == ROWS
    with assert_unchanged(net), pytest.raises(fm.DataError, match="yielded no samples"):
        net.fit(batches, epochs=1)


def test_a_loss_of_ones_own(data):
    X, _, _ = data

    def squares(outputs, y, gradient):
        gradient[...] = 2 * (outputs - y)
        return ((outputs - y) ** 2).sum(axis=1)

    y = X[:, :2].copy()
    one, other = (
        fm.Network([FEATURES, 4, 2], output="identity", loss=squares, seed=1) for _ in range(2)
    )
    stream = fm.ArrayStream(X, y, block_rows=10, window_rows=100)
    order = orders(stream, one, 2)
    one.fit(stream, epochs=2, optimizer=fm.SGD(1e-3))
    other.fit(X, y, epochs=2, optimizer=fm.SGD(1e-3), shuffle=order)
    assert_same(one, other)


def test_classes_weigh_as_in_memory(data):
    X, y, weight = data
    one, other = network(), network()
    stream = fm.ArrayStream(X, y, weight)
    one.fit(stream, epochs=1, class_weight={0: 2.5})
    other.fit(X, y, epochs=1, class_weight={0: 2.5}, sample_weight=weight)
    assert_same(one, other)


def test_checkpoints(data, tmp_path):
    X, y, _ = data
    stream = fm.ArrayStream(X, y, block_rows=10, window_rows=100)
    one, other = network(), network()
    one.fit(stream, epochs=4)
    path = tmp_path / "run.ckpt"
    other.fit(stream, epochs=2, checkpoint=path)
    resumed = network()
    resumed.fit(stream, epochs=4, checkpoint=path)
    assert_same(one, resumed)
    with pytest.raises(ValueError, match="the blocks of a stream"):
        network().fit(fm.ArrayStream(X, y, block_rows=11), epochs=4, checkpoint=path)


def test_threads_end(data):
    X, y, _ = data
    stream = fm.ArrayStream(X, y, block_rows=10, window_rows=100)
    before = threading.active_count()

    def stop(net, report):
        return True

    network().fit(stream, epochs=5, callbacks=stop)

    def fail(net, report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network().fit(stream, epochs=5, callbacks=fail)
    X[900, 2] = np.inf
    with pytest.raises(fm.DataError):
        network().fit(stream, epochs=5)
    assert threading.active_count() == before
