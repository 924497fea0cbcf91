"""Keras: conversion of models of dense layers from and to networks, on any backend."""

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain, pairwise
from typing import Any, cast

import keras
import numpy as np
from keras import layers

from fastmlp._validation import brief
from fastmlp.data._conversion import Scaling
from fastmlp.exchange.assembly import assemble, assemble_heads
from fastmlp.exchange.keras_operations import operation_steps, relu_of
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.exchange.steps import (
    Activation,
    BatchNormalization,
    Dropout,
    LayerNormalization,
    Linear,
    Scale,
    Step,
    Width,
)
from fastmlp.heads import Heads
from fastmlp.layers import ELU, ActivationLike, ActivationName, LeakyReLU
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
_KINDS = (
    *(layers.Dense, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax),
    *(layers.BatchNormalization, layers.LayerNormalization, layers.Dropout, layers.InputLayer),
    *(layers.Flatten, layers.Identity, layers.Normalization, layers.Rescaling),
)
_ALLOWED = (
    "Dense, Activation, ReLU, LeakyReLU, ELU, Softmax(-1), BatchNormalization, "
    "LayerNormalization, Dropout, Flatten, Normalization, Rescaling and nested Sequential, "
    f"with the activations {', '.join(_NAMES)}"
)


def to_keras(net: Model) -> keras.Model:
    """Return the network as a Keras model; see `Network.to_keras`."""
    dtype = str(net.dtype)
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
    outputs, first = {}, 0
    for name, head in last.named:
        columns = slice(first, first + head.nodes)
        first += head.nodes
        function = _activation_layer_of(head.activation, dtype)
        follows = isinstance(function, layers.Layer)
        dense = layers.Dense(head.nodes, None if follows else function, dtype=dtype)
        z = dense(nodes)
        dense.set_weights([weights[:, columns], biases[columns]])
        outputs[name] = function(z) if follows else z
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
    return _FUNCTIONS[activation]


@keras.saving.register_keras_serializable("fastmlp")  # type: ignore[untyped-decorator]
def _gelu_tanh(x: Any) -> Any:
    """Return gelu in the form with tanh, which Keras has no name for."""
    return keras.activations.gelu(x, approximate=True)


def _add_normalization(model: keras.Sequential, learned: Learned, dtype: str) -> None:
    kind = learned.kind
    if kind == "layer":
        layer = layers.LayerNormalization(epsilon=kind.epsilon, dtype=dtype)
    else:  # the momentum of Keras is the weight of the old average
        momentum = _complement(kind.momentum)
        layer = layers.BatchNormalization(momentum=momentum, epsilon=kind.epsilon, dtype=dtype)
    model.add(layer)
    layer.set_weights([learned.scales, learned.shifts, *learned.averages])


