"""Cross-validated scores beside scikit-learn's, in pairs over seeds and folds: equal but noise."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
try:
    from sklearn_scores import DATA, SOLVERS, paired_scores
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.once


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("solver", SOLVERS)
def test_scores_differ_by_noise_only(data, solver):
    scores = paired_scores(data, solver, seeds=2, folds=3)
    # Student's t with 5 degrees of freedom is beyond 6.9 once in a thousand. Few fits differ by
    # rounding at all, so most of the differences, and then both sides, are 0.
    assert abs(scores.differences.mean()) <= 6.9 * scores.standard_error
    assert np.isfinite(scores.mine).all()
