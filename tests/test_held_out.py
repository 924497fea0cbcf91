"""Validation: samples held out, what is measured on them, and what does not fit."""

import math

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core, metrics
from fastmlp.fitting.held_out import SPLIT_EPOCH, split
from fastmlp.losses import Loss
from fastmlp.model.samples import CheckedSamples
from fastmlp.reference import splitting as reference_splitting


@pytest.fixture
def net():
    return fm.Network([4, 9, 3], seed=2)


def bits(net):
    return net.parameters.tobytes()


class TestFraction:
    def test_is_the_split_made_by_hand(self, net, blobs):
        X, y = blobs
        train, held_out = split(CheckedSamples(X, y), 0.2, net.loss, net.seed)
        twin = fm.Network([4, 9, 3], seed=2)
        history = net.fit(X, y, epochs=3, validation_fraction=0.2)
        expected = twin.fit(train.X, train.y, epochs=3, validation_data=(held_out.X, held_out.y))
        assert bits(net) == bits(twin)
        assert history.validation_loss == expected.validation_loss
        assert history.samples == 72

    def test_every_class_gives_its_share(self, blobs):
        X, y = blobs
        y = np.where(np.arange(90) < 80, 0, 1 + y // 2)  # 80, and 10 of 1 and 2
        train, held_out = split(CheckedSamples(X, y), 0.1, Loss("cross_entropy"), 5)
        assert np.bincount(held_out.y)[0] == 8
        assert len(held_out) == 9
        assert len(train) == 81

    def test_no_sample_is_lost_and_none_is_in_both(self, rng):
        X = np.arange(50.0).reshape(50, 1)
        train, held_out = split(CheckedSamples(X, X), 0.3, Loss("mean_squared_error"), 1)
        assert sorted([*train.X[:, 0], *held_out.X[:, 0]]) == X[:, 0].tolist()
        assert len(held_out) == 15

    def test_the_first_in_the_documented_order_are_held_out(self):
        X = np.arange(10.0).reshape(10, 1)
        order = _core.draw_order(7, SPLIT_EPOCH, 10)
        _, held_out = split(CheckedSamples(X, X), 0.3, Loss("mean_squared_error"), 7)
        assert held_out.X[:, 0].tolist() == sorted(order[:3])

    @pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
    def test_is_that_of_the_reference(self, rng, share):
        labels = rng.integers(0, 4, 57)
        X = np.arange(57.0).reshape(57, 1)
        parts = split(CheckedSamples(X, labels), share, Loss("cross_entropy"), 9)
        expected = reference_splitting.split(labels.tolist(), share, 9, [57])
        assert [part.X[:, 0].tolist() for part in parts] == list(expected)

    def test_the_seed_decides(self, rng):
        X = np.arange(50.0).reshape(50, 1)
        parts = [
            split(CheckedSamples(X, X), 0.3, Loss("mean_squared_error"), seed)[1].X.tobytes()
            for seed in (1, 1, 2)
        ]
        assert parts[0] == parts[1] != parts[2]

    def test_yes_and_no_and_rows_of_probabilities_are_classes_too(self, rng):
        X = np.zeros((40, 1))
        yes = (np.arange(40) < 4).astype(float).reshape(-1, 1)
        _, held_out = split(CheckedSamples(X, yes), 0.5, Loss("binary_cross_entropy"), 1)
        assert held_out.y.sum() == 2
        both = CheckedSamples(X, np.hstack([yes, 1 - yes]))
        _, held_out = split(both, 0.5, Loss("cross_entropy"), 1)
        assert held_out.y[:, 0].sum() == 2

    def test_the_data_stay_as_they_are(self, net, blobs):
        X, y = blobs
        before = X.tobytes(), y.tobytes()
        net.fit(X, y, epochs=1, validation_fraction=0.5)
        assert (X.tobytes(), y.tobytes()) == before


class TestMetrics:
    def test_are_measured_after_each_epoch(self, net, blobs):
        seen = []

        def look(who, report):
            outputs = who.predict(blobs[0])
            seen.append(metrics.f1(blobs[1], outputs))
            assert report.metrics["validation_f1"] == seen[-1]
            assert report.value("validation_f1") == seen[-1]

        history = net.fit(*blobs, 3, validation_data=blobs, metrics=["f1", "auc"], callbacks=look)
        assert history["validation_f1"] == history.metrics["validation_f1"] == seen
        assert list(history.metrics) == [
            "loss",
            "validation_loss",
            "validation_accuracy",
            "validation_f1",
            "validation_auc",
        ]

    def test_one_name_or_function_needs_no_list(self, net, blobs):
        def spread(y, outputs):
            assert y.shape == (90,)
            assert outputs.shape == (90, 3)
            return outputs.max() - outputs.min()

        for one, name in (("f1", "validation_f1"), (spread, "validation_spread")):
            history = net.fit(*blobs, 2, validation_data=blobs, metrics=one)
            assert len(history[name]) == 2

    def test_weights_are_passed_only_where_there_are_any(self, net, blobs):
        passed = []

        def mine(y, outputs, sample_weight="none"):
            passed.append(sample_weight)
            return 1.0

        net.fit(*blobs, 1, validation_data=blobs, metrics=mine)
        assert passed == ["none"]

    def test_accuracy_is_there_anyway(self, net, blobs):
        history = net.fit(*blobs, 2, validation_data=blobs, metrics=["accuracy"])
        assert history.validation_metrics == {}
        assert history["validation_accuracy"] == history.validation_accuracy
        assert history.validation_accuracy[-1] == metrics.accuracy(blobs[1], net.predict(blobs[0]))

    def test_labels_stand_for_rows_of_probabilities(self, net, blobs):
        X, y = blobs
        one_hot = np.eye(3)[y]
        history = net.fit(X, y, 2, validation_data=(X, one_hot), metrics=["f1", "top_2_accuracy"])
        twin = fm.Network([4, 9, 3], seed=2)
        assert (
            history.validation_metrics
            == twin.fit(
                X, y, 2, validation_data=blobs, metrics=["f1", "top_2_accuracy"]
            ).validation_metrics
        )

    def test_of_regression(self, blobs):
        X, y = blobs
        net = fm.Network([4, 9, 1], output="identity", seed=2)
        names = ["mse", "rmse", "mae", "mape", "r2"]
        history = net.fit(X, y, 2, validation_data=blobs, metrics=names, optimizer=fm.SGD(0.01))
        assert list(history.validation_metrics) == [f"validation_{name}" for name in names]
        # float32 sums of the core, and float64 ones here, of 90 terms each.
        assert history["validation_mse"] == pytest.approx(history.validation_loss, rel=90 * 2**-23)

    def test_an_error_of_a_metric_is_its_own(self, net, blobs):
        with pytest.raises(ZeroDivisionError):
            net.fit(*blobs, 2, validation_data=blobs, metrics=lambda *_: 1 / 0)
        assert net.epoch == 1

    @pytest.mark.parametrize("name", sorted(metrics.CLASSIFICATION))
    def test_every_name_is_a_metric(self, net, blobs, name):
        history = net.fit(*blobs, 1, validation_data=blobs, metrics=name)
        assert math.isfinite(history[f"validation_{name}"][0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"validation_fraction": 0.0}, ValueError, "validation_fraction must be above 0"),
        ({"validation_fraction": 1}, ValueError, "below 1"),
        ({"validation_fraction": math.nan}, ValueError, "validation_fraction"),
        ({"validation_fraction": "a"}, TypeError, "validation_fraction must be a real number"),
        ({"validation_fraction": 0.001}, ValueError, "of 90 samples leaves none to validate on"),
        ({"validation_fraction": 0.1, "validation_data": 1}, ValueError, "not both"),
        (
            {"validation_fraction": 0.1, "shuffle": np.arange(90)},
            ValueError,
            "shuffle orders rows of X",
        ),
        ({"metrics": "f1"}, ValueError, "metrics are measured on validation_data"),
        ({"validation_fraction": 0.1, "metrics": "recalls"}, ValueError, "did you mean 'recall'"),
        ({"validation_fraction": 0.1, "metrics": "accurate"}, ValueError, "'accuracy'\\?"),
        ({"validation_fraction": 0.1, "metrics": "mse"}, ValueError, "metrics must be 'accuracy'"),
        ({"validation_fraction": 0.1, "metrics": "top_3_accuracy"}, ValueError, "is always 1"),
        ({"validation_fraction": 0.1, "metrics": "top_0_accuracy"}, ValueError, "metrics must be"),
        ({"validation_fraction": 0.1, "metrics": ["f1", "f1"]}, ValueError, "'f1' twice"),
        ({"validation_fraction": 0.1, "metrics": 3}, TypeError, "got 3"),
        ({"validation_fraction": 0.1, "metrics": [3]}, TypeError, "got 3"),
        ({"validation_fraction": 0.1, "metrics": {"f1": 1}}, TypeError, "metrics must be names"),
    ],
)
def test_what_does_not_fit_changes_nothing(net, blobs, assert_unchanged, arguments, error, message):
    with assert_unchanged(net, *blobs), pytest.raises(error, match=message):
        net.fit(*blobs, **arguments)
