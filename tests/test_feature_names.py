"""`feature_names`: learned from the first frame, and what is refused by them."""

import copy
import pickle

import numpy as np
import pytest

import fastmlp as fm

Y = np.arange(12) % 3
VALUES = np.random.default_rng(5).standard_normal((12, 3))
NAMES = ("a", "b", "c")


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def frame(request):
    """Make a frame of a library of columns by name."""
    library = pytest.importorskip(request.param)
    if request.param != "pandas":
        pytest.importorskip("narwhals")
    make = library.table if request.param == "pyarrow" else library.DataFrame

    def made(names, values=VALUES):
        columns = values.T if values.dtype != object else values.T.tolist()
        return make(dict(zip(names, columns, strict=True)))

    return made


@pytest.fixture
def net():
    return fm.Network([3, 4, 3], seed=1)


def state(net):
    return net.parameters.tobytes(), net.epoch, net.steps, net.feature_names


def test_the_first_fit_on_a_frame_sets_them(net, frame):
    assert net.feature_names is None
    net.fit(VALUES, Y, epochs=1)
    assert net.feature_names is None
    net.fit(frame(NAMES), Y, epochs=1)
    assert net.feature_names == NAMES
    assert copy.deepcopy(net).feature_names == NAMES
    assert pickle.loads(pickle.dumps(net)).feature_names == NAMES
    twin = fm.Network([3, 4, 3], seed=1)
    for _ in range(2):
        twin.fit(VALUES, Y, epochs=1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


USES = {
    "fit": lambda net, X: net.fit(X, Y, epochs=1),
    "validation": lambda net, X: net.fit(VALUES, Y, epochs=1, validation_data=(X, Y)),
    "batches": lambda net, X: net.fit(iter([(VALUES, Y), (X, Y)]), epochs=1),
    "stream": lambda net, X: net.fit(fm.ArrayStream(X, Y), epochs=1),
    "rescaled": lambda net, X: net.fit(fm.Rescaled(X, 2.0)[2:], Y[2:], epochs=1),
    "standardised": lambda net, X: net.predict(fm.Rescaled.standardize(X)),
    "train_many": lambda net, X: fm.train_many([net], X, Y, epochs=1),
    "predict": lambda net, X: net.predict(X),
    "predict a stream": lambda net, X: net.predict(fm.ArrayStream(X, Y)),
    "evaluate": lambda net, X: net.evaluate(X, Y),
    "evaluate batches": lambda net, X: net.evaluate([(X, Y)]),
    "forward": lambda net, X: net.forward(X),
    "jacobian": lambda net, X: net.jacobian(X),
    "input_gradient": lambda net, X: net.input_gradient(X, Y),
    "objective": lambda net, X: net.objective(X, Y),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("b", "a", "c"), "column 0 is 'b', but feature 0 of the network is 'a'"),
        (("a", "b", "d"), "lacks the column 'c'"),
        (("A", "b", "c"), "lacks the column 'a'"),
    ],
)
def test_other_columns_are_refused_by_name(net, frame, use, names, message):
    net.feature_names = list(NAMES)
    before = state(net)
    with pytest.raises(ValueError, match=message):
        USES[use](net, frame(names))
    assert state(net) == before
    USES[use](net, frame(NAMES))
    if use not in ("validation", "batches"):
        USES[use](net, VALUES)  # has no names


def test_a_column_too_many_is_named(net, frame):
    net.feature_names = NAMES
    more = np.column_stack([VALUES, VALUES[:, 0]])
    with pytest.raises(ValueError, match="has the column 'd', which is not a feature"):
        net.predict(frame("abcd", more))


def test_validation_data_of_the_first_fit(net, frame):
    with pytest.raises(ValueError, match=r"validation_data\[0\] has its columns in another order"):
        net.fit(frame(NAMES), Y, epochs=1, validation_data=(frame("cba"), Y))
    assert state(net) == state(fm.Network([3, 4, 3], seed=1))


