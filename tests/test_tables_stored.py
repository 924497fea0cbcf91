"""Columns of numbers in few bytes, in memory and in a temporary file, and large files of text."""

import bz2
import gzip
import lzma
import math
import platform
import tempfile
import zipfile

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError
from fastmlp.tables.encoding.target_means import share_in_other_folds, target_means
from fastmlp.tables.reading import stored_numbers
from fastmlp.tables.reading.formats import csv_by_pyarrow, opening
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.stored_numbers import GrowingNumbers, StoredNumbers
from fastmlp.tables.reading.table import ColumnStore, Text


@pytest.fixture(params=["memory", "file"])
def area(request, monkeypatch):
    """The place of stored numbers."""
    monkeypatch.setattr(stored_numbers, "LARGE", 0 if request.param == "file" else 1 << 60)
    return request.param


def stored(*pieces):
    growing = GrowingNumbers(["a", "b"], 10)
    for piece in pieces:
        growing.append("b", np.zeros(len(piece)))
        growing.append("a", np.asarray(piece, np.float64))
    return growing.columns["a"]


@pytest.mark.parametrize(
    ("pieces", "places"),
    [
        ([[1, 2, 3], [4]], 0),
        ([[1.25, math.nan, -3], [1000.5]], 2),
        ([[1, 2], [0.5], [0.123456789]], 9),
        ([[0.1, 0.2], [1 / 3]], -1),
        ([[2147483647, -2147483647]], 0),
        ([[2147483648.0]], -1),
        ([[-2147483648.0]], -1),
        ([[1.5], [math.inf]], -1),
        ([[300_000_000], [0.5], [0.0000001]], -1),  # both do not fit in one type
        ([[math.nan], [math.nan]], 0),
        ([[], [1.5], []], 1),
    ],
)
@pytest.mark.usefixtures("area")
def test_numbers_come_back(pieces, places):
    column = stored(*pieces)
    values = np.concatenate([np.asarray(piece, np.float64) for piece in pieces])
    assert column.places == places
    assert len(column) == len(values)
    np.testing.assert_array_equal(column[:], values)
    some = np.arange(len(values))[1::2]
    np.testing.assert_array_equal(column[some], values[some])
    np.testing.assert_array_equal(column[some[::-1]], values[some[::-1]])
    np.testing.assert_array_equal(column[np.empty(0, np.intp)], [])


def test_decimals_of_any_number_of_digits_come_back_to_the_bit(area, rng):
    for digits in range(12):
        values = rng.normal(0, 100, 5000).round(digits)
        column = stored(values[:100], values[100:])
        assert column[:].tobytes() == (values + 0.0).tobytes()  # -0 has become 0
        assert (column.places == digits) == (digits < 7), area


def test_columns_grow_beyond_what_was_expected(area, rng):
    pieces = [rng.integers(0, 9, 3000) / 4 for _ in range(10)]
    column = stored(*pieces)
    np.testing.assert_array_equal(column[:], np.concatenate(pieces))
    assert isinstance(column._area, stored_numbers._File) == (area == "file")


def test_memory_serves_if_there_is_no_room_for_a_file(monkeypatch):
    def refuse():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored_numbers, "LARGE", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert stored([1.5, 2.5])[:].tolist() == [1.5, 2.5]


@pytest.mark.usefixtures("area")
def test_a_store_keeps_text_and_replaces_columns():
    values = np.arange(5000) / 8
    store = ColumnStore(["a", "b"], 5000)
    store["a"] = values
    assert isinstance(store.held("a"), StoredNumbers)
    np.testing.assert_array_equal(store["a"], values)
    store["b"] = Text.of(["x"] * 5000)
    store["a"] = values + 1.0
    np.testing.assert_array_equal(store["a"], values + 1.0)
    store["other"] = values
    assert list(store) == ["a", "b", "other"]
    np.testing.assert_array_equal(store.pop("other"), values)


