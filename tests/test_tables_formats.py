"""Files of other formats, folders, frames and mappings: all give the same table.

Over 400 lines, as there are a dozen formats with a few short tests each.
"""

import datetime as dt
import json
import math
import sys
from decimal import Decimal

import numpy as np
import pytest

import fastmlp as fm
import fastmlp.tables.reading.formats.arrow_files
from fastmlp.errors import DataError
from fastmlp.tables.reading import file_rows
from fastmlp.tables.reading.formats import excel_errors
from fastmlp.tables.reading.frames import from_array
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Booleans, Table, Text

pytestmark = pytest.mark.once

A = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 1.0], [5.0, 6.0, 0.0]])
COLUMNS = {"a": [1, 2, 3], "b": [0.5, None, 2.5], "c": ["x", "z", None], "d": [True, False, True]}
EXPECTED = {"a": [1, 2, 3], "b": [0.5, None, 2.5], "c": ["x", "z", None], "d": [1, 0, 1]}


def plain(table):
    """Return the columns as lists, None where a cell is missing."""
    result = {}
    for name, column in table.columns.items():
        if isinstance(column, Text):
            words = [*column.values, None]
            result[name] = [words[code] for code in column.codes.tolist()]
        else:
            result[name] = [None if value != value else value for value in column.tolist()]
    return result


@pytest.fixture
def save(tmp_path):
    """Return a function that writes a file and returns its path."""

    def save(content, name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str | bytes):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        elif name.endswith(".npy"):
            np.save(path, content)
        elif name.endswith(".npz"):
            np.savez(path, **content)
        return str(path)

    return save


def assert_refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", ">f8"])
def test_matrix(save, dtype):
    table = read(save(A.astype(dtype), "data.npy"))
    assert plain(table) == {f"column {j}": A[:, j].tolist() for j in range(3)}
    assert table.resolve("2") == "column 2"


def test_structured_array(save):
    rows = np.array([(1, b"x", [1, 2], "2020-01-01"), (3, b"\xff", [3, 4], "NaT")],
                    [("a", "i4"), ("k", "S1"), ("v", "f4", 2), ("t", "M8[D]")])  # fmt: skip
    table = read(save(rows, "data.npy"))
    assert table.columns["a"].tolist() == [1, 3]
    assert table.columns["k"].values == ["x", "\\xff"]
    assert table.columns["v"].shape == (2, 2)
    assert table.columns["t"].dtype.kind == "M"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (A[0], r"got \(3,\)"),
        (A[:, :, None], r"got \(3, 3, 1\)"),
        (A.astype(complex), "must hold numbers or text, got dtype complex128"),
        (np.zeros(2, [("b", "c8")]), "column 'b' must be numbers, text"),
    ],
)
def test_arrays_that_are_no_tables(save, array, message):
    assert_refused(save(array, "data.npy"), message)


def test_pickles_and_torn_arrays_are_refused(save, tmp_path):
    np.save(tmp_path / "data.npy", np.array([[{}, 1]], object), allow_pickle=True)
    path = str(tmp_path / "data.npy")
    assert_refused(path, "not an .npy file of numbers")
    whole = (tmp_path / "data.npy").read_bytes()
    for size in (0, 5, 30):
        assert_refused(save(whole[:size], "data.npy"), "not an .npy|is empty|does not begin")
    np.savez(tmp_path / "data.npz", X=A.astype(object), y=[0, 1, 0])
    assert_refused(str(tmp_path / "data.npz"), "array 'X' holds pickled Python objects")
    assert_refused(save(b"junk" * 100, "data.npz"), "does not begin as an .npz file does")


@pytest.mark.parametrize(
    "names",
    [("X", "y"), ("x", "y"), ("x_train", "y_train"), ("data", "target"), ("arr_0", "arr_1")],
)
@pytest.mark.parametrize("y", [[0, 1, 0], ["a", "b", "a"], [b"a", b"b", b"a"], [[0.5], [1.5], [2]]])
def test_archives_by_the_names_that_are_usual(save, names, y):
    table = read(save({names[0]: A, names[1]: np.array(y)}, "data.npz"))
    assert list(table.columns) == ["X[:, 0]", "X[:, 1]", "X[:, 2]", "y"]
    assert table.target == "y"
    assert len(plain(table)["y"]) == 3


