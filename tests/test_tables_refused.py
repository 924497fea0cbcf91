"""What a table or the arguments of a fit must not contain, and columns that say nothing."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError

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
