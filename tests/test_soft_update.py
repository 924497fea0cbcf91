"""`copy` and `soft_update`: target networks."""

import contextlib
import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

LAYERS = [4, 9, fm.Dense(6, "tanh", "batch"), 3]


@pytest.fixture
def pair(dtype, blobs):
    nets = [fm.Network(LAYERS, seed=seed, dtype=dtype) for seed in (1, 2)]
    for net in nets:
        net.fit(*blobs, 2, optimizer="adam")
    return nets


def state(net):
    return net.parameters.tobytes(), net.statistics.tobytes()


class Coloured(fm.Network):
    """A subclass, which may have attributes of its own."""


def test_a_copy_is_all_of_it(dtype, blobs):
    net = Coloured(LAYERS, seed=1, dtype=dtype)
    net.fit(*blobs, 2, optimizer="adam")
    net.feature_names, net.colour = ["a", "b", "c", "d"], "red"
    twin = net.copy()
    assert type(twin) is Coloured
    assert (twin.feature_names, twin.colour, twin.seed) == (net.feature_names, "red", net.seed)
    assert (state(twin), twin.epoch, twin.steps) == (state(net), net.epoch, net.steps)
    histories = [each.fit(*blobs, 2, optimizer="adam") for each in (net, twin)]
    assert state(twin) == state(net)
    assert histories[0].loss == histories[1].loss
    twin.parameters[0] += 1  # it is its own
    assert state(twin) != state(net)


@pytest.mark.parametrize("tau", [0.0, 1e-3, 0.25, 0.5, 0.9, 1.0])
def test_the_formula(pair, fma, tau):
    net, source = pair
    T = net.dtype.type
    expected = []
    for u, g in ((net.parameters, source.parameters), (net.statistics, source.statistics)):
        gain = T(tau)
        expected.append(fma(gain, g - u, u) if gain < 0.5 else fma(gain - T(1), g - u, g))
    before, view = state(source), net.parameters
    net.soft_update(source, tau)
    np.testing.assert_array_equal(net.parameters, expected[0])
    np.testing.assert_array_equal(net.statistics, expected[1])
    assert state(source) == before
    assert np.shares_memory(view, net.parameters)


def test_equal_networks_stay_equal(pair):
    net, _ = pair
    twin = net.copy()
    for tau in (0.3, 0.005, 0.995):
        twin.soft_update(net, tau)
        assert state(twin) == state(net)
    net.soft_update(net, 0.5)
    assert state(twin) == state(net)


def test_is_the_reference():
    layers = [3, 5, 2]
    made = []
    for library in (fm, reference):
        target, source = (library.Network(layers, seed=i, dtype="float64") for i in (1, 2))
        target.soft_update(source, 0.3)
        source.soft_update(target.copy(), 0.8)
        made.append([list(target.parameters), list(source.parameters)])
    # Of numbers up to 1.5: the difference, up to 3, is the same; its product is rounded by up to
    # eps, the sums by eps / 2 each. That is 2 eps per update, of which the second passes on 0.8.
    np.testing.assert_allclose(made[0], made[1], rtol=0, atol=4 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("source", "tau", "error", "message"),
    [
        (fm.Network(LAYERS, dtype="float64"), 0.1, ValueError, "must have the dtype float32"),
        (np.ones(3), 0.1, TypeError, "source must be a Network"),
        (fm.Network(LAYERS), 1.5, ValueError, "tau must be at least 0 and at most 1"),
        (fm.Network(LAYERS), np.nan, ValueError, "tau"),
        (fm.Network(LAYERS), "0.1", TypeError, "tau must be a real number"),
    ],
)
def test_refused(source, tau, error, message, assert_unchanged):
    net = fm.Network(LAYERS, seed=1)
    with assert_unchanged(net), pytest.raises(error, match=message):
        net.soft_update(source, tau)


def network(library, first="tanh", norm=None, output="identity", loss=None, layers=(3, 5, 4, 2)):
    """Return a network with one setting that differs from those of the others."""
    first = getattr(library, first[0])(first[1]) if isinstance(first, tuple) else first
    norm = getattr(library, norm[0])(**norm[1]) if isinstance(norm, tuple) else norm
    loss = getattr(library, loss[0])(loss[1]) if isinstance(loss, tuple) else loss
    features, nodes, *rest = layers
    hidden = library.Dense(nodes, first, norm, dropout=0.1 * (norm is None))
    return library.Network([features, hidden, *rest], output=output, loss=loss, seed=1)


BATCH = "BatchNorm"


