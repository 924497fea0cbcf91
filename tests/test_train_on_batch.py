"""Training loops written by the user: `train_on_batch`, given gradients, the three steps and `fit`.

Over 400 lines, as all tests compare the same kinds of networks in the same way.
"""

import numpy as np
import pytest
from scipy import sparse

import fastmlp as fm
from fastmlp import reference

B, K = 24, 5
RNG = np.random.default_rng(3)
X = RNG.standard_normal((B, K)).astype(np.float32)
LABELS = RNG.integers(0, 3, B)
VALUES = RNG.standard_normal((B, 3)).astype(np.float32)
POSITIVE = np.abs(VALUES)
WEIGHT = np.where(np.arange(B) % 4 == 0, 0, RNG.uniform(0.5, 2, B))


def squares(outputs, y, gradient):
    gradient[...] = 2 * (outputs - y)
    return ((outputs - y) ** 2).sum(axis=1)


NETWORKS = {
    "classes": ({"output": "softmax"}, LABELS),
    "int32": ({"output": "softmax"}, LABELS.astype(np.int32)),
    "one hot": ({"output": "softmax"}, np.eye(3)[LABELS]),
    "small": ({"output": "identity", "sizes": [12]}, VALUES),
    "float64": ({"output": "identity", "dtype": "float64"}, VALUES.astype(float)),
    "sigmoid": ({"output": "sigmoid"}, (VALUES > 0).astype(np.float32)),
    "poisson": ({"output": "exp"}, POSITIVE),
    "gelu": ({"output": "gelu", "activation": "gelu"}, VALUES),
    "huber": ({"output": "softplus", "loss": fm.Huber(0.5)}, POSITIVE),
    "batch": ({"output": "identity", "normalization": "batch"}, VALUES),
    "layer, dropout": ({"output": "identity", "normalization": "layer", "dropout": 0.3}, VALUES),
    "custom": ({"output": "identity", "loss": squares}, VALUES),
}
OPTIMIZERS = [fm.SGD(0.1), fm.Adam(0.01, clip_norm=0.1), fm.RMSprop(0.01, momentum=0.5, l2=0.1)]


def network(kind, module=fm, **changes):
    settings, _ = NETWORKS[kind]
    settings = {"loss": None, "sizes": [33, 17]} | settings | changes
    loss = settings.pop("loss")
    if isinstance(loss, fm.Huber) and module is reference:
        loss = reference.Huber(0.5)
    layers = [K, *settings.pop("sizes"), 3]
    return module.Network(layers, loss=loss, seed=4, **settings)


def state(net):
    moments = net.optimizer_state
    return [net.parameters, net.statistics, *(moments[name] for name in sorted(moments))]


def assert_same(net, twin):
    for a, b in zip(state(net), state(twin), strict=True):
        np.testing.assert_array_equal(a, b)
    assert net.steps == twin.steps


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_step_has_the_bits_of_fit(kind, weight):
    y = NETWORKS[kind][1]
    for optimizer in OPTIMIZERS:
        net, fitted = network(kind), network(kind)
        loss = net.train_on_batch(X, y, optimizer, sample_weight=weight)
        history = fitted.fit(
            X, y, 1, batch_size=None, optimizer=optimizer, shuffle=False, sample_weight=weight
        )
        assert loss == history.loss[0]
        assert_same(net, fitted)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_step_has_the_bits_of_the_three(kind):
    y = NETWORKS[kind][1]
    weight = RNG.uniform(0.5, 2, B)
    for optimizer in OPTIMIZERS:
        net, twin = network(kind), network(kind)
        for n_threads in (None, 1, 3):
            for each in (None, weight):
                loss = net.train_on_batch(X, y, optimizer, sample_weight=each, n_threads=n_threads)
                twin.forward(X, n_threads=n_threads)
                assert loss == twin.backward(y, sample_weight=each, n_threads=n_threads)
                twin.update(optimizer, n_threads=n_threads)
                assert_same(net, twin)


