"""What streams are made of, and what they refuse: columns, files, targets, memory, weights."""

import os

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.tables.reading.read import read

X, Y = np.random.default_rng(0).standard_normal((400, 4)), np.arange(400) % 3


def network(dtype="float32"):
    return fm.Network([4, 6, 3], seed=1, dtype=dtype)


@pytest.mark.parametrize("source", [np.float64, np.uint8])
def test_rescaled_features_read_as_in_memory(dtype, source):
    rescaled = fm.Rescaled((50 * X).astype(np.int8).astype(source), [0.5, 1, 2, 3], -0.3)
    net, other, by_batch = (network(dtype) for _ in range(3))
    net.fit(fm.ArrayStream(rescaled, Y), epochs=2)
    other.fit(rescaled, Y, epochs=2)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    assert net.predict(fm.ArrayStream(rescaled, Y)).tobytes() == net.predict(rescaled).tobytes()
    net, other = network(dtype), by_batch
    net.fit([(rescaled, Y)], epochs=2)
    other.fit(rescaled, Y, epochs=2, shuffle=False)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    read = rescaled.rows(np.dtype(dtype)).read()
    np.testing.assert_array_equal(np.asarray(rescaled, dtype), read)


def test_rescaled_twice():
    rescaled = fm.Rescaled(X, 2.0)
    with pytest.raises(TypeError, match="X is already Rescaled"):
        fm.Rescaled(rescaled)
    with pytest.raises(TypeError, match="X is already Rescaled"):
        rescaled.like(rescaled)


@pytest.mark.parametrize("change", ["shorter", "other", "gone"])
def test_an_array_file_that_changes(tmp_path, assert_unchanged, change):
    path = tmp_path / "X.npy"
    np.save(path, X)
    stream, net = fm.ArrayStream(path, Y), network()
    if change == "gone":
        path.unlink()
    else:
        np.save(path, X[:7] if change == "shorter" else X)
        os.utime(path, ns=(1, 1))
    for use in (net.fit, net.predict, net.evaluate):
        with assert_unchanged(net, X), pytest.raises(fm.DataError, match=r"X\.npy: .* has changed"):
            use(stream)


def test_what_is_no_array(tmp_path):
    np.savez(tmp_path / "data.npz", X)
    (tmp_path / "empty.npy").write_bytes(b"")
    for name, message in (("data.npz", "an archive of arrays"), ("empty.npy", "not a .npy file")):
        with pytest.raises(fm.DataError, match=message):
            fm.ArrayStream(tmp_path / name, Y)
    polars = pytest.importorskip("polars")
    net, other = network(), network()
    net.fit(fm.ArrayStream(X, polars.Series(Y)), epochs=1)
    other.fit(X, Y, epochs=1)
    assert net.parameters.tobytes() == other.parameters.tobytes()


@pytest.mark.parametrize("rescaled", [False, True])
def test_outputs_do_not_go_where_the_stream_reads(rescaled):
    memory = X.astype(np.float32)
    stream = fm.ArrayStream(fm.Rescaled(memory, 2.0) if rescaled else memory, Y)
    net = fm.Network([4, 4], seed=1)
    with pytest.raises(ValueError, match="out must not share memory"):
        net.predict(stream, out=memory)
    np.testing.assert_array_equal(memory, X.astype(np.float32))


@pytest.mark.parametrize("kind", ["stream", "batches", "classes"])
def test_weights_that_are_all_0(assert_unchanged, kind):
    net, zeros = network(), np.zeros(len(X))
    data = {
        "stream": fm.ArrayStream(X, Y, zeros, block_rows=50, window_rows=100),
        "batches": [(X[:200], Y[:200], zeros[:200]), (X[200:], Y[200:], zeros[200:])],
        "classes": fm.ArrayStream(X, Y),
    }[kind]
    weights = {0: 0, 1: 0, 2: 0} if kind == "classes" else None
    with assert_unchanged(net, X), pytest.raises(fm.DataError, match="weight 0"):
        net.fit(data, epochs=2, class_weight=weights)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"optimizer": fm.LBFGS()}, ValueError, "LBFGS needs all samples in memory"),
        ({"validation_fraction": 0.1}, ValueError, "validation_fraction cannot hold out samples"),
        ({"class_weight": "balanced"}, ValueError, "would have to count the classes"),
        ({"shuffle": np.arange(400)}, ValueError, "shuffle must be True or False with a stream"),
        ({"sample_weight": np.ones(400)}, ValueError, "sample_weight is part of a stream"),
        ({"y": Y}, TypeError, "pass the stream alone"),
    ],
)
def test_what_needs_all_samples_is_refused(assert_unchanged, arguments, error, message):
    net = network()
    with assert_unchanged(net, X), pytest.raises(error, match=message):
        net.fit(fm.ArrayStream(X, Y), **arguments)


def test_a_bad_target_is_told_by_its_own_file(tmp_path):
    labels, values = Y.copy(), Y.astype(float)
    labels[321], values[17] = 7, np.nan
    for name, array in (("X", X), ("labels", labels), ("values", values)):
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(fm.DataError, match=r"labels\.npy: y contains label 7 at row 321"):
        network().fit(fm.ArrayStream(tmp_path / "X.npy", tmp_path / "labels.npy"))
    with pytest.raises(fm.DataError, match=r"values\.npy: y is NaN or null at row 17"):
        network().fit(fm.ArrayStream(tmp_path / "X.npy", tmp_path / "values.npy"))


@pytest.fixture
def write(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(name, columns):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table(columns), path, row_group_size=100)
        return path

    return write


