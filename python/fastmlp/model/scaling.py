"""The scale and offset of features and outputs, set by the user."""

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.data._conversion import converted, numbers
from fastmlp.model.model import Model


def set_scaling(model: Model, name: str, value: ArrayLike | None) -> None:
    """Set ``input_scale``, ``input_offset``, ``output_scale`` or ``output_offset``.

    Raises
    ------
    TypeError, ValueError
        If `value` is not a number, one for each column, or None; or the outputs cannot be scaled.
    RuntimeError
        If the network is being fitted.
    """
    of_outputs = name.startswith("output")
    columns = model.outputs if of_outputs else model.features
    put = model.core.set_output_scaling if of_outputs else model.core.set_input_scaling
    if of_outputs and value is not None and model.layers[-1].activation != "identity":
        raise ValueError(
            "only outputs of identity can be scaled, those of this network are "
            f"{model.layers[-1].activation!r}"
        )
    if value is None:
        put(None, None)
        return
    array = numbers(name, value)
    if array.shape not in ((), (columns,)):
        raise ValueError(f"{name} must be a number or have shape ({columns},), got {array.shape}")
    factors = converted(np.broadcast_to(array, (columns,)), model.dtype)
    if not np.isfinite(factors).all() or (name == "output_scale" and (factors < 0).any()):
        least = "at least 0 and " if name == "output_scale" else ""
        raise ValueError(f"{name} must be {least}finite in {model.dtype}")
    current = model.output_scaling if of_outputs else model.input_scaling
    scale, offset = current or (np.ones_like(factors), np.zeros_like(factors))
    put(*((factors, offset.copy()) if name.endswith("scale") else (scale.copy(), factors)))
