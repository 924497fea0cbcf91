"""Plain arrays skip checks of scikit-learn: everything else is as with them."""

import warnings

import pytest

pytest.importorskip("sklearn", minversion="1.6")
pytest.importorskip("pandas")

import numpy as np
import pandas as pd

from fastmlp.sklearn import MLPClassifier, MLPEnsembleRegressor, MLPRegressor, plain_data

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS = 12


class Matrix(np.ndarray):
    """A subclass of arrays."""


def features():
    return np.random.default_rng(0).standard_normal((ROWS, 3))


def frame(X):
    return pd.DataFrame(X, columns=["a", "b", "c"])


def with_one(value):
    X = features()
    X[5, 1] = value
    return X


def unaligned(values):
    """Return the same numbers at an odd address, as in a packed record or a file."""
    memory = np.frombuffer(b"-" + values.tobytes(), values.dtype, values.size, offset=1)
    assert not memory.flags.aligned
    return memory.reshape(values.shape)


FEATURES = {
    "float64": features,
    "float32": lambda: features().astype(np.float32),
    "float16": lambda: features().astype(np.float16),
    "Fortran order": lambda: np.asfortranarray(features()),
    "every second column": lambda: np.repeat(features(), 2, axis=1)[:, ::2],
    "big-endian": lambda: features().astype(">f8"),
    "integers": lambda: (4 * features()).astype(int),
    "objects": lambda: features().astype(object),
    "texts": lambda: features().astype(str),
    "complex": lambda: features().astype(complex),
    "list": lambda: features().tolist(),
    "frame": lambda: frame(features()),
    "subclass": lambda: features().view(Matrix),
    "masked": lambda: np.ma.masked_array(features()),
    "read-only": lambda: np.frombuffer(features().tobytes()).reshape(ROWS, 3),
    "unaligned": lambda: unaligned(features()),
    "NaN": lambda: with_one(np.nan),
    "infinite": lambda: with_one(-np.inf),
    "one more column": lambda: np.ones((ROWS, 4)),
    "no columns": lambda: np.ones((ROWS, 0)),
    "no rows": lambda: np.ones((0, 3)),
    "one dimension": lambda: np.ones(ROWS),
    "three dimensions": lambda: np.ones((ROWS, 3, 1)),
}

LABELS = np.arange(ROWS) % 3
TARGETS = {
    "integers": LABELS,
    "int8": LABELS.astype(np.int8),
    "big-endian": LABELS.astype(">i4"),
    "floats": LABELS.astype(np.float32),
    "unaligned floats": unaligned(LABELS.astype(float)),
    "booleans": LABELS > 1,
    "strings": LABELS.astype(str),
    "objects": LABELS.astype(str).astype(object),
    "list": LABELS.tolist(),
    "column": LABELS.reshape(-1, 1),
    "rows": np.stack([LABELS, 1 - LABELS], axis=1).astype(float),
    "indicators": np.stack([LABELS > 0, LABELS > 1], axis=1),
    "integer rows": np.stack([LABELS, 3 - LABELS], axis=1),
    "rows of nothing": np.ones((ROWS, 0)),
    "no dimension": np.array(1.0),
    "three dimensions": np.ones((ROWS, 1, 1)),
    "rows with NaN": np.full((ROWS, 2), np.nan),
    "NaN": np.where(LABELS == 1, np.nan, LABELS),
    "infinite": np.where(LABELS == 1, np.inf, LABELS),
    "every second": np.repeat(LABELS, 2).astype(float)[::2],
    "complex": LABELS.astype(complex),
    "one more": np.arange(ROWS + 1) % 3,
    "none": None,
}


