"""`Summary`: the layers of a network with memory and operations, as text and for notebooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastmlp.layers import Dense, label_of
from fastmlp.model.model import Model

_MOST_WEIGHTS: Final = 8
"""How many weights of outputs a note lists."""

HEADINGS = ("layer", "shape", "activation", "parameters", "FLOPs")


@dataclass(frozen=True, repr=False)
class Summary:
    """A table of the layers of a network, for ``print(net.summary())`` and notebooks.

    Attributes
    ----------
    title : str
        The network in a line.
    layers : tuple of tuple of str
        A row per layer: number, shape, activation, parameters, and the flops of predicting one
        sample.
    n_parameters : int
        All weights and biases, scales and shifts.
    prediction_flops, training_flops : int
        Floating-point operations per sample, counting the matrix products.
    parameter_bytes : int
        The memory of the parameters; the gradients take the same amount.
    scaled : tuple of str
        What the network scales itself: "features", "outputs", both or nothing.
    loss_weights : tuple of float, optional
        The weight of each output in the loss, if they have any.
    """

    title: str
    layers: tuple[tuple[str, ...], ...]
    n_parameters: int
    prediction_flops: int
    training_flops: int
    parameter_bytes: int
    scaled: tuple[str, ...] = ()
    loss_weights: tuple[float, ...] | None = None

    def _table(self) -> tuple[tuple[str, ...], ...]:
        total = ("total", "", "", f"{self.n_parameters:,}", f"{self.prediction_flops:,}")
        return (HEADINGS, *self.layers, total)

    def _notes(self) -> tuple[str, ...]:
        size = _bytes(self.parameter_bytes)
        predict, train = f"{self.prediction_flops:,}", f"{self.training_flops:,}"
        return (
            f"per sample: {predict} FLOPs to predict, {train} to train",
            f"memory: {size} of parameters, {size} of gradients",
            *([f"scaled by the network: {' and '.join(self.scaled)}"] if self.scaled else []),
            *([self._weights_note(self.loss_weights)] if self.loss_weights is not None else []),
        )

    @staticmethod
    def _weights_note(weights: tuple[float, ...]) -> str:
        first = ", ".join(f"{weight:g}" for weight in weights[:_MOST_WEIGHTS])
        more = len(weights) - _MOST_WEIGHTS
        return f"weights of the outputs in the loss: {first}" + (
            f" and {more} more" if more > 0 else ""
        )

    def __repr__(self) -> str:
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for row in table:
            cells = [
                f"{cell:<{width}}" if i < 3 else f"{cell:>{width}}"
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  " + "  ".join(cells).rstrip())
        return "\n".join([self.title, *lines, *self._notes()])

    def _repr_html_(self) -> str:
        from html import escape  # noqa: PLC0415  (keeps `import fastmlp` fast)

        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._table()
        ).replace("td>", "th>", 2 * len(HEADINGS))
        notes = "<br>".join(escape(note) for note in self._notes())
        title = escape(self.title)
        return f"<div><strong>{title}</strong><table>{rows}</table><small>{notes}</small></div>"


def describe(model: Model, kind: str) -> str:
    """Return the ``repr`` of a network: a line for it, and one for each layer."""
    rows = []
    previous = model.features
    if model.input_normalization is not None:
        label = label_of(model.input_normalization)
        rows.append(("  input", str(previous), label, f"{2 * previous:,}"))
    for i, layer in enumerate(model.layers):
        count = f"{layer.parameters(previous):,}"
        rows.append((f"  layer {i}", f"{previous} -> {layer.nodes}", layer.function(), count))
        previous = layer.nodes
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    weighted = "" if model.core.loss_weights is None else " of weighted outputs"
    title = (
        f"{kind}: {model.features} features, {model.loss.described()}{weighted}, {model.dtype}, "
        f"{model.n_parameters:,} parameters"
    )
    lines = [
        f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {activation:<{widths[2]}}  "
        f"{count:>{widths[3]}} parameters"
        for name, shape, activation, count in rows
    ]
    return "\n".join([title, *lines])


def summarise(model: Model, kind: str) -> Summary:
    """Summarise a network; see `Network.summary`."""
    rows = []
    previous = model.features
    if model.input_normalization is not None:
        label = label_of(model.input_normalization)
        rows.append(("input", str(previous), label, f"{2 * previous:,}", "0"))
    for i, layer in enumerate(model.layers):
        count = layer.parameters(previous)
        flops = 2 * previous * layer.nodes
        shape = f"{previous} -> {layer.nodes}"
        rows.append((str(i), shape, layer.function(), f"{count:,}", f"{flops:,}"))
        previous = layer.nodes
    weights = model.core.loss_weights
    scalings = {"features": model.input_scaling, "outputs": model.output_scaling}
    return Summary(
        title=f"{kind}: {model.features} features, {model.loss}, {model.dtype}",
        layers=tuple(rows),
        n_parameters=model.n_parameters,
        prediction_flops=prediction_flops(model.features, model.layers),
        training_flops=training_flops(model),
        parameter_bytes=model.n_parameters * model.dtype.itemsize,
        scaled=tuple(name for name, scaling in scalings.items() if scaling is not None),
        loss_weights=None if weights is None else tuple(map(float, weights)),
    )


def prediction_flops(features: int, layers: Sequence[Dense]) -> int:
    """Count the flops of predicting one sample: 2 K N for the product of each layer."""
    return sum(2 * K * N for K, N in _shapes(features, layers))


def training_flops(model: Model, density: float = 1.0) -> int:
    """Count the flops of training on a sample, of whose features the fraction `density` is stored.

    2 K N each for the forward product and the gradient of a layer, and 2 K N for the backward pass
    of delta through every layer; through the first only to an input normalization.
    """
    products, below = 0, model.features
    for layer in model.layers:
        products += 2 * below * layer.nodes
        below = layer.nodes
    first = 2 * model.features * model.layers[0].nodes
    backward = first if model.input_normalization is not None else 0
    return 3 * (products - first) + round(2 * first * density) + backward


def _shapes(features: int, layers: Sequence[Dense]) -> list[tuple[int, int]]:
    nodes = [layer.nodes for layer in layers]
    return list(zip([features, *nodes], nodes, strict=False))


def _bytes(count: int) -> str:
    """Format a number of bytes: ``9.4 kB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
