"""The decimal mark of text files, and files of one column: as in the training, or a note."""

import json
import re

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import main
from fastmlp.errors import DataError
from fastmlp.model.model_files import read_model, write_model
from fastmlp.tables.reading.cells import number
from fastmlp.tables.reading.cells import numbers as read_numbers
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text

pytestmark = pytest.mark.once

SIZES = [1000 + 290 * i for i in range(30)]


def thousands(number):
    return f"{number:,}"


def german(text):
    return text.translate(str.maketrans(",.", ".,"))


@pytest.fixture
def houses(write):
    rows = (f"{thousands(size)};{size % 3};{size / 7:.2f}" for size in SIZES)
    return write("houses.csv", "size;rooms;price", *rows)


@pytest.fixture
def no_prices(write):
    """Houses without the column whose decimal points tell that the commas are none."""
    return write("new.csv", "size;rooms", *(f"{thousands(size)};{size % 3}" for size in SIZES))


def fitted(*arguments, **options):
    return fm.TabularModel((4,), networks=1, epochs=2, seed=1).fit(*arguments, **options)


def test_a_file_to_predict_has_the_decimal_mark_of_the_training(houses, no_prices, tmp_path):
    model = fitted(houses, "price")
    expected = model.predict(houses).tolist()
    assert len(set(expected)) > 20
    assert model.predict(no_prices).tolist() == expected
    model.save(tmp_path / "model.safetensors")
    assert fm.load(tmp_path / "model.safetensors").predict(no_prices).tolist() == expected


@pytest.mark.parametrize("decimal", [None, ";"])
def test_the_decimal_mark_in_a_file(houses, no_prices, tmp_path, decimal):
    """Files of earlier versions have none."""
    path = tmp_path / "model.safetensors"
    fitted(houses, "price").save(path)
    models, content = read_model(path)
    assert content.values["decimal"] == "."
    content.values["decimal"] = decimal
    if decimal is None:
        del content.values["decimal"]
    write_model(path, models, content)
    if decimal is None:
        with pytest.warns(UserWarning, match="the mark in 1,000 may be a decimal mark"):
            fm.load(path).predict(no_prices)
    else:
        with pytest.raises(fm.ModelFormatError, match="there is no decimal mark ';'"):
            fm.load(path)


def test_the_command_line_has_it_too(houses, no_prices, tmp_path, capsys):
    model = str(tmp_path / "model.safetensors")
    assert main(["train", houses, "--target", "price", "--epochs", "2", "--save", model]) == 0
    capsys.readouterr()
    answers = []
    for file in (houses, no_prices):
        assert main(["predict", model, file]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_a_table_to_test_on_has_the_mark_of_the_training(write, houses, capsys):
    whole = write("test.csv", "size;rooms;price",
                  *(f"{thousands(size)};{size % 3};{size // 7}" for size in SIZES))  # fmt: skip
    options = ["--target", "price", "--epochs", "300", "--networks", "1", "--json"]
    assert main(["train", houses, *options, "--test", whole]) == 0
    assert json.loads(capsys.readouterr().out)["test_r2"] > 0.5


@pytest.mark.parametrize("turned", [False, True])
def test_several_files_share_the_mark(write, houses, turned):
    open_one = write("open.csv", "size;rooms;price",
                     *(f"{thousands(size)};{size % 3};{size // 7}" for size in SIZES))  # fmt: skip
    files = [open_one, houses] if turned else [houses, open_one]
    table = read(files)
    assert table.decimal == "."
    text = table.columns["size"]
    assert [text.values[code] for code in text.codes] == 2 * list(map(thousands, SIZES))
    model = fitted(files, "price")
    assert model.predict(open_one).tolist() == model.predict(houses).tolist()
    with pytest.raises(DataError, match=r"point in .*houses.csv and a decimal comma in .*g.csv"):
        read([houses, write("g.csv", "size;rooms;price", "1.000;1;142,86")])


def test_one_mark_for_the_files_of_a_folder(write, houses, tmp_path):
    write("a.csv", "size;rooms;price", "1,000;1;142")
    table = read(tmp_path)
    assert len(table) == 31
    assert table.decimal == "."
    assert table.notes == []


def test_a_mark_that_is_guessed_is_noted_and_kept(write):
    path = write("open.csv", "size;y", *(f"{thousands(size)};{size // 7}" for size in SIZES))
    model = fitted(path, "y")
    meant = "may be a decimal mark or separate thousands: it is read as 1"
    assert model.notes == (f"the mark in 1,000 {meant}",)
    assert model.predict(path).tolist() == model.predict({"size": np.array(SIZES) / 1e3}).tolist()


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.029;7,5;1029", "2.058;8,5;2058"], [1029.0, 2058.0]),
        (["1,5e3;7;1", "2,5e-3;8;2"], [1500.0, 0.0025]),
        (["0,125;7;1", "0,250;8;2"], [0.125, 0.25]),
        (["1,234,567;7.5;1", "2;8;2"], [1234567.0, 2.0]),
        (["1,234;7.5;1", "2,345;8;2"], [1234.0, 2345.0]),
        (["7,50 €;x;1", "1.250 €;x;2"], [7.5, 1250.0]),
        (["1 234,5 €;x;1", "2 345,25 €;x;2"], [1234.5, 2345.25]),
        (["$1,250;x;1", "$7.50;x;2"], [1250.0, 7.5]),
        (["$1,250;x;1", "$2,500;x;2"], [1250.0, 2500.0]),
        (["1,250;7, 5;1", "2;7.5;2"], [1250.0, 2.0]),
    ],
)
def test_marks_that_have_one_reading(write, cells, numbers):
    rows = [row for row in cells for _ in range(10)]
    model = fitted(write("a.csv", "a;b;y", *rows), "y", features=["a"])
    assert model.notes == ()
    like = fitted({"a": np.repeat(numbers, 10), "y": np.repeat([1, 2], 10)}, "y")
    assert re.sub(r" \(in [$€]\)", "", str(model.columns)) == str(like.columns)
    assert model.columns[0].kind == "number"


