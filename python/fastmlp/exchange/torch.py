"""PyTorch: a network as an `nn.Sequential`."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.heads import Heads
from fastmlp.layers import ELU, ActivationLike, LeakyReLU
from fastmlp.model.model import Model


class Exp(nn.Module):  # type: ignore[misc]
    """exp(x), which PyTorch has only as a function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return exp(x)."""
        return x.exp()


_NARROW = (torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16, torch.bool)
"""Types whose values float32 holds."""


class Scaling(nn.Module):  # type: ignore[misc]
    """x * scale + offset, as a network of fastmlp scales its features or outputs.

    The result has the type of `scale`. Values that it does not hold, such as float64 and large
    integers, are scaled in float64 and rounded once.
    """

    def __init__(self, scale: torch.Tensor, offset: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("offset", offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x * scale + offset."""
        dtype = self.scale.dtype
        work = dtype if x.dtype in (dtype, *_NARROW) else torch.float64
        return (x.to(work) * self.scale.to(work) + self.offset.to(work)).to(dtype)

    def extra_repr(self) -> str:
        """Return the number of columns."""
        return str(len(self.scale))


class HeadOutputs(nn.Module):  # type: ignore[misc]
    """The activation of each head of a network of fastmlp, of its columns.

    Parameters
    ----------
    layer : fastmlp.Heads
        The heads.
    """

    def __init__(self, layer: Heads) -> None:
        super().__init__()
        self.layer = layer
        self.nodes = [head.nodes for _, head in layer.named]
        self.activations = nn.ModuleList(
            _activation_module(head.activation) for _, head in layer.named
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all heads, joined."""
        return joined_heads(z, self)

    def split(self, columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return a view of the columns of each head, of outputs or of those before activations."""
        parts: tuple[torch.Tensor, ...] = columns.split(self.nodes, dim=-1)
        return parts

    def extra_repr(self) -> str:
        """Return the names of the heads."""
        return ", ".join(self.layer.heads)


def joined_heads(z: torch.Tensor, module: HeadOutputs) -> torch.Tensor:
    """Return the outputs of all heads; a function that modes see as one, as those of PyTorch."""
    if has_torch_function_unary(z):
        return cast("torch.Tensor", handle_torch_function(joined_heads, (z,), z, module))
    parts = zip(module.activations, module.split(z), strict=True)
    return torch.cat([activation(part) for activation, part in parts], dim=-1)


# Softplus is log(1 + exp(z)) up to its threshold, and z beyond, where they are equal.
_MODULES: dict[str, Callable[[], Any]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": lambda: nn.Softplus(threshold=40.0),
    "exp": Exp,
    "softmax": lambda: nn.Softmax(dim=-1),
}


def to_torch(net: Model, share: bool) -> nn.Sequential:
    """Return the network as an ``nn.Sequential``; see `Network.to_torch`."""
    modules: list[Any] = []
    if net.input_scaling is not None:
        modules.append(Scaling(*(_tensor(part, share) for part in net.input_scaling)))
    if (learned := of_inputs(net)) is not None:
        modules.append(_normalization(learned, share))
    for i, layer in enumerate(net.layers):
        # The layer is created without memory, and gets ours or a copy of it.
        linear = nn.Linear(*net.core.weights(i).shape, device="meta")
        linear.weight = nn.Parameter(_transposed(net.core.weights(i), share))
        linear.bias = nn.Parameter(_tensor(net.core.biases(i), share))
        modules.append(linear)
        functions = []
        if isinstance(layer, Heads):
            functions.append(HeadOutputs(layer.having(trainable=True, rate_factor=1.0)))
        elif layer.activation != "identity":
            functions.append(_activation_module(layer.activation))
        if (learned := of_layer(net, i)) is not None:
            place = len(functions) if learned.kind.after_activation else 0
            functions.insert(place, _normalization(learned, share))
        modules += functions
        if layer.dropout:
            modules.append(nn.Dropout(layer.dropout))
    if net.output_scaling is not None:
        modules.append(Scaling(*(_tensor(part, share) for part in net.output_scaling)))
    return nn.Sequential(*modules)


def _activation_module(activation: ActivationLike) -> Any:
    if isinstance(activation, LeakyReLU):
        return nn.LeakyReLU(activation.negative_slope)
    if isinstance(activation, ELU):
        return nn.ELU(activation.alpha)
    if activation == "identity":
        return nn.Identity()
    return _MODULES[activation]()


def _normalization(learned: Learned, share: bool) -> Any:
    module: Any
    kind = learned.kind
    if kind == "layer":
        module = nn.LayerNorm(learned.nodes, kind.epsilon)
    else:
        module = nn.BatchNorm1d(learned.nodes, kind.epsilon, kind.momentum)
        means, variances = learned.averages
        module.running_mean, module.running_var = _tensor(means, share), _tensor(variances, share)
    module.weight = nn.Parameter(_tensor(learned.scales, share))
    module.bias = nn.Parameter(_tensor(learned.shifts, share))
    return module


def _transposed(weights: np.ndarray, share: bool) -> torch.Tensor:
    """Return weights as PyTorch has them: a view of ours, or a contiguous copy."""
    return _tensor(weights, share).T if share else _tensor(weights.T.copy(), share)


def _tensor(view: np.ndarray, share: bool) -> torch.Tensor:
    return torch.from_dlpack(view if share else view.copy())
