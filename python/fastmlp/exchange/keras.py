"""Keras: conversion of models of dense layers from and to networks, on any backend."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, cast

import keras
import numpy as np
from keras import layers

from fastmlp._validation import brief
from fastmlp.data._arrays import Scaling
from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.steps import (
    Activation,
    BatchNormalization,
    Dropout,
    LayerNormalization,
    Linear,
    Scale,
    Step,
)
from fastmlp.layers import ELU, ActivationLike, ActivationName, LeakyReLU, numbers_of
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

# By our name: the activation argument of a dense layer; None means a separate layer.
_FUNCTIONS: dict[str, str | None] = {
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
_NAMES = {theirs: ours for ours, theirs in _FUNCTIONS.items() if theirs is not None}
_ALLOWED = (
    "Dense, Activation, ReLU, LeakyReLU, ELU, Softmax(-1), BatchNormalization, "
    "LayerNormalization, Dropout, Flatten, Normalization, Rescaling and nested Sequential, "
    f"with the activations {', '.join(_NAMES)}"
)


def to_keras(net: Model) -> keras.Sequential:
    """Return the network as a ``keras.Sequential``; see `Network.to_keras`."""
    dtype = str(net.dtype)
    model = keras.Sequential()
    if net.input_scaling is None:
        model.add(layers.Input((net.features,), dtype=dtype))
    else:
        model.add(layers.Input((net.features,), dtype=_widest()))
        model.add(_rescaling(net.input_scaling, _widest()))
    for i, layer in enumerate(net.layers):
        dense = layers.Dense(layer.nodes, dtype=dtype)
        model.add(dense)
        dense.set_weights([net.core.weights(i), net.core.biases(i)])
        after = layer.normalization is not None and numbers_of(layer.normalization).after_activation
        if layer.normalization is not None and not after:
            _add_normalization(model, net, i)
        function = _activation_layer_of(layer.activation, dtype)
        if isinstance(function, layers.Layer):
            model.add(function)
        elif layer.normalization is not None and not after:
            model.add(layers.Activation(function, dtype=dtype))
        else:
            dense.activation = keras.activations.get(function)
        if after:
            _add_normalization(model, net, i)
        if layer.dropout:
            model.add(layers.Dropout(layer.dropout, dtype=dtype))
    if net.output_scaling is not None:
        model.add(_rescaling(net.output_scaling, dtype))
    return model


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
    return _FUNCTIONS[activation]


@keras.saving.register_keras_serializable("fastmlp")  # type: ignore[untyped-decorator]
def _gelu_tanh(x: Any) -> Any:
    """Return gelu in the form with tanh, which Keras has no name for."""
    return keras.activations.gelu(x, approximate=True)


def _add_normalization(model: keras.Sequential, net: Model, i: int) -> None:
    weights = [net.core.scales(i), net.core.shifts(i)]
    dtype = str(net.dtype)
    numbers = numbers_of(net.layers[i].normalization)
    if numbers == "layer":
        layer = layers.LayerNormalization(epsilon=numbers.epsilon, dtype=dtype)
    else:  # the momentum of Keras is the weight of the old average
        momentum = _complement(numbers.momentum)
        layer = layers.BatchNormalization(momentum=momentum, epsilon=numbers.epsilon, dtype=dtype)
        weights += [net.core.running_means(i), net.core.running_variances(i)]
    model.add(layer)
    layer.set_weights(weights)


def from_keras(model: object, output: str | None, loss: LossLike | None, seed: int | None) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_keras`."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    return assemble(_steps(model), output=output, loss=loss, seed=seed)


def _steps(model: keras.Model) -> Iterator[Step]:
    for layer in _chain(model):
        if isinstance(layer, keras.Sequential) or type(layer) is keras.Model:
            yield from _steps(layer)
        else:
            yield from _layer_steps(layer, f"layer {brief(layer.name)} ({type(layer).__name__})")


def _chain(model: keras.Model) -> list[layers.Layer]:
    """Return the layers of a model, each of which must feed only the next."""
    if not model.built:
        raise ValueError(f"model {brief(model.name)} is not built: add an Input, or call it once")
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    if not getattr(model, "operations", None) or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"model {brief(model.name)} must be a Sequential or a functional model of one input "
            "and one output"
        )
    for layer in model.layers[1:]:
        if len(layer._inbound_nodes) != 1 or len(layer._inbound_nodes[0].input_tensors) != 1:  # noqa: SLF001
            raise ValueError(
                f"layer {brief(layer.name)} has several inputs or occurs several times"
            )
    return list(model.layers)


def _layer_steps(layer: Any, where: str) -> Iterator[Step]:
    match layer:
        case layers.Dense():
            weights = _array(layer.kernel)
            biases = np.zeros(weights.shape[1], weights.dtype)
            yield Linear(weights, _array(layer.bias) if layer.use_bias else biases, where)
            yield from _activation(layer.activation, where)
        case layers.Activation():
            yield from _activation(layer.activation, where)
        case layers.BatchNormalization() if layer.axis in (-1, 1):
            mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
            scale = _array(layer.gamma) if layer.scale else np.ones_like(mean)
            shift = _array(layer.beta) if layer.center else np.zeros_like(mean)
            momentum = _complement(layer.momentum)
            yield BatchNormalization(scale, shift, mean, variance, layer.epsilon, where, momentum)
        case layers.LayerNormalization() if layer.axis in (-1, 1, [-1], [1]):
            nodes = layer.input.shape[-1]
            scale = _array(layer.gamma) if layer.scale else np.ones(nodes)
            shift = _array(layer.beta) if layer.center else np.zeros(nodes)
            yield LayerNormalization(scale, shift, layer.epsilon, where)
        case layers.Normalization() if not layer.invert:
            yield _standardization(layer, where)
        case layers.Rescaling():
            yield Scale(np.array(layer.scale), np.array(layer.offset), where)
        case layers.Dropout():
            yield Dropout(layer.rate, where)
        case layers.InputLayer() | layers.Flatten() | layers.Identity():
            pass
        case _:
            yield Activation(_activation_layer(layer, where), where)


def _standardization(layer: Any, where: str) -> Scale:
    """Return the scale of a Normalization.

    Keras divides a column that was constant by a small number, which only 0 survives: unless it was
    always 0 its scale becomes 0, as that of `Network.adapt`.
    """
    mean, variance = (np.ravel(_array(part)).astype(float) for part in (layer.mean, layer.variance))
    factor = 1.0 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    factor[(variance == 0.0) & (mean != 0.0)] = 0.0
    return Scale(factor, 0.0 - mean * factor, where)


def _activation(function: Callable[..., Any] | None, where: str) -> Iterator[Step]:
    theirs = getattr(function, "__name__", str(function))
    if function is _gelu_tanh:
        yield Activation("gelu_tanh", where)
        return
    if function is keras.activations.leaky_relu:
        yield Activation(LeakyReLU(0.2), where)
        return
    if theirs not in _NAMES or function is not getattr(keras.activations, theirs):
        raise ValueError(f"{where}: activation {brief(theirs)}; a model may have {_ALLOWED}")
    if theirs != "linear":
        yield Activation(cast("ActivationName", _NAMES[theirs]), where)


def _activation_layer(layer: Any, where: str) -> ActivationLike:
    match layer:
        case layers.ReLU() if layer.max_value is None and not layer.threshold:
            if layer.negative_slope >= 0.0:
                return LeakyReLU(float(layer.negative_slope)) if layer.negative_slope else "relu"
        case layers.ReLU() if layer.max_value == 6.0 and not layer.threshold:
            if not layer.negative_slope:
                return "relu6"
        case layers.LeakyReLU() if float(layer.negative_slope) >= 0.0:
            return LeakyReLU(float(layer.negative_slope))
        case layers.ELU() if float(layer.alpha) >= 0.0:
            return ELU(float(layer.alpha))
        case layers.Softmax() if layer.axis in (-1, 1):
            return "softmax"
    raise ValueError(f"{where}: not supported; a model may have {_ALLOWED}")


def _complement(momentum: float) -> float:
    """Return 1 - momentum without its rounding: 0.01 of 0.99."""
    return round(1.0 - momentum, 12)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))
