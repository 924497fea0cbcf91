"""The kernels of one sparse row or column: plain loops over what is stored, at guarded pages."""

import numpy as np
import pytest

PAD = 16
WIDTHS = [16, 32, 48, 112, 128, 144, 272]
COUNTS = [0, 1, 2, 3, 17, 40]


@pytest.fixture
def stored(guarded, rng, dtype):
    """Make the places among `size` and the values of `count` stored elements, in order.

    The last element of all is among them, and values that are zeros of both signs.
    """

    def made(count, size, kind):
        places, values = guarded("places", (count,), kind), guarded("values", (count,), dtype)
        places[:] = np.sort(rng.permutation(size)[:count])
        places[-1:] = size - 1
        values[:] = rng.standard_normal(count)
        values[1::7], values[3::7] = 0.0, -0.0
        return places, values

    return made


@pytest.mark.parametrize("width", WIDTHS)
def test_sparse_product(kernels, stored, fill, guarded, chain, dtype, width):
    for count in COUNTS:
        columns, values = stored(count, 41, "int32")
        w, init = fill("w", 41, width, gap=count % 2 * PAD), fill("init", 1, width)[0]
        out = guarded("out", (width,), dtype)
        kernels.sparse_product(columns, values, w, init, out)
        assert out.tobytes() == chain(values[None], w[columns], init).tobytes(), count


@pytest.mark.parametrize("outputs", range(1, PAD + 1))
def test_sparse_narrow(kernels, stored, fill, guarded, fma, dtype, outputs):
    """tree16, by the column modulo 16; of the natural weights and of the transposed ones."""
    for count in COUNTS:
        columns, values = stored(count, 41, "int32")
        natural = fill("w", 41, outputs, gap=count % 2 * 3)
        transposed = fill("wt", outputs, 41, gap=count % 2 * 3)
        transposed[:] = natural.T
        biases = fill("biases", 1, outputs, PAD)[0]
        part = np.zeros((PAD, outputs), dtype)
        for k, value in zip(columns, values, strict=True):
            part[k % 16] = fma(value, natural[k], part[k % 16])
        for half in (8, 4, 2, 1):
            part = part[:half] + part[half:]
        for w in (natural, transposed.T):
            out = guarded("out", (PAD,), dtype)
            kernels.sparse_narrow(columns, values, w, biases, out)
            assert out[:outputs].tobytes() == (part[0] + biases[:outputs]).tobytes(), count


@pytest.mark.parametrize("store", [False, True], ids=["update", "gradient"])
@pytest.mark.parametrize("width", WIDTHS)
def test_sparse_outer(kernels, stored, fill, chain, fma, dtype, width, store):
    zero, scale, rate = np.array([0, 1 / 3, 0.3], dtype)
    for count in COUNTS:
        rows, values = stored(count, 41, "uint32")
        v, target = fill("v", 41, width, gap=count % 2 * PAD), fill("target", 1, width)[0]
        v[:, ::5], target[::3] = -0.0, -0.0
        gradient = chain(values[None], v[rows], zero)[0] * scale + zero
        wanted = gradient if store else fma(-rate, gradient, target)
        kernels.sparse_outer(rows, values, v, scale, rate, store, target)
        assert target.tobytes() == wanted.tobytes(), count
        assert not np.signbit(gradient[::5]).any()
