"""Encoders beside scikit-learn's, on rows of the training part and on rows never seen."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.errors import DataError
from fastmlp.tables.encoding.encoders import Number, Numbers, Vector, Words
from fastmlp.tables.encoding.fit_encoders import fit_encoders
from fastmlp.tables.encoding.target_means import NumberMeans, TargetMeans, target_means
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Text

preprocessing = pytest.importorskip("sklearn.preprocessing")
impute = pytest.importorskip("sklearn.impute")

ALL = np.arange(200)


def encoded(encoder, values, rows=None):
    """Return the encoding of values, or of some rows of a text."""
    if isinstance(values, Text):
        values = encoder.known(values)[values.codes[rows]]
    out = np.full((len(values), encoder.width), np.nan, np.float32)
    encoder.encode(values, out)
    return out


@pytest.fixture
def numbers(rng):
    values = rng.normal(50.0, 12.0, 200)
    values[rng.random(200) < 0.2] = np.nan
    return values


def test_numbers_are_those_of_simple_imputer_and_standard_scaler(numbers, rng):
    train, new = numbers[:150], np.append(numbers[150:], [np.nan, 1e6, -3.0])
    encoder = Number.fit(train)
    imputer = impute.SimpleImputer(strategy="median", add_indicator=True)
    filled = imputer.fit_transform(train[:, np.newaxis])
    scaler = preprocessing.StandardScaler().fit(filled[:, :1])
    # The mean and the variance are sums in another order.
    assert encoder.median == imputer.statistics_[0]
    np.testing.assert_allclose(encoder.mean, scaler.mean_[0], rtol=1e-14)
    np.testing.assert_allclose(encoder.deviation, scaler.scale_[0], rtol=1e-14)
    for values in (train, new):
        theirs = imputer.transform(values[:, np.newaxis])
        got = encoded(encoder, values)
        np.testing.assert_allclose(got[:, 0], scaler.transform(theirs[:, :1])[:, 0], rtol=2e-7)
        assert np.array_equal(got[:, 1], theirs[:, 1].astype(np.float32))


def test_without_gaps_there_is_no_column_for_them():
    encoder = Number.fit(np.array([1.0, 2.0, 4.0]))
    assert encoder.width == 1
    assert encoded(encoder, np.array([np.nan]))[0, 0] == np.float32(
        (2.0 - 7 / 3) / np.std([1, 2, 4])
    )


def test_pieces_bend_at_the_quantiles():
    values = np.arange(17.0) ** 2
    encoder = Number.fit(values, pieces=16)
    assert np.array_equal(encoder.edges, values)
    got = encoded(encoder, np.array([0.0, 1.0, 2.5, 256.0, 1e9, -5.0]))[:, 1:]
    assert got[0].tolist() == [0.0] * 16
    assert got[1].tolist() == [1.0] + [0.0] * 15
    assert got[2].tolist() == [1.0, 0.5] + [0.0] * 14
    assert got[3].tolist() == got[4].tolist() == [1.0] * 16
    assert got[5].tolist() == [0.0] * 16
    assert Number.fit(np.array([0.0, 1.0, 1.0]), pieces=16).width == 1


def test_a_constant_and_numbers_without_a_variance():
    assert np.abs(encoded(Number.fit(np.full(9, 0.1)), np.full(9, 0.1))).max() < 1e-15
    with pytest.raises(DataError, match="beyond 1e150"):
        Number.fit(np.array([1e300, -1e300]))


@pytest.mark.parametrize(("most", "rare"), [(3, True), (200, True), (200, False)])
def test_words_are_those_of_one_hot_encoder(rng, most, rare):
    words = rng.choice(["red", "green", "blue", "violet"], 200)
    words[:3] = "rare" if rare else "red"
    train, new = np.arange(150), np.arange(150, 203)
    cells = [*words, "never seen", "red", ""]
    text = Text.of(cells)
    encoder = Words.fit(text, train, most, least_often=5)
    theirs = preprocessing.OneHotEncoder(
        min_frequency=5,
        max_categories=most + 1 if rare else None,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    ).fit(np.array(cells, object)[train][:, np.newaxis])
    for rows in (train, new[:-1]):
        expected = theirs.transform(np.array(cells, object)[rows][:, np.newaxis])
        assert np.array_equal(encoded(encoder, text, rows), expected)
    assert encoded(encoder, text, new[-1:]).sum() == rare  # missing: as any word not seen


def test_missing_words_have_a_place_if_there_were_some():
    text = Text.of(["a", "b", "", "a", "b"] * 5)
    encoder = Words.fit(text, np.arange(25), 30)
    assert encoded(encoder, text, np.arange(3)).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def sample(kind, rng):
    """Return targets for scikit-learn, and for us."""
    if kind == "continuous":
        y = rng.normal(size=200)
        return y, y[:, np.newaxis]
    y = rng.integers(0, 2 if kind == "binary" else 3, 200)
    targets = (y[:, np.newaxis] == np.arange(3)).astype(float)
    return y, targets[:, 1:2] if kind == "binary" else targets


@pytest.mark.parametrize("kind", ["continuous", "binary", "multiclass"])
def test_target_means_of_numbers_are_those_of_target_encoder(rng, kind):
    persons = rng.integers(0, 40, 200) * 0.1
    persons[::17] = np.nan
    y, targets = sample(kind, rng)
    theirs = preprocessing.TargetEncoder(target_type=kind, random_state=0)
    theirs.fit(persons[:, np.newaxis], y)
    encoder, _ = NumberMeans.fit(persons, targets, ALL % 5)
    new = np.array([*persons, -1.0, 0.15, 1e9, np.inf])
    got = encoded(encoder, new) * encoder.deviation + encoder.mean
    expected = theirs.transform(np.where(np.isinf(new), 1e10, new)[:, np.newaxis])
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)  # float32


@pytest.mark.parametrize(("rows", "found"), [(5, False), (6, True)])
def test_numbers_of_many_rows_have_means_of_a_numeric_target(rng, rows, found):
    person = np.repeat(np.arange(100), rows)
    y = rng.normal(size=100)[person][:, np.newaxis]
    features, trained = fit_encoders(
        read({"person": person}), np.arange(len(y)), ["person"], y, classes=False
    )
    assert ("person" in trained) == found
    assert ("the mean target of each of 100 numbers" in str(features.columns)) == found
    if found:  # of the other folds
        assert np.corrcoef(trained["person"][:, 0], y[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("rows", "found"), [(1, False), (3, False), (5, False), (6, True), (9, True)]
)
def test_a_sample_tells_that_numbers_of_many_rows_do_not_repeat(rng, rows, found):
    """As all of them do, in whatever order."""
    count = 90_000
    values = np.arange(count) // rows * 0.5
    for column in (values, rng.permutation(values), np.where(values % 9 == 0, np.nan, values)):
        y = rng.normal(size=(count, 1))
        _, trained = fit_encoders(read({"x": column, "z": y[:, 0]}), np.arange(count), ["x"], y)
        assert ("x" in trained) == found


def test_numbers_that_repeat_have_target_means(rng):
    person = np.repeat(np.arange(100), 3)
    table = {
        "person": person,
        "gaps": np.where(person % 9, person * 0.5, np.nan),
        "few": person % 30,
        "each": rng.normal(size=300),
    }
    y, rows = rng.integers(0, 2, (300, 1)).astype(float), np.arange(300)
    features, trained = fit_encoders(read(table), rows, list(table), y, classes=True)
    assert set(trained) == {"person", "gaps"}
    report = str(features.columns)
    assert "the mean target of each of 100 numbers" in report
    assert features.width == sum(column.inputs for column in features.columns)
    matrix = features.training_matrix(read(table), rows, trained)
    end = features.columns[0].inputs
    assert np.array_equal(matrix[:, end - 1], np.float32(trained["person"][:, 0]))
    assert len(np.unique(matrix[:3, end - 1])) > 1  # cross-fitted, so not of the person alone
    for options in ({}, {"classes": True, "numbers": "standardized"}):
        _, trained = fit_encoders(read(table), rows, list(table), y, **options)
        assert not trained


def test_numbers_of_the_groups_themselves_have_no_target_means():
    person = np.repeat(np.arange(100), 3)
    y = (person % 2).astype(float)[:, np.newaxis]
    table = read({"person": person})
    _, trained = fit_encoders(table, np.arange(300), ["person"], y, classes=True, groups=person)
    assert "person" not in trained
    _, trained = fit_encoders(table, np.arange(300), ["person"], y, classes=True)
    assert trained["person"].shape == (300, 1)


@pytest.mark.parametrize("kind", ["continuous", "binary", "multiclass"])
def test_target_means_are_those_of_target_encoder(rng, kind):
    words = np.array([f"w{k}" for k in rng.integers(0, 40, 200)])
    y, targets = sample(kind, rng)
    theirs = preprocessing.TargetEncoder(target_type=kind, random_state=0)
    theirs.fit(words[:, np.newaxis], y)
    text = Text.of([*words, "never seen"])
    encoder, _ = TargetMeans.fit(text, ALL, targets, ALL % 5)
    got = encoder.known(text)[text.codes]
    expected = theirs.transform(np.append(words, "never seen")[:, np.newaxis])
    # Sums of at most 200 numbers, of which either may be in another order.
    np.testing.assert_allclose(got, expected, rtol=200 * np.finfo(float).eps, atol=1e-14)


def test_in_training_a_word_does_not_tell_the_target_of_its_own_row(rng):
    y = rng.normal(size=(200, 1))
    alone = Text.of([f"w{row}" for row in range(200)])
    folds = ALL % 5
    encoder, crossed = TargetMeans.fit(alone, ALL, y, folds)
    for fold in range(5):  # each word is new to the other folds
        assert len(np.unique(crossed[folds == fold])) == 1
    assert encoder.width == 1
    codes = rng.integers(0, 9, 200).astype(np.int32)
    words = Text([f"w{k}" for k in range(9)], codes)
    encoder, crossed = TargetMeans.fit(words, ALL, y, folds)
    rest, _ = target_means(codes[folds != 2], y[folds != 2], 9)
    inside = crossed[folds == 2] * encoder.deviation + encoder.mean
    np.testing.assert_allclose(inside, rest[codes[folds == 2]], rtol=1e-12)


def test_vectors_keep_their_proportions(rng):
    values = rng.normal([[0.0, 5.0, -3.0]], [[1.0, 10.0, 0.1]], (200, 3))
    encoder = Vector.fit(values)
    got = encoded(encoder, values)
    np.testing.assert_allclose(got.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.mean(got**2)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(got.std(axis=0)[1] / got.std(axis=0)[0], 10.0, rtol=0.2)
    values[3] = np.nan
    encoder = Vector.fit(values)
    assert encoded(encoder, values)[3].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_parts_that_never_change_are_left_out():
    values = np.array([[1.0, 7.0, 3.0], [2.0, 7.0, 4.0], [np.nan, np.nan, np.nan]])
    encoder = Numbers.fit(values)
    assert encoder.parts == [0, 2]
    assert encoded(encoder, values).shape == (3, 3)
    assert encoded(encoder, values)[:, 1].tolist() == [0.0, 0.0, 1.0]


def test_numbers_within_one_group_have_no_target_means():
    """A visit belongs to one patient: all of its rows are in one fold, and tell of no other."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, 1200)
    table = {
        "visit": groups * 10 + rng.integers(0, 10, 1200) + 1000.0,
        "x": rng.standard_normal(1200),
    }
    y = np.where(table["x"] + 0.5 * rng.standard_normal(1200) > 0, "a", "b")
    train = np.arange(1200) < 800
    part = {name: values[train] for name, values in table.items()}
    rest = {name: values[~train] for name, values in table.items()}
    model = fm.TabularModel(networks=1, epochs=30, seed=0)
    model.fit({**part, "y": y[train]}, target="y", groups=groups[train])
    assert np.mean(np.asarray(model.predict(rest)) == y[~train]) > 0.8
