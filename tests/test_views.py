"""Views: live, zero-copy, and alive as long as anybody holds them."""

import gc
import sys

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.network import model_of


@pytest.fixture
def net(dtype):
    return fm.Network([5, 4, fm.Dense(17, "tanh"), 3], seed=3, dtype=dtype)


SHAPES = [(5, 4), (4, 17), (17, 3)]


def test_shapes_and_layout(net, dtype):
    assert len(net.weights) == len(net.biases) == 3
    for views in (net.weights, net.weight_gradients):
        assert [view.shape for view in views] == SHAPES
    for views in (net.biases, net.bias_gradients):
        assert [view.shape for view in views] == [(n,) for _, n in SHAPES]
    for views in (net.weights, net.biases, net.weight_gradients, net.bias_gradients):
        for view in views:
            assert view.dtype == dtype
            assert view.flags.c_contiguous
            assert view.flags.writeable
            assert not view.flags.owndata


def test_flat_view_is_the_pieces_in_order_without_padding(net):
    net.parameters[:] = np.arange(net.n_parameters)
    pieces = [piece.ravel() for pair in zip(net.weights, net.biases, strict=True) for piece in pair]
    np.testing.assert_array_equal(np.concatenate(pieces), net.parameters)
    assert net.parameters.shape == (sum(k * n + n for k, n in SHAPES),)
    address = net.parameters.ctypes.data
    for piece in pieces:
        assert piece.ctypes.data == address
        address += piece.nbytes


def test_gradients_have_the_same_layout_and_start_at_zero(net):
    assert not net.gradients.any()
    net.gradients[:] = np.arange(net.n_parameters)
    for w, dw, b, db in zip(
        net.weights, net.weight_gradients, net.biases, net.bias_gradients, strict=True
    ):
        offset = (w.ctypes.data - net.parameters.ctypes.data) // w.itemsize
        np.testing.assert_array_equal(dw.ravel(), offset + np.arange(w.size))
        offset = (b.ctypes.data - net.parameters.ctypes.data) // b.itemsize
        np.testing.assert_array_equal(db, offset + np.arange(b.size))


def test_flat_views_are_ready_for_mpi_and_dlpack(net):
    for flat in (net.parameters, net.gradients):
        assert flat.ndim == 1
        buffer = memoryview(flat)
        assert buffer.contiguous
        assert not buffer.readonly
        assert buffer.nbytes == net.n_parameters * net.dtype.itemsize
        assert np.shares_memory(np.from_dlpack(flat), flat)


def test_writing_through_a_view_changes_the_network(net, rng):
    X = rng.standard_normal((6, 5)).astype(net.dtype)
    before = net.predict(X)
    for view in net.weights:
        view[...] = 0
    net.biases[-1][:] = [1, 2, 3]
    expected = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    # exp, the sum of three and the quotient: at most 2 + 2 + 1 roundings.
    np.testing.assert_allclose(
        net.predict(X), np.tile(expected, (6, 1)), rtol=5 * np.finfo(net.dtype).eps
    )
    assert not np.array_equal(before, net.predict(X))


def test_training_shows_in_a_view_taken_before(net, rng):
    X, y = rng.standard_normal((20, 5)), rng.integers(0, 3, 20)
    flat, first = net.parameters, net.weights[0]
    before = flat.copy()
    net.fit(X, y, epochs=1)
    assert not np.array_equal(flat, before)
    np.testing.assert_array_equal(first.ravel(), flat[: first.size])
    assert np.shares_memory(flat, net.parameters)


def test_views_outlive_the_network(dtype):
    net = fm.Network([30, 40, 7], seed=1, dtype=dtype)
    net.forward(np.ones((3, 30)))
    net.backward([0, 1, 2])
    views = [net.parameters, net.gradients, net.weights[1][2:], net.biases[0], net.nodes[1]]
    views += [net.deltas[0].T, net.weights[0].T[::2], np.asarray(memoryview(net.nodes[0]))]
    copies = [view.copy() for view in views]
    del net
    gc.collect()
    _ = [np.full((30, 40), np.nan, dtype=dtype) for _ in range(50)]  # would take freed memory
    for view, copy in zip(views, copies, strict=True):
        assert view.tobytes() == copy.tobytes()


def test_a_sequence_outlives_the_network():
    weights = fm.Network([3, 2], seed=1).weights
    gc.collect()
    weights[0] = [[1, 2], [3, 4], [5, 6]]
    assert weights[0].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_views_leave_no_references_behind(net):
    core = model_of(net).core
    before = sys.getrefcount(core)
    for _ in range(10):
        _ = net.parameters, net.weights[0], net.biases[-1], list(net.weight_gradients)
    assert sys.getrefcount(core) == before


