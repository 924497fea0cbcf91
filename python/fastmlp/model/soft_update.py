"""`Network.soft_update`: parameters that follow those of another network."""

from fastmlp import _validation
from fastmlp.model.model import Model


def soft_update(model: Model, source: object, tau: object) -> None:
    """Move what a model has learned towards what `source`, another `Model`, has.

    Raises
    ------
    TypeError, ValueError
        If `source` does not compute the same from its parameters, or `tau` is not from 0 to 1.
    """
    share = _validation.share("tau", tau)
    if not isinstance(source, Model):
        raise TypeError(f"source must be a Network, got {_validation.described(source)}")
    if source.dtype != model.dtype:
        raise ValueError(f"source must have the dtype {model.dtype}, got {source.dtype}")
    model.core.soft_update(source.core, share)  # type: ignore[arg-type]
