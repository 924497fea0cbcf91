"""The dropout kernel: the mask of the reference, to the bit, on every instruction set."""

import numpy as np
import pytest

from fastmlp.reference import dropout as reference

PAD = 16
SEED, LAYER, EPOCH = 0x0123_4567_89AB_CDEF, 3, 70_000
STREAM = 2 + 256 * LAYER


def padded(columns):
    return -(-columns // PAD) * PAD


@pytest.mark.parametrize("width", [1, 15, 16, 17, 48, 64, 65, 130, 512])
@pytest.mark.parametrize("position", [0, 5, 2**32 - 2])
def test_the_mask_is_that_of_the_reference(kernels, guarded, rng, dtype, width, position):
    rate, count = 0.3, 3
    h = guarded("h", (count, padded(width)), dtype, gap=PAD)
    out = guarded("out", (count, padded(width)), dtype, gap=2 * PAD)
    h[:] = rng.standard_normal(h.shape)
    scale = np.dtype(dtype).type(1 / (1 - rate))
    least = round(rate * 2**32)
    kernels.dropout(h, SEED, STREAM, EPOCH, position, least, scale, out)
    kept = [reference.factors(rate, SEED, LAYER, EPOCH, position + r, width) for r in range(count)]
    wanted = np.where(kept, h[:, :width] * scale, 0).astype(dtype)
    assert np.ascontiguousarray(out[:, :width]).tobytes() == wanted.tobytes()


def test_in_place_and_rows_apart(kernels, dtype, rng):
    """A row's mask depends only on its position, not on the rows before it in the call."""
    h = rng.standard_normal((5, 80)).astype(dtype)
    together, alone = h.copy(), h.copy()
    kernels.dropout(together, SEED, STREAM, EPOCH, 7, 2**31, 2.0, together)
    for i in range(5):
        row = alone[i : i + 1]
        kernels.dropout(row, SEED, STREAM, EPOCH, 7 + i, 2**31, 2.0, row)
    assert together.tobytes() == alone.tobytes()


def test_what_is_dropped_is_plus_zero(kernels, dtype):
    h = np.array([[-1.0, np.nan, np.inf, -np.inf] * 16], dtype)
    kernels.dropout(h, SEED, STREAM, EPOCH, 0, 2**32 - 1, 2.0, h)
    assert h.tobytes() == np.zeros_like(h).tobytes()


def test_the_threshold(kernels, dtype):
    """The words are uniform: a share of least / 2^32 is dropped, within 5 standard deviations."""
    h = np.ones((1000, 64), dtype)
    for rate in (0.0, 0.1, 0.5, 0.9):
        out = np.empty_like(h)
        kernels.dropout(h, SEED, STREAM, EPOCH, 0, round(rate * 2**32), 1.0, out)
        dropped = 1 - out.mean(dtype=float)
        assert abs(dropped - rate) <= 5 * np.sqrt(rate * (1 - rate) / h.size)


def test_a_word_is_decided_at_its_value(kernels, dtype):
    """Kept at least = word, dropped at least = word + 1."""
    word = reference.word(SEED, LAYER, EPOCH, 9, 20)
    h = np.ones((1, 32), dtype)
    for least, kept in ((word, 1), (word + 1, 0)):
        out = np.empty_like(h)
        kernels.dropout(h, SEED, STREAM, EPOCH, 9, least, 1.0, out)
        assert out[0, 20] == kept


def test_layers_epochs_and_seeds_have_masks_of_their_own(scalar, dtype):
    h = np.ones((4, 64), dtype)
    masks = set()
    for seed, stream, epoch, position in (
        (1, STREAM, 0, 0),
        (2, STREAM, 0, 0),
        (1 + 2**32, STREAM, 0, 0),
        (1, STREAM + 256, 0, 0),
        (1, STREAM, 1, 0),
        (1, STREAM, 0, 4),
    ):
        out = np.empty_like(h)
        scalar.dropout(h, seed, stream, epoch, position, 2**31, 1.0, out)
        masks.add(out.tobytes())
    assert len(masks) == 6
