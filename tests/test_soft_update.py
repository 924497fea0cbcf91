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


def test_a_copy_is_all_of_it(pair, blobs):
    net, _ = pair
    net.feature_names, net.colour = ["a", "b", "c", "d"], "red"
    twin = net.copy()
    assert type(twin) is fm.Network
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
    # Three operations of numbers up to 2 against two fused ones.
    np.testing.assert_allclose(made[0], made[1], rtol=0, atol=4 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("source", "tau", "error", "message"),
    [
        (fm.Network([4, 3]), 0.1, ValueError, r"must have the layers \[4, 9, \(6, 'batch'\), 3\]"),
        (fm.Network([4, 9, 6, 3]), 0.1, ValueError, "must have the layers"),
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
