"""Conventions around scikit-learn: filters of warnings, negative n_jobs, weighted eval_set."""

import warnings

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import numpy as np
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import fastmlp as fm
from fastmlp.sklearn import MLPClassifier, MLPRegressor

X, LABELS = load_iris(return_X_y=True)
X = scale(X)
SHORT = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}
WARNING = {
    "not converged": ({}, ConvergenceWarning),
    "lbfgs": ({"solver": "lbfgs"}, ConvergenceWarning),
    "batch size": ({"batch_size": 500, "max_iter": 1000, "tol": 1.0}, UserWarning),
}


@pytest.mark.parametrize(("settings", "category"), WARNING.values(), ids=WARNING)
def test_warnings_are_scikit_learns_and_show_the_line_of_the_user(settings, category):
    estimator = MLPClassifier(**{**SHORT, **settings})
    with pytest.warns(category) as caught:
        estimator.fit(X, LABELS)
    assert [each.filename for each in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=category, module="sklearn")
        estimator.fit(X, LABELS)
        warnings.filterwarnings("error", category=category, module=r"sklearn\.neural_network")
        with pytest.raises(category):
            estimator.fit(X, LABELS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_threads_counted_from_all(monkeypatch):
    monkeypatch.setattr("fastmlp.sklearn.estimator.get_num_threads", lambda: 4)
    expected = {None: None, -1: None, -2: 3, -4: 1, -9: 1, np.int64(-3): 2, 2: 2}
    for n_jobs, threads in expected.items():
        assert MLPClassifier(n_jobs=n_jobs)._n_threads() == threads
    one, other = (MLPClassifier(**SHORT, n_jobs=n).fit(X, LABELS) for n in (-2, 1))
    assert one.network_.parameters.tobytes() == other.network_.parameters.tobytes()
    for refused in (0, -1.5):
        with pytest.raises(ValueError, match="n_jobs"):
            MLPClassifier(n_jobs=refused).fit(X, LABELS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestWeightedEvalSet:
    counts = np.arange(150) % 3

    @pytest.mark.parametrize(
        ("estimator", "y"),
        [
            (MLPClassifier(**SHORT), LABELS),
            (MLPClassifier(**SHORT, early_stopping=True), LABELS > 0),
            (MLPClassifier(**SHORT, loss=fm.CrossEntropy(0.1)), LABELS),
            (MLPRegressor(**SHORT), X[:, :2] * X[:, 2:]),
            (MLPRegressor(**SHORT, loss="poisson"), np.abs(X[:, 0])),
            (MLPRegressor(**SHORT, loss="absolute_error"), X[:, 0]),
        ],
    )
    def test_a_weight_is_a_number_of_rows(self, estimator, y):
        rows = np.repeat(np.arange(150), self.counts)
        repeated = estimator.fit(X, y, eval_set=(X[rows], y[rows]))
        scores, losses = repeated.validation_scores_, repeated.validation_loss_curve_
        weighted = estimator.fit(X, y, eval_set=(X, y, self.counts))
        # Sums of 150 terms, in another order.
        np.testing.assert_allclose(weighted.validation_scores_, scores, rtol=0, atol=1e-12)
        np.testing.assert_allclose(weighted.validation_loss_curve_, losses, rtol=1e-12)

    def test_rows_of_weight_0_are_ignored(self):
        y = np.where(self.counts == 0, 7, LABELS)  # a class that fit does not know
        model = MLPClassifier(**SHORT).fit(X, LABELS, eval_set=(X, y, self.counts))
        expected = MLPClassifier(**SHORT).fit(X, LABELS, eval_set=[X, LABELS, self.counts])
        assert model.validation_loss_curve_ == expected.validation_loss_curve_
        with pytest.raises(ValueError, match="`y` has classes not in"):
            model.fit(X, LABELS, eval_set=(X, y, None))
        regressor = MLPRegressor(**SHORT, loss="poisson")
        regressor.partial_fit(X, LABELS, eval_set=(X, self.counts - 0.5, self.counts))

    @pytest.mark.parametrize(
        ("eval_set", "message"),
        [
            ((X,), r"must be \(X, y\) or \(X, y, sample_weight\), got"),
            ((X, LABELS, counts, counts), r"must be \(X, y\) or"),
            (X, r"must be \(X, y\) or"),
            ((X, LABELS, counts[:9]), "sample_weight.shape"),
            ((X, LABELS, 0 * counts), "at least one non-zero"),
            (
                (X, LABELS, 0.5 - counts),
                "the sum of the sample weights of eval_set must be above 0, got -",
            ),
        ],
    )
    def test_other_values_are_refused(self, eval_set, message):
        with pytest.raises(ValueError, match=message):
            MLPClassifier(**SHORT).fit(X, LABELS, eval_set=eval_set)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weights_whose_sum_is_negative_are_refused(solver):
    """scikit-learn trains away from the samples; here nothing would be learned."""
    model = MLPRegressor(**SHORT, solver=solver)
    weights = -np.ones(len(X))
    with pytest.raises(ValueError, match="weights of fit must be above 0, got -150"):
        model.fit(X, LABELS, sample_weight=weights)
    assert not hasattr(model, "coefs_")
    weights[20:] = 1.0
    model.set_params(max_iter=1000, tol=1.0).fit(X, LABELS, sample_weight=weights)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(4, 4), (9,)])
def test_other_sizes_than_those_that_training_continues_with_are_refused(sizes):
    model = MLPClassifier(**SHORT, warm_start=True).fit(X, LABELS)
    before = model.predict_proba(X)
    model.set_params(hidden_layer_sizes=sizes)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"hidden_layer_sizes was \(5,\) in the first"):
            fit(X, LABELS)
    assert np.array_equal(model.predict_proba(X), before)
    assert model.set_params(warm_start=False).fit(X, LABELS).coefs_[0].shape == (4, sizes[0])


def test_a_first_partial_fit_that_is_refused_leaves_no_classes():
    model = MLPClassifier(**SHORT)
    with pytest.raises(ValueError, match="array-like"):
        model.partial_fit(X, None, classes=[0, 1])
    assert not hasattr(model, "classes_")
    model.partial_fit(X, LABELS, classes=[0, 1, 2])
