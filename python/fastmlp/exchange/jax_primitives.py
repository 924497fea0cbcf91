"""What the primitives of JAX compute of the sample; see `jax_import`."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.exchange.steps import LayerNormalization, Linear, Scale, Width, decimal
from fastmlp.exchange.values import Value

Array = NDArray[Any]

_LONGEST = 400  # characters of a function of a row: layer normalization is shorter


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A function of all nodes x of a row, as a text, on the way to a normalization or softmax."""

    nodes: Value
    text: str
    where: str
    scale: Array | None = None
    """By which the nodes are multiplied."""

    def refused(self) -> ValueError:
        """Return the error for what is neither a normalization nor softmax."""
        return ValueError(f"{self.where}: not a known function of the nodes of a row")


Traced = Value | Rows


@dataclass(frozen=True, slots=True)
class Call:
    """A primitive with its inputs, of which the sample is `Traced`, and their shapes.

    The sample is (B, N) or (N, B), as products of Equinox are: B is the size of no weights, so that
    the shape says which. Either is the same value.
    """

    name: str
    inputs: list[Any]
    settings: dict[str, Any]
    shapes: list[tuple[int, ...]]
    shape: tuple[int, ...]
    rows: int

    @property
    def where(self) -> str:
        """Its name, for messages."""
        return f"the primitive {self.name}"

    @property
    def rows_last(self) -> bool:
        """Whether the sample is (N, B)."""
        return any(
            isinstance(each, Traced) and len(shape) == 2 and shape[1] == self.rows
            for each, shape in zip(self.inputs, self.shapes, strict=True)
        )

    @property
    def sample(self) -> Value:
        """The first input, as nodes after steps."""
        if not isinstance(self.inputs[0], Value):
            raise self.refused("of values that are no nodes")
        return self.inputs[0]

    def refused(self, why: str = "not supported") -> ValueError:
        """Return the error for what a network cannot represent."""
        return ValueError(
            f"{self.where}, {why}; a model may compute dense layers one after the other, of the "
            f"primitives {', '.join(OPERATORS)} and functions of jax.nn"
        )

    def vector(self, constant: Any) -> Array:
        """Return a number, or a vector (N,) for the nodes."""
        array = np.asarray(constant, np.float64)
        if self.rows_last:
            array = array.T
        if array.ndim == 2 and len(array) > 1 and (array == array[0]).all():
            array = array[0]
        if array.size == 1:
            return array.reshape(())
        if array.ndim > 2 or array.size != array.shape[-1]:
            raise self.refused(f"a constant of shape {array.shape}, allowed: (N,)")
        return array.ravel()


Operator = Callable[[Call], Traced]


def _product_of_matrices(call: Call) -> Traced:
    (left, right), batch = call.settings["dimension_numbers"]
    is_left = isinstance(call.inputs[0], Traced)
    sample, matrix = call.inputs if is_left else call.inputs[::-1]
    axis, other = (left, right) if is_left else (right, left)
    if isinstance(sample, Rows):
        raise sample.refused()
    fits = isinstance(sample, Value) and not isinstance(matrix, Traced)
    fits = fits and tuple(axis) == (0 if call.rows_last else 1,)
    if not fits or np.ndim(matrix) != 2 or len(other) != 1 or any(map(len, batch)):
        raise call.refused("it must multiply the sample by a constant matrix")
    weights = np.asarray(matrix) if other[0] == 0 else np.asarray(matrix).T
    value: Value = sample.then(Linear(weights, None, f"{call.where} of {weights.shape}"))
    return value


def _same(call: Call) -> Traced:
    same: Traced = call.inputs[0]
    return same


def _reshaped(call: Call) -> Traced:
    value, before = call.inputs[0], call.shapes[0]
    if isinstance(value, Rows):
        sizes = {math.prod(before), math.prod(call.shape)}
        if before == call.shape or (sizes == {call.rows} and call.rows in call.shape):
            return value
    elif isinstance(value, Value):
        if before == call.shape:
            return value
        shapes = {before, call.shape}
        if shapes <= {(call.rows,), (call.rows, 1), (1, call.rows)}:
            return value.then(Width(1, call.where))
    raise call.refused(f"it makes {call.shape} of {before}; a row must stay a vector")


def _function(name: str) -> Operator:
    def apply(call: Call) -> Traced:
        if isinstance(call.inputs[0], Rows):
            return _of_rows(call)
        return call.sample.apply(name, call.where)

    return apply


def _integer_power(call: Call) -> Traced:
    power = call.settings["y"]
    if power == 2:
        return _of_rows(replace(call, name="square"))
    if power != 3:
        raise call.refused("only to the power of 2 or 3")
    value = call.sample
    return value.product(value, call.where).product(value, call.where)