def test_units_beside_decimal_commas_are_those_of_the_training(write):
    def table(name, unit):
        return write(name, "a;x;y", *(f"{i},50 {unit};{i % 7};{i % 2}" for i in range(60)))

    model = fitted(table("a.csv", "€"), "y")
    assert model.columns[0].how.endswith("(in €)")
    assert model.predict(table("b.csv", "")).tolist() == model.predict(table("c.csv", "€")).tolist()
    with pytest.raises(DataError, match="line 2, column 'a': '0,50 \\$' is of another unit"):
        model.predict(table("b.csv", "$"))
    both = write("d.csv", "a;x;y", *(f"{i},5{' %' * (i % 2)};{i % 7};{i % 2}" for i in range(60)))
    assert "different units, as in '0,5' and '1,5 %'" in fitted(both, "y").notes[0]
    prices = write("e.csv", "a;y", *(f"{i};{i},50 €" for i in range(60)))
    assert fitted(prices, "y").target.units == ["€"]


def test_a_blank_that_separates_no_thousands_tells_nothing_of_marks(write):
    rows = [f"120 {80 + i % 3},5;{i % 9}.125;{i % 2}" for i in range(90)]
    model = fitted(write("a.csv", "pressure;x;y", *rows), "y")
    assert [(column.name, column.kind) for column in model.columns] == [
        ("pressure", "words"),
        ("x", "number"),
    ]


def test_thousands_of_a_german_file(write):
    rows = [german(f"{thousands(size)};{size / 7:.2f}") for size in SIZES]
    model = fitted(write("g.csv", "a;y", *rows), "y")
    new = write("new.csv", "a", *(german(thousands(size)) for size in SIZES))
    assert model.predict(new).tolist() == model.predict({"a": SIZES}).tolist()


def test_a_column_of_text_is_not_split(write):
    towns = ["New York", "Los Angeles", "Area 51"] * 10
    model = fitted({"city": towns, "y": [1.5, 2.5, 3.5] * 10}, "y")
    assert len(set(model.predict({"city": towns}).tolist())) == 3
    assert model.predict(write("city.csv", "city", *towns)).tolist() == (
        model.predict({"city": towns}).tolist()
    )
    marks = ["c|d", "a|b", "e;f"] * 10
    model = fitted({"v": marks, "y": [1.5, 2.5, 3.5] * 10}, "y")
    assert model.predict(write("v.csv", "v", *marks)).tolist() == (
        model.predict({"v": marks}).tolist()
    )


def test_a_column_of_decimal_commas_is_not_split(write):
    model = fitted({"a": np.arange(40.0), "y": np.arange(40.0) * 1.5}, "y")
    assert model.predict(write("a.csv", "a", "5,5", "39,5")).tolist() == (
        model.predict({"a": [5.5, 39.5]}).tolist()
    )


