"""A network as one C header: C99 that predicts, and if asked goes on training, to the bit."""

import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import dedent, fill, indent
from typing import Any

import numpy as np

from fastmlp.exchange.c_constants import CONSTANTS
from fastmlp.exchange.c_training import training
from fastmlp.model import Model

_NARROW = 16  # up to so many nodes, z is summed by tree16


def export_c(net: Model, path: str | Path, name: object, train: bool) -> None:
    """Write the header; see `Network.export_c`."""
    Path(path).write_text(header(net, name, train), encoding="ascii")


def header(net: Model, name: object, train: bool) -> str:
    """Return the text of the header."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"name must be an identifier of C that starts with a letter, got {name!r}")
    if not np.isfinite(net.parameters).all():
        raise ValueError("the network has parameters that are not finite; C has no literal of them")
    words = _words(net, name)
    predict = _predict(net)
    trainer, sizes = training(net) if train else ("", "")
    sections = _needed(_sections(), predict + trainer)
    frame = _read("c_frame.h.in")
    pieces = {
        "functions": "\n".join(sections),
        "predict": predict,
        "train": trainer,
        "training_sizes": sizes,
        "values": _values(net.parameters),
    }
    return Template(Template(frame).safe_substitute(pieces)).substitute(words)


def _words(net: Model, name: str) -> dict[str, str]:
    """Return what the placeholders of the pieces stand for."""
    sizes = [net.features, *(layer.nodes for layer in net.layers)]
    activations = ", ".join(layer.activation for layer in net.layers)
    return {
        "m": name,
        "M": name.upper(),
        "fma": f"{name.upper()}_FMA",
        "shape": "-".join(map(str, sizes)),
        "description": f"Layers: {activations}; loss: {net.loss}.",
        "features": str(net.features),
        "outputs": str(sizes[-1]),
        "parameters": str(net.n_parameters),
        "workspace": str(2 * max(sizes[1:])),
        **CONSTANTS[str(net.dtype)],
    }


def _predict(net: Model) -> str:
    """Return the function that computes one sample."""
    last = len(net.layers) - 1
    body = (
        ["$real *here = workspace, *there = workspace + ${M}_WORKSPACE / 2, *swap;"] if last else []
    )
    needs_index = any(loops(layer.activation) for layer in net.layers)
    body += ["size_t j;"] if needs_index else []
    for i, layer in enumerate(net.layers):
        before = "x" if i == 0 else "there"
        to = "y" if i == last else "here"
        body.append(linear(net, i, before, to))
        body.append(activation(layer.activation, layer.nodes, to))
        if i < last:
            body.append("swap = here, here = there, there = swap;")
    body += [] if last else ["(void)workspace;"]
    return dedent("""\
        /* y = the outputs for one sample x, with ${m}_parameters or others of their order */
        static inline void ${m}_predict(const $real *parameters, const $real *x, $real *y,
                                        $real *workspace) {
        %s
        }
        """) % indent("\n".join(filter(None, body)), "    ")


def linear(net: Model, i: int, before: str, to: str) -> str:
    """Return the statement of z = x W + b of layer i."""
    nodes, previous = net.layers[i].nodes, net.weights[i].shape[0]
    kind = "narrow" if nodes <= _NARROW else "wide"
    weights, biases = offsets(net, i)
    return (
        f"${{m}}_{kind}({before}, {previous}, parameters + {weights}, parameters + {biases}, "
        f"{nodes}, {to});"
    )


def activation(name: str, nodes: int, at: str) -> str:
    """Return the statement that applies an activation to the nodes at `at`, or nothing."""
    if name == "softmax":
        return f"${{m}}_softmax({at}, {nodes});"
    if name == "identity":
        return ""
    return f"for (j = 0; j < {nodes}; ++j) {at}[j] = ${{m}}_{name}({at}[j]);"


def loops(name: str) -> bool:
    """Tell whether the statement of an activation counts nodes."""
    return name not in ("identity", "softmax")


def offsets(net: Model, i: int) -> tuple[int, int]:
    """Return where the weights and the biases of layer i begin in the parameters."""
    start = net.parameters.ctypes.data
    weights, biases = net.weights[i].ctypes.data - start, net.biases[i].ctypes.data - start
    return weights // net.dtype.itemsize, biases // net.dtype.itemsize


def _values(parameters: np.ndarray) -> str:
    """Return literals that stand for the exact bits."""
    suffix = "f" if parameters.dtype == np.float32 else ""
    literals = (literal(float(value)) + suffix for value in parameters)
    return fill(", ".join(literals), 100, initial_indent="    ", subsequent_indent="    ")


def literal(value: float) -> str:
    """Return a number as an exact hexadecimal literal, without zeros at the end."""
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}" if value else value.hex()


def _sections() -> dict[str, tuple[list[str], str]]:
    """Return the pieces by name, in order: what each needs, and its text."""
    pieces = re.split(r"^//// (\w+):(.*)\n", _read("c_sections.h.in"), flags=re.MULTILINE)[1:]
    return {
        name: (needs.split(), text)
        for name, needs, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    }


def _needed(sections: dict[str, tuple[list[str], str]], text: str) -> Iterable[str]:
    """Return the pieces whose functions `text` calls, and what they need, in order."""
    waiting = [name for name in re.findall(r"\$\{m\}_(\w+)\(", text) if name in sections]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += sections[name][0]
    return [text.strip() + "\n" for name, (_, text) in sections.items() if name in needed]


def _read(name: str) -> Any:
    return files(__package__).joinpath(name).read_text(encoding="ascii")