def test_archives_of_images_names_and_one_hot_targets(save):
    images = np.arange(36, dtype="u1").reshape(3, 3, 4)
    table = read(save({"X": images, "y": np.eye(3)[[2, 0, 1]]}, "data.npz"))
    assert table.columns["X"].shape == (3, 12)
    assert table.columns["y"].tolist() == [2, 0, 1]
    named = {"data": A, "target": [0, 1, 0], "feature_names": np.array(["a", "b", "c"])}
    assert list(read(save(named, "data.npz")).columns) == ["a", "b", "c", "y"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": A, "b": A}, "there are no arrays 'X' and 'y'; arrays are: a, b"),
        ({}, "does not begin as an .npz file does"),
        ({"X": A[0], "y": [1]}, r"X must have shape \(samples, features\), got \(3,\)"),
        ({"X": A, "y": A}, r"y must have shape \(samples,\), got \(3, 3\)"),
        ({"X": A, "y": [0, 1]}, "X has 3 samples, but y has 2"),
        ({"X": A + 1j, "y": [0, 1, 0]}, "X must hold real numbers, got dtype complex128"),
    ],
)
def test_archives_that_do_not_fit(save, arrays, message):
    assert_refused(save(arrays, "data.npz"), message)


def write_arrow(table, path, kind):
    pa = pytest.importorskip("pyarrow")
    if kind == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    elif kind == "feather":
        pytest.importorskip("pyarrow.feather").write_feather(table, path)
    else:
        new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with new(path, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.parametrize("kind", ["parquet", "feather", "file", "stream"])
@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".data"])
def test_arrow_files_by_content(tmp_path, kind, ending):
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / f"data{ending}"
    write_arrow(pa.table(COLUMNS), path, kind)
    assert plain(read(path)) == EXPECTED


