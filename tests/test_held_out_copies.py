"""Of a bootstrap all copies of a sample are held out, or none: none that a network trains on."""

import numpy as np
import pytest
from sklearn.base import clone

import fastmlp as fm
from fastmlp.data.splitting import copies_together
from fastmlp.sklearn import MLPClassifier, MLPEnsembleClassifier, MLPEnsembleRegressor, MLPRegressor
from fastmlp.sklearn import estimator as estimators
from fastmlp.sklearn.validation import of_a_bootstrap

ROWS = 60


def last_ones(at):
    """Hold out the last third of the positions."""
    count = 9 if isinstance(at, slice) else len(at)
    return np.arange(count - count // 3), np.arange(count - count // 3, count)


def test_copies_are_in_one_part():
    train, held_out = copies_together(np.array([5, 3, 5, 1, 3, 9, 5, 8, 1]), last_ones)
    assert held_out.tolist() == [5]  # of 1, 3, 5, 8, 9 the last
    assert train.tolist() == [0, 1, 2, 3, 4, 6, 7, 8]


def test_without_copies_the_split_is_any():
    train, held_out = copies_together(np.arange(9)[::-1], last_ones)
    assert (train.tolist(), held_out.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7, 8])


@pytest.mark.parametrize("weighted", [False, True])
def test_members_of_an_ensemble_are_measured_on_other_samples(rng, weighted):
    X = rng.standard_normal((ROWS, 3), dtype=np.float32)
    y = np.arange(ROWS, dtype=np.float32)  # the number of a sample
    nets = [fm.Network([3, 4, 1], output="identity", seed=seed) for seed in range(4)]
    ensemble, measured = fm.Ensemble(nets), []

    def numbers(targets, outputs):
        measured.append(targets.ravel().astype(int))
        return 0.0

    arguments = {"sample_weight": np.linspace(0.5, 1, ROWS)} if weighted else {}
    histories = ensemble.fit(
        X,
        y,
        1,
        optimizer=fm.SGD(1e-9),
        bootstrap=True,
        validation_fraction=0.25,
        metrics=numbers,
        **arguments,
    )
    for history, held_out, rows in zip(
        histories, measured, ensemble.bootstrap_rows(y), strict=True
    ):
        apart = np.isin(rows, held_out)
        np.testing.assert_array_equal(np.sort(held_out), np.sort(rows[apart]))
        assert history.samples == np.count_nonzero(~apart)
        different = len(np.unique(rows))
        assert len(np.unique(held_out)) == round(0.25 * different)


def test_rows_without_copies_are_held_out_as_by_fit(rng):
    X, y = rng.standard_normal((ROWS, 3), dtype=np.float32), np.arange(ROWS) % 2
    rows = np.arange(ROWS)[::-2]
    net, twin = (fm.Network([3, 4, 2], seed=1) for _ in range(2))
    (history,) = fm.train_many([net], X, y, 3, rows=[rows], validation_fraction=0.25)
    expected = twin.fit(X[rows], y[rows], 3, validation_fraction=0.25)
    assert history.validation_loss == expected.validation_loss
    assert net.parameters.tobytes() == twin.parameters.tobytes()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_early_stopping_of_members_looks_at_other_samples(monkeypatch, rng, kind):
    X, y = rng.standard_normal((ROWS, 3)), np.arange(ROWS) % 2
    parts, whole = [], estimators.split

    def split(samples, *arguments):
        train, held_out = whole(samples, *arguments)
        parts.append(({*map(bytes, train.x)}, {*map(bytes, held_out.x)}))
        return train, held_out

    monkeypatch.setattr(estimators, "split", split)
    member = kind(hidden_layer_sizes=(4,), early_stopping=True, max_iter=2)
    many = MLPEnsembleClassifier if kind is MLPClassifier else MLPEnsembleRegressor
    many(member, 3, bootstrap=True, random_state=0, n_jobs=1).fit(X, y)
    assert len(parts) == 3
    for train, held_out in parts:
        assert len(train) > len(held_out) > 1
        assert not train & held_out


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_other_fits_inside_that_of_a_bootstrap_have_no_copies(rng):
    """A member may fit others to as many samples, as bagging does, of other numbers."""
    X, y = rng.standard_normal((60, 3)), np.arange(60) % 2
    outside = MLPClassifier((4,), max_iter=3, early_stopping=True, random_state=0)
    inside = clone(outside)

    class Nested(MLPClassifier):
        def fit(self, X, y):
            inside.fit(*given)
            return super().fit(X, y)

    given = X, y
    rows = np.repeat(np.arange(20), 3)
    member = Nested((4,), max_iter=3, early_stopping=True, random_state=0)
    with of_a_bootstrap(member, rows):
        member.fit(X[rows], y[rows])
    outside.fit(X, y)
    for got, wanted in zip(inside.coefs_, outside.coefs_, strict=True):
        np.testing.assert_array_equal(got, wanted)
