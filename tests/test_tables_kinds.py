"""What columns are taken for, and dates."""

import datetime as dt
import pickle
import re

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.tables.encoding.kinds import kind_of
from fastmlp.tables.reading import arrow_cells, cells, dates
from fastmlp.tables.reading.layouts import Strings
from fastmlp.tables.reading.table import Text

pytestmark = pytest.mark.once


def kind(values, name="a", **options):
    column = Text.of(values) if isinstance(values[0], str | None) else np.array(values)
    return kind_of(column, np.arange(len(values)), name, ".", **options)


WORDS = [f"word{i % 40}" for i in range(200)]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([1.5, 2.0, 3.0], "number"),
        ([1.0, 1.0, np.nan], "number"),
        ([True, False, True], "yes/no"),
        (["TRUE", "FALSE", "NA"], "yes/no"),
        (["y", "N", "y"], "yes/no"),
        (["a", "b", "a"], "words"),
        (WORDS, "words"),
        (["$1,234", "$5", "$7"], "number"),
        (["290,291,292,293,294,295", "290,291,292,293,294,296"] * 9, "words"),  # lists
        (["5%", "7%", "NA"], "number"),
        (["\u22125.5", "7", "\u22121"], "number"),
        ([*map(str, range(50)), "x"], "number"),
        (["1", "2", "x"], "words"),
        (["00501", "10001", "00501"], "words"),
        (["2020-01-31", "2020-02-01", ""], "date"),
        (["31/01/2020", "01/02/2020"], "date"),
        (["01/31/2020", "02/01/2020"], "date"),
        (["Jan-1-1995", "Feb-28-1995"], "date"),
        (["1949-01", "1949-02"], "date"),
        (["1949Q1", "1949Q4"], "date"),
        (["12:30", "23:59:59"], "time of day"),
        (list(np.array(["2020-01-01", "2020-01-02"], "M8[D]")), "date"),
        (list(np.ones((3, 4))), "vector"),
    ],
)
def test_kinds(values, name):
    assert kind(values).name == name


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        ([7.0] * 5, "a", "is always 7.0"),
        (["x"] * 5, "a", "is always 'x'"),
        ([np.nan] * 5, "a", "holds nothing"),
        ([None] * 5, "a", "holds nothing"),
        (["NA"] * 5, "a", "holds nothing"),
        (list(range(1, 40)), "a", "numbers the rows"),
        ([float(x) for x in (7, 3, 9)], "id", "numbers the rows"),
        ([float(x * 7 % 101) for x in range(1, 50)], "customer_id", "an identifier"),
        ([f"person {i}" for i in range(40)], "a", "is a name or identifier"),
        ([f"a long remark on number {i}" for i in range(40)], "a", "is free text"),
        (
            [f"0{1 + i % 9}/0{1 + i // 9}/2020" for i in range(45)],
            "a",
            "month may come first",
        ),
        ([f"{1 + i % 28}/{1 + i % 12}/63" for i in range(60)], "a", "two digits and no century"),
        (
            [f"2020-02-{1 + i:02d}" if i % 2 else f"{1 + i}.1.2020" for i in range(31)],
            "a",
            "dates, but they have several formats",
        ),
    ],
)
def test_what_is_dropped_and_why(values, name, reason):
    got = kind(values, name)
    assert got.name == "dropped"
    assert reason in got.reason


def test_american_times_and_swiss_thousands_are_read_as_columns():
    times = [f"0{1 + i % 9}/2{i % 9}/2023 0{1 + i % 9}:00 {'AP'[i % 2]}M" for i in range(90)]
    assert (kind(times).name, kind(times).order) == ("date", "month first")
    assert kind([f"{i % 12 + 1}:05 {'ap'[i % 2]}m" for i in range(90)]).name == "time of day"
    assert kind([f"{1 + i}'{100 + i}" for i in range(90)]).name == "number"


def test_rows_are_numbered_also_where_some_are_left_out():
    numbers = np.arange(60)
    rows = np.delete(np.arange(60), [0, 7, 30])
    for column in (numbers, numbers + 1, numbers.astype(float)):
        assert kind_of(column, rows, "Nr", ".").reason == "numbers the rows"
    assert kind_of(numbers + 1900, rows, "year", ".").name == "number"
    assert kind_of(numbers * 2, rows, "a", ".").name == "number"


