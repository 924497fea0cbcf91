"""Times of day and durations: what they are in text, frames and lists."""

import datetime as dt
import math
import warnings

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError
from fastmlp.tables.reading.frames import from_array
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text

pytestmark = pytest.mark.once

TIMES = [dt.time(i % 24, 30 * (i % 2), i % 7, 250_000 * (i % 3)) for i in range(120)]
Y = [time.hour + 0.5 for time in TIMES]


def of_arrow(kind, unit):
    pa = pytest.importorskip("pyarrow")
    return pa.array(TIMES, getattr(pa, kind)(unit))


FORMS = {
    "text": lambda: [time.isoformat() for time in TIMES],
    "objects": lambda: TIMES,
    "time32": lambda: of_arrow("time32", "ms"),
    "time64": lambda: of_arrow("time64", "ns"),
    "pandas": lambda: pytest.importorskip("pandas").Series(TIMES),
}


@pytest.mark.parametrize("trained", FORMS)
def test_times_of_day_are_the_same_in_every_form(trained):
    table = {"t": FORMS[trained](), "y": Y}
    model = fm.TabularModel(networks=1, epochs=3, hidden=(4,), seed=1).fit(table, "y")
    assert [column.kind for column in model.columns] == ["time of day"]
    expected = model.predict({"t": FORMS["text"]()})
    assert np.ptp(expected) > 0
    for form in FORMS.values():
        np.testing.assert_array_equal(model.predict({"t": form()}), expected)


def test_numbers_and_durations_are_no_times_of_day():
    table = {"t": FORMS["text"](), "y": Y}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(table, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        missing = model.predict({"t": [None]})
    for wrong in (np.array([3600], "m8[s]"), [12.5]):
        with pytest.warns(UserWarning, match="is no time of day: taken as missing"):
            np.testing.assert_array_equal(model.predict({"t": wrong}), missing)


def test_a_duration_is_named_as_one():
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": FORMS["text"](), "y": Y}, "y")
    with pytest.warns(UserWarning, match=r"column 't': a duration of 3600.0 s is no time of day"):
        model.predict({"t": np.array([3600], "m8[s]")})


def test_durations_among_times_of_day_are_refused():
    times = [dt.time(i % 24, 30) for i in range(40)]
    times[7] = dt.timedelta(hours=2)  # 2:00:00, as a time of day is
    message = r"row 7, column 't': '2:00:00' is a duration, but row 39 has a time of day"
    with pytest.raises(DataError, match=message):
        fm.TabularModel(networks=1, epochs=1).fit({"t": times, "y": np.arange(40.0)}, "y")


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ([f"{i % 7}:30" for i in range(40)], "times of day"),
        ([f"2020-03-{i % 7 + 1:02d}" for i in range(40)], "dates"),
    ],
)
@pytest.mark.parametrize("other", ["25:00:00", "1 day, 2:00:00", "soon"])
def test_cells_that_keep_times_from_being_read_are_noted(cells, what, other):
    cells = [*cells[:3], other, *cells[4:]]
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": cells, "x": np.tile([1.0, 2.0], 20), "y": np.arange(40.0)}, "y")
    reason = f"holds {what}, but 2.5% of the cells are none, such as {other!r}"
    assert reason in next(column.how for column in model.columns if column.name == "t")
    remedy = "if these stand for missing ones, leave the cells empty"
    assert model.notes == (f"table: column 't': {reason}: read as words; {remedy}",)


@pytest.mark.parametrize(
    "durations",
    [
        [dt.timedelta(hours=1), None, dt.timedelta(milliseconds=-500)],
        [np.timedelta64(1, "h"), np.timedelta64("NaT"), np.timedelta64(-500, "ms")],
        np.array([3_600_000, "NaT", -500], "m8[ms]"),
    ],
)
def test_durations_are_seconds(durations):
    table = read({"d": durations})
    np.testing.assert_array_equal(table.columns["d"], [3600.0, math.nan, -0.5])
    assert table.durations == {"d"}