def test_names_of_rows_are_noted_in_a_prediction(write):
    model = fitted({"a": np.arange(40.0), "b": np.arange(40.0) % 7, "y": np.arange(40.0)}, "y")
    with pytest.warns(UserWarning, match=r"rows.csv: the header names 2 columns, but rows have 3"):
        got = model.predict(write("rows.csv", "a,b", "x,5,3", "y,30,2"))
    assert got.tolist() == model.predict({"a": [5.0, 30.0], "b": [3.0, 2.0]}).tolist()
    model = fitted({"a": np.arange(40.0), "y": np.arange(40.0)}, "y")
    with pytest.warns(UserWarning, match="the header names 1 column, but rows have 2 cells"):
        got = model.predict(write("one.csv", '"a"', '"r1" 5', '"r2" 30'))
    assert got.tolist() == model.predict({"a": [5.0, 30.0]}).tolist()


def as_mapping(cells, _):
    return {"a": cells}


def as_categories(cells, _):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"a": pandas.Categorical(cells)})


def as_pandas(cells, _):
    return pytest.importorskip("pandas").DataFrame({"a": cells})


def as_arrow(cells, _):
    return pytest.importorskip("pyarrow").table({"a": cells})


def as_json(cells, write):
    return write("in.json", json.dumps({"a": cells}))


IN_MEMORY = [as_mapping, as_pandas, as_categories, as_arrow, as_json]
"""What holds text and is no text file."""


@pytest.fixture
def german_model(write):
    rows = (german(f"{i + 0.125:.3f};{2 * i + 0.25:.2f}") for i in range(40))
    return fitted(write("g.csv", "a;y", *rows), "y")


@pytest.mark.parametrize("make", IN_MEMORY)
@pytest.mark.parametrize(
    ("cell", "readings"),
    [
        ("2,500", "2500 with a decimal point and 2.5 with a decimal comma"),
        ("1.234", "1.234 with a decimal point and 1234 with a decimal comma"),
        ("(2,5)", "no number with a decimal point and -2.5 with a decimal comma"),
    ],
)
def test_a_model_of_decimal_commas_refuses_text_of_two_readings(
    german_model, write, make, cell, readings
):
    with pytest.raises(DataError) as error:
        german_model.predict(make(["25", cell], write))
    assert f"row 1, column 'a': '{cell}' is {readings}, and no cell" in str(error.value)
    assert str(error.value).endswith("tells which: give numbers, or a text file")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [*IN_MEMORY, None])
@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["25", "7"], [25, 7]),
        (["2,500", "0,5"], [2.5, 0.5]),
        (["2,500", "0,500"], [2.5, 0.5]),
        (["1.234", "1,25"], [1234, 1.25]),
        (["1.234", "1.234,5"], [1234, 1234.5]),
        (["2,500", "1.5"], [2500, 1.5]),
        (["2,500", "0.500"], [2500, 0.5]),
        (["2,500", "1,234.5"], [2500, 1234.5]),
        (["2,500", "1,234,567"], [2500, 1234567]),
    ],
)
def test_cells_in_memory_tell_the_mark_as_those_of_files(german_model, write, make, cells, numbers):
    rows = (f"{cell};1" for cell in cells)
    table = write("in.csv", "a;b", *rows) if make is None else make(cells, write)
    assert german_model.predict(table).tolist() == german_model.predict({"a": numbers}).tolist()


def test_columns_that_are_not_needed_may_have_two_readings(german_model):
    expected = german_model.predict({"a": [2.5]}).tolist()
    assert german_model.predict({"a": [2.5], "b": ["2,500"]}).tolist() == expected


def test_a_score_of_text_of_two_readings(german_model):
    with pytest.raises(DataError, match=r"row 0, column 'y': '2,500' is 2500 with"):
        german_model.evaluate({"a": [2.5], "y": ["2,500"]})


def test_a_model_of_decimal_points_reads_thousands(houses):
    model = fitted(houses, "price")
    expected = model.predict({"size": [2500], "rooms": [1]}).tolist()
    assert model.predict({"size": ["2,500"], "rooms": [1]}).tolist() == expected


