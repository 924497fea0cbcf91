"""What a table or the arguments of a fit must not contain, and columns that say nothing."""

import json
import os
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError
from fastmlp.tables.encoding.kinds import rounding
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text
from fastmlp.tables.training.selection import select

pytestmark = pytest.mark.once

QUICK = {"networks": 1, "epochs": 1, "hidden": (2,), "seed": 0}
Y = np.arange(40) % 7 + 0.5


def fitted(column, y=Y, **settings):
    """Return a model of a column, beside one of numbers."""
    table = {"a": column, "b": np.arange(40) % 3, "y": y}
    return fm.TabularModel(**QUICK, **settings).fit(table, "y")


def report_of(model, name="a"):
    return next(report for report in model.columns if report.name == name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"drop": ["y"]}, "drop must not contain the target, got 'y'"),
        ({"drop": "y"}, "drop must not contain the target"),
        ({"drop": ["a", "a"]}, "drop must name different columns, 'a' occurs twice"),
        ({"features": ["a", "a"]}, "features must name different columns, 'a' occurs twice"),
        ({"features": ["y"]}, "features must not contain 'y', which is a target"),
        ({"features": ["a"], "drop": ["a"]}, "must not contain 'a', which is in drop"),
        ({"features": ["b"], "sample_weight": "b"}, "'b', which is the weights"),
        ({"features": ["b"], "groups": "b"}, "'b', which is the groups"),
        ({"target": ["y", "y"]}, "target must name different columns, 'y' occurs twice"),
        ({"target": []}, "target must name a column, got none"),
        ({"validation_fraction": 0}, "above 0 and below 1, or None for none, got 0"),
        ({"sample_weight": [10**400] * 40}, "sample_weight must be numbers within float64"),
        ({"sample_weight": [1 + 2j] * 40}, "sample_weight must be real numbers, got dtype complex"),
        (
            {"sample_weight": np.ones(40, "m8[s]")},
            "sample_weight must be real numbers, got dtype t",
        ),
    ],
)
def test_arguments_that_contradict_each_other(arguments, words):
    table = {"a": np.arange(40.0), "b": np.arange(40) % 3, "y": Y}
    with pytest.raises(ValueError, match=words):
        fm.TabularModel(**QUICK).fit(table, **{"target": "y", **arguments})


def test_a_target_is_a_name_or_a_sequence_of_names():
    with pytest.raises(TypeError, match="target must be a name or a sequence of names, got 3"):
        fm.TabularModel(**QUICK).fit({"a": Y, "y": Y}, 3)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([f"w{i // 4}" for i in range(40)], "has no word that occurs 5 times"),
        (["1,000", "1000"] * 20, "is always 1000.0"),
        (np.full((40, 2), 3.0), "is always [3.0, 3.0]"),
    ],
)
def test_a_column_with_the_same_inputs_for_all_rows_is_dropped(column, reason):
    report = report_of(fitted(column))
    assert (report.kind, report.inputs, report.how) == ("dropped", 0, reason)


def test_rare_words_with_gaps_say_what_is_missing():
    assert report_of(fitted([f"w{i // 4}" if i % 2 else None for i in range(40)])).inputs == 2


def test_counts_of_one():
    model = fm.TabularModel(**QUICK)
    assert repr(model) == "TabularModel(1 network, not fitted)"
    model.fit({"a": Y, "b": Y, "y": Y}, "y")
    with pytest.raises(DataError, match="there is no column 'a', nor 1 other; columns are 'y'"):
        model.predict({"y": Y})
    assert repr(model.fit({"a": [0, 1] * 20, "y": Y}, "y")).endswith(
        "from 1 column, 1 input, 1 network"
    )


@pytest.mark.parametrize(
    "large", [10**400, -(10**5000), Decimal("1e400")], ids=["int", "long", "Decimal"]
)
def test_numbers_beyond_float64_are_refused_by_row_and_column(large):
    where = "table: row 1, column 'a': .* is too large for float64"
    column = [1, large, 3, 4] * 10
    with pytest.raises(DataError, match=where):
        fitted(column)
    with pytest.raises(DataError, match=where):
        fm.TabularModel(**QUICK).fit({"a": column, "b": Y}, "a")
    with pytest.raises(DataError, match=where):
        fitted(Y).predict({"a": [1, large], "b": [0, 1]})
    with pytest.raises(DataError, match=r"row 1, column 'a': .* list of numbers within float64"):
        fitted([[1, 2], [1, "x"]] * 20)