def test_the_three_steps_have_the_same_bits_on_any_number_of_threads(monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", "4")
    rows = RNG.standard_normal((150, 300)).astype(np.float32)
    y = RNG.integers(0, 4, 150)
    nets = []
    for n_threads in (1, 2, 4):
        net = fm.Network([300, 600, 4], normalization="batch", dropout=0.2, seed=1)
        for _ in range(2):
            net.forward(rows, n_threads=n_threads)
            net.backward(y, n_threads=n_threads)
            net.update(fm.Adam(clip_norm=0.5), n_threads=n_threads)
            net.update(0.1, n_threads=n_threads)
        nets.append((net, net.feature_gradients if net.backward(y) else None, net.gradients))
    for net, by_features, gradients in nets[1:]:
        assert_same(net, nets[0][0])
        np.testing.assert_array_equal(by_features, nets[0][1])
        np.testing.assert_array_equal(gradients, nets[0][2])


@pytest.mark.parametrize("kind", ["small", "gelu", "batch", "layer, dropout", "custom"])
def test_the_gradient_of_a_loss_does_what_the_loss_does(kind):
    """Divided by a power of two, so to the bit."""
    rows = 16
    x, y = X[:rows], VALUES[:rows]
    net, twin = network(kind, loss=squares), network(kind)
    outputs = net.forward(x)
    net.backward(y)
    twin.forward(x)
    assert twin.backward(gradient=2 * (outputs - y) / np.float32(rows)) is None
    np.testing.assert_array_equal(net.gradients, twin.gradients)
    for ours, theirs in zip(net.deltas, twin.deltas, strict=True):
        np.testing.assert_array_equal(ours / rows, theirs)


@pytest.mark.parametrize(
    ("kind", "derivative"),
    [
        ("classes", lambda h: -np.eye(3)[LABELS] / h / B),
        ("sigmoid", lambda h: (h - NETWORKS["sigmoid"][1]) / (h * (1 - h)) / B / 3),
        ("poisson", lambda h: (1 - POSITIVE / h) / B / 3),
    ],
)
def test_a_gradient_goes_through_the_activation_that_a_loss_holds(kind, derivative):
    y = NETWORKS[kind][1]
    net, twin = network(kind, dtype="float64"), network(kind, dtype="float64")
    net.forward(X)
    net.backward(y)
    outputs = twin.forward(X)
    twin.backward(gradient=derivative(outputs))
    # Rounding of float64 through three layers, and of divisions by outputs of 1e-3 and more.
    np.testing.assert_allclose(twin.gradients, net.gradients, rtol=1e-10, atol=1e-12)
    for given in (net, twin):
        given.update(fm.Adam())
    alone = network(kind, dtype="float64")
    assert alone.train_on_batch(X, None, fm.Adam(), gradient=derivative(outputs)) is None
    np.testing.assert_array_equal(alone.parameters, twin.parameters)


@pytest.mark.parametrize("kind", [k for k in NETWORKS if k != "int32"])
def test_the_reference(kind):
    y = NETWORKS[kind][1]
    loss = {"loss": reference_squares} if kind == "custom" else {}
    net, twin = network(kind, dtype="float64"), network(kind, reference, dtype="float64", **loss)
    for weight in (None, WEIGHT):
        ours = net.train_on_batch(X, y, fm.Adam(0.01), sample_weight=weight)
        theirs = twin.train_on_batch(X, y, reference.Adam(0.01), sample_weight=weight)
        assert ours == pytest.approx(theirs, rel=1e-9)
    gradient = RNG.standard_normal((B, 3))
    assert twin.train_on_batch(X, None, reference.Adam(0.01), gradient=gradient) is None
    net.train_on_batch(X, None, fm.Adam(0.01), gradient=gradient)
    outputs = net.forward(X), twin.forward(X)
    np.testing.assert_allclose(*outputs, rtol=1e-7, atol=1e-9)  # three steps of Adam apart
    for each in (net, twin):
        each.backward(gradient=gradient)
    np.testing.assert_allclose(net.feature_gradients, twin.feature_gradients, rtol=1e-6, atol=1e-8)
    for i in range(3 if kind != "small" else 2):
        np.testing.assert_allclose(
            net.weight_gradients[i], twin.weight_gradients[i], rtol=1e-6, atol=1e-8
        )


def reference_squares(outputs, y, gradient):
    for row, targets, into in zip(outputs, y, gradient, strict=True):
        into[:] = [2 * (h - t) for h, t in zip(row, targets, strict=True)]
    return [
        sum((h - t) ** 2 for h, t in zip(row, targets, strict=True))
        for row, targets in zip(outputs, y, strict=True)
    ]


def test_feature_gradients():
    net = network("gelu", dtype="float64")
    with pytest.raises(RuntimeError, match="feature_gradients"):
        _ = net.feature_gradients
    net.forward(X, training=False)
    with pytest.raises(RuntimeError, match="feature_gradients"):
        _ = net.feature_gradients
    gradient = RNG.standard_normal((B, 3))
    net.backward(gradient=gradient)
    by_features = net.feature_gradients
    expected = np.einsum("bn,bnk->bk", gradient, net.jacobian(X))
    np.testing.assert_allclose(by_features, expected, rtol=1e-10, atol=1e-12)
    assert not by_features.flags.writeable
    net.backward(VALUES)
    np.testing.assert_array_equal(net.feature_gradients, net.input_gradient(X, VALUES))
    for change in (
        lambda: net.update(0.1),
        lambda: net.fit(X, VALUES, 1),
        lambda: net.train_on_batch(X, VALUES, "sgd"),
        lambda: net.soft_update(network("gelu", dtype="float64"), 0.5),
    ):
        net.forward(X)
        net.backward(VALUES)
        change()
        with pytest.raises(RuntimeError, match="no update since"):
            _ = net.feature_gradients


def test_two_networks_one_after_the_other():
    """A gradient through a second network, as a critic passes it on to an actor."""
    first = fm.Network([K, 8, 4], output="tanh", loss="mean_squared_error", dtype="float64", seed=1)
    second = fm.Network([4, 8, 1], output="identity", dtype="float64", seed=2)
    second.forward(first.forward(X, training=False), training=False)
    second.backward(gradient=np.ones((B, 1)))
    first.backward(gradient=second.feature_gradients)
    step = 1e-6
    for index in ((0, 0), (4, 7)):
        sums = []
        for sign in (1, -1):
            moved = first.copy()
            moved.weights[0][index] += sign * step
            sums.append(second.predict(moved.predict(X)).sum())
        slope = (sums[0] - sums[1]) / (2 * step)
        assert first.weight_gradients[0][index] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        sparse.csr_array(X),
        X.astype(np.float64),
        np.asfortranarray(X),
        X.tolist(),
        fm.Rescaled(X, np.ones(K), np.zeros(K)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_other_kinds_of_features(given):
    net, twin = network("classes"), network("classes")
    for _ in range(2):
        assert net.train_on_batch(given, LABELS.tolist(), "adam") == twin.train_on_batch(
            X, LABELS, fm.Adam()
        )
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_batches_of_any_size_one_after_another():
    net, twin = network("batch"), network("batch")
    optimizer = fm.Adam(0.01)
    for rows in (3, 24, 1, 7, 24):
        loss = net.train_on_batch(X[:rows], VALUES[:rows], optimizer)
        twin.forward(X[:rows])
        assert loss == twin.backward(VALUES[:rows])
        twin.update(optimizer)
    assert_same(net, twin)


@pytest.mark.parametrize(
    "rate",
    [
        fm.StepDecay(0.1, 0.5, every=1),
        fm.CosineDecay(0.1, epochs=3),
        fm.LinearWarmup(0.1, 3),
        fm.InverseScaling(0.1),
        lambda step: 0.1 / (1 + step),
    ],
    ids=lambda rate: type(rate).__name__,
)
def test_a_schedule_counts_a_step_as_an_epoch(rate):
    """As does a fit whose epochs are one batch; a rate may come to 0."""
    optimizer = fm.SGD(rate, momentum=0.9)
    net, twin, fitted = (network("classes") for _ in range(3))
    fitted.fit(X, LABELS, 5, batch_size=None, optimizer=optimizer, shuffle=False)
    for _ in range(5):
        net.train_on_batch(X, LABELS, optimizer)
        twin.forward(X)
        twin.backward(LABELS)
        twin.update(optimizer)
    assert_same(net, twin)
    assert_same(net, fitted)


@pytest.mark.parametrize(
    ("rate", "error", "words"),
    [
        (fm.CosineDecay(0.1), ValueError, "epochs=10_000"),
        (
            fm.LinearWarmup(fm.CosineDecay(0.1), 5),
            ValueError,
            r"as CosineDecay\(..., epochs=",
        ),
        (fm.OneCycle(0.1), ValueError, "single steps"),
        (fm.Plateau(0.1), TypeError, "use it with fit"),
        (lambda step: -1.0, ValueError, "learning rate of step 0"),
        (lambda step: "1", TypeError, "learning_rate must be a real number"),
    ],
)
def test_schedules_without_epochs(rate, error, words):
    net = network("classes")
    before = net.parameters.copy()
    with pytest.raises(error, match=words):
        net.train_on_batch(X, LABELS, fm.SGD(rate))
    net.forward(X)
    net.backward(LABELS)
    with pytest.raises(error, match=words):
        net.update(fm.SGD(rate))
    np.testing.assert_array_equal(net.parameters, before)


BAD = X.copy()
BAD[3, 2] = np.nan
REFUSED = {
    "y and gradient": ((X, LABELS), {"gradient": VALUES}, TypeError, "got both"),
    "neither": ((X, None), {}, TypeError, "got neither"),
    "weight": ((X, None), {"gradient": VALUES, "sample_weight": WEIGHT}, TypeError, "multiply"),
    "nan": ((BAD, LABELS), {}, ValueError, "X contains NaN at row 3, column 2"),
    "gradient nan": ((X, None), {"gradient": VALUES * np.nan}, ValueError, "gradient contains NaN"),
    "shape": ((X, None), {"gradient": VALUES[:, :2]}, ValueError, r"shape \(24, 3\)"),
    "features": ((X[:, :4], LABELS), {}, ValueError, "X has 4 features"),
    "rows": ((X, LABELS[:5]), {}, ValueError, "y has 5 samples"),
    "no rows": ((X[:0], LABELS[:0]), {}, ValueError, "needs at least 1"),
    "label": ((X, LABELS + 1), {}, ValueError, "labels are 0 to 2"),
    "large label": ((X, LABELS + 2**32), {}, ValueError, "labels are 0 to 2"),
    "weights": ((X, LABELS), {"sample_weight": -WEIGHT}, ValueError, "sample_weight"),
    "threads": ((X, LABELS), {"n_threads": 0}, ValueError, "n_threads"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(case):
    arguments, named, error, words = REFUSED[case]
    net = network("classes")
    net.train_on_batch(X, LABELS, "adam")
    before = [array.copy() for array in state(net)]
    with pytest.raises(error, match=words):
        net.train_on_batch(*arguments, fm.SGD(0.1), **named)
    for array, old in zip(state(net), before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert net.steps == 1


def test_targets_out_of_range():
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        network("sigmoid").train_on_batch(X, 2 * VALUES, "sgd")
    with pytest.raises(ValueError, match="at least 0"):
        network("poisson").train_on_batch(X, VALUES, "sgd")
    with pytest.raises(ValueError, match="LBFGS"):
        network("poisson").train_on_batch(X, POSITIVE, fm.LBFGS())


def test_a_custom_loss_that_raises():
    def loss(outputs, y, gradient):
        raise ZeroDivisionError

    net = network("custom", loss=loss)
    before = net.parameters.copy()
    with pytest.raises(ZeroDivisionError):
        net.train_on_batch(X, VALUES, "adam")
    np.testing.assert_array_equal(net.parameters, before)
    assert net.steps == 0


def test_views_are_left_alone():
    net = network("classes")
    net.forward(X)
    net.backward(LABELS)
    kept = net.nodes[-1].copy(), net.deltas[0].copy(), net.gradients.copy()
    view = net.weights[0]
    net.train_on_batch(X[:5], LABELS[:5], "adam")
    for array, old in zip((net.nodes[-1], net.deltas[0], net.gradients), kept, strict=True):
        np.testing.assert_array_equal(array, old)
    view[...] = 0.5  # and what is written between two steps is what the next one starts from
    twin = network("classes")
    net.reset_optimizer()
    twin.parameters = net.parameters
    for each in (net, twin):
        each.train_on_batch(X, LABELS, fm.SGD(0.1))
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_a_network_that_scales():
    """Gradients are by the outputs in units of y, and by the features as they were passed."""
    net = fm.Network([K, 8, 3], output="identity", dtype="float64", seed=1)
    net.adapt(50 * X + 7, 9 * VALUES - 4)
    twin = reference.Network([K, 8, 3], output="identity", dtype="float64", seed=1)
    twin.adapt(50 * X + 7, 9 * VALUES - 4)
    alone, gradient = net.copy(), RNG.standard_normal((B, 3))
    for each in (net, twin):
        each.forward(50 * X + 7)
        each.backward(gradient=gradient)
    expected = np.einsum("bn,bnk->bk", gradient, net.jacobian(50 * X + 7))
    np.testing.assert_allclose(net.feature_gradients, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(twin.feature_gradients, expected, rtol=1e-5, atol=1e-8)
    net.update(fm.SGD(1e-3))
    alone.train_on_batch(50 * X + 7, None, fm.SGD(1e-3), gradient=gradient)
    np.testing.assert_array_equal(net.parameters, alone.parameters)
    net.forward(50 * X + 7)
    loss = net.backward(9 * VALUES - 4)
    net.update(fm.SGD(1e-3))
    assert alone.train_on_batch(50 * X + 7, 9 * VALUES - 4, fm.SGD(1e-3)) == loss
    np.testing.assert_array_equal(net.parameters, alone.parameters)


def test_frozen_layers_and_rates_of_layers():
    layers = [K, fm.Dense(9, "relu", trainable=False), fm.Dense(8, "relu", rate_factor=0.5), 3]
    nets = [fm.Network(layers, seed=1) for _ in range(3)]
    net, twin, fitted = nets
    optimizer = fm.Adam(0.01, clip_norm=0.5)
    for _ in range(2):
        net.train_on_batch(X, LABELS, optimizer)
        twin.forward(X)
        twin.backward(LABELS)
        twin.update(optimizer)
        fitted.fit(X, LABELS, 1, batch_size=None, optimizer=optimizer, shuffle=False)
    assert_same(net, twin)
    assert_same(net, fitted)
