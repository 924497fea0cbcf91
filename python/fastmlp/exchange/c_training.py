"""The C function of one step of SGD, composed for a network."""

from dataclasses import dataclass
from textwrap import indent
from typing import Final

import numpy as np

from fastmlp.exchange.c_statements import applied, linear, literal, offsets, scaling_of
from fastmlp.layers import ActivationLike
from fastmlp.losses import Loss
from fastmlp.model.model import Model, refuse_frozen

_KEEPS_Z: Final = ("gelu", "gelu_tanh", "silu", "mish", "hardswish")
"""Activations whose derivative is computed from z; that of all others from h(z)."""

_HOLDS_ACTIVATION: Final = ("cross_entropy", "binary_cross_entropy", "poisson")
"""Losses computed from z: they include the activation of the output."""

_SIZES = """
#ifndef ${M}_BATCH
#define ${M}_BATCH 32 /* the maximum batch; may be defined before */
#endif
#define ${M}_TRAINING_WORKSPACE (%d * (size_t)${M}_BATCH + %d) /* numbers that train needs */
"""

_FUNCTION = """
/* One step of SGD on `batch` samples, at most ${M}_BATCH of them: rows of x, and of targets%s.
 * Returns their mean loss before the step%s. */
static inline double ${m}_%s($real *parameters, const $real *x, const %s *targets, size_t batch,
                             $real learning_rate, $real *workspace) {
%s
}
"""


@dataclass(frozen=True)
class LossPart:
    """The loss of some outputs: of all, or of those of a head."""

    prefix: str  # of the names of its functions
    loss: Loss
    nodes: int
    pieces: tuple[str, ...]  # the functions that compute it


def training(net: Model) -> tuple[str, str, list[LossPart]]:
    """Return the functions of training, the definitions of their sizes, and the losses they call.

    Raises
    ------
    ValueError
        If the header cannot train such a network.
    """
    _refuse_unsupported(net)
    loss = net.loss
    start, at = [], 0
    for name, nodes in _rooms(net):
        start.append(f"$real *{name} = workspace + {at} * (size_t)${{M}}_BATCH;")
        at += nodes
    outputs = net.layers[-1].nodes
    start.append(f"$real *z = workspace + {at} * (size_t)${{M}}_BATCH, *scores = z + {outputs};")
    row, of_scaled = f"targets + b * {outputs}", ""
    scaled = net.output_scaling is not None
    if scaled:
        start.append(f"$real *target = scores + {outputs};")
        row, of_scaled = "target", ", of the scaled targets"
    if loss.heads:
        start.append("$real sum;")
        about = ": a number for each output"
        kinds = [("train", about, "$real", "")]
    elif loss == "cross_entropy":
        labels = "_labels(scores, targets[b], %s)"
        if loss.parameter:
            labels = "(scores, NULL, targets[b], %s)"
        kinds = [
            ("train", "", "$real", f"cross_entropy(scores, {row}, 0, %s)"),
            ("train_labels", ": labels 0 to N - 1", "int32_t", f"cross_entropy{labels}"),
        ]
    else:
        kinds = [("train", "", "$real", f"mean_loss(scores, {row}, %s)")]
    functions = []
    for function, about, kind, call in kinds:
        if loss.heads:
            at_output = _losses_of_heads(net, row)
        else:
            at_output = _loss_of_all(net, call % f"delta + b * {outputs}")
        steps = [*_forward(net, at_output), *_backward(net)]
        index = "size_t b, j;" if any("++j" in step for step in steps) else "size_t b;"
        body = ["double loss = 0;", index, *start, *steps, "return loss / (double)batch;"]
        text = indent("\n".join(body), "    ")
        functions.append(_FUNCTION % (about, of_scaled, function, kind, text))
    return "".join(functions), _SIZES % (at, (3 if scaled else 2) * outputs), _parts(net)


