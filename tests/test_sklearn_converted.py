"""Estimators for packages that know scikit-learn's only: whole models with its own, and ONNX."""

import pickle

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import numpy as np
from sklearn import neural_network
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastmlp as fm
from fastmlp import sklearn as ours
from fastmlp.layers import ACTIVATIONS
from fastmlp.sklearn import MLPClassifier, MLPRegressor, register_skl2onnx, to_sklearn
from fastmlp.sklearn.architecture import copy_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = scale(X).astype(np.float32)
NAMES = np.array(["a", "bb", "ccc"])[LABELS]
MULTILABEL = make_multilabel_classification(150, n_classes=4, random_state=0)[1]
CLOSE = 1e-5
"""Sums of at most 7 products in single precision, with factors below 10, through a few layers."""
SETTINGS = {"hidden_layer_sizes": (6, 5), "max_iter": 5, "random_state": 0}


def classifier(**settings):
    return MLPClassifier(**SETTINGS, **settings)


def regressor(**settings):
    return MLPRegressor(**SETTINGS, **settings)


def models():
    """Whole models, with their targets."""
    scaled = make_pipeline(StandardScaler(), classifier())
    others = [("ours", classifier()), ("theirs", LogisticRegression())]
    columns = ColumnTransformer([("scaled", StandardScaler(), [0, 1])], remainder="passthrough")
    two = X[:, :2] * X[:, 2:]
    return {
        "alone": (classifier(), NAMES),
        "pipeline": (scaled, NAMES),
        "columns": (make_pipeline(columns, regressor()), two),
        "stack": (StackingClassifier(others, cv=2), LABELS),
        "bag": (BaggingClassifier(classifier(), n_estimators=2, random_state=0), LABELS),
        "calibrated": (CalibratedClassifierCV(scaled, cv=2), LABELS),
        "one for each class": (OneVsRestClassifier(classifier()), LABELS),
        "one for each output": (MultiOutputRegressor(regressor()), two),
        "vote": (VotingRegressor([("a", regressor()), ("b", regressor(alpha=1.0))]), two[:, 0]),
        "targets": (TransformedTargetRegressor(regressor(), transformer=StandardScaler()), two),
        "search": (GridSearchCV(scaled, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2), LABELS),
    }


def has_ours(model):
    """Whether an estimator of ours is anywhere in a pickle of a model."""
    return b"fastmlp" in pickle.dumps(model)


@pytest.mark.parametrize("name", models())
def test_whole_models_with_scikit_learns_perceptrons(name):
    model, y = models()[name]
    unfitted = to_sklearn(model)
    assert not has_ours(unfitted)
    assert has_ours(model)
    model.fit(X, y)
    theirs = to_sklearn(model)
    assert not has_ours(theirs)
    if model.predict(X).dtype.kind == "f":
        np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=CLOSE, atol=CLOSE)
    else:
        np.testing.assert_array_equal(theirs.predict(X), model.predict(X))
    before = model.predict(X)
    again = unfitted.fit(X, y)  # trains as the original did, but for rounding
    if name == "alone":
        np.testing.assert_allclose(again.loss_curve_, model.loss_curve_, rtol=CLOSE)
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 0.5}, "has no dropout, which is 0.5"),
        ({"dropout": [0.5, 0.0]}, "has no dropout"),
        ({"class_weight": {0: 2.0}}, "has no class_weight"),
        ({"loss": fm.CrossEntropy(0.1)}, "has no loss"),
        ({"callbacks": [print]}, "has no callbacks"),
        ({"activation": "gelu"}, "has no such estimator"),
        ({"solver": "adamw"}, "has no such estimator"),
    ],
)
def test_what_scikit_learn_cannot_train_is_refused(settings, message):
    for model in (classifier(**settings), make_pipeline(StandardScaler(), classifier(**settings))):
        with pytest.raises(ValueError, match=message):
            to_sklearn(model)
    assert type(to_sklearn(classifier(n_jobs=1))) is neural_network.MLPClassifier


def test_other_models_are_copied():
    model = LogisticRegression()
    assert to_sklearn(model) is not model
    assert to_sklearn(model).get_params() == model.get_params()