COLUMNS = {"a": X[:, 0], "b": X[:, 1], "y": Y}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"features": "ab"}, TypeError, "features must be names of columns"),
        ({"features": ["a", "y"]}, ValueError, "column 'y' is named twice"),
        ({"features": ["a", "a"]}, ValueError, "column 'a' is named twice"),
        ({"sample_weight": "y"}, ValueError, "column 'y' is named twice"),
        ({"target": []}, ValueError, "target must name at least one column"),
        ({"features": []}, ValueError, "features must name at least one column"),
        ({"target": None}, TypeError, "target must be names of columns"),
        ({"target": 3}, TypeError, "target must be names of columns"),
    ],
)
def test_columns_that_are_refused(write, arguments, error, message):
    path = write("x.parquet", COLUMNS)
    with pytest.raises(error, match=message):
        fm.ParquetStream(path, **({"target": "y"} | arguments))


def test_a_null_label_is_told_with_its_row(write):
    path = write("x.parquet", COLUMNS | {"y": [None if i == 250 else i % 3 for i in range(400)]})
    net = fm.Network([2, 3], seed=1)
    with pytest.raises(fm.DataError, match="column 'y' is NaN or null at row 250"):
        net.fit(fm.ParquetStream(path, "y"))


def test_files_stand_in_the_order_given(write, tmp_path):
    paths = [write(f"part/p{i}.parquet", {"a": [float(i)], "y": [0]}) for i in (1, 2, 10)]
    write("part/_metadata.parquet", {"other": [1]})
    write("part/.hidden/x.parquet", {"other": [1]})

    def first(source):
        stream = fm.ParquetStream(source, "y")
        return [float(stream.read(i, i + 1)[0][0, 0]) for i in range(stream.n_rows)]

    assert first(paths) == [1, 2, 10]
    assert first(tmp_path / "part") == [1, 10, 2]
    with pytest.raises(TypeError, match="source must contain paths, got int"):
        fm.ParquetStream([1], "y")


def test_the_index_of_pandas_is_no_feature(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(COLUMNS)
    frame[frame.y != 1].to_parquet(tmp_path / "kept.parquet")
    frame.set_index("b").to_parquet(tmp_path / "named.parquet")
    assert fm.ParquetStream(tmp_path / "kept.parquet", "y").n_features == 2
    assert fm.ParquetStream(tmp_path / "named.parquet", "y").n_features == 1
    assert fm.ParquetStream(tmp_path / "named.parquet", "y", ["a", "b"]).n_features == 2
    assert list(read(tmp_path / "kept.parquet").columns) == ["a", "b", "y"]


def test_data_sets_of_pyarrow(write, tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    write("parts/kind=1/x.parquet", COLUMNS)
    with pytest.raises(fm.DataError, match="column 'kind' of the data set is not in the file"):
        fm.ParquetStream(dataset.dataset(tmp_path / "parts", partitioning="hive"), "y")
    with pytest.raises(fm.DataError, match="partitions"):
        fm.ParquetStream(tmp_path / "parts", "y")
    with pytest.raises(TypeError, match="a data set of files"):
        fm.ParquetStream(dataset.dataset(dataset.dataset(tmp_path / "parts").to_table()), "y")
    (tmp_path / "x.csv").write_text("a,y\n1,2\n")
    with pytest.raises(fm.DataError, match="must be Parquet or Arrow, got csv"):
        fm.ParquetStream(dataset.dataset(tmp_path / "x.csv", format="csv"), "y")


@pytest.mark.parametrize(
    ("seed", "epoch", "error", "message"),
    [
        ("a", 1, TypeError, r"seed must be an integer, got 'a' \(str\)"),
        (1, 1.5, TypeError, r"epoch must be an integer, got 1.5 \(float\)"),
        (-1, 1, ValueError, "seed must be at least 0, got -1"),
        (1, -1, ValueError, "epoch must be at least 0, got -1"),
        (1, 2**40, ValueError, "epoch must be at most 4294967295, got 1099511627776"),
    ],
)
def test_orders_that_no_network_has(seed, epoch, error, message):
    with pytest.raises(error, match=message):
        fm.ArrayStream(X, Y).order(seed, epoch)


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((10, -5), ValueError, r"block_rows\[1\] must be at least 0, got -5"),
        ((2.5,), TypeError, r"block_rows\[0\] must be an integer, got 2.5"),
        (20, TypeError, "block_rows must be a sequence of integers, got 20"),
        ((2**62, 2**62), ValueError, f"block_rows must be at most {2**63 - 1} in all, got {2**63}"),
    ],
)
def test_blocks_that_no_stream_has(sizes, error, message):
    class Blocks(fm.Stream):
        n_features, block_rows = 4, sizes

        def read(self, start, stop):
            raise NotImplementedError

    for use in (lambda s: s.order(1, 0), lambda s: network().fit(s, epochs=1)):
        with pytest.raises(error, match=message):
            use(Blocks())


@pytest.mark.parametrize(
    ("width", "error", "message"),
    [
        ("4", TypeError, "n_features must be an integer, got '4'"),
        (5, ValueError, "the stream has 5 features, but the network takes 4"),
    ],
)
def test_a_width_that_is_not_the_networks(assert_unchanged, width, error, message):
    class Wide(fm.Stream):
        n_features, block_rows = width, (400,)

        def read(self, start, stop):
            raise NotImplementedError

    net = network()
    for use in (net.fit, net.adapt):
        with assert_unchanged(net, X), pytest.raises(error, match=message):
            use(Wide())
