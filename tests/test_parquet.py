"""Parquet and Arrow files as streams: the same bits as in memory, and one clear error."""

import numpy as np
import pytest

import fastmlp as fm

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
feather = pytest.importorskip("pyarrow.feather")
dataset = pytest.importorskip("pyarrow.dataset")

ROWS = 500


@pytest.fixture
def table(rng):
    columns = {name: rng.standard_normal(ROWS).astype(np.float32) for name in "abc"}
    columns["label"] = rng.integers(0, 3, ROWS)
    columns["weight"] = rng.random(ROWS)
    return pa.table(columns)


def arrays(table):
    X = np.stack([table.column(name).to_numpy() for name in "abc"], axis=1)
    return X, table.column("label").to_numpy(), table.column("weight").to_numpy()


def network():
    return fm.Network([3, fm.Dense(8, "relu", dropout=0.1), 3], seed=1)


def parquet(directory, table, **options):
    path = directory / "table.parquet"
    pq.write_table(table, path, row_group_size=37, **options)
    return path


def arrow(directory, table):
    path = directory / "table.arrow"
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table, max_chunksize=37)
    return path


def compressed_feather(directory, table):
    path = directory / "table.feather"
    feather.write_feather(table, path, chunksize=37)
    return path


@pytest.mark.parametrize("window_rows", [1, 10, 64, None])
@pytest.mark.parametrize("write", [parquet, arrow, compressed_feather])
def test_a_file_trains_as_in_memory(tmp_path, table, write, window_rows):
    stream = fm.ParquetStream(
        write(tmp_path, table), "label", sample_weight="weight", window_rows=window_rows
    )
    assert stream.block_rows == [37] * 13 + [19]
    X, y, weight = arrays(table)
    one, other = network(), network()
    order = np.array([stream.order(1, epoch) for epoch in range(2)])
    one.fit(stream, epochs=2, optimizer=fm.Adam())
    other.fit(X, y, 2, 32, fm.Adam(), shuffle=order, sample_weight=weight)
    assert one.parameters.tobytes() == other.parameters.tobytes()
    assert one.predict(stream).tobytes() == other.predict(X).tobytes()


def test_row_groups_that_are_read_bit_by_bit(tmp_path, table, monkeypatch):
    monkeypatch.setattr("fastmlp.streams.tables._LARGE_GROUP", 1)
    monkeypatch.setattr("fastmlp.streams.tables._BATCH_ELEMENTS", 20)
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=200)
    stream = fm.ParquetStream(path, "label", ["a", "b", "c"], window_rows=33)
    X, y, _ = arrays(table)
    one, other = network(), network()
    order = stream.order(1, 0)
    one.fit(stream, epochs=1)
    other.fit(X, y, epochs=1, shuffle=order)
    assert one.parameters.tobytes() == other.parameters.tobytes()


def test_several_files_and_several_targets(tmp_path, table):
    for name, part in (("2", table.slice(300)), ("1", table.slice(0, 300))):
        (tmp_path / name).mkdir()
        parquet(tmp_path / name, part)
    X, _, _ = arrays(table)
    net = fm.Network([1, 2], output="identity", seed=1)
    other = fm.Network([1, 2], output="identity", seed=1)
    for source in (tmp_path, [tmp_path / "1", tmp_path / "2"], dataset.dataset(tmp_path)):
        stream = fm.ParquetStream(source, ["c", "a"], ["b"])
        assert stream.n_rows == ROWS
        assert "2 files, 500 rows, 1 features" in repr(stream)
        net.fit(stream, epochs=1, shuffle=False)
        other.fit(X[:, 1:2], X[:, [2, 0]], epochs=1, shuffle=False)
        assert net.parameters.tobytes() == other.parameters.tobytes()


def test_integers_and_booleans(tmp_path):
    X = np.arange(60, dtype=np.uint8).reshape(30, 2)
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "yes": X[:, 0] > 20})
    stream = fm.ParquetStream(parquet(tmp_path, table), "yes")
    one, other = (fm.Network([2, 1], output="sigmoid", seed=1) for _ in range(2))
    one.fit(stream, epochs=1, optimizer=fm.SGD(1e-3))
    other.fit(X, X[:, 0] > 20, epochs=1, optimizer=fm.SGD(1e-3))
    assert one.parameters.tobytes() == other.parameters.tobytes()


BAD_VALUES = [
    ("a", pa.float32(), np.nan, r"table.parquet: row 123, column 'a': NaN"),
    ("a", pa.float32(), None, r"table.parquet: row 123, column 'a': NaN"),
    ("b", pa.float64(), 1e300, r"row 123, column 'b': 1e\+300, too large for float32"),
    ("label", pa.int64(), 7, r"column 'label' contains label 7 at row 123"),
    ("weight", pa.float64(), -1.0, r"sample_weight must be at least 0 .* got -1.0 at row 123"),
]


