"""How well `TabularModel` learns published tables, beside scikit-learn's boosting and its MLP.

On every CSV file that `real_tables.py` fetches, with at least 200 rows and some signal (boosting
does better than the trivial answer, and not perfectly): the last column is learned from at most
4,500 rows and tested on a quarter of the rows, for several seeds, each with another split. A file
is won or lost by the median over the seeds, by more than 0.01 of R^2 or 0.005 of accuracy. Settings
are chosen on one half of the packages and reported on the other. scikit-learn's MLP learns from the
encoding of `TabularModel`, regressions with a standardized target.

    python benchmarks/tabular_scores.py folder --half held-out --seeds 5
    python benchmarks/tabular_scores.py --fit-times   # 4,500 rows of 20 numbers, made up
"""

import argparse
import hashlib
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import fastmlp as fm
from contest import Table, write_json
from fastmlp.errors import DataError
from fastmlp.tables.encoding.cell_values import values_of
from fastmlp.tables.encoding.features import Features, Means
from fastmlp.tables.encoding.fit_encoders import fit_encoders
from fastmlp.tables.encoding.target import Target, read_target, true_targets
from fastmlp.tables.reading.as_text import as_text
from fastmlp.tables.reading.read import read
from fastmlp.tables.splits import shuffled, split_rows
from fastmlp.tables.training.selection import Selection, select
from real_tables import csv_files, fetch

MOST_ROWS = 6000  # a quarter is for the test
FEWEST_ROWS, FEWEST_OF_CLASS = 200, 8
MOST_CLASSES = 20  # boosting takes minutes for more
MARGIN = {"regression": 0.01, "classification": 0.005}


@dataclass
class Problem:
    """A file, a split of it, and what is to be learned."""

    selection: Selection
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    target: Target
    seed: int

    @property
    def y(self) -> NDArray[Any]:
        """Targets of the training part: class numbers (n,) or numbers (n,)."""
        y = true_targets(self.target, self.selection.table, self.train)
        return y if self.target.task == "classification" else y[:, 0]


def problem(path: Path, seed: int, most_rows: int = MOST_ROWS) -> Problem | None:
    """Return a file's problem; None if it is too small or nothing can be learned from it."""
    try:
        table = read(path)
        names = [name for name in table.columns if name not in table.unnamed]
        selection = select(table, names[-1])
        target, y = read_target(table, selection.rows, selection.targets, None)
    except (DataError, IndexError):
        return None
    rows = selection.rows
    if target.task == "classification":
        enough = np.bincount(y)[y] >= FEWEST_OF_CLASS
        rows, y = rows[enough], y[enough]
    classes = len(np.unique(y)) if target.task == "classification" else 2
    if len(rows) < FEWEST_ROWS or not 2 <= classes <= MOST_CLASSES:
        return None
    chosen = np.sort(shuffled(len(rows), seed)[:most_rows])
    rows, y = rows[chosen], y[chosen]
    labels = y if target.task == "classification" else np.zeros(len(y), np.intp)
    train, test = split_rows(labels, 0.25, seed)
    try:
        target, _ = read_target(table, rows[train], selection.targets, target.task)
    except DataError:
        return None
    return Problem(selection, rows[train], rows[test], target, seed)


Learner = Callable[[Problem], NDArray[Any]]
"""Returns for the test part numbers (n,) or probabilities (n, classes)."""


def ours(**settings: Any) -> Learner:
    """Return a learner with these settings of `TabularModel`."""

    def learn(case: Problem) -> NDArray[Any]:
        task = case.target.task
        model = fm.TabularModel(seed=case.seed, task=task, **settings)  # type: ignore[arg-type]
        model.fit_rows(case.selection, case.train, like=case.target)
        outputs = model.output_rows(case.selection, case.test)
        return outputs if task == "classification" else model.target.in_units(outputs)[:, 0]

    return learn


