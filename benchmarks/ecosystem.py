"""Packages around scikit-learn, with its perceptrons and with ours: what comes out of both.

    python benchmarks/ecosystem.py                # all; makes environments in a temporary folder
    python benchmarks/ecosystem.py skops mlflow   # the cases whose names begin with these
    python benchmarks/ecosystem.py --output build/ecosystem.json    # for docs/ecosystem.md

Each case runs in an environment with pinned packages and a wheel of this tree, in a process for
each family. It returns numbers; two families agree if they differ by at most 1e-6 of their size.
Not part of CI: it needs a package index and other people's releases. Over 400 lines, as each
package has a few of its own.
"""

import argparse
import importlib.metadata
import json
import math
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from contest import Table, write_json

SCRIPT = Path(__file__).resolve()
ROOT = SCRIPT.parent.parent
CLOSE = 1e-6
SKLEARN = "scikit-learn==1.9.1"
ENVIRONMENTS = {
    "current": [
        *[SKLEARN, "joblib==1.6.0", "cloudpickle==3.1.3", "dill==0.4.1", "skops==0.16.0"],
        *["mlflow-skinny==3.17.2", "skl2onnx==1.20.0", "onnxruntime==1.32.0", "onnx==1.23.2"],
        *["imbalanced-learn==0.14.2", "feature-engine==1.9.4", "category_encoders==2.11.2"],
        *["optuna==5.0.0", "mapie==1.6.0", "mlxtend==0.25.0", "fairlearn==0.15.0"],
        *["scikit-optimize==0.10.2", "eli5==0.16.0", "lime==0.2.0.1", "emlearn==0.23.2"],
        *["nyoka==5.5.0", "setuptools<81", "pandas==2.3.3"],
    ],
    "torch": [SKLEARN, "hummingbird-ml==0.4.12", "numpy==2.3.5"],
    "numba": [SKLEARN, "shap==0.51.0", "numpy==2.3.5"],
}
CASES: dict[str, "Case"] = {}


@dataclass(frozen=True)
class Case:
    """What is done with a package."""

    package: str
    what: str
    environment: str
    run: Callable[[Any], Any]


