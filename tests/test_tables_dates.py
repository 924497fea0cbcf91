"""Dates in a table to predict: they are read as in training, or refused."""

import datetime as dt

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError

pytestmark = pytest.mark.once

DAYS = [dt.date(2023, 1, 1) + dt.timedelta(days=3 * i) for i in range(100)]
FORMS = {"day first": "%d.%m.%Y", "month first": "%m/%d/%Y", "month by name": "%d %b %Y"}


@pytest.fixture(scope="module", params=FORMS)
def trained(request):
    """Return a format of dates, and a model that predicts the month."""
    form = FORMS[request.param]
    table = {"when": [day.strftime(form) for day in DAYS], "y": [day.month + 0.5 for day in DAYS]}
    model = fm.TabularModel(networks=1, epochs=4, hidden=(8,), seed=1).fit(table, "y")
    return form, model


def written(form, days):
    return {"when": [day.strftime(form) for day in days]}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d 00:00", "%Y-%m-%d 00:00:00", "object"])
def test_dates_of_one_reading_are_read_in_every_order(trained, form):
    trained_form, model = trained
    expected = model.predict(written(trained_form, DAYS))
    assert len(set(expected.tolist())) > 50
    table = {"when": DAYS} if form == "object" else written(form, DAYS)
    np.testing.assert_array_equal(model.predict(table), expected)
    if form == "object":
        moments = [dt.datetime(day.year, day.month, day.day) for day in DAYS]
        np.testing.assert_array_equal(model.predict({"when": moments}), expected)


def test_objects_of_pandas_are_read_in_every_order(trained):
    pd = pytest.importorskip("pandas")
    form, model = trained
    expected = model.predict(written(form, DAYS))
    stamps = pd.DataFrame({"when": pd.Series([pd.Timestamp(day) for day in DAYS], dtype=object)})
    np.testing.assert_array_equal(model.predict(stamps), expected)


def test_the_time_of_day_counts():
    """It is part of the answer for ISO text as for text in the order of the training."""
    moments = [dt.datetime(2023, 1, 20) + dt.timedelta(hours=7 * i) for i in range(200)]
    table = {
        "when": [m.strftime("%d/%m/%Y %H:%M") for m in moments],
        "y": [m.hour for m in moments],
    }
    model = fm.TabularModel(networks=1, epochs=2, seed=1, task="regression").fit(table, "y")
    expected = model.predict(table)
    iso = {"when": [m.strftime("%Y-%m-%d %H:%M:%S") for m in moments]}
    np.testing.assert_array_equal(model.predict(iso), expected)
    np.testing.assert_array_equal(model.predict({"when": moments}), expected)


@pytest.mark.parametrize(
    ("form", "cells", "words"),
    [
        (
            "%d.%m.%Y",
            ["02/03/2023", "02/10/2023", "02/20/2023"],
            "'02/20/2023' has the month first",
        ),
        ("%m/%d/%Y", ["02.03.2023", "20.02.2023"], "'20.02.2023' has the day first"),
        ("%d.%m.%Y", ["02/03/2023", "02/20/2023 10:30"], "'02/20/2023 10:30' has the month first"),
    ],
)
def test_a_date_of_the_other_order_is_refused(tmp_path, form, cells, words):
    table = {**written(form, DAYS), "y": [float(day.month) for day in DAYS]}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(table, "y")
    with pytest.raises(DataError, match=rf"row {len(cells) - 1}, column 'when': {words}"):
        model.predict({"when": cells})
    file = tmp_path / "new.csv"
    file.write_text("when\n" + "\n".join(cells) + "\n", encoding="utf-8")
    model.save(tmp_path / "model.safetensors")
    again = fm.TabularModel.load(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=rf"line {len(cells) + 1}, column 'when': {words}"):
        again.predict(file)
    with pytest.warns(UserWarning, match="'31.31.2023' is no date as in training"):
        model.predict({"when": ["31.31.2023"]})  # in neither order
