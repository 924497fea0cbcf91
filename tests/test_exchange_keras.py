"""Keras: models to a network and back, and the ONNX files that it writes.

Over 400 lines, as most of them are models, each of which is imported and compared.
"""

import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.layers import ACTIVATIONS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras")
layers = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy


def forward(model: Any, X: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(X, training=False)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_keras_predicts_the_same(activation, dtype, rng, rounding_bound):
    hidden = {"softmax": "relu", "exp": "tanh"}.get(activation, activation)
    net = fm.Network([5, fm.Dense(23, hidden), fm.Dense(4, activation)], seed=3, dtype=dtype)
    model = net.to_keras()
    assert model.built
    assert not model.compiled
    X = rng.standard_normal((50, 5)).astype(np.float32)
    single = fm.Network([5, *net.layers])  # Keras multiplies matrices in float32, of any dtype
    single.parameters = net.parameters
    bound = 2 * rounding_bound(single, X)  # a rounding of the weights more
    assert (np.abs(forward(model, X) - net.predict(X)) <= bound).all()
    again = fm.from_keras(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)


WITH_NUMBERS = [
    fm.Dense(23, fm.LeakyReLU(0.2), fm.BatchNorm(1e-3, 0.01)),
    fm.Dense(23, fm.ELU(0.7), fm.LayerNorm(1e-6)),
    fm.Dense(23, "gelu_tanh", fm.BatchNorm(1e-3, after_activation=True), 0.3),
    fm.Dense(23, "relu", fm.LayerNorm(1e-3, after_activation=True)),
]


@pytest.mark.parametrize("layer", WITH_NUMBERS, ids=repr)
def test_parameters(layer, rng, rounding_bound, random_parts):
    net = random_parts(fm.Network([5, layer, layer, 4], seed=3))
    model = net.to_keras()
    X = rng.standard_normal((30, 5)).astype(np.float32)
    assert (np.abs(forward(model, X) - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_keras(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalization_and_dropout(kind, rng, rounding_bound, random_parts):
    layers = [5, fm.Dense(23, "tanh", kind, 0.3), fm.Dense(7, "identity", kind), 4]
    net = random_parts(fm.Network(layers, seed=3))
    model = net.to_keras()
    X = rng.standard_normal((30, 5)).astype(np.float32)
    assert (np.abs(forward(model, X) - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_keras(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


def trained(*stack: Any) -> Any:
    model = keras.Sequential([layers.Input((5,)), *stack])
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.25, 1.25, w.shape) for w in model.get_weights()])
    return model


def functional() -> Any:
    start = layers.Input((5,))
    nodes = layers.Activation("tanh")(layers.Dense(20)(start))
    return keras.Model(start, layers.Dense(3, "softmax")(nodes))


def twice() -> Any:
    start, dense = layers.Input((5,)), layers.Dense(5)
    return keras.Model(start, dense(dense(start)))


MODELS = {
    "dense": lambda: trained(layers.Dense(20, "relu"), layers.Dense(3, "softmax")),
    "no bias": lambda: trained(layers.Dense(20, use_bias=False), layers.ReLU(), layers.Dense(3)),
    "scaled": lambda: trained(layers.Rescaling(0.5, 1.0), layers.Dense(3, "sigmoid")),
    "batch normalization": lambda: trained(
        layers.BatchNormalization(), layers.Dense(20), layers.BatchNormalization(), layers.ReLU(),
        layers.BatchNormalization(scale=False), layers.Dense(3), layers.Softmax(),
    ),
    "nested": lambda: trained(
        keras.Sequential([layers.Input((5,)), layers.Dense(20, "tanh")]), layers.Dense(3)
    ),
    "functional": functional,
    "a layer twice": twice,
    "celu": lambda: trained(layers.Dense(4, "celu"), layers.Dense(2)),
    "an activation that is a layer": lambda: trained(
        layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.3)), layers.Dense(2)
    ),
    "an activation of operations": lambda: trained(
        layers.Dense(4, activation=lambda z: 2.0 * keras.ops.tanh(z + 1.0)), layers.Dense(2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models_become_a_network(name, rng):
    model = MODELS[name]()
    X = rng.standard_normal((50, 5)).astype(np.float32)
    expected = forward(model, X)
    tolerance = 64 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
    assert np.abs(fm.from_keras(model).predict(X) - expected).max() <= tolerance


def of(operation: Any) -> Any:
    """Return a functional model with a few nodes between operations."""
    start = layers.Input((5,))
    nodes = layers.Dense(4, "tanh")(start)
    return keras.Model(start, operation(layers.Dense(4)(nodes)))


ops, activations = keras.ops, keras.activations
OPERATIONS = {
    "relu": ops.relu,
    "relu6": ops.relu6,
    "selu": ops.selu,
    "silu": ops.silu,
    "hardswish": ops.hard_silu,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "softplus": ops.softplus,
    "exp": ops.exp,
    "softmax": ops.softmax,
    "gelu": activations.gelu,
    "gelu_tanh": ops.gelu,
    "elu": lambda x: ops.elu(x, 0.5),
    "leaky_relu": lambda x: activations.relu(x, negative_slope=0.3),
    "identity": lambda x: ops.reshape(2.0 * x + 1.0, (-1, 4)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_between_layers_are_read(name, rng):
    model = of(OPERATIONS[name])
    X = rng.standard_normal((50, 5)).astype(np.float32)
    expected = forward(model, X)
    net = fm.from_keras(model)
    assert net.layers[-1].activation == name
    tolerance = 64 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
    assert np.abs(net.predict(X) - expected).max() <= tolerance
    if name in ("relu", "softmax", "gelu_tanh", "exp"):  # as the function of a layer, too
        layer = layers.Dense(4, activation=OPERATIONS[name])
        assert fm.from_keras(trained(layer)).layers[-1].activation == name


def test_bounds_are_activations():
    assert fm.from_keras(of(lambda z: ops.maximum(z, 0.0))).layers[-1].activation == "relu"
    assert fm.from_keras(of(lambda z: ops.clip(z, 0.0, 6.0))).layers[-1].activation == "relu6"
    for other in (lambda z: ops.maximum(z, 1.0), lambda z: ops.clip(z, 0.0, np.ones(4))):
        with pytest.raises(ValueError, match="not supported; beside layers a model may have"):
            fm.from_keras(of(other))


def test_arithmetic_before_layers_is_scaling(rng):
    start = layers.Input((5,))
    shift = np.float32([1, 2, 3, 4, 5])
    model = keras.Model(start, layers.Dense(3)((1.0 - (start - shift) / 2.0) * 4.0))
    net = fm.from_keras(model)
    assert net.input_scale.tolist() == [-2] * 5
    assert net.input_offset.tolist() == [6, 8, 10, 12, 14]
    X = rng.standard_normal((9, 5)).astype(np.float32)
    np.testing.assert_allclose(net.predict(X), forward(model, X), rtol=0, atol=1e-5)  # up to 30


def test_nested_functional_models_are_read(rng):
    inner = functional()
    start = layers.Input((5,))
    model = keras.Model(start, layers.Dense(2)(layers.Dense(5)(inner(start)[:, None])[:, 0]))
    with pytest.raises(ValueError, match="GetItem"):
        fm.from_keras(model)
    start = layers.Input((5,))
    model = keras.Model(start, layers.Dense(2, "softmax")(of(ops.tanh)(start)))
    X = rng.standard_normal((9, 5)).astype(np.float32)
    np.testing.assert_allclose(fm.from_keras(model).predict(X), forward(model, X), atol=1e-6)


class Doubled(layers.Dense):
    def call(self, x: Any, training: Any = None) -> Any:
        return 2 * super().call(x)


class DoubledSequential(keras.Sequential):
    def call(self, x: Any, training: Any = None, mask: Any = None) -> Any:
        return 2 * super().call(x)


def residual() -> Any:
    start = layers.Input((5,))
    return keras.Model(start, layers.Add()([layers.Dense(5)(start), start]))


REFUSED = {
    r"\(Doubled\): not supported, or with a call of its own": lambda: trained(Doubled(3)),
    "must be a Sequential or a functional model": lambda: DoubledSequential(
        [layers.Input((5,)), layers.Dense(3)]
    ),
    "layer 'add.*' has several inputs; a network": lambda: of(lambda x: x + ops.tanh(x)),
    r"\(TrueDivide\): not supported; beside layers": lambda: of(lambda x: 1.0 / x),
    r"\(ReLU\): not supported; beside layers": lambda: of(
        lambda x: activations.relu(x, threshold=1.0)
    ),
    "changes the order of the features": lambda: keras.Sequential(
        [layers.Input((2, 3)), layers.Flatten(data_format="channels_first"), layers.Dense(3)]
    ),
    "takes 3 nodes, but gets 6": lambda: keras.Sequential([layers.Input((2, 3)), layers.Dense(3)]),
    "'hard_sigmoid'|HardSigmoid": lambda: trained(layers.Dense(3, "hard_sigmoid")),
    "follows a softmax": lambda: trained(layers.Dense(3, "softmax"), layers.Dense(2)),
    r"\(Dropout\)": lambda: trained(
        layers.Dense(3, "relu"), layers.Dropout(0.5, noise_shape=(None, 1)), layers.Dense(2)
    ),
    r"\(ReLU\): only with max_value None": lambda: trained(
        layers.Dense(3), layers.ReLU(max_value=0.0)
    ),
    r"\(Conv1D\)": lambda: keras.Sequential([layers.Input((5, 1)), layers.Conv1D(2, 3)]),
    "several inputs": residual,
    "not built": lambda: keras.Sequential([layers.Dense(3)]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_other_models_are_refused(message):
    with pytest.raises(ValueError, match=message):
        fm.from_keras(REFUSED[message]())


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_models_with_a_call_of_their_own_are_refused():
    model = Subclassed()
    model(np.ones((2, 5), np.float32))
    with pytest.raises(ValueError, match="must be a Sequential or a functional model"):
        fm.from_keras(model)


def test_log_softmax_at_the_end_becomes_probabilities(rng):
    model = trained(layers.Dense(4, "tanh"), layers.Dense(3, "log_softmax"))
    with pytest.warns(UserWarning, match="ends with the logarithm of softmax"):
        net = fm.from_keras(model)
    assert fm.from_keras(model, output="softmax").layers == net.layers  # and does not warn
    X = rng.standard_normal((9, 5)).astype(np.float32)
    np.testing.assert_allclose(net.predict(X), np.exp(forward(model, X)), atol=1e-6)


def test_low_precision_is_refused_unless_not_compared():
    model = trained(layers.Dense(4, "relu", dtype="mixed_bfloat16"), layers.Dense(3))
    with pytest.raises(ValueError, match=r"layer 'dense.*' computes in bfloat16"):
        fm.from_keras(model)
    assert fm.from_keras(model, verify=False).dtype == np.float32


def test_a_network_read_wrongly_is_refused(monkeypatch):
    model = trained(layers.Dense(4, "relu"), layers.Dense(3))
    names = "fastmlp.exchange.keras_operations._ACTIVATIONS"
    monkeypatch.setattr("fastmlp.exchange.keras_operations.relu_of", lambda _: "relu6")
    monkeypatch.setattr(names, {"Relu": "relu6"})
    place = r"from layer 'dense.*' \(Dense\) on: in row \d of 8 random rows, output \d, the model"
    with pytest.raises(ValueError, match=place):
        fm.from_keras(model)
    assert fm.from_keras(model, verify=False).layers[0].activation == "relu6"


def test_the_place_where_a_functional_model_was_read_wrongly_is_named(monkeypatch):
    start = layers.Input((5,))
    hidden = keras.Sequential([layers.Dense(4), layers.ReLU(name="bent")])(start / 2.0)
    model = keras.Model(start, layers.Dense(3)(hidden))
    monkeypatch.setattr("fastmlp.exchange.keras.relu_of", lambda _: "silu")
    with pytest.raises(ValueError, match=r"from layer 'bent' \(ReLU\) on: in row"):
        fm.from_keras(model)


def test_the_model_stays_as_it_is():
    model = trained(layers.Dense(4, "relu", activity_regularizer="l2"), layers.Dense(3))
    model(np.ones((2, 5), np.float32))
    weights = model.get_weights()
    losses = [float(keras.ops.convert_to_numpy(loss)) for loss in model.losses]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    fm.from_keras(model)
    assert all(map(np.array_equal, weights, model.get_weights()))
    assert [float(keras.ops.convert_to_numpy(loss)) for loss in model.losses] == losses
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="got Dense"):
        fm.from_keras(layers.Dense(3))


@pytest.mark.parametrize("name", MODELS)
def test_what_its_exporter_writes(name, rng, tmp_path):
    pytest.importorskip("onnx")
    if keras.backend.backend() == "jax":
        pytest.importorskip("tf2onnx")
    model = MODELS[name]()
    X = rng.standard_normal((50, 5)).astype(np.float32)
    expected = forward(model, X)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(path, format="onnx", verbose=False)
    tolerance = 64 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
    assert np.abs(fm.from_onnx(path).predict(X) - expected).max() <= tolerance


def test_heads(dtype, rng, rounding_bound):
    heads = {f"a/{name}": fm.Head(2 + i % 2, name) for i, name in enumerate(ACTIVATIONS)}
    heads |= {"dense": fm.Head(1, fm.LeakyReLU(0.3)), "input_layer": fm.Head(1, fm.ELU(0.5))}
    for hidden in ([], [fm.Dense(9, "tanh", "batch")]):
        net = fm.Network([5, *hidden, fm.Heads(**heads)], seed=3, dtype=dtype)
        net.adapt(rng.standard_normal((30, 5)) * 50 + 3)
        model = net.to_keras()
        X = rng.standard_normal((40, 5)) * 50 + 3
        outputs = model(X, training=False)
        assert set(outputs) == set(heads)
        single = fm.Network([5, *net.layers])  # Keras multiplies matrices in float32, of any dtype
        single.parameters = net.parameters
        single.input_scale, single.input_offset = net.input_scale, net.input_offset
        bounds = net.split(rounding_bound(single, X))
        for name, ours, bound in zip(heads, net.split(net.predict(X)), bounds, strict=True):
            theirs = np.asarray(keras.ops.convert_to_numpy(outputs[name]))
            assert (np.abs(theirs - ours) <= 2 * bound).all()
        again = fm.from_keras(model)
        assert again.layers == net.layers
        assert again.predict(X).tobytes() == net.predict(X).tobytes()


def test_a_model_with_heads_trains_by_their_names(rng):
    net = fm.Network([4, 8, fm.Heads(b=fm.Head(3, "softmax"), a=fm.Head(1, "identity"))], seed=1)
    model = net.to_keras()
    losses = {"a": "mse", "b": "sparse_categorical_crossentropy"}
    model.compile("sgd", loss=losses)
    X, a, b = rng.standard_normal((32, 4)), rng.standard_normal(32), rng.integers(0, 3, 32)
    history = model.fit(X, {"a": a, "b": b}, epochs=1, batch_size=32, shuffle=False, verbose=0)
    expected = net.evaluate(X, {"a": a, "b": b})
    assert history.history["loss"][0] == pytest.approx(expected.loss, rel=1e-5)


def shared_with(*heads: Any) -> Any:
    start = layers.Input((5,))
    nodes = layers.Dense(6, "tanh")(layers.Rescaling(0.5, 1.0)(start))
    return keras.Model(start, {f"head {i}": head(nodes) for i, head in enumerate(heads)})


def test_models_with_several_outputs_become_heads(rng):
    def normalized(nodes: Any) -> Any:
        return layers.Softmax()(layers.BatchNormalization()(layers.Dense(3)(nodes)))

    model = shared_with(layers.Dense(2), lambda nodes: 2.0 * layers.Dense(1)(nodes), normalized)
    net = fm.from_keras(model)
    assert [(name, head.nodes, head.activation) for name, head in net.heads.items()] == [
        ("head 0", 2, "identity"),
        ("head 1", 1, "identity"),
        ("head 2", 3, "softmax"),
    ]
    X = rng.standard_normal((20, 5)).astype(np.float32)
    outputs = model(X, training=False)
    for name, ours in zip(net.heads, net.split(net.predict(X)), strict=True):
        np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(outputs[name]), atol=1e-5)
    start = layers.Input((5,))
    listed = keras.Model(
        start, [layers.Dense(1, name="v")(start), layers.Dense(2, name="p")(start)]
    )
    assert list(fm.from_keras(listed).heads) == ["v", "p"]


def same(nodes: Any) -> Any:
    return nodes


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([layers.Dense(2), same], "output 'head 1': a head is one dense layer"),
        (
            [layers.Dense(2), lambda nodes: layers.Dense(2)(layers.Dense(4, "tanh")(nodes))],
            "output 'head 1': a head is one dense layer",
        ),
        ([layers.Dense(2), lambda nodes: nodes + layers.Dense(6)(nodes)], "has several inputs"),
        (
            [layers.Dense(2), lambda nodes: layers.Dropout(0.5)(layers.Dense(2)(nodes))],
            "no dropout",
        ),
        ([layers.Dense(2), lambda nodes: layers.Dense(1)(layers.Rescaling(2.0)(nodes))], "a head"),
        ([layers.Dense(2), lambda nodes: layers.Dense(1, "tanh")(nodes) * 2.0], "a head"),
        ([layers.Dense(2), Doubled(3)], "with a call of its own"),
    ],
)
def test_several_outputs_that_are_no_heads(heads, message):
    with pytest.raises(ValueError, match=message):
        fm.from_keras(shared_with(*heads))


def test_digits_that_the_backend_loses_are_announced(monkeypatch):
    monkeypatch.setattr("fastmlp.exchange.keras_export._widest", lambda: "float32")
    with pytest.warns(UserWarning, match="rounds weights and features to float32"):
        fm.Network([5, 3], dtype="float64", seed=1).to_keras()


COMPOSED = {
    "silu": lambda x: x * ops.sigmoid(x),
    "mish": lambda x: x * ops.tanh(ops.softplus(x)),
    "gelu": lambda x: 0.5 * x * (1 + ops.erf(x * 0.5**0.5)),
    "hardswish": lambda x: x * ops.relu6(x + 3) / 6,
}


@pytest.mark.parametrize("name", COMPOSED)
def test_functions_of_several_operations_are_read_as_activations(name):
    model = keras.Sequential([layers.Input((5,)), layers.Dense(4, COMPOSED[name]), layers.Dense(3)])
    assert fm.from_keras(model).layers[0].activation == name  # which compares


def test_other_products_are_refused():
    model = keras.Sequential([layers.Input((5,)), layers.Dense(4, lambda x: x * x)])
    with pytest.raises(ValueError, match="activation '<lambda>'; a model may have"):
        fm.from_keras(model)
