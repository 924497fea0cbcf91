"""`Heads`: an output layer of several parts, each with an activation and a loss of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from . import activations, arrays, validation
from .chosen_loss import ChosenLoss, choose_loss
from .dense import Matrix, Row
from .layers import Dense
from .losses import is_right
from .scaling import REGRESSION, Scaling, losses_in_units, trained_losses_in_units
from .sums import in_order


@dataclass(frozen=True, slots=True)
class Head:
    """Some outputs of a network, with an activation and a loss of their own; see `Heads`.

    Parameters
    ----------
    nodes : int
        The number of outputs, at least 1; of softmax at least 2.
    activation : str
        As the `output` of `Network`.
    loss : str or a loss, optional
        As the `loss` of `Network`, but not a function.
    weight : float, default 1.0
        The factor of this loss in the loss of the network, finite and above 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these, or the loss does not match the activation.
    """

    nodes: int
    activation: str
    loss: Any = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        like = Dense(self.nodes, self.activation)
        if (like.activation, like.nodes) == ("softmax", 1):
            raise ValueError("a head is a softmax of one node, which is always 1")
        loss = choose_loss(self.loss, self.activation)
        if loss.function is not None:
            raise ValueError("loss is a function, which a head does not support")
        object.__setattr__(self, "nodes", like.nodes)
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "weight", validation.positive("weight", self.weight))

    def of_batch(self, z: Matrix, h: Matrix, y: Matrix) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8) and delta, dL/dz (2.9), neither times the weight."""
        losses, delta = self.loss.of_batch(z, h, y)
        if not self.loss.fused:
            rows = zip(delta, h, z, strict=True)
            delta = [activations.pass_back(self.activation, *row) for row in rows]
        return losses, delta

    @property
    def is_numeric(self) -> bool:
        """Whether the outputs are numbers that can be scaled."""
        return self.activation == "identity" and self.loss.name in REGRESSION

    def losses_in_units(
        self, scaling: Scaling | None, z: Matrix, h: Matrix, y: Matrix, trained: bool
    ) -> Row:
        """Return the loss of each sample in units of the targets, if the outputs are scaled."""
        if scaling is None or not self.is_numeric:
            losses: Row = self.loss.of_batch(z, h, y)[0]
            return losses
        if trained:
            return trained_losses_in_units(self.loss, z, h, y, scaling, None)
        return losses_in_units(self.loss, scaling.apply(h), y, scaling.scale, None)


@dataclass(frozen=True, slots=True, init=False)
class Heads(Dense):
    """The last layer of a network that predicts several things at once.

    It is one dense layer whose outputs are divided among the heads, in their order. The loss of the
    network is the sum of the losses of the heads, each times its weight.

    Parameters
    ----------
    trainable, rate_factor
        As of `Dense`.
    **heads : Head
        The heads by name, at least one.

    Raises
    ------
    TypeError, ValueError
        If there is none, or one is not a `Head`.
    """

    named: tuple[tuple[str, Head], ...] = ()

    def __init__(self, *, trainable: bool = True, rate_factor: float = 1.0, **heads: Head) -> None:
        if not heads:
            raise ValueError("Heads must have at least one head")
        for name, head in heads.items():
            if not isinstance(head, Head):
                raise TypeError(f"{name} must be a Head, got {validation.brief(head)}")
            if not name or name.startswith("validation"):
                raise ValueError(f"the name of a head must not begin with 'validation': {name!r}")
        nodes = sum(head.nodes for head in heads.values())
        Dense.__init__(self, nodes, "identity", None, 0.0, trainable, rate_factor)
        object.__setattr__(self, "named", tuple(heads.items()))

    @property
    def heads(self) -> dict[str, Head]:
        """The heads by name, in their order."""
        return dict(self.named)

    def having(self, **settings: Any) -> "Heads":
        """Return the same heads with other `trainable` or `rate_factor`."""
        kept = {"trainable": self.trainable, "rate_factor": self.rate_factor}
        return Heads(**{**self.heads, **kept, **settings})

    def split(self, row: Any) -> list[Any]:
        """Return the part of each head."""
        parts = []
        for _, head in self.named:
            parts.append(row[: head.nodes])
            row = row[head.nodes :]
        return parts

    def split_rows(self, rows: Matrix) -> list[Matrix]:
        """Return the parts of all rows, head by head."""
        return [list(part) for part in zip(*map(self.split, rows), strict=True)]

    def of_head(
        self, name: str, metric: Callable[[Matrix, Matrix, Row], float]
    ) -> Callable[[Matrix, Matrix, Row], float]:
        """Return a metric of the targets and outputs of all heads that measures those of one."""
        i = list(self.heads).index(name)
        return lambda y, h, w: metric(self.split_rows(y)[i], self.split_rows(h)[i], w)

    def activate(self, z: Row) -> Row:
        """Compute the outputs of all heads (1.1)."""
        pairs = zip(self.named, self.split(z), strict=True)
        return joined([activations.activate(head.activation, part) for (_, head), part in pairs])

    def pass_back(self, d: Row, h: Row, z: Row) -> Row:
        """Compute delta = dL/dz from d = dL/dh (2.2)."""
        parts = zip(self.named, *map(self.split, (d, h, z)), strict=True)
        return joined([activations.pass_back(head.activation, *rows) for (_, head), *rows in parts])

    def targets(self, name: str, y: Any, rows: int, loss: str) -> Matrix:
        """Return the targets of all heads (rows, N) from a list of one for each, or a dict."""
        del loss  # each head has its own
        names = [head for head, _ in self.named]
        if isinstance(y, Mapping):
            if set(y) != set(names):
                raise ValueError(f"{name} must have the names of the heads, {names}")
            y = [y[head] for head in names]
        if not isinstance(y, tuple | list):
            raise TypeError(f"{name} must be a tuple of targets for each head, {names}, or a dict")
        if len(y) != len(names):
            raise ValueError(f"{name} must have targets for each head, {names}, got {len(y)} items")
        parts = [
            arrays.targets(f"{name}[{head!r}]", part, rows, of.nodes, of.loss.name)
            for (head, of), part in zip(self.named, y, strict=True)
        ]
        return [joined(row) for row in zip(*parts, strict=True)]


