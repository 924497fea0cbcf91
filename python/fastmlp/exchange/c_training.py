"""The C function of one step of SGD, composed for a network."""

from textwrap import indent
from typing import Final

import numpy as np

from fastmlp.exchange.c_statements import applied, linear, literal, offsets, scaling_of
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


def training(net: Model) -> tuple[str, str, tuple[str, ...]]:
    """Return the functions of training, the definitions of their sizes, and the pieces of the loss.

    Raises
    ------
    ValueError
        If the header cannot train such a network.
    """
    before = net.input_normalization is not None
    if before or any(layer.normalization is not None or layer.dropout for layer in net.layers):
        raise ValueError(
            "training=True is for networks without normalization and dropout; without it, the "
            "header predicts"
        )
    refuse_frozen(net.core)
    loss = net.loss
    if loss == "custom":
        raise ValueError("training=True is for the losses of fastmlp, not for a custom loss")
    if net.core.loss_weights is not None:
        raise ValueError("training=True is for networks without loss_weights")
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
    kinds = [("train", "", "$real", f"mean_loss(scores, {row}, %s)")]
    if loss == "cross_entropy":
        labels = "_labels(scores, targets[b], %s)"
        if loss.parameter:
            labels = "(scores, NULL, targets[b], %s)"
        kinds = [
            ("train", "", "$real", f"cross_entropy(scores, {row}, 0, %s)"),
            ("train_labels", ": labels 0 to N - 1", "int32_t", f"cross_entropy{labels}"),
        ]
    functions = []
    for function, about, kind, call in kinds:
        losses = f"loss += (double)${{m}}_{call % f'delta + b * {outputs}'};"
        steps = [*_forward(net, losses, loss in _HOLDS_ACTIVATION), *_backward(net)]
        index = "size_t b, j;" if any("++j" in step for step in steps) else "size_t b;"
        body = ["double loss = 0;", index, *start, *steps, "return loss / (double)batch;"]
        text = indent("\n".join(body), "    ")
        functions.append(_FUNCTION % (about, of_scaled, function, kind, text))
    pieces = () if loss == "cross_entropy" else (loss, "mean_loss")
    return "".join(functions), _SIZES % (at, (3 if scaled else 2) * outputs), pieces


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


def _forward(net: Model, losses: str, holds: bool) -> list[str]:
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
    output, outputs = net.layers[-1].activation, net.layers[-1].nodes
    body.append(linear(net, last, before, "scores" if holds else "z"))
    if not holds:
        call = "z[j]" if output == "identity" else applied(output, "z[j]", net.dtype)
        body.append(f"for (j = 0; j < {outputs}; ++j) scores[j] = {call};")
    if net.output_scaling is not None:
        factors, row = scaling_of("output"), f"targets + b * {outputs}"
        body.append(f"${{m}}_standardize({row}, {outputs}, {factors}, target);")
    body.append(losses)
    if not holds:
        argument = "z" if output in _KEEPS_Z else "scores"
        body += _slope(net, last, f"delta[b * {outputs} + j]", f"{argument}[j]")
    return ["for (b = 0; b < batch; ++b) {", *(indent(line, "    ") for line in body), "}"]


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
            body += [indent(line, "    ") for line in _slope(net, i - 1, f"before[{at}]", argument)]
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


def _slope(net: Model, i: int, delta: str, argument: str) -> list[str]:
    """Return the statement delta *= h'(z), computed from z or from h."""
    activation, nodes = net.layers[i].activation, net.layers[i].nodes
    if activation == "identity":
        return []
    if activation == "relu":
        value = f"{argument} <= 0 ? 0 : {delta}"
    else:
        value = f"{delta} * {applied(activation, argument, net.dtype, slope=True)}"
    return [f"for (j = 0; j < {nodes}; ++j) {delta} = {value};"]


def _before(net: Model, i: int) -> str:
    """Return the array of a batch that layer i reads."""
    if i > 0:
        return f"nodes_{i - 1}"
    return "x" if net.input_scaling is None else "scaled"


def _nodes(net: Model, i: int) -> int:
    return net.layers[i].nodes
