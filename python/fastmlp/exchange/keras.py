"""Keras: conversion of models of dense layers to networks, on any backend."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from fastmlp._validation import brief
from fastmlp.exchange.assembly import assemble, assemble_heads
from fastmlp.exchange.keras_export import FUNCTIONS, complement
from fastmlp.exchange.keras_operations import operation_steps, relu_of, value_of
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
from fastmlp.exchange.verification import verify as verify_steps
from fastmlp.layers import ELU, ActivationLike, ActivationName, LeakyReLU
from fastmlp.losses import LossLike
from fastmlp.model.model import Model

_PRODUCTS: dict[Any, ActivationName] = {
    keras.activations.mish: "mish",
    keras.activations.hard_silu: "hardswish",
}
"""Functions that are a product with their argument, not one operation."""

_SINGLE = float(np.finfo(np.float32).eps)
"""The precision in which backends multiply matrices, of float64 as well."""

_KINDS = (
    *(layers.Dense, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax),
    *(layers.BatchNormalization, layers.LayerNormalization, layers.Dropout, layers.InputLayer),
    *(layers.Flatten, layers.Identity, layers.Normalization, layers.Rescaling),
)
_ALLOWED = (
    "Dense, Activation, ReLU, LeakyReLU, ELU, Softmax(-1), BatchNormalization, "
    "LayerNormalization, Dropout, Flatten, Normalization, Rescaling and nested Sequential, "
    f"with the activations {', '.join(filter(None, FUNCTIONS.values()))}"
)


def from_keras(
    model: object, output: str | None, loss: LossLike | None, seed: int | None, verify: bool
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_keras`."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    several = _is_functional(model) and len(model.inputs) == 1 and len(model.outputs) > 1
    pieces = list(_pieces_with_heads(model) if several else _pieces(model))
    steps = [step for piece in pieces for step in piece.steps]
    if verify:
        _refuse_low_precision(model)
        parts = partial(_parts, model, pieces)
        verify_steps(steps, lambda X: _outputs(model, X), _SINGLE, parts=parts)
    return assemble(steps, output=output, loss=loss, seed=seed)


class _Piece(NamedTuple):
    """A layer or operation of a model, or the width of its input."""

    where: str
    steps: list[Step]
    compute: Callable[[Any], Any]
    """Computes it for rows."""


def _parts(
    model: keras.Model, pieces: list[_Piece], X: np.ndarray
) -> Iterator[tuple[list[Step], str, np.ndarray]]:
    """Yield the steps up to each layer or operation, its name, and its values for rows."""
    rows: Any = _rows(model, X)
    steps: list[Step] = []
    for piece in pieces:
        try:
            rows = piece.compute(rows)
        except Exception:  # noqa: BLE001  (whatever a layer raises)
            return
        steps += piece.steps
        yield list(steps), piece.where, _array(rows).reshape(len(X), -1)


def _rows(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Return rows in the shape that a model takes."""
    shape = model.inputs[0].shape[1:]
    X = _with_constants(model, X)
    return X if None in shape else X.reshape(len(X), *shape)


def _outputs(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Return what a model computes for rows, without a change of its state."""
    X = _rows(model, X)
    variables = model.trainable_variables, model.non_trainable_variables
    values = ([variable.value for variable in part] for part in variables)
    losses = [each._losses for each in (model, *model._flatten_layers())]  # noqa: SLF001
    kept = [list(each) for each in losses]
    try:
        outputs, _ = model.stateless_call(*values, X, training=False)
    finally:  # a call forgets the losses of the last one
        for each, before in zip(losses, kept, strict=True):
            each[:] = before
    if isinstance(outputs, dict):  # in another order than that of the model
        outputs = [outputs[name] for name in model.output]
    if isinstance(outputs, list | tuple):
        return np.concatenate([_array(part) for part in outputs], axis=1)
    return _array(outputs)


def _with_constants(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Return rows with the value of the columns that a `_standardization` ignores."""
    for layer in model._flatten_layers():  # noqa: SLF001  (nested ones too)
        if isinstance(layer, layers.Normalization) and not layer.invert:
            mean, variance = (_array(part).ravel() for part in (layer.mean, layer.variance))
            if mean.size == X.shape[1]:
                X = np.where((variance == 0.0) & (mean != 0.0), mean, X)
    return X


def _refuse_low_precision(model: keras.Model) -> None:
    for layer in model._flatten_layers():  # noqa: SLF001  (nested ones too)
        if layer.compute_dtype not in ("float32", "float64"):
            raise ValueError(
                f"layer {brief(layer.name)} computes in {layer.compute_dtype}, a network in the "
                "type of the weights; verify=False reads these"
            )


def _pieces(model: keras.Model) -> Iterator[_Piece]:
    if not model.built:
        raise ValueError(f"model {brief(model.name)} is not built: add an Input, or call it once")
    if isinstance(model, keras.Sequential) and _is_plain(model, keras.Sequential):
        yield from _width(model)
        for layer in model.layers:
            yield from _pieces_of(layer)
        return
    if not _is_functional(model):
        raise ValueError(f"model {brief(model.name)} must be a Sequential or a functional model")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"model {brief(model.name)} must have one input and one output")
    yield from _width(model)
    for node in _path(model.outputs[0]):
        yield from _pieces_of(node.operation, node)


