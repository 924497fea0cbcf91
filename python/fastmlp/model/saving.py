"""`Network.save` and pickles: a model in a file, and as plain values."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from fastmlp import _validation, files
from fastmlp.layers import completed, of_description
from fastmlp.losses import Loss
from fastmlp.model.model import Core, Model, layers_of, new_core
from fastmlp.model.parameter_views import copy_into
from fastmlp.settings.optimizers import OptimizerKind

_STATE_FORMAT: Final = 3
"""Up to format 2 the layers, the loss, the dtype and the optimizer's kind were objects."""


def save(model: Model, path: files.Path, allow_nonfinite: bool) -> None:
    """Write a model to a file; see `Network.save`."""
    allow = _validation.switch("allow_nonfinite", allow_nonfinite)
    model.core.save(files.regular_path(path), allow)


def to_state(model: Model, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return numbers, names and arrays, so that copies are independent and equal.

    Programs that store them need no classes of this library but `Network`. Gradients, nodes and
    deltas are not included. Pickle protocol 5 can transfer the arrays out of band. `attributes` are
    those set by a user.
    """
    core = model.core
    with core.reading():  # copies: another thread may train while they are pickled
        kind, *moments, steps = core.optimizer_state
        decay, *averages, averaged = core.moving_average
        return {
            "format": _STATE_FORMAT,
            "attributes": attributes,
            "architecture": architecture(model),
            "loss_function": model.loss.function,
            "feature_names": model.feature_names,
            "class_names": core.class_names,
            "scalings": [
                scaling if scaling is None else tuple(np.array(part) for part in scaling)
                for scaling in (model.input_scaling, model.output_scaling)
            ],
            "loss_weights": _copied(core.loss_weights),
            "seed": core.seed,
            "epoch": core.epoch,
            "position": core.position,
            "parameters": core.parameters.copy(),
            "statistics": core.statistics.copy() if core.statistics.size else None,
            "optimizer": (kind.name, *map(_copied, moments), steps),
            "moving_average": (decay, *map(_copied, averages), averaged),
        }


def from_state(state: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """Return the model and the attributes passed to `to_state`.

    Raises
    ------
    ValueError
        If the state has another format.
    """
    if state["format"] not in (2, _STATE_FORMAT):
        raise ValueError(
            f"the network was pickled in format {state['format']}, "
            f"this version reads formats 2 and {_STATE_FORMAT}"
        )
    if state["format"] == 2:
        return _of_objects(state)
    model = _of_architecture(state["architecture"], state["loss_function"], state["seed"])
    _restore(model.core, state)
    return model, dict(state["attributes"])


def restore(model: Model, state: dict[str, Any]) -> dict[str, Any]:
    """Give the numbers of another model of the same layers to this one; return the attributes."""
    given = state["architecture"]
    model.core.trainable, model.core.rate_factors = given["trainable"], given["rate_factors"]
    _restore(model.core, state)
    return dict(state["attributes"])


def architecture(model: Model) -> dict[str, Any]:
    """Return the network without its numbers, as the core describes it."""
    core = model.core
    return {
        "dtype": model.dtype.name,
        "features": core.features,
        "input_normalization": core.input_normalization,
        "layers": core.layers,
        "heads": core.heads,
        "loss": core.loss,
        "trainable": list(core.trainable),
        "rate_factors": list(core.rate_factors),
    }


def _of_architecture(given: Mapping[str, Any], function: Any, seed: int) -> Model:
    """Return a new model of the architecture."""
    layers, chosen = layers_of(
        given["layers"], given["heads"], given["trainable"], given["rate_factors"]
    )
    name, parameter = given["loss"]
    loss = chosen or Loss(name, parameter, function)
    before = of_description(given["input_normalization"])
    features, dtype = given["features"], np.dtype(given["dtype"])
    core = new_core(features, layers, loss, dtype, seed, before)
    return Model(features, layers, loss, dtype, core, before)


def _of_objects(state: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """Return the model and the attributes of a state of format 2, and what it may lack."""
    attributes = dict(state["attributes"])
    features, layers = attributes.pop("_features"), attributes.pop("_layers")
    layers = tuple(completed(layer) for layer in layers)
    loss, dtype = attributes.pop("_loss"), attributes.pop("_dtype")
    before = attributes.pop("_input_normalization", None)
    core = new_core(features, layers, loss, dtype, state["seed"], before)
    kind, *moments = state["optimizer"]
    numbers = {
        "position": 0,
        **state,
        "optimizer": (kind.name, *moments),
        "feature_names": attributes.pop("_feature_names", None),
        "class_names": attributes.pop("_class_names", None),
        "scalings": attributes.pop("_scalings", (None, None)),
        "loss_weights": attributes.pop("_loss_weights", None),
    }
    _restore(core, numbers)
    return Model(features, layers, loss, dtype, core, before), attributes


def _restore(core: Core, state: Mapping[str, Any]) -> None:
    """Give the numbers and names of a state to a new core.

    Arrays are copied, as one that a pickle maps from a file may not be aligned.
    """
    core.epoch, core.position = state["epoch"], state["position"]
    copy_into("parameters", core.parameters, state["parameters"], core)
    if state["statistics"] is not None:
        copy_into("statistics", core.statistics, state["statistics"], core)
    kind, first, second, steps = state["optimizer"]
    core.set_optimizer_state(OptimizerKind[kind], _copied(first), _copied(second), steps)
    if "moving_average" in state:  # not in every older pickle
        decay, parameters, statistics, steps = state["moving_average"]
        core.set_moving_average(decay, _copied(parameters), _copied(statistics), steps)
    core.feature_names, core.class_names = state["feature_names"], state["class_names"]
    for scaling, put in zip(
        state["scalings"], (core.set_input_scaling, core.set_output_scaling), strict=True
    ):
        put(*((None, None) if scaling is None else map(np.array, scaling)))
    core.loss_weights = _copied(state["loss_weights"])


def _copied(array: Any) -> Any:
    return None if array is None else np.array(array)
