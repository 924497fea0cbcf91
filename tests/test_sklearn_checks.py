"""scikit-learn's own checks of an estimator, all of them, with no failure expected."""

import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.sklearn import MLPClassifier, MLPRegressor

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    # With a smaller alpha L-BFGS drives probabilities to 1.0, which a check refuses; with a larger
    # one it stops early, and results differ by more than a check allows. The same is true of
    # scikit-learn's estimators.
    MLPClassifier(solver="lbfgs", alpha=0.1),
    MLPRegressor(solver="lbfgs"),
]


@pytest.mark.filterwarnings("ignore")  # some checks fit far too short, or on data that is odd
@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    check(estimator)
