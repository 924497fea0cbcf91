"""Every invalid setting: the type of the error, its message, and that nothing changed."""

import collections
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

import fastmlp as fm

X = np.random.default_rng(5).standard_normal((12, 4)).astype(np.float32)
Y = np.arange(12) % 3


@pytest.fixture
def net():
    return fm.Network([4, 5, 3], seed=1)


BAD_LAYERS = [
    ("64", TypeError, "layers must be a sequence"),
    (64, TypeError, "layers must be a sequence"),
    (None, TypeError, "layers must be a sequence"),
    ({4: 3}, TypeError, "layers must be a sequence"),
    ([], ValueError, "at least one layer"),
    ([64], ValueError, "at least one layer"),
    ([fm.Dense(4, "relu"), 3], TypeError, r"layers\[0\] must be the number of features"),
    ([4, "5", 3], TypeError, r"layers\[1\] must be an integer or a Dense, got '5'"),
    ([4, 5.0, 3], TypeError, r"layers\[1\] must be an integer or a Dense, got 5.0"),
    ([True, 3], TypeError, r"layers\[0\].* got True"),
    ([4, np.True_], TypeError, r"layers\[1\].* got np.True_"),
    ([4, None], TypeError, r"layers\[1\]"),
    ([0, 3], ValueError, r"layers\[0\].* must be at least 1, got 0"),
    ([4, -5, 3], ValueError, r"layers\[1\] must be at least 1, got -5"),
    ([4, fm.Dense(5, "softmax"), 3], ValueError, r"layers\[1\] is a hidden layer"),
    ([2**31, 2**31, 2**31], MemoryError, r"bytes"),
    ([2**63 - 1, 2], MemoryError, r"147,573,952,589,676,412,928 bytes"),
    ([10**30, 10**30], MemoryError, r"bytes"),
    ([2**20, 2**22], MemoryError, r"bytes"),
]


