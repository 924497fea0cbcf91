"""`Network.soft_update`: parameters that follow those of another network."""

from typing import Any

from fastmlp import _validation
from fastmlp.model.model import Model


def soft_update(model: Model, source: object, tau: object) -> None:
    """Move what a model has learned towards what `source`, another `Model`, has.

    Raises
    ------
    TypeError, ValueError
        If `source` is none of the same layers and dtype, or `tau` is not from 0 to 1.
    """
    share = _validation.share("tau", tau)
    if not isinstance(source, Model):
        raise TypeError(f"source must be a Network, got {_validation.described(source)}")
    if source.dtype != model.dtype:
        raise ValueError(f"source must have the dtype {model.dtype}, got {source.dtype}")
    try:
        model.core.soft_update(source.core, share)  # type: ignore[arg-type]
    except ValueError:  # checked there, which is faster
        raise ValueError(
            f"source must have the layers {_sizes(model)}, features first, got {_sizes(source)}"
        ) from None


def _sizes(model: Model) -> list[Any]:
    """Return the features, and the nodes of each layer, with its normalization if it has one."""
    layers = [(layer.nodes, layer.normalization) for layer in model.layers]
    return [model.features, *(nodes if kind is None else (nodes, kind) for nodes, kind in layers)]