def _width(model: keras.Model) -> Iterator[_Piece]:
    size, where = model.inputs[0].shape[1:], f"model {brief(model.name)}"
    if None not in size:
        yield _Piece(where, [Width(math.prod(size), where)], lambda rows: rows)


def _pieces_of(operation: Any, node: Any = None) -> Iterator[_Piece]:
    """Yield a layer or an operation, or what a model has; an operation is read from its node."""
    where = f"layer {brief(operation.name)} ({type(operation).__name__})"
    if isinstance(operation, keras.Model):
        yield from _pieces(operation)
    elif isinstance(operation, layers.Layer):
        steps = list(_layer_steps(operation, where))
        yield _Piece(where, steps, lambda rows: operation(rows, training=False))
    else:
        steps = list(operation_steps(operation, node.arguments.args, where))

        def compute(rows: Any) -> Any:
            arguments, settings = node.arguments.fill_in({id(node.input_tensors[0]): rows})
            return operation(*arguments, **settings)

        yield _Piece(where, steps, compute)


def _pieces_with_heads(model: keras.Model) -> Iterator[_Piece]:
    """Yield what all outputs of a model share, then the heads."""
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
    for node in ways[0][:shared]:
        yield from _pieces_of(node.operation, node)
    branches = {
        name: (
            f"output {brief(name)}",
            (
                step
                for node in way[shared:]
                for piece in _pieces_of(node.operation, node)
                for step in piece.steps
            ),
        )
        for name, way in paths.items()
    }
    yield _Piece("the outputs", list(assemble_heads(branches)), _not_computed)


def _not_computed(_: Any) -> Any:
    raise NotImplementedError


def _path(end: Any) -> list[Any]:
    """Return the calls from the input to a tensor, each of a layer or operation on one tensor."""
    path: list[Any] = []
    operation, index, _ = end._keras_history  # noqa: SLF001
    while not isinstance(operation, layers.InputLayer):
        node = operation._inbound_nodes[index]  # noqa: SLF001
        if len(node.input_tensors) != 1:
            raise ValueError(
                f"layer {brief(operation.name)} has several inputs; a network is one layer after "
                "another"
            )
        path.append(node)
        operation, index, _ = node.input_tensors[0]._keras_history  # noqa: SLF001
    return path[::-1]


def _is_functional(model: keras.Model) -> bool:
    functional = [kind for kind in type(model).__mro__ if kind.__name__ == "Functional"]
    return bool(functional) and _is_plain(model, functional[0])


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
            momentum = complement(layer.momentum)
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
        case layers.Dropout() if layer.noise_shape is None:
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


def _activation(function: Any, where: str) -> Iterator[Step]:
    """Yield the steps of the activation of a layer: a layer, or what a function computes."""
    if isinstance(function, layers.Layer):
        yield from _layer_steps(function, where)
        return
    if function in _PRODUCTS:
        yield Activation(_PRODUCTS[function], where)
        return
    try:
        end = function(layers.Input((7,)))
        if (value := value_of(end)) is not None:
            yield from value.steps(where)
            return
        path = _path(end)
    except Exception:  # noqa: BLE001  (whatever a function raises)
        name = brief(getattr(function, "__name__", str(function)))
        raise ValueError(f"{where}: activation {name}; a model may have {_ALLOWED}") from None
    for node in path:
        kind = type(node.operation).__name__
        if isinstance(node.operation, layers.Layer):
            raise ValueError(f"{where}: its activation calls the layer {kind}")
        yield from operation_steps(node.operation, node.arguments.args, f"{where}, {kind}")


def _activation_layer(layer: Any, where: str) -> ActivationLike:
    match layer:
        case layers.ReLU():
            if (activation := relu_of(layer)) is not None:
                return activation
            raise ValueError(
                f"{where}: only with max_value None, or 6 without a slope, a negative_slope from 0 "
                "on, and threshold 0"
            )
        case layers.LeakyReLU() if float(layer.negative_slope) >= 0.0:
            return LeakyReLU(float(layer.negative_slope))
        case layers.ELU() if float(layer.alpha) >= 0.0:
            return ELU(float(layer.alpha))
        case layers.Softmax() if layer.axis in (-1, 1):
            return "softmax"
    raise ValueError(f"{where}: not supported; a model may have {_ALLOWED}")


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))
