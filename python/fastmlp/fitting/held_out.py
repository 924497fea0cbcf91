"""Samples held out of training: read from the arguments of ``fit``, measured after each epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _validation
from fastmlp.data.order import draw_order
from fastmlp.data.splitting import stratified
from fastmlp.data.stream import Rows, Stream
from fastmlp.fitting._metric_names import AskedMetric, measured_on_validation, takes_weight
from fastmlp.fitting.ranks import Ranks
from fastmlp.history import Evaluation, HeadsEvaluation
from fastmlp.inference.streams import StreamSamples
from fastmlp.losses import Loss
from fastmlp.model.model import Core, Model
from fastmlp.model.samples import CheckedSamples, read_samples
from fastmlp.model.targets import outputs_of_heads, targets_of_heads

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
    metrics : mapping of str to AskedMetric
        By name, ``f(y, outputs)``: y is labels (B,) for cross-entropy, otherwise numbers (B, N). If
        it has an argument `sample_weight`, it receives the weights, if any. Samples of weight 0 are
        ignored.
    loss : Loss
        The loss of the network.
    ranks : Ranks, optional
        Measure on the samples of all of them; this one may have none.

    Attributes
    ----------
    measured : dict of str to bool or None
        The names of the measurements, and whether larger values are better, if known.
    """

    def __init__(
        self,
        samples: CheckedSamples | StreamSamples,
        metrics: Mapping[str, AskedMetric],
        loss: Loss,
        ranks: Ranks | None = None,
    ) -> None:
        self._samples = samples
        self._ranks = ranks
        self._always = tuple(measured_on_validation(loss, {}))
        self._metrics = {f"validation_{name}": metric for name, metric in metrics.items()}
        self._heads = loss.heads
        self.measured = measured_on_validation(loss, metrics)
        self._y = {"": _labels(samples.y, loss)}
        if loss.heads:
            parts = zip(loss.heads, targets_of_heads(samples.y, loss.heads), strict=True)
            self._y = {name: _labels(y, head.loss) for (name, head), y in parts}

    @property
    def weight(self) -> float:
        """The sum of the weights of the samples, those of this rank."""
        weight = self._samples.weight
        return float(len(self._samples.y) if weight is None else weight.sum(dtype=np.float64))

    def measure(self, core: Core, n_threads: int) -> Measurement:
        """Measure a network with the same layers and dtype."""
        measured = self._evaluate(core, n_threads)
        if self._metrics:
            outputs = self._samples.predict(core, n_threads)
            measured |= self._apply_metrics(*self._of_all(outputs))
        loss = measured.pop("validation_loss")
        return Measurement(loss, measured.pop("validation_accuracy", None), measured)

    def _evaluate(self, core: Core, n_threads: int) -> dict[str, float]:
        """Return losses and accuracies by their names in `History`."""
        if self._ranks is None:
            return _by_name(self._samples.evaluate(core, n_threads))
        weight = self.weight
        mine = dict.fromkeys(self._always, 0.0)
        if weight > 0:
            mine = _by_name(self._samples.evaluate(core, n_threads))
        means = self._ranks.mean(weight, np.array([*mine.values()])).tolist()
        return dict(zip(mine, means, strict=True))

    def _of_all(
        self, outputs: NDArray[Any]
    ) -> tuple[NDArray[Any], dict[str, NDArray[Any]], NDArray[Any] | None]:
        """Return outputs, targets and weights of the samples of all ranks."""
        weight = self._samples.weight
        if self._ranks is None:
            return outputs, {name: y.view() for name, y in self._y.items()}, weight
        every = self._ranks.gathered((outputs, self._y, weight))
        joined = {name: np.concatenate([y[name] for _, y, _ in every]) for name in self._y}
        weights = [np.ones(len(out)) if w is None else w for out, _, w in every]
        alike = all(w is None for _, _, w in every)
        outputs = np.concatenate([out for out, _, _ in every])
        return outputs, joined, None if alike else np.concatenate(weights)

    def _apply_metrics(
        self,
        outputs: NDArray[Any],
        targets: dict[str, NDArray[Any]],
        weights: NDArray[Any] | None,
    ) -> dict[str, float]:
        """Return all metrics of the outputs for the samples."""
        weight: dict[str, NDArray[Any]] = {}
        if weights is not None:  # samples of weight 0 are ignored
            counts = np.flatnonzero(weights)
            outputs, targets = outputs[counts], {name: y[counts] for name, y in targets.items()}
            weight["sample_weight"] = weights[counts]
        for array in (outputs, *targets.values()):
            array.flags.writeable = False  # the next metric needs them unchanged
        parts = {"": outputs}
        if self._heads:
            names = [name for name, _ in self._heads]
            parts = dict(zip(names, outputs_of_heads(outputs, self._heads), strict=True))
        measured = {}
        for name, (f, _, head) in self._metrics.items():
            value = f(targets[head], parts[head], **(weight if takes_weight(f) else {}))
            measured[name] = _validation.returned_number(name, value)
        return measured


