"""Samples held out of training: read from the arguments of ``fit``, measured after each epoch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.data.order import draw_order
from fastmlp.data.splitting import stratified
from fastmlp.data.stream import Rows, Stream
from fastmlp.fitting._metric_names import decides, takes_weight
from fastmlp.history import Evaluation, HeadsEvaluation
from fastmlp.inference.streams import StreamSamples
from fastmlp.losses import Loss
from fastmlp.metrics import Metric
from fastmlp.model.model import Core, Model
from fastmlp.model.samples import CheckedSamples, read_samples

SPLIT_EPOCH = 2**32 - 1
"""The epoch whose order of samples determines which to hold out; training never reaches it."""


@dataclass(frozen=True)
class Measurement:
    """Measurements on the held-out samples; `metrics` by names like "validation_f1"."""

    loss: float
    accuracy: float | None
    metrics: dict[str, float]


class HeldOut:
    """Validation samples, and what to measure on them.

    Parameters
    ----------
    samples : CheckedSamples or StreamSamples
        Separate from those of the training.
    metrics : mapping of str to callable
        By name, ``f(y, outputs)``: y is labels (B,) for cross-entropy, otherwise numbers (B, N). If
        it has an argument `sample_weight`, it receives the weights, if any. Samples of weight 0 are
        ignored.
    loss : Loss
        The loss of the network.
    """

    def __init__(
        self, samples: CheckedSamples | StreamSamples, metrics: Mapping[str, Metric], loss: Loss
    ) -> None:
        self._samples = samples
        self._metrics = {f"validation_{name}": f for name, f in metrics.items()}
        self._names = measured_names(loss, metrics)
        self._y = samples.y
        if loss == "cross_entropy" and self._y.ndim == 2:
            self._y = self._y.argmax(axis=1)

    def names(self) -> list[str]:
        """Return the names of the measurements, for `monitor`."""
        return self._names

    def measure(self, core: Core, n_threads: int) -> Measurement:
        """Measure a network with the same layers and dtype."""
        samples = self._samples
        evaluation = samples.evaluate(core, n_threads)
        loss, accuracy = evaluation
        if not self._metrics:
            return Measurement(loss, accuracy, _of_heads(evaluation))
        outputs, y = samples.predict(core, n_threads), self._y.view()
        weight: dict[str, NDArray[Any]] = {}
        if samples.weight is not None:  # samples of weight 0 are ignored
            counts = np.flatnonzero(samples.weight)
            outputs, y = outputs[counts], y[counts]
            weight["sample_weight"] = samples.weight[counts]
        outputs.flags.writeable = y.flags.writeable = False  # the next metric needs them unchanged
        measured = {
            name: _validation.returned_number(
                name, f(y, outputs, **(weight if takes_weight(f) else {}))
            )
            for name, f in self._metrics.items()
        }
        return Measurement(loss, accuracy, measured)


def measured_names(loss: Loss, metrics: Iterable[str]) -> list[str]:
    """Return the names in `History` of what is measured on held-out samples, given the loss."""
    names = ["loss", *(["accuracy"] if decides(loss) else [])]
    for name, head in loss.heads:
        names += [f"{name}_loss", *([f"{name}_accuracy"] if decides(head.loss) else [])]
    return [f"validation_{name}" for name in (*names, *metrics)]


def _of_heads(evaluation: Evaluation) -> dict[str, float]:
    """Return the measurements of each head, by their names in `History`."""
    measured = {}
    if isinstance(evaluation, HeadsEvaluation):
        for name, (loss, accuracy) in evaluation.heads.items():
            measured[f"validation_{name}_loss"] = loss
            if accuracy is not None:
                measured[f"validation_{name}_accuracy"] = accuracy
    return measured


def read_held_out(
    model: Model, data: Rows | Stream | None, metrics: Mapping[str, Metric]
) -> HeldOut | None:
    """Return the samples of `validation_data` and what to measure on them, or None.

    Raises
    ------
    TypeError, ValueError
        If they do not match the model.
    """
    return None if data is None else HeldOut(_read_data(model, data), metrics, model.loss)


def split(
    samples: CheckedSamples, share: float, loss: str, seed: int
) -> tuple[CheckedSamples, CheckedSamples]:
    """Split samples by the seed, stratified by class; both parts are copies.

    Raises
    ------
    ValueError
        If no sample would be held out.
    """
    order = draw_order(seed, SPLIT_EPOCH, len(samples))
    classes = _classes(samples.y, loss)
    if samples.weight is not None:  # whatever the targets of samples of weight 0
        classes = np.where(samples.weight == 0, classes.max() + 1, classes)
    train, held_out = stratified(classes, share, order)
    if len(held_out) == 0:
        raise ValueError(
            f"validation_fraction={share:g} of {len(samples)} samples leaves none to validate on"
        )
    parts = samples.of_rows(train), samples.of_rows(held_out)
    if any(part.weight is not None and not part.weight.any() for part in parts):
        raise ValueError(
            f"validation_fraction={share:g} leaves a part whose samples all have weight 0"
        )
    return parts


def _classes(y: NDArray[Any], loss: str) -> NDArray[Any]:
    """Return the class of each sample; all 0 if targets are not classes."""
    if loss == "cross_entropy":
        return y.argmax(axis=1) if y.ndim == 2 else y
    if loss == "binary_cross_entropy" and y.shape[1] == 1:
        return (y[:, 0] > 0.5).astype(np.intp)
    return np.zeros(len(y), dtype=np.intp)


def _read_data(model: Model, data: object) -> CheckedSamples | StreamSamples:
    if isinstance(data, Stream):
        return StreamSamples(model, data)
    if not isinstance(data, tuple | list):
        raise TypeError(
            "validation_data must be a tuple (X, y) or (X, y, sample_weight), a Stream or None, "
            f"got {_validation.described(data)}"
        )
    if len(data) not in (2, 3):
        raise ValueError(
            "validation_data must be a tuple (X, y) or (X, y, sample_weight), "
            f"got {len(data)} items"
        )
    X, y, *weight = data
    names = ("validation_data[0]", "validation_data[1]", "validation_data[2]")
    return read_samples(model, X, y, weight[0] if weight else None, names, as_given=True)
