"""`Heads`: an output layer of several parts, each with an activation and a loss of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self, TypeAlias

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable
from fastmlp.layers import Activation, ActivationLike, Dense, read_activation
from fastmlp.losses import Loss, LossLike, choose_loss

CoreHead: TypeAlias = tuple[str, int, str | tuple[str, float], tuple[str, float], float]
"""A head as the core describes it: name, nodes, activation, loss and weight."""


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class Head:
    """Some outputs of a network, with an activation and a loss of their own; see `Heads`.

    Parameters
    ----------
    nodes : int
        The number of outputs, at least 1; of softmax at least 2.
    activation : {"softmax", "sigmoid", "identity", "exp", ...}
        As the `output` of `Network`.
    loss : str or a loss, optional
        As the `loss` of `Network`, with the same defaults, but not a function.
    weight : float, default 1.0
        The factor of this loss in the loss of the network, finite and above 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these, or the loss does not match the activation.

    Examples
    --------
    >>> Head(1, "identity", loss="huber", weight=0.5)
    Head(nodes=1, activation='identity', loss='huber', weight=0.5)
    """

    nodes: int
    activation: ActivationLike
    loss: LossLike | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", _validation.integer("nodes", self.nodes, minimum=1))
        object.__setattr__(self, "activation", read_activation("activation", self.activation))
        if self.activation == "softmax" and self.nodes == 1:
            raise ValueError(
                "a head is a softmax of one node, which is always 1: for two classes take one node "
                "with sigmoid, or two nodes with softmax; for a number identity"
            )
        loss = choose_loss(self.loss, self.activation)
        if loss.function is not None:
            raise ValueError(
                "loss is a function, which a head does not support: compute its derivatives by the "
                "outputs, and pass them to backward(gradient=) or train_on_batch(gradient=)"
            )
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "weight", _validation.positive("weight", self.weight))

    @property
    def chosen_loss(self) -> Loss:
        """The loss, chosen if none was given."""
        assert isinstance(self.loss, Loss)
        return self.loss

    def described(self) -> str:
        """Describe the head: ``'1 identity, huber x 0.5'``."""
        has_parameter = isinstance(self.activation, Activation)
        activation = repr(self.activation) if has_parameter else str(self.activation)
        factor = "" if self.weight == 1 else f" x {self.weight!r}"
        return f"{self.nodes} {activation}, {self.chosen_loss.described()}{factor}"


@immutable
@dataclass(frozen=True, slots=True, repr=False, eq=False, init=False)
class Heads(Dense):
    """The last layer of a network that predicts several things at once.

    It is one dense layer whose outputs are divided among the heads, in their order. The loss of the
    network is the sum of the losses of the heads, each times its weight.

    Parameters
    ----------
    trainable : bool, default True
        As of `Dense`.
    rate_factor : float, default 1.0
        As of `Dense`.
    **heads : Head
        The heads by name, at least one. The names are those of the losses in `History`
        (``"policy_loss"``) and of the results of `Network.evaluate`.

    Raises
    ------
    TypeError
        If one is not a `Head`.
    ValueError
        If there is none.

    Examples
    --------
    >>> Heads(policy=Head(2, "softmax"), value=Head(1, "identity", weight=0.5)).nodes
    3
    """

    named: tuple[tuple[str, Head], ...] = ()

    def __init__(self, *, trainable: bool = True, rate_factor: float = 1.0, **heads: Head) -> None:
        if not heads:
            raise ValueError("Heads must have at least one head: Heads(policy=Head(2, 'softmax'))")
        for name, head in heads.items():
            _check_name(name)
            if not isinstance(head, Head):
                raise TypeError(
                    f"{name} must be a Head, such as Head(2, 'softmax'), "
                    f"got {_validation.described(head)}"
                )
        self._set(tuple(heads.items()), trainable, rate_factor)

    def _set(
        self, named: tuple[tuple[str, Head], ...], trainable: bool, rate_factor: float
    ) -> None:
        nodes = sum(head.nodes for _, head in named)
        Dense.__init__(self, nodes, "identity", trainable=trainable, rate_factor=rate_factor)
        object.__setattr__(self, "named", named)

    @classmethod
    def of_core(cls, heads: list[CoreHead]) -> Self:
        """Return the layer of the heads that the core describes, whatever their names are."""
        named = []
        for name, nodes, activation, loss, weight in heads:
            like = Dense.of_description((nodes, activation, "none", 0.0))
            named.append((name, Head(nodes, like.activation, Loss(*loss), weight)))
        return cls._of(named)

    @classmethod
    def of_named(cls, heads: Mapping[str, Head]) -> Self:
        """Return the layer of heads whose names may be those of arguments."""
        for name in heads:
            _check_name(name)
        return cls._of(heads.items())

    @classmethod
    def _of(cls, named: Iterable[tuple[str, Head]]) -> Self:
        self = object.__new__(cls)
        self._set(tuple(named), trainable=True, rate_factor=1.0)
        return self

    @property
    def heads(self) -> Mapping[str, Head]:
        """The heads by name, in their order, read-only."""
        return MappingProxyType(dict(self.named))

    @property
    def total_loss(self) -> Loss:
        """The loss of a network with these heads."""
        return Loss("heads", heads=self.named)

    def having(self, **settings: Any) -> Self:
        """Return the same heads with other `trainable` or `rate_factor`."""
        kept = {"trainable": self.trainable, "rate_factor": self.rate_factor}
        result = object.__new__(type(self))
        result._set(self.named, **{**kept, **settings})
        return result

    def function(self) -> str:
        """Describe the heads: ``'policy: 2 softmax, cross_entropy; value: 1 identity, ...'``."""
        text = "; ".join(f"{name}: {head.described()}" for name, head in self.named)
        if not self.trainable:
            text += "; frozen"
        if self.rate_factor != 1:
            text += f"; rate x {self.rate_factor:g}"
        return text

    def __repr__(self) -> str:
        parts = [f"{name}={head!r}" for name, head in self.named]
        if not self.trainable:
            parts.append("trainable=False")
        if self.rate_factor != 1:
            parts.append(f"rate_factor={self.rate_factor!r}")
        return f"Heads({', '.join(parts)})"

    def _compared(self) -> tuple[Any, ...]:
        return self.named, self.trainable, self.rate_factor


def core_heads(loss: Loss) -> list[CoreHead]:
    """Return the heads of a loss as the core describes them; empty if it has none."""
    described: list[CoreHead] = []
    for name, head in loss.heads:
        activation = Dense(1, head.activation).described()[1]
        own = head.chosen_loss
        described.append((name, head.nodes, activation, (str(own), own.parameter), head.weight))
    return described


def _check_name(name: str) -> None:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise ValueError(f"the name of a head must be Unicode without NUL, not empty, got {name!r}")
    if name.startswith("validation"):
        raise ValueError(
            f"the name of a head must not begin with 'validation', got {name!r}; "
            "'validation_policy_loss' is the loss of the head 'policy' on validation data"
        )