def case(package: str, what: str, environment: str = "current") -> Callable[[Any], Any]:
    """Register a function of a `Family` that returns numbers."""

    def register(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        CASES[run.__name__] = Case(package, what, environment, run)
        return run

    return register


class Family:
    """The two estimators of a family, and data."""

    def __init__(self, name: str) -> None:
        self.is_ours = name == "fastmlp"
        self._module = import_module(
            "fastmlp.sklearn" if self.is_ours else "sklearn.neural_network"
        )
        self.X, self.y = load_iris(return_X_y=True)
        self.X = scale(self.X)
        self.z = self.X[:, 0] * self.X[:, 1] + self.X[:, 2]

    def classifier(self, **settings: Any) -> Any:
        """Return a classifier that fits in a moment."""
        usual = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
        return self._module.MLPClassifier(**(usual | settings))

    def regressor(self, **settings: Any) -> Any:
        """Return a regressor that fits in a moment."""
        usual = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
        return self._module.MLPRegressor(**(usual | settings))

    def pipeline(self, last: Any) -> Any:
        """Return a pipeline of a scaler and an estimator."""
        return make_pipeline(StandardScaler(), last)

    def fitted(self) -> Any:
        """Return a fitted pipeline of a classifier."""
        return self.pipeline(self.classifier()).fit(self.X, self.y)

    def theirs(self, model: Any) -> Any:
        """Return a model with scikit-learn's classes, for packages that know no others."""
        from fastmlp.sklearn import to_sklearn

        return to_sklearn(model)


@case("scikit-learn", "calibration, stacking, frozen, thresholds, one for each class")
def scikit_learn_meta(f: Family) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import StackingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import TunedThresholdClassifierCV
    from sklearn.multiclass import OneVsRestClassifier

    binary = f.y > 0
    models = [
        CalibratedClassifierCV(f.classifier(), cv=2),
        CalibratedClassifierCV(FrozenEstimator(f.fitted())),
        StackingClassifier([("a", f.classifier()), ("b", f.pipeline(f.classifier()))], cv=2),
        OneVsRestClassifier(f.classifier()),
    ]
    results = [model.fit(f.X, f.y).predict_proba(f.X) for model in models]
    tuned = TunedThresholdClassifierCV(f.classifier(), cv=2).fit(f.X, binary)
    return [*results, tuned.predict_proba(f.X), tuned.predict(f.X)]


@case("scikit-learn", "permutation importance, partial dependence, learning curve, search")
def scikit_learn_tools(f: Family) -> Any:
    from sklearn.inspection import partial_dependence, permutation_importance
    from sklearn.model_selection import GridSearchCV, learning_curve

    model = f.fitted()
    importance = permutation_importance(model, f.X, f.y, n_repeats=2, random_state=0)
    search = GridSearchCV(f.classifier(), {"alpha": [1e-4, 1.0]}, cv=2).fit(f.X, f.y)
    dependence = partial_dependence(model, f.X, [0], grid_resolution=5)["average"]
    curve = learning_curve(f.classifier(), f.X, f.y, cv=2, shuffle=True, random_state=0)[2]
    return [importance.importances, search.cv_results_["mean_test_score"], dependence, curve]


@case("joblib", "dump and load; equal hashes of equal fits")
def joblib_files(f: Family) -> Any:
    import joblib

    joblib.dump(f.fitted(), "model.joblib", compress=3)
    same = joblib.hash(f.fitted()) == joblib.hash(f.fitted())
    return [joblib.load("model.joblib").predict_proba(f.X), same]


@case("cloudpickle", "dumps and loads")
def cloudpickle_bytes(f: Family) -> Any:
    import cloudpickle

    return cloudpickle.loads(cloudpickle.dumps(f.fitted())).predict_proba(f.X)


@case("dill", "dumps and loads")
def dill_bytes(f: Family) -> Any:
    import dill

    return dill.loads(dill.dumps(f.fitted())).predict_proba(f.X)


@case("skops", "dumps and loads, trusting what it names; partial_fit continues")
def skops_files(f: Family) -> Any:
    import skops.io

    results = []
    for solver in ("adam", "sgd", "lbfgs"):
        data = skops.io.dumps(f.classifier(solver=solver).fit(f.X, f.y))
        model = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
        results.append(model.predict_proba(f.X))
        if solver != "lbfgs":
            results.append(model.partial_fit(f.X, f.y).loss_curve_)
    return results


@case("mlflow-skinny", "save_model and load_model in the default format, with trusted types")
def mlflow_files(f: Family) -> Any:
    import mlflow
    import skops.io

    model = f.fitted()
    trusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    mlflow.sklearn.save_model(model, "mlflow", skops_trusted_types=trusted)
    return mlflow.sklearn.load_model("mlflow").predict_proba(f.X)


@case("skl2onnx", "to_onnx after register_skl2onnx(); run by onnxruntime")
def skl2onnx_models(f: Family) -> Any:
    import onnxruntime
    import skl2onnx

    if f.is_ours:
        from fastmlp.sklearn import register_skl2onnx

        register_skl2onnx()
    results = []
    for model in (f.fitted(), f.pipeline(f.regressor()).fit(f.X, f.z)):
        options = {"options": {"zipmap": False}} if hasattr(model, "predict_proba") else {}
        proto = skl2onnx.to_onnx(model, f.X[:1], **options)
        session = onnxruntime.InferenceSession(proto.SerializeToString())
        results += session.run(None, {"X": f.X})
    return [np.asarray(result) for result in results]


@case("hummingbird-ml", "convert to torch, of to_sklearn(model)", "torch")
def hummingbird_models(f: Family) -> Any:
    import hummingbird.ml

    return hummingbird.ml.convert(f.theirs(f.fitted()), "torch").predict_proba(f.X)


@case("nyoka", "skl_to_pmml: the numbers of the document")
def nyoka_documents(f: Family) -> Any:
    import re

    import nyoka

    names = ["a", "b", "c", "d"]
    nyoka.skl_to_pmml(f.fitted(), names, "target", "model.pmml")
    text = Path("model.pmml").read_text()
    return [float(number) for number in re.findall(r'(?:weight|bias)="([^"]+)"', text)]


@case("emlearn", "convert to C and run")
def emlearn_models(f: Family) -> Any:
    import emlearn

    return emlearn.convert(f.classifier().fit(f.X, f.y)).predict(f.X)


@case("shap", "KernelExplainer of predict_proba", "numba")
def shap_values(f: Family) -> Any:
    import shap

    explainer = shap.KernelExplainer(f.fitted().predict_proba, f.X[:10])
    return explainer.shap_values(f.X[::50], silent=True)


@case("imbalanced-learn", "SMOTE in a pipeline, BalancedBaggingClassifier")
def imbalanced_learn(f: Family) -> Any:
    from imblearn.ensemble import BalancedBaggingClassifier
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline as make_sampling_pipeline

    X, y = f.X[:120], f.y[:120]
    models = [
        make_sampling_pipeline(SMOTE(random_state=0), f.classifier()),
        BalancedBaggingClassifier(f.classifier(), n_estimators=2, random_state=0),
    ]
    return [model.fit(X, y).predict_proba(X) for model in models]


@case("feature-engine", "SelectByShuffling")
def feature_engine(f: Family) -> Any:
    import pandas as pd
    from feature_engine.selection import SelectByShuffling

    frame = pd.DataFrame(f.X, columns=list("abcd"))
    selector = SelectByShuffling(f.classifier(), scoring="accuracy", cv=2, random_state=0)
    selector.fit(frame, pd.Series(f.y))
    return list(selector.performance_drifts_.values())


@case("category_encoders", "TargetEncoder in a pipeline")
def category_encoders(f: Family) -> Any:
    import category_encoders
    import pandas as pd

    frame = pd.DataFrame({"word": [f"w{i % 7}" for i in range(150)], "number": f.X[:, 0]})
    model = make_pipeline(category_encoders.TargetEncoder(["word"]), f.regressor())
    return model.fit(frame, f.z).predict(frame)


@case("optuna", "a study with pruning by partial_fit")
def optuna_study(f: Family) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        model = f.classifier(alpha=trial.suggest_float("alpha", 1e-5, 1.0, log=True))
        for step in range(5):
            model.partial_fit(f.X, f.y, classes=[0, 1, 2])
            trial.report(model.score(f.X, f.y), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return model.loss_

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=5)
    return [study.best_value, len(study.trials)]


@case("mapie", "SplitConformalRegressor, prefit")
def mapie_intervals(f: Family) -> Any:
    from mapie.regression import SplitConformalRegressor

    model = f.regressor().fit(f.X[:75], f.z[:75])
    conformal = SplitConformalRegressor(model, confidence_level=0.9, prefit=True)
    return conformal.conformalize(f.X[75:], f.z[75:]).predict_interval(f.X)[1]


@case("mlxtend", "EnsembleVoteClassifier, SequentialFeatureSelector")
def mlxtend_models(f: Family) -> Any:
    from mlxtend.classifier import EnsembleVoteClassifier
    from mlxtend.feature_selection import SequentialFeatureSelector

    vote = EnsembleVoteClassifier([f.classifier(), f.classifier(alpha=1.0)], voting="soft")
    selector = SequentialFeatureSelector(f.classifier(), k_features=2, cv=2)
    return [vote.fit(f.X, f.y).predict_proba(f.X), selector.fit(f.X, f.y).k_score_]


@case("fairlearn", "ThresholdOptimizer")
def fairlearn_thresholds(f: Family) -> Any:
    from fairlearn.postprocessing import ThresholdOptimizer

    groups, binary = f.X[:, 3] > 0, (f.X[:, 0] > 0).astype(int)
    model = ThresholdOptimizer(estimator=f.classifier(), predict_method="predict_proba")
    model.fit(f.X, binary, sensitive_features=groups)
    return model.predict(f.X, sensitive_features=groups, random_state=0)


@case("scikit-optimize", "BayesSearchCV")
def scikit_optimize(f: Family) -> Any:
    from skopt import BayesSearchCV

    space = {"alpha": (1e-5, 1.0, "log-uniform")}
    search = BayesSearchCV(f.classifier(), space, n_iter=3, cv=2, random_state=0)
    return search.fit(f.X, f.y).cv_results_["mean_test_score"]


@case("eli5", "PermutationImportance")
def eli5_importance(f: Family) -> Any:
    from eli5.sklearn import PermutationImportance

    model = PermutationImportance(f.classifier().fit(f.X, f.y), random_state=0, n_iter=2)
    return model.fit(f.X, f.y).feature_importances_


@case("lime", "LimeTabularExplainer")
def lime_explanations(f: Family) -> Any:
    from lime.lime_tabular import LimeTabularExplainer

    explainer = LimeTabularExplainer(f.X, random_state=0, discretize_continuous=False)
    explained = explainer.explain_instance(f.X[0], f.fitted().predict_proba, num_samples=200)
    return sorted(weight for _, weight in explained.as_list())


@case("scikit-learn", "an estimator rebuilt from JSON; hidden nodes pruned; logits")
def scikit_learn_rebuilt(f: Family) -> Any:
    model = f.regressor().fit(f.X, f.z)
    lists = [[a.tolist() for a in arrays] for arrays in (model.coefs_, model.intercepts_)]
    again = f.regressor()
    again.coefs_, again.intercepts_ = (
        [np.array(a) for a in part] for part in json.loads(json.dumps(lists))
    )
    again.n_layers_, again.n_outputs_, again.out_activation_ = 3, 1, "identity"
    before = again.predict(f.X)
    again.coefs_ = [again.coefs_[0][:, :3], again.coefs_[1][:3]]
    again.intercepts_ = [again.intercepts_[0][:3], again.intercepts_[1]]
    logits = f.classifier().fit(f.X, f.y)
    logits.out_activation_ = "identity"
    return [before, again.predict(f.X), logits.predict_proba(f.X)]


def numbers(result: Any) -> list[float]:
    """Return everything in a result as one list of numbers."""
    if isinstance(result, list | tuple):
        return [number for item in result for number in numbers(item)]
    return [float(number) for number in np.asarray(result, dtype=float).ravel()]


def run_here(name: str, family: str) -> None:
    """Run a case in this process, and print its numbers and the package's version as JSON."""
    warnings.filterwarnings("ignore")
    chosen = CASES[name]
    answer: dict[str, Any] = {"version": importlib.metadata.version(chosen.package)}
    try:
        answer["numbers"] = numbers(chosen.run(Family(family)))
    except Exception as error:  # noqa: BLE001  (that is a result)
        answer["error"] = f"{type(error).__name__}: {error}"[:200]
    print("\n" + json.dumps(answer))


def run_there(python: Path, name: str, family: str, folder: str) -> dict[str, Any]:
    """Run a case with another Python, in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [str(python), str(SCRIPT), "--case", name, "--family", family]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"version": "?", "error": done.stderr.strip().splitlines()[-1][:200]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def environment(folder: Path, name: str, wheel: Path) -> Path:
    """Return the Python of an environment, made at its first use."""
    place = folder / name
    if not place.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *ENVIRONMENTS[name], str(wheel)], check=True)
    return place / "bin" / "python"


def compared(theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[str, str]:
    """Return the two cells of a case: what scikit-learn's class did, and ours."""
    if "error" in theirs:
        return theirs["error"], ours.get("error", "works")
    if "error" in ours:
        return "works", ours["error"]
    one, two = theirs["numbers"], ours["numbers"]
    if len(one) != len(two):
        return "works", f"{len(two)} numbers instead of {len(one)}"
    if not all(map(math.isfinite, one + two)):
        return "works", "not all finite"
    size = max(1.0, *map(abs, one))
    apart = max(abs(a - b) for a, b in zip(one, two, strict=True)) / size
    same = f"the same, {apart:.0e}" if apart <= CLOSE else f"differs by {apart:.1e}"
    return "works", same


def main() -> None:
    """Run the cases and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="the beginnings of names of cases; default all")
    parser.add_argument("--folder", type=Path, help="keep the environments here")
    parser.add_argument("--wheel", type=Path, help="a wheel of this tree; default: built here")
    parser.add_argument("--output", type=Path, help="write a JSON file, too")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--family", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        run_here(options.case, options.family)
        return
    chosen = [n for n in CASES if not options.names or n.startswith(tuple(options.names))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        wheel = options.wheel
        if wheel is None:
            command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", str(ROOT)]
            subprocess.run([*command, "-w", temporary], check=True)
            (wheel,) = Path(temporary).glob("fastmlp-*.whl")
        table: Table = []
        for name in chosen:
            python = environment(folder, CASES[name].environment, wheel)
            results = [run_there(python, name, f, temporary) for f in ("sklearn", "fastmlp")]
            cells = compared(*results)
            case = CASES[name]
            table.append({"package": case.package, "version": results[0]["version"],
                          "what was done": case.what, "scikit-learn's class": cells[0],
                          "ours": cells[1]})  # fmt: skip
            print(*table[-1].values(), sep=" | ", flush=True)
    if options.output:
        write_json(options.output, table)


if __name__ == "__main__":
    main()