@dataclass(frozen=True, slots=True)
class LossOfHeads:
    """The sum of the losses of heads, each times its weight: a `ChosenLoss` of several parts."""

    heads: Heads
    name: ClassVar[str] = "heads"
    parameter: ClassVar[float] = 0.0
    function: ClassVar[None] = None
    fused: ClassVar[bool] = True

    def of_each(self, z: Matrix, h: Matrix, y: Matrix) -> dict[str, tuple[Row, Matrix]]:
        """Return the losses and deltas of each head, by name, not times its weight.

        The numbers of all outputs in y may be followed by a factor for each head.
        """
        parts = zip(self.heads.named, *map(self.heads.split_rows, (z, h, y)), strict=True)
        each = {name: head.of_batch(*rows) for (name, head), *rows in parts}
        if len(y[0]) > self.heads.nodes:
            factors = zip(*(row[self.heads.nodes :] for row in y), strict=True)
            pairs = zip(each.items(), factors, strict=True)
            each = {name: times(losses, d, list(factor)) for (name, (losses, d)), factor in pairs}
        return each

    def of_batch(self, z: Matrix, h: Matrix, y: Matrix) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8), and delta, dL/dz (2.9)."""
        each = self.of_each(z, h, y)
        weights = [head.weight for _, head in self.heads.named]
        losses = self.total({name: losses for name, (losses, _) in each.items()})
        deltas = [
            [[d * w for d in row] for row in delta]
            for (_, delta), w in zip(each.values(), weights, strict=True)
        ]
        return losses, [joined(row) for row in zip(*deltas, strict=True)]

    def total(self, losses: dict[str, Row]) -> Row:
        """Return the loss of each sample from those of all heads."""
        weights = [head.weight for _, head in self.heads.named]
        return [
            in_order(w * loss for w, loss in zip(weights, row, strict=True))
            for row in zip(*losses.values(), strict=True)
        ]

    def scaled(self, scaling: Scaling, y: Matrix) -> Matrix:
        """Return the targets that outputs are compared with before they are scaled."""
        n = self.heads.nodes
        inverse = scaling.inverse([row[:n] for row in y])
        return [numbers + row[n:] for numbers, row in zip(inverse, y, strict=True)]

    def in_units(
        self, z: Matrix, h: Matrix, y: Matrix, scaling: Scaling | None, *, trained: bool
    ) -> dict[str, Row]:
        """Return the losses of each head in units of the targets, by name, not times its weight.

        Those of a training step, `trained`, are computed from the scaled targets.
        """
        scalings = self.scalings_of_each(scaling)
        parts = zip(self.heads.named, scalings, *map(self.heads.split_rows, (z, h, y)), strict=True)
        each = {name: head.losses_in_units(*part, trained) for (name, head), *part in parts}
        factors = [row[self.heads.nodes :] for row in y]
        for i, (name, losses) in enumerate(each.items() if factors[0] else ()):
            each[name] = [
                row[i] * loss if row[i] else 0.0 for row, loss in zip(factors, losses, strict=True)
            ]
        return each

    def scalings_of_each(self, scaling: Scaling | None) -> list[Scaling | None]:
        """Return the part of each head of a scaling of all outputs."""
        if scaling is None:
            return [None] * len(self.heads.named)
        parts = map(self.heads.split, (scaling.scale, scaling.offset))
        return [Scaling(*each) for each in zip(*parts, strict=True)]

    def are_right(self, z: Matrix, y: Matrix) -> dict[str, list[list[bool]]]:
        """Return which decisions of each sample are right, for each head; see `is_right`."""
        parts = zip(self.heads.named, *map(self.heads.split_rows, (z, y)), strict=True)
        return {
            name: [is_right(head.loss.name, *sample) for sample in zip(*rows, strict=True)]
            for (name, head), *rows in parts
        }


def loss_of(layers: tuple[Dense, ...], loss: object) -> ChosenLoss | LossOfHeads:
    """Return the loss of a network, which its heads have if it has several.

    Raises
    ------
    TypeError, ValueError
        If it does not match the last layer, or heads are not the last layer.
    """
    if any(isinstance(layer, Heads) for layer in layers[:-1]):
        raise ValueError("Heads must be the last layer")
    output = layers[-1]
    if not isinstance(output, Heads):
        return choose_loss(loss, output.activation)
    if loss is not None:
        raise ValueError("loss of a network with heads: each of them has its own, Head(loss=...)")
    return LossOfHeads(output)


def times(losses: Row, delta: Matrix, factors: Row) -> tuple[Row, Matrix]:
    """Return losses and delta, each row times its factor; 0 for the factor 0, whatever they are."""
    return (
        [w * loss if w else 0.0 for w, loss in zip(factors, losses, strict=True)],
        [[w * d if w else 0.0 for d in row] for w, row in zip(factors, delta, strict=True)],
    )


def joined(parts: Any) -> Row:
    """Return the parts of a row one after another."""
    return [value for part in parts for value in part]