def write_table(path, rng, rows=6000):
    """Write a table of all that columns may be, with rarities far below the beginning."""
    number = rng.normal(size=rows).round(3)
    cells = {
        "decimal": number.astype(str).tolist(),
        "double": [repr(float(x)) for x in rng.normal(size=rows)],
        "whole": rng.integers(0, 50, rows).astype(str).tolist(),
        "gaps": ["" if x < 0 else f"{x}" for x in number],
        "word": [f"w{i}" for i in rng.integers(0, 7, rows)],
        "name": [f"name {i}" for i in range(rows)],
        "odd": number.astype(str).tolist(),
        "code": rng.integers(10, 99, rows).astype(str).tolist(),
        "finer": number.astype(str).tolist(),
    }
    cells["odd"][rows - 5] = "x"
    cells["code"][rows - 7] = "07"
    cells["finer"][rows - 3] = "0.1234567"
    target = number * 2 + rng.normal(size=rows)
    lines = zip(*cells.values(), target.round(3).astype(str).tolist(), strict=True)
    path.write_text("\n".join([",".join([*cells, "y"]), *map(",".join, lines)]) + "\n")
    return path


def plain(table):
    return {
        name: [column.values[code] if code >= 0 else None for code in column.codes]
        if isinstance(column, Text)
        else (np.asarray(column) + 0.0).tobytes()
        for name, column in table.columns.items()
    }


def test_a_file_is_the_same_in_blocks_of_any_size(tmp_path, monkeypatch, rng, area):
    pytest.importorskip("pyarrow")
    path = write_table(tmp_path / "a.csv", rng)
    expected = read(path)
    assert {name for name, each in expected.columns.items() if isinstance(each, Text)} == {
        "word", "name", "odd", "code",
    }  # fmt: skip
    for block in (1 << 12, 1 << 15):
        monkeypatch.setattr(csv_by_pyarrow, "_BLOCK", block)
        assert plain(read(path)) == plain(expected), area


def test_a_model_is_the_same_wherever_its_columns_are(tmp_path, monkeypatch, rng):
    pytest.importorskip("pyarrow")
    path = write_table(tmp_path / "a.csv", rng)

    def answers():
        model = fm.TabularModel(seed=1, epochs=2, networks=1, hidden=[8])
        model.fit(path, target="y", drop=["odd"])
        return model.predict(path).tobytes(), str(model.columns), model.notes

    expected = answers()
    monkeypatch.setattr(stored_numbers, "LARGE", 0)
    assert answers() == expected


def test_too_many_columns_with_a_word_are_read_as_text_at_once(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [["1.5"] * 8 for _ in range(900)]
    for j in range(7):
        rows[600 + j][j] = "x"
    text = "\n".join([",".join("abcdefgh"), *map(",".join, rows)])
    (tmp_path / "a.csv").write_text(text)
    columns = read(tmp_path / "a.csv").columns
    assert [isinstance(column, Text) for column in columns.values()] == [True] * 7 + [False]


# Large text


@pytest.fixture
def large(monkeypatch):
    """Treat every file as one that is too large to be held."""
    monkeypatch.setattr(opening, "_LARGE", 16)
    monkeypatch.setattr(opening, "_SCANNED", 7)


WRITERS = {
    "plain": lambda path, data: path.write_bytes(data),
    "gz": lambda path, data: path.write_bytes(gzip.compress(data)),
    "bz2": lambda path, data: path.write_bytes(bz2.compress(data)),
    "xz": lambda path, data: path.write_bytes(lzma.compress(data)),
}


@pytest.mark.parametrize("how", [*WRITERS, "zip", "zst"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_large_text_is_read_from_the_file(tmp_path, monkeypatch, how, mark):
    data = (
        mark
        + "größe,wort,y\n".encode()
        + "".join(f"{i}.5,日本 {i % 3},{i % 2}\n" for i in range(300)).encode()
    )
    path = tmp_path / f"a.csv.{how}" if how != "plain" else tmp_path / "a.csv"
    if how == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", data)
    elif how == "zst":
        pyarrow = pytest.importorskip("pyarrow")
        with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
            file.write(data)
    else:
        WRITERS[how](path, data)
    expected = read(path)
    place = expected.place(150, "y")
    monkeypatch.setattr(opening, "_LARGE", 16)
    monkeypatch.setattr(opening, "_SCANNED", 7)  # cuts characters in two
    found = read(path)
    assert list(found.columns) == ["größe", "wort", "y"]
    assert plain(found) == plain(expected)
    assert found.place(150, "y") == place == f"{path}: line 152, column 'y'"


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n" + b"1,2\n" * 20 + b"1,\0\n", "line 22 is not text in UTF-8"),
        (b"a,b\n" + b"1,2\n" * 20 + b"1,2,3\n" * 9, "line 22: number of cells is 3"),
        (b"a,b\n" + b'1,"2\n' + b"1,2\n" * 20, "a quote is opened and not closed"),
        (b" \n" * 50, "the file is empty"),
    ],
)
def test_large_text_is_checked(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.csv")


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_large_text_of_other_encodings_is_converted(tmp_path, encoding):
    text = "größe,y\n" + "1,ä\n2,ö\n" * 20
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    table = read(tmp_path / "a.csv")
    assert list(table.columns) == ["größe", "y"]
    assert list(table.columns["y"].values) == ["ä", "ö"]
    assert bool(table.notes) == (encoding == "cp1252")


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_large_text_of_other_line_ends(tmp_path, end):
    (tmp_path / "a.csv").write_bytes(end.join([b"a,y", *[b"1,x", b"2,z"] * 20]) + end + b"\x1a")
    table = read(tmp_path / "a.csv")
    assert (len(table), table.notes) == (40, [])
    assert list(table.columns["y"].values) == ["x", "z"]


@pytest.mark.usefixtures("large")
def test_a_large_compressed_file_that_is_cut(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 5000)[:-9])
    with pytest.raises(DataError, match="the compressed file is damaged"):
        read(path)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="reads /proc")
