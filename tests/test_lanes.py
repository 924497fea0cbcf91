"""Networks that `train_many` trains in lanes: the bits are those of each one's fit."""

import signal
import threading

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.layers.activations import ACTIVATIONS

OPTIMIZERS = [
    fm.SGD(0.1),
    fm.SGD(0.05, momentum=0.9),
    fm.SGD(0.05, momentum=0.9, nesterov=True),
    fm.SGD(fm.CosineDecay(0.1)),
    fm.SGD(0.1, l1=0.01, l2=0.01),
    fm.SGD(0.1, l2=0.1, decay_biases=False),
    fm.SGD(0.1, clip_value=0.01),
    fm.Adam(0.01),
    fm.AdamW(fm.CosineDecay(0.01)),
    fm.RMSprop(0.01),
    fm.RMSprop(0.01, momentum=0.5),
]


def samples(layers, output, dtype, n=50):
    rng = np.random.default_rng(sum(layers))
    X, shape = 0.3 * rng.normal(size=(n, layers[0])), (n, layers[-1])
    y = {
        "softmax": rng.integers(0, layers[-1], n),
        "sigmoid": rng.integers(0, 2, shape).astype(dtype),
        "exp": rng.poisson(2, shape).astype(dtype),
    }.get(output, rng.normal(size=shape).astype(dtype))
    return X.astype(dtype), y


def compare(
    layers,
    dtype,
    count=17,
    optimizer=OPTIMIZERS[0],
    threads=None,
    n=50,
    batch=16,
    weight=None,
    **settings,
):
    """Train networks together and alone, twice."""
    X, y = samples(layers, settings.get("output", "softmax"), dtype, n)
    networks = fm.Networks(layers, count, seed=5, dtype=dtype, **settings)
    alone = [fm.Network(layers, seed=5 + i, dtype=dtype, **settings) for i in range(count)]
    for epochs in (2, 1):
        many = fm.train_many(
            networks, X, y, epochs, batch, optimizer, sample_weight=weight, n_threads=threads
        )
        for i, (network, own, history) in enumerate(zip(networks, alone, many, strict=True)):
            its_weight = weight[i] if np.ndim(weight) == 2 else weight
            expected = own.fit(X, y, epochs, batch, optimizer, sample_weight=its_weight)
            np.testing.assert_array_equal(network.parameters, own.parameters)
            assert history.loss == expected.loss
            assert (network.epoch, network.steps) == (own.epoch, own.steps)
            np.testing.assert_array_equal(network.predict(X), own.predict(X))
            for name, moment in own.optimizer_state.items():
                np.testing.assert_array_equal(network.optimizer_state[name], moment)


@pytest.mark.parametrize(
    "layers",
    [[8, 16, 3], [5, 2], [20, 24, 2], [10, 32, 32, 3], [1, 17, 16, 2], [33, 7, 4], [17, 16, 5, 20]],
)
@pytest.mark.parametrize("output", ["softmax", "identity", "sigmoid", "exp"])
def test_layers_and_losses(layers, output, dtype):
    compare(layers, dtype, output=output, optimizer=fm.SGD(0.01))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_optimizers(optimizer, dtype):
    compare([8, 16, 3], dtype, optimizer=optimizer)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_activations(activation, dtype):
    compare([6, 9, 3], dtype, activation=activation, optimizer=fm.SGD(0.01))


@pytest.mark.parametrize("layers", [[20, 24, 2], [33, 32, 5, 4]])
def test_batches_in_several_blocks(layers, dtype):
    compare(layers, dtype, n=230, batch=150, optimizer=fm.SGD(0.01))


@pytest.mark.parametrize("features", [*range(1, 20), 33, 40])
def test_features_are_gathered_in_any_number(features, dtype):
    compare([features, 2], dtype, 16, n=39, batch=19)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("layers", [[8, 16, 1], [20, 25, 1], [2, 3, 5, 1]])