@pytest.mark.parametrize("make", IN_MEMORY)
@pytest.mark.parametrize(
    ("cells", "numbers", "note"),
    [
        (["0,1", "1,250"], [0.1, 1.25], "commas within text are read as decimal marks"),
        (["1.250,5", "1.250"], [1250.5, 1250], "commas within text are read as decimal marks"),
        (
            ["1,234", "2,345"],
            [1234, 2345],
            "the mark in 1,234 may be a decimal mark or separate thousands: it is read as 1234",
        ),
        (["1,234", "2,345.5"], [1234, 2345.5], None),
        (["1.5", "1.234"], [1.5, 1.234], None),
    ],
)
def test_the_mark_of_text_in_memory_that_is_learned(write, make, cells, numbers, note):
    table = read(make(cells, write))
    column = table.columns["a"]
    if isinstance(column, Text):
        column = read_numbers(column.values, table.decimal)[0][column.codes]
    assert column.tolist() == numbers
    assert table.notes == [note] * (note is not None)


def test_a_model_of_text_with_decimal_commas(write):
    cells = [f"{i},{i % 4}" for i in range(40)]
    numbers = [i + (i % 4) / 10 for i in range(40)]
    model = fitted({"a": cells, "y": np.arange(40.0)}, "y")
    assert model.notes == ("commas within text are read as decimal marks",)
    expected = fitted({"a": numbers, "y": np.arange(40.0)}, "y").predict({"a": [2.5]}).tolist()
    assert model.columns[0].kind == "number"
    assert model.predict({"a": [2.5]}).tolist() == expected
    assert model.predict(write("new.csv", "a", "2,500")).tolist() == expected
    with pytest.raises(DataError, match=r"'2,500' is 2500 with a decimal point and 2.5 with"):
        model.predict({"a": ["2,500"]})


def test_pieces_in_memory_share_the_mark():
    pa = pytest.importorskip("pyarrow")

    class Stream:
        """Can be read once."""

        def __init__(self, columns):
            self.reader = pa.table(columns).to_reader()

        def __arrow_c_stream__(self, schema=None):
            return self.reader.__arrow_c_stream__(schema)

    for kind in (dict, pa.table, Stream):
        open_one, points = kind({"a": ["1,234", "2,345"]}), kind({"a": ["1.5", "7,250"]})
        table = read([open_one, points])
        assert (table.decimal, table.notes) == (".", [])
        text = table.columns["a"]
        assert [text.values[code] for code in text.codes] == ["1,234", "2,345", "1.5", "7,250"]
        open_one, commas = kind({"a": ["1,234", "2,345"]}), kind({"a": ["1,5", "7,25"]})
        with pytest.raises(DataError, match=r"row 0, column 'a': '1,234' is 1234 with a decimal"):
            read([commas, open_one])


def test_numbers_among_text_with_decimal_commas():
    assert read({"a": ["1,5", 2.5]}).decimal == ","
    with pytest.raises(DataError, match=r"row 1, column 'a': the number 1.234 stands among text"):
        read({"a": ["1,5", 1.234]})
    assert read({"a": ["1,5", 1.234], "b": [1, 2]}).columns.keys() == {"b"}


@pytest.mark.parametrize(
    ("cell", "of_comma"),
    [
        ("0,500", 0.5),
        ("-0,500", -0.5),
        ("00,500", 0.5),
        ("0,500.25", np.nan),
        ("0,500,000", np.nan),
    ],
)
def test_no_thousands_begin_with_zero(cell, of_comma):
    """Neither do they if cells of one layout are read together."""
    assert np.isnan(number(cell))
    other = cell.replace("0", "1")
    got, bad = read_numbers([cell, other], ".")
    assert bad.tolist() == [True, False]
    assert got[1] == float(other.replace(",", ""))
    got, _ = read_numbers([german(cell), german(other)], ",")
    alone = [read_numbers([german(text)], ",")[0][0] for text in (cell, other)]
    np.testing.assert_equal(alone, [of_comma, float(other.replace(",", ""))])
    # Beside 0.5, 1.511 may be a number or 1511.
    np.testing.assert_equal(got, alone if np.isnan(of_comma) else [np.nan, np.nan])


@pytest.mark.parametrize("turned", [False, True])
def test_several_separators_tell_the_decimal_mark(write, turned):
    cells = ["1,234,567", "1,234"] if not turned else ["1.234.567", "1.234"]
    table = read(write("a.csv", "a;y", *(f"{cell};1" for cell in cells)), Known(["a"]))
    assert (table.decimal, table.certainty, table.notes) == (",."[not turned], "clear", [])
    model = fitted(
        write("b.csv", "a;y", *(f"{cell};{i}" for i, cell in enumerate(cells * 20))), "y"
    )
    assert model.columns[0].how.startswith("standardized")
    assert model.predict(write("c.csv", "a", *cells)).tolist() == (
        model.predict({"a": [1234567, 1234]}).tolist()
    )


