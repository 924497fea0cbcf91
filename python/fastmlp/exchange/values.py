"""A tensor of a traced model as a function of the sample: steps, then an elementwise function."""

import math
import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fastmlp.exchange.steps import Activation, Scale, Step, decimal
from fastmlp.layers import ELU, ActivationName, LeakyReLU

_LONGEST = 400  # characters of a function: any activation is shorter
_NUMBER = r"-?\b\d[\d.]*(?:e[-+]\d+)?"

_OF_SCALED: Final = ("erf", "relu6")
"""Functions that activations apply to more than x itself: what is inside stays there."""

# Functions of several nodes or of one: name, and factor before it. Numbers are rounded to five
# digits.
_ACTIVATIONS: Final[dict[str, tuple[ActivationName, float]]] = {
    "relu(x)": ("relu", 1.0),
    "selu(x)": ("selu", 1.0),
    "1.0507*relu(x)+1.7581*exp(min(x))-1.7581": ("selu", 1.0),
    "gelu(x)": ("gelu", 1.0),
    "(erf(0.70711*x)+1)*x": ("gelu", 0.5),
    "(erf(-0.70711*x)-1)*x": ("gelu", -0.5),
    "gelu_tanh(x)": ("gelu_tanh", 1.0),
    "sigmoid(0.071355*(x*x+22.364)*x)*x": ("gelu_tanh", 1.0),
    "(tanh(0.79788*0.044715*x*x*x+x)+1)*x": ("gelu_tanh", 0.5),
    "silu(x)": ("silu", 1.0),
    "sigmoid(x)*x": ("silu", 1.0),
    "sigmoid(min40(x))*x": ("silu", 1.0),
    "mish(x)": ("mish", 1.0),
    "tanh(softplus(x))*x": ("mish", 1.0),
    "tanh(log(exp(-1*abs(x))+1)+relu(x))*x": ("mish", 1.0),
    "relu6(x)": ("relu6", 1.0),
    "min6(relu(x))": ("relu6", 1.0),
    "relu(min6(x))": ("relu6", 1.0),
    "hardswish(x)": ("hardswish", 1.0),
    "hardsigmoid(x)*x": ("hardswish", 1.0),
    "relu6(x+3)*x": ("hardswish", 1.0 / 6.0),
    "sigmoid(x)": ("sigmoid", 1.0),
    "sigmoid(min40(x))": ("sigmoid", 1.0),
    "tanh(x)": ("tanh", 1.0),
    "tanh(min20(x))": ("tanh", 1.0),
    "softplus(x)": ("softplus", 1.0),
    "where(greater(20,x),x,softplus(x))": ("softplus", 1.0),
    "where(greater(40,x),x,softplus(x))": ("softplus", 1.0),
    "log(exp(-1*abs(x))+1)+relu(x)": ("softplus", 1.0),
    "log(exp(x)+1)": ("softplus", 1.0),
    "exp(x)": ("exp", 1.0),
    "softmax(x)": ("softmax", 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The steps up to a tensor, the last one first; tensors share common steps."""

    step: Step
    before: "Chain | None"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """``factor * function(x) + offset``, x the nodes after the steps of `chain`."""

    chain: Chain | None = None
    function: str = "x"
    factor: float = 1.0
    offset: float = 0.0

    def then(self, step: Step) -> "Value":
        """Add a step after the function, which must be an activation or the identity."""
        return Value(Chain(step, self.settled(step.where).chain))

    def times(self, number: float) -> "Value":
        """Multiply by a number."""
        return replace(self, factor=self.factor * number, offset=self.offset * number)

    def plus(self, number: float) -> "Value":
        """Add a number."""
        return replace(self, offset=self.offset + number)

    def apply(self, name: str, where: str, parameter: float | None = None) -> "Value":
        """Apply a function elementwise."""
        inner = self.settled(where) if self.function == "x" and name not in _OF_SCALED else self
        number = "" if parameter is None else f"{parameter:.17g},"
        return _function(inner.chain, f"{name}({number}{inner.text()})", where)

    def product(self, other: "Value", where: str) -> "Value":
        """Multiply elementwise."""
        self._check_same_nodes(other, where)
        texts = sorted(value.primitive() for value in (self, other))
        product = _function(self.chain, "*".join(texts), where)
        return product.times(self.factor * other.factor)

    def sum(self, other: "Value", where: str) -> "Value":
        """Add elementwise."""
        self._check_same_nodes(other, where)
        texts = sorted(replace(value, offset=0.0).text() for value in (self, other))
        return _function(self.chain, "+".join(texts), where).plus(self.offset + other.offset)

    def maximum(self, other: "Value", where: str) -> "Value":
        """Take the elementwise maximum."""
        return self._ordered("max", other, where)

    def minimum(self, other: "Value", where: str) -> "Value":
        """Take the elementwise minimum."""
        return self._ordered("min2", other, where)

    def chosen(self, a: "Value", b: "Value", where: str) -> "Value":
        """Take `a` where this condition is true, and `b` elsewhere."""
        self._check_same_nodes(a, where)
        self._check_same_nodes(b, where)
        return _function(self.chain, f"where({self.text()},{a.text()},{b.text()})", where)

    def _ordered(self, name: str, other: "Value", where: str) -> "Value":
        self._check_same_nodes(other, where)
        texts = sorted(value.text() for value in (self, other))
        return _function(self.chain, f"{name}({','.join(texts)})", where)

    def settled(self, where: str) -> "Value":
        """Return the same nodes as steps only.

        Raises
        ------
        ValueError
            If the function is not an activation.
        """
        chain, factor, offset = self.chain, self.factor, self.offset
        text, function = _rounded(self.text()), _rounded(self.function)
        if (activation := _with_parameter(self.text())) is not None:
            chain, factor, offset = Chain(Activation(activation, where), chain), 1.0, 0.0
        elif (activation := _with_parameter(self.function)) is not None:
            chain = Chain(Activation(activation, where), chain)
        elif text in _ACTIVATIONS:  # the offset is part of it
            name, _ = _ACTIVATIONS[text]
            chain, factor, offset = Chain(Activation(name, where), chain), 1.0, 0.0
        elif function in _ACTIVATIONS:
            name, gain = _ACTIVATIONS[function]
            chain, factor = Chain(Activation(name, where), chain), factor / gain
        elif scaled := _SCALED_INSIDE.fullmatch(self.function):
            inner_factor, inner_offset = scaled.groups()
            inside = Value(chain, "x", float(inner_factor or 1.0), float(inner_offset or 0.0))
            chain = Chain(Activation("relu6", where), inside.settled(where).chain)
        elif self.function != "x":
            raise ValueError(f"{where}: {text} of the nodes x is not a known activation")
        if (factor, offset) != (1.0, 0.0):
            chain = Chain(Scale(np.array(factor), np.array(offset), where), chain)
        return Value(chain)

    def steps(self, where: str) -> list[Step]:
        """Return all steps in order."""
        steps: list[Step] = []
        chain = self.settled(where).chain
        while chain is not None:
            steps.append(chain.step)
            chain = chain.before
        return steps[::-1]

    def text(self) -> str:
        """Write ``factor * function(x) + offset``, numbers with all digits."""
        factor = "" if self.factor == 1.0 else f"{self.factor:.17g}*"
        return factor + self.function + (f"{self.offset:+.17g}" if self.offset else "")

    def primitive(self) -> str:
        """Format it without its factor, in parentheses if it is a sum."""
        if self.factor == 0.0 or not self.offset:
            return self.function
        return f"({self.function}{self.offset / self.factor:+.17g})"

    def _check_same_nodes(self, other: "Value", where: str) -> None:
        if self.chain is not other.chain:
            raise ValueError(f"{where}: combines two layers; a network is one layer after another")


_SCALED_INSIDE: Final = re.compile(rf"relu6\((?:({_NUMBER})\*)?x([-+]{_NUMBER})?\)")
"""Such a function where it is an activation itself, of scaled nodes."""


_PARAMETER = rf"(?P<parameter>{_NUMBER})"
_LEAKY_RELU: Final = re.compile(
    rf"leaky_relu\({_PARAMETER},x\)|(?P<end>max|min2)\((?P<first>{_NUMBER})\*x,x\)"
)
_ELU: Final = re.compile(
    rf"elu\({_PARAMETER},x\)|exp\(min\(x\)\)\+relu\(x\)-1(?P<end>)"
    rf"|(?P<first>{_NUMBER})\*exp\(min\(x\)\)\+relu\(x\)-(?P=first)"
)


def _with_parameter(text: str) -> LeakyReLU | ELU | None:
    """Return the activation with a parameter that a text is, or None."""
    for pattern, kind in ((_LEAKY_RELU, LeakyReLU), (_ELU, ELU)):
        if found := pattern.fullmatch(text):
            number = float(found["parameter"] or found["first"] or 1.0)
            bounds = {"max": (0.0, 1.0), "min2": (1.0, math.inf)}
            low, high = bounds.get(found["end"], (0.0, math.inf))
            return kind(decimal(number)) if low <= number <= high else None
    return None


def _rounded(text: str) -> str:
    """Write the numbers of a text to five digits, as `_ACTIVATIONS` has them."""
    return re.sub(_NUMBER, lambda number: f"{float(number[0]):.5g}", text)


def _function(chain: Chain | None, text: str, where: str) -> Value:
    if len(text) > _LONGEST:
        raise ValueError(f"{where}: {text[:60]}... of the nodes x is not a known activation")
    return Value(chain, text)