def test_columns_of_arrow(tmp_path):
    pa = pytest.importorskip("pyarrow")
    days = np.array(["2020-01-01", "2020-01-03"], "M8[D]")
    columns = {
        "decimal": pa.array([Decimal("1.5"), None]),
        "dictionary": pa.array(["x", "z"]).dictionary_encode(),
        "number": pa.array([7, 8]).dictionary_encode(),
        "view": pa.array(["x", "z"], pa.string_view()),
        "date": pa.array(days),
        "time": pa.array([3_600_000, 0], pa.time32("ms")),
        "span": pa.array((days - days[0]).astype("m8[s]")),
        "fixed": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "list": pa.array([[1.0, 2.0], None]),
        "null": pa.nulls(2),
        "half": pa.array(np.array([1, 2], "f2")),
        "big": pa.array([2**63, 1], pa.uint64()),
        "numbers in text": pa.array(["1.5", "NA"]),
    }
    write_arrow(pa.table(columns), tmp_path / "data.arrow", "file")
    got = read(tmp_path / "data.arrow").columns
    assert got["dictionary"].values == got["view"].values == ["x", "z"]
    assert got["date"].dtype.kind == "M"
    assert got["time"].values == ["01:00:00", "00:00:00"]
    assert got["span"].tolist() == [0.0, 2 * 86400.0]
    assert got["fixed"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert np.isnan(got["list"][1]).all()
    assert got["number"].tolist() == [7, 8]
    assert [got[name][0] for name in ("decimal", "half", "numbers in text")] == [1.5, 1.0, 1.5]
    assert np.isnan(got["null"]).all()


@pytest.mark.parametrize("bits", [32, 64, 128, 256])
def test_decimals_of_arrow_are_the_nearest_doubles(bits):
    pa = pytest.importorskip("pyarrow")
    if not hasattr(pa, f"decimal{bits}"):
        pytest.skip("this pyarrow has no such decimals")
    decimals = [Decimal(hundredths) / 100 for hundredths in range(-5000, 95_000)]
    decimals[3] = None
    expected = [math.nan if number is None else float(str(number)) for number in decimals]
    array = pa.array(decimals, getattr(pa, f"decimal{bits}")(7, 2))
    column = from_array("price", pa.chunked_array([array[:70], array[70:]]).slice(2))
    np.testing.assert_array_equal(column, expected[2:])


def test_decimals_of_arrow_beyond_doubles_are_the_nearest_ones():
    pa = pytest.importorskip("pyarrow")
    words = ["12345678901234567.35", "-0.1", "0.35", "90071992547409.93", "1e-30", "-1e25"]
    decimals = [*map(Decimal, words), None]
    column = from_array("price", pa.array(decimals, pa.decimal256(70, 30)))
    np.testing.assert_array_equal(column, [*map(float, words), math.nan])


def test_dictionaries_runs_and_views_of_arrow():
    pa = pytest.importorskip("pyarrow")
    words, codes = pa.array(["x", "z", None]), [0, 1, None, 2]
    expected = ["x", "z", None, None]
    columns = {
        str(kind): pa.DictionaryArray.from_arrays(pa.array(codes, kind), words.cast(held))
        for kind, held in [(pa.uint32(), pa.string_view()), (pa.int8(), pa.large_string())]
    }
    columns["text"] = words.take(pa.array(codes)).cast(pa.string_view())
    columns["bytes"] = columns["text"].cast(pa.binary_view())
    columns["runs"] = pa.RunEndEncodedArray.from_arrays([1, 2, 4], words)
    got = {name: from_array(name, column) for name, column in columns.items()}
    assert plain(Table("t", got)) == dict.fromkeys(columns, expected)


@pytest.mark.parametrize("kind", ["Categorical", "Enum"])
def test_categories_of_polars(kind):
    polars = pytest.importorskip("polars")
    kind = polars.Enum(["x", "z"]) if kind == "Enum" else polars.Categorical
    frame = polars.DataFrame({"c": polars.Series(["x", "z", None], dtype=kind), "a": [1, 2, 3]})
    assert plain(read(frame)) == {"c": ["x", "z", None], "a": [1, 2, 3]}


def test_a_column_of_polars_that_arrow_lacks_is_named():
    polars = pytest.importorskip("polars")
    wide = polars.Series([1, 2], dtype=polars.Int128)
    with pytest.raises(DataError, match="table: column 'b' holds Int128, which pyarrow cannot"):
        read(polars.DataFrame({"a": [1, 2], "b": wide}))


@pytest.mark.parametrize("together", [1, 6, 1 << 22])
def test_parquet_files_are_read_a_few_columns_at_a_time(tmp_path, monkeypatch, together):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(fastmlp.tables.reading.formats.arrow_files, "_TOGETHER", together)
    columns = {
        "a": pa.array([1, 2**31 - 1, -(2**31)]),
        "a.b": pa.array([0.5, None, 2.5]),
        "large": pa.array([2**31, 1, 2], pa.uint64()),
        "vectors": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "words": pa.array(["x", "z", "x"]).dictionary_encode(),
        "b": pa.array([7, None, 9]),
    }
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table(columns), path, row_group_size=2)
    table = read(path)
    expected = {name: column.to_pylist() for name, column in columns.items()}
    assert plain(table) == expected
    assert [table.columns[name].dtype for name in ("a", "large")] == [np.int32, np.uint64]


def test_the_index_of_pandas_is_no_column(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1, 2]}, index=pandas.Index(["r1", "r2"], name="id"))
    frame.to_parquet(tmp_path / "data.parquet")
    assert list(read(tmp_path / "data.parquet").columns) == ["a"]


def test_arrow_files_that_cannot_be_read(tmp_path, monkeypatch, save):
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "data.parquet"
    write_arrow(pa.table(COLUMNS), path, "parquet")
    whole = path.read_bytes()
    for size in (4, len(whole) - 5):
        assert_refused(save(whole[:size], "torn.parquet"), "cannot be read")
    write_arrow(pa.table({"a": [{"x": 1}]}), path, "parquet")
    assert_refused(str(path), "column 'a' holds struct<x: int64>, which is neither")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_refused(str(path), r"pip install 'fastmlp\[tables\]'")


@pytest.mark.parametrize(
    "content",
    [
        "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n"
                for row in zip(*COLUMNS.values(), strict=True)),
        json.dumps([dict(zip(COLUMNS, row, strict=True))
                    for row in zip(*COLUMNS.values(), strict=True)]),
        json.dumps(COLUMNS),
    ],
)  # fmt: skip
def test_json(save, content):
    assert plain(read(save(content, "data.jsonl"))) == EXPECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("[1, 2]", "row 0 is 1, not an object"),
        ('{"a": [1, 2], "b": [1]}', "the columns are of different lengths"),
        ('[{"a": {"b": 1}}]', "column 'a' holds dict"),
        ("[]", "there are no rows"),
    ],
)
def test_json_that_is_no_table(save, content, message):
    assert_refused(save(content, "data.json"), message)