def test_one_output(layers, activation, dtype):
    compare(layers, dtype, output="identity", activation=activation, optimizer=fm.SGD(0.01))


@pytest.mark.parametrize("features", [*range(1, 18), 32])
def test_zeros_keep_their_signs(features, dtype):
    rng = np.random.default_rng(features)
    networks = fm.Networks([features, 3], 16, output="identity", seed=0, dtype=dtype)
    networks.parameters = np.copysign(0, rng.normal(size=networks.parameters.shape))
    X = np.copysign(0, rng.normal(size=(40, features)))
    own = [np.signbit(network.predict(X)) for network in networks]
    np.testing.assert_array_equal(np.signbit(networks.predict(X)), own)
    # Of products and biases that are all -0.
    networks.parameters = -np.zeros(networks.parameters.shape)
    own = [np.signbit(network.predict(abs(X))) for network in networks]
    np.testing.assert_array_equal(np.signbit(networks.predict(abs(X))), own)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_dropout(activation, dtype):
    compare([6, 17, 5, 3], dtype, activation=activation, dropout=0.3)


def test_dropout_in_blocks():
    compare([33, 32, 20, 4], "float32", n=150, batch=100, dropout=0.5, optimizer=fm.Adam(0.01))


@pytest.mark.parametrize("optimizer", [fm.SGD(0.1), fm.Adam(0.01), fm.SGD(0.1, l2=0.1)], ids=str)
def test_sample_weights(optimizer, dtype):
    weight = np.random.default_rng(2).uniform(0.1, 3.0, 50)
    compare([8, 16, 3], dtype, optimizer=optimizer, weight=weight)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_samples_of_weight_0(optimizer, activation, dtype):
    weight = np.arange(50.0) % 3
    compare([8, 16, 3], dtype, optimizer=optimizer, weight=weight, activation=activation)


@pytest.mark.parametrize("settings", [{"dropout": 0.4}, {"output": "identity"}], ids=str)
@pytest.mark.parametrize("optimizer", [fm.Adam(0.01), fm.SGD(0.1, clip_norm=0.1)], ids=str)
def test_batches_in_which_no_sample_counts(optimizer, settings, dtype):
    """They are no step, each time of other networks; one is the last of an epoch."""
    weights = np.random.default_rng(4).random((17, 31)) < 0.2
    weights[:, 7] = True
    compare([8, 16, 3], dtype, optimizer=optimizer, weight=weights * 2.0, n=31, batch=3, **settings)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_samples_of_weight_0_may_be_anything(activation):
    X, y = samples([8, 16, 3], "identity", "float64")
    weight = np.arange(50.0) % 4
    settings = {"activation": activation, "output": "identity", "dtype": "float64"}
    networks, clean = (fm.Networks([8, 16, 3], 16, seed=5, **settings) for _ in range(2))
    fm.train_many(clean, X, y, 2, 16, "adam", sample_weight=weight)
    X[weight == 0], y[weight == 0] = 1e300, -1e300
    fm.train_many(networks, X, y, 2, 16, "adam", sample_weight=weight)
    np.testing.assert_array_equal(networks.parameters, clean.parameters)


