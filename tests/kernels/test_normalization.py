"""The kernels of layer and batch normalisation: the bits of plain loops, at guarded pages.

The loops are `docs/arithmetic.md`, written with NumPy over whole columns or lanes: sums along a row
are tree16, sums over a batch are in order.
"""

import numpy as np
import pytest

PAD = 16
EPSILON = 1e-5
WIDTHS = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 64, 70, 100, 130]


def padded(columns):
    return -(-columns // PAD) * PAD


@pytest.fixture
def rows(guarded, dtype):
    """Rows of `values`, their padding NaN, ending at the guarded page."""

    def make(name, values, gap=0):
        count, width = values.shape
        array = guarded(name, (count, padded(width)), dtype, gap=gap)
        array[:, :width], array[:, width:] = values, np.nan
        return array

    return make


@pytest.fixture
def row(rows):
    """One such row, as a vector."""
    return lambda name, values: rows(name, values[None])[0]


def random_rows(rng, dtype, count, width):
    return (3 * rng.standard_normal((count, width)) + rng.uniform(-5, 5)).astype(dtype)


def lanes(x):
    """Split the columns of x (B, n) into (B, steps, 16), padded with +0."""
    filled = np.zeros((len(x), padded(x.shape[1])), x.dtype)
    filled[:, : x.shape[1]] = x
    return filled.reshape(len(x), -1, PAD)


def tree16(terms, fused=None, fma=None):
    """Sum the columns of `terms` (B, n), or their products with `fused`, as tree16."""
    part = np.zeros((len(terms), PAD), terms.dtype)
    for step in range(lanes(terms).shape[1]):
        term = lanes(terms)[:, step]
        part = part + term if fused is None else fma(term, lanes(fused)[:, step], part)
    for half in (8, 4, 2, 1):
        part = part[:, :half] + part[:, half : 2 * half]
    return part


def inverse_deviation(variance):
    one = variance.dtype.type(1)
    return one / np.sqrt(variance + variance.dtype.type(EPSILON))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 3])
class TestLayerNormalization:
    def test_forward(self, kernels, rows, row, rng, dtype, fma, width, count):
        z = random_rows(rng, dtype, count, width)
        scales, shifts = random_rows(rng, dtype, 2, width)
        got, x = rows("z", z, gap=PAD), rows("x", np.zeros_like(z))
        inverses = np.zeros(count, dtype)
        x[:, width:] = 0
        kernels.layer_normalize(
            got, width, EPSILON, row("scales", scales), row("shifts", shifts), x, inverses
        )
        n = np.dtype(dtype).type(width)
        error = z - tree16(z) / n
        inverse = inverse_deviation(tree16(error, error, fma) / n)
        wanted = error * inverse
        assert inverses.tobytes() == inverse.tobytes()
        assert x[:, :width].tobytes() == wanted.tobytes()
        assert got[:, :width].tobytes() == fma(wanted, scales[None], shifts[None]).tobytes()
        assert (x[:, width:] == 0).all()

    def test_in_place(self, kernels, rows, row, rng, dtype, width, count):
        """Prediction has no use for x: it is written where z is."""
        z = random_rows(rng, dtype, count, width)
        scales, shifts = (row(name, random_rows(rng, dtype, 1, width)[0]) for name in "ab")
        inverses = np.zeros(count, dtype)
        apart, together = rows("z", z), rows("w", z)
        kernels.layer_normalize(
            apart, width, EPSILON, scales, shifts, np.zeros_like(apart), inverses
        )
        kernels.layer_normalize(together, width, EPSILON, scales, shifts, together, inverses)
        assert together[:, :width].tobytes() == apart[:, :width].tobytes()

    def test_backward(self, kernels, rows, row, rng, dtype, fma, width, count):
        delta, x = (random_rows(rng, dtype, count, width) for _ in range(2))
        scales = random_rows(rng, dtype, 1, width)[0]
        inverses = random_rows(rng, dtype, 1, count)[0]
        normalized = rows("x", x)
        normalized[:, width:] = 0
        got = rows("out", np.zeros_like(delta), gap=PAD)
        got[:, width:] = 0
        kernels.layer_normalize_backward(
            rows("delta", delta), width, row("scales", scales), normalized, inverses, got
        )
        n = np.dtype(dtype).type(width)
        d = delta * scales
        rest = fma(-x, tree16(d, x, fma) / n, d - tree16(d) / n)
        assert got[:, :width].tobytes() == (rest * inverses[:, None]).tobytes()
        assert (got[:, width:] == 0).all()


