"""Samples held out of training: read from the arguments of ``fit``, measured after each epoch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation
from fastmlp.data.splitting import stratified
from fastmlp.data.stream import Stream
from fastmlp.fitting._metric_names import decides, read_metrics, takes_weight
from fastmlp.inference.streams import StreamSamples
from fastmlp.metrics import Metric
from fastmlp.model.model import Core, Model
from fastmlp.model.samples import Samples, read_samples

SPLIT_EPOCH = 2**32 - 1
"""The epoch whose order of samples tells which to hold out; training never reaches it."""


@dataclass(frozen=True)
class Measurement:
    """What the samples held out say of a network; `metrics` by names like "validation_f1"."""

    loss: float
    accuracy: float | None
    metrics: dict[str, float]


class HeldOut:
    """Samples to validate on, and what to measure on them.

    Parameters
    ----------
    samples : Samples or StreamSamples
        Apart from those of the training.
    metrics : dict of str to callable
        By name, ``f(y, outputs)``: y is labels (B,) with cross-entropy, else numbers (B, N). One
        that takes `sample_weight` gets the weights, if there are any. Samples of weight 0 are left
        out.
    loss : str
        The loss of the network.
    """

    def __init__(
        self, samples: Samples | StreamSamples, metrics: dict[str, Metric], loss: str
    ) -> None:
        self._samples = samples
        self._metrics = {f"validation_{name}": f for name, f in metrics.items()}
        self._decides = decides(loss)
        self._y = samples.y
        if loss == "cross_entropy" and self._y.ndim == 2:
            self._y = self._y.argmax(axis=1)

    def names(self) -> list[str]:
        """Return what there will be to monitor."""
        accuracy = ["validation_accuracy"] if self._decides else []
        return ["validation_loss", *accuracy, *self._metrics]

    def measure(self, core: Core, n_threads: int) -> Measurement:
        """Measure a network of the kind this was read for."""
        samples = self._samples
        loss, accuracy = samples.evaluate(core, n_threads)
        if not self._metrics:
            return Measurement(loss, accuracy, {})
        outputs, y = samples.predict(core, n_threads), self._y.view()
        weight: dict[str, NDArray[Any]] = {}
        if samples.weight is not None:  # samples of weight 0 are left out
            counts = np.flatnonzero(samples.weight)
            outputs, y = outputs[counts], y[counts]
            weight["sample_weight"] = samples.weight[counts]
        outputs.flags.writeable = y.flags.writeable = (
            False  # the next metric needs them as they are
        )
        measured = {
            name: _validation.told(name, f(y, outputs, **(weight if takes_weight(f) else {})))
            for name, f in self._metrics.items()
        }
        return Measurement(loss, accuracy, measured)


def hold_out(
    model: Model,
    samples: Samples,
    data: object,
    fraction: object,
    metrics: object,
    seed: int,
) -> tuple[Samples, HeldOut | None]:
    """Return the samples to train on, and those held out.

    Parameters
    ----------
    model : Model
        To be trained.
    samples : Samples
        What ``fit`` was given.
    data, fraction, metrics : object
        Its arguments `validation_data`, `validation_fraction` and `metrics`.
    seed : int
        Decides what a fraction holds out.

    Raises
    ------
    TypeError, ValueError
        If one of them does not fit, or both data and fraction are given, or metrics alone.
    """
    if fraction is None:
        return samples, read_held_out(model, data, metrics)
    named = read_metrics(metrics, model.loss, model.outputs)
    if data is not None:
        raise ValueError("give validation_data or validation_fraction, not both")
    share = _validation.share("validation_fraction", fraction, zero=False, one=False)
    samples, held_out = split(samples, share, model.loss, seed)
    return samples, HeldOut(held_out, named, model.loss)


def read_held_out(model: Model, data: object, metrics: object) -> HeldOut | None:
    """Return the samples of `validation_data`, and what to measure on them; errors as above."""
    named = read_metrics(metrics, model.loss, model.outputs)
    if data is not None:
        return HeldOut(_read_data(model, data), named, model.loss)
    if named:
        raise ValueError("metrics are measured on validation_data or a validation_fraction")
    return None


def split(samples: Samples, share: float, loss: str, seed: int) -> tuple[Samples, Samples]:
    """Split samples by the seed, classes in the same mixture; both parts are copies.

    Raises
    ------
    ValueError
        If no sample would be held out.
    """
    order = _core.draw_order(seed, SPLIT_EPOCH, len(samples))
    classes = _classes(samples.y, loss)
    if samples.weight is not None:  # whatever the targets of samples that do not count say
        classes = np.where(samples.weight == 0, classes.max() + 1, classes)
    train, held_out = stratified(classes, share, order)
    if len(held_out) == 0:
        raise ValueError(
            f"validation_fraction={share:g} of {len(samples)} samples leaves none to validate on"
        )
    parts = samples.of_rows(train), samples.of_rows(held_out)
    if any(part.weight is not None and not part.weight.any() for part in parts):
        raise ValueError(
            f"validation_fraction={share:g} leaves a part whose samples all have the weight 0"
        )
    return parts


def _classes(y: NDArray[Any], loss: str) -> NDArray[Any]:
    """Return the class of each sample; all 0 where the targets tell none."""
    if loss == "cross_entropy":
        return y.argmax(axis=1) if y.ndim == 2 else y
    if loss == "binary_cross_entropy" and y.shape[1] == 1:
        return (y[:, 0] > 0.5).astype(np.intp)
    return np.zeros(len(y), dtype=np.intp)


def _read_data(model: Model, data: object) -> Samples | StreamSamples:
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
