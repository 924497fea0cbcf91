"""Targets of a network: an array, or one for each of its heads, as one array for the core."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.data import _arrays
from fastmlp.heads import Head
from fastmlp.losses import Loss
from fastmlp.model.model import Model


def read_targets(
    name: str, y: Any, rows: int, outputs: int, loss: Loss, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return targets for the core.

    Those of heads are the columns of one array (rows, columns), in the order of the heads: a label
    for each head of cross-entropy and the numbers of the others, or, if one of cross-entropy has
    numbers, a number for each output. For training, `weighted_heads` adds factors of their losses.

    Raises
    ------
    TypeError, ValueError
        If they do not match the network, or are not finite.
    """
    if not loss.heads:
        return _arrays.targets(name, y, rows, outputs, loss, dtype)
    parts = [
        _arrays.targets(place, part, rows, head.nodes, head.chosen_loss, dtype)
        for place, part, head in _parts(name, y, loss.heads)
    ]
    heads = [head for _, head in loss.heads]
    pairs = list(zip(parts, heads, strict=True))
    if any(head.loss == "cross_entropy" and part.ndim == 2 for part, head in pairs):
        parts = [_one_hot(part, head) if part.ndim == 1 else part for part, head in pairs]
    columns = [part if part.ndim == 2 else part[:, np.newaxis] for part in parts]
    return np.ascontiguousarray(np.concatenate(columns, axis=1, dtype=dtype))


def targets_of_heads(y: NDArray[Any], heads: tuple[tuple[str, Head], ...]) -> list[NDArray[Any]]:
    """Return the columns of each head, labels (n,) as integers: the inverse of `read_targets`."""
    numbers = y.shape[1] >= sum(head.nodes for _, head in heads)
    result = []
    first = 0
    for _, head in heads:
        if head.loss == "cross_entropy" and not numbers:
            result.append(y[:, first].astype(np.intp))
            first += 1
        else:
            result.append(y[:, first : first + head.nodes])
            first += head.nodes
    return result


def weighted_heads(
    y: NDArray[Any], factors: NDArray[Any], heads: tuple[tuple[str, Head], ...]
) -> NDArray[Any]:
    """Return targets of `read_targets` with a factor of the loss of each head (n, heads).

    The core then expects a number for each output before them.
    """
    pairs = zip(targets_of_heads(y, heads), heads, strict=True)
    parts = [_one_hot(part, head) if part.ndim == 1 else part for part, (_, head) in pairs]
    return np.ascontiguousarray(np.concatenate([*parts, factors], axis=1, dtype=y.dtype))


def outputs_of_heads(
    outputs: NDArray[Any], heads: tuple[tuple[str, Head], ...]
) -> tuple[NDArray[Any], ...]:
    """Return a view of the columns of each head."""
    ends = np.cumsum([head.nodes for _, head in heads])
    return tuple(
        outputs[..., end - head.nodes : end] for end, (_, head) in zip(ends, heads, strict=True)
    )


def split_outputs(model: Model, outputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the same of outputs that a user gave; see `Network.split`."""
    if not model.loss.heads:
        raise ValueError("split needs a network with heads, and the last layer is a Dense")
    if not isinstance(outputs, np.ndarray):
        raise TypeError(f"outputs must be an array, got {_validation.described(outputs)}")
    if outputs.shape[-1:] != (model.outputs,):
        raise ValueError(
            f"outputs must have {model.outputs} columns, those of all heads, "
            f"got shape {outputs.shape}"
        )
    return outputs_of_heads(outputs, model.loss.heads)


def _parts(name: str, y: Any, heads: tuple[tuple[str, Head], ...]) -> list[tuple[str, Any, Head]]:
    """Return the targets of each head, with their name in messages."""
    names = [head for head, _ in heads]
    allowed = f"a tuple of one array for each head ({', '.join(names)}), or a dict of them"
    if isinstance(y, Mapping):
        if set(y) != set(names):
            raise ValueError(
                f"{name} must have the names of the heads, {_validation.joined(names, 'and')}, "
                f"got {_validation.brief(list(y))}"
            )
        return [(f"{name}[{head!r}]", y[head], of) for head, of in heads]
    if not isinstance(y, tuple | list):
        raise TypeError(f"{name} must be {allowed}, got {_validation.described(y)}")
    if len(y) != len(heads):
        raise ValueError(f"{name} must be {allowed}, got {len(y)} items")
    return [
        (f"{name}[{i}] ({head})", part, of)
        for i, (part, (head, of)) in enumerate(zip(y, heads, strict=True))
    ]


def _one_hot(labels: NDArray[Any], head: Head) -> NDArray[Any]:
    """Return labels (n,) as rows of 0 and 1."""
    result = np.zeros((len(labels), head.nodes), np.float32)
    result[np.arange(len(labels)), labels] = 1
    return result
