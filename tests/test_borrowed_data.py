"""What `fit` borrows may change under it, in a callback, without leading it astray."""

import copy

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def data(rng):
    return rng.standard_normal((64, 4)).astype(np.float32), np.zeros(64, np.int32)


def test_an_order_that_changes(data):
    order = np.arange(64, dtype=np.uint32)
    net, twin = (fm.Network([4, 8, 3], seed=1) for _ in range(2))
    twin.fit(*data, epochs=3, shuffle=order.copy())
    net.fit(*data, epochs=3, shuffle=order, callbacks=lambda *_: order.fill(2**31))
    assert net.parameters.tobytes() == twin.parameters.tobytes()


@pytest.mark.parametrize("batch_size", [1, 32])
def test_labels_that_change(data, batch_size):
    X, y = data
    net, twin = (fm.Network([4, 8, 3], seed=1) for _ in range(2))
    twin.fit(X, y.copy(), 3, batch_size)
    net.fit(X, y, 3, batch_size, callbacks=lambda *_: y.fill(-5000))
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_labels_and_weights_that_change_while_many_train(data):
    X, y = data
    weight = np.linspace(0.5, 1.5, 64, dtype=np.float32)
    nets, twins = ([fm.Network([4, 8, 3], seed=seed) for seed in range(3)] for _ in range(2))
    for twin in twins:
        twin.fit(X, y.copy(), 3, sample_weight=weight.copy())

    def change(*_):
        y.fill(-5000)
        weight.fill(-1)

    fm.train_many(nets, X, y, 3, sample_weight=weight, callbacks=change)
    for net, twin in zip(nets, twins, strict=True):
        assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_targets_that_are_the_weights(rng):
    X = rng.standard_normal((100, 100)).astype(np.float32)
    net = fm.Network([100, 1], output="identity", seed=1)
    twin = copy.deepcopy(net)
    targets = net.parameters[:100].reshape(100, 1)
    expected = twin.fit(X, targets.copy(), epochs=3).loss
    assert net.fit(X, targets, epochs=3).loss == expected


def test_a_parameter_that_is_not_finite_is_divergence(rng):
    X, y = rng.standard_normal((200, 4)), 1e15 * rng.standard_normal((200, 3))
    net = fm.Network([4, 3], output="identity", seed=1)
    before = net.parameters.tobytes()
    with pytest.raises(fm.DivergenceError, match="a parameter was not finite after epoch 1"):
        net.fit(X, y, epochs=1, batch_size=200, optimizer=fm.SGD(1e30))
    assert net.parameters.tobytes() == before