@pytest.mark.parametrize(("name", "kind", "value", "message"), BAD_VALUES)
def test_a_bad_value(tmp_path, table, assert_unchanged, name, kind, value, message):
    values = table.column(name).to_pylist()
    values[123] = value
    position = table.schema.names.index(name)
    bad = table.set_column(position, name, pa.array(values, kind))
    stream = fm.ParquetStream(
        parquet(tmp_path, bad), "label", sample_weight="weight", window_rows=64
    )
    net = network()
    net.fit(*arrays(table)[:2], epochs=1, optimizer=fm.Adam())
    with assert_unchanged(net), pytest.raises(fm.DataError, match=message):
        net.fit(stream, epochs=2, optimizer=fm.Adam())


def test_rows_are_told_within_their_file(tmp_path, table):
    parquet(tmp_path, table)
    values = table.column("a").to_pylist()
    values[77] = np.nan
    bad = table.set_column(0, "a", pa.array(values, pa.float32()))
    pq.write_table(bad, tmp_path / "worse.parquet", row_group_size=50)
    stream = fm.ParquetStream(tmp_path, "label", sample_weight="weight")
    with pytest.raises(fm.DataError, match=r"worse.parquet: row 77, column 'a': NaN"):
        network().fit(stream)


def test_columns_that_do_not_fit(tmp_path, table):
    path = parquet(tmp_path, table)
    with pytest.raises(fm.DataError, match=r"no column 'labels'.*did you mean 'label'"):
        fm.ParquetStream(path, "labels")
    with pytest.raises(TypeError, match="target must be names of columns"):
        fm.ParquetStream(path, [3])
    text = table.append_column("name", pa.array(["x"] * ROWS))
    with pytest.raises(fm.DataError, match="column 'name' holds string, not numbers"):
        fm.ParquetStream(parquet(tmp_path, text), "label")
    twice = pa.Table.from_arrays([*table.columns, table.column("a")], [*table.schema.names, "a"])
    with pytest.raises(fm.DataError, match="2 columns are named 'a'"):
        fm.ParquetStream(arrow(tmp_path / "..", twice), "label")
    with pytest.raises(fm.DataError, match="no column besides the target"):
        fm.ParquetStream(parquet(tmp_path, table.select(["label"])), "label")


def test_files_whose_columns_differ(tmp_path, table):
    parquet(tmp_path, table)
    pq.write_table(table.drop_columns(["b"]), tmp_path / "without.parquet")
    with pytest.raises(fm.DataError, match=r"without.parquet: there is no column 'b'"):
        fm.ParquetStream(tmp_path, "label")


def test_no_rows(tmp_path, table):
    stream = fm.ParquetStream(parquet(tmp_path, table.slice(0, 0)), "label", ["a", "b", "c"])
    with pytest.raises(ValueError, match="0 rows"):
        network().fit(stream)


def test_files_that_are_none(tmp_path, table):
    for name in ("x.parquet", "x.arrow"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(fm.DataError, match=f"{name}: the file cannot be read"):
            fm.ParquetStream(tmp_path / name, "label")
        (tmp_path / name).write_bytes(b"nonsense" * 100)
        with pytest.raises(fm.DataError, match=f"{name}: the file cannot be read"):
            fm.ParquetStream(tmp_path / name, "label")
    with pytest.raises(FileNotFoundError):
        fm.ParquetStream(tmp_path / "missing.parquet", "label")
    with pytest.raises(fm.DataError, match="neither a file nor a directory"):
        fm.ParquetStream(tmp_path / "table.xls", "label")
    with pytest.raises(TypeError, match="a path, a list of paths or a pyarrow data set"):
        fm.ParquetStream(3, "label")
    whole = parquet(tmp_path, table).read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(fm.DataError, match="the file cannot be read"):
        fm.ParquetStream(tmp_path / "x.parquet", "label")


def test_a_file_that_changes(tmp_path, table, assert_unchanged):
    path = parquet(tmp_path, table)
    stream = fm.ParquetStream(path, "label", ["a", "b", "c"])
    parquet(tmp_path, table.slice(10))
    net = network()
    with assert_unchanged(net), pytest.raises(fm.DataError, match="has changed since"):
        net.fit(stream)


def test_damage_within(tmp_path, table, assert_unchanged):
    path = parquet(tmp_path, table, use_dictionary=False)
    content = bytearray(path.read_bytes())
    for i in range(len(content) // 2, len(content) // 2 + 400):
        content[i] ^= 0x5A
    path.write_bytes(content)
    net = network()
    stream = fm.ParquetStream(path, "label", ["a", "b", "c"])
    with assert_unchanged(net), pytest.raises(fm.DataError, match=r"table.parquet"):
        net.fit(stream)
