"""`Networks`: many networks over one matrix of parameters."""

import copy
import pickle
import sys
import threading

import numpy as np
import pytest

import fastmlp as fm


def some(count=5, **settings):
    return fm.Networks([4, 6, 3], count, seed=settings.pop("seed", 7), **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_each_equals_a_network_of_its_seed(dtype, normalization):
    networks = some(dtype=dtype, normalization=normalization, activation="tanh")
    for i, network in enumerate(networks):
        own = fm.Network([4, 6, 3], "tanh", seed=7 + i, dtype=dtype, normalization=normalization)
        assert network.seed == own.seed
        np.testing.assert_array_equal(networks.parameters[i], own.parameters)
        np.testing.assert_array_equal(network.statistics, own.statistics)


@pytest.mark.parametrize("library", [fm, fm.reference], ids=["core", "reference"])
def test_seeds_end_below_2_to_the_64(library, monkeypatch):
    networks = library.Networks([4, 6, 3], 3, seed=2**64 - 3)
    assert [network.seed for network in networks] == [2**64 - 3, 2**64 - 2, 2**64 - 1]
    with pytest.raises(ValueError, match=rf"seed must be at most 2\*\*64 - 3.* got {2**64 - 2}"):
        library.Networks([4, 6, 3], 3, seed=2**64 - 2)
    monkeypatch.setattr("secrets.randbits", lambda _: 2**64 - 1)
    assert [network.seed for network in library.Networks([4, 6, 3], 2)] == [2**64 - 2, 2**64 - 1]


def test_the_reference_has_the_same():
    networks, twin = some(3), fm.reference.Networks([4, 6, 3], 3, seed=7)
    assert len(twin) == 3
    for ours, theirs in zip(networks, twin, strict=True):
        assert ours.seed == theirs.seed
        np.testing.assert_array_equal(ours.weights[0], np.float32(theirs.weights[0]))


def test_parameters_are_live_both_ways():
    networks = some()
    networks.parameters[2] = 0.5
    assert (networks[2].parameters == 0.5).all()
    networks[2].weights[0][:] = 0.25
    assert networks.parameters[2, 0] == 0.25
    networks.parameters = np.ones(networks.parameters.shape)
    assert (networks[0].biases[0] == 1).all()
    assert networks.parameters.flags.c_contiguous


def test_parameters_are_set_with_the_checks_of_a_network():
    networks, shape = some(), some().parameters.shape
    before = networks.parameters.copy()
    masked = np.ma.masked_array(np.ones(shape), np.eye(*shape))
    for value, error, message in [
        (masked, ValueError, "parameters has masked values"),
        (np.ones(shape, complex), ValueError, "parameters is complex"),
        ([[1.0], [2.0, 3.0]], ValueError, "parameters is not a rectangular array"),
        (np.ones(shape[1]), ValueError, "parameters has shape"),
        (np.ones(shape).astype(str), ValueError, "parameters holds text"),
        (np.ones(shape, "m8[s]"), TypeError, "parameters must hold real numbers"),
        ("ones", TypeError, "parameters must be an array"),
    ]:
        with pytest.raises(error, match=message):
            networks.parameters = value
    np.testing.assert_array_equal(networks.parameters, before)
    networks.parameters = networks.parameters[::-1]  # of the same memory
    np.testing.assert_array_equal(networks.parameters, before[::-1])


def test_training_one_leaves_its_neighbours():
    X, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 3
    networks, own = some(), fm.Network([4, 6, 3], seed=9)
    before = networks.parameters.copy()
    networks[2].fit(X, y, epochs=3, optimizer="adam")
    own.fit(X, y, epochs=3, optimizer="adam")
    np.testing.assert_array_equal(networks.parameters[2], own.parameters)
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(networks.parameters[others], before[others])


def test_a_network_is_made_once():
    networks = some()
    assert networks[1] is networks[1] is networks[-4] is networks[1:][0]
    assert networks[1] in networks
    assert fm.Network([4, 6, 3]) not in networks
    made = []
    threads = [threading.Thread(target=lambda: made.append(networks[3])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, made))) == 1


