"""Networks side by side whose numbers of samples differ, as those of folds do."""

import numpy as np
import pytest

import fastmlp as fm

COUNT = 20
"""More than a vector has lanes, of float32 too."""

ROWS = [73 + i % 7 for i in range(COUNT)]
"""Five batches of 16 rows, of which the last one has 9 to 15."""

SETTINGS = {
    "plain": ({}, {}),
    "dropout": ({"dropout": 0.3}, {"optimizer": fm.Adam(0.01)}),
    "batches normalised": ({"normalization": "batch"}, {}),
    "rows normalised": ({"normalization": "layer"}, {}),
    "clipped": ({}, {"optimizer": fm.SGD(0.5, momentum=0.9, clip_norm=0.05)}),
    "decayed": ({}, {"optimizer": fm.AdamW(0.01), "ema": 0.9}),
    "in order": ({}, {"shuffle": False, "optimizer": fm.SGD(0.1, l1=0.01, l2=0.1)}),
    "one batch": ({}, {"batch_size": 200}),
}


def networks(dtype, **settings):
    return [fm.Network([5, 7, 3], seed=i, dtype=dtype, **settings) for i in range(COUNT)]


def assert_bits_of_own_fits(X, y, dtype, name, weights=None):
    given, options = SETTINGS[name]
    options = {"epochs": 4, "batch_size": 16, **options}
    if y.ndim == 2:
        given = {**given, "output": "identity"}
    many, alone = networks(dtype, **given), networks(dtype, **given)
    rng = np.random.default_rng(3)
    parts = [rng.choice(len(X), rows) for rows in ROWS]
    results = fm.train_many(many, X, y, rows=parts, sample_weight=weights, **options)
    for net, twin, part, result in zip(many, alone, parts, results, strict=True):
        own = None if weights is None else weights[part]
        want = twin.fit(X[part], y[part], sample_weight=own, n_threads=1, **options)
        np.testing.assert_array_equal(net.parameters, twin.parameters)
        np.testing.assert_array_equal(net.statistics, twin.statistics)
        assert result.loss == want.loss


@pytest.fixture
def samples():
    rng = np.random.default_rng(2)
    return rng.normal(size=(100, 5)), rng.integers(0, 3, 100)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("targets", ["classes", "values"])
def test_each_has_the_bits_of_its_own_fit(samples, dtype, name, targets):
    X, classes = samples
    y = classes if targets == "classes" else X[:, :3] * 2
    assert_bits_of_own_fits(X, y, dtype, name)


@pytest.mark.parametrize("name", ["plain", "batches normalised"])
def test_samples_of_weight_0_among_them(samples, dtype, name):
    X, y = samples
    weights = np.random.default_rng(4).uniform(0.5, 2, len(X))
    weights[::9] = 0
    assert_bits_of_own_fits(X, y, dtype, name, weights)


def test_rows_of_others_are_not_read(samples, dtype):
    """The first row of X stands where a network has no more samples."""
    X, y = samples
    X[0] = 1e38
    rest = np.arange(1, len(X))
    many, alone = networks(dtype), networks(dtype)
    parts = [rest[:rows] for rows in ROWS]
    fm.train_many(many, X, y, 2, 16, rows=parts)
    for net, twin, part in zip(many, alone, parts, strict=True):
        twin.fit(X[part], y[part], 2, 16)
        np.testing.assert_array_equal(net.parameters, twin.parameters)
