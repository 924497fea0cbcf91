"""Flax: conversion of models from and to networks."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import linen, nnx
from jax import numpy as jnp

from fastmlp.data._text import listing
from fastmlp.exchange.jax_activations import function_of, refuse_lost_digits
from fastmlp.exchange.jax_import import from_function
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.heads import Heads
from fastmlp.losses import LossLike
from fastmlp.model.model import Model


def from_flax(
    model: object,
    variables: Any,
    output: str | None,
    loss: LossLike | None,
    seed: int | None,
    verify: bool,
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_flax`."""
    settings = (output, loss, seed)
    if isinstance(model, linen.Module):
        if variables is None:
            raise TypeError("variables must be what the init of the model returns: {'params': ...}")
        if isinstance(variables, Mapping) and "params" not in variables:
            raise ValueError(
                "variables must be what the init of the model returns, {'params': ...}, got the "
                f"keys {listing(list(variables))}"
            )
        arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(variables)]
        return from_function(lambda X: model.apply(variables, X), arrays, settings, verify=verify)
    if not isinstance(model, nnx.Module):
        raise TypeError(
            f"model must be a Module of flax.linen or flax.nnx, got {type(model).__name__}"
        )
    if variables is not None:
        raise TypeError("variables are for modules of flax.linen; those of flax.nnx have their own")
    copied = nnx.clone(model)
    copied.eval()
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(copied, nnx.Param))]
    return from_function(copied, arrays, settings, verify=verify)


def to_flax(net: Model) -> tuple[linen.Sequential, dict[str, Any]]:
    """Return the network as a model and its variables; see `Network.to_flax`."""
    refuse_lost_digits(net, "to_flax")
    made = _Layers(net.dtype)
    made.scale(net.input_scaling)
    made.normalize(of_inputs(net))
    for i, layer in enumerate(net.layers):
        if isinstance(layer, Heads):
            raise ValueError("to_flax does not support networks with heads")
        made.add(
            linen.Dense(layer.nodes, dtype=net.dtype, param_dtype=net.dtype),
            {"kernel": net.core.weights(i), "bias": net.core.biases(i)},
        )
        learned = of_layer(net, i)
        after = learned is not None and learned.kind.after_activation
        if not after:
            made.normalize(learned)
        if layer.activation != "identity":
            made.layers.append(function_of(layer.activation))
        if after:
            made.normalize(learned)
        if layer.dropout:
            made.layers.append(linen.Dropout(layer.dropout, deterministic=True))
    made.scale(net.output_scaling)
    return linen.Sequential(made.layers), made.variables


class _Layers:
    """The layers of a Sequential, with their variables by the names that Flax gives them."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self.layers: list[Any] = []
        self.variables: dict[str, Any] = {"params": {}}

    def add(self, layer: Any, parameters: dict[str, Any], **others: dict[str, Any]) -> None:
        name = f"layers_{len(self.layers)}"
        self.layers.append(layer)
        for kind, arrays in {"params": parameters, **others}.items():
            copies = {key: jnp.array(array) for key, array in arrays.items()}
            self.variables.setdefault(kind, {})[name] = copies

    def normalize(self, learned: Learned | None) -> None:
        if learned is None:
            return
        kind = learned.kind
        types = {"dtype": self._dtype, "param_dtype": self._dtype}
        parameters = {"scale": learned.scales, "bias": learned.shifts}
        if kind == "layer":
            self.add(linen.LayerNorm(epsilon=kind.epsilon, **types), parameters)
            return
        layer = linen.BatchNorm(
            use_running_average=True, momentum=1.0 - kind.momentum, epsilon=kind.epsilon, **types
        )
        means, variances = learned.averages
        self.add(layer, parameters, batch_stats={"mean": means, "var": variances})

    def scale(self, scaling: Any) -> None:
        if scaling is not None:
            factor, offset = (jnp.array(part) for part in scaling)
            self.layers.append(lambda x: x * factor + offset)
