"""Weights of samples and classes, in training, evaluation and validation."""

import math

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import metrics
from fastmlp.fitting.held_out import split
from fastmlp.model.samples import CheckedSamples
from fastmlp.reference.class_weight import class_weights


@pytest.fixture
def net(dtype):
    return fm.Network([4, 9, 3], seed=2, dtype=dtype)


def same(net):
    return fm.Network([4, 9, 3], seed=2, dtype=net.dtype)


def bits(net):
    return net.parameters.tobytes()


@pytest.fixture
def weight(rng):
    return rng.integers(0, 4, 90) * rng.random(90)


class TestSampleWeight:
    def test_ones_are_none(self, net, blobs):
        twin = same(net)
        history = net.fit(*blobs, epochs=2, sample_weight=np.ones(90))
        assert history.loss == twin.fit(*blobs, epochs=2).loss
        assert bits(net) == bits(twin)

    def test_a_double_weight_is_a_sample_twice(self, net, blobs, eps):
        X, y = blobs
        twice = np.repeat(np.arange(90), np.arange(90) % 3)
        twin = same(net)
        options = {"epochs": 1, "batch_size": 200, "shuffle": False}
        history = net.fit(X, y, sample_weight=np.arange(90) % 3, **options)
        expected = twin.fit(X[twice], y[twice], **options)
        # One step: sums of 90 terms, in other orders.
        np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=90 * eps)
        assert history.loss == pytest.approx(expected.loss, rel=90 * eps)

    def test_the_loss_is_the_weighted_mean(self, net, blobs, weight, eps):
        X, y = blobs
        single = [net.evaluate(X[i : i + 1], y[i : i + 1]).loss for i in range(90)]
        loss, accuracy = net.evaluate(X, y, sample_weight=weight)
        assert loss == pytest.approx(np.average(single, weights=weight), rel=90 * eps)
        assert accuracy == metrics.accuracy(y, net.predict(X), weight.astype(net.dtype))
        objective = net.objective(X, y, sample_weight=weight)
        assert objective(net.parameters.copy())[0] == pytest.approx(loss, rel=90 * eps)

    def test_the_weighted_objective_has_its_gradient(self, blobs, weight):
        net = fm.Network([4, 3, 3], seed=2, dtype="float64")
        f = net.objective(*blobs, sample_weight=weight)
        theta = net.parameters.copy()
        _, gradient = f(theta)
        h = np.finfo(np.float64).eps ** (1 / 3)
        for i in range(0, len(theta), 5):
            e = h * (np.arange(len(theta)) == i)
            central = (f(theta + e)[0] - f(theta - e)[0]) / (2 * h)
            assert gradient[i] == pytest.approx(central, abs=1000 * h**2)

    def test_with_the_validation_data(self, net, blobs, weight):
        X, y = blobs
        received = []

        def mine(y, outputs, sample_weight=None):
            received.append(sample_weight)
            return 1.0

        history = net.fit(X, y, 1, validation_data=(X, y, weight), metrics=["f1", mine])
        weight = weight.astype(net.dtype)
        expected = net.evaluate(X, y, sample_weight=weight)
        assert (history.validation_loss[0], history.validation_accuracy[0]) == expected
        assert history["validation_f1"] == [metrics.f1(y, net.predict(X), weight)]
        np.testing.assert_array_equal(received, [weight[weight > 0]])

    def test_the_fraction_takes_its_weights_along(self, net, blobs):
        X, y = blobs
        X = np.where(np.arange(90)[:, np.newaxis] % 2, X, 1e6)  # values of weight 0 do not count
        history = net.fit(X, y, 2, sample_weight=np.arange(90) % 2, validation_fraction=0.2)
        assert max(history.loss + history.validation_loss) < 20

    def test_rows_of_probabilities_have_a_weighted_accuracy(self, net, blobs, weight):
        X, y = blobs
        assert net.evaluate(X, np.eye(3)[y], sample_weight=weight).accuracy == (
            net.evaluate(X, y, sample_weight=weight).accuracy
        )

    def test_is_copied_before_training(self, net, blobs):
        weight = np.ones(90, dtype=net.dtype)
        twin = same(net)

        def spoil(*_):
            weight[:] = -1

        net.fit(*blobs, epochs=2, sample_weight=weight, callbacks=spoil)
        twin.fit(*blobs, epochs=2)
        assert bits(net) == bits(twin)


