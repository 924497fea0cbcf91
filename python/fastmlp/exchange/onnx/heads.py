"""Heads in ONNX graphs: several dense layers of the same nodes, or columns of one, at the end."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fastmlp.exchange.assembly import assemble_heads
from fastmlp.exchange.steps import Activation, Linear, Scale, Step
from fastmlp.exchange.values import Chain, Value


def columns(value: Value, first: int, end: int, where: str) -> Value:
    """Return some columns of a dense layer, as the dense layer that computes only them.

    Raises
    ------
    ValueError
        If it is not the result of a dense layer.
    """
    chain = value.settled(where).chain
    after: list[Scale] = []
    while chain is not None and isinstance(chain.step, Scale):
        after.insert(0, chain.step)
        chain = chain.before
    if chain is None or not isinstance(chain.step, Linear):
        raise ValueError(
            f"{where}: only columns of a dense layer are supported, as those of a head"
        )
    layer, nodes = chain.step, chain.step.weights.shape[1]
    first, end, _ = slice(first, end).indices(nodes)
    if first >= end:
        raise ValueError(f"{where}: has none of the {nodes} nodes")
    biases = None if layer.biases is None else layer.biases[first:end]
    part = Linear(layer.weights[:, first:end], biases, where)
    result = Value(chain.before).then(part)
    for step in after:
        factor, offset = (a[first:end] if a.ndim else a for a in (step.factor, step.offset))
        result = result.then(replace(step, factor=factor, offset=offset))
    return result


def joined(branches: Mapping[str, Value]) -> Value:
    """Return values by the names of their heads as one, which ends with `HeadActivations`.

    Raises
    ------
    ValueError
        If one is more than a dense layer and its activation after the nodes that all share.
    """
    paths = [_path(value.settled(name).chain) for name, value in branches.items()]
    shared = 0
    while all(len(path) > shared and _same(path[shared], paths[0][shared]) for path in paths):
        shared += 1
    steps: dict[str, tuple[str, list[Step]]] = {
        name: (f"head {name!r}", [chain.step for chain in path[shared:]])
        for name, path in zip(branches, paths, strict=True)
    }
    result = Value(paths[0][shared - 1] if shared else None)
    for step in assemble_heads(steps):
        result = result.then(step)
    return result


def _same(a: Chain, b: Chain) -> bool:
    """Whether two chains of equal steps before them end equally.

    A function of nodes becomes a step of each dense layer that it is the input of.
    """
    first, second = a.step, b.step
    if isinstance(first, Activation) and isinstance(second, Activation):
        return first.name == second.name
    if isinstance(first, Scale) and isinstance(second, Scale):
        pairs = ((first.factor, second.factor), (first.offset, second.offset))
        return all(np.array_equal(*pair) for pair in pairs)
    return a is b


def _path(chain: Chain | None) -> list[Chain]:
    """Return the chains of all steps, in their order."""
    path = []
    while chain is not None:
        path.append(chain)
        chain = chain.before
    return path[::-1]