def test_a_column_of_numbered_rows_is_dropped_where_targets_are_missing():
    target = [None if i in {3, 50} else i % 7 + 0.5 for i in range(80)]
    table = {"Nr": range(1, 81), "a": np.arange(80) % 5, "y": target}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,)).fit(table, "y")
    assert {c.name: c.how for c in model.columns}["Nr"] == "numbers the rows"


def test_row_names_without_a_name():
    assert kind(["r1", "r2", "r3"], unnamed=True).reason == "names the rows"
    assert kind([3.0, 5.0, 9.0], unnamed=True).reason == "numbers the rows"
    assert kind([3.0, 5.0, 5.0], unnamed=True).name == "number"


@pytest.mark.parametrize(
    ("cell", "decimal", "number"),
    [
        ("1,234.5", ".", 1234.5),
        ("1'234'567.5", ".", 1234567.5),
        ("-1\u2019000", ".", -1000.0),
        ("1'000,5", ",", 1000.5),
        ("5'11", ".", None),
        ("1'0000", ".", None),
        ("1.234,5", ",", 1234.5),
        ("1,5", ",", 1.5),
        ("1.5", ",", 1.5),
        ("1.234", ",", 1234.0),
        ("1,5", ".", None),
        ("12,34", ".", None),
        ("1 234", ".", 1234.0),
        ("1 234 567,5", ",", 1234567.5),
        ("\u22121\u202f234\u202f567.5", ".", -1234567.5),
        ("12\u00a0345 %", ".", 12345.0),
        ("120 80", ".", None),
        ("1234 567", ".", None),
        ("06 123", ".", None),
        ("06 12 34", ".", None),
        ("2020 01", ".", None),
        ("1 234'567", ".", None),
        ("1 234.567 8", ".", None),
        ("5%3", ".", None),
        ("3€50", ".", None),
        ("1e 5", ".", None),
        ("1 e5", ".", None),
        ("- 5", ".", -5.0),
        ("-$5", ".", -5.0),
        ("$ -1,234.5", ".", -1234.5),
        ("($ 1 234)", ".", -1234.0),
        ("(-5)", ".", None),
        ("1e5 €", ".", 1e5),
        ("€", ".", None),
        ("€ 5", ".", 5.0),
        ("(5.50)", ".", -5.5),
        ("3 rotary", ".", None),
        ("0x10", ".", None),
        ("1_000", ".", None),
        ("٣", ".", None),
        ("--5", ".", None),
        (".5", ".", 0.5),
        ("5.", ".", 5.0),
    ],
)
def test_numbers_in_text(cell, decimal, number):
    for got in (cells.number(cell, decimal), cells.numbers([cell], decimal)[0][0]):
        assert (None if np.isnan(got) else got) == number


def test_pairs_of_numbers_are_words():
    assert kind([f"{100 + i % 4} {60 + i % 3}" for i in range(90)]).name == "words"


