"""Cross-validated scores of our estimators and scikit-learn's, paired over seeds and folds.

``python benchmarks/sklearn_scores.py`` prints a row for each data set and solver: both mean scores
(accuracy, or R^2), the mean of the paired differences, and its standard error.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn import datasets, neural_network
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contest import write_json
from fastmlp import sklearn as ours

CLASSIFIED = ("digits", "breast_cancer", "wine", "iris")
DATA = (*CLASSIFIED, "diabetes")
SOLVERS = ("adam", "sgd", "lbfgs")


class Scores(NamedTuple):
    """The scores of both, in pairs: one for each seed and fold."""

    theirs: NDArray[np.float64]
    mine: NDArray[np.float64]

    @property
    def differences(self) -> NDArray[np.float64]:
        """Ours less theirs."""
        return self.mine - self.theirs

    @property
    def standard_error(self) -> float:
        """Of the mean of the differences."""
        return float(self.differences.std(ddof=1) / np.sqrt(len(self.differences)))


def paired_scores(data: str, solver: str, seeds: int, folds: int) -> Scores:
    """Cross-validate both with the same folds, seeds and parameters."""
    X, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    classifies = data in CLASSIFIED
    kind = "MLPClassifier" if classifies else "MLPRegressor"
    y = y if classifies else (y - y.mean()) / y.std()
    scores: tuple[list[float], list[float]] = ([], [])
    for seed in range(seeds):
        splitter: Any = StratifiedKFold if classifies else KFold
        split = splitter(folds, shuffle=True, random_state=seed)
        for library, found in zip((neural_network, ours), scores, strict=True):
            estimator = getattr(library, kind)(solver=solver, random_state=seed)
            model = make_pipeline(StandardScaler(), estimator)
            found.extend(cross_val_score(model, X, y, cv=split))
    return Scores(np.array(scores[0]), np.array(scores[1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = []
    print(f"{'data':14} {'solver':6} scikit-learn  fastmlp  difference  standard error")
    for data in DATA:
        for solver in SOLVERS:
            scores = paired_scores(data, solver, arguments.seeds, arguments.folds)
            theirs, mine = float(scores.theirs.mean()), float(scores.mine.mean())
            difference = float(scores.differences.mean())
            print(
                f"{data:14} {solver:6} {theirs:12.4f} {mine:8.4f} {difference:+11.5f} "
                f"{scores.standard_error:15.5f}",
                flush=True,
            )
            table.append(
                {
                    "data": data,
                    "solver": solver,
                    "score of scikit-learn": theirs,
                    "score of fastmlp": mine,
                    "difference": difference,
                    "standard error": scores.standard_error,
                }
            )
    if arguments.output:
        write_json(arguments.output, table, {"scikit-learn": sklearn.__version__})


if __name__ == "__main__":
    main()
