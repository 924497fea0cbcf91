"""Frozen layers, and layers with separate learning rates."""

import copy
import pickle

import numpy as np
import pytest
from trajectories import bound

import fastmlp as fm
from fastmlp import reference

LAYERS = [
    4,
    fm.Dense(9, "relu"),
    fm.Dense(8, "tanh", "batch", 0.2),
    fm.Dense(18, "silu", "layer"),
    3,
]
OPTIMIZERS = {
    "sgd": fm.SGD(0.1),
    "momentum": fm.SGD(0.1, momentum=0.9, weight_decay=0.1, l2=0.01, l1=0.01),
    "adam": fm.AdamW(0.01, weight_decay=0.1),
    "clipped": fm.Adam(0.01, clip_norm=0.1, l2=0.01),
    "rmsprop": fm.RMSprop(0.01, momentum=0.5),
}


def network(dtype="float32", layers=LAYERS, **options):
    return fm.Network(layers, seed=1, dtype=dtype, **options)


def of_layer(net, i):
    """Return the bits of all that belongs to a layer."""
    parts = [net.weights[i], net.biases[i]]
    for views in (net.scales, net.shifts, net.running_means, net.running_variances):
        parts += [views[i]] if i in views else []
    return b"".join(part.tobytes() for part in parts)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (3,), (0, 1), (0, 1, 2), (1, 3), (1, 2, 3)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_layers_keep_every_bit(blobs, dtype, name, frozen):
    net = network(dtype)
    net.fit(*blobs, 1, optimizer=OPTIMIZERS[name])  # so that momentum has a way to go
    for i in frozen:
        net.trainable[i] = False
    before = [of_layer(net, i) for i in range(4)]
    net.fit(*blobs, 2, 16, optimizer=OPTIMIZERS[name])
    net.forward(blobs[0])
    net.backward(blobs[1])
    net.update(OPTIMIZERS[name])
    net.update(0.1)
    after = [of_layer(net, i) for i in range(4)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [i in frozen for i in range(4)]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("name", ["sgd", "adam", "clipped"])
def test_fit_is_the_three_steps(blobs, dtype, name, frozen, batch_size, n_threads):
    """The small hidden layer and rows one by one go the plain way then; the bits are the same."""
    X, y = blobs[0][:48], blobs[1][:48]
    nets = [network(dtype, [4, 9, 12, 3]) for _ in range(2)]
    for net in nets:
        net.rate_factors = [0.5, 2.0, 1.0]
        for i in frozen:
            net.trainable[i] = False
    nets[0].fit(X, y, 1, batch_size, OPTIMIZERS[name], shuffle=False, n_threads=n_threads)
    for first in range(0, 48, batch_size):
        nets[1].forward(X[first : first + batch_size])
        nets[1].backward(y[first : first + batch_size])
        nets[1].update(OPTIMIZERS[name])
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_a_rate_factor_is_a_rate(blobs, dtype):
    """Half the rate of all layers is a rate of half."""
    for make in (fm.SGD, fm.AdamW, lambda rate: fm.SGD(rate, momentum=0.9)):
        slow, half = network(dtype), network(dtype)
        half.rate_factors = 0.5
        slow.fit(*blobs, 2, optimizer=make(0.0625))
        half.fit(*blobs, 2, optimizer=make(0.125))
        assert slow.parameters.tobytes() == half.parameters.tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_is_the_reference(blobs, name):
    X, y = blobs[0][:40].astype(float), blobs[1][:40]
    kind = type(OPTIMIZERS[name]).__name__
    settings = {
        k: getattr(OPTIMIZERS[name], k)
        for k in ("learning_rate", "l1", "l2", "weight_decay", "clip_norm", "momentum")
        if hasattr(OPTIMIZERS[name], k)
    }

    def results(disturb, library=fm):
        layers = [4, *(library.Dense(d.nodes, d.activation, d.normalization) for d in LAYERS[1:4])]
        net = library.Network([*layers, 3], seed=1, dtype="float64")
        if disturb is not None:
            disturb(net)
        net.trainable[1] = False
        net.trainable[3:] = False
        net.rate_factors[2] = 0.25
        assert (list(net.trainable), net.rate_factors[2]) == ([True, False, True, False], 0.25)
        net.fit(X.tolist(), y.tolist(), 2, 16, optimizer=getattr(library, kind)(**settings))
        net.forward(X.tolist())
        net.backward(y.tolist())
        return np.concatenate([list(a) for a in (net.parameters, net.statistics, net.gradients)])

    # Seven steps through four layers, of sums of at most 40 terms, and 24 for a normalisation.
    tolerance = bound(results, 7 * 4 * (40 + 24))
    ours, twin = results(None), results(None, reference)
    np.testing.assert_allclose(ours, twin, rtol=0, atol=tolerance)
    gradients = ours[-fm.Network(LAYERS).n_parameters :]
    assert tolerance < 1e-6 * np.abs(gradients).max()  # a mistake would not hide in it


def test_gradients_of_frozen_layers_are_zero(blobs):
    net = network()
    net.forward(blobs[0])
    net.backward(blobs[1])
    whole, deltas = net.gradients.copy(), [delta.copy() for delta in net.deltas]
    net.trainable[0] = net.trainable[3] = False
    net.forward(blobs[0])
    net.backward(blobs[1])
    assert not net.weight_gradients[0].any()
    assert not net.bias_gradients[3].any()
    assert net.weight_gradients[2].any()
    assert all(delta.any() for delta in net.deltas)
    assert whole.any()
    assert len(deltas) == 4


def test_a_frozen_batch_normalisation_predicts(blobs):
    """All layers before the first trainable one compute as in `predict`."""
    net = network(layers=[4, fm.Dense(8, "tanh", "batch"), 3])
    net.fit(*blobs, 2)
    net.trainable[0] = False
    outputs = net.forward(blobs[0]).copy()
    np.testing.assert_array_equal(outputs, net.predict(blobs[0]))
    net.fit(blobs[0][:5], blobs[1][:5], 1, batch_size=1)  # needs no batch of two


def test_settings(blobs):
    net = network()
    assert (list(net.trainable), net.rate_factors) == ([True] * 4, [1.0] * 4)
    net.trainable, net.rate_factors[1:3] = [False, True, True, False], [0.5, 2]
    assert net.layers[0].trainable is False
    assert [layer.rate_factor for layer in net.layers] == [1.0, 0.5, 2.0, 1.0]
    assert "frozen" in repr(net)
    assert "rate x 0.5" in repr(net)
    assert eval(repr(net.layers[0]), {"Dense": fm.Dense}) == net.layers[0]
    for twin in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert (twin.trainable, twin.rate_factors) == (net.trainable, net.rate_factors)
        assert twin.layers == net.layers
    given = fm.Network([4, fm.Dense(3, "relu", trainable=False, rate_factor=0.5), 2])
    assert (given.trainable, given.rate_factors) == ([False, True], [0.5, 1.0])
    fm.train_many([given], blobs[0], blobs[1] % 2, 1)


TRAINERS = {
    "fit": lambda net, X, y: net.fit(X, y),
    "fit batches": lambda net, X, y: net.fit([(X, y)], epochs=1),
    "fit by L-BFGS": lambda net, X, y: net.fit(X, y, optimizer=fm.LBFGS(5)),
    "train_many": lambda net, X, y: fm.train_many([network(), net], X, y),
    "update": lambda net, X, y: net.update(0.1),
    "update by Adam": lambda net, X, y: net.update(fm.Adam()),
    "train_on_batch": lambda net, X, y: net.train_on_batch(X, y, "sgd"),
    "train_on_batch of float32": lambda net, X, y: net.train_on_batch(X.astype("f"), y, "adam"),
    "objective": lambda net, X, y: net.objective(X, y),
    "reference fit": lambda net, X, y: frozen_twin(net).fit(X, y, 1),
    "reference update": lambda net, X, y: frozen_twin(net).update(0.1),
    "reference train_on_batch": lambda net, X, y: frozen_twin(net).train_on_batch(X, y, "sgd"),
    "reference train_many": lambda net, X, y: reference.train_many([frozen_twin(net)], X, y),
    "reference objective": lambda net, X, y: frozen_twin(net).objective(X, y),
}


def frozen_twin(net):
    twin = reference.Network([net.features, 3], seed=1)
    twin.trainable = False
    return twin


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_network_that_is_wholly_frozen_is_not_trained(blobs, assert_unchanged, trainer):
    net = network()
    net.trainable = False
    X, y = (array[:8] for array in blobs)
    net.forward(X)
    net.backward(y)
    assert np.abs(net.feature_gradients).max() > 0.0
    state = net.optimizer_state, net.steps
    with assert_unchanged(net), pytest.raises(ValueError, match="every layer is frozen"):
        TRAINERS[trainer](net, X, y)
    assert (net.optimizer_state, net.steps) == state


def test_files(tmp_path):
    net = network()
    net.save(tmp_path / "old")
    assert b'"trainable"' not in (tmp_path / "old").read_bytes()  # version 1, as ever
    net.trainable[1], net.rate_factors[2] = False, 0.3
    net.save(tmp_path / "new")
    assert fm.load(tmp_path / "new").layers == net.layers
    net.save_checkpoint(tmp_path / "checkpoint")
    assert fm.load_checkpoint(tmp_path / "checkpoint").layers == net.layers


def test_a_checkpoint_of_other_settings_is_refused(blobs, tmp_path):
    net = network()
    net.fit(*blobs, 1, checkpoint=tmp_path / "run")
    twin = network()
    twin.trainable[0] = False
    with pytest.raises(ValueError, match="another fit: layer 0 was relu, now it is relu, frozen"):
        twin.fit(*blobs, 2, checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("trainable", [True], ValueError, "one for each of 4 layers"),
        ("trainable", "yes", TypeError, r"trainable\[0\] must be True, False"),
        ("trainable", 2, ValueError, r"trainable\[0\] must be True, False"),
        ("trainable", {0: True}, TypeError, "one value, or one for each of 4 layers"),
        ("rate_factors", 0, ValueError, r"rate_factors\[0\] must be finite and above 0"),
        ("rate_factors", [1, 1, np.nan, 1], ValueError, r"rate_factors\[2\]"),
        ("rate_factors", [1, 1, 1, "2"], TypeError, r"rate_factors\[3\] must be a real number"),
    ],
)
def test_refused(name, value, error, message):
    net = network()
    with pytest.raises(error, match=message):
        setattr(net, name, value)
    assert (list(net.trainable), list(net.rate_factors)) == ([True] * 4, [1.0] * 4)
    for index in (4, -5):
        there = r"trainable\[0\] to trainable\[3\]"
        with pytest.raises(IndexError, match=there):
            net.trainable[index]
        with pytest.raises(IndexError, match=there):
            net.trainable[index] = False
    with pytest.raises(ValueError, match=r"rate_factors\[i:j\] must be .* each of 2 layers"):
        net.rate_factors[:2] = [1, 2, 3]


def test_not_during_a_fit(blobs):
    def freeze(net, report):
        net.trainable[0] = False

    with pytest.raises(RuntimeError):
        network().fit(*blobs, 2, callbacks=freeze)


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged")
def test_lbfgs_leaves_frozen_layers_alone(blobs, dtype):
    pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    net = network(dtype, [4, 9, 3])
    net.trainable[0] = False
    before = [of_layer(net, i) for i in range(2)]
    net.fit(*blobs, optimizer=fm.LBFGS(10, l2=0.1))
    assert of_layer(net, 0) == before[0]
    assert of_layer(net, 1) != before[1]