def test_a_fit_that_made_no_step_leaves_no_names(net, tmp_path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(VALUES, columns=NAMES)
    with pytest.raises(OSError, match="No such file"):
        net.fit(X, Y, checkpoint=tmp_path / "nowhere" / "file")
    assert net.feature_names is None

    class Refusing(fm.Callback):
        def on_fit_begin(self, network):
            raise LookupError("refused")

    with pytest.raises(LookupError):
        net.fit(X, Y, callbacks=Refusing())
    assert net.feature_names is None


def test_a_fit_that_made_a_step_leaves_them(net):
    X = pytest.importorskip("pandas").DataFrame(VALUES, columns=NAMES)

    def fail(*_):
        raise fm.DataError("of a callback")

    with pytest.raises(fm.DataError):
        net.fit(X, Y, epochs=2, callbacks=fail)
    assert (net.epoch, net.feature_names) == (1, NAMES)


def test_batches_and_streams_set_them(net, frame):
    twin = copy.copy(net)
    net.fit(iter([(VALUES, Y), (frame(NAMES), Y)]), epochs=1)
    twin.fit(fm.ArrayStream(frame(NAMES), Y), epochs=1)
    assert net.feature_names == twin.feature_names == NAMES


def test_batches_agree_with_each_other(net, frame):
    with pytest.raises(fm.DataError, match=r"batch 1: .*another order"):
        net.fit(iter([(frame(NAMES), Y), (frame("bac"), Y)]), epochs=1, batch_size=4)
    assert state(net) == state(fm.Network([3, 4, 3], seed=1))


def test_a_stream_that_cannot_be_used_leaves_no_names(net, frame):
    wrong = np.where(Y == 2, 7, Y)
    with pytest.raises(fm.DataError):
        net.fit(fm.ArrayStream(frame(NAMES), wrong), epochs=1)
    assert net.feature_names is None


def test_parquet_files_have_them(net, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = dict(zip("abc", VALUES.T, strict=True)) | {"y": Y}
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    net.fit(fm.ParquetStream(tmp_path / "x.parquet", "y"), epochs=1)
    assert net.feature_names == NAMES
    other = fm.ParquetStream(tmp_path / "x.parquet", "y", features=["c", "b", "a"])
    for use in (net.fit, net.predict, net.evaluate):
        with pytest.raises(ValueError, match="another order"):
            use(other)


def test_columns_without_names_of_text_set_none(net):
    pandas = pytest.importorskip("pandas")
    net.fit(pandas.DataFrame(VALUES), Y, epochs=1)
    net.fit(pandas.DataFrame(VALUES, columns=["a", "a", "b"]), Y, epochs=1)
    assert net.feature_names is None
    net.feature_names = NAMES
    net.predict(pandas.DataFrame(VALUES))
    with pytest.raises(ValueError, match="has the column 'a' twice"):
        net.predict(pandas.DataFrame(VALUES, columns=["a", "a", "b"]))


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("abc", TypeError, "a sequence of strings or None, got 'abc'"),
        (3, TypeError, "a sequence of strings or None, got 3"),
        (["a", "b", 3], TypeError, r"feature_names\[2\] must be a string, got 3"),
        (["a", "b"], ValueError, "3 names, as many as the network has features, got 2"),
        (["a", "b", "a"], ValueError, "'a' occurs twice"),
    ],
)
def test_what_is_no_names(net, names, error, message):
    net.feature_names = NAMES
    with pytest.raises(error, match=message):
        net.feature_names = names
    assert net.feature_names == NAMES
    net.feature_names = None
    assert net.feature_names is None


def test_files_keep_them(net, tmp_path):
    net.feature_names = NAMES
    net.save(tmp_path / "net.safetensors")
    assert fm.load(tmp_path / "net.safetensors").feature_names == NAMES


@pytest.mark.parametrize(
    "labels", [["a", "b"] * 6, np.array(["a", "b"] * 6, object), [b"a", b"b"] * 6]
)
def test_text_as_labels_is_told_what_encodes_it(net, labels):
    with pytest.raises(ValueError, match=r"y holds text: .*np.unique\(y, return_inverse=True\)"):
        net.fit(VALUES, labels)
    with pytest.raises(ValueError, match=r"y holds text: .*fastmlp.sklearn.MLPClassifier"):
        net.evaluate(VALUES, labels)
    with pytest.raises(fm.DataError, match=r"y holds text: .*np.unique"):
        net.fit(iter([(VALUES, labels)]), epochs=1)
    regression = fm.Network([3, 1], output="identity")
    with pytest.raises(ValueError, match=r"y holds text: .*encode it as numbers$"):
        regression.fit(VALUES, labels)


def test_text_as_a_feature_is_told_what_encodes_it(net, frame):
    text = np.array(["x", "y", "z"] * 4)
    columns = VALUES.astype(object)
    columns[:, 1] = text
    with pytest.raises(ValueError, match=r"X holds text: .*a column of 0 and 1 for each"):
        net.fit(columns.tolist(), Y)
    with pytest.raises(ValueError, match=r"X: column 'b' holds text.*a column of 0 and 1 for each"):
        net.fit(frame(NAMES, columns), Y)


def test_objects_of_polars_are_called_so(net):
    polars = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    column = polars.Series([1.0] * len(Y), dtype=polars.Object)
    table = polars.DataFrame(dict.fromkeys(NAMES, column))
    with pytest.raises(ValueError, match=r"X: column 'a' holds Python objects \(Object\); make"):
        net.fit(table, Y)