def trivial(case: Problem) -> NDArray[Any]:
    """Answer with the mean, or the shares of the classes."""
    if case.target.task == "regression":
        return np.full(len(case.test), case.y.mean())
    return np.tile(np.bincount(case.y) / len(case.y), (len(case.test), 1))


def boosting(case: Problem) -> NDArray[Any]:
    """Learn by HistGradientBoosting, words as its categories."""
    features, _ = _features(case)
    A, categorical = _columns(case, features, case.train)
    B, _ = _columns(case, features, case.test)
    settings: dict[str, Any] = {"categorical_features": categorical, "early_stopping": False,
                                "random_state": case.seed}  # fmt: skip
    if case.target.task == "regression":
        result = HistGradientBoostingRegressor(**settings).fit(A, case.y).predict(B)
    else:
        rounds = 100 if len(case.target.classes) < 6 else 40
        settings["max_iter"] = rounds
        result = HistGradientBoostingClassifier(**settings).fit(A, case.y).predict_proba(B)
    return np.asarray(result)


def mlp(case: Problem) -> NDArray[Any]:
    """Learn by scikit-learn's MLP from our encoding."""
    features, trained = _features(case)
    A = features.training_matrix(case.selection.table, case.train, trained)
    B = features.matrix(case.selection.table, case.test)
    settings = {"random_state": case.seed}
    if case.target.task == "regression":
        network = TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())
        return np.asarray(network.fit(A, case.y).predict(B))
    return np.asarray(MLPClassifier(**settings).fit(A, case.y).predict_proba(B))


def _features(case: Problem) -> tuple[Features, dict[str, Means]]:
    """Return the encoding of `TabularModel`, and its cross-fitted target means."""
    y = np.asarray(case.y, np.float64)[:, np.newaxis]
    classes = case.target.task == "classification"
    if classes and len(case.target.classes) > 2:
        y = (y == np.arange(len(case.target.classes))).astype(np.float64)
    selection = case.selection
    return fit_encoders(
        selection.table, case.train, selection.features, y, classes=classes, seed=case.seed
    )


def _columns(
    case: Problem, features: Features, rows: NDArray[np.intp]
) -> tuple[NDArray[Any], list[bool]]:
    """Return the columns as boosting takes them: numbers, and numbered words."""
    table, parts, categorical = case.selection.table, [], []
    for feature in features.features:
        column = table.columns[feature.name]
        if feature.kind.name == "words":
            text = as_text(column)
            order = np.argsort(-text.counts(case.train), kind="stable")[:250]
            number = np.full(len(text.values) + 1, np.nan)
            number[order] = np.arange(len(order))
            parts.append(number[text.codes[rows]][:, np.newaxis])
            categorical.append(True)
            continue
        values, _ = values_of(column, feature.kind, table.decimal)(rows)
        block = values.reshape(len(rows), -1)
        parts.append(block)
        categorical += [False] * block.shape[1]
    return np.concatenate(parts, axis=1), categorical


def measure(case: Problem, answer: NDArray[Any]) -> dict[str, float]:
    """Return R^2, or accuracy and log loss, on the test part."""
    truth = true_targets(case.target, case.selection.table, case.test)
    if case.target.task == "regression":
        truth = truth[:, 0]
        spread = float(np.mean((truth - truth.mean()) ** 2))
        return {"score": 1.0 - float(np.mean((truth - answer) ** 2)) / spread if spread else 0.0}
    shares = np.clip(answer, 1e-6, 1.0)
    shares /= shares.sum(axis=1, keepdims=True)
    return {
        "score": float(np.mean(answer.argmax(axis=1) == truth)),
        "log_loss": float(-np.mean(np.log(shares[np.arange(len(truth)), truth]))),
    }


LEARNERS: dict[str, Learner] = {
    "trivial": trivial,
    "boosting": boosting,
    "mlp": mlp,
    "ours": ours(),
    "ours, 1 network": ours(networks=1),
}


def half_of(path: Path) -> str:
    """Return "chosen" or "held-out", by the folder of the file: its package."""
    digest = hashlib.sha1(path.parent.name.encode()).digest()
    return ("chosen", "held-out")[digest[0] % 2]