@pytest.mark.parametrize(
    ("cell", "order", "moment"),
    [
        ("1970-01-02", "year first", dt.datetime(1970, 1, 2)),
        ("2020-02-29T12:00:00Z", "year first", dt.datetime(2020, 2, 29, 12)),
        (
            "2020-02-29 12:00:00.5+02:00",
            "year first",
            dt.datetime(2020, 2, 29, 10, 0, 0, 500000),
        ),
        ("1600-3-1", "year first", dt.datetime(1600, 3, 1)),
        ("31.12.2020", "day first", dt.datetime(2020, 12, 31)),
        ("01/05/2023 03:00 PM", "month first", dt.datetime(2023, 1, 5, 15)),
        ("01/05/2023 12:30:15 am", "month first", dt.datetime(2023, 1, 5, 0, 30, 15)),
        ("01/05/2023 12:30PM", "month first", dt.datetime(2023, 1, 5, 12, 30)),
        ("2023-01-05 11:59 PM +01:00", "year first", dt.datetime(2023, 1, 5, 22, 59)),
        ("01/05/2023 13:00 PM", "month first", None),
        ("01/05/2023 00:30 AM", "month first", None),
        ("12:15 AM", "time of day", dt.datetime(1970, 1, 1) + dt.timedelta(days=0.25)),
        ("12/31/2020", "month first", dt.datetime(2020, 12, 31)),
        ("Dec 31, 2020", "month by name", dt.datetime(2020, 12, 31)),
        ("31 December 2020", "month by name", dt.datetime(2020, 12, 31)),
        ("2020Q3", "quarter", dt.datetime(2020, 7, 1)),
        ("2021-02-29", "year first", None),
        ("2021-13-01", "year first", None),
        ("", "year first", None),
        ("31.12.20", "day first", None),
    ],
)
def test_days_since_1970(cell, order, moment):
    got = dates.days([cell], order)[0]
    if moment is None:
        assert np.isnan(got)
    else:
        days = (moment - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
        assert got == pytest.approx(days, abs=1e-9)


def test_parts_of_dates_are_those_of_datetime(rng):
    days = rng.integers(-150_000, 30_000, 300)
    parts = dates.parts(days.astype(float))
    for day, row in zip(days.tolist(), parts, strict=True):
        date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
        assert row.tolist() == [
            day, date.year, date.month, date.weekday(), date.timetuple().tm_yday, 0.0,
        ]  # fmt: skip
    assert np.isnan(dates.parts(np.array([np.nan]))).all()
    assert dates.parts(np.array([0.75]))[0].tolist() == [0.75, 1970, 1, 3, 1, 18.0]


def test_cells_are_dates_whatever_layouts_stand_beside_them(rng):
    """Cells of one layout are parsed together, with those of the calendar's days that exist."""
    years, months = rng.integers(0, 10_000, 400), rng.integers(0, 14, 400)
    days, hours = rng.integers(0, 33, 400), rng.integers(0, 25, 400)
    forms = ["{0:04}-{1:02}-{2:02}", "{0:04}/{1}/{2}", "{0:04}-{1:02}-{2:02} {3}:59:07.{1}Z",
             "{0:04}.{1}.{2:02}T{3:02}:05+0{1}:30", "{0:04}-{1:02}", "{0} words",
             "٣٤٥٦-01-0{1}"]  # fmt: skip
    cells_of = [
        form.format(*parts)
        for form, *parts in zip(forms * 57, years, months, days, hours, strict=False)
    ]
    together = dates.days(cells_of, "year first")
    np.testing.assert_array_equal(
        together, [dates.days([cell], "year first")[0] for cell in cells_of]
    )
    for cell, day in zip(cells_of, together, strict=True):
        if len(cell) == 10 and cell.isascii():
            try:
                expected = dt.datetime.strptime(cell.replace("/", "-"), "%Y-%m-%d")
                assert day == (expected - dt.datetime(1970, 1, 1)).days
            except ValueError:
                assert np.isnan(day)
    assert 50 < np.isfinite(together).sum() < 350


def test_a_typeset_minus_is_one():
    assert cells.numbers(["\u22121.5", "-2", "1\u22122"], ".")[0].tolist()[:2] == [-1.5, -2.0]
    assert cells.numbers(["1\u22122"], ".")[1].all()


@pytest.mark.parametrize("decimal", [".", ","])
def test_cells_are_numbers_whatever_layouts_stand_beside_them(rng, decimal):
    forms = ["{:d}", "{:,d}", "-{:.2f}", "({:d})", "{:.3e}", "${:,.2f}", "{:d}%", "{:.1f},5",
             "00{:d}", "v{:d}", "{:d}\n", "NA", "1.#IND", "inf", "1e999", "\ud800"]  # fmt: skip
    some = [form.format(n) for form in forms for n in rng.integers(0, 10**6, 20).tolist()]
    found, bad = cells.numbers(some, decimal)
    np.testing.assert_array_equal(found, [cells.number(cell, decimal) for cell in some])
    assert [cell in cells.MISSING_WORDS for cell in some] == (np.isnan(found) & ~bad).tolist()


def test_numbers_read_together_are_those_of_float(rng):
    forms = ["{:d}", "{:,d}", "-{:,d}.", "+{:d}.50", "-{:d}.070"]
    whole = [int(10.0 ** rng.uniform(0, 15)) for _ in range(500)]  # at most four commas
    values = [form.format(number) for number in whole for form in forms]
    values += ["-0", "+.5", "-.25", ".", "1,23", "1,234,", "12,34.5", "0,000", "1e5", "-", "NA"]
    values += ["123456789012345.6", "0.1234567890123456", "9007199254740993", "0.1", "-7.0"]
    found, _ = cells.numbers(values, ".")
    expected = np.array([cells.number(value) for value in values])
    assert found.tobytes() == expected.tobytes()
    plain = [value.replace(",", "") for value in values[: 5 * 500]]
    assert found[: len(plain)].tolist() == list(map(float, plain))


def test_strings_in_one_buffer_are_the_list(rng):
    alphabet = ["1", "27", "-", ".", "é", "日本", "a b", "\n", "\ud800", "x" * 40]
    values = ["".join(rng.choice(alphabet, rng.integers(0, 6))) for _ in range(500)]
    strings = Strings.of(values)
    some = np.sort(rng.choice(len(values), 60, replace=False))
    assert (list(strings), strings[-1], strings[7:30]) == (values, values[-1], values[7:30])
    assert strings.take(some) == [values[place] for place in some]
    kept, filled = strings.without_empty()
    assert (kept, filled.tolist()) == ([v for v in values if v], [v != "" for v in values])

    expected = {}
    for place, value in enumerate(values):
        expected.setdefault(re.sub(r"\d", "0", value), []).append(place)
    assert set(strings.layouts) == set(expected)
    wanted = list(expected)[::3]
    for cells_alike in strings.alike(wanted):
        places = expected.pop(cells_alike.layout)
        assert cells_alike.places.tolist() == places
        assert cells_alike.texts() == [values[place] for place in places]
    assert not set(wanted) & set(expected)


def test_arrow_text_is_that_of_lists(rng):
    """With empty cells, blanks around cells, and cells that only blanks tell apart."""
    pa = pytest.importorskip("pyarrow")
    for alphabet in (["a", "bc", "", None], ["a", " a", "bc ", "", " ", None, "\u00a0d"]):
        values = rng.choice(np.array(alphabet, object), 200).tolist()
        got = arrow_cells.arrow_text(pa.chunked_array([pa.array(values, pa.string())]))
        expected = Text.of(values)
        assert got.values == expected.values
        np.testing.assert_array_equal(got.codes, expected.codes)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["unknown" if i % 10 == 0 else str(i * 7 % 53) for i in range(200)], "words"),
        (["unknown" if i % 10 == 0 else f"{i}.5" for i in range(200)], "dropped"),
    ],
    ids=["words", "dropped"],
)
def test_numbers_that_other_cells_make_words_are_noted(tmp_path, cells, kind):
    path = tmp_path / "table.csv"
    rows = (f"{cell},{i % 7},{i % 9}.5\n" for i, cell in enumerate(cells))
    path.write_text("a,b,y\n" + "".join(rows))
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(path, "y")
    report = next(column for column in model.columns if column.name == "a")
    mixed = "holds numbers, but 10.0% of the cells are words such as 'unknown'"
    assert report.kind == kind
    assert mixed in report.how
    assert f"column 'a': {mixed}" in model.notes[0] or f", {mixed}" in model.notes[0]
    assert model.notes[0].endswith("; if these stand for missing numbers, leave the cells empty")