def test_numbers_may_be_the_seconds_of_durations_but_not_the_other_way_round(tmp_path):
    seconds = np.random.default_rng(1).integers(1, 9000, 120) / 4
    durations = (seconds * 1000).astype("m8[ms]")
    of_numbers, of_durations = (
        fm.TabularModel(networks=1, epochs=2, hidden=(2,), seed=1).fit({"d": d, "y": seconds}, "y")
        for d in (seconds, durations)
    )
    expected = of_numbers.predict({"d": seconds})
    of_durations.save(tmp_path / "model.safetensors")
    for model in (of_durations, fm.TabularModel.load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(model.predict({"d": durations}), expected)
        np.testing.assert_array_equal(model.predict({"d": seconds}), expected)
    parts = [{"d": durations[:60]}, {"d": durations[60:]}]
    np.testing.assert_array_equal(of_durations.predict(parts), expected)
    for wrong in ({"d": durations}, parts):
        with pytest.raises(DataError, match=r"column 'd': [\d.]+s is of another unit than"):
            of_numbers.predict(wrong)


def test_targets_may_be_durations(tmp_path):
    seconds = np.random.default_rng(1).integers(1, 9000, 120) / 4
    table = {"x": seconds, "y": (seconds * 1000).astype("m8[ms]")}
    of_numbers = {"x": seconds, "y": seconds}
    model = fm.TabularModel(networks=1, epochs=2, hidden=(2,), seed=1).fit(table, "y")
    model.save(tmp_path / "model.safetensors")
    again = fm.TabularModel.load(tmp_path / "model.safetensors")
    assert again.evaluate(table).r2 == again.evaluate(of_numbers).r2 == model.evaluate(table).r2
    other = fm.TabularModel(networks=1, epochs=2, hidden=(2,), seed=1).fit(of_numbers, "y")
    np.testing.assert_array_equal(other.predict(table), model.predict(table))
    with pytest.raises(DataError, match=r"column 'y': [\d.]+s is of another unit than"):
        other.evaluate(table)


@pytest.mark.parametrize("far", [[dt.timedelta.max, None], [np.timedelta64(1, "Y"), None]])
def test_durations_beyond_microseconds_are_refused(far):
    with pytest.raises(DataError, match="column 'd' holds durations in months or years, or beyond"):
        from_array("d", far)


def test_nanoseconds_of_arrow():
    pa = pytest.importorskip("pyarrow")
    day = 86_400 * 10**9
    found = read(pa.table({"d": pa.array([200 * day, None, 1], pa.duration("ns"))}))
    np.testing.assert_array_equal(found.columns["d"], [200 * 86_400.0, math.nan, 1e-9])
    found = from_array("t", pa.array([day + 1999, None], pa.timestamp("ns")))
    np.testing.assert_array_equal(found, np.array(["1970-01-02T00:00:00.000001", "NaT"], "M8[us]"))
    with pytest.raises(DataError, match=r"table: column 't': .* out of bounds"):
        from_array("t", pa.array([2**62], pa.timestamp("s")))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([dt.date(2020, 1, 2), "unknown"], ["2020-01-02", "unknown"]),
        ([dt.datetime(2020, 1, 2, 3), None, "x"], ["2020-01-02 03:00:00", None, "x"]),
        ([np.datetime64("2020-01-02"), "x"], ["2020-01-02", "x"]),
        ([dt.time(3, 4), math.nan, 7], ["03:04:00", None, "7"]),
        ([dt.timedelta(hours=3), "x"], ["3:00:00", "x"]),
    ],
)
def test_times_beside_words_are_text(cells, words):
    column = from_array("t", cells)
    assert isinstance(column, Text)
    assert [[*column.values, None][code] for code in column.codes] == words


def test_dates_with_one_word_are_what_they_are_in_text():
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(60)]
    objects = [*days, "unknown"]
    texts = list(map(str, objects))
    found = []
    for cells in (objects, texts):
        table = {"t": cells, "x": np.sin(np.arange(61)), "y": np.arange(61)}
        model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(table, "y")
        found.append([(column.name, column.kind, column.how) for column in model.columns])
    assert found[0] == found[1]


HOURS = [dt.datetime(2020, 1, 1 + i % 28, i % 24, 30) for i in range(120)]
EAST = dt.timezone(dt.timedelta(hours=-5))


def of_pandas(zone):
    series = pytest.importorskip("pandas").Series(HOURS)
    return series.dt.tz_localize(zone) if zone else series


def of_polars(zone):
    return pytest.importorskip("polars").Series(HOURS).dt.replace_time_zone(zone)


def moments_of_arrow(zone):
    return pytest.importorskip("pyarrow").array(of_pandas(zone))


def arrow_in_pandas(zone):
    pd = pytest.importorskip("pandas")
    return pd.Series(pd.arrays.ArrowExtensionArray(moments_of_arrow(zone)))


MOMENTS = {
    "text": lambda zone: [f"{time.isoformat(' ')}{'-05:00' if zone else ''}" for time in HOURS],
    "objects": lambda zone: [time.replace(tzinfo=EAST) if zone else time for time in HOURS],
    "pandas": of_pandas,
    "frame of pandas": lambda zone: of_pandas(zone).to_frame("t"),
    "polars": of_polars,
    "frame of polars": lambda zone: of_polars(zone).to_frame("t"),
    "arrow": moments_of_arrow,
    "dictionary of arrow": lambda zone: moments_of_arrow(zone).dictionary_encode(),
    "arrow in pandas": arrow_in_pandas,
    "frame of arrow in pandas": lambda zone: arrow_in_pandas(zone).to_frame("t"),
}


def table_of(form, zone):
    found = MOMENTS[form](zone)
    return found if form.startswith("frame") else {"t": found}


@pytest.fixture(scope="module", params=["", "Etc/GMT+5"], ids=["without", "with"])
def of_moments(request):
    """A model of times without or with a time zone."""
    table = {**table_of("text", request.param), "y": [float(time.hour) for time in HOURS]}
    return request.param, fm.TabularModel(networks=1, epochs=3, hidden=(4,), seed=1).fit(table, "y")