def run(
    paths: list[Path], seeds: int, learners: dict[str, Learner], log: Path, most_rows: int
) -> None:
    """Measure what `log` lacks, and add it there, a JSON object a line."""
    done = {(r["file"], r["seed"], r["learner"]) for r in _records(log)}
    with log.open("a") as file:
        for seed in range(seeds):
            for path in paths:
                todo = [name for name in learners if (str(path), seed, name) not in done]
                case = problem(path, seed, most_rows) if todo else None
                if case is None:
                    continue
                for name in todo:
                    start = time.perf_counter()
                    try:
                        result = measure(case, learners[name](case))
                    except (DataError, fm.DivergenceError, ValueError) as error:
                        result = {"error": str(error)}  # type: ignore[dict-item]
                    record = {"file": str(path), "seed": seed, "learner": name,
                              "task": case.target.task, "rows": len(case.train),
                              "seconds": time.perf_counter() - start, **result}  # fmt: skip
                    file.write(json.dumps(record) + "\n")
                    file.flush()


def _records(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def report(log: Path, paths: list[Path], seeds: int) -> Table:
    """Print medians, wins and losses; return the rows of the table in docs/performance.md."""
    wanted = set(map(str, paths))
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in _records(log):
        if record["file"] in wanted and "score" in record:
            found[record["file"], record["task"]][record["learner"]].append(record)
    table: Table = []
    for task in MARGIN:
        files = [
            medians
            for (_, kind), by_name in sorted(found.items())
            if kind == task and _has_signal(medians := _medians(by_name), task)
        ]
        print(f"\n{task}: {len(files)} files with signal")
        names = {name for medians in files for name in medians} - {"trivial"}
        for name in sorted(names):
            print(_line(name, task, files))
        whole = [medians for medians in files if {"ours", "boosting", "mlp"} <= medians.keys()]
        if whole:
            table.append(_row(task, whole, seeds))
    return table


def _gains(files: list[dict[str, dict[str, float]]], name: str, other: str) -> NDArray[np.float64]:
    return np.array([medians[name]["score"] - medians[other]["score"] for medians in files])


def _row(task: str, files: list[dict[str, dict[str, float]]], seeds: int) -> dict[str, Any]:
    others = {"boosting": "boosting", "mlp": "the MLP"}
    row: dict[str, Any] = {"data": task, "files": len(files), "seeds": seeds}
    for name, title in others.items():
        gains = _gains(files, "ours", name)
        won, lost = (gains > MARGIN[task]).sum(), (gains < -MARGIN[task]).sum()
        row[f"against {title}"] = f"{won} won, {lost} lost"
    behind = [_gains(files, "ours", name) < -0.1 for name in others]
    row["more than 0.1 behind either"] = int(np.logical_or(*behind).sum())
    columns = {"ours": "median score"} | {name: f"of {title}" for name, title in others.items()}
    for name, column in columns.items():
        row[column] = float(np.median([medians[name]["score"] for medians in files]))
    if task == "classification":
        for name, column in columns.items():
            title = "log loss" if name == "ours" else f"log loss {column}"
            row[title] = float(np.mean([medians[name]["log_loss"] for medians in files]))
    return row


def _medians(by_name: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    keys = ("score", "log_loss", "seconds")
    return {
        name: {k: float(np.median([r[k] for r in records])) for k in keys if k in records[0]}
        for name, records in by_name.items()
    }


def _has_signal(medians: dict[str, dict[str, float]], task: str) -> bool:
    if not {"trivial", "boosting"} <= medians.keys():
        return False
    best = medians["boosting"]["score"]
    above = 0.05 if task == "regression" else 0.02
    return medians["trivial"]["score"] + above < best < 0.998


def _line(name: str, task: str, files: list[dict[str, dict[str, float]]]) -> str:
    files = [medians for medians in files if name in medians]
    scores = np.array([medians[name]["score"] for medians in files])
    seconds = np.median([medians[name]["seconds"] for medians in files])
    text = (
        f"  {name:<24} median {np.median(scores):.3f} mean {np.clip(scores, 0, 1).mean():.3f} "
        f"{seconds:6.2f} s"
    )
    if task == "classification":
        text += f" log loss {np.mean([m[name]['log_loss'] for m in files]):.3f}"
    for other in ("boosting", "mlp"):
        both = [medians for medians in files if other in medians]
        if other == name or not both:
            continue
        gain = _gains(both, name, other)
        won, lost = (gain > MARGIN[task]).sum(), (gain < -MARGIN[task]).sum()
        text += f" | {other}: {won}-{lost}, {(gain < -0.1).sum()} by 0.1"
    return text


def made_up(task: str, rows: int = 4500, columns: int = 20) -> Problem:
    """Return a problem of numbers, of which some decide, and noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    y = X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] + rng.normal(0.0, 0.5, rows)
    if task == "classification":
        y = np.digitize(y, [-0.7, 0.7]).astype(np.float64)
    selection = select(read({**{f"x{j}": x for j, x in enumerate(X.T)}, "y": y}), "y")
    target, _ = read_target(selection.table, selection.rows, selection.targets, task)
    return Problem(selection, selection.rows, selection.rows[:1], target, 0)


def fit_times(rounds: int = 3) -> Table:
    """Print and return the shortest time of a fit, of all networks, beside scikit-learn's MLP.

    Elapsed, with a thread for each network as far as there are cores, and of the processor. The
    goal is a third of the MLP's elapsed time.
    """
    names = ("ours", "ours, 1 network", "mlp")
    table: Table = []
    for task in MARGIN:
        case = made_up(task)
        best = {name: np.full(2, np.inf) for name in names}
        for _ in range(rounds):
            for name in names:
                start = np.array([time.perf_counter(), time.process_time()])
                LEARNERS[name](case)
                end = np.array([time.perf_counter(), time.process_time()])
                best[name] = np.minimum(best[name], end - start)
        print(f"{task}, a fit of 4,500 rows and 20 columns:")
        for name, (elapsed, used) in best.items():
            shares = best[name] / best["mlp"]
            print(f"  {name:<16} {elapsed:5.2f} s, {shares[0]:.2f} of the MLP's; of the "
                  f"processor {used:5.2f} s, {shares[1]:.2f}")  # fmt: skip
        elapsed, used = best["ours"] / best["mlp"]
        table.append({"data": f"4,500 x 20, {task}", "of the MLP's time, 2 threads": elapsed,
                      "of its processor time": used})  # fmt: skip
    return table


def scores(arguments: argparse.Namespace) -> Table:
    """Fetch, learn what the log does not have yet, and report."""
    fetch(arguments.folder)
    paths = [
        path for path in csv_files(arguments.folder) if arguments.half in ("both", half_of(path))
    ][:: arguments.share]
    learners = {n: f for n, f in LEARNERS.items() if not arguments.only or n in arguments.only}
    log = arguments.log or arguments.folder / "scores.jsonl"
    run(paths, arguments.seeds, learners, log, arguments.rows)
    return report(log, paths, arguments.seeds)


def main() -> None:
    """Fetch, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/tables"))
    parser.add_argument("--fit-times", action="store_true", help="measure nothing else")
    parser.add_argument("--half", choices=("chosen", "held-out", "both"), default="held-out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--share", type=int, default=1, help="every n-th file only")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="of a file, at most")
    parser.add_argument("--log", type=Path, help="default: scores.jsonl in the folder")
    parser.add_argument("--only", nargs="*", help="learners")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of scikit-learn: 200 iterations are its default
    table = fit_times() if arguments.fit_times else scores(arguments)
    if arguments.output:
        versions = {"scikit-learn": sklearn.__version__}
        write_json(arguments.output, table, versions)


if __name__ == "__main__":
    main()