@pytest.mark.parametrize("cells", ["7 7a 7b 8 8c", "007 008 x y 009"])
def test_words_and_codes_with_digits_are_not_noted(cells):
    some = cells.split() * 20
    table = {"a": some, "y": np.arange(100.0)}
    assert fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(table, "y").notes == ()


def test_days_in_other_spellings():
    table = {"d": [f"2020-01-{i % 28 + 1:02d}" for i in range(56)], "y": np.arange(56.0)}
    model = fm.TabularModel((4,), networks=1, epochs=2, seed=1).fit(table, "y")
    days = ["2020-01-05", "2020-01-05 00:00:00", "2020-01-05T00:00:00.000", "2020-01-05T00:00Z"]
    answers = model.predict({"d": days})
    assert len(set(answers.tolist())) == 1
    assert answers[0] != model.predict({"d": ["2020-01-06"]})[0]


@pytest.mark.parametrize(
    ("form", "cell"),
    [("{:.1f} kg", "0.0 kg"), ("{:.0f}cm", "0cm"), ("{:.2f}m", "0.00m"), ("-{:.0f} km²", "-0 km²"),
     ("{:.0f} km/h", "0 km/h"), ("{:.1f}°C", "0.0°C"), ("USD {:.2f}", "USD 0.00"),
     ("ARS {:.2f}", "ARS 0.00"), ("KWD {:.2f}", "KWD 0.00"), ("QAR {:.2f}", "QAR 0.00"),
     ("{:.0f}A", ""), ("No {:.0f}", ""), ("ABC{:.0f}", ""), ("{:.0f}", "")],
)  # fmt: skip
def test_numbers_with_a_word_are_noted(form, cell):
    table = {
        "a": [form.format(i * 1.5) for i in range(80)],
        "x": np.sin(np.arange(80)),
        "y": np.arange(80) / 7,
    }
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(table, "y")
    found = [note for note in model.notes if "leave the words out" in note]
    assert len(found) == bool(cell)
    assert all(f"have a word beside them, as in '{cell}'" in note for note in found)