@pytest.mark.parametrize("row", ['\x1e{"a": 1}\n', '{"a": 1}\x0c\n', '\t{"a": 1} \r\n'])
def test_json_lines_in_control_characters(save, row):
    assert plain(read(save((row * 2).encode(), "data.jsonl"))) == {"a": [1.0, 1.0]}


def test_json_of_any_name_and_layout(save):
    for content in (COLUMNS, [dict(zip(COLUMNS, row, strict=True))
                              for row in zip(*COLUMNS.values(), strict=True)]):  # fmt: skip
        for indent in (None, 1):
            assert plain(read(save(json.dumps(content, indent=indent), "data.txt"))) == EXPECTED


@pytest.mark.parametrize("content", ["[1, 2.5]\n[3, 4.5]\n", "[[1, 2],\n[3, 4]]"])
def test_lists_without_names_are_no_csv(save, content):
    assert_refused(save(content, "data.txt"), "row 0 is .1, 2.*, not an object with names")


def test_names_in_brackets_are_csv(save):
    assert list(read(save("[a],[1]\n1,2\n3,4\n", "data.txt")).columns) == ["[a]", "[1]"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.jsonl",
            '{"a": 1}\n{"a": 1, "y": 3, "a": 2}',
            "line 2: an object has the name 'a'",
        ),
        ("a.json", '[{"a": 1}, {"a": 1, "a": 2}]', "a.json: an object has the name 'a' twice"),
        ("a.svm", "1 1:2 3:4\n0 3:1 1:2 3:5\n", "row 1: index 3 is there twice"),
    ],
)
def test_names_and_indices_that_are_there_twice_are_refused(save, name, text, message):
    assert_refused(save(text.encode(), name), message)


def test_separators_of_lines_within_text_end_no_row(save):
    cells = ["a\u2028b", "c\x85d", "e\x0bf"]
    path = save("\r\n".join(json.dumps({"a": cell, "y": 1}, ensure_ascii=False)
                            for cell in cells).encode(), "a.jsonl")  # fmt: skip
    assert plain(read(path))["a"] == cells
    rows = "".join(f"'{cell}',1\r\n" for cell in cells)
    text = f"@relation r\r\n@attribute a string\r\n@attribute y numeric\r\n@data\r\n{rows}"
    assert plain(read(save(text.encode(), "a.arff")))["a"] == cells


def test_excel(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["a", "b", "c"], [1, None, "x"], [2.5, 3, "z"]):
        book.active.append(row)
    book.save(tmp_path / "data.xlsx")
    table = read(tmp_path / "data.xlsx")
    assert plain(table) == {"a": [1.0, 2.5], "b": [None, 3.0], "c": ["x", "z"]}


@pytest.mark.parametrize(
    ("titles", "header"),
    [
        ([["Prices of 2024"]], ["a", "b", "c"]),
        ([["Prices of 2024"], [None, "in euros"]], ["a", "b", "c"]),
        ([["Prices"]], [None, "b", "c"]),
        ([["By", "Ann"]], ["a", "b", "c", "d", "e"]),
        ([["Prices of 2024"]], ["x", "y"]),
    ],
)
def test_titles_of_excel(tmp_path, titles, header):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [*titles, header, *([1.5, 2.0, 3.0, 4.0, 5.0][: len(header)] for _ in range(6))]:
        book.active.append(row)
    book.save(tmp_path / "data.xlsx")
    table = read(tmp_path / "data.xlsx")
    assert list(table.columns) == [name or "column 0" for name in header]
    assert len(table) == 6
    assert all(column.dtype == np.float64 for column in table.columns.values())
    assert "is a title and is not read" in table.notes[0]


