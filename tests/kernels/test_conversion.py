"""Rows of other types, read by every instruction set: NumPy's bits, and nothing read or written
beyond them."""

import numpy as np
import pytest

TYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip
WIDE = ["int32", "int64", "uint32", "uint64", "float64"]
COUNTS = [1, 2, 7, 15, 16, 17, 31, 32, 33, 50]
PAD = 16


def padded(columns):
    return -(-columns // PAD) * PAD


def numbers_of(rng, source, count):
    """Numbers from all over the range of a type, its ends among them."""
    kind = np.dtype(source)
    if kind.kind == "b":
        return rng.integers(0, 2, count).astype(bool)
    if kind.kind == "f":
        return (rng.standard_normal(count) * 10.0 ** rng.integers(-3, 4, count)).astype(source)
    limits = np.iinfo(kind)
    bits = rng.integers(0, 8 * kind.itemsize, count)  # of every size
    x = rng.integers(limits.min, limits.max, count, kind, endpoint=True) >> bits.astype(kind)
    x[:2] = [limits.min, limits.max][: min(2, count)]
    return x


def read(kernels, x, dtype, scales=None, offsets=None):
    out = np.full(len(x), np.nan, dtype)
    kernels.convert(x, scales, offsets, out)
    return out


@pytest.mark.parametrize("source", TYPES)
def test_the_bits_of_numpy(kernels, dtype, rng, source):
    x = numbers_of(rng, source, 4001)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(read(kernels, x, dtype), x.astype(dtype))


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("count", COUNTS)
def test_ends_where_the_row_ends(kernels, dtype, rng, guarded, source, count):
    x, out = guarded("x", (count,), source), guarded("out", (count,), dtype)
    x[...] = numbers_of(rng, source, count)
    kernels.convert(x, None, None, out)
    np.testing.assert_array_equal(out, x.astype(dtype))


@pytest.mark.parametrize("step", [2, 3, -1, -2, 0])
@pytest.mark.parametrize("source", TYPES)
def test_elements_that_lie_apart(kernels, dtype, rng, source, step):
    for count in COUNTS:
        x = numbers_of(rng, source, max(3, 3 * count))[::step][:count] if step else None
        if x is None:
            x = np.broadcast_to(numbers_of(rng, source, 1), count)
        np.testing.assert_array_equal(read(kernels, x, dtype), x.astype(dtype))


@pytest.mark.parametrize("source", TYPES)
def test_scale_and_offset_are_fused(kernels, dtype, rng, fma, source):
    for count in COUNTS:
        x = numbers_of(rng, source, 2 * count)[::2]
        scales, offsets = rng.standard_normal((2, count)).astype(dtype)
        for values in (x, x.copy()):
            out = read(kernels, values, dtype, scales, offsets)
            # In float64 where float32 does not hold every value of the type.
            exact = dtype == "float64" or source in WIDE
            factors = (x, scales, offsets) if exact else (x.astype(dtype), scales, offsets)
            work = np.float64 if exact else np.dtype(dtype)
            expected = fma(*(np.asarray(f).astype(work) for f in factors)).astype(dtype)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("rows", [1, 3, 4, 9])
@pytest.mark.parametrize("count", COUNTS)
def test_rows_are_scaled_together(kernels, dtype, rng, fma, guarded, count, rows):
    x, out = guarded("x", (rows, count), dtype), guarded("out", (rows, padded(count)), dtype)
    scales, offsets = (guarded(name, (count,), dtype) for name in ("scales", "offsets"))
    for values in (x, scales, offsets):
        values[...] = rng.standard_normal(values.shape)
    kernels.scale_rows(x, scales, offsets, out)
    np.testing.assert_array_equal(out[:, :count], fma(x, scales, offsets))
    assert not out[:, count:].any()


def test_elements_that_are_not_aligned(kernels, dtype, rng):
    memory = np.zeros(8 * 100 + 1, np.uint8)
    x = memory[1:].view(np.float64)
    x[...] = rng.standard_normal(100)
    np.testing.assert_array_equal(read(kernels, x, dtype), x.astype(dtype))


def test_every_half(kernels, dtype):
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(read(kernels, x, dtype), x.astype(dtype))
    assert np.signbit(read(kernels, x, dtype)[0x8000])


@pytest.mark.parametrize("source", ["int64", "uint64"])
def test_integers_between_two_numbers_round_to_the_even_one(kernels, dtype, source):
    """Exactly, also where a first rounding to float64 would lead a second one astray."""
    digits = np.finfo(dtype).nmant + 1
    exponents = range(digits + 1, 63)
    x = [2**n + (2 * k + 1) * 2 ** (n - digits) + d for n in exponents for k in (0, 1)
         for d in (-1, 0, 1)]  # fmt: skip
    up = [(k == 1 and d == 0) or d == 1 for n in exponents for k in (0, 1) for d in (-1, 0, 1)]
    steps = [2 ** (n - digits + 1) for n in exponents for _ in range(6)]
    expected = [(i // step + u) * step for i, step, u in zip(x, steps, up, strict=True)]
    out = read(kernels, np.array(x, source), dtype)
    assert [int(value) for value in out] == expected


def test_any_byte_that_is_not_0_is_true(kernels, dtype):
    x = np.arange(256, dtype=np.uint8).view(bool)
    np.testing.assert_array_equal(read(kernels, x, dtype), np.arange(256) != 0)
