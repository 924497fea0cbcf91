"""The kernels of batches of one: the bits of the passes that they join, at guarded pages."""

import numpy as np
import pytest

PAD = 16
RATE = 0.3


def padded(columns: int) -> int:
    return -(-columns // PAD) * PAD


def zeros_of_both_signs(array: np.ndarray) -> None:
    array[..., ::5], array[..., 2::7] = 0.0, -0.0


@pytest.fixture
def gradient(dtype):
    """What `outer` stores for one sample: a product and + 0, so never -0."""
    return lambda a, delta: np.multiply.outer(a, delta) + np.zeros((), dtype)


@pytest.mark.parametrize("relu", [False, True], ids=["sum", "relu"])
@pytest.mark.parametrize("width", [16, 32, 48, 64, 80, 144])
def test_update_product(kernels, fill, guarded, gradient, chain, fma, dtype, width, relu):
    """w and biases take the last step, and the next row's product is with them."""
    rate = np.dtype(dtype).type(RATE)
    for count in (1, 2, 3, 7, 8, 15, 16, 17, 33):
        old_a, a = fill("old_a", 1, count), fill("a", 1, count)
        delta, biases = fill("delta", 1, width)[0], fill("biases", 1, width)[0]
        w, out = fill("w", count, width, gap=count % 2 * PAD), guarded("out", (width,), dtype)
        for array in (old_a, delta, biases, w):
            zeros_of_both_signs(array)
        stepped_w = fma(-rate, gradient(old_a[0], delta), w)
        stepped_biases = fma(-rate, delta + np.zeros((), dtype), biases)
        sums = chain(a, stepped_w, stepped_biases)[0]
        kernels.update_product(old_a, delta, RATE, a, w, biases, out, relu)
        assert w.tobytes() == stepped_w.tobytes(), count
        assert biases.tobytes() == stepped_biases.tobytes(), count
        assert out.tobytes() == (np.where(sums < 0, 0, sums) if relu else sums).tobytes(), count


@pytest.mark.parametrize("relu", [False, True], ids=["sum", "relu"])
@pytest.mark.parametrize("outputs", [1, 2, 3, 8, 15, 16])
def test_narrow_update(kernels, fill, guarded, gradient, chain, fma, dtype, outputs, relu):
    """The delta of the previous layer is by the weights from before the step."""
    zero, rate = np.zeros((), dtype), np.dtype(dtype).type(RATE)
    for count in range(1, 131):
        delta, nodes = fill("delta", 1, outputs), fill("nodes", 1, count)[0]
        wt = fill("wt", outputs, count, padded(count), gap=count % 2 * PAD)
        zeros_of_both_signs(nodes), zeros_of_both_signs(wt)
        delta[:, 1::4], delta[:, 2::4] = 0.0, -0.0
        nodes[-1], wt[:, count - 1] = np.nan if count % 2 else np.finfo(dtype).tiny, 1.0
        wt[:, count:] = 0.0  # as `narrow_forward` needs it
        out = guarded("out", (padded(count),), dtype)
        sums = chain(delta, wt[:, :count], zero)[0]
        stepped = fma(-rate, gradient(delta[0], nodes), wt[:, :count])
        kernels.narrow_update(delta, nodes, RATE, wt, out, relu)
        wanted = np.where(nodes <= 0, zero, sums) if relu else sums
        assert out[:count].tobytes() == wanted.tobytes(), count
        numbers = ~np.isnan(nodes)
        assert wt[:, :count][:, numbers].tobytes() == stepped[:, numbers].tobytes(), count
        assert np.isnan(wt[:, :count][:, ~numbers]).all(), count
        assert not wt[:, count:].any(), count


def test_a_row_is_written_up_to_its_padding(kernels, guarded, dtype):
    """Between rows that are further apart than they are padded, nothing changes."""
    whole = guarded("whole", (3, 3 * PAD), dtype)
    row, out = np.ones(PAD, dtype), np.empty(PAD, dtype)
    w, few, biases = whole[:, :PAD], row[:3], row.copy()
    for columns, update in (
        (PAD, lambda: kernels.update_product(few, row, RATE, few, w, biases, out, False)),
        (5, lambda: kernels.narrow_update(few, row[:5], RATE, w, out, False)),
    ):
        whole[:] = 0.25
        update()
        assert not (whole[:, :columns] == 0.25).any()
        assert (whole[:, PAD:] == 0.25).all()
