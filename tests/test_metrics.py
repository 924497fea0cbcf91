"""Metrics: equal to scikit-learn's functions, on every kind of target, weighted or not."""

import warnings

import numpy as np
import pytest

from fastmlp import metrics
from fastmlp.reference import metrics as reference_metrics
from fastmlp.reference import regression_metrics

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

# Sums of 200 float64 numbers in another order: 200 eps of their size, with a margin.
ROUNDING = 1e-13
B = 200


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def weight(request, rng):
    return rng.integers(0, 4, B) + rng.random(B) * (rng.random(B) < 0.5) if request.param else None


def macro(classes):
    return {"average": "binary"} if classes == 2 else {"average": "macro"}


def close(ours, theirs):
    assert ours == pytest.approx(theirs, rel=ROUNDING, abs=ROUNDING)


@pytest.mark.parametrize("classes", [2, 3, 7])
class TestLabels:
    @pytest.fixture
    def case(self, classes, rng):
        p = softmax(1.5 * rng.standard_normal((B, classes)).round(1))  # rounded: with equal scores
        return rng.integers(0, classes, B).astype(np.int32), p

    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    def test_of_each_class(self, case, classes, weight, name):
        y, p = case
        theirs = getattr(sk, f"{name}_score")(
            y, p.argmax(1), sample_weight=weight, **macro(classes)
        )
        close(getattr(metrics, name)(y, p, weight), theirs)

    @pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
    def test_of_decisions(self, case, weight, name):
        y, p = case
        close(
            getattr(metrics, name)(y, p, weight),
            getattr(sk, f"{name}_score")(y, p.argmax(1), sample_weight=weight),
        )

    def test_of_probabilities(self, case, classes, weight):
        y, p = case
        theirs = sk.log_loss(y, p, sample_weight=weight, labels=range(classes))
        close(metrics.log_loss(y, p, weight), theirs)
        scores = p[:, 1] if classes == 2 else p
        theirs = sk.roc_auc_score(y, scores, sample_weight=weight, multi_class="ovr")
        close(metrics.auc(y, p, weight), theirs)
        theirs = sk.average_precision_score(y, scores, sample_weight=weight)
        close(metrics.average_precision(y, p, weight), theirs)

    def test_top_k(self, rng, classes, weight):
        y, p = rng.integers(0, classes, B), softmax(rng.standard_normal((B, classes)))
        for k in range(1, classes):
            scores = p[:, 1] if classes == 2 else p  # where k is 1, and half of it the other class
            theirs = sk.top_k_accuracy_score(
                y, scores, k=k, sample_weight=weight, labels=range(classes)
            )
            close(metrics.top_k_accuracy(y, p, weight, k=k), theirs)
        close(metrics.top_k_accuracy(y, p, weight, k=1), metrics.accuracy(y, p, weight))
        assert metrics.top_k_accuracy(y, p, weight, k=classes) == 1

    def test_absent_classes_do_not_count(self, classes, rng):
        z = rng.standard_normal((B, classes + 2))
        z[:, classes:] = -99
        p, y = softmax(z), rng.integers(0, classes, B)
        if classes == 2:  # four outputs: no class is the positive one
            close(metrics.f1(y, p), sk.f1_score(y, p.argmax(1), average="macro"))
        else:
            close(metrics.f1(y, p), metrics.f1(y, p[:, :classes]))
        close(metrics.balanced_accuracy(y, p), sk.balanced_accuracy_score(y, p.argmax(1)))


@pytest.mark.parametrize("outputs", [1, 4])
class TestYesOrNo:
    @pytest.fixture
    def case(self, outputs, rng):
        p = 1 / (1 + np.exp(-rng.standard_normal((B, outputs)).round(1)))
        return (rng.random((B, outputs)) < 0.4).astype(np.float64), p

    def test_equal_scikit_learn(self, case, outputs, weight):
        y, p = case
        average = macro(2 if outputs == 1 else 3)
        for name in ("precision", "recall", "f1"):
            theirs = getattr(sk, f"{name}_score")(y, p > 0.5, sample_weight=weight, **average)
            close(getattr(metrics, name)(y, p, weight), theirs)
        close(metrics.auc(y, p, weight), sk.roc_auc_score(y, p, sample_weight=weight))
        theirs = sk.average_precision_score(y, p, sample_weight=weight)
        close(metrics.average_precision(y, p, weight), theirs)

    def test_are_the_mean_over_outputs(self, case, outputs, weight):
        y, p = case
        columns = list(zip(y.T, p.T, strict=True))
        for name, score in (
            ("accuracy", lambda t, q: sk.accuracy_score(t, q > 0.5, sample_weight=weight)),
            (
                "balanced_accuracy",
                lambda t, q: sk.balanced_accuracy_score(t, q > 0.5, sample_weight=weight),
            ),
            ("log_loss", lambda t, q: sk.log_loss(t, q, sample_weight=weight)),
        ):
            theirs = np.mean([score(t, q) for t, q in columns])
            close(getattr(metrics, name)(y, p, weight), theirs)

    def test_one_output_takes_flat_arrays(self, case, outputs):
        if outputs == 1:
            y, p = case
            assert metrics.f1(y[:, 0].astype(int), p[:, 0]) == metrics.f1(y, p)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mse", "mean_squared_error"),
        ("rmse", "root_mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("r2", "r2_score"),
    ],
)
def test_regression(rng, outputs, weight, name, theirs):
    y = rng.standard_normal((B, outputs))
    h = y + rng.standard_normal((B, outputs))
    close(getattr(metrics, name)(y, h, weight), getattr(sk, theirs)(y, h, sample_weight=weight))