def _labels(y: NDArray[Any], loss: str) -> NDArray[Any]:
    """Return targets for metrics: those of cross-entropy as labels (B,)."""
    return y.argmax(axis=1) if loss == "cross_entropy" and y.ndim == 2 else y


def _by_name(evaluation: Evaluation) -> dict[str, float]:
    """Return the measurements, also of each head, by their names in `History`."""
    measured = {"validation_loss": evaluation.loss}
    if evaluation.accuracy is not None:
        measured["validation_accuracy"] = evaluation.accuracy
    if isinstance(evaluation, HeadsEvaluation):
        for name, (loss, accuracy) in evaluation.heads.items():
            measured[f"validation_{name}_loss"] = loss
            if accuracy is not None:
                measured[f"validation_{name}_accuracy"] = accuracy
    return measured


def read_held_out(
    model: Model,
    data: Rows | Stream,
    metrics: Mapping[str, AskedMetric],
    ranks: Ranks | None = None,
) -> HeldOut:
    """Return the samples of `validation_data` and what to measure on them.

    Raises
    ------
    TypeError, ValueError
        If they do not match the model.
    """
    samples = _read_data(model, data, alone=ranks is None)
    return HeldOut(samples, metrics, model.loss, ranks)


def split(
    samples: CheckedSamples, share: float, loss: Loss, seed: int, *, alone: bool = True
) -> tuple[CheckedSamples, CheckedSamples]:
    """Split samples by the seed, stratified by class; both parts are copies.

    Raises
    ------
    ValueError
        If no sample would be held out, and these are all samples, `alone`.
    """
    if not alone and len(samples) == 0:
        return samples, samples
    train, held_out = split_rows(
        samples.y, samples.weight, share, loss, seed, may_be_empty=not alone
    )
    return samples.of_rows(train), samples.of_rows(held_out)


def split_rows(
    y: NDArray[Any],
    weight: NDArray[Any] | None,
    share: float,
    loss: Loss,
    seed: int,
    *,
    may_be_empty: bool = False,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of both parts of `split`: of targets `y` and weights.

    Raises
    ------
    ValueError
        If no sample would be held out, or a part has no weight.
    """
    order = draw_order(seed, SPLIT_EPOCH, len(y))
    classes = classes_of(y, loss)
    if weight is not None:  # whatever the targets of samples of weight 0
        classes = np.where(weight == 0, classes.max() + 1, classes)
    train, held_out = stratified(classes, share, order)
    if may_be_empty:
        return train, held_out
    if len(held_out) == 0:
        raise ValueError(
            f"validation_fraction={share:g} of {len(y)} samples leaves none to validate on"
        )
    if weight is not None and not (weight[train].any() and weight[held_out].any()):
        raise ValueError(
            f"validation_fraction={share:g} leaves a part whose samples all have weight 0"
        )
    return train, held_out


def classes_of(y: NDArray[Any], loss: Loss) -> NDArray[Any]:
    """Return the class of each sample; all 0 if targets are not classes.

    With heads it is the number of the combination of their classes, in ascending order; those that
    only one sample has are one class together.
    """
    if loss.heads:
        parts = zip(targets_of_heads(y, loss.heads), loss.heads, strict=True)
        columns = [classes_of(part, head.chosen_loss) for part, (_, head) in parts]
        rows = np.stack(columns, axis=1)
        _, classes, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        classes = classes.reshape(-1)  # NumPy 2.0 returns a column
        result: NDArray[Any] = np.where(counts[classes] == 1, len(counts), classes)
        return result
    if loss == "cross_entropy":
        return y.argmax(axis=1) if y.ndim == 2 else y
    if loss == "binary_cross_entropy" and y.shape[1] == 1:
        return (y[:, 0] > 0.5).astype(np.intp)
    return np.zeros(len(y), dtype=np.intp)


def _read_data(model: Model, data: object, *, alone: bool) -> CheckedSamples | StreamSamples:
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
    given = weight[0] if weight else None
    return read_samples(model, X, y, given, names, as_given=True, alone=alone)