@pytest.mark.parametrize("right", [0, 27])  # in columns A, B, C, or AB, AC, AD
def test_errors_of_excel_are_told(tmp_path, right):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    from openpyxl.utils import get_column_letter as letter  # noqa: PLC0415

    book = openpyxl.Workbook()
    sheet = book.create_sheet("Ann's & Bob's", 0)
    rows = [["a", "b", "c"], [1, "#DIV/0!", "#N/A"], [2, 3, "x"], ["#REF!", "#N/A", "x"]]
    for i, row in enumerate(rows, start=2):
        for j, cell in enumerate(row, start=right + 1):
            sheet.cell(i, j, cell).data_type = "e" if str(cell).startswith("#") else "n"
            if cell in {"#N/A", "x"} or i == 2:
                sheet.cell(i, j).data_type = "s" if j == right + 3 or i == 2 else "e"
    book.save(path := tmp_path / "data.xlsx")
    table = read(path)
    assert plain(table) == {"a": [1.0, 2.0, None], "b": [None, 3.0, None], "c": ["#N/A", "x", "x"]}
    a, b = letter(right + 1), letter(right + 2)
    assert table.notes[:2] == [
        f"column 'a': 1 cell is an error of Excel, such as #REF! in {a}5: taken as empty",
        f"column 'b': 2 cells are errors of Excel, such as #DIV/0! in {b}3: taken as empty",
    ]
    assert "sheets" in table.notes[2]


def test_years_are_names_of_excel(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["town", 2019, 2020], ["A", 1, 2], ["B", 3, 4]):
        book.active.append(row)
    book.save(tmp_path / "data.xlsx")
    assert list(read(tmp_path / "data.xlsx").columns) == ["town", "2019", "2020"]


def test_a_sheet_of_excel_without_names(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    rows = [[dt.datetime(2020, 1, 1 + i), i + 0.5, "ab"[i % 2]] for i in range(20)]
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path := tmp_path / "data.xlsx")
    table = read(path)
    assert [*table.columns] == ["column 0", "column 1", "column 2"]
    assert table.columns["column 1"].tolist() == [row[1] for row in rows]
    assert table.columns["column 0"].values[0] == "2020-01-01"
    assert [note[:38] for note in table.notes] == ["the first row holds data, not names: t"]
    model = fm.TabularModel((4,), networks=1, epochs=2, seed=1).fit(path, "column 1")
    assert model.predict(path).shape == (20,)
    assert len(read(path, Known(names=["ab"[0]]))) == 19  # a name that a model knows


@pytest.mark.parametrize("names", [["product", 10, 20, 30], ["dose", 0.5, 1, 2.25]])
def test_numbers_beside_a_word_are_names_of_excel(tmp_path, names):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (names, *([f"p{i}", i, 2 * i, 3 * i] for i in range(6))):
        book.active.append(row)
    book.save(path := tmp_path / "data.xlsx")
    table = read(path)
    assert (list(table.columns), len(table)) == ([str(name) for name in names], 6)
    assert not table.notes


def test_names_of_excel_are_no_title(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    for i, rows in enumerate(
        ([["a", None], ["red", "big"]], [["a", None, None], ["red", "big", None], ["x", "y", 1]])
    ):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path := tmp_path / f"{i}.xlsx")
        table = read(path)
        assert (next(iter(table.columns)), len(table)) == ("a", len(rows) - 1)
        assert not table.notes


def test_formulas_without_values_are_told(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["a", "b", "c"], [1, "=A2*2", '=IF(A2>1,"x",A3)'], [2, "=A3*2", 3], [3, 4.5, 4]):
        book.active.append(row)
    book.save(path := tmp_path / "data.xlsx")
    table = read(path)
    assert plain(table) == {"a": [1.0, 2.0, 3.0], "b": [None, None, 4.5], "c": [None, 3.0, 4.0]}
    end = "taken as empty; open the file in Excel and save it"
    assert table.notes == [
        f"column 'b': 2 cells are formulas without a value, such as B2: {end}",
        f"column 'c': 1 cell is a formula without a value, such as C2: {end}",
    ]


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ('<c r="C2"><f>A2</f></c>', 1),
        ('<c r="C2" s="1"><f t="shared" si="0"/><v></v></c>', 1),
        ('<x:c r="C2"><x:f>A2</x:f><x:v/></x:c>', 1),
        ('<c r="C2" t="str"><f>""</f><v></v></c>', 0),
        ('<c r="C2"><f>A2</f><v>7</v></c>', 0),
        ('<c r="C2" s="1"/>', 0),
        ('<c r="E2"><f>A2</f></c>', 0),  # in no column of the table
    ],
)
def test_cells_of_excel_that_are_formulas(monkeypatch, cell, count):
    xml = f'<row r="2"><c r="A2"><v>7</v></c>{cell}<c r="D2"><v>1</v></c></row>'
    monkeypatch.setattr(excel_errors, "_xml_of", lambda *_: xml.encode())
    assert len(excel_errors.error_notes(b"", "s", ["b", "c", "d"], 1)) == count


