"""Several files or frames as one table: their columns keep values, digits and words."""

from decimal import Decimal

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Booleans, Text

pytestmark = pytest.mark.once

QUICK = {"hidden": (4,), "networks": 1, "epochs": 2, "seed": 1}


def cells_of(column):
    """Return the cells of a column of text."""
    return [None if code < 0 else column.values[code] for code in column.codes.tolist()]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("folder", [False, True])
def test_decimal_commas_of_a_column_that_is_text_in_one_file(write, tmp_path, turned, folder):
    """A comma that became a point would separate thousands."""
    parts = [["1,234;1", "2,5;2"] * 10, ["1,234;1", "x;2", "3,125;3"] * 2]
    parts = parts[::-1] if turned else parts
    files = [write(f"{i}.csv", "a;y", *part) for i, part in enumerate(parts)]
    whole = write("whole.txt", "a;y", *parts[0], *parts[1])
    (tmp_path / "whole.txt").rename(tmp_path.parent / f"{tmp_path.name}.txt")
    whole = tmp_path.parent / f"{tmp_path.name}.txt"
    table = read(tmp_path if folder else files)
    assert cells_of(table.columns["a"]) == cells_of(read(whole).columns["a"])
    settings = {**QUICK, "task": "regression"}
    model = fm.TabularModel(**settings).fit(tmp_path if folder else files, "y")
    like = fm.TabularModel(**settings).fit(whole, "y")
    with pytest.warns(UserWarning, match="'x' is no number, as is 1 other"):
        assert model.predict(files).tolist() == like.predict(whole).tolist()


def test_text_of_a_frame_beside_a_file_of_decimal_commas(write):
    path = write("a.csv", "a;y", "1,234;1,5", "x;2,5")
    column = read([{"a": [1.234], "y": [1.5]}, path]).columns["a"]
    assert cells_of(column).count("1,234") == 2
    table = read([path, {"a": ["1.234", "?!"], "y": [1.5, 2.5]}])
    with pytest.raises(DataError, match=r"'1.234' is 1.234 with a decimal point and 1234 with a"):
        table.column("a")
    with pytest.raises(DataError, match="a decimal point in piece 1 and a decimal comma in"):
        read([path, {"a": ["1.25", "?!"], "y": [1.5, 2.5]}])
    column = read([path, {"a": ["2,5", "?!"], "y": [1.5, 2.5]}]).columns["a"]
    assert cells_of(column) == ["1,234", "x", "2,5", "?!"]


@pytest.mark.parametrize(
    "kind", ["files", "json", "arff", "npy", "pandas", "pyarrow", "parquet", "excel"]
)
def test_columns_of_words_stay_text(write, tmp_path, kind):
    """A table to predict whose words are all numbers, such as codes and versions."""
    words = ["1.0", "1.50", "b"]
    model = fm.TabularModel(**QUICK).fit({"a": words * 10, "y": [1.5, 2.5, 3.5] * 10}, "y")
    expected = model.predict({"a": words})[:2].tolist()
    assert len(set(expected)) == 2
    assert model.predict({"a": words[:2]}).tolist() == expected
    assert model.predict({"a": np.array(words[:2])}).tolist() == expected
    if kind == "files":
        table = [write("1.csv", "a,z", "1.0,1"), write("2.csv", "a,z", "1.50,1")]
    elif kind == "json":
        table = write("a.jsonl", '{"a": "1.0"}', '{"a": "1.50"}')
    elif kind == "arff":
        table = write("a.arff", "@relation a", "@attribute a numeric", "@data", "1.0", "1.50")
    elif kind == "npy":
        table = tmp_path / "a.npy"
        np.save(table, np.array([(word,) for word in words[:2]], [("a", "U4")]))
    elif kind == "excel":
        openpyxl = pytest.importorskip("openpyxl")
        pytest.importorskip("python_calamine")
        book, table = openpyxl.Workbook(), tmp_path / "a.xlsx"
        for row in (["a"], ["1.0"], ["1.50"]):
            book.active.append(row)
        book.save(table)
    else:
        library = pytest.importorskip("pandas" if kind == "pandas" else "pyarrow")
        table = (library.DataFrame if kind == "pandas" else library.table)({"a": words[:2]})
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(table, tmp_path / "a.parquet")
        table = tmp_path / "a.parquet"
    assert model.predict(table).tolist() == expected


