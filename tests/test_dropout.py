"""Dropout in a network: its share, its scale, and masks that depend only on the seed."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.layers import ACTIVATIONS
from fastmlp.network import model_of

RATE = 0.3
HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]


def test_prediction_drops_nothing():
    X = np.random.default_rng(1).standard_normal((9, 5))
    plain, dropping = (fm.Network([5, 40, 3], seed=1, dropout=p) for p in (0.0, 0.5))
    assert plain.predict(X).tobytes() == dropping.predict(X).tobytes()
    assert plain.forward(X).tobytes() == dropping.forward(X, training=False).tobytes()


@pytest.mark.parametrize("activation", HIDDEN)
def test_nodes_are_scaled_or_plus_zero(dtype, activation):
    net = fm.Network([5, 40, 24, 3], activation, seed=1, dropout=RATE, dtype=dtype)
    X = np.random.default_rng(1).standard_normal((50, 5))
    net.forward(X, training=False)
    kept_all = net.nodes[1].copy()
    net.forward(X)
    nodes = net.nodes[1]
    scaled = kept_all * np.dtype(dtype).type(1 / (1 - RATE))
    zero = nodes == 0
    dropped = zero & (kept_all != 0)
    assert nodes[~zero].tobytes() == scaled[~zero].tobytes()
    assert not np.signbit(nodes[dropped]).any()
    # A share, with 5 standard deviations of the draws to either side.
    share = dropped[kept_all != 0]
    assert abs(share.mean() - RATE) <= 5 * np.sqrt(RATE * (1 - RATE) / share.size)


def test_the_mean_over_masks_is_the_network_without():
    """E[nodes] = h: the factor 1 / (1 - p), within 5 standard deviations of the mean."""
    net = fm.Network([5, 64, 3], "sigmoid", seed=1, dropout=RATE, dtype="float64")
    X = np.random.default_rng(1).standard_normal((1, 5))
    net.forward(X, training=False)
    h = net.nodes[1].copy()
    count = 4000
    net.forward(np.repeat(X, count, axis=0))
    deviation = h * np.sqrt(RATE / (1 - RATE) / count)
    assert (np.abs(net.nodes[1].mean(axis=0) - h) <= 5 * deviation).all()


def test_masks_are_those_of_the_reference():
    net = fm.Network([3, 70, 20, 2], "sigmoid", seed=9, dropout=RATE)
    twin = reference.Network([3, 70, 20, 2], "sigmoid", seed=9, dropout=RATE)
    X = np.random.default_rng(1).standard_normal((4, 3))
    for _ in range(2):  # the second batch has the next positions of the epoch
        net.forward(X)
        twin.forward(X.tolist())
        for p in (1, 2):
            assert ((net.nodes[p] == 0) == (np.array(twin.nodes[p]) == 0)).all()
    model_of(net).core.epoch = 5
    twin._epoch, twin._position = 5, 0
    net.forward(X)
    twin.forward(X.tolist())
    assert ((net.nodes[1] == 0) == (np.array(twin.nodes[1]) == 0)).all()


def test_single_steps_after_a_fit_begin_an_epoch():
    layers = [3, 40, 2]
    X, y = np.random.default_rng(1).standard_normal((6, 3)), np.arange(6) % 2
    net = fm.Network(layers, "sigmoid", seed=9, dropout=RATE)
    twin = reference.Network(layers, "sigmoid", seed=9, dropout=RATE)
    for each in (net, twin):
        each.forward(X.tolist())
        each.fit(X.tolist(), y.tolist(), 2, 4)
        for _ in range(2):
            each.forward(X.tolist())
    assert model_of(net).core.position == twin._position == 12
    assert ((net.nodes[1] == 0) == (np.array(twin.nodes[1]) == 0)).all()


def test_batches_and_fits_do_not_matter_to_the_masks():
    """Masks belong to the epoch and the position in it, so that training can be resumed."""
    X = np.random.default_rng(1).standard_normal((24, 5))
    masks = []
    for batch in (3, 8, 24):
        net = fm.Network([5, 40, 3], "sigmoid", seed=1, dropout=RATE)
        rows = []
        for i in range(0, 24, batch):
            net.forward(X[i : i + batch])
            rows.append(net.nodes[1] == 0)
        masks.append(np.concatenate(rows).tobytes())
    assert len(set(masks)) == 1
    y = np.arange(24) % 3
    whole, parts = (fm.Network([5, 40, 3], seed=1, dropout=RATE) for _ in range(2))
    whole.fit(X, y, 4, 7)
    for _ in range(4):
        parts.fit(X, y, 1, 7)
    assert whole.parameters.tobytes() == parts.parameters.tobytes()


def test_gradients_are_finite_differences():
    """Of the network that the masks leave: every call at the same position."""
    net = fm.Network([5, 18, 7, 3], "tanh", seed=2, dropout=0.4, dtype="float64")
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((11, 5)), rng.integers(0, 3, 11)
    theta, step = net.parameters.copy(), 1e-6

    def loss(change):
        net.parameters = theta + change
        model_of(net).core.epoch = 0  # the epoch starts again, with the same masks
        net.forward(X)
        return net.backward(y)

    loss(np.zeros_like(theta))
    gradient = net.gradients.copy()
    for i in range(net.n_parameters):
        change = np.zeros_like(theta)
        change[i] = step
        # A third derivative of about 1 times step^2, and the losses' roundings over step.
        assert abs((loss(change) - loss(-change)) / (2 * step) - gradient[i]) <= 1e-8


SAME_BITS = """
import hashlib, itertools, sys
import numpy as np
import fastmlp as fm
from fastmlp.layers import ACTIVATIONS

digest = hashlib.sha256()
for dtype, kind, dropout in itertools.product(
    ("float32", "float64"), (None, "batch", "layer"), (0.0, 0.4)
):
    for layers, batch in (([9, 33, 16, 70, 3], 24), ([40, 128, 17, 5], 50), ([3, 5, 2], 2)):
        for activation in ("relu", "tanh", ACTIVATIONS[2]):
            net = fm.Network(layers, activation, seed=1, dtype=dtype, normalization=kind,
                             dropout=dropout)
            rng = np.random.default_rng(1)
            X = rng.standard_normal((3 * batch - 1, layers[0])).astype(dtype)
            y = rng.integers(0, layers[-1], len(X))
            optimizer = fm.Adam(0.01, clip_norm=1.0) if activation == "tanh" else fm.SGD(0.05)
            history = net.fit(X, y, 2, batch, optimizer, n_threads=int(sys.argv[1]))
            for array in (net.parameters, net.statistics, history.loss, net.jacobian(X[:20]),
                          net.input_gradient(X, y), net.predict(X)):
                digest.update(np.asarray(array).tobytes())
print(digest.hexdigest())
"""


def test_same_bits_everywhere(run_python, isas):
    """Normalisation, dropout and derivatives for any number of threads and instruction set."""
    runs = [(isa, 1) for isa in isas] + [(isas[0], threads) for threads in (2, 3, 5, 8)]
    runs += [(isa, 3) for isa in isas]
    printed = set()
    for isa, threads in runs:
        done = run_python(
            SAME_BITS, str(threads), FASTMLP_ISA=isa, FASTMLP_EXACT_THREADS="1", timeout=250
        )
        assert done.returncode == 0, done.stderr
        printed.add(done.stdout)
    assert len(printed) == 1
