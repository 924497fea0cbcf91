"""`train_many` on `Networks`: those nobody asked for are objects only while they are trained."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_many_states import OPTIMIZERS, state_of

import fastmlp as fm
from fastmlp.many.networks import groups_of


@pytest.fixture
def data(rng):
    X = rng.standard_normal((40, 3)).astype(np.float32)
    return X, X[:, :1].copy()


def some(count=20, **settings):
    return fm.Networks([3, 8, 1], count, output="identity", seed=5, **settings)


def alone(count=20, **settings):
    return [fm.Network([3, 8, 1], output="identity", seed=5 + i, **settings) for i in range(count)]


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr("fastmlp.many.networks._at_once", lambda _: 6)


SETTINGS = {
    "plain": {},
    "ema": {"ema": 0.9},
    "fraction": {"validation_fraction": 0.2},
    "early stopping": {"validation_fraction": 0.2, "early_stopping": True},
    "standardized": {"standardize": True},
    "plateau": {"optimizer": fm.Adam(fm.Plateau(0.1, patience=0, min_delta=0.8))},  # some reach it
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_each_equals_its_own_fit(data, normalization, settings):
    networks, nets = some(normalization=normalization), alone(normalization=normalization)
    second = networks[2]  # the others were not asked for
    histories = fm.train_many(networks, *data, 3, **SETTINGS[settings])
    assert histories == [net.fit(*data, 3, **SETTINGS[settings]) for net in nets]
    assert networks[2] is second
    assert [state_of(net) for net in networks] == [state_of(net) for net in nets]


@pytest.mark.parametrize("kind", ["class_weight", "validation_data"])
def test_what_all_have_in_common(data, kind):
    X, y = data
    labels = (y[:, 0] > 0).astype(np.int32)
    given = {"class_weight": {1: 3.0}, "validation_data": (X[:9], labels[:9])}[kind]
    networks = fm.Networks([3, 4, 2], 20, seed=5)
    nets = [fm.Network([3, 4, 2], seed=5 + i) for i in range(20)]
    histories = fm.train_many(networks, X, labels, 3, **{kind: given})
    assert histories == [net.fit(X, labels, 3, **{kind: given}) for net in nets]
    np.testing.assert_array_equal(networks.parameters, [net.parameters for net in nets])


def test_each_has_its_own(data):
    optimizers = [fm.SGD(0.01 * (i + 1)) for i in range(20)]
    rows = [np.arange(i, i + 20) for i in range(20)]
    networks, nets = some(), alone()
    fm.train_many(networks, *data, 2, optimizer=optimizers)
    fm.train_many(networks, *data, 2, rows=rows)
    for net, optimizer, part in zip(nets, optimizers, rows, strict=True):
        net.fit(*data, 2, optimizer=optimizer)
        net.fit(*(each[part] for each in data), 2)
    np.testing.assert_array_equal(networks.parameters, [net.parameters for net in nets])


def test_each_scales_its_features(data):
    X, y = data
    networks, nets = some(4), alone(4)
    for i in range(4):
        for net in (networks[i], nets[i]):
            net.adapt(X[i : i + 20])
    fm.train_many(networks, X, y, 2)
    for net in nets:
        net.fit(X, y, 2)
    np.testing.assert_array_equal(networks.parameters, [net.parameters for net in nets])


def test_names_are_not_learned_from_a_first_epoch_that_diverges(data):
    X = pytest.importorskip("pandas").DataFrame(data[0], columns=["a", "b", "c"])
    networks = some(4)
    networks[2].fit(*data, 1)  # another number of epochs than the others
    fm.train_many(networks, X, data[1], 3, optimizer=fm.SGD(1e30), on_divergence="return")
    assert [(net.epoch, net.feature_names) for net in networks] == [
        (0, None), (0, None), (1, None), (0, None)
    ]  # fmt: skip


def test_optimizers_follow_one_another(data):
    networks, nets = some(), alone()
    for name in ("adam", "adam", "momentum", "sgd", "rmsprop"):
        optimizer = OPTIMIZERS[name]
        fm.train_many(networks[::2], *data, 2, optimizer=optimizer)
        for net in nets[::2]:
            net.fit(*data, 2, optimizer=optimizer)
    assert not networks._made
    assert [state_of(net) for net in networks] == [state_of(net) for net in nets]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
@pytest.mark.parametrize("part", [slice(None), slice(15, 2, -3)])
def test_copies_continue_alike(data, duplicate, part):
    networks = some()
    fm.train_many(networks, *data, 2, optimizer="adam")
    networks[4].fit(*data, 1, optimizer="adam")
    twin = duplicate(networks[part])
    fm.train_many(networks, *data, 2, optimizer="adam")
    fm.train_many(twin, *data, 2, optimizer="adam")
    assert [state_of(net) for net in twin] == [state_of(net) for net in networks[part]]


def test_older_pickles_are_read(data):
    networks = some()
    state = networks.__getstate__()
    del state["states"]
    older = fm.Networks.__new__(fm.Networks)
    older.__setstate__(state)
    fm.train_many(older, *data, 1)
    fm.train_many(networks, *data, 1)
    np.testing.assert_array_equal(older.parameters, networks.parameters)


def test_a_network_asked_for_meanwhile_is_the_one_that_is_trained(data):
    networks = some()
    for numbers, group in groups_of(networks, None):
        for net in group:
            net.fit(*data, 1, optimizer="adam")
        if 7 in numbers:
            assert networks[7] is group[numbers.index(7)]
            assert networks.__getstate__()["made"].keys() >= set(numbers)
    assert networks._made.keys() == {7}
    assert all(net.epoch == 1 for net in networks)


def test_one_that_is_being_fitted_is_refused_before_any_is_trained(data):
    networks, errors = some(), []

    def train_all():
        try:
            fm.train_many(networks, *data, 1)
        except RuntimeError as error:
            errors.append(str(error))

    def nested(*_):
        thread = threading.Thread(target=train_all)
        thread.start()
        thread.join()

    networks[11].fit(*data, 1, callbacks=nested)
    assert errors == ["cannot train networks[11]: the network is being fitted by another thread"]
    assert [net.epoch for net in networks] == [0] * 11 + [1] + [0] * 8


def test_lbfgs_warns_at_the_line_of_the_call(data):
    networks, nets = some(3), alone(3)
    optimizer = fm.LBFGS(max_iterations=2)
    with pytest.warns(fm.ConvergenceWarning) as caught:
        histories = fm.train_many(networks, *data, optimizer=optimizer)
    assert {warning.filename for warning in caught} == {__file__}
    with pytest.warns(fm.ConvergenceWarning):
        assert histories == [net.fit(*data, optimizer=optimizer) for net in nets]
    np.testing.assert_array_equal(networks.parameters, [net.parameters for net in nets])


def test_a_network_that_diverges_is_named(data):
    networks = some()
    networks[8].parameters[:] = 1e30
    results = fm.train_many(networks, *data, 1, on_divergence="return")
    assert [i for i, r in enumerate(results) if isinstance(r, fm.DivergenceError)] == [8]
    with pytest.raises(fm.DivergenceError) as caught:
        fm.train_many(networks, *data, 1)
    assert "training of networks[8] diverged" in str(caught.value)
    assert (results[8].network, str(results[8])) == (8, str(caught.value))
    assert [net.epoch for net in networks] == [2] * 8 + [0] + [2] * 11


def test_too_many_epochs_are_refused(data):
    networks = some()
    networks[3].fit(*data, 1)
    networks._lent[5] = networks._make(5)
    with pytest.raises(ValueError, match=f"at most {2**32 - 2}"):
        fm.train_many(networks, *data, 2**32 - 1)


MEMORY = """
import resource, sys
import numpy as np, fastmlp as fm

X = np.random.default_rng(0).standard_normal((32, 8), dtype=np.float32)

def train(count):
    networks = fm.Networks([8, 16, 1], count, output="identity", seed=0)
    return networks, fm.train_many(networks, X, X[:, :1], 10, 32, "adam", n_threads=1)

def most():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

train(2000)
before = most()
networks, histories = train(40_000)
print((most() - before) / (3 * networks.parameters.nbytes))
"""


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="has no resource")
def test_memory_is_at_most_twice_that_of_parameters_and_moments():
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=300
    )
    assert float(run.stdout) < 2