LARGE = 2**62 + 1


@pytest.mark.parametrize(
    ("pieces", "cells"),
    [
        ([np.array([LARGE]), np.array([2**63 + 1], np.uint64)], [LARGE, 2**63 + 1]),
        ([np.array([LARGE, 5]), np.array([np.nan])], [LARGE, 5, None]),
        ([np.array([-LARGE]), [None], [7]], [-LARGE, None, 7]),
        ([[Decimal(LARGE)], [Decimal("5.00")]], [LARGE, 5]),
    ],
)
def test_integers_keep_their_digits(pieces, cells):
    column = read([{"a": piece} for piece in pieces]).columns["a"]
    assert cells_of(column) == [None if cell is None else str(cell) for cell in cells]


def test_integers_that_doubles_hold_are_numbers():
    column = read([{"a": np.array([2**62])}, {"a": np.array([2**63], np.uint64)}]).columns["a"]
    assert column.tolist() == [2.0**62, 2.0**63]


@pytest.mark.parametrize("nothing", [[None, None], ["", " "], ["NA", ""], [np.nan, np.nan]])
def test_true_and_false_beside_a_piece_that_holds_nothing(nothing):
    column = read([{"a": nothing}, {"a": np.array([True, False])}]).columns["a"]
    assert isinstance(column, Booleans)
    assert cells_of(column) == [None, None, "True", "False"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_column_that_cannot_be_read_in_one_piece(turned):
    good = {"odd": np.arange(20.0), "a": np.arange(20.0), "y": np.arange(20) * 1.5}
    bad = {**good, "odd": [{"x": 1}] * 20}
    pieces = [bad, good] if turned else [good, bad]
    model = fm.TabularModel(**QUICK).fit(pieces, "y", drop=["odd"])
    assert [column.name for column in model.columns] == ["a"]
    assert len(model.predict(pieces)) == 40
    with pytest.raises(DataError, match="column 'odd' holds dict"):
        fm.TabularModel(**QUICK).fit(pieces, "y")
    with pytest.raises(DataError, match="column 'a' holds dict"):
        read([{"a": [{}]}, {"a": [1]}])


def test_pieces_are_named_by_their_files(write):
    first, second = write("1.csv", "a,y", "1,2"), write("2.csv", "a,y", "1,2", "3,")
    table = read([{"a": [1], "y": [2]}, first, second])
    assert table.place(0, "a") == "table: piece 0, row 0, column 'a'"
    assert table.place(3, "y") == f"table: {second}, line 3, column 'y'"
    with pytest.raises(DataError, match=r"3\.csv and .*1\.csv have different columns: only one"):
        read([first, write("3.csv", "a,b", "1,2")])


@pytest.mark.parametrize("numbers", [[10**19 + 1, 10**19, 7], [2**53 + 1, 2**53, 5]])
def test_decimals_without_fractions_keep_their_digits(numbers):
    decimals = [*map(Decimal, numbers), None] * 10
    column = read({"a": decimals}).columns["a"]
    assert isinstance(column, Text)
    assert cells_of(column)[:4] == [*map(str, numbers), None]
    pyarrow = pytest.importorskip("pyarrow")
    for kind in (pyarrow.decimal128(38, 0), pyarrow.decimal128(38, 2), pyarrow.decimal256(60, 3)):
        frame = pyarrow.table({"a": pyarrow.array(decimals, kind)})
        assert cells_of(read(frame).columns["a"])[:4] == [*map(str, numbers), None]


def test_decimals_that_doubles_hold_are_numbers():
    pyarrow = pytest.importorskip("pyarrow")
    cells = [Decimal("1.25"), None, Decimal(2**60)]
    for table in (
        {"a": cells},
        pyarrow.table({"a": pyarrow.array(cells, pyarrow.decimal128(38, 2))}),
    ):
        np.testing.assert_array_equal(read(table).columns["a"], [1.25, np.nan, 2.0**60])
    rounded = [Decimal("0.5"), Decimal(2**53 + 1)]
    np.testing.assert_array_equal(read({"a": rounded}).columns["a"], [0.5, 2.0**53])
