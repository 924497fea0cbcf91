"""Keras: a network as a model, on any backend."""

import warnings
from importlib import import_module
from typing import Any

import keras
from keras import layers

from fastmlp.data._conversion import Scaling
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.heads import Heads
from fastmlp.layers import ELU, ActivationLike, LeakyReLU
from fastmlp.model.model import Model

# By our name: the activation argument of a dense layer; None means a separate layer.
FUNCTIONS: dict[str, str | None] = {
    "identity": "linear",
    "relu": "relu",
    "leaky_relu": None,  # the function has a negative slope of 0.2
    "elu": "elu",  # as a name with alpha 1
    "selu": "selu",
    "gelu": "gelu",
    "gelu_tanh": None,
    "silu": "silu",
    "mish": "mish",
    "relu6": "relu6",
    "hardswish": "hard_silu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
    "exp": "exponential",
    "softmax": "softmax",
}


def to_keras(net: Model) -> keras.Model:
    """Return the network as a Keras model; see `Network.to_keras`."""
    dtype = str(net.dtype)
    if dtype == "float64" and _widest() == "float32":
        warnings.warn(
            "the JAX backend of Keras rounds weights and features to float32 unless "
            "jax.config.update('jax_enable_x64', True) comes first",
            UserWarning,
            stacklevel=4,
        )
    model = keras.Sequential()
    if net.input_scaling is None:
        model.add(layers.Input((net.features,), dtype=dtype))
    else:
        model.add(layers.Input((net.features,), dtype=_widest()))
        model.add(_rescaling(net.input_scaling, _widest()))
    if (learned := of_inputs(net)) is not None:
        _add_normalization(model, learned, dtype)
    last = net.layers[-1]
    for i in range(len(net.layers) - isinstance(last, Heads)):
        _add_layer(model, net, i)
    if isinstance(last, Heads):
        return _with_heads(net, model, last)
    if net.output_scaling is not None:
        model.add(_rescaling(net.output_scaling, dtype))
    return model


def _add_layer(model: keras.Sequential, net: Model, i: int) -> None:
    """Add layer i of the network."""
    dtype, layer = str(net.dtype), net.layers[i]
    dense = layers.Dense(layer.nodes, dtype=dtype)
    model.add(dense)
    dense.set_weights([net.core.weights(i), net.core.biases(i)])
    learned = of_layer(net, i)
    before = learned is not None and not learned.kind.after_activation
    if learned is not None and before:
        _add_normalization(model, learned, dtype)
    function = _activation_layer_of(layer.activation, dtype)
    if isinstance(function, layers.Layer):
        model.add(function)
    elif before:
        model.add(layers.Activation(function, dtype=dtype))
    else:
        dense.activation = keras.activations.get(function)
    if learned is not None and not before:
        _add_normalization(model, learned, dtype)
    if layer.dropout:
        model.add(layers.Dropout(layer.dropout, dtype=dtype))


def _with_heads(net: Model, shared: keras.Sequential, last: Heads) -> keras.Model:
    """Return a functional model of the `shared` layers and a dense layer for each head."""
    dtype = str(net.dtype)
    start = layers.Input((net.features,), dtype=shared.layers[0].dtype)
    nodes = start
    for layer in shared.layers:
        nodes = layer(nodes)
    weights, biases = net.core.weights(len(net.layers) - 1), net.core.biases(len(net.layers) - 1)
    outputs, first, scaling = {}, 0, net.output_scaling
    for name, head in last.named:
        columns = slice(first, first + head.nodes)
        first += head.nodes
        function = _activation_layer_of(head.activation, dtype)
        follows = isinstance(function, layers.Layer)
        dense = layers.Dense(head.nodes, None if follows else function, dtype=dtype)
        z = dense(nodes)
        dense.set_weights([weights[:, columns], biases[columns]])
        outputs[name] = function(z) if follows else z
        if scaling is not None and head.activation == "identity":
            scale, offset = (part[columns] for part in scaling)
            outputs[name] = _rescaling((scale, offset), dtype)(outputs[name])
    return keras.Model(start, outputs)


def _widest() -> str:
    """Return float64, in which large features such as times in seconds keep their digits."""
    if keras.backend.backend() == "jax" and not import_module("jax").config.jax_enable_x64:
        return "float32"
    return "float64"


def _rescaling(scaling: Scaling, dtype: str) -> Any:
    scale, offset = (part.tolist() for part in scaling)
    return layers.Rescaling(scale, offset, dtype=dtype)


def _activation_layer_of(activation: ActivationLike, dtype: str) -> Any:
    """Return the name of an activation, or a layer where a name does not say all of it."""
    match activation:
        case ELU():
            return layers.ELU(activation.alpha, dtype=dtype)
        case LeakyReLU():
            return layers.LeakyReLU(activation.negative_slope, dtype=dtype)
        case "leaky_relu":
            return layers.LeakyReLU(0.01, dtype=dtype)
        case "gelu_tanh":
            return layers.Activation(_gelu_tanh, dtype=dtype)
    return FUNCTIONS[activation]


@keras.saving.register_keras_serializable("fastmlp")  # type: ignore[untyped-decorator]
def _gelu_tanh(x: Any) -> Any:
    """Return gelu in the form with tanh, which Keras has no name for."""
    return keras.activations.gelu(x, approximate=True)


def _add_normalization(model: keras.Sequential, learned: Learned, dtype: str) -> None:
    kind = learned.kind
    if kind == "layer":
        layer = layers.LayerNormalization(epsilon=kind.epsilon, dtype=dtype)
    else:  # the momentum of Keras is the weight of the old average
        momentum = complement(kind.momentum)
        layer = layers.BatchNormalization(momentum=momentum, epsilon=kind.epsilon, dtype=dtype)
    model.add(layer)
    layer.set_weights([learned.scales, learned.shifts, *learned.averages])


def complement(momentum: float) -> float:
    """Return 1 - momentum without its rounding: 0.01 of 0.99."""
    return round(1.0 - momentum, 12)
