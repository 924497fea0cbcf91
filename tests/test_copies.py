"""Copies and pickles: equal, independent, and with the order of samples where it was."""

import copy
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.network import model_of
from fastmlp.settings.optimizers import OptimizerKind

X = np.random.default_rng(5).standard_normal((23, 6))
LABELS = np.arange(23) % 3


def same(a: fm.Network, b: fm.Network) -> bool:
    """Whether two networks are equal and will stay so."""
    return (
        a.parameters.tobytes() == b.parameters.tobytes()
        and (a.features, a.layers, a.loss, a.dtype) == (b.features, b.layers, b.loss, b.dtype)
        and (a.seed, a.epoch) == (b.seed, b.epoch)
    )


@pytest.fixture
def net(dtype):
    net = fm.Network([6, fm.Dense(5, "tanh"), 3], seed=1, dtype=dtype)
    net.fit(X, LABELS, epochs=2)
    return net


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy]
    + [lambda net, p=p: pickle.loads(pickle.dumps(net, p)) for p in range(2, 6)],
    ids=["copy", "deepcopy", "pickle2", "pickle3", "pickle4", "pickle5"],
)
def test_is_equal_and_independent(net, duplicate):
    twin = duplicate(net)
    assert same(net, twin)
    assert not np.shares_memory(net.parameters, twin.parameters)
    twin.fit(X, LABELS, epochs=1)
    assert not same(net, twin)
    net.fit(X, LABELS, epochs=1)
    assert same(net, twin)  # also the order of samples went on where it was


def test_the_buffer_travels_out_of_band(net):
    buffers = []
    data = pickle.dumps(net, 5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    assert buffers[0].raw().nbytes == net.parameters.nbytes
    twin = pickle.loads(data, buffers=buffers)
    assert same(net, twin)
    assert not np.shares_memory(net.parameters, twin.parameters)


def test_attributes_of_a_subclass_come_along():
    class Named(fm.Network):
        pass

    net = Named([2, 2], seed=1)
    net.name = "first"
    assert copy.deepcopy(net).name == "first"
    assert type(copy.copy(net)) is Named


def test_a_misspelled_attribute_is_refused(net):
    with pytest.raises(AttributeError, match=r"no attribute 'input_scales'; did you mean 'input_s"):
        net.input_scales = [1.0]
    with pytest.raises(AttributeError, match=r"a network has no attribute 'foo'$"):
        net.foo = 3
    assert not hasattr(net, "foo")


def test_so_is_one_of_several_networks(net):
    ensemble, networks = fm.Ensemble([net]), fm.Networks([2, 1], 3, output="identity", seed=1)
    with pytest.raises(
        AttributeError, match=r"^an ensemble has no attribute 'network'; did you me"
    ):
        ensemble.network = [net]
    with pytest.raises(
        AttributeError, match=r"no attribute 'parameter'; did you mean 'parameters'"
    ):
        networks.parameter = 0.0
    networks.parameters = np.ones((3, 3))
    assert copy.deepcopy(networks[:2]).parameters.sum() == 6.0


def test_a_later_format_is_refused(net):
    state = net.__getstate__() | {"format": 99}
    with pytest.raises(ValueError, match="format 99"):
        fm.Network.__new__(fm.Network).__setstate__(state)


def test_a_pickle_of_an_older_version():
    """Of version 0.1.0, whose `Network` was eight classes and whose loss a tuple."""
    old = pickle.loads((Path(__file__).parent / "golden" / "network.pickle").read_bytes())
    net, history = old["network"], old["history"]
    assert type(net) is fm.Network
    assert net.layers == (fm.Dense(5, "tanh", "batch"), fm.Dense(1, "identity"))
    assert (net.loss, net.loss.parameter, net.loss_function) == ("huber", 2.0, None)
    assert (net.seed, net.epoch, net.steps) == (3, 3, 3)
    assert net.feature_names == ("a", "b", "c")
    assert net.note == "kept"
    np.testing.assert_array_equal(
        net.optimizer_state["velocity"], old["optimizer_state"]["velocity"]
    )
    np.testing.assert_array_equal(net.predict(old["X"]), old["outputs"])
    assert same(net, pickle.loads(pickle.dumps(net)))
    assert type(history) is fm.History
    assert list(history.metrics) == ["loss", "validation_loss", "validation_r2"]


def test_the_least_state_of_format_2(net):
    """Without what older versions did not have: names, scaling, loss weights, averages."""
    attributes = {"_features": 6, "_layers": net.layers, "_loss": net.loss, "_dtype": net.dtype}
    state = {
        "format": 2,
        "attributes": attributes | {"note": "kept"},
        "seed": 1,
        "epoch": 2,
        "parameters": net.parameters,
        "statistics": None,
        "optimizer": (OptimizerKind.SGD, None, None, 6),
    }
    again = fm.Network.__new__(fm.Network)
    again.__setstate__(state)
    assert same(net, again)
    assert (again.steps, again.note) == (6, "kept")
    assert again.feature_names is again.class_names is again.loss_weights is None


def test_no_reference_is_left(net):
    core = model_of(net).core
    before = sys.getrefcount(core)
    copy.deepcopy(net)
    assert sys.getrefcount(core) == before
