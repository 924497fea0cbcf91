"""Conversion of array-likes: the same bits from every dtype and layout, in place if possible."""

import sys
import types

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.data._conversion import converted, numbers
from fastmlp.model.model import Model
from fastmlp.network import network_of

VALUES = np.random.default_rng(5).integers(-100, 100, (12, 4))
Y = np.arange(12) % 3


@pytest.fixture
def net(dtype):
    return fm.Network([4, 5, 3], seed=1, dtype=dtype)


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    result = memory.view(array.dtype).reshape(array.shape)
    result[...] = array
    assert not result.flags.aligned
    return result


class Lazy:
    """A custom array-like."""

    def __array__(self, dtype=None, copy=None):
        return VALUES.astype(dtype or float)


LAYOUTS = {
    "float16": lambda: VALUES.astype(np.float16),
    "float32": lambda: VALUES.astype(np.float32),
    "float64": lambda: VALUES.astype(np.float64),
    "longdouble": lambda: VALUES.astype(np.longdouble),
    "int8": lambda: VALUES.astype(np.int8),
    "int64": lambda: VALUES,
    "object of ints": lambda: VALUES.astype(object),
    "object of floats": lambda: VALUES.astype(float).astype(object),
    "list": VALUES.tolist,
    "tuple": lambda: tuple(map(tuple, VALUES.tolist())),
    "list of arrays": lambda: list(VALUES),
    "big-endian float32": lambda: VALUES.astype(">f4"),
    "big-endian float64": lambda: VALUES.astype(">f8"),
    "Fortran order": lambda: np.asfortranarray(VALUES.astype(np.float32)),
    "steps": lambda: np.repeat(VALUES, 3, axis=0).astype(np.float32)[::3],
    "column steps": lambda: np.repeat(VALUES, 2, axis=1).astype(np.float32)[:, ::2],
    "backwards": lambda: VALUES[::-1].astype(np.float32)[::-1],
    "unaligned": lambda: unaligned(VALUES.astype(np.float32)),
    "masked, no mask": lambda: np.ma.masked_array(VALUES.astype(np.float32)),
    "memoryview": lambda: memoryview(VALUES.astype(np.float32)),
    "array interface": Lazy,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_bits(net, layout):
    expected = net.predict(VALUES.astype(net.dtype)).tobytes()
    X = LAYOUTS[layout]()
    assert net.predict(X).tobytes() == expected
    assert net.forward(X).tobytes() == expected
    net.fit(X, Y, epochs=1)
    twin = fm.Network([4, 5, 3], seed=1, dtype=net.dtype)
    twin.fit(VALUES.astype(net.dtype), Y, epochs=1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_zero_strides(net):
    row = np.broadcast_to(VALUES[0].astype(net.dtype), (12, 4))
    np.testing.assert_array_equal(net.predict(row), net.predict(row.copy()))


def test_bools(net):
    np.testing.assert_array_equal(net.predict(VALUES > 0), net.predict((VALUES > 0).astype(int)))


def test_frames(net):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(VALUES, columns=list("abcd"))
    expected = net.predict(VALUES).tobytes()
    assert net.predict(frame).tobytes() == expected
    assert net.predict(frame.astype("Int64")).tobytes() == expected
    labels = net.evaluate(VALUES, Y)
    assert net.evaluate(frame, pandas.Series(Y)) == labels
    assert net.evaluate(frame, pandas.Series(Y, dtype="Int64")) == labels
    frame = frame.astype("Int64")
    frame.iloc[3, 1] = pandas.NA
    with pytest.raises(ValueError, match="X contains null at row 3, column 'b'"):
        net.predict(frame)
    frame = frame.fillna(0).assign(c=["x"] * len(frame))
    with pytest.raises(ValueError, match="X: column 'c' holds text"):
        net.predict(frame)


def test_polars(net):
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(VALUES, schema=list("abcd"))
    assert net.predict(frame).tobytes() == net.predict(VALUES).tobytes()
    assert net.evaluate(frame, polars.Series(Y)) == net.evaluate(VALUES, Y)


def test_dlpack_alone_is_enough(net):
    class Capsule:
        def __init__(self, array):
            self._array = array

        def __dlpack__(self, **arguments):
            return self._array.__dlpack__(**arguments)

        def __dlpack_device__(self):
            return self._array.__dlpack_device__()

    X = VALUES.astype(net.dtype)
    np.testing.assert_array_equal(net.predict(Capsule(X)), net.predict(X))


def test_read_only_and_memory_mapped_data_are_used_in_place(net, tmp_path, assert_unchanged):
    path = tmp_path / "x.npy"
    np.save(path, VALUES.astype(net.dtype))
    mapped = np.load(path, mmap_mode="r")
    frozen = VALUES.astype(net.dtype)
    frozen.flags.writeable = False
    for X in (mapped, frozen):
        assert np.shares_memory(converted(numbers("X", X), net.dtype), X)
        with assert_unchanged(fm.Network([2, 2], seed=1), X):
            net.fit(X, Y, epochs=1)
        net.forward(X)
        assert np.shares_memory(net.nodes[0], X)


def test_integers_beyond_2_to_the_24_are_rounded():
    net = fm.Network([1, 1], output="identity", seed=1)
    net.parameters[:] = [1, 0]
    assert net.predict([[2**24 + 1]]) == 2**24


@pytest.mark.parametrize(
    "labels",
    [Y.tolist(), Y.astype(np.uint8), Y.astype(">i8"), Y.astype(object), np.repeat(Y, 2)[::2],
     Y.astype(np.uint64)],
    ids=["list", "uint8", "big-endian", "object", "strided", "uint64"],
)  # fmt: skip
def test_labels_of_any_integer_type(net, labels):
    assert net.evaluate(VALUES, labels) == net.evaluate(VALUES, Y)


def test_bool_labels():
    net = fm.Network([4, 2], seed=1)
    assert net.evaluate(VALUES, Y > 0) == net.evaluate(VALUES, (Y > 0).astype(int))
    single = network_of(Model.of_layers(4, [fm.Dense(1, "softmax")], None, 1, "float32"))
    assert single.evaluate(VALUES, np.zeros(12, bool)).loss == 0
    with pytest.raises(ValueError, match="label True"):
        single.evaluate(VALUES, Y > 0)


def test_one_output_never_broadcasts(dtype, eps):
    net = fm.Network([4, 1], output="identity", seed=1, dtype=dtype)
    y = np.linspace(0, 1, 12)
    expected = np.square(net.predict(VALUES)[:, 0] - y).mean()
    assert net.evaluate(VALUES, y).loss == pytest.approx(expected, rel=40 * eps)


def test_features_that_are_its_own_weights(net):
    square = fm.Network([4, 4], output="identity", seed=1, dtype=net.dtype)
    twin = fm.Network([4, 4], output="identity", seed=1, dtype=net.dtype)
    weights = square.weights[0]
    twin.fit(weights.copy(), np.eye(4), epochs=2, batch_size=1)
    square.fit(weights, np.eye(4), epochs=2, batch_size=1)
    np.testing.assert_array_equal(square.parameters, twin.parameters)


@pytest.mark.parametrize("module", ["numpy.ma", "pyarrow", "scipy.sparse"])
def test_a_module_that_another_thread_is_importing(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    net = fm.Network([2, 2])
    assert net.predict([[1, 2]]).shape == (1, 2)
    assert net.predict(np.ones((1, 2))).shape == (1, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["input_scale", "output_offset", "loss_weights"])
def test_settings_for_each_column_may_be_anywhere_in_memory(name, dtype):
    nets = [fm.Network([2, fm.Dense(2, "identity")], seed=0, dtype=dtype) for _ in range(2)]
    values = np.array([2.0, 0.5], dtype)
    for net, given in zip(nets, (values, unaligned(values)), strict=True):
        setattr(net, name, given)
        net.fit(np.eye(2), 3 * np.eye(2), epochs=2)
    assert (getattr(nets[1], name) == values).all()
    assert (nets[0].parameters == nets[1].parameters).all()