@pytest.mark.parametrize(("layers", "error", "message"), BAD_LAYERS)
def test_layers(layers, error, message):
    with pytest.raises(error, match=message):
        fm.Network(layers)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"activation": "rleu"}, ValueError, "got 'rleu'.*did you mean 'relu'"),
        ({"activation": "ReLU"}, ValueError, "did you mean 'relu'"),
        ({"activation": "softmax"}, ValueError, "softmax is possible in the last layer only"),
        ({"activation": None}, TypeError, "activation must be 'relu', .* or 'identity'"),
        ({"output": "linear"}, ValueError, "output must be 'relu', 'leaky_relu'"),
        ({"output": 3}, TypeError, "output"),
        ({"loss": "mse"}, ValueError, "loss must be 'cross_entropy'"),
        ({"loss": "mean_squared_error"}, ValueError, "needs an output of 'relu'"),
        (
            {"loss": "cross_entropy", "output": "sigmoid"},
            ValueError,
            "needs an output of 'softmax'",
        ),
        ({"loss": "binary_cross_entropy"}, ValueError, "fits 'cross_entropy'"),
        ({"loss": 1}, TypeError, "loss"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 2**64}, ValueError, "seed must be at most 18446744073709551615"),
        ({"seed": 1.0}, TypeError, "seed must be an integer or None, got 1.0"),
        ({"seed": "1"}, TypeError, "seed"),
        ({"seed": True}, TypeError, "seed"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"dtype": "single precision"}, ValueError, "dtype"),
        ({"dtype": ">f4"}, ValueError, "dtype"),
        ({"dtype": np.int64}, ValueError, "dtype"),
        ({"dtype": None}, TypeError, "dtype"),
        ({"dtype": 32}, TypeError, "dtype"),
    ],
)
def test_settings_of_a_network(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.Network([4, 5, 3], **arguments)


@pytest.mark.parametrize(
    ("nodes", "activation", "error"),
    [(0, "relu", ValueError), (1.5, "relu", TypeError), (3, "gulu", ValueError),
     (3, None, TypeError), (True, "relu", TypeError)],
)  # fmt: skip
def test_dense(nodes, activation, error):
    with pytest.raises(error):
        fm.Dense(nodes, activation)


BAD_RATES = [
    (0, ValueError, "learning_rate must be finite and above 0, got 0"),
    (-0.1, ValueError, "above 0"),
    (np.nan, ValueError, "finite"),
    (np.inf, ValueError, "finite"),
    (10**400, ValueError, "finite"),
    ("0.1", TypeError, "learning_rate must be a real number, got '0.1'"),
    (None, TypeError, "learning_rate"),
    (True, TypeError, "learning_rate"),
    (0.1j, TypeError, "learning_rate"),
    ([0.1], TypeError, "learning_rate"),
]


@pytest.mark.parametrize(("rate", "error", "message"), BAD_RATES)
def test_learning_rate(net, assert_unchanged, rate, error, message):
    with pytest.raises(error, match=message):
        fm.SGD(rate)
    if isinstance(rate, str):  # which update reads as the name of an optimizer
        error, message = ValueError, "learning_rate must be 'sgd'"
    with assert_unchanged(net), pytest.raises(error, match=message):
        net.update(rate)


@pytest.mark.parametrize("rate", [1, np.float32(0.5), np.int8(1), Fraction(1, 2)])
def test_learning_rates_of_any_real_type(rate):
    assert fm.SGD(rate).learning_rate == float(rate)


@pytest.mark.parametrize("rate", [1e39, 1e-50])
def test_a_rate_beyond_float32(net, assert_unchanged, rate):
    with assert_unchanged(net), pytest.raises(ValueError, match="in float32"):
        net.fit(X, Y, optimizer=fm.SGD(rate))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 2.0}, TypeError, "epochs must be an integer, got 2.0"),
        ({"epochs": True}, TypeError, "epochs"),
        ({"epochs": 2**32}, ValueError, "epochs must be at most"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": "all"}, TypeError, "batch_size must be an integer or None"),
        ({"optimizer": 0.1}, TypeError, r"optimizer must be an SGD.*SGD\(learning_rate=\.\.\.\)"),
        ({"optimizer": fm.SGD}, TypeError, "optimizer must be an SGD"),
        ({"optimizer": "SGDM"}, ValueError, "optimizer must be .* did you mean 'sgd'"),
        ({"shuffle": "yes"}, TypeError, "shuffle"),
        ({"shuffle": None}, TypeError, "shuffle"),
        ({"shuffle": 2}, ValueError, "shuffle must be True, False"),
        ({"shuffle": np.arange(11)}, ValueError, r"shape \(12,\) or \(3, 12\), got \(11,\)"),
        ({"shuffle": np.zeros((2, 12), int)}, ValueError, r"got \(2, 12\)"),
        ({"shuffle": np.arange(12) + 1}, ValueError, r"in \[0, 12\), got values from 1 to 12"),
        ({"shuffle": np.arange(12) - 1}, ValueError, "from -1 to 10"),
        ({"shuffle": np.arange(12.0)}, TypeError, "float64"),
        ({"shuffle": [True] * 12}, TypeError, "bool"),
        ({"validation_data": X}, TypeError, r"validation_data must be a tuple \(X, y\)"),
        ({"validation_data": (X,)}, ValueError, "got 1 items"),
        ({"validation_data": (X[:, :3], Y)}, ValueError, r"validation_data\[0\] has 3 features"),
        ({"validation_data": (X, Y + 1)}, ValueError, r"validation_data\[1\] contains label 3"),
        ({"validation_data": (X[:0], Y[:0])}, ValueError, r"validation_data\[0\] has 0 samples"),
        ({"verbose": 3}, ValueError, "verbose must be at most 2, got 3"),
        ({"verbose": "yes"}, TypeError, "verbose"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1, got 0"),
        ({"n_threads": -1}, ValueError, "n_threads"),
        ({"n_threads": 1.5}, TypeError, "n_threads must be an integer or None, got 1.5"),
        ({"callbacks": 3}, TypeError, "callbacks must be callable"),
        (
            {"callbacks": [print, 3]},
            TypeError,
            r"callbacks\[1\] must be callable or a Callb",
        ),
    ],
)
def test_arguments_of_fit(net, assert_unchanged, capfd, arguments, error, message):
    with assert_unchanged(net, X, Y), pytest.raises(error, match=message):
        net.fit(X, Y, **({"epochs": 3} | arguments))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("n_threads", [0, -1, 1.0, "1", True])
