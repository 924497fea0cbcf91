"""Equinox: conversion of models from and to networks."""

from typing import Any

import equinox
import jax
import numpy as np
from equinox import nn
from jax import numpy as jnp

from fastmlp.exchange.jax_activations import function_of, refuse_lost_digits
from fastmlp.exchange.jax_import import from_function
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.heads import Heads
from fastmlp.losses import LossLike
from fastmlp.model.model import Model


def from_equinox(
    model: object, output: str | None, loss: LossLike | None, seed: int | None, verify: bool
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_equinox`."""
    if not isinstance(model, equinox.Module) or not callable(model):
        raise TypeError(
            f"model must be an equinox.Module of one sample, got {type(model).__name__}"
        )
    computing: Any = nn.inference_mode(model)
    leaves = jax.tree.leaves(equinox.filter(model, equinox.is_array))
    arrays = [np.asarray(leaf).T for leaf in leaves]
    return from_function(jax.vmap(computing), arrays, (output, loss, seed), verify=verify)


def to_equinox(net: Model) -> nn.Sequential:
    """Return the network as a model of one sample; see `Network.to_equinox`."""
    refuse_lost_digits(net, "to_equinox")
    layers: list[Any] = []
    _scale(layers, net.input_scaling)
    _normalize(layers, of_inputs(net))
    for i, layer in enumerate(net.layers):
        if isinstance(layer, Heads):
            raise ValueError("to_equinox does not support networks with heads")
        weights, biases = net.core.weights(i), net.core.biases(i)
        linear = nn.Linear(*weights.shape, dtype=net.dtype, key=jax.random.key(0))
        layers.append(_with(linear, weight=weights.T, bias=biases))
        learned = of_layer(net, i)
        after = learned is not None and learned.kind.after_activation
        if not after:
            _normalize(layers, learned)
        if layer.activation != "identity":
            layers.append(nn.Lambda(function_of(layer.activation)))
        if after:
            _normalize(layers, learned)
        if layer.dropout:
            layers.append(nn.Dropout(layer.dropout))
    _scale(layers, net.output_scaling)
    return nn.Sequential(layers)


def _normalize(layers: list[Any], learned: Learned | None) -> None:
    if learned is None:
        return
    if learned.kind != "layer":
        raise ValueError(
            "to_equinox does not support batch normalization, whose layer there has a state"
        )
    made = nn.LayerNorm(learned.nodes, eps=learned.kind.epsilon, dtype=learned.scales.dtype)
    layers.append(_with(made, weight=learned.scales, bias=learned.shifts))


def _scale(layers: list[Any], scaling: Any) -> None:
    if scaling is not None:
        factor, offset = (jnp.array(part) for part in scaling)
        layers.append(nn.Lambda(lambda x: x * factor + offset))


def _with(layer: Any, **arrays: Any) -> Any:
    """Return a layer with other parameters, which are copied."""
    return equinox.tree_at(
        lambda each: [getattr(each, name) for name in arrays],
        layer,
        [jnp.array(array) for array in arrays.values()],
    )