class TestONNX:
    @pytest.fixture(autouse=True)
    def registered(self):
        self.skl2onnx = pytest.importorskip("skl2onnx")
        self.runtime = pytest.importorskip("onnxruntime")
        register_skl2onnx()

    def run(self, model, features=X, **options):
        """Return the outputs of the converted model."""
        model_proto = self.skl2onnx.to_onnx(model, features[:1], **options)
        session = self.runtime.InferenceSession(model_proto.SerializeToString())
        self.shapes = [each.shape for each in session.get_outputs()]
        return session.run(None, {session.get_inputs()[0].name: features})

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "activation",
        [
            *[name for name in ACTIVATIONS if name != "softmax"],
            *["logistic", fm.LeakyReLU(0.3), ["tanh", fm.ELU(0.4)]],
        ],
    )
    def test_activations(self, activation, dtype, rounding_bound):
        model = regressor(activation=activation).fit(X / 8, X[:, :2] * X[:, 2:])
        features = (X / 8).astype(dtype)
        (outputs,) = self.run(model, features)
        assert outputs.dtype == dtype
        assert self.shapes == [[None, 2]]
        bound = rounding_bound(copy_of(model.network_, dtype), features)
        assert (np.abs(outputs - model.predict(features)) <= bound).all()

    @pytest.mark.parametrize(
        "settings",
        [
            {"loss": "poisson"},
            {"loss": fm.Huber(0.5), "solver": "lbfgs"},
            {"loss": fm.Quantile(0.2), "solver": fm.AdamW(0.01), "dropout": 0.2},
        ],
    )
    def test_losses(self, settings, rounding_bound):
        model = regressor(**settings).fit(X, np.abs(X[:, 0]))
        (outputs,) = self.run(model)
        assert outputs.shape == (150, 1)
        bound = rounding_bound(copy_of(model.network_, "float32"), X)[:, 0]
        assert (np.abs(outputs[:, 0] - model.predict(X)) <= bound).all()

    @pytest.mark.parametrize(
        "y",
        [LABELS, NAMES, NAMES.astype(object), LABELS * 2.0, LABELS > 0, NAMES == "a", MULTILABEL],
        ids=["numbers", "names", "objects", "floats", "two", "two of names", "multilabel"],
    )
    @pytest.mark.parametrize("features", [X, X.astype(float)], ids=["float32", "float64"])
    def test_labels(self, y, features, rounding_bound):
        model = classifier().fit(X, y)
        labels, probabilities = self.run(model, features, options={"zipmap": False})
        np.testing.assert_array_equal(labels, model.predict(features))
        assert labels.shape == y.shape
        assert probabilities.dtype == features.dtype
        bound = rounding_bound(copy_of(model.network_, features.dtype), features).max()
        expected = model.predict_proba(features)
        np.testing.assert_allclose(probabilities, expected, rtol=0, atol=bound)
        assert [len(shape) for shape in self.shapes] == [y.ndim, 2]

    def test_options_of_classifiers(self):
        model = classifier().fit(X, NAMES)
        expected = model.predict_proba(X)
        labels, rows = self.run(model)
        assert labels.tolist() == model.predict(X).tolist()
        np.testing.assert_allclose(
            [[row[name] for name in ("a", "bb", "ccc")] for row in rows], expected, atol=CLOSE
        )
        _, *columns = self.run(model, options={"zipmap": "columns"})
        np.testing.assert_allclose(
            np.column_stack([c.ravel() for c in columns]), expected, atol=CLOSE
        )
        numbers, _ = self.run(model, options={"nocl": True, "zipmap": False})
        assert numbers.tolist() == expected.argmax(axis=1).tolist()
        *_, classes = self.run(model, options={"output_class_labels": True, "zipmap": False})
        assert classes.tolist() == ["a", "bb", "ccc"]

    @pytest.mark.parametrize("name", [n for n in models() if n not in ("targets", "search")])
    def test_whole_models(self, name):
        model, y = models()[name]
        model.fit(X, y)
        is_classifier = hasattr(model, "predict_proba")
        outputs = self.run(model, **({"options": {"zipmap": False}} if is_classifier else {}))
        predicted = model.predict(X)
        if not is_classifier:
            np.testing.assert_allclose(outputs[0].reshape(predicted.shape), predicted, atol=CLOSE)
            return
        np.testing.assert_array_equal(outputs[0], predicted)
        np.testing.assert_allclose(outputs[1], model.predict_proba(X), atol=CLOSE)

    def test_logits(self):
        model = classifier().fit(X, LABELS)
        model.out_activation_ = "identity"
        _, outputs = self.run(model, options={"zipmap": False})
        np.testing.assert_allclose(outputs, model.predict_proba(X), atol=CLOSE)

    def test_what_onnx_cannot_hold_is_refused(self):
        with pytest.raises(RuntimeError, match="needs target_opset=13 or later, got 12"):
            self.run(regressor().fit(X, X[:, 0]), target_opset=12)
        one = classifier().fit(X, np.ones(150, int))
        with pytest.raises(ValueError, match="one class"):
            self.run(one)


class Perceptron(MLPClassifier):
    """A subclass in the code of a user."""


def test_subclasses_and_searches_are_scikit_learns():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), Perceptron((5,), max_iter=20, random_state=0))
    with pytest.warns(ConvergenceWarning):
        converted = to_sklearn(pipeline.fit(X, y))
    assert type(converted[-1]) is neural_network.MLPClassifier
    for kind in (ours.GridSearchCV, ours.RandomizedSearchCV):
        search = kind(MLPClassifier(), {"alpha": [1e-4, 1e-3]})
        assert type(to_sklearn(search)).__module__.startswith("sklearn.")
        assert type(to_sklearn(search).estimator) is neural_network.MLPClassifier
        assert type(search.estimator) is MLPClassifier