@pytest.mark.parametrize("library", [fm, reference])
@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        ({}, {"layers": (4, 5, 4, 2)}, "3.*features.* 4|features 3, got 4"),
        ({}, {"layers": (3, 5, 2)}, "3.* layers|number of layers 3"),
        ({}, {"layers": (3, 6, 4, 2)}, "5.* nodes.* 6|nodes 5 in layer 0, got 6"),
        ({}, {"first": "relu"}, "the activation 'tanh' in layer 0, got 'relu'"),
        ({"first": "gelu"}, {"first": "gelu_tanh"}, "activation 'gelu' in layer 0"),
        ({"first": "leaky_relu"}, {"first": ("LeakyReLU", 0.2)}, "slope 0.01 in layer 0, got 0.2"),
        ({"first": ("ELU", 0.5)}, {"first": "elu"}, "the alpha 0.5 in layer 0, got 1"),
        ({}, {"norm": "layer"}, "the normalization .* in layer 0, got 'layer'"),
        ({"norm": "batch"}, {"norm": "layer"}, "normalization 'batch' in layer 0, got 'layer'"),
        ({"norm": "batch"}, {"norm": (BATCH, {"epsilon": 1e-3})}, "epsilon 1e-05 .* got 0.001"),
        ({"norm": "batch"}, {"norm": (BATCH, {"after_activation": True})}, "after"),
        ({"loss": "huber"}, {}, "the loss 'huber', got 'mean_squared_error'"),
        ({"loss": "huber"}, {"loss": ("Huber", 2.0)}, "(delta|parameter of the loss) 1.*, got 2"),
        ({}, {"output": "softplus"}, "the activation 'identity' in layer 2, got 'softplus'"),
    ],
)
def test_networks_that_compute_something_else_are_refused(library, own, other, message):
    target, source = network(library, **own), network(library, **other)
    for net, towards in ((target, source), (source, target)):
        before = list(net.parameters)
        with pytest.raises(ValueError, match="source must have" if net is source else message):
            net.soft_update(towards, 0.5)
        assert list(net.parameters) == before
        net.soft_update(net, 0.5)


@pytest.mark.parametrize("library", [fm, reference])
@pytest.mark.parametrize("side", ["input", "output"])
def test_the_scaling_of_both_must_be_equal(library, side):
    """It does not move, so that the parameters would be those of other features."""
    target = network(library)
    setattr(target, f"{side}_scale", 2.0)
    source = target.copy()
    target.soft_update(source, 0.5)
    setattr(source, f"{side}_offset", 0.5)
    for net, towards in ((target, source), (source, target)):
        with pytest.raises(ValueError, match=f"{side}_offset"):
            net.soft_update(towards, 0.5)
    setattr(source, f"{side}_scale", None)
    for net, towards in ((target, source), (source, target)):
        with pytest.raises(ValueError, match=f"source must have .*{side}_scale"):
            net.soft_update(towards, 0.5)


@pytest.mark.parametrize("library", [fm, reference])
def test_how_the_networks_are_trained_may_differ(library):
    slow = network(library, norm=(BATCH, {"momentum": 0.5}))
    target = network(library, norm="batch")
    target.trainable, target.rate_factors = False, 2.0
    target.soft_update(slow, 1.0)
    assert list(target.parameters) == list(slow.parameters)


@pytest.mark.parametrize("library", [fm, reference])
def test_a_copy_in_the_middle_of_an_epoch_trains_on_with_the_same_dropout(library):
    X = np.linspace(-1, 1, 48, dtype=np.float32).reshape(16, 3)
    y = X[:, :2].copy()
    net = library.Network([3, 8, 2], output="identity", dropout=0.5, seed=1)

    def step(network, rows):
        network.forward(X[rows].tolist() if library is reference else X[rows])
        network.backward(y[rows].tolist() if library is reference else y[rows])
        network.update(0.1)

    step(net, slice(0, 8))
    twin = net.copy()
    for each in (net, twin):
        step(each, slice(8, 16))
    assert list(twin.parameters) == list(net.parameters)


def test_two_threads_towards_each_other(pair):
    """Neither waits for the other for ever: both take the networks in one order."""
    errors = []

    def follow(net, source):
        try:
            for _ in range(2000):
                with contextlib.suppress(RuntimeError):  # concurrent writers are refused
                    net.soft_update(source, 0.01)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=follow, args=pair[::step]) for step in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert errors == []


def test_in_a_callback(blobs):
    """The network in training may be read there, and written."""
    net = fm.Network([4, 3], seed=1)
    average, start = net.copy(), net.copy()

    class Follow(fm.Callback):
        def on_batch_end(self, network, step, loss):
            average.soft_update(network, 0.5)

    net.fit(*blobs, 2, callbacks=[Follow(), lambda network, _: network.soft_update(start, 1.0)])
    assert state(net) == state(start)
    assert state(average) != state(start)
