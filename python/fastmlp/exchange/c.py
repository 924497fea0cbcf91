"""A network as one C99 header that predicts, and optionally trains, with the same bits."""

import os
import re
from collections.abc import Iterable
from importlib.resources import files
from string import Template
from textwrap import dedent, indent
from typing import Any, TypeAlias

import numpy as np

from fastmlp._validation import brief
from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.c_literals import literals
from fastmlp.exchange.c_statements import (
    activation,
    activations_of,
    linear,
    literal,
    loops,
    normalization,
    scaling_of,
)
from fastmlp.exchange.c_training import LossPart, training
from fastmlp.exchange.normalizations import of_inputs, of_layer
from fastmlp.files import Path, checked_path, shown, write_file
from fastmlp.heads import Heads
from fastmlp.layers import Dense, label_of, numbers_of
from fastmlp.model.model import Model, refuse_not_finite

_PIECES = ("c_math.h.in", "c_activations.h.in", "c_layers.h.in")
_LOSSES = "c_losses.h.in"

_Sections: TypeAlias = dict[str, tuple[list[str], str]]

_ELSEWHERE = """\
/* They are in a file of their own: ${M}_PARAMETERS numbers of $bytes bytes, little-endian. Read or
 * map it, and pass its address as the parameters of the functions below. */
"""


def export_c(
    net: Model, path: Path, name: object, train: bool, weights: Path | None = None
) -> None:
    """Write the header, and a file of the parameters; see `Network.export_c`."""
    text = header(net, name, train, with_parameters=weights is None)
    if weights is not None:
        names = checked_path(path), checked_path(weights, "weights")
        first, second = (os.path.realpath(os.fsdecode(name)) for name in names)
        if first == second:
            raise ValueError(
                f"weights must be another file than path, got {brief(shown(names[0]))} for both"
            )
        little_endian = net.core.parameters.astype(net.dtype.newbyteorder("<"))
        write_file(weights, little_endian.tobytes())
    write_file(path, text.encode("ascii"))


def header(net: Model, name: object, train: bool, *, with_parameters: bool = True) -> str:
    """Return the text of the header."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            f"name must be an identifier of C that starts with a letter, got {brief(name)}"
        )
    refuse_not_finite(net)
    words = _words(net, name)
    predict = _predict(net)
    trainer, sizes, losses = training(net) if train else ("", "", [])
    pieces_of_losses = _sections(_LOSSES)
    needs = [need for loss in losses for name in loss.pieces for need in pieces_of_losses[name][0]]
    sections = _needed(_sections(*_PIECES), [*_called(predict + trainer), *needs])
    sections += [text for loss in losses for text in _loss(loss, pieces_of_losses, net.dtype)]
    frame = _read("c_frame.h.in")
    pieces = {
        "functions": "\n".join(sections),
        "predict": predict,
        "train": trainer,
        "training_sizes": sizes,
        "values": (_array("parameters", net.core.parameters) if with_parameters else _ELSEWHERE)
        + _statistics(net)
        + _scalings(net)
        + _names(net),
    }
    return Template(Template(frame).safe_substitute(pieces)).substitute(words)


def _words(net: Model, name: str) -> dict[str, str]:
    """Return the values of the placeholders in the pieces."""
    sizes = [net.features, *(layer.nodes for layer in net.layers)]
    functions = ", ".join(map(_function, net.layers))
    if net.input_normalization is not None:
        functions = f"{label_of(net.input_normalization)} of the features, {functions}"
    return {
        "m": name,
        "M": name.upper(),
        "fma": f"{name.upper()}_FMA",
        "shape": "-".join(map(str, sizes)),
        "description": f"Layers: {functions}; loss: {net.loss}.",
        "features": str(net.features),
        "outputs": str(sizes[-1]),
        "parameters": str(net.n_parameters),
        "bytes": str(net.dtype.itemsize),
        "workspace": str(2 * max(sizes[1:]) + (net.features if _reads_copies(net) else 0)),
        **CONSTANTS[str(net.dtype)],
    }


def _function(layer: Dense) -> str:
    """Describe a layer, without the names of heads, which may hold anything."""
    if isinstance(layer, Heads):
        return "; ".join(head.described() for _, head in layer.named)
    return layer.function()


def _loss(part: LossPart, sections: _Sections, dtype: np.dtype[Any]) -> list[str]:
    """Return the functions of a loss, with its constants in the network's type as in the core."""
    kind = dtype.type
    parameter, outputs = kind(part.loss.parameter), kind(part.nodes)
    words = {
        "own": part.prefix,
        "outputs": str(part.nodes),
        "loss_scale": "2" if part.loss == "mean_squared_error" else "1",
        "parameter": literal(parameter),
        "kept": literal(kind(1) - parameter),
        "spread": literal(parameter / outputs),
    }
    texts = [text for name, (_, text) in sections.items() if name in part.pieces]
    return [Template(text.strip() + "\n").safe_substitute(words) for text in texts]