def test_a_large_category_of_pandas_is_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Categorical([2, 10**400, 3, 4] * 10), "y": Y})
    with pytest.raises(DataError, match=r"row 1, column 'a': .* is too large for float64"):
        fm.TabularModel(**QUICK).fit(frame, "y")


def test_an_integer_of_too_many_digits_among_words():
    with pytest.raises(DataError, match=r"table: row 1, column 'a': .* is too large"):
        fitted(["x", 10**5000] * 20)


@pytest.mark.parametrize("nothing", [Decimal("NaN"), Decimal("sNaN"), np.float32("nan")])
def test_what_is_not_a_number_is_missing(nothing):
    assert "missing is 1" in report_of(fitted([1, 3, 1, nothing] * 10)).how


def test_words_of_integers_keep_their_digits():
    words = [str(2**62 + i % 2) if i % 4 else "x" for i in range(40)]
    model = fitted(words, Y[:40] * (np.arange(40) % 2))
    large = np.array([2**62, 2**62 + 1])
    as_words = {"a": [str(number) for number in large], "b": [0, 0]}
    np.testing.assert_array_equal(model.predict({"a": large, "b": [0, 0]}), model.predict(as_words))
    assert as_text(np.array([2**64 - 1, 2**64 - 2], np.uint64)).values == [
        "18446744073709551615",
        "18446744073709551614",
    ]
    assert as_text(np.array([np.inf, 2.0])).values == ["inf", "2"]


@pytest.mark.parametrize(
    ("table", "target", "words"),
    [
        ({"\ud800": Y, "y": Y}, "y", "the name of a column must not have surrogates"),
        ({"\ud800": [1] * 40, "b": Y, "y": Y}, "y", r"must not have surrogates, got '\\ud800'"),
        ({"a": Y, "\ud800": Y}, "\ud800", "the name of a column must not have surrogates"),
        ({"a": ["\ud800", "b"] * 20, "y": Y}, "y", "column 'a' must not have surrogates"),
        ({"a": Y, "y": ["\ud800", "b"] * 20}, "y", "the target 'y' must not have surrogates"),
    ],
)
def test_surrogates_are_refused_before_the_training(table, target, words):
    model = fm.TabularModel(**QUICK)
    with pytest.raises(DataError, match=words):
        model.fit(table, target)
    assert model.networks == ()