class TestClassWeight:
    def test_is_a_weight_of_samples(self, net, blobs, weight):
        X, y = blobs
        twin = same(net)
        net.fit(X, y, 2, class_weight={0: 0.5, np.int64(2): 3}, sample_weight=weight)
        of_class = np.array([0.5, 1, 3])
        twin.fit(X, y, 2, sample_weight=weight.astype(net.dtype) * of_class[y])
        assert bits(net) == bits(twin)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_balanced_is_scikit_learns(self, net, blobs, weight, weighted):
        module = pytest.importorskip("sklearn.utils.class_weight")
        X, y = blobs
        y = np.where(np.arange(90) < 60, 0, y % 2)  # class 2 does not occur
        weight = weight.astype(net.dtype) if weighted else np.ones(90)
        of_class = module.compute_class_weight(
            "balanced", classes=np.arange(2), y=y, sample_weight=weight
        )
        twin = same(net)
        net.fit(X, y, 2, class_weight="balanced", sample_weight=weight if weighted else None)
        twin.fit(X, y, 2, sample_weight=weight * of_class[y])
        assert bits(net) == bits(twin)

    def test_balanced_is_that_of_the_reference(self, net, blobs, weight):
        X, y = blobs
        weight = weight.astype(net.dtype)
        of_class = class_weights("balanced", y.tolist(), 3, weight.tolist())
        twin = same(net)
        net.fit(X, y, 2, class_weight="balanced", sample_weight=weight)
        twin.fit(X, y, 2, sample_weight=weight * np.array(of_class)[y])
        assert bits(net) == bits(twin)

    def test_balanced_counts_what_is_left_to_train_on(self, net, blobs):
        X, y = blobs
        y = np.where(np.arange(90) < 70, 0, y)
        twin = same(net)
        net.fit(X, y, 2, class_weight="balanced", validation_fraction=0.3, shuffle=False)
        train, _ = split(CheckedSamples(X, y), 0.3, net.loss, net.seed)
        twin.fit(train.X, train.y, 2, class_weight="balanced", shuffle=False)
        assert bits(net) == bits(twin)

    def test_validation_is_not_weighted(self, net, blobs):
        history = net.fit(*blobs, 1, class_weight={0: 9.0}, validation_data=blobs)
        assert history.validation_loss == [net.evaluate(*blobs).loss]

    def test_one_output_has_the_labels_0_and_1(self, blobs):
        X, y = blobs
        y = (y > 0).astype(float)
        nets = [fm.Network([4, 3, 1], output="sigmoid", seed=1) for _ in range(2)]
        nets[0].fit(X, y, 2, class_weight={1: 0.25})
        nets[1].fit(X, y, 2, sample_weight=np.where(y, 0.25, 1))
        assert bits(nets[0]) == bits(nets[1])

    def test_rows_of_0_and_1_are_labels(self, net, blobs):
        X, y = blobs
        twin = same(net)
        net.fit(X, np.eye(3)[y], 2, class_weight="balanced")
        twin.fit(X, y, 2, class_weight="balanced")
        assert bits(net) == bits(twin)


HALVES = np.full((90, 3), 1 / 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sample_weight": np.ones(89)}, ValueError, r"must have the shape \(90,\), got \(89,\)"),
        ({"sample_weight": np.ones((90, 1))}, ValueError, r"\(90, 1\)"),
        ({"sample_weight": np.zeros(90)}, ValueError, "is 0 for every sample"),
        ({"sample_weight": np.full(90, 1e-60)}, ValueError, "is 0 in float32 for every sample"),
        ({"sample_weight": -np.ones(90)}, ValueError, "at least 0 .*, got -1.0 at row 0"),
        ({"sample_weight": np.full(90, math.nan)}, ValueError, "got nan at row 0"),
        ({"sample_weight": np.full(90, math.inf)}, ValueError, "got inf at row 0"),
        ({"sample_weight": np.full(90, 1e60)}, ValueError, "finite in float32"),
        ({"sample_weight": "balanced"}, TypeError, "sample_weight"),
        ({"sample_weight": ["a"] * 90}, ValueError, "sample_weight holds text"),
        ({"validation_data": (0, 0, 0, 0)}, ValueError, "got 4 items"),
        ({"class_weight": "balance"}, ValueError, "did you mean 'balanced'"),
        ({"class_weight": [1, 2, 3]}, TypeError, "class_weight must be a dict"),
        ({"class_weight": {3: 1.0}}, ValueError, "label 3, but labels are 0 to 2"),
        ({"class_weight": {"0": 1.0}}, ValueError, "label '0'"),
        (
            {"class_weight": {0: -1.0}},
            ValueError,
            r"class_weight\[0\]",
        ),
        ({"class_weight": {0: "1"}}, TypeError, r"class_weight\[0\]"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "weights of the samples all 0"),
        ({"class_weight": "balanced", "y": HALVES}, ValueError, "needs one class per sample"),
    ],
)
def test_what_does_not_fit_changes_nothing(blobs, assert_unchanged, arguments, error, message):
    net = fm.Network([4, 9, 3], seed=2)
    arguments = {"X": blobs[0], "y": blobs[1], **arguments}
    with assert_unchanged(net, *blobs), pytest.raises(error, match=message):
        net.fit(**arguments)


def test_weights_of_the_validation_data_are_named(blobs, assert_unchanged):
    net = fm.Network([4, 9, 3], seed=2)
    with assert_unchanged(net), pytest.raises(ValueError, match=r"validation_data\[2\] must have"):
        net.fit(*blobs, validation_data=(*blobs, [1.0]))
    with assert_unchanged(net), pytest.raises(ValueError, match="sample_weight must have"):
        net.evaluate(*blobs, sample_weight=[1.0])


def test_a_part_without_weight_is_refused(blobs, assert_unchanged):
    net = fm.Network([4, 9, 3], seed=2)
    only_one = (np.arange(90) == 0).astype(float)
    with assert_unchanged(net), pytest.raises(ValueError, match="weight 0"):
        net.fit(*blobs, sample_weight=only_one, validation_fraction=0.5)