def _refuse_unsupported(net: Model) -> None:
    before = net.input_normalization is not None
    if before or any(layer.normalization is not None or layer.dropout for layer in net.layers):
        raise ValueError(
            "training=True is for networks without normalization and dropout; without it, the "
            "header predicts"
        )
    refuse_frozen(net.core)
    if net.loss == "custom":
        raise ValueError("training=True is for the losses of fastmlp, not for a custom loss")
    if net.core.loss_weights is not None:
        raise ValueError("training=True is for networks without loss_weights")


def _parts(net: Model) -> list[LossPart]:
    """Return the losses whose functions are called."""
    if not net.loss.heads:
        pieces = _pieces(net.loss)
        if net.loss == "cross_entropy" and not net.loss.parameter:
            pieces = "cross_entropy_labels", *pieces
        return [LossPart("${m}", net.loss, net.outputs, pieces)]
    return [
        LossPart(f"${{m}}_head_{i}", head.chosen_loss, head.nodes, _pieces(head.chosen_loss))
        for i, (_, head) in enumerate(net.loss.heads)
    ]


def _pieces(loss: Loss) -> tuple[str, ...]:
    return (loss,) if loss == "cross_entropy" else (loss, "mean_loss")


def _rooms(net: Model) -> list[tuple[str, int]]:
    """Return the arrays of a batch and their sizes per sample."""
    rooms = [("scaled", net.features)] if net.input_scaling is not None else []
    widest = max(layer.nodes for layer in net.layers)
    for i, layer in enumerate(net.layers[:-1]):
        rooms.append((f"nodes_{i}", layer.nodes))
        if layer.activation in _KEEPS_Z:
            rooms.append((f"z_{i}", layer.nodes))
    deltas = ("delta", "before") if _lowest_trainable(net) < len(net.layers) - 1 else ("delta",)
    return [*rooms, *((name, widest) for name in deltas)]


def _forward(net: Model, at_output: list[str]) -> list[str]:
    """Return the loop over the samples: nodes of every layer, losses, deltas of the output."""
    body = []
    features, last = net.features, len(net.layers) - 1
    if net.input_scaling is not None:
        factors, row = scaling_of("input"), f"scaled + b * {features}"
        body.append(f"${{m}}_scale(x + b * {features}, {features}, {factors}, {row});")
    for i, layer in enumerate(net.layers[:-1]):
        before = f"{_before(net, i)} + b * {net.core.weights(i).shape[0]}"
        room = "z" if layer.activation in _KEEPS_Z else "nodes"
        body.append(linear(net, i, before, f"{room}_{i} + b * {layer.nodes}"))
        body += _each(net, i, f"nodes_{i}", f"{room}_{i}")
    before = f"{_before(net, last)} + b * {net.core.weights(last).shape[0]}"
    body.append(linear(net, last, before, "scores" if net.loss in _HOLDS_ACTIVATION else "z"))
    if net.output_scaling is not None:
        factors, outputs = scaling_of("output"), net.layers[-1].nodes
        row = f"targets + b * {outputs}"
        body.append(f"${{m}}_standardize({row}, {outputs}, {factors}, target);")
    body += at_output
    return ["for (b = 0; b < batch; ++b) {", *(indent(line, "    ") for line in body), "}"]


def _loss_of_all(net: Model, call: str) -> list[str]:
    """Return the loss of one sample, and its delta."""
    losses = f"loss += (double)${{m}}_{call};"
    if net.loss in _HOLDS_ACTIVATION:
        return [losses]
    outputs, output = net.outputs, net.layers[-1].activation
    value = "z[j]" if output == "identity" else applied(output, "z[j]", net.dtype)
    argument = "z" if output in _KEEPS_Z else "scores"
    return [
        f"for (j = 0; j < {outputs}; ++j) scores[j] = {value};",
        losses,
        *_slope(net, output, (0, outputs), f"delta[b * {outputs} + j]", f"{argument}[j]"),
    ]