def from_keras(model: object, output: str | None, loss: LossLike | None, seed: int | None) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_keras`."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    several = _is_functional(model) and len(model.inputs) == 1 and len(model.outputs) > 1
    steps = _steps_with_heads(model) if several else _steps(model)
    return assemble(steps, output=output, loss=loss, seed=seed)


def _steps(model: keras.Model) -> Iterator[Step]:
    operations = _chain(model)
    yield from _width(model)
    for operation in operations:
        yield from _operation_steps(operation)


def _width(model: keras.Model) -> Iterator[Step]:
    size = model.inputs[0].shape[1:]
    if None not in size:
        yield Width(math.prod(size), f"model {brief(model.name)}")


def _operation_steps(operation: Any) -> Iterator[Step]:
    where = f"layer {brief(operation.name)} ({type(operation).__name__})"
    if isinstance(operation, keras.Model):
        yield from _steps(operation)
    elif isinstance(operation, layers.Layer):
        yield from _layer_steps(operation, where)
    else:
        yield from operation_steps(operation, where)


def _steps_with_heads(model: keras.Model) -> Iterator[Step]:
    """Return the steps of a model of several outputs: those that all share, then the heads."""
    named = model.output
    if not isinstance(named, dict):
        named = dict(zip(model.output_names, model.outputs, strict=True))
    if not all(
        isinstance(name, str) and hasattr(end, "_keras_history") for name, end in named.items()
    ):
        raise ValueError(
            f"model {brief(model.name)} must have a list of outputs, or a dict by name"
        )
    paths = {name: _path(end) for name, end in named.items()}
    ways = list(paths.values())
    shared = 0
    while all(len(way) > shared and way[shared] is ways[0][shared] for way in ways):
        shared += 1
    yield from _width(model)
    for operation in ways[0][:shared]:
        yield from _operation_steps(operation)
    yield from assemble_heads(
        {
            name: (
                f"output {brief(name)}",
                chain.from_iterable(map(_operation_steps, way[shared:])),
            )
            for name, way in paths.items()
        }
    )


def _path(end: Any) -> list[Any]:
    """Return the layers and operations from the input to an output, each of one tensor."""
    path: list[Any] = []
    operation, index, _ = end._keras_history  # noqa: SLF001
    while not isinstance(operation, layers.InputLayer):
        sources = operation._inbound_nodes[index].input_tensors  # noqa: SLF001
        if len(sources) != 1 or any(operation is other for other in path):
            raise _branches(operation)
        path.append(operation)
        operation, index, _ = sources[0]._keras_history  # noqa: SLF001
    return path[::-1]


def _branches(operation: Any) -> ValueError:
    return ValueError(f"layer {brief(operation.name)} has several inputs or occurs several times")


def _is_functional(model: keras.Model) -> bool:
    functional = [kind for kind in type(model).__mro__ if kind.__name__ == "Functional"]
    return bool(functional) and _is_plain(model, functional[0])


def _chain(model: keras.Model) -> list[Any]:
    """Return the layers and operations of a model, each of which must feed only the next."""
    name = brief(model.name)
    if not model.built:
        raise ValueError(f"model {name} is not built: add an Input, or call it once")
    if isinstance(model, keras.Sequential) and _is_plain(model, keras.Sequential):
        return list(model.layers)
    if not _is_functional(model):
        raise ValueError(f"model {name} must be a Sequential or a functional model")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"model {name} must have one input and one output")
    known = list(chain(*model._nodes_by_depth.values()))  # noqa: SLF001  (of this model)
    for before, operation in pairwise(model.operations):
        nodes = [node for node in known if node.operation is operation]
        sources = nodes[0].input_tensors if len(nodes) == 1 else []
        if len(sources) != 1 or sources[0]._keras_history.operation is not before:  # noqa: SLF001
            raise _branches(operation)
    return list(model.operations)


def _is_plain(layer: Any, kind: type) -> bool:
    """Return whether a layer computes what its kind does: no other call."""
    same = type(layer).call is kind.call and type(layer).__call__ is kind.__call__  # type: ignore[attr-defined]
    return same and "call" not in vars(layer)


def _layer_steps(layer: Any, where: str) -> Iterator[Step]:
    _refuse_other(layer, where)
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
        case layers.Normalization():
            yield _standardization(layer, where)
        case layers.Rescaling():
            yield Scale(np.array(layer.scale), np.array(layer.offset), where)
        case layers.Dropout():
            yield Dropout(layer.rate, where)
        case layers.InputLayer() | layers.Flatten() | layers.Identity():
            pass
        case _:
            yield Activation(_activation_layer(layer, where), where)


def _refuse_other(layer: Any, where: str) -> None:
    """Refuse a layer that computes something else than its kind."""
    known = any(isinstance(layer, kind) and _is_plain(layer, kind) for kind in _KINDS)
    if not known or getattr(layer, "rms_scaling", False):
        raise ValueError(
            f"{where}: not supported, or with a call of its own; a model may have {_ALLOWED}"
        )
    flattens = isinstance(layer, layers.Flatten) and len(layer.input.shape) > 2
    if flattens and layer.data_format == "channels_first":
        raise ValueError(f"{where}: changes the order of the features, with channels_first")


def _standardization(layer: Any, where: str) -> Scale:
    """Return the scale of a Normalization.

    Keras divides a column that was constant by a small number, which only 0 survives: unless it was
    always 0 its scale becomes 0, as that of `Network.adapt`.
    """
    shape = (1, *layer.input.shape[1:])
    mean, variance = (
        np.broadcast_to(_array(part), shape).ravel().astype(np.float64)
        for part in (layer.mean, layer.variance)
    )
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    if layer.invert:
        return Scale(deviation, mean, where)
    factor = 1.0 / deviation
    factor[(variance == 0.0) & (mean != 0.0)] = 0.0
    return Scale(factor, 0.0 - mean * factor, where)


def _activation(function: Callable[..., Any] | None, where: str) -> Iterator[Step]:
    theirs = getattr(function, "__name__", str(function))
    if function is _gelu_tanh:
        yield Activation("gelu_tanh", where)
        return
    if function in (keras.activations.leaky_relu, keras.ops.leaky_relu):
        yield Activation(LeakyReLU(0.2), where)
        return
    if function in (keras.ops.gelu, keras.ops.exp):  # with other names or defaults
        yield Activation("gelu_tanh" if function is keras.ops.gelu else "exp", where)
        return
    same = (getattr(library, theirs, None) for library in (keras.activations, keras.ops))
    if theirs not in _NAMES or all(function is not other for other in same):
        raise ValueError(f"{where}: activation {brief(theirs)}; a model may have {_ALLOWED}")
    if theirs != "linear":
        yield Activation(cast("ActivationName", _NAMES[theirs]), where)


def _activation_layer(layer: Any, where: str) -> ActivationLike:
    match layer:
        case layers.ReLU():
            if (activation := relu_of(layer)) is not None:
                return activation
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