NORMALIZATIONS = ["batch", "layer", fm.BatchNorm(0.01, after_activation=True)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("kind", NORMALIZATIONS, ids=str)
def test_normalization(kind, optimizer, dtype):
    compare([8, 17, 5, 3], dtype, optimizer=optimizer, normalization=kind, dropout=0.2)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("kind", NORMALIZATIONS, ids=str)
def test_normalization_of_samples_that_count(kind, activation, dtype):
    """Batches of one that counts, and of none, each time of other networks."""
    weight = 2.0 * (np.random.default_rng(4).random((17, 31)) < 0.3)
    weight[:, :9] = 1
    settings = {"normalization": kind, "input_normalization": kind, "activation": activation}
    if getattr(kind, "after_activation", False):
        settings["input_normalization"] = fm.BatchNorm(momentum=0.7)
    compare([8, 16, 3], dtype, 17, fm.Adam(0.01), n=31, batch=3, weight=weight, **settings)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalization_of_large_batches(kind, dtype):
    compare([20, 24, 2], dtype, 16, fm.Adam(0.01), n=230, batch=150, normalization=kind)


@pytest.mark.parametrize("kind", NORMALIZATIONS, ids=str)
def test_normalization_of_frozen_layers(kind, dtype):
    first = fm.Dense(9, "relu", normalization=kind)
    layers = [6, first, fm.Dense(7, "tanh", normalization=kind), fm.Dense(3, "softmax")]
    for frozen in (0, 1):
        compare_layers(layers, dtype, fm.SGD(0.1, clip_norm=0.5), frozen)


MEAN_LOSSES = {
    "mean_squared_error": "identity",
    "mean_absolute_error": "identity",
    "huber": "identity",
    "binary_cross_entropy": "sigmoid",
    "poisson": "exp",
}


@pytest.mark.parametrize("outputs", [1, 3, 19])
@pytest.mark.parametrize("loss", MEAN_LOSSES)
def test_weights_of_losses(loss, outputs, dtype):
    weights = (np.arange(outputs) + 1) % 3 / 2
    settings = {"loss": loss, "output": MEAN_LOSSES[loss], "loss_weights": weights}
    compare([6, 9, outputs], dtype, optimizer=fm.SGD(0.01), **settings)
    compare([6, 9, outputs], dtype, 17, fm.SGD(0.01), weight=np.arange(50.0) % 3, **settings)


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error", "huber"])
@pytest.mark.parametrize("loss_weights", [None, [1.0, 0.0, 0.5]])
@pytest.mark.parametrize("weight", [None, np.arange(50.0) % 3], ids=["", "weights"])
def test_scaled_outputs(weight, loss_weights, loss, dtype):
    X, y = samples([6, 9, 3], "identity", dtype)
    settings = {"loss": loss, "output": "identity", "loss_weights": loss_weights, "dtype": dtype}
    networks, alone = (
        [fm.Network([6, 9, 3], seed=i, **settings) for i in range(17)] for _ in range(2)
    )
    for i, (net, own) in enumerate(zip(networks, alone, strict=True)):
        for each in (net, own):
            each.adapt(X, (i + 1) * y + i)
    fm.train_many(networks, X, 3 * y, 2, 16, fm.SGD(0.01), sample_weight=weight)
    expected = [own.fit(X, 3 * y, 2, 16, fm.SGD(0.01), sample_weight=weight) for own in alone]
    again = fm.train_many(networks, X, 3 * y, 1, 16, "adam", sample_weight=weight)
    assert again == [own.fit(X, 3 * y, 1, 16, "adam", sample_weight=weight) for own in alone]
    assert len(expected) == 17
    for net, own in zip(networks, alone, strict=True):
        np.testing.assert_array_equal(net.parameters, own.parameters)


def test_a_constant_output_beside_scaled_ones(dtype):
    X, y = samples([6, 9, 3], "identity", dtype)
    y[:, 1] = 5
    settings = {"output": "identity", "dtype": dtype}
    networks = [fm.Network([6, 9, 3], seed=i, **settings) for i in range(16)]
    alone = [fm.Network([6, 9, 3], seed=i, **settings) for i in range(16)]
    many = fm.train_many(networks, X, y, 2, standardize=True)
    assert many == [own.fit(X, y, 2, standardize=True) for own in alone]
    for net, own in zip(networks, alone, strict=True):
        np.testing.assert_array_equal(net.parameters, own.parameters)


@pytest.mark.parametrize("layers", [[8, 16, 3], [5, 17, 20, 2]])
@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6])
def test_clipping_by_the_norm(layers, clip, dtype):
    compare(layers, dtype, optimizer=fm.SGD(0.2, clip_norm=clip, momentum=0.5))