@pytest.mark.parametrize("form", MOMENTS)
def test_another_time_zone_than_in_training_is_told(of_moments, form, tmp_path):
    zone, model = of_moments
    assert ("in UTC" in model.columns[0].how) == bool(zone)
    model.save(tmp_path / "model.safetensors")
    what = "no time zone and is taken as UTC, as" if zone else "a time zone and is read in UTC, but"
    for each in (model, fm.load(tmp_path / "model.safetensors")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected = each.predict(table_of(form, zone))
        assert expected.tolist() == model.predict(table_of("text", zone)).tolist()
        with pytest.warns(UserWarning, match=f"table: column 't': '2020-.*' has {what}"):
            other = each.predict(table_of(form, "" if zone else "Etc/GMT+5"))
        assert (other != expected).any()


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_time_zones_of_files_are_told(of_moments, ending, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet  # noqa: PLC0415

    zone, model = of_moments
    write = parquet.write_table if ending == "parquet" else feather.write_feather
    for i, each in enumerate((zone, "" if zone else "Etc/GMT+5")):
        moments = pa.table({"t": pa.array(HOURS, pa.timestamp("us", "UTC" if each else None))})
        write(moments, tmp_path / f"{i}.{ending}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(tmp_path / f"0.{ending}")
    with pytest.warns(UserWarning, match=r"column 't': '2020-01-01T00:30:00.0*' has"):
        model.predict(tmp_path / f"1.{ending}")
    (note,) = read(tmp_path).notes
    assert note.endswith("the times of column 't' have no time zone, unlike others: taken as UTC")


def test_files_with_a_time_zone_are_in_utc_and_the_first_without_is_noted(of_moments, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    def write(part, times, zone):
        table = pa.table({"t": pa.array(times, pa.timestamp("us", zone)), "y": range(120)})
        parquet.write_table(table, tmp_path / f"{part}.parquet")

    write(0, HOURS, "UTC")
    write(1, HOURS, "UTC")
    write(2, [None] * 120, None)
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(tmp_path, "y")
    assert model.notes == ()
    assert "in UTC" in model.columns[0].how
    write(3, HOURS, None)
    write(4, HOURS, None)
    (note,) = read(tmp_path).notes
    assert note.startswith("3.parquet: the times of column 't' have no time zone")


def test_times_with_and_without_a_time_zone_are_noted():
    times = MOMENTS["text"](zone="")
    table = {"t": [*times[:-1], f"{times[-1]}Z"], "y": np.arange(120.0)}
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(table, "y")
    (note,) = model.notes
    assert "some times have a time zone and others have none, as in '2020-01-08 23:30:00Z'" in note
    assert note.endswith("those without one are taken as UTC: write all alike")


@pytest.mark.parametrize("kind", [None, "M8[D]", "M8[ns]"])
def test_days_have_no_time_zone(kind):
    days = [time.date() for time in HOURS]
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": np.array(days, kind) if kind else days, "y": np.arange(120.0)}, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict({"t": [f"{day}T00:00Z" for day in days]})
        model.predict({"t": np.array(days, "M8[ns]")})


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %B %Y", "%b %d, %Y"])
def test_dates_in_any_form_may_have_a_time_zone(form):
    times = [time.strftime(f"{form} %H:%M") for time in HOURS]
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": times, "y": np.arange(120.0)}, "y")
    expected = model.predict({"t": times})
    for zone in ("Z", " +00:00"):
        with pytest.warns(UserWarning, match=r"has a time zone and is read in UTC, but"):
            other = model.predict({"t": [f"{time}{zone}" for time in times]})
        assert other.tolist() == expected.tolist()


def test_no_times_have_no_time_zone(of_moments):
    pd = pytest.importorskip("pandas")
    _, model = of_moments
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for times in ([], [pd.NaT, pd.NaT]):
            table = {"t": pd.Series(times, dtype="datetime64[ns, UTC]")}
            assert len(model.predict(table)) == len(times)


def test_the_example_of_a_time_zone_is_a_time():
    pd = pytest.importorskip("pandas")
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": HOURS, "y": np.arange(120.0)}, "y")
    with pytest.warns(UserWarning, match="'2020-01-02T00:00:00.0*' has a time zone"):
        model.predict({"t": pd.Series([pd.NaT, pd.Timestamp("2020-01-02", tz="UTC")])})


def test_times_of_numbers_in_utc_are_told_so():
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1)
    model.fit({"t": of_pandas("UTC"), "y": np.arange(120.0)}, "y")
    assert model.columns[0].how.endswith("hour (in UTC)")


def test_files_of_two_formats_have_one_time_zone(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415

    moments = pa.table({"t": pa.array(HOURS, pa.timestamp("us", "UTC")), "y": range(120)})
    parquet.write_table(moments, tmp_path / "0.parquet")
    rows = [f"{time.isoformat()}Z,{i}" for i, time in enumerate(HOURS)]
    (tmp_path / "1.csv").write_text("\n".join(["t,y", *rows]))
    model = fm.TabularModel(networks=1, epochs=1, hidden=(2,), seed=1).fit(tmp_path, "y")
    assert model.notes == ()
    assert "in UTC" in model.columns[0].how
