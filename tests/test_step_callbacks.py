"""Callbacks after each step: its loss, the exact weights, and how they stop a fit."""

import copy

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def net(dtype):
    return fm.Network([4, 9, 3], seed=2, dtype=dtype)


def bits(net):
    return net.parameters.tobytes()


class Steps(fm.Callback):
    """Does something after each step."""

    def __init__(self, act=None):
        self.calls = []
        self.act = act

    def on_batch_end(self, network, step, loss):
        self.calls.append((step, loss))
        return None if self.act is None else self.act(network, step)


def test_each_is_told_with_its_loss(net, blobs):
    X, y = blobs
    steps, twin = Steps(), copy.copy(net)
    history = net.fit(X, y, epochs=2, batch_size=32, shuffle=False, callbacks=steps)
    expected = []
    for first in (0, 32, 64) * 2:
        twin.forward(X[first : first + 32])
        expected.append(twin.backward(y[first : first + 32]))
        twin.update(0.1)
    assert [step for step, _ in steps.calls] == list(range(6))
    assert [loss for _, loss in steps.calls] == expected
    assert bits(net) == bits(twin)
    sizes = [32, 32, 26]
    assert history.loss[0] == pytest.approx(np.average(expected[:3], weights=sizes))


@pytest.mark.parametrize("batch_size", [1, 7, 90])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_they_change_no_bits(net, blobs, batch_size, n_threads):
    twin = copy.copy(net)
    options = {"epochs": 2, "batch_size": batch_size, "n_threads": n_threads}
    steps = Steps(lambda who, _: who.predict(blobs[0]) is None)
    history = net.fit(*blobs, callbacks=steps, **options)
    assert twin.fit(*blobs, **options).loss == pytest.approx(history.loss, rel=1e-12)
    assert bits(net) == bits(twin)


def test_a_true_result_stops_after_the_step(net, blobs):
    twin = copy.copy(net)
    steps = Steps(lambda _, step: step == 1)
    net.fit(*blobs, epochs=3, batch_size=30, shuffle=False, callbacks=steps)
    assert len(steps.calls) == 2
    twin.fit(blobs[0][:60], blobs[1][:60], 1, batch_size=30, shuffle=False)
    assert bits(net) == bits(twin)


def test_an_error_leaves_the_last_completed_step(net, blobs):
    twin = copy.copy(net)

    def fail(_, step):
        if step == 1:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        net.fit(*blobs, epochs=3, batch_size=30, shuffle=False, callbacks=Steps(fail))
    twin.fit(blobs[0][:60], blobs[1][:60], 1, batch_size=30, shuffle=False)
    assert bits(net) == bits(twin)


def test_writes_are_honoured(net, blobs):
    def clear(who, _):
        who.parameters[:] = 0

    net.fit(*blobs, epochs=1, callbacks=Steps(clear))
    assert not net.parameters.any()
