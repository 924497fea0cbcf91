"""PyTorch: conversion of `nn.Sequential` from and to networks."""

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from fastmlp.exchange.assembly import assemble
from fastmlp.exchange.normalizations import Learned, of_inputs, of_layer
from fastmlp.exchange.steps import (
    Activation,
    BatchNormalization,
    Dropout,
    HeadActivations,
    LayerNormalization,
    Linear,
    Scale,
    Step,
)
from fastmlp.heads import Heads
from fastmlp.layers import (
    ELU,
    GELU,
    ActivationLike,
    ActivationName,
    LeakyReLU,
)
from fastmlp.losses import LossLike
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
        parts = zip(self.activations, self.split(z), strict=True)
        return torch.cat([activation(part) for activation, part in parts], dim=-1)

    def split(self, columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return a view of the columns of each head, of outputs or of those before activations."""
        parts: tuple[torch.Tensor, ...] = columns.split(self.nodes, dim=-1)
        return parts

    def extra_repr(self) -> str:
        """Return the names of the heads."""
        return ", ".join(self.layer.heads)


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
_NAMES: dict[type, str] = {type(new()): name for name, new in _MODULES.items()}  # of GELU either
_KINDS = (
    *(
        nn.Linear,
        Scaling,
        HeadOutputs,
        nn.BatchNorm1d,
        nn.LayerNorm,
        nn.Dropout,
        nn.Identity,
        nn.Flatten,
    ),
    *_NAMES,
)
_ALLOWED = (
    "Linear, BatchNorm1d, LayerNorm, Dropout, Identity, Flatten, the Scaling and HeadOutputs of "
    "to_torch, nested Sequential, and the activations ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, "
    "Mish, ReLU6, Hardswish, Sigmoid, Tanh, Softplus(1) and, at the end, Softmax(-1); slopes and "
    "alphas are at least 0"
)


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


def from_torch(
    model: nn.Module, output: str | None, loss: LossLike | None, seed: int | None
) -> Model:
    """Return a network with the weights of `model`; see `fastmlp.from_torch`."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Sequential, got {type(model).__name__}")
    return assemble(_steps(model, "model"), output=output, loss=loss, seed=seed)


def _steps(module: Any, where: str) -> Iterator[Step]:
    if isinstance(module, nn.Sequential) and _is_plain(module, nn.Sequential):
        for name, child in module._modules.items():  # noqa: SLF001  (named_children has each once)
            yield from _steps(child, f"{where}[{name}]")
        return
    where += f" ({type(module).__name__})"
    _refuse_other(module, where)
    match module:
        case nn.Linear():
            weights = _array(module.weight).T
            biases = np.zeros(weights.shape[1], weights.dtype)
            yield Linear(weights, biases if module.bias is None else _array(module.bias), where)
        case Scaling():
            yield Scale(_array(module.scale), _array(module.offset), where)
        case HeadOutputs():
            yield _head_activations(module, where)
        case nn.BatchNorm1d():
            yield _batch_normalization(module, where)
        case nn.LayerNorm() if len(module.normalized_shape) == 1:
            scale, shift = _scale_and_shift(module, module.normalized_shape[0])
            yield LayerNormalization(scale, shift, module.eps, where)
        case nn.Dropout():
            yield Dropout(module.p, where)
        case nn.Identity() | nn.Flatten(start_dim=1, end_dim=-1):
            pass
        case _:
            yield Activation(_activation(module, where), where)


def _refuse_other(module: nn.Module, where: str) -> None:
    """Refuse a module that computes something else than its kind, or without values."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        _check(tensor, f"{where}: its {name}")
    if not any(isinstance(module, kind) and _is_plain(module, kind) for kind in _KINDS):
        raise ValueError(
            f"{where}: not supported, or with a forward or hooks of its own; a model may have "
            f"{_ALLOWED}"
        )


def _is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether a module computes what its kind does: no other forward, no hooks."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)  # noqa: SLF001  (all there is)
    same = type(module).forward is kind.forward and "forward" not in vars(module)
    return same and type(module).__call__ is nn.Module.__call__ and not any(hooks)


def _check(tensor: torch.Tensor, what: str) -> None:
    """Refuse a tensor without values, or not of a network's types."""
    if tensor.is_meta or nn.parameter.is_lazy(tensor):
        raise ValueError(f"{what} has no values yet: initialize the model, or load its weights")
    if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{what} must be float32 or float64, got {tensor.dtype}")


def _activation(module: Any, where: str) -> ActivationLike:
    name = next((ours for kind, ours in _NAMES.items() if isinstance(module, kind)), None)
    if name is None or not _fits(module):
        raise ValueError(f"{where}: {module} is not supported; a model may have {_ALLOWED}")
    match module:
        case nn.LeakyReLU():
            return LeakyReLU(module.negative_slope)
        case nn.ELU():
            return ELU(module.alpha)
        case nn.GELU():
            return GELU(module.approximate)
    return cast("ActivationName", name)


def _head_activations(module: HeadOutputs, where: str) -> HeadActivations:
    heads = [head for _, head in module.layer.named]
    activations: list[ActivationLike] = []
    for child in module.activations:
        _refuse_other(child, where)
        plain = isinstance(child, nn.Identity)
        activations.append("identity" if plain else _activation(child, where))
    if activations != [head.activation for head in heads]:
        raise ValueError(f"{where}: its activations are not those of the heads it was made for")
    return HeadActivations(module.layer, where)


def _fits(module: Any) -> bool:
    """Return whether the settings of an activation are possible here."""
    match module:
        case nn.LeakyReLU():
            return bool(0.0 <= module.negative_slope < math.inf)
        case nn.ELU():
            return bool(0.0 <= module.alpha < math.inf)
        case nn.Softplus():
            return bool(module.beta == 1.0 and module.threshold >= 20.0)
        case nn.Softmax():
            return module.dim in (-1, 1)
    return True


def _batch_normalization(module: Any, where: str) -> BatchNormalization:
    if module.running_mean is None or module.running_var is None:
        raise ValueError(f"{where} keeps no running statistics, so it cannot predict one sample")
    scale, shift = _scale_and_shift(module, module.num_features)
    mean, variance = _array(module.running_mean), _array(module.running_var)
    momentum = 0.1 if module.momentum is None else module.momentum  # None: the mean of all batches
    return BatchNormalization(scale, shift, mean, variance, module.eps, where, momentum)


def _scale_and_shift(module: Any, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    scale = np.ones(nodes) if module.weight is None else _array(module.weight)
    return scale, np.zeros(nodes) if module.bias is None else _array(module.bias)


def _transposed(weights: np.ndarray, share: bool) -> torch.Tensor:
    """Return weights as PyTorch has them: a view of ours, or a contiguous copy."""
    return _tensor(weights, share).T if share else _tensor(weights.T.copy(), share)


def _tensor(view: np.ndarray, share: bool) -> torch.Tensor:
    return torch.from_dlpack(view if share else view.copy())


def _array(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array