def test_clipping_with_penalties_weights_and_limits():
    weight = np.random.default_rng(2).uniform(0.1, 3.0, 50)
    optimizer = fm.Adam(0.02, clip_norm=0.3, clip_value=0.1, l2=0.01)
    compare([8, 20, 3], "float32", optimizer=optimizer, weight=weight, dropout=0.2)


def test_frozen_layers_and_rates_of_layers(dtype):
    frozen = fm.Dense(9, "relu", trainable=False)
    layers = [6, frozen, fm.Dense(7, "tanh", rate_factor=0.25), fm.Dense(3, "softmax")]
    for optimizer in (fm.SGD(0.1, clip_norm=0.5), fm.Adam(0.01)):
        compare_layers(layers, dtype, optimizer)


def compare_layers(layers, dtype, optimizer, frozen=None):
    """Train networks together and alone, all of them and without a layer."""
    X, y = samples([6, 3], "softmax", dtype)
    many, alone = ([fm.Network(layers, seed=i, dtype=dtype) for i in range(18)] for _ in range(2))
    for trainable in (True, False):
        fm.train_many(many, X, y, 2, 16, optimizer)
        for network, own in zip(many, alone, strict=True):
            own.fit(X, y, 2, 16, optimizer)
            np.testing.assert_array_equal(network.parameters, own.parameters)
            np.testing.assert_array_equal(network.predict(X), own.predict(X))
        if frozen is None:
            break
        for network in (*many, *alone) if trainable else ():
            network.trainable[frozen] = False


@pytest.mark.parametrize("loss", ["mean_absolute_error", fm.Huber(0.5), fm.Quantile(0.2)])
def test_losses_by_name(loss, dtype):
    compare([6, 16, 2], dtype, output="tanh", loss=loss)


def test_label_smoothing(dtype):
    compare([6, 16, 3], dtype, loss=fm.CrossEntropy(label_smoothing=0.1))


@pytest.mark.parametrize("count", [1, 7, 8, 15, 16, 33])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number(count, threads):
    compare([4, 6, 3], "float32", count, threads=threads)


def test_all_kinds_beside_each_other():
    """Shapes, rates, penalties, and what lanes do not take, in turns."""
    X, y = samples([6, 3], "softmax", "float32", 60)
    kinds = [
        {"layers": [6, 8, 3]},
        {"layers": [6, 8, 3], "normalization": "batch"},
        {"layers": [6, 5, 3], "activation": "tanh"},
        {"layers": [6, 8, 3], "dropout": 0.2},
    ]
    many, alone = ([fm.Network(**kinds[i % 4], seed=i) for i in range(80)] for _ in range(2))
    optimizers = [fm.SGD(0.02 * (1 + i % 7), l2=0.01 * (i % 3)) for i in range(80)]
    rows = [np.arange(60) % 5 != 0 for _ in range(80)]
    rows = [np.flatnonzero(np.roll(chosen, i)) for i, chosen in enumerate(rows)]
    fm.train_many(many, X, y, 3, 16, optimizers, rows=rows)
    for network, own, optimizer, chosen in zip(many, alone, optimizers, rows, strict=True):
        own.fit(X[chosen], y[chosen], 3, 16, optimizer)
        np.testing.assert_array_equal(network.parameters, own.parameters)


def test_without_shuffling():
    X, y = samples([4, 3], "softmax", "float32")
    networks = fm.Networks([4, 6, 3], 16, seed=1)
    fm.train_many(networks, X, y, 2, 16, shuffle=False)
    own = fm.Network([4, 6, 3], seed=9)
    own.fit(X, y, 2, 16, shuffle=False)
    np.testing.assert_array_equal(networks[8].parameters, own.parameters)


