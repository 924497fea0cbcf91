"""The kernels that work element by element, of every instruction set: bits, accuracy, specials.

Which polynomial computes an exponential is nobody's contract, that every instruction set computes
the same one is: the bits are those of the scalar kernels, whose accuracy is tested by itself.
Arrays end at a guarded page, with the padding that the kernel may touch and no more.
"""

import math

import numpy as np
import pytest

from fastmlp.layers import ACTIVATIONS

PAD = 16
ULPS = 2  # what exp, log, sigmoid and tanh promise
KERNELS = tuple(name for name in ACTIVATIONS if name != "identity")  # which has none
ELEMENTWISE = tuple(name for name in KERNELS if name != "softmax")
COMPUTED_FROM_Z = ("gelu", "gelu_tanh", "silu", "mish", "hardswish")
PARAMETER = 0.3125  # of leaky_relu and elu


def padded(columns: int) -> int:
    return -(-columns // PAD) * PAD


@pytest.fixture
def limits(dtype):
    return np.finfo(dtype)


@pytest.fixture
def specials(limits):
    """Zeros, subnormal numbers, the ends of the range, and what is no number."""
    tiny, least, most = limits.smallest_normal, limits.smallest_subnormal, limits.max
    positive = [0.0, least, 3 * least, tiny - least, tiny, limits.eps, 1.0, 17.0, most, np.inf]
    return np.array([*positive, *(-x for x in positive), np.nan], limits.dtype)


def many(rng, limits):
    """Numbers of every size, both signs."""
    exponents = rng.uniform(limits.minexp - limits.nmant, limits.maxexp - 1, 3000)
    with np.errstate(under="ignore"):
        sizes = np.exp2(exponents.astype(np.longdouble)).astype(limits.dtype)
    moderate = rng.uniform(-20, 20, 3000).astype(limits.dtype)
    return np.concatenate([sizes, -sizes, moderate])


def whole_rows(x):
    """Lay an array into rows of 16, the last filled up with zeros."""
    return np.resize(np.append(x, np.zeros(-len(x) % PAD, x.dtype)), (-(-len(x) // PAD), PAD))


def elementwise(kernels, name, x):
    rows = whole_rows(x)
    kernels.activate(name, rows, rows, PAD, PARAMETER)
    return rows.ravel()[: len(x)]


def function(kernels, name, x):
    out = np.empty_like(x)
    getattr(kernels, name)(x, out)
    return out


def assert_same(got, expected):
    """The same bits, but a NaN may be any NaN."""
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    numbers = ~np.isnan(expected)
    assert got[numbers].tobytes() == expected[numbers].tobytes()


@pytest.mark.parametrize("name", KERNELS)
def test_rows_of_any_width(kernels, scalar, guarded, rng, dtype, name):
    for width in range(1, 71):
        for rows in (1, 2, 3, 4, 5, width % 20 + 1):
            values = rng.uniform(-9, 9, (rows, width)).astype(dtype)
            z = guarded("z", (rows, padded(width)), dtype, gap=width % 2 * PAD)
            z[:, :width], z[:, width:] = values, np.nan
            kernels.activate(name, z, z, width, PARAMETER)
            one_by_one = np.full((rows, padded(width)), np.nan, dtype)
            one_by_one[:, :width] = values
            for row in one_by_one:
                scalar.activate(name, row[None], row[None], width, PARAMETER)
            assert_same(z[:, :width].ravel(), one_by_one[:, :width].ravel())


@pytest.mark.parametrize("name", ["exp", "log"])
def test_arrays_of_any_length(kernels, scalar, guarded, rng, dtype, name):
    for count in range(71):
        values = rng.uniform(-9, 9, count).astype(dtype)
        x, out = guarded("x", (count,), dtype), guarded("out", (count,), dtype)
        x[:] = values
        getattr(kernels, name)(x, out)
        assert_same(out, function(scalar, name, values))
        assert x.tobytes() == values.tobytes()


@pytest.mark.parametrize("name", ["log", *ELEMENTWISE])
def test_numbers_of_any_size_give_the_bits_of_the_scalar_kernel(
    kernels, scalar, rng, limits, specials, name
):
    x = np.concatenate([many(rng, limits), specials])
    apply = function if name == "log" else elementwise
    assert_same(apply(kernels, name, x), apply(scalar, name, x))


def tanh_of_softplus(x):
    """((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), its exponential at most 1."""
    e = np.exp(-np.abs(x))
    below, above = e * (e + 2), 1 + 2 * e
    return np.where(x < 0, below / (below + 2), above / (above + 2 * e * e))


def gelu_argument(x, square=None):
    """2 sqrt(2 / pi) (x + 0.044715 x^3), or its derivative by other powers."""
    factor = np.longdouble("1.5957691216057307117597842")
    return factor * (x + np.longdouble("0.044715") * (x**3 if square is None else square))


def sigmoid_of(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


EXACT = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "leaky_relu": lambda x: np.where(x < 0, x * PARAMETER, x),
    "elu": lambda x: np.where(x < 0, PARAMETER * np.expm1(np.minimum(x, 0)), x),
    "gelu_tanh": lambda x: x * sigmoid_of(gelu_argument(x)),
    "silu": lambda x: np.where(x < 0, x * np.exp(x) / (1 + np.exp(x)), x / (1 + np.exp(-x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "selu": lambda x: np.where(
        x < 0,
        np.longdouble("1.7580993408473768599") * np.expm1(np.minimum(x, 0)),
        np.longdouble("1.0507009873554804934") * x,
    ),
    "mish": lambda x: x * tanh_of_softplus(x),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "hardswish": lambda x: np.maximum(x, -3) * np.clip(x + 3, 0, 6) / 6,
}
"""gelu is tested in C++, which has erfc of long double."""


ULPS_OF = {"selu": 3, "mish": 3}
"""What an activation promises where that is less than `ULPS`."""


@pytest.mark.parametrize("name", EXACT)
def test_accuracy(kernels, rng, limits, name):
    """Against NumPy in a wider type, in units of the last place of the exact value.

    Half a unit more than is promised, for platforms whose long double is a double. The unit is
    that of `dtype` even below its normal range.
    """
    x = many(rng, limits)
    if name == "log":
        x = np.abs(x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
        finite = np.abs(exact) <= limits.max
        apply = function if name == "log" else elementwise
        got = apply(kernels, name, x)
        assert np.array_equal(np.isinf(got), ~finite)
        unit = np.spacing(np.abs(exact[finite]).astype(limits.dtype))
        errors = np.abs(got[finite] - exact[finite]) / unit
    assert errors.max() <= ULPS_OF.get(name, ULPS) + 0.5


SLOPES = {
    "relu": lambda z: z > 0,
    "leaky_relu": lambda z: np.where(z > 0, 1, PARAMETER),
    "elu": lambda z: np.where(z > 0, 1, PARAMETER * np.exp(np.minimum(z, 0))),
    "gelu_tanh": lambda z: (
        sigmoid_of(gelu_argument(z))
        * (1 + z * gelu_argument(1 + 0 * z, 3 * z * z) * sigmoid_of(-gelu_argument(z)))
    ),
    "gelu": lambda z: (
        np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z.astype(float)])
        + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    ),
    "silu": lambda z: (1 + z / (1 + np.exp(z))) / (1 + np.exp(-z)),
    "sigmoid": lambda z: 1 / (1 + np.exp(z)) / (1 + np.exp(-z)),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "softplus": lambda z: 1 / (1 + np.exp(-z)),
    "selu": lambda z: np.where(
        z > 0, 1.0507009873554804934, 1.7580993408473768599 * np.exp(np.minimum(z, 0))
    ),
    "mish": lambda z: tanh_of_softplus(z) + z * (1 - tanh_of_softplus(z) ** 2) / (1 + np.exp(-z)),
    "relu6": lambda z: (z > 0) & (z < 6),
    "hardswish": lambda z: np.where(z <= -3, 0, np.where(z >= 3, 1, z / 3 + 0.5)),
    "exp": np.exp,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes(kernels, scalar, rng, limits, name):
    """delta h'(z), computed from h or z: right to some units of eps, as h' is of order one.

    h is wrong by up to 2 units, and what is computed from it by as much; exp and elu grow with h.
    """
    z = rng.uniform(-20, 8, 3000).astype(limits.dtype)
    delta = whole_rows(rng.uniform(-1, 1, z.size).astype(limits.dtype))
    got, expected = delta.copy(), delta.copy()
    argument = whole_rows(z if name in COMPUTED_FROM_Z else elementwise(kernels, name, z))
    kernels.activate_backward(name, argument, got, PAD, PARAMETER)
    scalar.activate_backward(name, argument, expected, PAD, PARAMETER)
    assert_same(got.ravel(), expected.ravel())
    slope = SLOPES[name](z.astype(np.longdouble))
    wanted = delta.ravel()[: z.size] * slope
    errors = np.abs(got.ravel()[: z.size] - wanted) / np.maximum(1, np.abs(slope))
    assert errors.max() <= 6 * limits.eps


def logistic_slope(z):
    return 1 / (1 + np.exp(z)) / (1 + np.exp(-z))


def bend_of_tanh_gelu(z):
    """Second derivative of z sigmoid(v)."""
    v, first = gelu_argument(z), gelu_argument(1 + 0 * z, 3 * z * z)
    second = gelu_argument(0 * z, 6 * z)
    bend = 2 * first + z * second + z * first**2 * (sigmoid_of(-v) - sigmoid_of(v))
    return logistic_slope(v) * bend


def bend_of_mish(z):
    """Second derivative of z T: 2 T' + z T'' with T' = (1 - T^2) s."""
    t, s = tanh_of_softplus(z), sigmoid_of(z)
    return (1 - t**2) * s * (2 + z * (1 - s - 2 * t * s))


CURVATURES = {
    "elu": lambda z: np.where(z > 0, 0, PARAMETER * np.exp(np.minimum(z, 0))),
    "selu": lambda z: np.where(
        z > 0, 0, np.longdouble("1.7580993408473768599") * np.exp(np.minimum(z, 0))
    ),
    "gelu": lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.longdouble(math.pi)) * (2 - z * z),
    "gelu_tanh": bend_of_tanh_gelu,
    "silu": lambda z: logistic_slope(z) * (2 + z * (sigmoid_of(-z) - sigmoid_of(z))),
    "mish": bend_of_mish,
    "hardswish": lambda z: np.where(np.abs(z) < 3, 1 / np.longdouble(3), 0),
    "sigmoid": lambda z: logistic_slope(z) * (sigmoid_of(-z) - sigmoid_of(z)),
    "tanh": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2),
    "softplus": logistic_slope,
    "exp": np.exp,
}


@pytest.mark.parametrize("name", CURVATURES)
def test_curvatures(kernels, scalar, rng, limits, name):
    """values h''(z), as accurate as the slopes are: two more factors, each right to 2 units."""
    z = rng.uniform(-20, 8, 3000).astype(limits.dtype)
    values = whole_rows(rng.uniform(-1, 1, z.size).astype(limits.dtype))
    got, expected = values.copy(), values.copy()
    argument = whole_rows(z if name in COMPUTED_FROM_Z else elementwise(kernels, name, z))
    kernels.activate_curve(name, argument, got, PAD, PARAMETER)
    scalar.activate_curve(name, argument, expected, PAD, PARAMETER)
    assert_same(got.ravel(), expected.ravel())
    curvature = CURVATURES[name](z.astype(np.longdouble))
    errors = np.abs(got.ravel()[: z.size] - values.ravel()[: z.size] * curvature)
    assert (errors / np.maximum(1, np.abs(curvature))).max() <= 10 * limits.eps


@pytest.mark.parametrize("name", CURVATURES)
def test_curvatures_far_out(kernels, limits, name):
    """Where h is a line or a constant they are 0, or subnormal, without any infinity times 0."""
    ends = np.array([-np.inf, -limits.max, limits.max, np.inf], limits.dtype)
    ends = ends[:2] if name == "exp" else ends
    values = whole_rows(np.ones_like(ends))
    argument = ends if name in COMPUTED_FROM_Z else elementwise(kernels, name, ends)
    kernels.activate_curve(name, whole_rows(argument), values, PAD, PARAMETER)
    assert np.abs(values.ravel()[: len(ends)]).max() < limits.smallest_normal


def test_relu(kernels, limits, specials):
    got = elementwise(kernels, "relu", specials)
    kept = (specials > 0) | np.isnan(specials)
    assert got[kept].tobytes() == specials[kept].tobytes()  # subnormals and infinity included
    assert (got[~kept] == 0).all()
    assert not np.signbit(got[specials < 0]).any()


def test_relu_mask(kernels, guarded, dtype, specials):
    """(2.12) at every special value of h and delta: delta where not h <= 0, else +0."""
    h = np.tile(specials, (len(specials), 1))
    delta = np.ascontiguousarray(h.T)
    count = len(specials)
    a, w = np.zeros((count, 1), dtype), np.zeros((1, padded(count)), dtype)
    out, nodes = (guarded(name, (count, padded(count)), dtype) for name in ("out", "nodes"))
    nodes[:, :count], out[:, :count] = h, delta
    relu_mask = 2
    # A product of zeros that continues the sums in `out`: they stay, but -0 + 0 is +0.
    kernels.product(a, 0, 1, w, None, out, relu_mask, nodes)
    wanted = np.where(h <= 0, 0, delta + np.zeros((), dtype)).astype(dtype)
    assert_same(out[:, :count].ravel(), wanted.ravel())


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_activations_at_the_ends(kernels, dtype, name):
    got = elementwise(kernels, name, np.array([np.inf, -np.inf, 0.0, np.nan], dtype))
    wanted = {"sigmoid": [1.0, 0.0, 0.5, np.nan], "tanh": [1.0, -1.0, 0.0, np.nan]}[name]
    assert_same(got, np.array(wanted, dtype))


class TestSoftmax:
    @pytest.mark.parametrize("width", [1, 2, 3, 15, 16, 17, 33, 70])
    def test_accuracy(self, kernels, rng, limits, width):
        """p_n = e_n / S with e_n = exp(z_n - m).

        Rounding z_n - m changes e_n by |z_n - m| eps/2 of it, exp by 2 eps; S sums terms as wrong
        as that in width/16 + 4 additions, and two more roundings multiply by 1/S.
        """
        z = np.zeros((20, padded(width)), limits.dtype)
        z[:, :width] = rng.uniform(-9, 9, (20, width))
        exact = np.exp(z[:, :width].astype(np.longdouble))
        exact /= exact.sum(axis=1, keepdims=True)
        kernels.activate("softmax", z, z, width)
        bound = 2 * (18 / 2 + ULPS) + (width / 16 + 4) / 2 + 1
        assert np.abs(z[:, :width] / exact - 1).max() <= bound * limits.eps

    def test_never_overflows(self, kernels, limits):
        z = np.zeros((3, PAD), limits.dtype)
        z[:, :3] = [[limits.max, 0, -limits.max], [limits.max] * 3, [-limits.max] * 3]
        kernels.activate("softmax", z, z, 3)
        third = limits.dtype.type(1) / limits.dtype.type(3)
        assert z[:, :3].tolist() == [[1, 0, 0], [third] * 3, [third] * 3]

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("rows", [1, 20])
    def test_what_is_no_number_is_not_hidden(self, kernels, dtype, bad, rows):
        for width in (1, 2, 16, 17, 40):
            for at in range(width):
                z = np.zeros((rows, padded(width)), dtype)
                z[0, at] = bad
                kernels.activate("softmax", z, z, width)
                assert np.isnan(z[0, :width]).any()
                assert np.isfinite(z[1:]).all()


@pytest.mark.parametrize(
    ("limit", "bad"),
    [(np.inf, np.nan), (np.inf, np.inf), (np.inf, -np.inf), (2.0, 2.0), (2.0, -3.0), (2.0, np.nan)],
)
def test_count_below(kernels, guarded, limits, specials, limit, bad):
    usual = np.resize(specials[np.abs(specials) < limit], 70)
    for count in range(71):
        x = guarded("x", (count,), limits.dtype)
        x[:] = usual[:count]
        assert kernels.count_below(limit, x) == count
        for at in {*range(count % 7, count, 7), count - 1} - {-1}:
            x[at] = bad
            assert kernels.count_below(limit, x) == at
            x[at] = 0
    assert kernels.count_below(np.nan, x) == 0
