"""The operations of a functional Keras model that are no layers: `keras.ops` and arithmetic."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from fastmlp.exchange.steps import Activation, LogSoftmax, Scale, Step, Width
from fastmlp.exchange.values import Value
from fastmlp.layers import ELU, GELU, ActivationLike, LeakyReLU

_ACTIVATIONS: Final[dict[str, ActivationLike]] = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Silu": "silu",
    "HardSilu": "hardswish",
    "Mish": "mish",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Exp": "exp",
}
"""By the class of an operation without settings."""

_Affine = tuple[NDArray[Any] | float, NDArray[Any] | float]

_BY_CONSTANT: Final[dict[str, Callable[[NDArray[Any]], _Affine]]] = {
    "Add": lambda c: (1.0, c),
    "Subtract": lambda c: (1.0, -c),
    "Multiply": lambda c: (c, 0.0),
    "Divide": lambda c: (1.0 / c, 0.0),
    "TrueDivide": lambda c: (1.0 / c, 0.0),
}
"""The factor and offset of arithmetic with a constant c after the nodes."""

_OF_CONSTANT: Final[dict[str, Callable[[NDArray[Any]], _Affine]]] = {
    **{name: _BY_CONSTANT[name] for name in ("Add", "Multiply")},
    "Subtract": lambda c: (-1.0, c),
}
"""The same with the constant before them."""


def operation_steps(operation: Any, operands: Any, where: str) -> Iterator[Step]:
    """Yield the steps of an operation on the nodes, called with some operands.

    Raises
    ------
    ValueError
        If a network cannot represent it.
    """
    kind = type(operation).__name__
    activation = _activation(operation) or _bound(operation, operands)
    if activation is not None:
        yield Activation(activation, where)
    elif kind == "LogSoftmax" and operation.axis in (-1, 1):
        yield LogSoftmax(where)
    elif kind == "Reshape" and len(operation.newshape) == 2 and operation.newshape[1] > 0:
        yield Width(int(operation.newshape[1]), where)
    elif kind in _BY_CONSTANT and len(operands) == 2:
        yield _scale(kind, operands, where)
    elif kind == "Negative":
        yield Scale(np.array(-1.0), np.array(0.0), where)
    else:
        raise _unsupported(where)


_FUNCTIONS: Final = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Exp": "exp",
    "Erf": "erf",
    "HardSigmoid": "hardsigmoid",
    "Relu6": "relu6",
    "Log": "log",
}
"""Parts of an activation, by the class of an operation without settings."""


def value_of(tensor: Any) -> Value | None:
    """Return a function of the input x as `Value`, such as ``x * sigmoid(x)``; None if unknown."""
    operation, index, _ = tensor._keras_history  # noqa: SLF001
    if isinstance(operation, keras.layers.InputLayer):
        return Value()
    kind, where = type(operation).__name__, operation.name
    operands = operation._inbound_nodes[index].arguments.args  # noqa: SLF001
    read = [value_of(each) if isinstance(each, keras.KerasTensor) else each for each in operands]
    values = [each for each in read if isinstance(each, Value)]
    if kind in _FUNCTIONS and len(read) == len(values) == 1:
        return values[0].apply(_FUNCTIONS[kind], where)
    if kind in ("Multiply", "Add") and len(read) == len(values) == 2:
        a, b = values
        return a.product(b, where) if kind == "Multiply" else a.sum(b, where)
    return _with_number(kind, read)


def _with_number(kind: str, operands: list[Any]) -> Value | None:
    match kind, operands:
        case "Divide" | "TrueDivide", [Value() as a, int() | float() as number] if number:
            return a.times(1.0 / number)
        case (
            "Multiply" | "Add",
            [Value() as a, int() | float() as number] | [int() | float() as number, Value() as a],
        ):
            return a.times(number) if kind == "Multiply" else a.plus(number)
    return None


def _bound(operation: Any, operands: Any) -> ActivationLike | None:
    """Return what the maximum with 0, or a clip from 0 to 6, is."""
    match type(operation).__name__:
        case "Clip" if np.array_equal([operation.x_min, operation.x_max], [0.0, 6.0]):
            return "relu6"
        case "Maximum" if len(operands) == 2:
            constants = [each for each in operands if not isinstance(each, keras.KerasTensor)]
            if len(constants) == 1 and np.ndim(constants[0]) == 0 and float(constants[0]) == 0.0:
                return "relu"
    return None


def relu_of(setting: Any) -> ActivationLike | None:
    """Return the activation of a ReLU with settings, or None."""
    slope = float(setting.negative_slope)
    if setting.threshold or slope < 0.0:
        return None
    if setting.max_value == 6.0 and not slope:
        return "relu6"
    if setting.max_value is not None:
        return None
    return LeakyReLU(slope) if slope else "relu"


def _activation(operation: Any) -> ActivationLike | None:
    match type(operation).__name__:
        case "ReLU":
            return relu_of(operation)
        case "LeakyRelu" if operation.negative_slope >= 0.0:
            return LeakyReLU(float(operation.negative_slope))
        case "Elu" | "Celu":
            return _elu(operation)
        case "Gelu":
            return GELU("tanh" if operation.approximate else "none")
        case "Softmax" if operation.axis in (-1, 1):
            return "softmax"
        case kind:
            return _ACTIVATIONS.get(kind)


def _elu(operation: Any) -> ELU | None:
    alpha = float(operation.alpha)
    divides = type(operation).__name__ == "Celu" and alpha != 1.0  # z by alpha
    return None if divides or alpha < 0.0 else ELU(alpha)


def _scale(kind: str, operands: Any, where: str) -> Scale:
    is_first = isinstance(operands[0], keras.KerasTensor)
    constant = np.asarray(keras.ops.convert_to_numpy(operands[1 if is_first else 0]), np.float64)
    factors = (_BY_CONSTANT if is_first else _OF_CONSTANT).get(kind)
    if factors is None or constant.ndim > 2 or (constant.ndim == 2 and len(constant) != 1):
        raise _unsupported(where)
    with np.errstate(divide="ignore"):  # what is not finite is refused in the network
        factor, offset = factors(constant.ravel() if constant.ndim else constant)
    return Scale(np.asarray(factor), np.asarray(offset), where)


def _unsupported(where: str) -> ValueError:
    names = ", ".join((*_ACTIVATIONS, "LeakyRelu", "Elu", "Gelu", "Softmax", "Reshape"))
    return ValueError(
        f"{where}: not supported; beside layers a model may have the operations {names} on vectors "
        "(N,), and Add, Subtract, Multiply, Divide with a constant"
    )