def test_a_file_whose_name_is_not_utf8_leaves_notes_that_can_be_saved(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")
    try:
        Path(path).write_text("a,y\n" + "1,1.5\n2,2.5\n3,0.5\n" * 10 + "3,\n")
    except OSError:
        pytest.skip("the file system needs names in UTF-8")
    model = fm.TabularModel(**QUICK).fit(path, "y")
    assert "the target is missing" in model.notes[0]
    model.save(tmp_path / "model.safetensors")
    assert fm.load(tmp_path / "model.safetensors").notes == model.notes


def _large(kind):
    numbers = [2**62 + 100 * (i % 7) for i in range(40)]
    match kind:
        case "int64" | "uint64":
            return np.array(numbers, kind)
        case "Decimal":
            return [Decimal(number) for number in numbers]
        case "object":
            return [None, *map(int, numbers[1:])]
        case _:
            return [2**70 + (number - 2**62) * 2**8 for number in numbers]


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_numbers_that_float64_rounds_are_noted(kind):
    model = fitted(_large(kind))
    reason = "float64 rounds its numbers to multiples of 1024"
    assert reason in report_of(model).how
    advice = "; subtract a constant first, or make the column text"
    assert f"column 'a': {reason}" in model.notes[0]
    assert model.notes[0].endswith(advice)
    with pytest.raises(DataError, match=f"target 'a': {reason}; subtract a constant"):
        fm.TabularModel(**QUICK).fit({"a": _large(kind), "b": Y}, "a")


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_numbers_that_float64_makes_equal_are_dropped(dtype):
    numbers = 2**62 + np.arange(40, dtype=dtype) % dtype(4)
    model = fitted(numbers)
    report = report_of(model)
    equal = "float64 rounds its numbers to multiples of 1024, which are all equal"
    assert (report.kind, report.how) == ("dropped", equal)
    assert equal in model.notes[0]
    with pytest.raises(DataError, match=equal):
        fm.TabularModel(**QUICK).fit({"a": numbers, "y": Y}, "y")
    for task in (None, "classification", "regression"):
        with pytest.raises(DataError, match="make the column text if these are classes"):
            fm.TabularModel(**QUICK, task=task).fit({"a": Y, "y": numbers}, "y")


@pytest.mark.parametrize(
    "numbers",
    [
        2**53 - 40 + np.arange(40) % 7,  # exact
        np.arange(40) * 2**55,  # their differences keep more digits than float32 has
        np.arange(40) % 7 * 1e300,
        np.arange(40, dtype=np.uint64) % np.uint64(7) * np.uint64(2**60),
    ],
)
def test_large_numbers_that_are_as_good_as_exact_have_no_note(numbers):
    model = fitted(numbers) if numbers.max() < 1e150 else None
    assert rounding(numbers) == 0.0
    assert model is None or model.notes == ()


def test_digits_beyond_doubles_are_words_and_classes(tmp_path):
    """Identifiers of 20 digits, which float64 would make equal."""
    path = tmp_path / "table.csv"
    large = [12345678901234567890 + i % 3 * 3000 for i in range(60)]
    path.write_text("a,b,y\n" + "".join(f"{n},{i % 7}.5,{n}\n" for i, n in enumerate(large)))
    model = fm.TabularModel(**QUICK).fit(path, "y")
    assert report_of(model).how == (
        "one input for each of 3 words (float64 rounds its numbers: read as words)"
    )
    assert model.classes.tolist() == sorted({str(n) for n in large})
    assert set(model.predict(path)) <= set(model.classes)
    with pytest.raises(DataError, match="'y': float64 rounds its numbers to multiples of 2048"):
        fm.TabularModel(**QUICK, task="regression").fit(path, "y")
    path.write_text("id,b,y\n" + "".join(f"{10**18 + 7 * i},{i % 7},{i}\n" for i in range(60)))
    assert report_of(fm.TabularModel(**QUICK).fit(path, "y"), "id").kind == "dropped"


@pytest.mark.parametrize("kind", ["object", "large", "Decimal"])
def test_integers_of_python_that_doubles_round_are_words(kind):
    report = report_of(fitted(_large(kind)))
    assert (report.kind, report.inputs) == ("words", 8 if kind == "object" else 7)
    assert "(float64 rounds its numbers: read as words)" in report.how
    model = fm.TabularModel(**QUICK).fit({"a": _large(kind), "b": Y}, "a")
    assert model.classes.tolist() == sorted({str(n) for n in _large(kind) if n})


MIXED = [10**20, 10**20 + 1, 7]
CLOSE = [2**53 + 1, 2**53, 5]


def _pandas_integers(numbers):
    return pytest.importorskip("pandas").array([*numbers, None], "Int64")


def _arrow_integers(numbers):
    return pytest.importorskip("pyarrow").chunked_array([[*numbers, None]])


@pytest.mark.parametrize(
    "column",
    [
        lambda tmp_path: MIXED * 20,
        lambda tmp_path: np.array(MIXED * 20, object),
        lambda tmp_path: [10**19, 10**19 + 1, 7] * 20,
        lambda tmp_path: [*CLOSE * 20, None],
        lambda tmp_path: _pandas_integers(CLOSE * 20),
        lambda tmp_path: _arrow_integers(CLOSE * 20),
    ],
)
def test_integers_keep_their_digits_beside_small_ones(column, tmp_path):
    numbers = column(tmp_path)
    table = {"a": numbers, "y": [*"ABC" * 20, "C"][: len(numbers)]}
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1).fit(table, "y")
    assert report_of(model).kind == "words"
    assert model.evaluate(table).accuracy == 1.0