def _arithmetic(call: Call) -> Traced:
    """Add, subtract, multiply or divide; by a constant, or two tensors of the sample."""
    a, b = call.inputs
    if isinstance(a, Rows) or isinstance(b, Rows):
        return _of_rows(call)
    if isinstance(a, Value) and isinstance(b, Value):
        return _of_both(call, a, b)
    if isinstance(a, Value):
        return _by_constant(call, a, call.vector(b))
    if isinstance(b, Value):
        return _of_constant(call, call.vector(a), b)
    raise call.refused("a row must stay a vector")


def _of_both(call: Call, a: Value, b: Value) -> Value:
    if call.name == "div":
        raise call.refused("of two tensors of the sample")
    if call.name == "mul":
        return a.product(b, call.where)
    return a.sum(b.times(-1.0) if call.name == "sub" else b, call.where)


def _by_constant(call: Call, value: Value, constant: Array) -> Value:
    if call.name in ("add", "sub"):
        return _affine(call, value, np.array(1.0), constant if call.name == "add" else -constant)
    with np.errstate(divide="ignore"):  # what is not finite is refused in the network
        factor = constant if call.name == "mul" else 1.0 / constant
    return _affine(call, value, factor, np.array(0.0))


def _of_constant(call: Call, constant: Array, value: Value) -> Value:
    if call.name == "div":
        raise call.refused("only by a constant")
    if call.name == "sub":
        return _affine(call, value, np.array(-1.0), constant)
    return _by_constant(call, value, constant)


def _affine(call: Call, value: Value, factor: Array, offset: Array) -> Value:
    if factor.ndim or offset.ndim:
        return value.then(Scale(factor, offset, call.where))
    return value.times(float(factor)).plus(float(offset))


def _extreme(call: Call) -> Traced:
    a, b = call.inputs
    if isinstance(a, Rows) or isinstance(b, Rows):
        return _of_rows(call)
    if isinstance(a, Value) and isinstance(b, Value):
        raise call.refused("of two tensors of the sample")
    value, constant = (a, b) if isinstance(a, Value) else (b, a)
    bound = _number(constant)
    name = {("max", 0.0): "relu", ("min", 0.0): "min", ("min", 6.0): "min6"}
    if (call.name, bound) not in name:
        raise call.refused("only with 0, and the minimum with 6")
    return value.apply(name[call.name, bound], call.where)


def _number(constant: Any) -> float:
    """Return the value of a constant; NaN if it has several, or is none."""
    values = np.zeros(0) if isinstance(constant, Traced) else np.unique(constant)
    return float(values[0]) if values.size == 1 else math.nan


def _clamp(call: Call) -> Traced:
    low, value, high = call.inputs
    bounds = _number(low), _number(high)
    name = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6"}.get(bounds)
    if name is None or not isinstance(value, Value):
        raise call.refused("only from 0, and to 6 or without an end")
    return value.apply(name, call.where)


def _erfc(call: Call) -> Traced:
    return call.sample.apply("erf", call.where).times(-1.0).plus(1.0)


def _log1p(call: Call) -> Traced:
    return call.sample.plus(1.0).apply("log", call.where)


def _reduction(call: Call) -> Traced:
    if tuple(call.settings["axes"]) != (0 if call.rows_last else 1,) or len(call.shapes[0]) != 2:
        raise call.refused("only of all nodes of a row")
    return _of_rows(call)


def _cast(call: Call) -> Traced:
    if np.dtype(call.settings["new_dtype"]) not in (np.float32, np.float64):
        raise call.refused(f"to {call.settings['new_dtype']}, allowed: float32 and float64")
    return _same(call)


def _is_positive(call: Call) -> Traced:
    value, bound = call.inputs
    if not isinstance(value, Value) or isinstance(bound, Traced) or np.any(bound):
        raise call.refused("only of the nodes and 0, as a part of PReLU")
    return value.apply("positive", call.where)


def _leaky(call: Call, below: Value, above: Value) -> Traced:
    """Return the leaky ReLU that PReLU is if all nodes have one slope."""
    condition, slopes = call.inputs[0], _multiple(below, above)
    fits = condition.chain is above.chain and condition.text() == "positive(x)"
    if not fits or slopes.size != 1 or not 0.0 <= slopes[0] < np.inf:
        raise call.refused("only of the nodes from 0 on and a multiple from 0 on, as in PReLU")
    return above.apply("leaky_relu", call.where, float(slopes[0]))


def _multiple(value: Value, nodes: Value) -> Array:
    """Return the numbers by which nodes were multiplied, each once; none if it was otherwise."""
    if nodes.text() != "x" or value.function != "x" or value.offset:
        return np.zeros(0)
    if value.chain is nodes.chain:
        return np.array([value.factor])
    chain = value.chain
    if chain is None or chain.before is not nodes.chain or not isinstance(chain.step, Scale):
        return np.zeros(0)
    is_factor = value.factor == 1.0 and not np.any(chain.step.offset)
    return np.unique(chain.step.factor) if is_factor else np.zeros(0)