def _reads_copies(net: Model) -> bool:
    """Return whether the first layer reads other features than those it is called with."""
    return net.input_scaling is not None or net.input_normalization is not None


def _predict(net: Model) -> str:
    """Return the function that computes one sample."""
    last = len(net.layers) - 1
    widest = max(layer.nodes for layer in net.layers)
    body = [f"$real *here = workspace, *there = workspace + {widest}, *swap;"] if last else []
    functions = [name for layer in net.layers for name, _ in activations_of(layer)]
    copies = net.input_scaling is None and net.input_normalization is not None
    needs_index = copies or any(map(loops, functions))
    body += ["size_t j;"] if needs_index else []
    first = f"workspace + {2 * widest}" if _reads_copies(net) else "x"
    if copies:
        body.append(f"for (j = 0; j < {net.features}; ++j) ({first})[j] = x[j];")
    elif net.input_scaling is not None:
        body.append(f"${{m}}_scale(x, {net.features}, {scaling_of('input')}, {first});")
    body.append(normalization(net, of_inputs(net), first))
    for i, layer in enumerate(net.layers):
        before = first if i == 0 else "there"
        to = "y" if i == last else "here"
        body.append(linear(net, i, before, to))
        steps = [normalization(net, of_layer(net, i), to), activation(net, i, to)]
        if numbers_of(layer.normalization).after_activation:
            steps.reverse()
        body += steps
        if i < last:
            body.append("swap = here, here = there, there = swap;")
    if net.output_scaling is not None:
        body.append(f"${{m}}_scale(y, {net.layers[-1].nodes}, {scaling_of('output')}, y);")
    body += [] if last or _reads_copies(net) else ["(void)workspace;"]
    return dedent("""\
        /* y = the outputs for one sample x, with ${m}_parameters or others of their order */
        static inline void ${m}_predict(const $real *parameters, const $real *x, $real *y,
                                        $real *workspace) {
        %s
        }
        """) % indent("\n".join(filter(None, body)), "    ")


def _statistics(net: Model) -> str:
    """Return the running averages of batch normalization, if any."""
    if not net.core.statistics.size:
        return ""
    about = "\n/* Layer by layer: the running means and variances of batch normalization. */\n"
    return about + _array("statistics", net.core.statistics)


def _scalings(net: Model) -> str:
    """Return the scale and offset of features and outputs, if any."""
    text = ""
    for of, scaling in (("input", net.input_scaling), ("output", net.output_scaling)):
        if scaling is not None:
            text += f"\n/* How each {of} is scaled. */\n"
            text += _array(f"{of}_scale", scaling[0]) + "\n" + _array(f"{of}_offset", scaling[1])
    return text


def _names(net: Model) -> str:
    """Return the names of features and classes, if any."""
    text = ""
    for of, names in (("feature", net.feature_names), ("class", net.core.class_names)):
        if names is not None:
            lines = ",\n    ".join(map(_string, names))
            text += f"\n/* The name of each {of}, UTF-8. */\nstatic const char *const "
            text += f"${{m}}_{of}_names[{len(names)}] = {{\n    {lines}\n}};\n"
    return text


def _string(text: str) -> str:
    """Return a string of C, as octal numbers where it is neither a letter nor a digit of ASCII."""
    plain = re.compile(r"[A-Za-z0-9 _.,:()+-]")
    characters = (chr(byte) for byte in text.encode())
    return '"' + "".join(c if plain.match(c) else f"\\{ord(c):03o}" for c in characters) + '"'


def _array(name: str, values: np.ndarray) -> str:
    """Return a constant array of the exact bits."""
    return f"static const $real ${{m}}_{name}[{values.size}] = {{\n{literals(values)}\n}};\n"


def _sections(*names: str) -> _Sections:
    """Return the pieces of files by name, in order: their dependencies and text."""
    sections = {}
    for file in names:
        parts = re.split(r"^//// (\w+):(.*)\n", _read(file), flags=re.MULTILINE)[1:]
        for name, needs, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            sections[name] = (needs.split(), text)
    return sections


def _called(text: str) -> list[str]:
    """Return the names of the functions that `text` calls."""
    return re.findall(r"\$\{m\}_(\w+)\(", text)


def _needed(sections: _Sections, names: Iterable[str]) -> list[str]:
    """Return the texts of the named pieces and of their dependencies, in order."""
    waiting = [name for name in names if name in sections]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += sections[name][0]
    return [text.strip() + "\n" for name, (_, text) in sections.items() if name in needed]


def _read(name: str) -> Any:
    return files(__package__).joinpath(name).read_text(encoding="ascii")