def test_addresses_of_computers_do_not_outvote_numbers(write):
    rows = ("192.168.100.101;192.168.100.102;7.5" for _ in range(9))
    assert read(write("a.csv", "a;b;y", *rows)).decimal == "."


def test_decimal_commas_in_quotes(write):
    rows = [f'"{i},5",{i}' for i in range(40)]
    path = write("a.csv", "a,y", *rows)
    model = fitted(path, "y")
    assert model.notes == ("commas within quoted numbers are read as decimal marks",)
    assert model.predict(path).tolist() == model.predict({"a": np.arange(40) + 0.5}).tolist()
    lists = read(write("b.csv", "a,y", *(f'"{i},5",{i}.5' for i in range(40))))
    assert (lists.decimal, lists.notes) == (".", [])
    assert read(write("c.csv", "a,y", '"1,234",1', '"2,345",2')).decimal == "."


def test_a_mark_that_another_file_tells_has_no_note(write, houses):
    open_one = write("open.csv", "size;rooms;price", "1.000;1;142", "2.000;2;143")
    german_one = write("g.csv", "size;rooms;price", "1.000;1;142,86")
    table = read([open_one, german_one])
    assert (table.decimal, table.notes) == (",", [])
    points = write("p.csv", "size;rooms;price", "1.001;1;142")
    assert "may be a decimal mark" in read(points).notes[0]
    assert read([points, houses]).notes == []


LISTS = ["1,3", "2,4,7", "5", "3,4"] * 10


@pytest.mark.parametrize(
    ("delimiter", "number", "decimal"),
    [
        (",", "{}", "."),
        (",", "{}.5", "."),
        (";", "{}", "."),
        (";", "{}.5", "."),
        (";", "{},5", ","),
    ],
)
def test_lists_do_not_tell_the_mark(tmp_path, delimiter, number, decimal):
    rows = [f'"{cell}"{delimiter}{number.format(i)}\n' for i, cell in enumerate(LISTS)]
    (tmp_path / "a.csv").write_text(f"tags{delimiter}x\n" + "".join(rows))
    found = read(tmp_path / "a.csv")
    assert (found.decimal, found.notes) == (decimal, [])
    assert list(found.columns["tags"].values) == LISTS[:4]
    assert found.columns["x"][1] == float(number.format(1).replace(",", "."))


def test_lists_in_memory_do_not_tell_the_mark():
    assert read({"tags": LISTS, "x": ["1,250"] * 40}).decimal == "."
    assert read({"tags": LISTS, "x": ["1,25"] * 40}).columns["x"][0] == 1.25


def with_marks(numbers, commas):
    """Return numbers as text, those of some rows with a decimal comma."""
    texts = np.round(numbers, 2).astype(str).astype(object)
    texts[commas] = [text.replace(".", ",") for text in texts[commas]]
    return texts.tolist()


@pytest.mark.parametrize(
    "commas", [slice(0, None, 2), slice(0, None, 8), slice(0, 200)], ids=["half", "few", "all"]
)
@pytest.mark.parametrize("digits", [1, 2])  # words of few values, and names of rows
def test_a_column_of_another_mark_than_the_table_is_told(write, commas, digits):
    numbers = np.random.default_rng(1).normal(size=200).round(digits) + 0.05
    a = with_marks(numbers, commas)
    rows = [f"{text};{i / 8};{i / 2};{i}" for i, text in enumerate(a)]
    model = fitted(write("a.csv", "a;b;c;y", *rows), "y")
    start = "column 'a': holds numbers with another decimal mark than the table, such as '-?[0-9],"
    assert [note for note in model.notes if re.search(start, note)] == list(model.notes)
    assert model.notes[-1].endswith("write all numbers with one mark")


@pytest.mark.parametrize("most", [1, 20, 2000])
def test_three_decimals_after_a_comma_are_told(write, most):
    """1,500 may be a thousand, but beside 0,500 it is none."""
    numbers = np.linspace(0.0, most, 300)[np.random.default_rng(1).permutation(300)]
    rows = [f"{number:.3f};{number * 2:.2f}".replace(".", ",", 1) for number in numbers]
    model = fitted(write("a.csv", "a;y;b", *(f"{row};{i}.5" for i, row in enumerate(rows))), "y")
    (reason,) = (column.how for column in model.columns if column.name == "a")
    assert reason.startswith("holds numbers with another decimal mark than the table, such as '")
    assert "identifier" not in reason
    (note,) = model.notes
    assert "column 'a': holds numbers with another decimal mark" in note