def _chosen(call: Call) -> Traced:
    """Choose by a constant, such as that there are more nodes than degrees of freedom."""
    which, *cases = call.inputs
    if all(isinstance(each, Value) for each in call.inputs):
        return _leaky(call, *cases)
    if isinstance(which, Traced) or np.unique(which).size != 1:
        raise call.refused("only by a constant")
    case = cases[int(np.ravel(which)[0])]
    if not isinstance(case, Traced):
        raise call.refused("of a constant")
    return case


def _of_rows(call: Call) -> Traced:
    """Return a function of the nodes of a row, which may be complete with this call."""
    nodes = _nodes(call)
    texts, scale = [], None
    for each in call.inputs:
        if isinstance(each, Rows):
            texts.append(each.text)
            if each.scale is not None:
                scale = each.scale if scale is None else scale * each.scale
        elif isinstance(each, Value):
            texts.append("x")
        elif (constant := call.vector(each)).ndim == 0:
            texts.append(f"{float(constant):.9g}")
        elif call.name == "mul":
            scale = constant if scale is None else scale * constant
        else:
            raise call.refused("of a vector and a function of the nodes of a row")
    if call.name != "mul" and scale is not None:
        raise call.refused("of scaled nodes of a row")
    text = texts[0] if len(texts) < len(call.inputs) else f"{call.name}({','.join(texts)})"
    if len(text) > _LONGEST:
        raise call.refused("not a known function of the nodes of a row")
    return _completed(Rows(nodes, text, call.where, scale))


def _nodes(call: Call) -> Value:
    """Return the nodes that all inputs are functions of."""
    found: list[Value] = []
    for each in call.inputs:
        if isinstance(each, Rows):
            found.append(each.nodes)
        elif isinstance(each, Value):
            found.append(each)
    if any(each is not found[0] for each in found):
        raise call.refused("combines two layers; a network is one layer after another")
    return found[0]


_NUMBER: Final = r"([-+\w.]+)"
_MEAN: Final = rf"div\(reduce_sum\(x\),{_NUMBER}\)"
_SPREADS: Final = (
    # the mean of the squares less the square of the mean, or the mean of squared deviations
    rf"sub\(div\(reduce_sum\(square\(x\)\),{_NUMBER}\),square\({_MEAN}\)\)",
    rf"div\(reduce_sum\(square\(sub\(x,{_MEAN}\)\)\),{_NUMBER}\)",
)
_LAYER_NORMALIZATIONS: Final = [
    re.compile(rf"mul\(sub\(x,{_MEAN}\),rsqrt\(add\({spread},{_NUMBER}\)\)\)")
    for inner in _SPREADS
    for spread in (inner, rf"max\({inner},0\)", rf"max\(0,{inner}\)")
]
_SHIFTED: Final = r"exp\(sub\(x,(?:max\(-inf,)?reduce_max\(x\)\)?\)\)"
_SOFTMAX: Final = re.compile(rf"div\({_SHIFTED},reduce_sum\({_SHIFTED}\)\)")


def _completed(rows: Rows) -> Traced:
    """Return the nodes that a function of a row is, if it is layer normalization or softmax."""
    if _SOFTMAX.fullmatch(rows.text) and rows.scale is None:
        return rows.nodes.apply("softmax", rows.where)
    for pattern in _LAYER_NORMALIZATIONS:
        if found := pattern.fullmatch(rows.text):
            *counts, epsilon = map(float, found.groups())
            if len(set(counts)) == 1:
                nodes = int(counts[0])
                scale = np.broadcast_to(1.0 if rows.scale is None else rows.scale, nodes)
                step = LayerNormalization(
                    scale, np.zeros(nodes), decimal(float(np.float32(epsilon))), rows.where
                )
                return rows.nodes.then(step)
    return rows


OPERATORS: Final[dict[str, Operator]] = {
    "dot_general": _product_of_matrices,
    **dict.fromkeys(("transpose", "stop_gradient", "copy", "copy_p", "sharding_constraint"), _same),
    **dict.fromkeys(("reshape", "broadcast_in_dim", "squeeze", "expand_dims"), _reshaped),
    **dict.fromkeys(("add", "sub", "mul", "div"), _arithmetic),
    **dict.fromkeys(("max", "min"), _extreme),
    "clamp": _clamp,
    **dict.fromkeys(("ge", "gt"), _is_positive),
    "select_n": _chosen,
    "neg": lambda call: call.sample.times(-1.0),
    "square": _of_rows,
    "integer_pow": _integer_power,
    "convert_element_type": _cast,
    **{name: _function(name) for name in ("exp", "tanh", "abs", "log", "erf")},
    "logistic": _function("sigmoid"),
    "log1p": _log1p,
    "erfc": _erfc,
    "rsqrt": _of_rows,
    **dict.fromkeys(("reduce_sum", "reduce_max"), _reduction),
}
"""By the name of the primitive."""