def outcome(call):
    """Return what a call returns or raises, with its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:  # noqa: BLE001  (compared)
            result = type(error), str(error)
    if isinstance(result, np.ndarray):
        result = result.dtype, result.tobytes()
    return result, [str(warning.message) for warning in caught]


def with_and_without(monkeypatch, call):
    """Return the outcomes of a call with the short way, and with all checks."""
    short = outcome(call)
    with monkeypatch.context() as patched:
        patched.setattr(plain_data, "_are_plain_features", lambda *_: False)
        return short, outcome(call)


@pytest.mark.parametrize("names", [False, True], ids=["without names", "with names"])
@pytest.mark.parametrize("X", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, MLPEnsembleRegressor])
def test_predictions_are_those_with_all_checks(monkeypatch, kind, X, names):
    model = kind(random_state=0)
    model.set_params(**({"n_estimators": 2} if kind is MLPEnsembleRegressor else {"max_iter": 3}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame(features()) if names else features(), LABELS)
    short, checked = with_and_without(monkeypatch, lambda: model.predict(X()))
    assert short == checked


def fitted_state(kind, X, y, before=None):
    """Return what a fit changes; after another one if there is a `before`."""
    model = kind(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    if before is not None:
        model.fit(before, LABELS)
    model.fit(X, y)
    names = getattr(model, "feature_names_in_", None)
    arrays = [array.tobytes() for array in (*model.coefs_, *model.intercepts_)]
    labels = getattr(model, "classes_", None)
    return model.n_features_in_, str(names), str(labels), arrays


@pytest.mark.parametrize("X", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_fits_are_those_with_all_checks(monkeypatch, kind, X):
    short, checked = with_and_without(monkeypatch, lambda: fitted_state(kind, X(), LABELS))
    assert short == checked


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_arrays_at_odd_addresses_are_those_at_others(kind, solver):
    X, y, weights = features(), LABELS.astype(float), np.arange(1.0, ROWS + 1)
    first, second = (kind(max_iter=3, random_state=0, solver=solver) for _ in range(2))
    first.fit(X, y, weights)
    second.fit(*map(unaligned, (X, y, weights)))
    assert all(map(np.array_equal, first.coefs_, second.coefs_))
    assert (first.predict(X) == second.predict(unaligned(X))).all()


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_targets_are_as_with_all_checks(monkeypatch, kind, y):
    short, checked = with_and_without(monkeypatch, lambda: fitted_state(kind, features(), y))
    assert short == checked


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_fit_without_names_forgets_those_before(monkeypatch, kind):
    short, checked = with_and_without(
        monkeypatch, lambda: fitted_state(kind, features(), LABELS, before=frame(features()))
    )
    assert short == checked
    assert short[0][1] == "None"


@pytest.mark.parametrize("X", FEATURES.values(), ids=FEATURES)
def test_further_steps_are_those_with_all_checks(monkeypatch, X):
    def stepped():
        model = MLPClassifier(hidden_layer_sizes=(4,), random_state=0)
        model.partial_fit(features(), LABELS, classes=[0, 1, 2])
        model.partial_fit(X(), LABELS)
        return [array.tobytes() for array in (*model.coefs_, *model.intercepts_)]

    short, checked = with_and_without(monkeypatch, stepped)
    assert short == checked


def test_plain_arrays_are_not_checked_by_scikit_learn(monkeypatch):
    model = MLPClassifier(max_iter=3, random_state=0).fit(features(), LABELS)

    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(plain_data, "validate_data", refuse)
    assert model.predict(features()).shape == (ROWS,)
    model.partial_fit(features(), LABELS)
    MLPRegressor(max_iter=3, random_state=0).fit(features(), LABELS)
    table = np.column_stack([features(), LABELS])
    MLPRegressor(max_iter=3, random_state=0).fit(table[:, :-1], table[:, -1])  # not adjacent
    with pytest.raises(AssertionError):
        model.predict(with_one(np.nan))
    with pytest.raises(AssertionError):
        model.predict(np.asfortranarray(with_one(np.nan)))
    many = np.ones((2, plain_data._FEW), np.float32)
    with pytest.raises(AssertionError):
        MLPRegressor().fit(many[:, ::-1], LABELS[:2])


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"], [5]], ids=len)
def test_predictions_are_those_of_the_binarizer(labels):
    y = np.resize(labels, ROWS)
    model = MLPClassifier(max_iter=3, random_state=0).fit(features(), y)
    outputs = model._outputs(features())
    expected = model._label_binarizer.inverse_transform(
        outputs.ravel() if outputs.shape[1] == 1 else outputs
    )
    predicted = model.predict(features())
    assert predicted.dtype == expected.dtype
    assert (predicted == expected).all()
