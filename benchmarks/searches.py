"""Grid searches beside scikit-learn's, of the same candidates and folds, in one process.

24 candidates (alpha, learning rate, seed, two widths) times 5 folds of two data sets, behind a
`StandardScaler`: our search, scikit-learn's search over our estimator, and over its own MLP, these
with a process for each job. Scores of the first two must be equal. With `--small`, searches of few
or other candidates, which must not be slower than scikit-learn's. Needs the extra `sklearn`.

The last column bounds what our search can reach: how many times as long scikit-learn's search takes
as the core's share of ours, if Python took no time and both threads trained until the end.

    python benchmarks/searches.py [--output build/searches.json]
    python benchmarks/searches.py --jobs 1        # on one thread
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import sklearn
from sklearn import model_selection, neural_network
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from contest import write_json
from fastmlp.sklearn import GridSearchCV, MLPClassifier, meeting, plain_fits

GRID = {
    "mlp__alpha": [1e-4, 1e-2, 1.0],
    "mlp__learning_rate_init": [1e-3, 1e-2],
    "mlp__random_state": [0, 1],
    "mlp__hidden_layer_sizes": [(8,), (16,)],
}


FOUR = {"mlp__alpha": [1e-4, 1e-2], "mlp__learning_rate_init": [1e-3, 1e-2]}
SMALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one candidate, 100 nodes": ({}, {"mlp__alpha": [1e-3]}),
    "one candidate, 8 nodes": ({"hidden_layer_sizes": (8,)}, {"mlp__alpha": [1e-3]}),
    "four, 8 nodes": ({"hidden_layer_sizes": (8,)}, FOUR),
    "four, 16 nodes, early stopping": ({"hidden_layer_sizes": (16,), "early_stopping": True}, FOUR),
    "four, 16 nodes, L-BFGS": (
        {"hidden_layer_sizes": (16,), "solver": "lbfgs"},
        {"mlp__alpha": [1e-4, 1e-2, 1.0, 10.0]},
    ),
}
"""Parameters, and the grid."""


def searched(
    search_class: Any, mlp: Any, data: Any, jobs: int, grid: Any = GRID
) -> tuple[float, Any]:
    """Return the seconds of a search, and the scores of its candidates."""
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", mlp)])
    search = search_class(pipeline, grid, n_jobs=jobs, cv=5)
    start = time.perf_counter()
    search.fit(*data)
    return time.perf_counter() - start, search.cv_results_["mean_test_score"]


@contextmanager
def timed_trainings() -> Iterator[list[float]]:
    """Yield a list that gets the seconds of each training of our searches."""
    seconds: list[float] = []

    def timed(fits: Any) -> None:
        start = time.perf_counter()
        plain_fits.train(fits)
        seconds.append(time.perf_counter() - start)

    with patch.object(meeting, "train", timed):
        yield seconds


def measured_small(load: Any, jobs: int, repeats: int) -> list[dict[str, Any]]:
    """Return how many times as long scikit-learn's searches over our estimators take."""
    theirs, data, table = model_selection.GridSearchCV, load(return_X_y=True), []
    for name, (settings, grid) in SMALL.items():
        mlp = MLPClassifier(random_state=0, **settings)
        searched(theirs, mlp, data, jobs, grid)  # starts its workers
        pairs = []
        for _ in range(repeats):
            each = [searched(s, mlp, data, jobs, grid) for s in (GridSearchCV, theirs)]
            assert np.array_equal(each[0][1], each[1][1]), "other scores"
            pairs.append([seconds for seconds, _ in each])
        ours, them = np.min(pairs, axis=0)
        row = {
            "data": load.__name__.removeprefix("load_").replace("_", " "),
            "candidates": name,
            "our search, ms": float(1e3 * ours),
            "scikit-learn's, workers running": float(them / ours),
        }
        print(row, flush=True)
        table.append(row)
    return table


def main() -> None:
    """Print the seconds of each search."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=fastmlp.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3, help="of all but scikit-learn's MLP")
    parser.add_argument("--small", action="store_true", help="few candidates")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    theirs = model_selection.GridSearchCV
    table = []
    for load in (load_breast_cancer, load_digits):
        data, jobs = load(return_X_y=True), arguments.jobs
        if arguments.small:
            table += measured_small(load, jobs, arguments.repeats)
            continue
        first, scores = searched(theirs, MLPClassifier(), data, jobs)  # starts its workers
        fastest, best, trained = [np.inf], [np.inf], [np.inf]
        for _ in range(arguments.repeats):
            with timed_trainings() as trainings:
                seconds, own = searched(GridSearchCV, MLPClassifier(), data, jobs)
            best.append(seconds)
            trained.append(sum(trainings) / jobs)
            fastest.append(searched(theirs, MLPClassifier(), data, jobs)[0])
            assert np.array_equal(own, scores), "other scores"
        peer, _ = searched(theirs, neural_network.MLPClassifier(), data, jobs)
        ours = min(best)
        row = {
            "data": load.__name__.removeprefix("load_").replace("_", " "),
            "our search, s": ours,
            "scikit-learn's, workers running": min(fastest) / ours,
            "and starting them": first / ours,
            "over its own MLP": peer / ours,
            "over our training alone": min(fastest) / min(trained),
        }
        print(row, flush=True)
        table.append(row)
    if arguments.output:
        write_json(arguments.output, table, {"scikit-learn": sklearn.__version__})


if __name__ == "__main__":
    main()