def test_a_workbook_that_only_its_reader_takes_has_no_notes(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2], [2, "=A2"]):
        book.active.append(row)
    book.save(path := tmp_path / "data.xlsx")
    data = path.read_bytes().replace(b"worksheets/sheet1.xml", b"worksheets/sheet2.xml", 1)
    path.write_bytes(data)  # the name in front of the sheet, which is not that of the directory
    assert read(path).notes == []


def test_a_sheet_of_one_row_is_no_table_of_excel(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Prices of 2024"])
    book.save(path := tmp_path / "data.xlsx")
    with pytest.raises(DataError, match="no sheet has rows below a header"):
        read(path)
    sheet = book.create_sheet("data")
    for row in (["a", "b"], [1.5, "x"], [2.5, "y"]):
        sheet.append(row)
    book.save(path)
    table = read(path)
    assert plain(table) == {"a": [1.5, 2.5], "b": ["x", "y"]}
    assert table.notes == ["of 2 sheets 'data' is read"]


def test_excel_names_the_extra(save, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    assert_refused(save(b"\xd0\xcf\x11\xe0" + bytes(600), "a.xls"), r"pip install 'fastmlp\[tables")


ARFF = """% a comment
@RELATION iris
@ATTRIBUTE length REAL
@ATTRIBUTE 'the kind' {1,2,'a b'}
@DATA
5.1,1
?,'a b'
% another
2, 2
"""


def test_arff(save):
    table = read(save(ARFF, "data.txt"))
    assert plain(table) == {"length": [5.1, None, 2.0], "the kind": ["1", "a b", "2"]}
    assert not table.notes
    for cell in ("it's, ok", 'an "old" one', "plain's", "'"):
        quoted = f'"{cell}"' if "'" in cell else f"'{cell}'"
        text = f"@relation r\n@attribute a string\n@attribute y real\n@data\n{quoted},1\n"
        assert plain(read(save(text, "data.arff"))) == {"a": [cell], "y": [1.0]}
    assert read(save(f"{ARFF}3,maybe\n4,'x y'\n", "data.arff")).notes == [
        "column 'the kind': 'maybe' is none of the values that the file declares"
    ]
    long = "x" * 200_000
    assert_refused(save(f"{ARFF}1,{long}\n", "data.arff"), "line 10: field larger than")
    assert_refused(save(ARFF + "1,2,3\n", "data.arff"), "line 10: number of cells is 3")
    assert_refused(save(ARFF + "{0 1}\n", "data.arff"), "line 10: sparse ARFF")


def test_arff_with_quotes_of_both_kinds(save):
    declared = r"""{'O\'Neil', "b c", d\'e, 'f,}g' } % {not h}"""
    rows = ["""'O\\'Neil',"b c",1""", """"b c",'f,}g',2""", r"d\'e,d\'e,3"]
    text = (
        f"@relation r\n@attribute a {declared}\n@attribute b {declared}\n@attribute y real\n@data\n"
    )
    table = read(save(text + "\n".join(rows), "data.arff"))
    assert plain(table) == {
        "a": ["O'Neil", "b c", "d'e"], "b": ["b c", "f,}g", "d'e"], "y": [1.0, 2.0, 3.0]
    }  # fmt: skip
    assert not table.notes
    notes = read(save(f"{text}not h,d\\'e,1\n", "data.arff")).notes
    assert notes == ["column 'a': 'not h' is none of the values that the file declares"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_arff_end_in_any_way(save, end):
    lines = ["@relation r", "@attribute y real", "@attribute a string", "@data", "1,p", "2,q"]
    assert plain(read(save((end.join(lines) + "\r3,p\n").encode(), "a.arff"))) == {
        "y": [1.0, 2.0, 3.0], "a": ["p", "q", "p"]
    }  # fmt: skip


@pytest.mark.parametrize("name", ["data.svm", "data", "data.txt", "data.t"])
def test_svmlight(save, name):
    table = read(save("# a comment\n+1 1:0.5 3:2\n-1 2:4 # remark\n", name))
    assert plain(table) == {
        "feature 1": [0.5, 0.0], "feature 2": [0.0, 4.0], "feature 3": [2.0, 0.0],
        "label": [1.0, -1.0],
    }  # fmt: skip
    assert (table.target, table.group) == ("label", None)


def test_a_part_of_svmlight_means_the_same_as_the_whole(save):
    part = read(save("1 2:5\n0 2:7\n", "part.svm"))
    part.add_absent(["feature 1", "feature 2"])
    assert part.columns["feature 2"].tolist() == [5.0, 7.0]
    assert part.columns["feature 1"].tolist() == [0.0, 0.0]


def test_queries_of_svmlight_are_groups(save):
    table = read(save("1 qid:3 1:2\n0 qid:3 1:1\n0 qid:4 1:5\n", "data.svm"))
    assert (table.group, table.columns["qid"].tolist()) == ("qid", [3, 3, 4])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 1:x\n", "line 1 is not of svmlight"),
        ("1 1:2\n1,2 1:3\n", "line 2 is not of svmlight: several labels"),
        ("a,b\n1,2\n", "line 1 is not of svmlight"),
    ],
)
def test_text_that_is_not_svmlight(save, content, message):
    assert_refused(save(content, "data.libsvm"), message)


def test_folders_and_patterns(save, tmp_path):
    save("a,y\n1,x\n2,z\n", "all/1.csv")
    save("a,y\n3,x\nNA,y\n", "all/2.csv")
    save("x", "all/_SUCCESS")
    save("x", "all/.2.csv.crc")
    for source in (tmp_path / "all", tmp_path / "all" / "*.csv"):
        table = read(source)
        assert plain(table) == {"a": [1, 2, 3, None], "y": ["x", "z", "x", "y"]}
        assert table.locate(3) == "2.csv, line 3"
    save("b,y\n1,x\n", "all/3.csv")
    assert_refused(str(tmp_path / "all"), "3.csv and 1.csv have different columns")
    with pytest.raises(FileNotFoundError, match="No file matches the pattern"):
        read(tmp_path / "all" / "*.tsv")


def test_a_mapping_without_columns():
    with pytest.raises(DataError, match="no columns: the mapping is empty"):
        read({})


def test_partitions_are_columns(save, tmp_path):
    save("a\n1\n2\n", "hive/day=2020-01-01/n=1/0.csv")
    save("a\n3\n", "hive/day=2020-01-02/n=__HIVE_DEFAULT_PARTITION__/0.csv")
    assert plain(read(tmp_path / "hive")) == {
        "a": [1, 2, 3], "day": ["2020-01-01", "2020-01-01", "2020-01-02"], "n": [1, 1, None],
    }  # fmt: skip


def test_types_of_files_may_differ(save, tmp_path):
    save("a\n1\n2\n", "mixed/0.csv")
    save("a\nx\n", "mixed/1.csv")
    assert plain(read(tmp_path / "mixed")) == {"a": ["1", "2", "x"]}


@pytest.mark.parametrize("kind", ["string", "large_string"])
@pytest.mark.parametrize("place", [0, 29])
def test_codes_of_frames_keep_their_zeros_wherever_they_stand(kind, place):
    pa = pytest.importorskip("pyarrow")
    column = [str(number) for number in range(10, 40)]
    column[place] = "05"
    array = pa.array(["1", *column], getattr(pa, kind)())[1:]  # its offsets do not begin at 0
    got = read(pa.table({"a": array})).columns["a"]
    assert got.values[got.codes[place]] == "05"


FRAMES = ["mapping", "pandas", "pandas nullable", "pandas arrow", "polars", "pyarrow", "batch"]


@pytest.mark.parametrize("kind", FRAMES)
def test_frames(kind):
    if kind == "mapping":
        frame = COLUMNS
    elif kind.startswith("pandas"):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(COLUMNS)
        if kind == "pandas nullable":
            frame = frame.convert_dtypes()
        if kind == "pandas arrow":
            pytest.importorskip("pyarrow")
            frame = frame.convert_dtypes(dtype_backend="pyarrow")
    elif kind == "polars":
        pytest.importorskip("pyarrow")
        frame = pytest.importorskip("polars").DataFrame(COLUMNS)
    else:
        pa = pytest.importorskip("pyarrow")
        frame = pa.table(COLUMNS) if kind == "pyarrow" else pa.record_batch(COLUMNS)
    assert plain(read(frame)) == EXPECTED


PANDAS_ARRAYS = {
    "boolean": ([True, False, True], [1, 0, 1]),
    "boolean with gaps": ([True, None, False], [1, np.nan, 0]),
    "Int64": ([1, None, 3], [1, np.nan, 3]),
    "Sparse[int64]": ([1, 0, 1], [1, 0, 1]),
    "bool[pyarrow]": ([True, None, False], [1, np.nan, 0]),
    "date32[pyarrow]": ([dt.date(1970, 1, 3), None, dt.date(1970, 1, 1)], [2, np.nan, 0]),
    "datetime64[ns, Asia/Tokyo]": (["1970-01-02 09:00", None, "1970-01-01 09:00"], [1, np.nan, 0]),
}


@pytest.mark.parametrize("kind", PANDAS_ARRAYS)
@pytest.mark.parametrize("make", ["array", "Series", "Index"])
def test_arrays_of_pandas_are_columns_as_its_series_are(kind, make):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    cells, expected = PANDAS_ARRAYS[kind]
    column = from_array("a", getattr(pd, make)(cells, dtype=kind.removesuffix(" with gaps")))
    if isinstance(column, Booleans):
        column = column.numbers()
    if column.dtype.kind == "M":
        days = column.astype("M8[D]")
        column = np.where(np.isnat(days), np.nan, days.astype(np.int64))
    np.testing.assert_array_equal(column.astype(np.float64), expected)


def test_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "category": pandas.Categorical(["x", None, "z"]),
        "numbers": pandas.Categorical([1, None, 2]),
        "zone": pandas.to_datetime(["2020-01-01 02:00"] * 3).tz_localize("Europe/Berlin"),
        "mixed": ["a", 1, None],
        "decimal": [Decimal("1.5"), None, Decimal(2)],
        "vectors": [np.zeros(2), np.ones(2), np.ones(2)],
        7: [1, 2, 3],
    })  # fmt: skip
    got = read(frame).columns
    assert plain(Table("t", {"c": got["category"], "m": got["mixed"]})) == {
        "c": ["x", None, "z"],
        "m": ["a", "1", None],
    }
    assert got["zone"][0] == np.datetime64("2020-01-01T01:00")
    assert np.isnan(got["numbers"][1])
    assert got["decimal"][0] == 1.5
    assert got["vectors"].shape == (3, 2)
    assert got["7"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (5, TypeError, "table must be the path of a file, a frame"),
        (np.ones((3, 2)), TypeError, r"\(ndarray\): columns need names"),
        ({"a": [1, 2], "b": [1]}, ValueError, "column 'b' has 1 row, but 'a' has 2"),
        ({1: [1, 2]}, TypeError, "names of columns must be str"),
        ({"a": [object()]}, DataError, "column 'a' holds object"),
        ({"a": [1, {}]}, DataError, "column 'a' holds dict, which is neither"),
        ({"a": np.array([1, 2], "m8[M]")}, DataError, "column 'a' holds durations in months"),
        ({"a": [[1], [2, 3]]}, DataError, "lists of 2 different lengths"),
        ({"a": np.zeros(3, complex)}, DataError, "column 'a' must be numbers"),
    ],
)
def test_what_is_no_table(table, error, message):
    with pytest.raises(error, match=message):
        read(table)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")
    with pytest.raises(DataError, match="the folder has no files"):
        read(tmp_path)


