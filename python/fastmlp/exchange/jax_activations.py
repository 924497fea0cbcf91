"""The activations of a network as functions of JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jax
import numpy as np
from jax import numpy as jnp

from fastmlp.layers import ELU, ActivationLike, LeakyReLU
from fastmlp.model.model import Model

_FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "relu6": jax.nn.relu6,
    "hardswish": jax.nn.hard_swish,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "exp": jnp.exp,
    "softmax": jax.nn.softmax,
}


def function_of(activation: ActivationLike) -> Callable[[Any], Any]:
    """Return an activation as a function of an array."""
    if isinstance(activation, LeakyReLU):
        return partial(jax.nn.leaky_relu, negative_slope=activation.negative_slope)
    if isinstance(activation, ELU):
        return partial(jax.nn.elu, alpha=activation.alpha)
    return _FUNCTIONS[activation]


def refuse_lost_digits(net: Model, name: str) -> None:
    """Refuse float64 weights where JAX would round them to float32."""
    if net.dtype == np.float64 and not jax.config.jax_enable_x64:
        raise ValueError(
            f"{name} would round the float64 weights to float32: "
            "call jax.config.update('jax_enable_x64', True) first"
        )
