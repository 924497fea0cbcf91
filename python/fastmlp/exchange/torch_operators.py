"""What the operators of PyTorch's core, ATen, compute of the sample; see `torch_import`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from fastmlp.exchange.steps import (
    BatchNormalization,
    LayerNormalization,
    Linear,
    LogSoftmax,
    Scale,
    Width,
)
from fastmlp.exchange.values import Value

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an operator: its arguments by name, tensors of the sample as `Value`."""

    name: str
    where: str
    arguments: Mapping[str, Any]
    before: torch.Size
    """The shape of the first tensor of the sample."""
    after: torch.Size
    """That of the result."""

    def __getitem__(self, argument: str) -> Any:
        return self.arguments.get(argument)

    @property
    def sample(self) -> Value:
        """The first tensor of the sample."""
        return self.samples[0]

    @property
    def samples(self) -> list[Value]:
        """All tensors of the sample."""
        return [value for value in self.arguments.values() if isinstance(value, Value)]

    def number(self, argument: str, default: float = math.nan) -> float:
        """Return an argument that is one number, `default` if it is None, else NaN."""
        value = self[argument]
        if value is None:
            return default
        array = np.asarray(value) if isinstance(value, torch.Tensor | int | float) else None
        return float(array.item()) if array is not None and array.size == 1 else math.nan

    def array(self, argument: str) -> Array:
        """Return a constant as an array."""
        value = self[argument]
        if isinstance(value, Value) or value is None:
            raise self.refused(f"its {argument} must be a constant")
        array: Array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        return np.asarray(array)

    def refused(self, why: str = "not supported") -> ValueError:
        """Return the error for a call that a network cannot represent."""
        return ValueError(
            f"{self.where}: {self.name}, {why}; a model may compute dense layers one after the "
            f"other, of the operators {', '.join(OPERATORS)}"
        )


Operator = Callable[[Call], Value]


def _function(name: str) -> Operator:
    return lambda call: call.sample.apply(name, call.where)


def _linear(call: Call) -> Value:
    names = ("mat1", "mat2") if call.name == "addmm" else ("self", "mat2")
    if not isinstance(call[names[0]], Value) or len(call.samples) > 1:
        raise call.refused("it must multiply the sample by a constant matrix")
    weights, biases = call.array(names[1]), None
    if call.name == "addmm":
        weights = weights * _kind(weights, call["alpha"])
        biases = np.broadcast_to(call.array("self") * call["beta"], weights.shape[1])
    return call.sample.then(Linear(weights, biases, call.where))


def _kind(like: Array, number: Any) -> Any:
    return like.dtype.type(number)


def _vector(call: Call, argument: str) -> Array:
    """Return a number, or a vector (N,) for the nodes."""
    array = call.array(argument).astype(np.float64)
    if array.size == 1:
        return array.reshape(())
    if array.ndim > 2 or array.size != array.shape[-1]:
        raise call.refused(f"a constant of shape {array.shape}, allowed: (N,)")
    return array.ravel()


def _same_nodes(call: Call) -> None:
    if call.after != call.before:
        raise call.refused(f"it makes {tuple(call.after)} of {tuple(call.before)}")


def _times(value: Value, factor: Array, where: str) -> Value:
    if factor.ndim:
        return value.then(Scale(factor, np.array(0.0), where))
    return value.times(float(factor))


def _plus(value: Value, offset: Array, where: str) -> Value:
    if offset.ndim:
        return value.then(Scale(np.array(1.0), offset, where))
    return value.plus(float(offset))


def _sum(call: Call) -> Value:
    """Add, or subtract: sub is a - alpha b, rsub b - alpha a."""
    _same_nodes(call)
    alpha = float(1 if call["alpha"] is None else call["alpha"])
    signs = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[call.name]
    sign = dict(zip(("self", "other"), signs, strict=True))
    if len(call.samples) == 2:
        a, b = (value.times(sign[name]) for name, value in call.arguments.items() if name in sign)
        total: Value = a.sum(b, call.where)
        return total
    sample, constant = ("self", "other") if isinstance(call["self"], Value) else ("other", "self")
    value = call.sample.times(sign[sample])
    return _plus(value, _vector(call, constant) * sign[constant], call.where)


