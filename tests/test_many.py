"""`train_many`: every network ends with the bits of its own fit."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.many import jobs
from fastmlp.many.jobs import Data
from fastmlp.network import model_of

OPTIMIZERS = [fm.SGD(0.1), fm.Adam(fm.CosineDecay(0.01)), fm.SGD(0.05, momentum=0.9)]


def networks(count, dtype="float32"):
    return [fm.Network([4, 8 + i % 3, 3], seed=i, dtype=dtype) for i in range(count)]


@pytest.mark.parametrize("n_threads", [1, 2, 5, None])
def test_bits_are_those_of_fit(blobs, dtype, n_threads):
    X, y = blobs
    optimizers = [OPTIMIZERS[i % 3] for i in range(7)]
    many, alone = networks(7, dtype), networks(7, dtype)
    results = fm.train_many(many, X, y, 4, 16, optimizers, n_threads=n_threads)
    for net, twin, optimizer, history in zip(many, alone, optimizers, results, strict=True):
        expected = twin.fit(X, y, 4, 16, optimizer=optimizer)
        assert np.array_equal(net.parameters, twin.parameters)
        assert history.loss == expected.loss
        assert (net.epoch, net.steps) == (twin.epoch, twin.steps)


def test_moving_averages_are_those_of_fit(blobs, dtype):
    X, y = blobs
    many, alone = networks(3, dtype), networks(3, dtype)
    for epochs, ema in ((2, 0.9), (1, None), (2, 0.9)):
        fm.train_many(many, X, y, epochs, 16, fm.Adam(), ema=ema)
        for net, twin in zip(many, alone, strict=True):
            twin.fit(X, y, epochs, 16, optimizer=fm.Adam(), ema=ema)
            assert np.array_equal(net.averaged().parameters, twin.averaged().parameters)
            assert np.array_equal(net.averaged().statistics, twin.averaged().statistics)


def test_the_reference_averages_too(blobs):
    X, y = blobs[0][:20].astype(float), blobs[1][:20]
    net, twin = (lib.Network([4, 3], seed=1, dtype="float64") for lib in (fm, reference))
    fm.train_many([net], X, y, 2, 8, ema=0.5)
    reference.train_many([twin], X.tolist(), y.tolist(), 2, 8, ema=0.5)
    # Six steps of numbers below 2, whose sums have up to 8 + 4 terms, rounded twice here.
    atol = 6 * 2 * (8 + 4) * 2 * np.finfo(float).eps
    expected = twin.averaged().parameters
    np.testing.assert_allclose(net.averaged().parameters, expected, rtol=0, atol=atol)


def test_folds(blobs):
    X, y = blobs
    folds = [np.flatnonzero(np.arange(90) % 3 != fold) for fold in range(3)]
    weight = np.arange(90.0)
    many, alone = networks(3), networks(3)
    fm.train_many(many, X, y, 3, None, fm.Adam(), rows=folds, sample_weight=weight)
    for net, twin, rows in zip(many, alone, folds, strict=True):
        twin.fit(X[rows], y[rows], 3, None, optimizer=fm.Adam(), sample_weight=weight[rows])
        assert np.array_equal(net.parameters, twin.parameters)


def test_the_checks_are_linear_in_the_networks(blobs, monkeypatch):
    calls, original = [], np.may_share_memory
    monkeypatch.setattr(np, "may_share_memory", lambda *args: calls.append(1) or original(*args))
    fm.train_many(networks(60), *blobs, 1)
    assert 60 <= len(calls) <= 3 * 60


def test_samples_are_shared_and_borrowed(blobs):
    X, y = blobs
    models = [model_of(net) for net in networks(3)]
    data = Data(models, X, y)
    samples = [data.samples(model, None) for model in models]
    assert all(each is samples[0] for each in samples)
    for scaling in (False, True):
        features, is_scaled = data.features(models[0], samples[0], alone=True)
        assert np.shares_memory(features, X)
        assert is_scaled != scaling
        models[0].core.set_input_scaling(*np.ones((2, 4), np.float32))


def test_one_that_diverges_ends_alone(blobs):
    X, y = blobs
    y = np.eye(3, dtype=np.float32)[y]
    rates = [fm.SGD(rate) for rate in (0.1, 1e30, 0.1)]

    def nets():
        return [fm.Network([4, 8, 3], output="identity", seed=i) for i in range(3)]

    many, alone = nets(), nets()
    before = many[1].parameters.copy()
    results = fm.train_many(many, X, y, 3, 16, rates, on_divergence="return")
    assert isinstance(results[1], fm.DivergenceError)
    assert np.array_equal(many[1].parameters, before)
    for i in (0, 2):
        alone[i].fit(X, y, 3, 16, optimizer=rates[i])
        assert np.array_equal(many[i].parameters, alone[i].parameters)
    with pytest.raises(fm.DivergenceError) as caught:
        fm.train_many(nets(), X, y, 3, 16, rates)
    assert str(caught.value).startswith("training of networks[1] diverged: the loss became ")
    assert pickle.loads(pickle.dumps(caught.value)).network == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"networks": []}, ValueError, "at least one"),
        ({"networks": 3}, TypeError, "sequence of networks"),
        ({"networks": [3]}, TypeError, r"networks\[0\] must be a Network"),
        ({"optimizer": [fm.SGD()]}, ValueError, "1 items for 2 networks"),
        ({"optimizer": fm.SGD(lambda step: 0.1)}, ValueError, "a number, a schedule"),
        ({"optimizer": "Adam"}, ValueError, "did you mean .adam."),
        ({"optimizer": fm.LBFGS(), "epochs": 3}, ValueError, "LBFGS has no epochs"),
        ({"rows": [[0]]}, ValueError, "rows has 1 items for 2 networks"),
        ({"rows": [[0], [90]]}, ValueError, r"rows\[1\] .* 0 to 89, got 90 at 0"),
        ({"rows": [[0.5], [1]]}, TypeError, r"rows\[0\] must be a vector of integers"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"X": np.zeros((90, 5))}, ValueError, "5 features"),
        ({"on_divergence": "ignore"}, ValueError, "on_divergence must be"),
    ],
)
def test_bad_arguments_change_nothing(blobs, assert_unchanged, arguments, error, message):
    X, y = blobs
    nets = networks(2)
    with assert_unchanged(nets[0], X), pytest.raises(error, match=message):
        fm.train_many(**({"networks": nets, "X": X, "y": y} | arguments))


def test_networks_that_do_not_go_together(blobs):
    X, y = blobs
    net = fm.Network([4, 3])
    with pytest.raises(ValueError, match="one occurs twice"):
        fm.train_many([net, net], X, y)
    with pytest.raises(ValueError, match="one dtype"):
        fm.train_many([net, fm.Network([4, 3], dtype="float64")], X, y)
    own = fm.Network([4, 3], loss=lambda h, y, g: 0.0)
    with pytest.raises(ValueError, match="custom loss"):
        fm.train_many([own], X, y)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_making_a_history_ends_all(blobs, monkeypatch, n_threads):
    made = []

    def fails(*args, **kwargs):
        made.append(args)
        raise MemoryError("no history")

    monkeypatch.setattr(jobs, "history_of", fails)
    nets = networks(40)
    with pytest.raises(MemoryError, match="no history"):
        fm.train_many(nets, *blobs, 2, n_threads=n_threads)
    assert len(made) == 1
    for net in nets:
        net.fit(*blobs, 1)  # is free again


@pytest.mark.no_sanitizer
def test_ctrl_c_ends_all_at_a_step(blobs):
    X, y = blobs
    nets = networks(4)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (nothing else raises it)
        timer.start()
        fm.train_many(nets, X, y, 10_000_000, 1)
    assert time.perf_counter() - start < 10
    for net in nets:
        twin = fm.Network([4, net.layers[0].nodes, 3], seed=net.seed)
        if net.epoch:
            twin.fit(X, y, net.epoch, 1)
        assert np.isfinite(net.parameters).all()
        assert net.steps >= twin.steps
        net.fit(X, y, 1)  # and is free again
