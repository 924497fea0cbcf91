"""`Network.save` and pickles: a model in a file, and as plain values."""

from typing import Any, Final

import numpy as np

from fastmlp import _validation, files
from fastmlp.layers import completed
from fastmlp.model.model import Model, new_core
from fastmlp.model.parameter_views import copy_into

_STATE_FORMAT: Final = 2


def save(model: Model, path: files.Path, allow_nonfinite: bool) -> None:
    """Write a model to a file; see `Network.save`."""
    allow = _validation.switch("allow_nonfinite", allow_nonfinite)
    model.core.save(files.regular_path(path), allow)


def to_state(model: Model, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return plain values and one array, so that copies are independent and equal.

    Gradients, nodes and deltas are not included. Pickle protocol 5 can transfer the array out of
    band. `attributes` are those set by a user.
    """
    core = model.core
    with core.reading():  # copies: another thread may train while they are pickled
        kind, *moments, steps = core.optimizer_state
        moments = [None if moment is None else moment.copy() for moment in moments]
        decay, *averages, averaged = core.moving_average
        averages = [None if average is None else average.copy() for average in averages]
        return {
            "format": _STATE_FORMAT,
            "attributes": {
                "_features": model.features,
                "_layers": model.layers,
                "_loss": model.loss,
                "_dtype": model.dtype,
                "_input_normalization": model.input_normalization,
                "_feature_names": model.feature_names,
                "_class_names": core.class_names,
                "_scalings": [
                    scaling if scaling is None else tuple(np.array(part) for part in scaling)
                    for scaling in (model.input_scaling, model.output_scaling)
                ],
                "_loss_weights": None if core.loss_weights is None else core.loss_weights.copy(),
                **attributes,
            },
            "seed": core.seed,
            "epoch": core.epoch,
            "position": core.position,
            "parameters": core.parameters.copy(),
            "statistics": core.statistics.copy() if core.statistics.size else None,
            "optimizer": (kind, *moments, steps),
            "moving_average": (decay, *averages, averaged),
        }


def from_state(state: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """Return the model and the attributes passed to `to_state`.

    Raises
    ------
    ValueError
        If the state has another format.
    """
    if state["format"] != _STATE_FORMAT:
        raise ValueError(
            f"the network was pickled in format {state['format']}, "
            f"this version reads format {_STATE_FORMAT}"
        )
    attributes = dict(state["attributes"])
    features, layers = attributes.pop("_features"), attributes.pop("_layers")
    layers = tuple(completed(layer) for layer in layers)
    loss, dtype = attributes.pop("_loss"), attributes.pop("_dtype")
    before = attributes.pop("_input_normalization", None)  # missing in older pickles
    core = new_core(features, layers, loss, dtype, state["seed"], before)
    core.epoch = state["epoch"]
    core.position = state.get("position", 0)  # missing in some older pickles
    copy_into("parameters", core.parameters, state["parameters"], core)
    if state["statistics"] is not None:
        copy_into("statistics", core.statistics, state["statistics"], core)
    kind, first, second, steps = state["optimizer"]
    # Copies, as an array that a pickle maps from a file may not be aligned.
    first, second = (None if a is None else np.array(a) for a in (first, second))
    core.set_optimizer_state(kind, first, second, steps)
    if "moving_average" in state:  # not in every older pickle
        decay, parameters, statistics, steps = state["moving_average"]
        parameters, statistics = (
            None if a is None else np.array(a) for a in (parameters, statistics)
        )
        core.set_moving_average(decay, parameters, statistics, steps)
    core.feature_names = attributes.pop("_feature_names", None)  # missing in some older pickles
    core.class_names = attributes.pop("_class_names", None)
    scalings = attributes.pop("_scalings", (None, None))
    for scaling, put in zip(
        scalings, (core.set_input_scaling, core.set_output_scaling), strict=True
    ):
        put(*((None, None) if scaling is None else map(np.array, scaling)))
    loss_weights = attributes.pop("_loss_weights", None)  # missing in older pickles
    core.loss_weights = None if loss_weights is None else np.array(loss_weights)
    return Model(features, layers, loss, dtype, core, before), attributes