def _product(call: Call) -> Value:
    _same_nodes(call)
    if call["rounding_mode"] is not None:
        raise call.refused("rounds its result")
    if len(call.samples) == 2:
        if call.name == "div":
            raise call.refused("of two tensors of the sample")
        return call.samples[0].product(call.samples[1], call.where)
    first = isinstance(call["self"], Value)
    if call.name == "div" and not first:
        raise call.refused("only by a constant")
    factor = _vector(call, "other" if first else "self")
    if call.name == "div":
        with np.errstate(divide="ignore"):  # what is not finite is refused in the network
            factor = 1.0 / factor
    return _times(call.sample, factor, call.where)


def _power(call: Call) -> Value:
    exponent = call.number("exponent")
    if exponent not in (2.0, 3.0) or not isinstance(call["self"], Value):
        raise call.refused("only to the power of 2 or 3")
    square = call.sample.product(call.sample, call.where)
    return square if exponent == 2.0 else square.product(call.sample, call.where)


def _bounded(call: Call) -> Value:
    """Return relu or relu6 of a clamp, hardtanh or threshold."""
    low, high = {
        "clamp": ("min", "max"),
        "clamp_min": ("min", ""),
        "hardtanh": ("min_val", "max_val"),
    }[call.name]
    bounds = call.number(low, -math.inf), call.number(high, math.inf)
    name = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6"}.get(bounds)
    if name is None:
        raise call.refused("only from 0, and to 6 or without an end")
    return call.sample.apply(name, call.where)


def _threshold(call: Call) -> Value:
    if (call.number("threshold"), call.number("value")) != (0.0, 0.0):
        raise call.refused("only at 0")
    return call.sample.apply("relu", call.where)


def _extreme(call: Call) -> Value:
    if len(call.samples) == 2:
        a, b = call.samples
        return a.maximum(b, call.where) if call.name == "maximum" else a.minimum(b, call.where)
    name = {("maximum", 0.0): "relu", ("minimum", 0.0): "min", ("minimum", 6.0): "min6"}
    constant = call.number("other" if isinstance(call["self"], Value) else "self")
    if (call.name, constant) not in name:
        raise call.refused("only with 0, and the minimum with 6")
    return call.sample.apply(name[call.name, constant], call.where)


def _elu(call: Call) -> Value:
    alpha = call.number("alpha")
    if call.name == "celu":  # which divides z by alpha
        if alpha != 1.0:
            raise call.refused("only with alpha 1")
    elif call.number("scale") != 1.0 or call.number("input_scale") != 1.0:
        selu = (1.6732632423543772, 1.0507009873554805, 1.0)
        if (alpha, call.number("scale"), call.number("input_scale")) != selu:
            raise call.refused("only without scales, or as selu")
        return call.sample.apply("selu", call.where)
    return _parametric(call, "elu", alpha)


def _leaky_relu(call: Call) -> Value:
    return _parametric(call, "leaky_relu", call.number("negative_slope"))


def _prelu(call: Call) -> Value:
    if not isinstance(call["self"], Value):
        raise call.refused("its slope must be a constant")
    return _parametric(call, "leaky_relu", call.number("weight"))


def _parametric(call: Call, name: str, number: float) -> Value:
    if not 0.0 <= number < math.inf:
        raise call.refused("only with one slope or alpha, at least 0")
    return call.sample.apply(name, call.where, number)


def _gelu(call: Call) -> Value:
    return call.sample.apply("gelu_tanh" if call["approximate"] == "tanh" else "gelu", call.where)