def test_a_wrong_mark_in_few_cells_makes_only_these_missing(write):
    rows = [f"{i * 1.25:.2f};{i}.5".replace("22.50", "22,50") for i in range(100)]
    model = fitted(write("a.csv", "a;y", *rows), "y")
    assert [column.kind for column in model.columns] == ["number"]
    assert ["'22,50' is no number" in note for note in model.notes] == [True]


DECIMALS = [f"{i * 7.25:,.2f}" if i % 2 else f"{i * 90:,}" for i in range(500)]


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        (DECIMALS, "4,99"),
        ([f"{i % 90}" for i in range(500)], "0,500"),
        ([f"{i + 1},500,000" for i in range(500)], "0,500"),
    ],
)
def test_a_wrong_mark_beside_clear_numbers_makes_only_it_missing(texts, wrong):
    points = [f"{i % 99 / 8}" for i in range(501)]
    model = fitted({"a": [*texts, wrong], "b": points, "y": np.arange(501.0)}, "y")
    assert [column.kind for column in model.columns] == ["number", "number"]
    assert [f"'{wrong}' is no number" in note for note in model.notes] == [True]


def test_lists_whose_numbers_stand_in_pairs_leave_the_mark_open(write):
    rows = [f"{i % 9 + 1},{i + 500};{i % 9 + 1},{i + 10},{i + 300}" for i in range(80)]
    table = read(write("a.csv", "p;q", *rows))
    assert table.decimal == "."
    (note,) = table.notes
    assert note.startswith("the mark in 1,500 may be a decimal mark or separate thousands")


def test_a_target_of_two_marks_is_refused():
    y = with_marks(np.arange(200) / 8, slice(0, None, 2))
    with pytest.raises(DataError, match=r"the target 'y' .*holds numbers with another .* '0,0':"):
        fitted({"x": np.arange(200.0), "y": y}, "y")
    y = with_marks(np.arange(200) % 4 + 0.5, slice(0, None, 2))
    model = fm.TabularModel((4,), networks=1, epochs=2, seed=1, task="classification")
    classes = model.fit({"x": np.arange(200.0), "y": y}, "y").classes.tolist()
    assert classes == ["0,5", "1.5", "2,5", "3.5"]


def test_points_are_not_decimal_marks_in_some_cells_and_thousands_in_others(write):
    """In a table of decimal commas, 1.25 is a number, but 1.125 beside it may be 1125."""
    rows = [f"{i // 7},5;{i % 7},5;{i / 8};{i % 9}.125;{i % 9}.5;{i}" for i in range(200)]
    path = write("a.csv", "a;b;eighths;some;halves;y", *rows)
    model = fitted(path, "y")
    kinds = {column.name: column.kind for column in model.columns}
    assert kinds == {"a": "number", "b": "number", "eighths": "dropped", "some": "words",
                     "halves": "number"}  # fmt: skip
    start = "holds numbers with another decimal mark than the table, such as "
    assert [note.partition(start)[2][:5] for note in model.notes] == ["'0.0'", "'0.12"]
    (how,) = (column.how for column in model.columns if column.name == "eighths")
    assert how == f"{start}'0.0'"
    assert np.nanmax(read_numbers(["1.250", "2.500", "999"], ",")[0]) == 2500.0
    found = read_numbers(["1.250", "0.125", "7,5", "1.250 €", "NA"], ",")
    assert np.array_equal(found[0], [np.nan, np.nan, 7.5, np.nan, np.nan], equal_nan=True)
    assert found[1].tolist() == [True, True, False, True, False]
    assert read_numbers(["1.250", "0.125"], ".")[0].tolist() == [1.25, 0.125]


def test_the_first_cell_of_another_unit_is_named():
    prices = [f"{price:.2f} €" for price in np.arange(60) / 8]
    model = fitted({"a": prices, "y": np.arange(60) % 7}, "y")
    with pytest.raises(DataError, match=r"row 2, column 'a': '52.50 \$' is of another unit"):
        model.predict({"a": ["7.50 €", None, "52.50 $", "8.5 $", "1 £"]})