def _losses_of_heads(net: Model, row: str) -> list[str]:
    """Return the same of a network with heads, head by head."""
    body, first, outputs = ["sum = 0;"], 0, net.outputs
    for i, (_, head) in enumerate(net.loss.heads):
        end, activation, loss = first + head.nodes, head.activation, head.chosen_loss
        loop, delta = f"for (j = {first}; j < {end}; ++j)", f"delta[b * {outputs} + j]"
        holds = loss in _HOLDS_ACTIVATION
        scores = "z" if holds or activation == "identity" else "scores"
        if scores == "scores":
            body.append(f"{loop} scores[j] = {applied(activation, 'z[j]', net.dtype)};")
        kind, label = ("cross_entropy", "0, ") if loss == "cross_entropy" else ("mean_loss", "")
        weight = literal(net.dtype.type(head.weight))
        arguments = f"{scores} + {first}, {row} + {first}, {label}delta + b * {outputs} + {first}"
        body.append(f"sum = sum + ${{m}}_head_{i}_{kind}({arguments}) * {weight};")
        if not holds:
            argument = "z" if activation in _KEEPS_Z else scores
            body += _slope(net, activation, (first, end), delta, f"{argument}[j]")
        if head.weight != 1:
            body.append(f"{loop} {delta} = {delta} * {weight};")
        first = end
    return [*body, "loss += (double)sum;"]


def _backward(net: Model) -> list[str]:
    """Return, from the last layer to the lowest trainable one, its update and the deltas before it.

    The deltas come first: they are computed from the weights before the step.
    """
    body = []
    lowest = _lowest_trainable(net)
    for i in range(len(net.layers) - 1, lowest - 1, -1):
        nodes, previous = _nodes(net, i), net.core.weights(i).shape[0]
        weights, _ = offsets(net, i)
        if i > lowest:
            body.append("for (b = 0; b < batch; ++b) {")
            body.append(
                f"    ${{m}}_backward(delta + b * {nodes}, {nodes}, parameters + {weights}, "
                f"{previous}, before + b * {previous});"
            )
            name = net.layers[i - 1].activation
            room = "z" if name in _KEEPS_Z else "nodes"
            at = f"b * {previous} + j"
            argument = f"{room}_{i - 1}[{at}]"
            slope = _slope(net, name, (0, previous), f"before[{at}]", argument)
            body += [indent(line, "    ") for line in slope]
            body.append("}")
        if net.core.trainable[i]:
            body.append(
                f"${{m}}_update({_before(net, i)}, {previous}, delta, {nodes}, batch, "
                f"{_rate(net, i)}, parameters + {weights});"
            )
        if i > lowest:
            body.append("{ $real *swap = delta; delta = before; before = swap; }")
    return body


def _lowest_trainable(net: Model) -> int:
    return net.core.trainable.index(True)


def _rate(net: Model, i: int) -> str:
    """Return the learning rate of layer i, computed in double."""
    factor = np.float64(net.core.rate_factors[i])
    if factor == 1.0:
        return "learning_rate"
    return f"($real)((double)learning_rate * {literal(factor)})"


def _each(net: Model, i: int, to: str, room: str) -> list[str]:
    activation, nodes = net.layers[i].activation, net.layers[i].nodes
    if activation == "identity":
        return []
    at = f"b * {nodes} + j"
    call = applied(activation, f"{room}[{at}]", net.dtype)
    return [f"for (j = 0; j < {nodes}; ++j) {to}[{at}] = {call};"]


def _slope(
    net: Model, activation: ActivationLike, nodes: tuple[int, int], delta: str, argument: str
) -> list[str]:
    """Return the statement delta *= h'(z), computed from z or from h, for a range of nodes."""
    if activation == "identity":
        return []
    if activation == "relu":
        value = f"{argument} <= 0 ? 0 : {delta}"
    else:
        value = f"{delta} * {applied(activation, argument, net.dtype, slope=True)}"
    return [f"for (j = {nodes[0]}; j < {nodes[1]}; ++j) {delta} = {value};"]


def _before(net: Model, i: int) -> str:
    """Return the array of a batch that layer i reads."""
    if i > 0:
        return f"nodes_{i - 1}"
    return "x" if net.input_scaling is None else "scaled"


def _nodes(net: Model, i: int) -> int:
    return net.layers[i].nodes