@pytest.mark.parametrize("numbers", [MIXED, CLOSE], ids=["mixed", "close"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_integers_of_files_keep_their_digits_beside_small_ones(tmp_path, kind, numbers):
    path = tmp_path / f"table.{kind}"
    rows = [(number, i % 3, "ABC"[i % 3]) for i, number in enumerate(numbers * 20)]
    if kind == "csv":
        path.write_text("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    else:
        path.write_text("".join(f'{{"a": {a}, "b": {b}, "y": "{y}"}}\n' for a, b, y in rows))
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1)
    model.fit(path, "y", features=["a"])
    told_apart = model.evaluate(path).accuracy == 1.0
    assert told_apart or "float64 rounds its numbers to multiples of 2" in model.notes[0]
    target = fm.TabularModel((8,), networks=1, epochs=60, seed=1).fit(path, "a", features=["b"])
    assert sorted(map(int, target.classes)) == sorted(numbers)
    assert target.evaluate(path).accuracy == 1.0


def test_integers_that_float64_makes_equal_are_noted_beside_small_ones(tmp_path):
    numbers = np.array([*CLOSE * 13, 5])
    assert "float64 rounds its numbers to multiples of 2" in fitted(numbers).notes[0]
    many = [10**20 + i for i in range(40)] + list(range(40))
    path = tmp_path / "table.csv"
    path.write_text("a,y\n" + "".join(f"{n},{i % 7}.5\n" for i, n in enumerate(many * 2)))
    model = fm.TabularModel(**QUICK).fit(path, "y")
    assert report_of(model).kind == "number"
    assert "float64 rounds its numbers to multiples of 16384" in model.notes[0]


def test_classes_beyond_int64(tmp_path):
    numbers = np.array([2**64 - 1, 2**64 - 2, 5, 5] * 25, np.uint64)
    table = {"a": numbers % np.uint64(4), "y": numbers}
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1).fit(table, "y")
    assert model.classes.tolist() == [5, 2**64 - 2, 2**64 - 1]
    model.save(tmp_path / "model.safetensors")
    for each in (model, fm.load(tmp_path / "model.safetensors")):
        assert each.predict(table).tolist() == numbers.tolist()
        assert each.evaluate(table).accuracy == 1.0
        with pytest.raises(DataError, match="18446744073709551613' is none of the classes"):
            each.evaluate({"a": [1], "y": np.array([2**64 - 3], np.uint64)})


@pytest.mark.parametrize(
    "numbers",
    [[10**20, 5], np.array([2.0**63, -1.0]), [-(2**64), 5]],
)
def test_classes_that_no_type_of_integers_holds_are_float64(tmp_path, numbers):
    table = {"a": [1.0, 2.0] * 20, "y": np.tile(numbers, 20)}
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1, task="classification")
    model.fit(table, "y")
    assert model.classes.dtype == np.float64
    assert model.classes.tolist() == sorted(map(float, numbers))
    model.save(tmp_path / "model.safetensors")
    for each in (model, fm.load(tmp_path / "model.safetensors")):
        assert each.predict(table).tolist() == [*map(float, numbers)] * 20
        assert each.evaluate(table).accuracy == 1.0


def test_classes_that_are_equal_as_doubles(tmp_path):
    table = {"a": [0, 1, 2] * 20, "y": np.array(CLOSE * 20)}
    model = fm.TabularModel((8,), networks=1, epochs=60, seed=1).fit(table, "y")
    path = tmp_path / "table.csv"
    path.write_text("a,y\n" + "".join(f"{i},{number}\n" for i, number in enumerate(CLOSE)))
    for each in (table, path):
        scores = model.evaluate(each)
        assert scores.accuracy == 1.0
        assert len({score.rows for score in scores.classes}) == 1


def test_vectors_of_a_file(tmp_path):
    """A column that holds nothing is one of gaps; other lengths are refused."""
    path = tmp_path / "table.csv"

    def write(cells):
        path.write_text("a,b,y\n" + "".join(f'"{cells(i)}",{i % 5},{i}\n' for i in range(40)))
        return path

    model = fm.TabularModel(**QUICK).fit(write(lambda i: f"[{i % 4},{i % 9}]" if i else ""), "y")
    assert (report_of(model).kind, report_of(model).inputs) == ("vector", 3)
    assert np.isfinite(model.predict(write(lambda _: "NA"))).all()
    with pytest.raises(DataError, match="'a' must hold vectors of 2 numbers"):
        model.predict(write(lambda i: f"[{i},2,3]"))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x", "^a TabularModel has no attribute 'x'$"),
        ("scoers", "did you mean 'scores'"),
        ("hidden", r"^'hidden' is chosen when the model is made: TabularModel\(hidden=\.\.\.\)$"),
        ("columns", "^'columns' cannot be assigned$"),
        ("fit", "^'fit' cannot be assigned$"),
    ],
)
def test_unknown_attributes_are_refused(name, why):
    model = fm.TabularModel(**QUICK)
    with pytest.raises(AttributeError, match=why):
        setattr(model, name, 3)
    model.seed = 3

    class Own(fm.TabularModel):
        """With attributes of its own."""

    Own(**QUICK).x = 3