@pytest.mark.no_sanitizer  # whose allocator keeps what is freed
@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "size"),
    [
        ("{}.25", 12),
        ("{}", 12),
        ("{}.123456789012", 12),
        ("w{}", 16),  # some of them are what pyarrow reads ahead, which is no more in larger files
    ],
)
def test_reading_takes_a_few_bytes_a_cell(tmp_path, run_python, cell, size):
    pytest.importorskip("pyarrow")
    path, rows, columns = tmp_path / "numbers.csv", 480_000, 40
    cells = [",".join(cell.format(100 + (i * j) % 9) for j in range(columns)) for i in range(9)]
    with path.open("w") as file:
        file.write(",".join(f"c{j}" for j in range(columns)) + "\n")
        for _ in range(rows // 9 + 1):
            file.write("\n".join(cells) + "\n")
    done = run_python(
        "from fastmlp.tables.reading.read import read\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        f"open({str(tmp_path / 'small.csv')!r}, 'w').write('a,b\\n1.5,2\\n' * 99)\n"
        f"read({str(tmp_path / 'small.csv')!r}); before = peak()\n"
        f"read({str(path)!r}); print(1024 * (peak() - before))"
    )
    assert int(done.stdout) < size * rows * columns


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="reads /proc")
@pytest.mark.no_sanitizer  # whose allocator keeps what is freed
def test_reading_parquet_takes_a_few_bytes_a_cell(tmp_path, run_python):
    """Neither the file nor all of its columns are in memory."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows, columns = 240_000, 40
    noise = np.random.default_rng(0).integers(0, 2**20, (columns, rows)) / 64
    path, small = tmp_path / "numbers.parquet", tmp_path / "small.parquet"
    table = pa.table({f"c{j}": column for j, column in enumerate(noise)})
    parquet.write_table(table, path)
    parquet.write_table(table.slice(0, 9), small)
    done = run_python(
        "from fastmlp.tables.reading.read import read\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        f"read({str(small)!r}); before = peak()\n"
        f"read({str(path)!r}); print(1024 * (peak() - before))"
    )
    assert int(done.stdout) < 12 * rows * columns


@pytest.mark.parametrize("count", [1, 126, 127, 128, 32_767, 32_768])
def test_codes_of_words_are_small_and_their_ends_are_counted(count):
    words = [f"w{row}" for row in range(count)]
    text = Text.of([None, *words, words[-1]])
    assert text.codes.dtype.itemsize == (1 if count < 128 else 2 if count < 32_768 else 4)
    assert text.codes[[0, 1, -1]].tolist() == [-1, 0, count - 1]
    assert text.counts()[[0, -1]].tolist() == [1 + (count == 1), 2]
    means, _ = target_means(text.codes, np.arange(count + 2.0)[:, np.newaxis], count)
    assert np.isfinite(means).all()
    folds = np.arange(count + 2) % 2
    expected = 1.0 if count == 1 else 2 / (count + 1)
    assert share_in_other_folds(text.codes, folds) == pytest.approx(expected)
    joined = read([{"a": [*words, "x"], "y": [1.0] * (count + 1)}] * 2).columns["a"]
    assert [joined.values[code] for code in joined.codes.tolist()] == [*words, "x"] * 2