@pytest.mark.parametrize(
    ("cells", "cell"),
    [
        (["1h30m", "45m", "2h", "{}h05m"], "1h30m"),
        (["1 hour 30 minutes", "{} min", "2 hrs"], "1 hour 30 minutes"),
        (["2 days, 3 hours", "{} days"], "2 days, 3 hours"),
        (["PT1H30M", "P{}DT2H", "PT45.5S"], "PT1H30M"),
        (["90:30", "1{}:59", "61:05"], "90:30"),
        (["100:30:00", "1{}:00:59.5", "125:00:00"], "100:30:00"),
        (["5m", "{}m", "5s"], ""),  # may be codes
        (["P1", "P{}", "D3"], ""),
        (["1h30m", "{}h05m", "{}m", "after {}"], ""),
    ],
)
def test_durations_of_several_units_are_noted(cells, cell):
    table = {"a": [cells[i % len(cells)].format(i % 25) for i in range(100)], "y": np.arange(100.0)}
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(table, "y")
    note = f"table: column 'a': its numbers have different units, as in {cell!r}: read as words; "
    remedy = "convert them to one, or make the column text"
    assert model.notes == ((f"{note}{remedy}",) if cell else ())


def test_durations_that_are_too_rare_as_words_keep_their_reason():
    table = {"a": [f"{i // 2}h05m" for i in range(100)], "b": 50 * ["x", "y"], "y": np.arange(100)}
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1).fit(table, "y")
    (how,) = (column.how for column in model.columns if column.name == "a")
    start = "its numbers have different units, as in '0h05m': read as words, but "
    assert how == f"{start}has no word that occurs 5 times"


def test_names_of_three_letters_and_a_number_have_no_unit():
    classes = [f"{word} {9000 + i % 3}" for i in range(20) for word in ("ISO", "DIN")]
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1)
    model.fit({"x": np.arange(40.0), "norm": classes}, "norm")
    assert model.notes == ()


def test_pairs_of_digits_as_in_india():
    texts = ["1,00,000", "12,34,567", "1,23,45,678.5", "-98,765", "5,67,89,01,234", "950"]
    numbers = [1e5, 1234567.0, 12345678.5, -98765.0, 5678901234.0, 950.0]
    assert [cells.number(text) for text in texts] == numbers
    assert cells.numbers(texts, ".")[0].tolist() == numbers
    others = ["1,2,3", "12,34", "0,12,345", "123,45,678", "1,234,56", "12,34,5678"]
    assert all(np.isnan(cells.number(text)) for text in others)
    model = fm.TabularModel((4,), networks=1, epochs=1, seed=1)
    model.fit(
        {"x": [f"{i % 9 + 1},00,{i:03d}" for i in range(200, 300)], "y": np.arange(100.0)}, "y"
    )
    assert [column.kind for column in model.columns] == ["number"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,500"], True),
        (["1,500", "1.250"], True),  # which may be a thousand beside decimal commas
        (["1,500", "4.99"], False),
        (["1,500,000"], False),
        (["500"], False),
    ],
)
def test_thousands_that_might_have_decimals(texts, expected):
    assert cells.has_thousands(texts, ".") is expected
    swapped = [text.translate(str.maketrans(".,", ",.")) for text in texts]
    assert cells.has_thousands(swapped, ",") is expected


def test_what_is_made_of_strings_is_kept_but_not_sent_to_others():
    strings = Strings.of(["1.5", "größe", "3"])
    found, bad = cells.numbers(strings, ".")
    assert cells.numbers(strings, ".")[0] is found
    assert cells.numbers(strings, ",")[0].tolist()[2] == 3.0
    days = Strings.of(["2020-01-01", "2020-02-30"])
    assert dates.days(days, "iso") is dates.days(days, "iso")
    assert np.isnan(dates.days(days, "month first")).tolist() == [False, True]
    copy = pickle.loads(pickle.dumps(strings))
    assert (list(copy), copy.parsed) == (["1.5", "größe", "3"], {})
    assert bad.tolist() == [False, True, False]
