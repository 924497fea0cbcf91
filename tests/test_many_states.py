"""What `train_many` leaves of optimizers and moving averages: what each network's `fit` leaves."""

import numpy as np
import pytest

import fastmlp as fm

COUNTS = [1, 16]  # by themselves, side by side in the lanes of a vector
OPTIMIZERS = {
    "sgd": fm.SGD(0.1),
    "momentum": fm.SGD(0.1, momentum=0.9),
    "rmsprop": fm.RMSprop(0.01, momentum=0.5),
    "adam": fm.Adam(0.01),
}
DIVERGES = fm.SGD(1e30)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((40, 3)).astype(np.float32)
    return X, X[:, :1].copy()


def networks(count):
    return [fm.Network([3, 32, 8, 1], output="identity", seed=i) for i in range(count)]


def state_of(net):
    """Return all that a training changes."""
    try:
        averaged = net.averaged().parameters.tolist()
    except ValueError as error:
        averaged = str(error)
    moments = {name: array.tolist() for name, array in net.optimizer_state.items()}
    return net.parameters.tolist(), net.epoch, net.steps, moments, averaged


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("after", OPTIMIZERS)
@pytest.mark.parametrize("before", OPTIMIZERS)
def test_another_optimizer_beside_a_moving_average(data, before, after, count):
    many, alone = networks(count), networks(count)
    for name, ema in ((before, 0.9), (after, 0.9), (before, None)):
        fm.train_many(many, *data, 2, optimizer=OPTIMIZERS[name], ema=ema)
        for net in alone:
            net.fit(*data, 2, optimizer=OPTIMIZERS[name], ema=ema)
    assert [state_of(net) for net in many] == [state_of(net) for net in alone]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("callback", [None, lambda *_: None], ids=["", "callback"])
@pytest.mark.parametrize("before", [None, *OPTIMIZERS])
@pytest.mark.parametrize("decay", [None, 0.9, 0.99])
def test_a_first_epoch_that_diverges_leaves_no_trace(data, decay, before, callback, count):
    nets = networks(count)
    if before is not None:
        fm.train_many(nets, *data, 2, optimizer=OPTIMIZERS[before], ema=0.9)
    states = [state_of(net) for net in nets]
    results = fm.train_many(
        nets, *data, 3, optimizer=DIVERGES, ema=decay, callbacks=callback, on_divergence="return"
    )
    assert all(isinstance(result, fm.DivergenceError) for result in results)
    assert [state_of(net) for net in nets] == states


def test_a_network_that_was_not_finite_before_is_named(data):
    nets = networks(3)
    nets[1].parameters[:] = np.nan
    results = fm.train_many(nets, *data, 2, on_divergence="return")
    assert [isinstance(result, fm.History) for result in results] == [True, False, True]
    assert "the network had parameters that are not finite before" in results[1].__notes__[0]
    diverged = fm.train_many(networks(3), *data, 2, optimizer=DIVERGES, on_divergence="return")
    assert not any(hasattr(result, "__notes__") for result in diverged)


def test_fit_leaves_none_either(data):
    (net,) = networks(1)
    net.fit(*data, 2, optimizer=OPTIMIZERS["adam"], ema=0.9)
    before = state_of(net)
    with pytest.raises(fm.DivergenceError):
        net.fit(*data, 3, optimizer=DIVERGES, ema=0.99)
    assert state_of(net) == before