@pytest.mark.parametrize("width", [16, 32, 48, 128, 144, 336])
@pytest.mark.parametrize("count", [1, 2, 5, 37])
class TestBatchNormalization:
    def test_moments(self, kernels, rows, row, rng, dtype, fma, width, count):
        z = random_rows(rng, dtype, count, width)
        means, variances = (row(name, np.zeros(width)) for name in ("means", "variances"))
        kernels.batch_moments(rows("z", z, gap=PAD), means, variances)
        total, squares = np.zeros((2, width), dtype)
        for sample in z:
            total = total + sample
        wanted = total / np.dtype(dtype).type(count)
        for sample in z:
            squares = fma(sample - wanted, sample - wanted, squares)
        assert means.tobytes() == wanted.tobytes()
        assert variances.tobytes() == (squares / np.dtype(dtype).type(count)).tobytes()

    def test_forward(self, kernels, rows, row, rng, dtype, fma, width, count):
        z = random_rows(rng, dtype, count, width)
        means, scales, shifts = random_rows(rng, dtype, 3, width)
        variances = random_rows(rng, dtype, 1, width)[0] ** 2
        got, x = rows("z", z, gap=PAD), rows("x", np.zeros_like(z))
        vectors = [row(str(i), v) for i, v in enumerate((means, variances, scales, shifts))]
        kernels.batch_normalize(got, EPSILON, *vectors, x)
        wanted = (z - means) * inverse_deviation(variances)
        assert x.tobytes() == wanted.tobytes()
        assert np.ascontiguousarray(got).tobytes() == fma(wanted, scales[None], shifts).tobytes()

    def test_backward(self, kernels, rows, row, rng, dtype, fma, width, count):
        delta, x = (random_rows(rng, dtype, count, width) for _ in range(2))
        scales, mean, product = random_rows(rng, dtype, 3, width)
        variances = random_rows(rng, dtype, 1, width)[0] ** 2
        vectors = [row(str(i), v) for i, v in enumerate((variances, scales, mean, product))]
        got = rows("out", np.zeros_like(delta), gap=PAD)
        kernels.batch_normalize_backward(
            rows("delta", delta), EPSILON, *vectors[:2], rows("x", x), *vectors[2:], got
        )
        rest = fma(-x, product[None], delta - mean)
        wanted = rest * (scales * inverse_deviation(variances))
        assert np.ascontiguousarray(got).tobytes() == wanted.tobytes()

    @pytest.mark.parametrize("continued", [False, True])
    def test_column_dots(self, kernels, rows, row, rng, dtype, fma, width, count, continued):
        a, v = (random_rows(rng, dtype, count, width) for _ in range(2))
        v[:, 0] = 0
        a[:, 0] = -1
        scale = np.dtype(dtype).type(1 / 3)
        got = row("out", np.zeros(width))
        total = random_rows(rng, dtype, 1, width)[0] if continued else np.zeros(width, dtype)
        total[0] = 0
        sums = row("sums", total) if continued else None
        kernels.column_dots(rows("a", a, gap=PAD), rows("v", v), sums, scale, got)
        for left, right in zip(a, v, strict=True):
            total = fma(left, right, total)
        assert got.tobytes() == (total * scale + np.zeros((), dtype)).tobytes()
        assert not np.signbit(got[0])


def test_a_batch_of_one_normalises_to_the_shift(kernels, dtype, rng):
    z = random_rows(rng, dtype, 1, PAD)
    means, variances, shifts = np.zeros((3, PAD), dtype)
    shifts[:] = rng.standard_normal(PAD)
    kernels.batch_moments(z, means, variances)
    kernels.batch_normalize(z, EPSILON, means, variances, np.ones_like(means), shifts, z.copy())
    assert z[0].tobytes() == shifts.tobytes()
