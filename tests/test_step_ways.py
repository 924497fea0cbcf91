"""What holds for every way of computing a step: its bits, a custom loss, and where it may stop."""

import math
import signal
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from step_ways import RATE, WAYS, Stop, Way

import fastmlp as fm

STEPS, STOP = 12, 7  # the trainer looks up after 1 and after 9 steps: in the middle of what it does

pytestmark = pytest.mark.usefixtures("scipy_where_sparse")


@pytest.fixture
def scipy_where_sparse(request):
    if "sparse" in str(request.node.callspec.params.get("way", "")):
        pytest.importorskip("scipy")


def every_way(*names):
    ways = [way for way in WAYS if not names or way.source in names]
    return pytest.mark.parametrize("way", ways, ids=str)


def squared_error(outputs, y, gradient):
    """Compute the built-in loss by its own operations."""
    error = outputs - y
    np.multiply(error, 2 / outputs.shape[1], out=gradient)
    return (error * error).mean(axis=1)


def bits(net):
    """All that a step changes. Sparse steps differ from dense ones in the signs of zeros: + 0."""
    state = net.optimizer_state
    arrays = [net.parameters, net.statistics, *state.values()]
    return [(array + 0.0).tobytes() for array in arrays], net.steps


@cache
def whole(way: Way, steps: int, loss=None):
    """Return the network after whole steps of a fit that is not stopped."""
    net = way.new_network(loss)
    way.fit(net, steps)
    return net


class Quiet(fm.Callback):
    def on_batch_end(self, network, step, loss):
        pass


@every_way()
def test_its_bits_are_those_of_the_plain_step(way):
    net = way.new_network()
    way.by_hand(net, STEPS)
    assert bits(whole(way, STEPS)) == bits(net)


@every_way()
def test_a_callback_changes_no_bits(way):
    net = way.new_network()
    history = way.fit(net, STEPS, callbacks=Quiet())
    assert bits(net) == bits(whole(way, STEPS))
    assert len(history.loss) == (STEPS if way.rows else 1)


@every_way()
def test_a_custom_loss_is_the_built_in_one(way):
    losses = "mean_squared_error", squared_error
    nets = [way.new_network(loss) for loss in losses]
    own, built_in = (way.fit(net, STEPS).loss for net in nets[::-1])
    assert bits(nets[0]) == bits(nets[1])
    np.testing.assert_allclose(own, built_in, rtol=1e-6)
    assert nets[0].parameters.tobytes() != way.new_network().parameters.tobytes()


def rate_that(act):
    return lambda step: act() if step == STOP else RATE


def raises():
    raise Stop


def interrupted():
    signal.raise_signal(signal.SIGINT)
    return RATE


class CallbackThatRaises(fm.Callback):
    def on_batch_end(self, network, step, loss):
        if step == STOP - 1:
            raise Stop


@every_way()
@pytest.mark.parametrize("stop", ["raises", "is NaN", "is interrupted", "then a callback raises"])
def test_a_rate_that_stops_it_leaves_whole_steps(way, stop):
    net, callbacks, rate = way.new_network(), None, RATE
    match stop:
        case "raises":
            rate, error = rate_that(raises), Stop
        case "is NaN":
            rate, error = rate_that(lambda: math.nan), ValueError
        case "is interrupted":
            rate, error = rate_that(interrupted), KeyboardInterrupt
        case _:
            callbacks, error = CallbackThatRaises(), Stop
    with pytest.raises(error):
        way.fit(net, STEPS, rate, callbacks=callbacks)
    assert net.steps == STOP
    # An epoch whose last callback raises has not ended.
    assert_whole_steps(way, net, epochs=STOP - 1 if callbacks else STOP)


@every_way()
def test_a_loss_that_raises_leaves_whole_steps(way):
    asked = 0

    def loss(outputs, y, gradient):
        nonlocal asked
        asked += 1
        if asked > STOP:
            gradient[...] = 0
            raise Stop
        return squared_error(outputs, y, gradient)

    net = way.new_network(loss)
    with pytest.raises(Stop):
        way.fit(net, STEPS)
    assert net.steps == STOP
    assert_whole_steps(way, net, epochs=STOP, loss=squared_error)


@every_way("iterator")
def test_a_generator_that_raises_leaves_whole_steps(way):
    net = way.new_network()
    with pytest.raises(Stop):
        way.fit(net, STEPS, given=6 * way.batch)
    assert 0 < net.steps <= 6
    assert_whole_steps(way, net)


def assert_whole_steps(way, net, *, epochs=0, loss=None):
    """`epochs` are those of the ways whose epochs have one step."""
    expected = whole(replace(way, rest=0) if way.rest else way, net.steps, loss)
    assert bits(net) == bits(expected)
    assert net.epoch == (epochs if way.rows else 0)


@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_networks_trained_at_once_take_the_same_steps(batch_size):
    way = Way("rows")
    X, y = way.samples(STEPS, labels=True)
    nets, twins = ([way.new_network() for _ in range(3)] for _ in range(2))
    fm.train_many(nets, X, y, 2, batch_size, fm.SGD(RATE))
    for twin in twins:
        twin.fit(X, y, 2, batch_size, fm.SGD(RATE), callbacks=Quiet(), n_threads=1)
    assert [bits(net) for net in nets] == [bits(twin) for twin in twins]