def test_one_that_diverges_leaves_the_others():
    X, y = samples([4, 1], "identity", "float32")
    rates = [1e30 if i in (3, 20) else 0.05 for i in range(33)]
    networks = fm.Networks([4, 6, 1], 33, output="identity", seed=1)
    results = fm.train_many(
        networks, X, y, 3, 16, [fm.SGD(rate) for rate in rates], on_divergence="return"
    )
    for i, (network, result) in enumerate(zip(networks, results, strict=True)):
        own = fm.Network([4, 6, 1], output="identity", seed=1 + i)
        if rates[i] < 1:
            own.fit(X, y, 3, 16, fm.SGD(rates[i]))
        else:
            with pytest.raises(fm.DivergenceError) as alone:
                own.fit(X, y, 3, 16, fm.SGD(rates[i]))
            assert isinstance(result, fm.DivergenceError)
            assert (result.epoch, str(result.loss)) == (alone.value.epoch, str(alone.value.loss))
        assert (network.epoch, network.steps) == (own.epoch, own.steps)
        np.testing.assert_array_equal(network.parameters, own.parameters)


def test_interrupted_in_the_middle():
    X, y = samples([4, 3], "softmax", "float32", 500)
    networks = fm.Networks([4, 6, 3], 16, seed=1)
    for pause in (0.1, 1, 10):  # on a busy machine the first step may take long
        timer = threading.Timer(pause, signal.raise_signal, [signal.SIGINT])
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (nothing else raises it)
            timer.start()
            fm.train_many(networks, X, y, 10**7, 16, n_threads=1)
        timer.join()
        if networks[0].steps:
            break
    own = fm.Network([4, 6, 3], seed=1)
    steps = networks[0].steps
    assert steps > 0
    assert {network.steps for network in networks} <= {0, steps}  # some may not have begun
    epochs, rest = divmod(steps, 32)  # of 16 samples of 500
    if epochs:
        own.fit(X, y, epochs, 16)
    if rest:
        own.fit(X, y, 1, 16, callbacks=StopAfter(rest))
    np.testing.assert_array_equal(networks[0].parameters, own.parameters)


class StopAfter(fm.Callback):
    """Stop a fit in the middle of an epoch."""

    def __init__(self, steps):
        self.steps = steps

    def on_batch_end(self, network, step, loss):
        return step + 1 >= self.steps


def test_rounds_with_what_fit_takes():
    X, y = samples([6, 3], "softmax", "float32", 90)
    options = {
        "validation_fraction": 0.2,
        "class_weight": "balanced",
        "early_stopping": True,
        "optimizer": fm.Adam(0.02, clip_norm=0.5),
        "batch_size": 20,
    }
    settings = {"dropout": 0.2, "normalization": "batch"}
    many, alone = ([fm.Network([6, 12, 3], seed=i, **settings) for i in range(17)] for _ in "ab")
    results = fm.train_many(many, X, y, 6, callbacks=lambda *_: None, **options)
    for network, own, result in zip(many, alone, results, strict=True):
        assert own.fit(X, y, 6, **options).loss == result.loss
        np.testing.assert_array_equal(network.parameters, own.parameters)


@pytest.mark.parametrize("settings", [{}, {"normalization": "batch"}], ids=str)
@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_moving_averages(decay, settings, dtype):
    X, y = samples([6, 3], "softmax", dtype)
    settings = {**settings, "dtype": dtype}
    many, alone = ([fm.Network([6, 12, 3], seed=i, **settings) for i in range(16)] for _ in "ab")
    for ema in (decay, None, decay, 0.9):  # continued, paused, continued, begun again
        fm.train_many(many, X, y, 2, 16, ema=ema)
        for network, own in zip(many, alone, strict=True):
            own.fit(X, y, 2, 16, ema=ema)
            np.testing.assert_array_equal(network.parameters, own.parameters)
            averages = [each.averaged() for each in (network, own)]
            np.testing.assert_array_equal(*(each.parameters for each in averages))
            np.testing.assert_array_equal(*(each.predict(X) for each in averages))