def _softplus(call: Call) -> Value:
    # log(1 + exp(z)) up to the threshold, and z beyond, where they differ by exp(-20) at most.
    if call.number("beta") != 1.0 or not call.number("threshold") >= 20.0:
        raise call.refused("only with beta 1 and a threshold from 20 on")
    return call.sample.apply("softplus", call.where)


def _softmax(call: Call) -> Value:
    if call["dim"] not in (-1, 1) or len(call.before) != 2:
        raise call.refused("only of all nodes of a row, with dim -1")
    if call.name == "_log_softmax":
        return call.sample.then(LogSoftmax(call.where))
    return call.sample.apply("softmax", call.where)


def _batch_normalization(call: Call) -> Value:
    if call["running_mean"] is None or call["running_var"] is None or call["training"]:
        raise call.refused("it keeps no running statistics, so it cannot predict one sample")
    mean, variance = call.array("running_mean"), call.array("running_var")
    scale, shift = _scale_and_shift(call, mean.size)
    momentum = call["momentum"] or 0.1  # 0 for the mean of all batches
    return call.sample.then(
        BatchNormalization(scale, shift, mean, variance, call["eps"], call.where, momentum)
    )


def _layer_normalization(call: Call) -> Value:
    if list(call["normalized_shape"]) != list(call.before[1:]):
        raise call.refused("it must be of all nodes of a row")
    scale, shift = _scale_and_shift(call, call.before[1])
    return call.sample.then(LayerNormalization(scale, shift, call["eps"], call.where))


def _scale_and_shift(call: Call, nodes: int) -> tuple[Array, Array]:
    scale = np.ones(nodes) if call["weight"] is None else call.array("weight")
    return scale, np.zeros(nodes) if call["bias"] is None else call.array("bias")


def _same(call: Call) -> Value:
    return call.sample


def _cast(call: Call) -> Value:
    if call["dtype"] not in (None, torch.float32, torch.float64):
        raise call.refused(f"to {call['dtype']}, allowed: float32 and float64")
    return call.sample


def _reshaped(call: Call) -> Value:
    rows = call.before[0]
    if call.after == call.before:
        return call.sample
    if {call.before, call.after} == {torch.Size([rows]), torch.Size([rows, 1])}:
        return call.sample.then(Width(1, call.where))
    raise call.refused(
        f"it makes {tuple(call.after)} of {tuple(call.before)}; a row must stay a vector"
    )


OPERATORS: Final[dict[str, Operator]] = {
    **dict.fromkeys(("addmm", "mm"), _linear),
    **dict.fromkeys(("add", "sub", "rsub"), _sum),
    **dict.fromkeys(("mul", "div"), _product),
    "neg": lambda call: call.sample.times(-1.0),
    "pow": _power,
    **dict.fromkeys(("clamp", "clamp_min", "hardtanh"), _bounded),
    "threshold": _threshold,
    **dict.fromkeys(("maximum", "minimum"), _extreme),
    **{
        name: _function(name)
        for name in (
            *("relu", "sigmoid", "tanh", "exp", "log", "abs", "erf"),
            *("silu", "mish", "hardswish", "hardsigmoid"),
        )
    },
    "log1p": lambda call: call.sample.plus(1.0).apply("log", call.where),
    "leaky_relu": _leaky_relu,
    "_prelu_kernel": _prelu,
    **dict.fromkeys(("elu", "celu"), _elu),
    "gelu": _gelu,
    "softplus": _softplus,
    **dict.fromkeys(("_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit_no_training"), _batch_normalization
    ),
    "native_layer_norm": _layer_normalization,
    **dict.fromkeys(("alias", "clone", "detach", "lift_fresh"), _same),
    "_to_copy": _cast,
    **dict.fromkeys(
        (
            *("view", "_unsafe_view", "reshape", "expand", "squeeze", "unsqueeze"),
            *("slice", "select"),
        ),
        _reshaped,
    ),
}
"""By the name in ATen, of which the in-place form ends in _."""