def test_counts_of_one_row(tmp_path):
    with pytest.raises(ValueError, match=r"column 'b' has 1 row, but 'a' has 2$"):
        fm.TabularModel(**QUICK).fit({"a": [1, 2], "b": [1]}, "b")
    with pytest.raises(DataError, match="'x' is not a number, as 1 other is"):
        fm.TabularModel(**QUICK, task="regression").fit({"a": [1, 2], "y": ["x", "1"]}, "y")
    scores = fitted(Y).evaluate({"a": Y[:1], "b": [0], "y": Y[:1]})
    assert str(scores).endswith("on 1 row")


def test_a_number_beyond_float64_in_a_file_is_at_a_row_of_the_file(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(f'[{{"a": 1, "y": 1.5}}, {{"a": {10**400}, "y": 2.5}}]')
    with pytest.raises(DataError, match="^" + re.escape(f"{path}: row 1, column 'a': ")):
        fm.TabularModel(**QUICK).fit(path, "y")


def test_vectors_that_float64_rounds_are_noted():
    rounded = "float64 rounds its numbers to multiples of 1024"
    vectors = 2**62 + np.arange(80).reshape(40, 2) * 100
    model = fitted(vectors)
    assert report_of(model).how == f"{rounded}, centred"
    assert f"column 'a': {rounded}" in model.notes[0]
    assert report_of(fitted(vectors // 100 * 0 + 2**62 + vectors % 7)).kind == "dropped"


def test_what_is_masked_is_missing():
    mask = np.arange(40) % 4 == 0
    columns = {
        "a": np.arange(40.0) % 7, "b": 2**62 + np.arange(40), "c": np.arange(40) % 3 == 0,
        "d": np.array(["u", "v"] * 20), "e": np.arange(40).astype("M8[D]"),
        "f": np.arange(80).reshape(40, 2),
    }  # fmt: skip
    masks = {name: mask[:, None] if name == "f" else mask for name in columns}
    masked = {
        name: np.ma.masked_array(column, np.broadcast_to(masks[name], column.shape))
        for name, column in columns.items()
    }
    table = read(masked)
    for name, column in table.columns.items():
        if isinstance(column, Text):
            missing = column.codes < 0
        else:
            missing = np.isnan(column.astype(np.float64)).reshape(40, -1).all(axis=1)
            missing |= np.isnat(column) if column.dtype.kind == "M" else False
        np.testing.assert_array_equal(missing, mask, name)
    whole = read({"a": np.ma.masked_array(columns["b"])}).columns["a"]
    np.testing.assert_array_equal(whole, columns["b"])


@pytest.mark.parametrize("city", ["Rome", b"Rome"])
def test_a_word_is_no_column(city):
    model = fitted(["Rome", "Oslo"] * 20)
    with pytest.raises(TypeError, match=r"got b?'Rome' \(.*\): for one row, a list of one$"):
        model.predict({"a": city, "b": [1]})
    with pytest.raises(DataError, match=r"column 'a' must be .* of shape \(n,\)"):
        model.predict({"a": np.array(city), "b": [1]})
    assert model.predict({"a": [city], "b": [1]}).shape == (1,)


@pytest.mark.parametrize("column", [{1.0, 2.0}, {"x": 1}, (float(i) for i in range(2))])
def test_columns_without_an_order_are_refused(column):
    with pytest.raises(TypeError, match="column 'a' must be an array or a list, got "):
        fm.TabularModel(**QUICK).fit({"a": column, "y": [1.5, 2.5]}, "y")


def test_groups_of_several_types():
    groups = np.array([None, "a", 1, float("nan")] * 10, object)
    table = {"a": Y, "y": Y}
    chosen = select(read(table), "y", groups=groups).groups
    assert chosen.tolist() == [0, 1, 2, 0] * 10
    fm.TabularModel(**QUICK).fit(table, "y", groups=groups)
    groups[3] = [1]
    with pytest.raises(TypeError, match="groups must hold numbers or words: unhashable"):
        fm.TabularModel(**QUICK).fit(table, "y", groups=groups)


def test_a_column_alone_is_no_table():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    model = fitted(Y)
    for series in (pandas.Series(Y), pyarrow.chunked_array([Y])):
        with pytest.raises(TypeError, match="table must "):
            model.predict(series)
    for frame in (pandas.DataFrame({"a": Y}), pyarrow.table({"a": Y})):
        with pytest.raises(TypeError, match="column 'a' must be an array or a list, got"):
            model.predict({"a": frame})


def test_several_targets_of_yes_and_no_have_no_classes():
    table = {"a": Y, "b": Y > 3, "c": Y > 5}
    model = fm.TabularModel(**QUICK).fit(table, ["b", "c"])
    with pytest.raises(ValueError, match="targets of this model, 'b', 'c', is yes or no"):
        _ = model.classes


OBJECTS = [{"x": 1}] * 40


def _mapping_of(columns, tmp_path):
    return columns


def _frame_of(columns, tmp_path):
    return pytest.importorskip("pandas").DataFrame(columns)


def _arrow_of(columns, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table({name: list(column) for name, column in columns.items()})


def _json_of(columns, tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps({name: list(column) for name, column in columns.items()}))
    return path


def _npy_of(columns, tmp_path):
    path = tmp_path / "table.npy"
    odd = {name for name, column in columns.items() if column is OBJECTS}
    types = [(name, "V2" if name in odd else float) for name in columns]
    array = np.zeros(40, types)
    for name in columns.keys() - odd:
        array[name] = columns[name]
    np.save(path, array)
    return path


def _pieces_of(columns, tmp_path):
    return [columns, columns]


@pytest.mark.parametrize("of", [_mapping_of, _frame_of, _arrow_of, _json_of, _npy_of, _pieces_of])
def test_a_column_that_cannot_be_read_is_an_error_only_if_needed(of, tmp_path):
    table = of({"odd": OBJECTS, "a": Y, "y": Y * 2}, tmp_path)
    model = fm.TabularModel(**QUICK).fit(table, "y", drop=["odd"])
    other = fm.TabularModel(**QUICK).fit(table, "y", features=["a"])
    assert model.predict(table).tolist() == other.predict(table).tolist()
    assert model.evaluate(table).rows == (80 if of is _pieces_of else 40)
    for needed in ({}, {"features": ["odd"]}, {"sample_weight": "odd"}, {"groups": "odd"}):
        with pytest.raises(DataError, match=r"column 'odd' (holds|must be) "):
            fm.TabularModel(**QUICK).fit(table, "y", **needed)
    with pytest.raises(DataError, match=r"column 'odd' (holds|must be) "):
        fm.TabularModel(**QUICK).fit(table, "odd", features=["a"])
    with pytest.raises(DataError, match=r"column 'a' (holds|must be) "):
        model.predict(of({"b": Y, "a": OBJECTS}, tmp_path))


def with_a(cells, **columns):
    rng = np.random.default_rng(0)
    table = {"a": cells, "b": rng.normal(size=len(cells)), "y": np.arange(len(cells)) % 7.5}
    model = fm.TabularModel(seed=1, epochs=1, networks=1, hidden=[4])
    return model.fit({**table, **columns}, target="y")


HUNDRED = [f"{i}.25" for i in range(100)]


@pytest.mark.parametrize(
    ("forms", "example"),
    [
        (["{}%", "{}"], "'1.25' and '0.25%'"),
        (["${}", "€{}"], "'$0.25' and '€1.25'"),
        (["${}", "{}%"], "'$0.25' and '1.25%'"),
    ],
)
def test_numbers_of_several_units_are_noted(forms, example):
    cells = [forms[i % 2].format(cell) for i, cell in enumerate(HUNDRED)]
    model = with_a(cells)
    assert (
        f"table: column 'a': its numbers have different units, as in {example};" in model.notes[0]
    )
    with pytest.raises(DataError, match="the target 'y': its numbers have different units"):
        with_a(cells, y=cells)


@pytest.mark.parametrize(
    ("trained", "right", "wrong", "words"),
    [
        ("${}", ["$5", "5", "NA"], ["5", "€5"], "row 1, column 'a': '€5' is .*, which are in \\$"),
        ("{} %", ["5%", "7 %"], ["5%", "0.05"], "row 1, column 'a': '0.05' is .* are in %"),
        ("{}%", [None, None], [None, 0.05], "row 1, column 'a': 0.05 is .* are in %"),
        ("{}", ["5", 0.05], ["0.5", "5%"], "row 1, column 'a': '5%' is .* are without a unit"),
        ("{}", ["5", "NA"], ["$5", "5"], "row 0, column 'a': '\\$5' is .* are without a unit"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_to_predict_have_the_unit_of_the_training(tmp_path, trained, right, wrong, words):
    model = with_a([trained.format(cell) for cell in HUNDRED])
    assert model.notes == ()
    unit = trained.strip("{} ")
    assert (f"(in {unit})" in str(model.columns)) == bool(unit)
    model.save(tmp_path / "model.safetensors")
    again = fm.TabularModel.load(tmp_path / "model.safetensors")
    for each in (model, again):
        each.predict({"a": right, "b": [1.0] * len(right)})
        with pytest.raises(DataError, match=words):
            each.predict({"a": wrong, "b": [1.0, 2.0]})


def test_numbers_without_a_sign_are_of_the_currency_of_the_others():
    model = with_a([f"${cell}" if i % 3 else cell for i, cell in enumerate(HUNDRED)])
    assert model.notes == ()
    assert "(in $)" in str(model.columns)
    with pytest.raises(DataError, match="'€5' is of another unit"):
        model.predict({"a": ["€5", "5"], "b": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("trained", "others", "words"),
    [
        ("{}%", [0.45, 0.5], "row 0, column 'y': 0.45 is .* are in %"),
        ("€{}", ["5", "$5"], r"row 1, column 'y': '\$5' is .* are in €"),
        ("{}", ["5%", "7%"], "row 0, column 'y': '5%' is .* are without a unit"),
    ],
)
def test_targets_to_score_have_the_unit_of_the_training(tmp_path, trained, others, words):
    table = {"x": np.arange(50) % 9, "y": [trained.format(i + 0.5) for i in range(50)]}
    model = fm.TabularModel(task="regression", **QUICK).fit(table, target="y")
    model.save(tmp_path / "model.safetensors")
    same = {"x": [1, 2], "y": table["y"][:2]}
    for each in (model, fm.load(tmp_path / "model.safetensors")):
        assert np.isfinite(each.evaluate(same).rmse)
        with pytest.raises(DataError, match=words):
            each.evaluate({"x": [1, 2], "y": others})


@pytest.mark.parametrize("words", [["yes", "no"], [True, False]])
def test_numbers_but_0_and_1_are_neither_yes_nor_no(words):
    model = fm.TabularModel(**QUICK).fit({"a": words * 30, "y": np.arange(60) * 0.5}, "y")
    both = model.predict({"a": words})
    assert model.predict({"a": [1, 0]}).tolist() == both.tolist()
    with pytest.warns(UserWarning, match="row 0, column 'a': '2' is neither yes nor no, as is 1 o"):
        missing = model.predict({"a": [2, -7, 1]})
    assert missing[0] == missing[1]
    assert missing[2] == both[0]


def test_a_model_of_several_units_takes_each():
    model = with_a([f"{cell}%" if i % 3 else cell for i, cell in enumerate(HUNDRED)])
    assert "different units" in model.notes[0]
    model.predict({"a": ["5%", "5"], "b": [1.0, 2.0]})


def test_a_dropped_column_that_is_half_numbers_is_noted():
    model = with_a([f"x{i}" if i % 2 else cell for i, cell in enumerate(HUNDRED)])
    assert "holds numbers, but 50.0% of the cells are words such as 'x1'" in model.notes[0]
    assert with_a([f"x{i}" if i % 20 else cell for i, cell in enumerate(HUNDRED)]).notes == ()


@pytest.mark.parametrize("where", ["memory", "file"])
def test_labels_that_differ_by_blanks_are_noted(tmp_path, where):
    labels = ["a", "a ", "b", "b"] * 10
    table = {"x": np.arange(40) * 7 % 11, "y": labels}
    if where == "file":
        rows = [f"{x},{y}\n" for x, y in zip(table["x"], labels, strict=True)]
        table = tmp_path / "a.csv"
        table.write_text("x,y\n" + "".join(rows))
    model = fm.TabularModel(seed=1, epochs=1, networks=1).fit(table, target="y")
    assert model.classes.tolist() == ["a", "b"]
    assert len(model.notes) == 1
    assert "'a ' is the same as 'a': blanks around a cell do not count" in model.notes[0]
