"""Guessing the task, numbering labels, splitting and standardising."""

import numpy as np
import pytest

from fastmlp.cli.preparation import Standardiser, encode_labels, guess_task, prepare, split_rows
from fastmlp.errors import DataError


@pytest.mark.parametrize(
    ("y", "task", "reason"),
    [
        (["a", "b"], "classification", "the target is text"),
        ([True, False], "classification", "the target is true or false"),
        ([3, 1, 3, 2], "classification", "the target has 3 different whole numbers"),
        ([0.0, 1.0, 1.0], "classification", "the target has 2 different whole numbers"),
        (list(range(20)), "classification", "the target has 20 different whole numbers"),
        (list(range(21)), "regression", "the target has 21 different numbers"),
        ([0.0, 1.5, 1.0], "regression", "the target has fractions"),
    ],
)
def test_the_task_is_guessed_from_the_target(y, task, reason):
    assert guess_task(np.array(y)) == (task, reason)


@pytest.mark.parametrize(
    ("y", "classes", "labels"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([7, -1, 7, 30], [-1, 7, 30], [1, 0, 1, 2]),
        ([2.0, 10.0], [2, 10], [0, 1]),
        ([0.5, 2.0], [0.5, 2.0], [0, 1]),
        ([True, False], [False, True], [1, 0]),
        (["é", "é", "z"], ["z", "é"], [1, 1, 0]),
    ],
)
def test_labels_are_numbered_in_sorted_order(y, classes, labels):
    got_classes, got_labels = encode_labels(np.array(y))
    assert got_classes == classes
    assert [type(label) for label in got_classes] == [type(label) for label in classes]
    assert got_labels.tolist() == labels


def test_a_single_class_is_refused():
    with pytest.raises(DataError, match="a single class, 'yes': nothing to tell apart"):
        encode_labels(np.array(["yes", "yes"]))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_split_is_stratified_and_complete(share, rng):
    labels = rng.permutation(np.repeat([0, 1, 2, 3], [100, 50, 7, 1]))
    train, test = split_rows(labels, share, seed=5)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(158))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(test) > 0)
    in_test = np.bincount(labels[test], minlength=4)
    counts = np.bincount(labels)
    assert np.all(np.abs(in_test - counts * share) <= 1.0)
    assert np.all(in_test < counts)  # every class can be learnt
    if share <= 0.5:
        assert abs(len(test) - 158 * share) <= 1.0


def test_a_split_follows_from_its_seed():
    labels = np.arange(40) % 2
    first, again, other = (split_rows(labels, 0.25, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other
    # Written down, so that no platform and no version of NumPy changes a split unnoticed.
    assert split_rows(np.zeros(12, int), 0.25, 2**64 - 1)[1].tolist() == [8, 9, 10]


def test_a_split_without_a_test_sample_is_refused():
    with pytest.raises(DataError, match=r"no sample to test on$"):
        split_rows(np.zeros(1, int), 0.5, 0)
    with pytest.raises(DataError, match="is the target a number"):
        split_rows(np.arange(10), 0.2, 0)


def test_columns_get_mean_zero_and_deviation_one(rng):
    columns = rng.normal([5.0, -300.0], [0.1, 40.0], (1000, 2))
    standard = Standardiser.fit(columns).transform(columns)
    assert standard.dtype == np.float32
    # A mean of 1000 float32 of size 1 is known to their rounding.
    np.testing.assert_allclose(standard.mean(axis=0, dtype=float), 0.0, atol=1e-7)
    np.testing.assert_allclose(standard.std(axis=0, dtype=float), 1.0, rtol=1e-6)


def test_a_constant_column_becomes_zero():
    columns = np.array([[0.1, 1.0, 1e9], [0.1, 2.0, 1e9], [0.1, 4.0, 1e9]])
    standard = Standardiser.fit(columns).transform(columns)
    assert np.abs(standard[:, [0, 2]]).max() < 1e-15
    assert np.isfinite(standard).all()


def test_a_common_unit_keeps_the_proportions_of_the_columns():
    columns = np.array([[0.0, 10.0], [1.0, 30.0]])
    standard = Standardiser.fit(columns, common_unit=True).transform(columns)
    deviation = np.sqrt((0.5**2 + 10.0**2) / 2)
    expected = [[-0.5, -10.0], [0.5, 10.0]] / deviation
    np.testing.assert_allclose(standard, expected, rtol=1e-6)


def test_numbers_too_large_to_standardise_are_refused():
    with pytest.raises(DataError, match=r"column 2 holds numbers beyond 1e150"):
        Standardiser.fit(np.array([[1.0, 1e300], [2.0, -1e300]]))


def test_only_training_rows_set_the_scale():
    X = np.arange(20.0).reshape(-1, 1)
    problem = prepare(X, X[:, 0], "regression", share=0.25, seed=1)
    assert problem.classes == []
    assert (problem.train.X.shape, problem.test.X.shape) == ((15, 1), (5, 1))
    assert (problem.train.y.shape, problem.test.y.shape) == ((15, 1), (5, 1))
    np.testing.assert_allclose(problem.train.X.mean(), 0.0, atol=1e-6)
    np.testing.assert_allclose(problem.train.y.std(), 1.0, rtol=1e-6)


def test_classes_keep_their_numbers_through_the_split():
    X = np.tile([[-1.0], [1.0]], (20, 1))
    y = np.where(X[:, 0] < 0, "low", "high")
    problem = prepare(X, y, "classification", share=0.5, seed=0)
    assert problem.classes == ["high", "low"]
    for part in (problem.train, problem.test):
        assert np.bincount(part.y).tolist() == [10, 10]
        assert np.array_equal(part.y == 1, part.X[:, 0] < 0)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a", "b"]), "regression needs a numeric target, got text"),
        (np.array([2.5, 2.5]), "the target is always 2.5: nothing to learn"),
    ],
)
def test_targets_without_a_regression_are_refused(y, message):
    with pytest.raises(DataError, match=message):
        prepare(np.zeros((2, 1)), y, "regression", share=0.5, seed=0)