@pytest.mark.parametrize(
    "part",
    [slice(None), slice(1, 4), slice(None, None, -1), slice(3, 0, -2), slice(2, 2), slice(0, 0)],
)
def test_slices_are_networks_that_share(part):
    networks = some()
    few = networks[part]
    places = range(5)[part]
    assert isinstance(few, fm.Networks)
    assert len(few) == len(places) == len(few.parameters)
    assert [network.seed for network in few] == [7 + place for place in places]
    assert few[::-1].parameters.shape == few.parameters.shape
    few.parameters[:] = 3
    assert set(np.flatnonzero((networks.parameters == 3).all(1))) == set(places)
    loaded = pickle.loads(pickle.dumps(few))
    assert [network.seed for network in loaded] == [network.seed for network in few]
    np.testing.assert_array_equal(loaded.parameters, few.parameters)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_continue_alike(duplicate):
    X, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 3
    networks = some(normalization="batch")
    networks[1].fit(X, y, epochs=2, optimizer="adam")
    networks[1].trainable[0] = False
    networks[1]._own = "kept"
    networks.parameters[3] *= 2
    twin = duplicate(networks)
    assert twin[1]._own == "kept"
    for each in (networks, twin):
        fm.train_many(each, X, y, epochs=2, optimizer="adam")
    np.testing.assert_array_equal(twin.parameters, networks.parameters)
    np.testing.assert_array_equal(twin[1].statistics, networks[1].statistics)
    twin.parameters[:] = 0
    assert networks.parameters.any()


@pytest.mark.parametrize("output", ["identity", "tanh", "softmax"])
@pytest.mark.parametrize("rows", [0, 1, 33])
def test_predictions_are_those_of_each(output, rows, dtype):
    networks = fm.Networks([5, 20, 17, 3], 21, output=output, seed=1, dtype=dtype)
    X = np.random.default_rng(0).normal(size=(rows, 5))
    networks[3].input_scale = 2.0  # of this one only
    for some in (networks, networks[18:2:-3]):
        outputs = some.predict(X)
        assert outputs.shape == (len(some), rows, 3)
        assert outputs.dtype == dtype
        for network, own in zip(some, outputs, strict=True):
            np.testing.assert_array_equal(own, network.predict(X))


def test_predictions_of_other_types_and_of_none():
    networks = fm.Networks([4, 6, 2], 9, output="identity", seed=1)
    X = np.random.default_rng(0).integers(-9, 9, (7, 4))
    for x in (X, np.asfortranarray(X.astype("f8")), fm.Rescaled(X, 0.5)):
        np.testing.assert_array_equal(networks.predict(x)[8], networks[8].predict(x))
    assert networks[:0].predict(X).shape[0] == 0
    with pytest.raises(ValueError, match="X"):
        networks.predict(X[:, :3])
    scipy_sparse = pytest.importorskip("scipy.sparse")
    rows = scipy_sparse.csr_array(X.astype("f4"))
    np.testing.assert_array_equal(networks.predict(rows)[8], networks[8].predict(rows))


def test_a_network_outlives_the_others():
    network = some()[4]
    np.testing.assert_array_equal(network.parameters, fm.Network([4, 6, 3], seed=11).parameters)


def test_refused():
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        fm.Networks([4, 3], 0)
    with pytest.raises(TypeError, match="count"):
        fm.Networks([4, 3], 1.5)
    with pytest.raises(ValueError, match="custom loss"):
        fm.Networks([4, 3], 2, output="identity", loss=lambda *_: 0)
    with pytest.raises(MemoryError, match="parameters of the networks"):
        fm.Networks([1000, 1000], 2**40)
    with pytest.raises(ValueError, match=f"count must be at most {sys.maxsize}, got {2**63}"):
        fm.Networks([4, 3], 2**63, seed=1)
    networks = some()
    with pytest.raises(IndexError, match="no network 5 of 5"):
        networks[5]
    with pytest.raises(TypeError, match="integer or a slice"):
        networks["first"]


def test_columns_in_another_order_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.eye(4), columns=list("abcd"))
    networks = fm.Networks([4, 8, 1], 9, output="identity")
    fm.train_many(networks, frame, np.ones((4, 1)), epochs=1)
    networks.predict(frame)
    with pytest.raises(ValueError, match="X"):
        networks.predict(frame[list("dcba")])


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_samples_that_are_parameters_are_refused(name):
    networks = fm.Networks([3, 8, 3], 4, output="identity")
    flat = networks.parameters.reshape(-1)
    flat[:30] = np.arange(30)
    samples = {"X": np.ones((10, 3), np.float32), "y": np.ones((10, 3), np.float32)}
    samples[name] = flat[:10] if name == "sample_weight" else flat[:30].reshape(10, 3)
    with pytest.raises(ValueError, match=f"{name} must not share memory"):
        fm.train_many(networks, **samples)