def test_threads_of_predict_and_evaluate(net, n_threads):
    for call in (lambda: net.predict(X, n_threads=n_threads),
                 lambda: net.evaluate(X, Y, n_threads=n_threads)):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match="n_threads"):
            call()


def test_arguments_are_named_tuples_of_their_kind(net):
    Pair = collections.namedtuple("Pair", "X y")
    assert net.fit(X, Y, epochs=1, validation_data=Pair(X, Y)).validation_loss


def test_update_names_its_own_argument():
    net = fm.Network([2, 2], seed=1)
    net.forward([[1.0, 2.0]])
    net.backward([0])
    with pytest.raises(ValueError, match=r"learning_rate must be 'sgd', .* or 'rmsprop', got 'a'"):
        net.update("a")
    with pytest.raises(TypeError, match=r"learning_rate must be an SGD, .* or RMSprop, or the"):
        net.update(fm.SGD)
    with pytest.raises(ValueError, match=r"optimizer must be 'sgd', .* or 'rmsprop', got 'a'"):
        net.train_on_batch([[1.0, 2.0]], [0], "a")


class Opaque:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((40, 2)), "got an ndarray"),
        (Opaque(), "got an Opaque"),
        ([0] * 100, "got a list"),
    ],
)
def test_articles(value, text):
    with pytest.raises((TypeError, ValueError), match=f"{text}$"):
        fm.Head(value, "identity")


def test_hidden_layers_are_not_offered_softmax():
    with pytest.raises(ValueError, match="activation must be") as caught:
        fm.Network([4, 3, 2], activation="foo")
    assert "softmax" not in str(caught.value)
    with pytest.raises(ValueError, match=r"layers\[1\] is a hidden layer and cannot be softmax"):
        fm.Network([4, 3, 2], activation="softmax")


def test_items_of_layers_cannot_be_deleted(net):
    for views in (net.weights, net.biases, net.trainable):
        with pytest.raises(TypeError, match="cannot be deleted"):
            del views[0]


def test_weights_that_vanish_in_the_type_of_the_network():
    net = fm.Network([1, 2], seed=1)
    with pytest.raises(ValueError, match="sample_weight is 0 in float32 for every sample"):
        net.fit(np.zeros((4, 1)), np.zeros(4, int), 1, sample_weight=np.full(4, 1e-300))
    with pytest.raises(ValueError, match="sample_weight is 0 for every sample"):
        net.fit(np.zeros((4, 1)), np.zeros(4, int), 1, sample_weight=np.zeros(4))


SETTINGS = [
    fm.SGD(0.1),
    fm.Adam(),
    fm.AdamW(),
    fm.RMSprop(),
    fm.LBFGS(),
    fm.StepDecay(0.1, 0.5, 2),
    fm.LinearWarmup(fm.CosineDecay(0.1), 3),
    fm.Plateau(0.1),
    fm.Dense(3, "relu"),
    fm.Head(1, "identity"),
]


@pytest.mark.once
@pytest.mark.parametrize("name", ["lr", "learning_rate", "__doc__"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: type(setting).__name__)
def test_settings_never_change(setting, name):
    kind = type(setting).__name__
    sentence = f"{kind}.{name} cannot be changed or added: make another {kind} with other arguments"
    with pytest.raises(AttributeError, match=re.escape(sentence)):
        setattr(setting, name, 3)
    with pytest.raises(AttributeError, match=re.escape(sentence)):
        delattr(setting, name)
    assert pickle.loads(pickle.dumps(setting)) == setting
