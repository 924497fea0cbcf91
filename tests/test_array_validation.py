"""Every invalid array: the type of the error, its message, and that nothing changed."""

import re

import numpy as np
import pytest

import fastmlp as fm

X = np.random.default_rng(5).standard_normal((12, 4)).astype(np.float32)
Y = np.arange(12) % 3


@pytest.fixture
def net():
    return fm.Network([4, 5, 3], seed=1)


def with_cell(value, dtype=np.float32, row=7, column=2):
    array = X.astype(dtype)
    array[row, column] = value
    return array


BAD_FEATURES = [
    (with_cell(np.nan), ValueError, "X contains NaN at row 7, column 2"),
    (with_cell(np.inf), ValueError, "X contains infinity at row 7, column 2"),
    (with_cell(-np.inf, np.float64), ValueError, "X contains infinity at row 7, column 2"),
    (with_cell(np.nan, row=0, column=0), ValueError, "row 0, column 0"),
    (with_cell(np.nan, row=11, column=3), ValueError, "row 11, column 3"),
    (
        with_cell(1e39, np.float64),
        ValueError,
        r"1e\+39 at row 7, column 2: value too large for float32",
    ),
    (with_cell(None, object), ValueError, "NaN at row 7, column 2"),
    (with_cell("a", object), ValueError, "text"),
    (with_cell("1.5", object), ValueError, "text"),
    (with_cell([1, 2], object), ValueError, "not real numbers"),
    (with_cell(1j, object), ValueError, "complex|not real numbers"),
    (with_cell(10**400, object), ValueError, "not real numbers"),
    (X.astype(str), ValueError, "text"),
    (X.astype(bytes), ValueError, "text"),
    (X.astype(complex), ValueError, "complex data is not supported"),
    (X.astype("datetime64[s]"), TypeError, "datetime64"),
    (X.astype("timedelta64[s]"), TypeError, "timedelta64"),
    (np.zeros(12, [("a", "f4")]), TypeError, "dtype"),
    (np.zeros(12, "V8"), TypeError, "dtype"),
    (np.float32(3), ValueError, r"2 dimensions \(samples, 4\), got shape \(\)"),
    (X[0], ValueError, r"got shape \(4,\); for one sample pass X.reshape\(1, -1\)"),
    (np.zeros((3, 2, 4)), ValueError, r"got shape \(3, 2, 4\); flatten"),
    (X[:, :3], ValueError, r"X has 3 features \(shape \(12, 3\)\), but the network takes 4"),
    (np.zeros((12, 0)), ValueError, "X has 0 features"),
    ([[1, 2, 3, 4], [1, 2, 3]], ValueError, "not a rectangular array"),
    (None, TypeError, "X must be an array, a frame or a list, got None"),
    ("X", TypeError, "X must be an array"),
    ({"a": 1}, TypeError, "X must be an array"),
    ({1, 2}, TypeError, "X must be an array"),
    (object(), TypeError, "X must be an array"),
    (np.ma.masked_array(X, X > 1), ValueError, "masked"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_FEATURES)
@pytest.mark.parametrize("method", ["predict", "forward", "evaluate", "fit", "objective"])
def test_features(net, assert_unchanged, method, bad, error, message):
    arguments = (bad,) if method in ("predict", "forward") else (bad, Y)
    with assert_unchanged(net, Y), pytest.raises(error, match=message):
        getattr(net, method)(*arguments)


@pytest.mark.parametrize("method", ["forward", "evaluate", "fit", "objective"])
def test_no_rows(net, assert_unchanged, method):
    arguments = (X[:0],) if method == "forward" else (X[:0], Y[:0])
    with assert_unchanged(net), pytest.raises(ValueError, match="X has 0 samples"):
        getattr(net, method)(*arguments)


def test_a_flat_x_for_one_feature():
    with pytest.raises(ValueError, match=r"for one feature pass X.reshape\(-1, 1\)"):
        fm.Network([1, 2], seed=1).predict(X[:, 0])


def test_sparse_features(net, assert_unchanged):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    for matrix in (sparse.csr_array(X), sparse.csc_matrix(X)):
        with assert_unchanged(net), pytest.raises(TypeError, match=r"X is sparse.*X\.toarray"):
            net.forward(matrix)


class Raising:
    def __array__(self, dtype=None, copy=None):
        raise KeyError("own error")


def fit_table(**options):
    table = {"size": np.arange(20.0), "price": np.arange(20.0) ** 2}
    fm.TabularModel(networks=1, seed=0).fit(table, target="price", **options)


@pytest.mark.parametrize(
    ("argument", "call"),
    {
        "X": lambda net, bad: net.predict(bad),
        "labels": lambda net, bad: net.to_sklearn(labels=bad),
        "q": lambda net, bad: fm.Ensemble([net, net.copy()]).quantiles(X, bad),
        "groups": lambda net, bad: fit_table(groups=bad),
        "sample_weight": lambda net, bad: fit_table(sample_weight=bad),
        "tensors['a']": lambda net, bad: fm.files.write_archive(
            "never.safetensors", {"a": bad}, {}
        ),
    }.items(),
)
def test_an_array_that_raises(net, assert_unchanged, argument, call):
    message = rf"^{re.escape(argument)} cannot .*own error"
    with assert_unchanged(net), pytest.raises(TypeError, match=message) as caught:
        call(net, Raising())
    assert isinstance(caught.value.__cause__, KeyError)


BAD_LABELS = [
    (np.where(Y == 2, 7, Y), ValueError, "y contains label 7 at row 2, .* labels are 0 to 2"),
    (np.where(Y == 2, 3, Y), ValueError, "y contains label 3 at row 2"),
    (np.where(Y == 1, -1, Y), ValueError, "y contains label -1 at row 1"),
    (np.full(12, 2**63, np.uint64), ValueError, "label 9223372036854775808"),
    (Y.astype(float), ValueError, r"y must hold integer labels.*for labels use astype\(int\)"),
    (np.full(12, 0.5), ValueError, "y must hold integer labels.* with 0.5 at row 0$"),
    ([*Y[:-1], None], ValueError, "y contains NaN or null at row 11, which is no label"),
    ([*Y[:-1], np.inf], ValueError, "y contains infinity at row 11, which is no label"),
    (Y[:11], ValueError, r"inconsistent numbers of samples, \[12, 11\]"),
    (
        Y[:, None],
        ValueError,
        r"shape \(12, 3\).*or integer labels of shape \(12,\), got .*\(12, 1\)",
    ),
    (np.zeros((12, 4)), ValueError, r"\(12, 3\).*got shape \(12, 4\)"),
    (np.zeros((12, 3, 1)), ValueError, r"got shape \(12, 3, 1\)"),
    (np.full((12, 3), np.nan), ValueError, "y contains NaN at row 0, column 0"),
    (np.full((12, 3), 1e300), ValueError, "y holds 1e.300 .* too large"),
    (np.array(["a", "b", "c"] * 4), ValueError, "text"),
    (np.array(["a", "b", "c"] * 4, object), ValueError, "text"),
    (3, ValueError, r"got shape \(\)"),
    (None, TypeError, "y (must be an array|is missing|or gradient=)"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_LABELS)
@pytest.mark.parametrize("method", ["backward", "evaluate", "fit", "objective"])
def test_targets(net, assert_unchanged, method, bad, error, message):
    net.forward(X)
    arguments = (bad,) if method == "backward" else (X, bad)
    with assert_unchanged(net, X), pytest.raises(error, match=message):
        getattr(net, method)(*arguments)


INTEGERS = [
    "?",
    *(f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)),
]


def of_any_layout(labels):
    """Return the same labels: adjacent, apart, backwards in memory, and not aligned."""
    apart = np.repeat(labels, 3)[::3]
    not_aligned = np.frombuffer(b"\0" + labels.tobytes(), labels.dtype, offset=1)
    return labels, apart, labels[::-1].copy()[::-1], not_aligned


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_of_any_integer_type(net, dtype):
    labels = (Y % 2).astype(dtype)
    expected = net.evaluate(X, [int(label) for label in labels])
    for given in of_any_layout(labels):
        assert np.array_equal(given, labels)
        assert net.evaluate(X, given) == expected


@pytest.mark.parametrize("dtype", INTEGERS[1:])
def test_labels_of_any_integer_type_are_checked(net, assert_unchanged, dtype):
    limits = np.iinfo(dtype)
    for wrong in {3, int(limits.min), int(limits.max)} - {0}:
        labels = Y.astype(dtype)
        labels[5] = wrong
        for given in of_any_layout(labels):
            with (
                assert_unchanged(net),
                pytest.raises(ValueError, match=f"y contains label {wrong} at row 5"),
            ):
                net.fit(X, given)


@pytest.mark.parametrize(
    ("outputs", "output", "bad", "message"),
    [
        (3, "identity", Y, r"shape \(12, 3\) of the network's outputs, got shape \(12,\)"),
        (1, "identity", X, r"shape \(12, 1\).* got shape \(12, 4\)"),
        (3, "sigmoid", Y, r"shape \(12, 3\)"),
        (1, "sigmoid", 2 * (Y > 0) - 1, r"y must be in \[0, 1\].* got -1.0 at row 0, column 0"),
        (1, "sigmoid", Y, r"y must be in \[0, 1\].* got 2.0 at row 2, column 0"),
        (1, "identity", np.where(Y, X[:, 0], np.inf), "y contains infinity at row 0, column 0"),
    ],
)
def test_targets_of_other_losses(assert_unchanged, outputs, output, bad, message):
    net = fm.Network([4, outputs], output=output, seed=1)
    with assert_unchanged(net), pytest.raises(ValueError, match=message):
        net.fit(X, bad)


def read_only():
    out = np.zeros((12, 3), np.float32)
    out.flags.writeable = False
    return out


BAD_OUT = {
    "list": ([[0.0] * 3] * 12, TypeError),
    "subclass": (np.ma.zeros((12, 3), np.float32), TypeError),
    "dtype": (np.zeros((12, 3)), ValueError),
    "rows": (np.zeros((11, 3), np.float32), ValueError),
    "columns": (np.zeros((12, 4), np.float32), ValueError),
    "order": (np.zeros((12, 3), np.float32, order="F"), ValueError),
    "read-only": (read_only(), ValueError),
}


@pytest.mark.parametrize("case", BAD_OUT)
@pytest.mark.parametrize("inputs", [X, X.tolist()], ids=["ready", "converted"])
def test_out(net, assert_unchanged, case, inputs):
    out, error = BAD_OUT[case]
    with assert_unchanged(net, X), pytest.raises(error, match="out must"):
        net.predict(inputs, out=out)


def test_out_apart_from_features_and_weights(assert_unchanged):
    net = fm.Network([4, 4], seed=1)
    inputs = X.copy()
    for out in (inputs, net.weights[0]):
        with assert_unchanged(net, inputs), pytest.raises(ValueError, match="share memory"):
            net.predict(inputs[: len(out)], out=out)
