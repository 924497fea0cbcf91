"""The matrix products of every instruction set, one by one, bit for bit against plain loops.

Plain means one fused multiply-add after the other in the documented order, emulated exactly. All
arrays end at a guarded page: what a kernel may touch beyond its result is what the padding of its
rows allows, and there stand NaNs, which must not reach a result.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest

PAD = 16  # columns that private rows are padded to
PANEL = 64  # columns per panel of a product of several rows
NONE, RELU, RELU_MASK = range(3)  # Epilogue


def padded(columns: int) -> int:
    return -(-columns // PAD) * PAD


@pytest.fixture
def tree16(fma, dtype):
    """Sum a[:, k] * w[k] by k mod 16, then halve, then add the biases."""

    def summed(a, w, biases):
        (rows, count), outputs = a.shape, w.shape[1]
        x, wt = np.zeros((rows, padded(count)), dtype), np.zeros((outputs, padded(count)), dtype)
        x[:, :count], wt[:, :count] = a, w.T
        part = np.zeros((rows, outputs, 16), dtype)
        for k in range(0, padded(count), 16):
            part = fma(x[:, None, k : k + 16], wt[:, k : k + 16], part)
        for half in (8, 4, 2, 1):
            part = part[..., :half] + part[..., half:]
        return part[..., 0] + biases

    return summed


def same(got: np.ndarray, expected: np.ndarray) -> bool:
    return got.dtype == expected.dtype and got.tobytes() == expected.tobytes()


def test_the_emulated_fma_is_exact(fma, dtype, rng):
    a, b = rng.standard_normal((2, 4000)).astype(dtype)
    # Products of all sizes relative to c, and sums that cancel but for the product's last bits.
    c = (rng.standard_normal(4000) * 2.0 ** rng.integers(-60, 60, 4000)).astype(dtype)
    c[::4] = -(a * b)[::4]
    a[1::8] = (a * np.dtype(dtype).type(2.0) ** -70)[1::8]
    got = fma(a, b, c)
    numbers = zip(*(map(Fraction, array.astype(float)) for array in (a, b, c)), strict=True)
    exact = [x * y + z for x, y, z in numbers]
    assert got.dtype == dtype
    for value, wanted in zip(got, exact, strict=True):
        around = (np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf))
        errors = [abs(Fraction(float(x)) - wanted) for x in around]
        assert errors[1] == min(errors)


def test_the_emulated_fma_has_the_sign_of_zero(fma, dtype):
    x = np.array([0.0, -0.0, 1.0, -1.0], dtype)
    a, b, c = np.meshgrid(x, x, x)
    assert same(fma(a, b, c), a * b + c)  # all of it exact


@pytest.mark.parametrize("width", [16, 32, 48, 64, 160])
def test_product(kernels, fill, guarded, chain, dtype, width):
    for rows in range(1, 21 if width <= PANEL else 2):  # one row takes any width
        first, count, gap = rows % 3, (1, 2, 3, 7, 15, 16, 17, 33)[rows % 8], rows % 2 * PAD
        a = fill("a", rows, first + count)
        w = fill("w", count, width, gap=gap)
        init = fill("init", 1, width)[0]
        out = guarded("out", (rows, width), dtype, gap)
        nodes = fill("nodes", rows, width, gap=gap)
        nodes[:, ::5] = 0.0
        nodes[0, :3] = (-0.0, np.nan, np.finfo(dtype).smallest_subnormal)
        sums = chain(a[:, first:], w, init)
        expected = {
            NONE: sums,
            RELU: np.maximum(sums, 0),
            RELU_MASK: np.where(nodes <= 0, np.zeros_like(sums), sums),
        }
        for epilogue, wanted in expected.items():
            kernels.product(a, first, count, w, init, out, epilogue, nodes)
            assert same(out, wanted), (rows, count, epilogue)


def test_a_product_in_two_parts_is_the_product(kernels, fill, guarded, dtype):
    for rows in (1, 2, 7, 20):
        for cut in (1, 8, 32):
            a, w, init = fill("a", rows, 33), fill("w", 33, 48), fill("init", 1, 48)[0]
            whole, parts = (guarded(name, (rows, 48), dtype) for name in ("whole", "parts"))
            kernels.product(a, 0, 33, w, init, whole, RELU, None)
            kernels.product(a, 0, cut, w[:cut], init, parts, NONE, None)
            kernels.product(a, cut, 33 - cut, w[cut:], None, parts, RELU, None)
            assert same(parts, whole)


@pytest.mark.parametrize("continued", [False, True], ids=["whole", "continued"])
@pytest.mark.parametrize("store", [False, True], ids=["update", "gradient"])
def test_outer(kernels, fill, chain, fma, dtype, store, continued):
    number = np.dtype(dtype).type
    for width in range(1, 71):
        batch, first_k, first_j = width % 20 + 1, width % 2, width % 3 * PAD
        count = (width * 7) % 31 + 1
        a = fill("a", batch, first_k + count)
        v = fill("v", batch, first_j + width)
        target = fill("target", count, width, padded(width), gap=width % 2 * PAD)
        scale, rate = number(1) / number(batch), number(0.3)
        sums = fill("sums", count, width, padded(width)) if continued else None
        start = sums[:, :width] if continued else number(0)
        gradient = chain(a[:, first_k:].T, v[:, first_j:], start) * scale
        wanted = gradient if store else fma(-rate, gradient, target[:, :width])
        kernels.outer(a, first_k, count, v, first_j, width, sums, scale, rate, store, target)
        assert same(target[:, :width], wanted), (width, batch, count)


@pytest.mark.parametrize("continued", [False, True], ids=["whole", "continued"])
@pytest.mark.parametrize("store", [False, True], ids=["update", "gradient"])
def test_column_sums(kernels, fill, fma, dtype, store, continued):
    number = np.dtype(dtype).type
    for width in range(PAD, 10 * PAD, PAD):
        for batch in (1, 2, 3, 20):
            v, target = fill("v", batch, width, gap=batch % 2 * PAD), fill("target", 1, width)[0]
            scale, rate = number(1) / number(batch), number(0.3)
            sums = fill("sums", 1, width)[0] if continued else None
            total = sums if continued else np.zeros(width, dtype)
            for row in v:
                total = total + row
            wanted = total * scale if store else fma(-rate, total * scale, target)
            kernels.column_sums(v, sums, scale, rate, store, target)
            assert same(target, wanted), (width, batch)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("inputs", range(1, 9))
def test_hidden_gradients(kernels, fill, guarded, chain, dtype, inputs, outputs):
    zero, scale = np.zeros((), dtype), np.dtype(dtype).type(0.3)
    for width, batch in itertools.product((16, 32, 48, 64, 80), (1, 2, 3, 20)):
        first = width % 3 * PAD
        a, delta = fill("a", batch, inputs), fill("delta", batch, outputs)
        nodes, wt = fill("nodes", batch, first + width), fill("wt", outputs, first + width)
        nodes[:, ::3] = 0.0
        nodes[0, -2:] = (-0.0, np.finfo(dtype).smallest_subnormal)
        h = nodes[:, first:]
        d = np.where(h <= 0, zero, chain(delta, wt[:, first:], zero))
        biases = np.zeros((1, width), dtype)
        for row in d:
            biases = biases + row
        sums = np.concatenate([chain(a.T, d, zero), biases, chain(delta.T, h, zero)])
        gradients = guarded("gradients", sums.shape, dtype, gap=width % 2 * PAD)
        kernels.hidden_gradients(a, nodes, delta, wt, first, scale, gradients)
        assert same(gradients, sums * scale + zero), (width, batch)


@pytest.mark.parametrize("first", [1, 5, 9, 13])
def test_narrow_forward(kernels, fill, guarded, tree16, dtype, first):
    for outputs, count in itertools.product(range(first, first + 4), range(1, 71)):
        rows = (count * 3 + outputs) % 20 + 1
        a, w = fill("a", rows, count), fill("w", count, outputs, PAD)
        wt = guarded("wt", (outputs, padded(count)), dtype)
        wt[:, :count] = w[:, :outputs].T
        biases = fill("biases", 1, outputs, PAD)[0]
        wanted = tree16(a, w[:, :outputs], biases[:outputs])
        out = guarded("out", (rows, PAD), dtype, PAD)
        kernels.narrow_forward(a, wt, biases, outputs, out)
        assert same(out[:, :outputs], wanted), ("transposed", rows, count, outputs)
        kernels.narrow_forward_natural(a, w, biases, outputs, out)
        assert same(out[:, :outputs], wanted), ("natural", rows, count, outputs)


def test_transpose(kernels, fill, guarded, dtype):
    for columns in range(1, 71):
        rows = (columns * 11) % 70 + 1
        matrix = fill("from", rows, columns, padded(columns), gap=columns % 2 * 3)
        turned = guarded("to", (padded(columns), padded(rows)), dtype, gap=PAD)
        turned[:] = np.nan
        kernels.transpose(matrix, rows, columns, turned)
        wanted = np.zeros((columns, padded(rows)), dtype)
        wanted[:, :rows] = matrix[:, :columns].T
        assert same(turned[:columns], wanted), (rows, columns)


def test_kernels_write_only_their_rows(kernels, fill, guarded, dtype):
    """Between rows that are further apart than they are padded, nothing changes."""
    rows, width = 16, 5
    whole = guarded("whole", (rows, 3 * PAD), dtype)
    target = whole[:, :PAD]
    a, w, wide = fill("a", rows, 7), fill("w", 7, width, PAD), fill("wide", 7, PAD)
    biases, wt = fill("biases", 1, PAD)[0], fill("wt", width, PAD)
    left, right, turned = fill("left", 4, rows), fill("right", 4, width), fill("from", 9, rows)
    for write in (
        lambda: kernels.product(a, 0, 7, wide, biases, target, RELU, None),
        lambda: kernels.outer(left, 0, rows, right, 0, width, None, 1.0, 0.5, False, target),
        lambda: kernels.narrow_forward(a, wt, biases, width, target),
        lambda: kernels.narrow_forward_natural(a, w, biases, width, target),
        lambda: kernels.transpose(turned, 9, rows, target),
        lambda: kernels.activate("softmax", target, target, width),
        lambda: kernels.activate("tanh", target, target, width),
    ):
        whole[:] = 0.25
        write()
        assert not (target == 0.25).all()
        assert (whole[:, PAD:] == 0.25).all()