class TestSequence:
    def test_index_slice_and_iteration(self, net):
        assert np.shares_memory(net.weights[-1], net.weights[2])
        assert np.shares_memory(net.weights[np.int64(1)], net.weights[1])
        assert [view.shape for view in net.weights[1:]] == SHAPES[1:]
        assert [view.shape for view in net.weights[::-1]] == SHAPES[::-1]
        assert [view.shape for view in net.weights] == SHAPES
        assert isinstance(net.weights[:], tuple)

    @pytest.mark.parametrize("index", [3, -4, 10**9])
    def test_a_wrong_index_says_which_there_are(self, net, index):
        with pytest.raises(IndexError, match=r"weights\[0\] to weights\[2\]"):
            net.weights[index]
        with pytest.raises(IndexError, match=r"weights\[0\] to weights\[2\]"):
            net.weights[index] = 1

    def test_an_attribute_that_lists_have(self, net):
        settings, of_some = (net.trainable, net.rate_factors), (net.scales, net.running_means)
        for views in (net.weights, net.nodes, *settings, *of_some):
            assert not hasattr(views, "append")
        with pytest.raises(AttributeError, match="rate_factors, an item for each layer, has no"):
            net.rate_factors.append(1.0)

    @pytest.mark.parametrize("index", ["0", 1.0, None, (0, 1), True])
    def test_a_wrong_kind_of_index_is_a_type_error(self, net, index):
        with pytest.raises(TypeError, match=r"weights takes an integer"):
            net.weights[index]

    def test_repr_tells_the_shapes(self, net, dtype):
        assert repr(net.weights) == f"<weights: [0] (5, 4), [1] (4, 17), [2] (17, 3); {dtype}>"

    def test_repr_of_nodes_before_a_forward(self, net):
        assert repr(net.nodes) == "<nodes: empty, call forward first>"


class TestAssignment:
    def test_an_array_is_copied_in(self, net, rng):
        view = net.weights[0]
        new = rng.standard_normal((5, 4))
        net.weights[0] = new
        np.testing.assert_array_equal(view, new.astype(net.dtype))
        assert not np.shares_memory(view, new)
        net.biases[-1] = [1, 2, 3]
        np.testing.assert_array_equal(net.biases[2], [1, 2, 3])

    def test_in_place_operators(self, net):
        view, before = net.weights[0], net.weights[0].copy()
        net.weights[0] += 1
        np.testing.assert_array_equal(view, before + 1)
        net.weight_gradients[1] -= 2
        assert (net.weight_gradients[1] == -2).all()
        flat, before = net.parameters, net.parameters.copy()
        net.parameters *= 2
        np.testing.assert_array_equal(flat, 2 * before)

    def test_flat_buffers_take_an_array(self, net):
        flat = net.parameters
        net.parameters = np.arange(net.n_parameters)
        np.testing.assert_array_equal(flat, np.arange(net.n_parameters))
        net.gradients = np.ones(net.n_parameters)
        assert (net.gradients == 1).all()

    def test_from_overlapping_memory(self, net):
        flat = net.parameters
        flat[:] = np.arange(net.n_parameters)
        net.parameters = flat[::-1]
        np.testing.assert_array_equal(flat, np.arange(net.n_parameters)[::-1])

    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (np.zeros((4, 5)), ValueError, r"weights\[0\] has shape \(5, 4\), got shape \(4, 5\)"),
            (np.zeros(20), ValueError, r"\(5, 4\), got shape \(20,\)"),
            (np.zeros((1, 4)), ValueError, r"\(5, 4\), got shape \(1, 4\)"),
            (0.0, ValueError, r"weights\[0\]\[\.\.\.\] = value"),
            (np.zeros((5, 4), complex), ValueError, "complex"),
            ([["a"] * 4] * 5, ValueError, "text"),
            (None, TypeError, "got None"),
        ],
    )
    def test_what_does_not_fit_changes_nothing(self, net, assert_unchanged, value, error, message):
        with assert_unchanged(net), pytest.raises(error, match=message):
            net.weights[0] = value

    def test_a_slice_cannot_be_assigned(self, net, assert_unchanged):
        with assert_unchanged(net), pytest.raises(TypeError, match="one at a time"):
            net.weights[:] = [0, 0, 0]

    def test_nodes_and_deltas_take_nothing(self, net):
        net.forward(np.ones((2, 5)))
        net.backward([0, 1])
        for views in (net.nodes, net.deltas):
            with pytest.raises(TypeError, match="does not support item assignment"):
                views[0] = 1
            for view in views:
                with pytest.raises(ValueError, match="read-only"):
                    view[...] = 1


class TestNodesAndDeltas:
    def test_before_a_forward(self, net):
        with pytest.raises(RuntimeError, match="forward"):
            net.nodes[0]
        with pytest.raises(RuntimeError, match="forward"):
            net.deltas[0]

    def test_shapes_and_values(self, net, rng):
        X = rng.standard_normal((6, 5)).astype(net.dtype)
        outputs = net.forward(X)
        assert [view.shape for view in net.nodes] == [(6, 5), (6, 4), (6, 17), (6, 3)]
        assert np.shares_memory(net.nodes[0], X)
        assert X.flags.writeable
        np.testing.assert_array_equal(net.nodes[-1], outputs)
        net.backward([0, 1, 2, 0, 1, 2])
        assert [view.shape for view in net.deltas] == [(6, 4), (6, 17), (6, 3)]
        # (2.9), one rounding on each side.
        expected = outputs - np.eye(3, dtype=net.dtype)[[0, 1, 2, 0, 1, 2]]
        np.testing.assert_allclose(net.deltas[-1], expected, rtol=0, atol=np.finfo(net.dtype).eps)

    def test_the_batch_is_kept_alive(self, net):
        net.forward(np.full((4, 5), 2, dtype=net.dtype))
        gc.collect()
        assert (net.nodes[0] == 2).all()