@pytest.mark.parametrize("kind", ["classes", "two", "yes or no", "outputs"])
@pytest.mark.parametrize("name", sorted(metrics.CLASSIFICATION))
def test_decisions_have_the_bits_of_the_reference(rng, weight, kind, name):
    w = np.ones(B) if weight is None else weight
    exclusive = kind in ("classes", "two")
    n = {"classes": 4, "two": 2, "yes or no": 1, "outputs": 3}[kind]
    if exclusive:
        h = softmax(rng.standard_normal((B, n)).round(1))
        y = rng.integers(0, n, B)
        rows = np.eye(n)[y].tolist()
    else:
        h = rng.random((B, n)).round(2)
        y = rng.integers(0, 2, (B, n)).astype(float)
        rows = y.tolist()
    options = {"eps": 2.0**-52} if name == "log_loss" else {}
    twin = getattr(reference_metrics, name)(
        rows, h.tolist(), w.tolist(), exclusive=exclusive, **options
    )
    # Python's logarithm and NumPy's may differ in the last bit.
    tolerance = ROUNDING if name == "log_loss" else 0
    assert getattr(metrics, name)(y, h, w) == pytest.approx(twin, rel=tolerance, abs=0)


def test_top_k_has_the_bits_of_the_reference(rng, weight):
    w = np.ones(B) if weight is None else weight
    h, y = softmax(rng.standard_normal((B, 5)).round(1)), rng.integers(0, 5, B)
    for k in range(1, 6):
        twin = reference_metrics.top_k_accuracy(np.eye(5)[y].tolist(), h.tolist(), w.tolist(), k)
        assert metrics.top_k_accuracy(y, h, w, k=k) == twin


@pytest.mark.parametrize("name", sorted(metrics.REGRESSION))
@pytest.mark.parametrize("outputs", [1, 3])
def test_errors_have_the_bits_of_the_reference(rng, weight, outputs, name):
    w = np.ones(B) if weight is None else weight
    y = rng.standard_normal((B, outputs))
    h = y + rng.standard_normal((B, outputs))
    twin = getattr(regression_metrics, name)(y.tolist(), h.tolist(), w.tolist())
    assert getattr(metrics, name)(y, h, w) == twin


def test_the_edges():
    constant = np.ones((4, 1))
    assert metrics.r2(constant, constant) == sk.r2_score(constant, constant) == 1
    assert metrics.r2(constant, 2 * constant) == sk.r2_score(constant, 2 * constant) == 0
    assert metrics.f1(np.zeros((4, 1)), np.zeros((4, 1))) == 0
    assert np.isnan(metrics.auc(np.zeros((4, 1)), np.ones((4, 1))))
    sure = np.array([[0.0, 1.0]] * 2, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sk.log_loss([1, 0], sure)
    # scikit-learn takes logarithms in float32: one eps.
    assert metrics.log_loss([1, 0], sure) == pytest.approx(theirs, rel=2**-23)
    close(metrics.mape(np.zeros((1, 1)), np.ones((1, 1))), 1 / np.finfo(np.float64).eps)


def test_sums_run_in_order(rng):
    """What no blocked sum gives: the bits of a loop."""
    e = rng.standard_normal((1000, 1)) * 10.0 ** rng.integers(-8, 8, (1000, 1))
    total = 0.0
    for value in (e * e)[:, 0].tolist():
        total += value
    assert metrics.mse(0 * e, e) == total / 1000


@pytest.mark.parametrize(
    ("y", "outputs", "weight", "message"),
    [
        ([0, 1], [[0.5, 0.5]], None, "do not match"),
        ([0], [[0.5, 0.5]], [1, 1], "do not match"),
        ([[0, 1]], [[0.5]], None, "do not match"),
        ([0.5], [[0.5, 0.5]], None, "integer labels"),
        (np.zeros(0, int), np.zeros((0, 2)), None, "do not match"),
        (np.zeros((0, 2)), np.zeros((2, 0)), None, "do not match"),
        (0, [[0.5, 0.5]], None, "do not match"),
        ([0], [[[0.5, 0.5]]], None, "do not match"),
        ([10**400], [0.5], None, "y holds items that are not real numbers"),
        ([0, 1], [[10**400, 0.5]] * 2, None, "outputs holds items that are not real numbers"),
        ([0, 1], [[0.5, 0.5]] * 2, [10**400, 1], "sample_weight holds items that are not"),
        (["a", "b"], [[0.5, 0.5]] * 2, None, "y holds text"),
        ([0, 2], [[0.5, 0.5]] * 2, None, "y contains label 2, but with 2 outputs"),
        ([0, -1], [[0.5, 0.5]] * 2, None, "y contains label -1"),
    ],
)
def test_what_does_not_fit(y, outputs, weight, message):
    with pytest.raises(ValueError, match=message):
        metrics.accuracy(y, outputs, weight)


def test_labels_or_numbers():
    with pytest.raises(ValueError, match="needs labels"):
        metrics.top_k_accuracy([[0.0, 1.0]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="got labels"):
        metrics.mse([1], [[0.5, 0.5]])


def test_the_message_about_shapes_names_what_was_passed():
    with pytest.raises(
        ValueError, match=r"^y has shape \(2,\), outputs has shape \(3,\), which do"
    ):
        metrics.mse([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"\(2,\), sample_weight has shape \(3,\), which do"):
        metrics.mse([1, 2], [1, 2], sample_weight=[1, 2, 3])