def test_a_row_of_a_frame_is_told_how_to_be_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(TypeError, match=r"Series.*: for one row of a frame, frame.iloc\[\[i"):
        read(frame.iloc[0])
    assert read(frame.iloc[[0]]).columns["a"].tolist() == [1.0]


def test_lazy_frames_are_to_be_collected():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"collect\(\) it first"):
        read(polars.LazyFrame({"a": [1]}))


@pytest.mark.parametrize("kind", ["npy", "parquet", "file"])
def test_some_rows_of_a_file_keep_their_numbers(tmp_path, kind):
    path = tmp_path / "table"
    numbers = np.arange(20.0)
    if kind == "npy":
        with path.open("wb") as file:
            np.save(file, numbers[:, None])
    else:
        pa = pytest.importorskip("pyarrow")
        write_arrow(pa.table({"column 0": numbers}), path, kind)
    kind = "array" if kind == "npy" else "arrow"
    rows = file_rows.RowsOfFile(path, path.stat().st_size, kind, 5, 9)
    table = file_rows.read_rows(path, [rows], Known())
    assert list(table.columns["column 0"]) == [5, 6, 7, 8]
    assert [table.locate(row) for row in (0, 3)] == ["row 5", "row 8"]
    assert table.part(1, 3).place(1, "column 0") == f"{path}: row 7, column 'column 0'"
