"""The kernels of batches of one: the bits of the passes that they join, at guarded pages."""

import numpy as np
import pytest
from update_rules import KINDS, PLAIN, moments_of, settings_of

PAD = 16


def padded(columns: int) -> int:
    return -(-columns // PAD) * PAD


def zeros_of_both_signs(array: np.ndarray) -> None:
    array[..., ::5], array[..., 2::7] = 0.0, -0.0


@pytest.fixture
def stepped(kernels, dtype):
    """Give w and the moments after `update` by what `outer` stores for one sample: never -0."""

    def after(settings, step, a, delta, w, u, s):
        g = np.multiply.outer(a, delta) + np.zeros((), dtype)
        w, u, s = (array[:, : g.shape[1]].copy() for array in (w, u, s))
        kernels.update(*settings, g, w, *moments_of(step, u, s))
        return w, u, s

    return after


def of_biases(settings):
    """Those of a layer whose biases have another rate, and no penalties."""
    step, adjusted, rule = settings
    own = {"rate": 0.05, "l1": 0.0, "l2": 0.0, "keep": 1.0} if adjusted else {"rate": 0.05}
    return step, adjusted, rule | own


@pytest.fixture
def layer(fill):
    """Make a matrix with zeros of both signs, and its moments, in memory of its name."""

    def made(name, *size, gap=0):
        w, u, s = (fill(f"{name} {part}", *size, gap=gap) for part in "wus")
        np.abs(s, out=s)
        zeros_of_both_signs(w)
        return w, u, s

    return made


def with_moments(step, w, u, s):
    return w, *moments_of(step, u, s)


def check_same(got, wanted, columns):
    """Equal bits up to a column, but for NaN, which are in the same places."""
    for array, right in zip(got, wanted, strict=True):
        numbers = ~np.isnan(right)
        np.testing.assert_array_equal(np.isnan(array[:, :columns]), ~numbers)
        assert array[:, :columns][numbers].tobytes() == right[numbers].tobytes()


@pytest.mark.parametrize(("step", "rule"), KINDS)
@pytest.mark.parametrize("width", [16, 32, 48, 64, 80, 144])
def test_update_product(kernels, fill, guarded, layer, stepped, chain, dtype, width, step, rule):
    """Weights and biases take the last step, and the next row's product is with them."""
    settings, one = settings_of(step, rule), np.ones(1, dtype)
    for count in (1, 2, 7, 16, 33):
        old_a, a, delta = fill("old_a", 1, count), fill("a", 1, count), fill("delta", 1, width)[0]
        zeros_of_both_signs(old_a), zeros_of_both_signs(delta)
        weights = layer("weights", count, width, gap=count % 2 * PAD)
        biases = layer("biases", 1, width)
        out, relu = guarded("out", (width,), dtype), count % 3 == 1
        wanted = stepped(settings, step, old_a[0], delta, *weights)
        wanted_biases = stepped(of_biases(settings), step, one, delta, *biases)
        sums = chain(a, wanted[0], wanted_biases[0])[0]
        kernels.update_product(
            *settings, of_biases(settings)[2], old_a, delta, a, with_moments(step, *weights),
            with_moments(step, *biases), out, relu,
        )  # fmt: skip
        check_same(weights, wanted, width)
        check_same(biases, wanted_biases, width)
        assert out.tobytes() == (np.where(sums < 0, 0, sums) if relu else sums).tobytes(), count


@pytest.mark.parametrize(("step", "rule"), KINDS)
@pytest.mark.parametrize("outputs", [1, 2, 3, 8, 15, 16])
def test_narrow_update(kernels, fill, guarded, layer, stepped, chain, dtype, outputs, step, rule):
    """The delta of the previous layer is by the weights from before the step."""
    zero, one, settings = np.zeros((), dtype), np.ones(1, dtype), settings_of(step, rule)
    for count in (1, 2, 7, 15, 16, 17, 31, 33, 48, 63, 64, 65, 66, 81, 113, 127, 128, 130):
        delta, nodes = fill("delta", 1, PAD), fill("nodes", 1, count)[0]
        weights = layer("weights", outputs, count, padded(count), gap=count % 2 * PAD)
        biases = layer("biases", 1, PAD)
        zeros_of_both_signs(nodes)
        delta[:, 1::4], delta[:, 2::4] = 0.0, -0.0
        nodes[-1], weights[0][:, count - 1] = np.nan if count % 2 else np.finfo(dtype).tiny, 1.0
        for array in weights:
            array[:, count:] = 0.0  # as `narrow_forward` needs it
        out, relu = guarded("out", (padded(count),), dtype), (count + outputs) % 2 == 0
        sums = chain(delta[:, :outputs], weights[0][:, :count], zero)[0]
        wanted = stepped(settings, step, delta[0, :outputs], nodes, *weights)
        wanted_biases = stepped(of_biases(settings), step, one, delta[0], *biases)
        kernels.narrow_update(
            *settings, of_biases(settings)[2], delta, nodes, with_moments(step, *weights),
            with_moments(step, *biases), out, relu,
        )  # fmt: skip
        masked = np.where(nodes <= 0, zero, sums) if relu else sums
        assert out[:count].tobytes() == masked.tobytes(), count
        check_same(weights, wanted, count)
        check_same(biases, wanted_biases, PAD)
        assert not any(array[:, count:].any() for array in weights), count


def test_a_row_is_written_up_to_its_padding(kernels, guarded, dtype):
    """Between rows that are further apart than they are padded, nothing changes."""
    whole = guarded("whole", (3, 3 * PAD), dtype)
    sgd = settings_of("descend", PLAIN)

    def alone(array):
        return array, None, None

    row, out = np.ones(PAD, dtype), np.empty(PAD, dtype)
    w, few, biases = whole[:, :PAD], row[:3], row.copy()

    def product():
        kernels.update_product(*sgd, PLAIN, few, row, few, alone(w), alone(biases), out, False)

    def narrow():
        kernels.narrow_update(*sgd, PLAIN, row, row[:5], alone(w), alone(biases), out, False)

    for columns, update in ((PAD, product), (5, narrow)):
        whole[:] = 0.25
        update()
        assert not (whole[:, :columns] == 0.25).any()
        assert (whole[:, PAD:] == 0.25).all()
