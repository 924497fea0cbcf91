"""Words in a table to predict that the training did not have."""

import warnings

import numpy as np
import pytest

import fastmlp as fm

pytestmark = pytest.mark.once

ZIPS = [f"00{100 + i % 25}" for i in range(250)]
EFFECT = {f"00{100 + i}": float(i * 7 % 25) for i in range(25)}


@pytest.fixture(scope="module", params=["one-hot", "target means"])
def model_of_zips(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("zips") / "zips.csv"
    path.write_text("zip,y\n" + "".join(f"{word},{EFFECT[word] + 0.5}\n" for word in ZIPS))
    settings = {"networks": 1, "epochs": 60, "hidden": (16,), "seed": 0, "words": request.param}
    return path, fm.TabularModel(**settings, task="regression").fit(path, "y")


def test_numbers_in_a_column_of_words_are_noted(model_of_zips):
    path, model = model_of_zips
    numbers = np.array(list(map(int, ZIPS)))
    note = (
        "table: column 'zip': 250 of 250 cells, such as '100', are numbers and no words known "
        "from the training: give text, as numbers have no zeros in front"
    )
    with pytest.warns(UserWarning, match="zip") as caught:
        model.predict({"zip": numbers})
    assert [str(warning.message) for warning in caught] == [note]
    with pytest.warns(UserWarning, match="1 of 1 cell, such as '104', are numbers"):
        model.predict({"zip": [np.nan, 104.0]})
    with pytest.warns(UserWarning, match="250 of 250 cells"):
        model.evaluate({"zip": numbers, "y": [EFFECT[word] + 0.5 for word in ZIPS]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.evaluate(path).r2 > 0.5


@pytest.mark.parametrize(
    ("cells", "such"),
    [(np.arange(3) > 0, "False"), (np.array(["2020-01-01"], "M8[D]"), "2020-01-01")],
)
def test_what_is_neither_words_nor_numbers_is_not_called_numbers(model_of_zips, cells, such):
    _, model = model_of_zips
    with pytest.warns(
        UserWarning, match=f"such as '{such}', are no words known from the training$"
    ):
        model.predict({"zip": cells})


@pytest.mark.filterwarnings("error")
def test_known_words_and_a_few_others_are_not_noted(model_of_zips):
    _, model = model_of_zips
    model.predict({"zip": ["99999"]})
    model.predict({"zip": [*ZIPS[:10], *["x"] * 10]})
    model.predict({"zip": [None] * 20})


def test_words_of_which_most_are_unknown_are_noted(model_of_zips):
    _, model = model_of_zips
    with pytest.warns(UserWarning, match="11 of 21 cells, such as 'x', are no words known"):
        model.predict({"zip": [*ZIPS[:10], *["x"] * 11]})


def test_rare_words_are_noted_only_alone():
    """They are not known one by one: also a table of the training may have many."""
    words = [f"rare {i}" if i % 4 else f"often {i % 3}" for i in range(200)]
    table = {"a": words, "y": np.arange(200) % 7 + 0.5}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=0).fit(table, "y")
    assert model.columns[0].kind == "words"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict({"a": words})
    with pytest.warns(UserWarning, match="20 of 20 cells, such as 'new', are no words known"):
        model.predict({"a": ["new"] * 20})


@pytest.mark.filterwarnings("error")
def test_numbers_that_are_words_of_the_training_are_known():
    words = ["7" if i % 3 else "07" for i in range(90)]
    table = {"a": words, "y": np.arange(90) % 7 + 0.5}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=0).fit(table, "y")
    assert model.columns[0].kind == "words"
    np.testing.assert_array_equal(model.predict({"a": [7]}), model.predict({"a": ["7"]}))
