"""The C function of one step of SGD, composed for a network."""

from textwrap import indent
from typing import Final

from fastmlp.exchange.c_statements import applied, linear, offsets
from fastmlp.model.model import Model

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
 * Returns their mean loss before the step. */
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
    if any(layer.normalization is not None or layer.dropout for layer in net.layers):
        raise ValueError("training=True is for networks without normalization and dropout")
    loss = net.loss
    if loss == "custom":
        raise ValueError("training=True is for the losses of fastmlp, not for a custom loss")
    start, at = [], 0
    for name, nodes in _rooms(net):
        start.append(f"$real *{name} = workspace + {at} * (size_t)${{M}}_BATCH;")
        at += nodes
    outputs = net.layers[-1].nodes
    start.append(f"$real *z = workspace + {at} * (size_t)${{M}}_BATCH, *scores = z + {outputs};")
    row = f"targets + b * {outputs}"
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
        functions.append(_FUNCTION % (about, function, kind, indent("\n".join(body), "    ")))
    pieces = () if loss == "cross_entropy" else (loss, "mean_loss")
    return "".join(functions), _SIZES % (at, 2 * outputs), pieces


def _rooms(net: Model) -> list[tuple[str, int]]:
    """Return the arrays of a batch and their sizes per sample."""
    rooms = []
    widest = max(layer.nodes for layer in net.layers)
    for i, layer in enumerate(net.layers[:-1]):
        rooms.append((f"nodes_{i}", layer.nodes))
        if layer.activation in _KEEPS_Z:
            rooms.append((f"z_{i}", layer.nodes))
    return [*rooms, ("delta", widest), ("before", widest)]


def _forward(net: Model, losses: str, holds: bool) -> list[str]:
    """Return the loop over the samples: nodes of every layer, losses, deltas of the output."""
    body = []
    for i, layer in enumerate(net.layers[:-1]):
        before = (
            f"x + b * {net.features}" if i == 0 else f"nodes_{i - 1} + b * {_nodes(net, i - 1)}"
        )
        room = "z" if layer.activation in _KEEPS_Z else "nodes"
        body.append(linear(net, i, before, f"{room}_{i} + b * {layer.nodes}"))
        body += _each(net, i, f"nodes_{i}", f"{room}_{i}")
    last = len(net.layers) - 1
    before = (
        f"x + b * {net.features}"
        if last == 0
        else f"nodes_{last - 1} + b * {_nodes(net, last - 1)}"
    )
    output, outputs = net.layers[-1].activation, net.layers[-1].nodes
    body.append(linear(net, last, before, "scores" if holds else "z"))
    if not holds:
        call = "z[j]" if output == "identity" else applied(output, "z[j]", net.dtype)
        body.append(f"for (j = 0; j < {outputs}; ++j) scores[j] = {call};")
    body.append(losses)
    if not holds:
        argument = "z" if output in _KEEPS_Z else "scores"
        body += _slope(net, last, f"delta[b * {outputs} + j]", f"{argument}[j]")
    return ["for (b = 0; b < batch; ++b) {", *(indent(line, "    ") for line in body), "}"]


def _backward(net: Model) -> list[str]:
    """Return, from the last layer to the first, the deltas before it and its update."""
    body = []
    for i in range(len(net.layers) - 1, -1, -1):
        nodes, previous = _nodes(net, i), net.core.weights(i).shape[0]
        weights, _ = offsets(net, i)
        if i > 0:
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
        nodes_in = "x" if i == 0 else f"nodes_{i - 1}"
        body.append(
            f"${{m}}_update({nodes_in}, {previous}, delta, {nodes}, batch, learning_rate, "
            f"parameters + {weights});"
        )
        if i > 0:
            body.append("{ $real *swap = delta; delta = before; before = swap; }")
    return body


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


def _nodes(net: Model, i: int) -> int:
    return net.layers[i].nodes
