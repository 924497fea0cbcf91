"""Exports of a network to other libraries and formats; each module is imported when needed.

None of them changes the network, and they keep other threads from changing it meanwhile.
"""

from typing import Any

from numpy.typing import ArrayLike

from fastmlp import _validation
from fastmlp.exchange._peer import peer
from fastmlp.files import Path
from fastmlp.model.model import Model


def to_onnx(
    model: Model, path: Path, opset: int | None, input_name: str, output_name: str, labels: bool
) -> None:
    """Write an ONNX file; see `Network.to_onnx`."""
    module = peer("onnx.exporting", "onnx", "to_onnx")
    if opset is not None:
        opset = _validation.integer("opset", opset, minimum=1)
    for argument, name in (("input_name", input_name), ("output_name", output_name)):
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a string, got {type(name).__name__}")
    labels = _validation.switch("labels", labels)
    settings = module.Settings(opset, input_name, output_name, labels)
    with model.core.reading():
        module.to_onnx(model, path, settings)


def to_torch(model: Model, share: bool) -> Any:
    """Return a ``torch.nn.Sequential``; see `Network.to_torch`."""
    convert = peer("torch", "torch", "to_torch").to_torch
    share = _validation.switch("share", share)
    with model.core.reading():
        return convert(model, share)


def to_keras(model: Model) -> Any:
    """Return a Keras model; see `Network.to_keras`."""
    convert = peer("keras_export", "keras", "to_keras").to_keras
    with model.core.reading():
        return convert(model)


def to_flax(model: Model) -> Any:
    """Return a Flax model and its variables; see `Network.to_flax`."""
    convert = peer("flax", "flax", "to_flax").to_flax
    with model.core.reading():
        return convert(model)


def to_equinox(model: Model) -> Any:
    """Return an Equinox model; see `Network.to_equinox`."""
    convert = peer("equinox", "equinox", "to_equinox").to_equinox
    with model.core.reading():
        return convert(model)


def to_sklearn(model: Model, labels: ArrayLike | None) -> Any:
    """Return a fitted estimator of scikit-learn; see `Network.to_sklearn`."""
    if model.loss.heads:
        raise ValueError(
            "to_sklearn does not support networks with heads: estimators of scikit-learn have one "
            "activation and one loss for all outputs"
        )
    convert = peer("sklearn", "sklearn", "to_sklearn").to_sklearn
    with model.core.reading():
        return convert(model, labels)


def export_c(model: Model, path: Path, name: str, training: bool, weights: Path | None) -> None:
    """Write a C header; see `Network.export_c`."""
    from fastmlp.exchange import c  # noqa: PLC0415  (only for those who export)

    training = _validation.switch("training", training)
    with model.core.reading():
        c.export_c(model, path, name, training, weights)
