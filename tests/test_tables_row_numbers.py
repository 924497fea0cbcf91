"""Row numbers in another order are not learned; ranks, times and measurements are."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.tables.encoding.row_numbers import are_row_numbers

N = 300
RNG = np.random.default_rng(3)
X = RNG.normal(size=N)
SHUFFLED = RNG.permutation(N)
Y = X + RNG.normal(size=N)

pytestmark = pytest.mark.once


def report(numbers, y=Y, **columns):
    table = {"x": X, "ticket": numbers, **columns, "y": y}
    model = fm.TabularModel((4,), networks=1, epochs=2, seed=1).fit(table, "y")
    return next(column for column in model.columns if column.name == "ticket"), model


@pytest.mark.parametrize(
    "numbers",
    [SHUFFLED, SHUFFLED + 1, SHUFFLED + 0.0, RNG.choice(2 * N, N, replace=False),
     np.sort(RNG.choice(2 * N, N, replace=False))],
    ids=["from 0", "from 1", "doubles", "of a part", "in order, with gaps"],
)  # fmt: skip
@pytest.mark.parametrize("y", [Y, np.where(Y > 0.0, "a", "b"), np.digitize(Y, [-1.0, 0.0, 1.0])])
def test_row_numbers_in_another_order_are_dropped(numbers, y):
    column, model = report(numbers, y)
    assert column.kind == "dropped"
    assert column.how.startswith("numbers the rows in another order")
    assert len(model.predict({"x": X})) == N  # without the column


@pytest.mark.parametrize(
    "y",
    [SHUFFLED / 100.0 + X, np.where(SHUFFLED < 100, "a", "b"), np.sin(SHUFFLED / 9.0),
     np.where(SHUFFLED // 3 % 2, "a", "b"), np.where(SHUFFLED % 2, 1.0, -1.0) + 0.1 * X,
     0.8 * (SHUFFLED < 150) + X],  # neighbours do not show it
    ids=["trend", "jump", "period", "groups", "every other", "faint jump"],
)  # fmt: skip
def test_numbers_on_which_the_target_depends_are_learned(y):
    assert report(SHUFFLED, y)[0].kind == "number"


@pytest.mark.parametrize(
    "numbers",
    [SHUFFLED + 2 * N, SHUFFLED - 1, SHUFFLED * 3, SHUFFLED // 2, SHUFFLED + 0.5,
     np.where(SHUFFLED == 7, np.nan, SHUFFLED)],
    ids=["years", "below 0", "with large gaps", "twice", "fractions", "missing"],
)  # fmt: skip
def test_other_numbers_are_learned(numbers):
    assert report(numbers)[0].kind == "number"


def test_few_rows_tell_nothing():
    targets = Y[:, np.newaxis]
    for count, found in (49, False), (50, True):
        column = SHUFFLED[:count].argsort().argsort()
        assert are_row_numbers(column, np.arange(count), targets[:count]) == found


def test_halves_are_compared_with_more_rows_than_they_hold():
    column = np.minimum(np.arange(40_000), 60).astype(np.float16)
    assert not are_row_numbers(column, np.arange(40_000), np.ones((40_000, 1)))


def test_numbers_of_the_whole_table_count():
    rows = np.flatnonzero(SHUFFLED % 4)  # a test part is left out
    assert are_row_numbers(SHUFFLED, rows, Y[rows, np.newaxis])
    twice = SHUFFLED.copy()
    twice[SHUFFLED == 0] = 1  # in the test part
    assert not are_row_numbers(twice, rows, Y[rows, np.newaxis])


@pytest.mark.parametrize("targets", [1, 4])
@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "random"])
def test_chance_decides_seldom(targets, draw):
    rng = np.random.default_rng(5)
    rows = np.arange(100)
    found = [
        are_row_numbers(rng.permutation(100), rows, getattr(rng, draw)(size=(100, targets)))
        for _ in range(500)
    ]
    assert np.mean(found) > 0.97


def test_a_column_alone_is_learned():
    model = fm.TabularModel((4,), networks=1, epochs=2, seed=1)
    model.fit({"ticket": SHUFFLED, "y": Y}, "y")
    assert "but there is nothing else" in model.columns[0].how


def test_several_targets_and_constant_ones():
    targets = np.stack([Y, np.ones(N)], axis=1)
    assert are_row_numbers(SHUFFLED, np.arange(N), targets)
    targets[:, 1] = SHUFFLED
    assert not are_row_numbers(SHUFFLED, np.arange(N), targets)
