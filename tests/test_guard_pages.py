"""The user's arrays end at a guarded page: nothing beyond them is read or written.

The kernels take rows in vectors, and our own rows are padded for that; the user's are not. One
element too far and the process dies, here and not once in a while at a user's.
"""

import itertools

import pytest

import fastmlp as fm

HIDDEN = (1, 16, 17, 33)


@pytest.fixture
def samples(guarded, rng, dtype):
    """Make guarded features, labels, target rows and an order for `rows` samples."""

    def made(rows, features, outputs):
        X, y = guarded("X", (rows, features), dtype), guarded("y", (rows, outputs), dtype)
        labels, order = guarded("labels", (rows,), "int32"), guarded("order", (rows,), "uint32")
        X[:], y[:] = rng.standard_normal(X.shape), rng.random(y.shape)
        labels[:], order[:] = rng.integers(0, outputs, rows), rng.permutation(rows)
        return X, labels, y, order

    return made


@pytest.mark.parametrize("features", [*range(1, 36), 63, 64, 65])
def test_prediction(samples, guarded, dtype, features):
    for outputs, rows in itertools.product((1, 2, 3, 9, 16, 17, 33), (1, 2, 7, 8, 130)):
        X, _, y, _ = samples(rows, features, outputs)
        out = guarded("out", (rows, outputs), dtype)
        for layers in ([features, outputs], [features, 20, outputs]):
            net = fm.Network(layers, output="sigmoid", seed=1, dtype=dtype)
            assert net.predict(X, out=out) is out
            assert out.tobytes() == net.predict(X.copy()).tobytes()
            assert net.evaluate(X, y) == net.evaluate(X.copy(), y.copy())


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16, 40])
@pytest.mark.parametrize(
    ("output", "loss", "activation"),
    [
        ("softmax", None, "relu"),
        ("softmax", fm.CrossEntropy(0.1), "gelu"),
        ("sigmoid", None, "relu"),
        ("identity", None, "relu"),
        ("exp", "poisson", "silu"),
        ("gelu", fm.Huber(0.3), "elu"),
    ],
    ids=str,
)
def test_training(samples, dtype, output, loss, activation, batch_size):
    for features, outputs, nodes in itertools.product((1, 5, 16, 31), (1, 2, 10, 17, 40), HIDDEN):
        if output == "softmax" and outputs == 1:
            continue  # which `Network` refuses
        X, labels, y, order = samples(batch_size * 5 // 2 + 1, features, outputs)
        for targets in (labels, y) if output == "softmax" else (y,):
            nets = [
                fm.Network([features, nodes, outputs], activation, output, loss, 1, dtype)
                for _ in range(2)
            ]
            nets[0].fit(X, targets, 2, batch_size, fm.SGD(0.01), shuffle=order)
            nets[1].fit(X.copy(), targets.copy(), 2, batch_size, fm.SGD(0.01), shuffle=order.copy())
            for net, rows in zip(nets, (X, X.copy()), strict=True):
                net.forward(rows)
                net.backward(targets)
                net.update(0.01)
            assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_conversion(guarded, rng, dtype):
    """Rows that are converted first, of other types and layouts, end there as well."""
    for features in (1, 3, 17):
        net = fm.Network([features, 5, 2], seed=1, dtype=dtype)
        for given in ("uint8", "int64", "float16", "float32", "float64", ">f4"):
            X = guarded("X", (7, features), given)
            X[:] = rng.integers(0, 9, X.shape)
            wanted = net.predict(X.astype(dtype)).tobytes()
            assert net.predict(X).tobytes() == wanted
            wide = guarded("X", (7, 2 * features), given)[:, ::2]
            wide[:] = rng.integers(0, 9, wide.shape)
            assert net.predict(wide).tobytes() == net.predict(wide.astype(dtype)).tobytes()


@pytest.mark.no_sanitizer
def test_a_page_is_guarded(run_python):
    """Reads beyond the end do fail: otherwise all tests here would pass."""
    code = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("conftest", sys.argv[1])
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)
array = conftest.GuardedMemory()("array", (3,), "float32")
array[:] = 1
import ctypes
print(array.sum(), flush=True)
ctypes.string_at(array.ctypes.data + array.nbytes, 1)
"""
    done = run_python(code, str(__file__).replace("test_guard_pages", "conftest"))
    assert done.stdout == "3.0\n"
    assert done.returncode < 0
