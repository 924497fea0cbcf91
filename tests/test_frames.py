"""Frames of polars and pyarrow, and arrays of other devices."""

import sys
from decimal import Decimal

import numpy as np
import pytest

import fastmlp as fm

VALUES = np.random.default_rng(5).integers(-100, 100, (12, 4))
Y = np.arange(12) % 3


def table(library, columns):
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    return module.DataFrame(columns) if library == "polars" else module.table(columns)


@pytest.fixture(params=["polars", "pyarrow"])
def library(request):
    return request.param


@pytest.fixture
def net():
    return fm.Network([4, 3], seed=1)


def test_mixed_columns(net, library):
    a, b, c, d = VALUES.T
    frame = table(library, {"a": a.astype(np.int8), "b": b.astype(float), "c": c, "d": d > 0})
    expected = np.column_stack([a, b, c, d > 0])
    y = table(library, {"y": Y})["y"]
    assert net.predict(frame).tobytes() == net.predict(expected).tobytes()
    assert net.evaluate(frame, y) == net.evaluate(expected, Y)


def test_decimals_are_numbers_and_arrays_in_cells_are_none(net, library):
    columns = {name: list(range(12)) for name in "abc"}
    prices = [Decimal(i) / 4 for i in range(12)]
    expected = np.column_stack([*columns.values(), np.arange(12) / 4])
    frame = table(library, columns | {"price": prices})
    assert net.predict(frame).tobytes() == net.predict(expected).tobytes()
    frame = table(library, columns | {"d": [[1.0, 2.0]] * 12})
    with pytest.raises(ValueError, match="X: column 'd' holds several numbers in each row"):
        net.predict(frame)


def test_columns_that_are_no_numbers_are_named(net, library):
    columns = {name: list(range(12)) for name in "abc"}
    with pytest.raises(ValueError, match="X: column 'city' holds text"):
        net.predict(table(library, columns | {"city": ["Rome"] * 12}))
    with pytest.raises(ValueError, match="X contains null at row 3, column 'age'"):
        net.predict(table(library, columns | {"age": [1.0, 2.0, 3.0, None] + [1.0] * 8}))


def test_narwhals_is_named_where_it_is_missing(net, library, monkeypatch):
    frame = table(library, {name: [1.0] for name in "abcd"})
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ImportError, match=r"fastmlp\[frames\]"):
        net.predict(frame)


def test_a_lazy_frame(net):
    with pytest.raises(TypeError, match=r"collect\(\) it"):
        net.predict(table("polars", {"a": [1.0]}).lazy())


def test_memory_of_another_device(net):
    class OnCuda:
        def __dlpack__(self, **arguments):
            raise AssertionError

        def __dlpack_device__(self):
            return 2, 0

    with pytest.raises(TypeError, match="X is on a device that is not the CPU"):
        net.predict(OnCuda())


def test_a_record_batch_and_an_array(net):
    batch = table("pyarrow", {name: VALUES[:, i] for i, name in enumerate("abcd")}).to_batches()[0]
    labels = table("pyarrow", {"y": Y}).to_batches()[0]["y"]
    assert net.evaluate(batch, labels) == net.evaluate(VALUES, Y)
