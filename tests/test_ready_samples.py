"""Samples that need no conversion: the core looks at them in one call, and leaves all others."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.data import _memory
from fastmlp.network import model_of

ROWS, FEATURES = 6, 3


def core_of(outputs, output="identity", **options):
    return model_of(fm.Network([FEATURES, 4, outputs], output=output, seed=1, **options)).core


@pytest.fixture(name="X")
def features(rng):
    return rng.standard_normal((ROWS, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_labels_are_copied_so_that_no_callback_changes_them(X, dtype):
    y = np.array([0, 1, 2, 0, 1, 2], dtype)
    ready = core_of(3, "softmax").ready_samples(X, y)
    assert ready.dtype == np.int32
    assert not np.may_share_memory(ready, y)
    np.testing.assert_array_equal(ready, y)


def test_numbers_are_borrowed(X, rng):
    y = rng.standard_normal((ROWS, 2)).astype(np.float32)
    assert core_of(2).ready_samples(X, y) is y


def test_rows_of_classes_are_borrowed(X):
    y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    assert core_of(3, "softmax").ready_samples(X, y) is y


def test_one_output_takes_one_dimension(X, rng):
    y = rng.standard_normal(ROWS).astype(np.float32)
    ready = core_of(1).ready_samples(X, y)
    assert ready.shape == (ROWS, 1)
    assert np.may_share_memory(ready, y)


def test_float64_networks_take_float64(X, rng):
    y = rng.standard_normal((ROWS, 2))
    core = core_of(2, dtype="float64")
    assert core.ready_samples(X.astype(np.float64), y) is y
    assert core.ready_samples(X, y) is None


def with_value(array, value):
    array = array.copy()
    array.flat[-1] = value
    return array


@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X.tolist(), y),
        lambda X, y: (X.astype(np.float64), y),
        lambda X, y: (X[:, :2].copy(), y),
        lambda X, y: (np.asfortranarray(X), y),
        lambda X, y: (X.view(np.recarray), y),
        lambda X, y: (X[0], y),
        lambda X, y: (X[:0], y[:0]),
        lambda X, y: (X[:5], y),
        lambda X, y: (with_value(X, np.nan), y),
        lambda X, y: (with_value(X, np.inf), y),
        lambda X, y: (X, y.tolist()),
        lambda X, y: (X, None),
        lambda X, y: (X, y.astype(np.int8)),
        lambda X, y: (X, y.astype(np.float32)),
        lambda X, y: (X, y[::-1]),
        lambda X, y: (X, with_value(y, 3)),
        lambda X, y: (X, with_value(y, -1)),
        lambda X, y: (X, with_value(np.eye(3, dtype=np.float32)[y], np.nan)),
        lambda X, y: (X, with_value(np.eye(3, dtype=np.float32)[y], -1)),
    ],
)
def test_others_are_left_to_python(X, change):
    y = np.array([0, 1, 2, 0, 1, 2])
    assert core_of(3, "softmax").ready_samples(*change(X, y)) is None


def test_features_that_scales_make_infinite_are_left_to_python(X, rng):
    net = fm.Network([FEATURES, 2], output="identity", seed=1)
    y = rng.standard_normal((ROWS, 2)).astype(np.float32)
    net.input_scale = 1e38
    core = model_of(net).core
    assert core.ready_samples(0 * X, y) is y
    assert core.ready_samples(with_value(X, 1e3), y) is None


def test_custom_losses_and_heads_are_left_to_python(X):
    def loss(outputs, y, gradient):
        gradient[...] = outputs - y
        return np.zeros(len(y))

    y = np.zeros((ROWS, 2), np.float32)
    assert core_of(2, loss=loss).ready_samples(X, y) is None
    heads = fm.Heads(a=fm.Head(1, "identity"), b=fm.Head(1, "identity"))
    net = fm.Network([FEATURES, heads], seed=1)
    assert model_of(net).core.ready_samples(X, y) is None


def test_a_step_of_one_output_has_the_same_bits_in_one_dimension(X, rng):
    y = rng.standard_normal(ROWS).astype(np.float32)
    flat, column = (fm.Network([FEATURES, 4, 1], output="identity", seed=1) for _ in range(2))
    losses = [
        flat.train_on_batch(X, y, "adam"),
        column.train_on_batch(X, y[:, np.newaxis], "adam"),
    ]
    flat.train_on_batch(X, None, "adam", gradient=y)
    column.train_on_batch(X, None, "adam", gradient=y[:, np.newaxis])
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(flat.parameters, column.parameters)


def test_a_step_refuses_the_targets_that_a_fit_refuses(X):
    net = fm.Network([FEATURES, 3], seed=1)
    y = with_value(np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]], -1)
    with pytest.raises(ValueError, match=r"at least 0 for cross_entropy, got -1\.0 at row 5"):
        net.train_on_batch(X, y, "sgd")


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_results_beyond_the_memory_are_refused(X, rng, monkeypatch, method):
    y = rng.standard_normal((ROWS, 2)).astype(np.float32)
    net = fm.Network([FEATURES, 2], output="identity", seed=1)
    monkeypatch.setattr(_memory, "_UNASKED", 0)
    monkeypatch.setattr(_memory, "limit", lambda: _memory.Limit(8 * ROWS - 1, "this machine"))
    with pytest.raises(MemoryError, match=f"the results for the {ROWS} samples of X would need"):
        getattr(net, method)(X, y)


def test_a_fit_has_the_bits_of_one_with_converted_samples(X, rng):
    y = rng.standard_normal(ROWS).astype(np.float32)
    ready, converted = (fm.Network([FEATURES, 4, 1], output="identity", seed=1) for _ in range(2))
    ready.fit(X, y, epochs=3, batch_size=4)
    converted.fit(X.astype(np.float64), y.tolist(), epochs=3, batch_size=4)
    np.testing.assert_array_equal(ready.parameters, converted.parameters)
