"""Held-out samples, and what is measured on them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from . import metrics, regression_metrics, validation
from .dense import Matrix, Row
from .heads import Heads
from .samples import CheckedSamples, Fitting, read_samples
from .splitting import split

Metric = Callable[[Matrix, Matrix, Row], float]

DECIDING = ("cross_entropy", "binary_cross_entropy")
CLASSIFICATION = {
    f.__name__: f
    for f in (
        *(metrics.accuracy, metrics.balanced_accuracy, metrics.precision, metrics.recall),
        *(metrics.f1, metrics.auc, metrics.average_precision, metrics.log_loss),
    )
}
REGRESSION = {
    f.__name__: f
    for f in (
        *(regression_metrics.mse, regression_metrics.rmse, regression_metrics.mae),
        *(regression_metrics.mape, regression_metrics.r2),
    )
}


class HeldOut:
    """Validation samples, and what to measure on them.

    Parameters
    ----------
    samples : CheckedSamples
        Separate from those of the training.
    metrics : dict of str to callable
        By names like "validation_f1".
    """

    def __init__(self, samples: CheckedSamples, metrics: dict[str, Metric]) -> None:
        self.samples = samples.counting()
        self._metrics = metrics

    def names(self, loss: str, heads: list[tuple[str, str]]) -> list[str]:
        """Return the names of the measurements for a network with this loss, and those of heads."""
        names = []
        for prefix, each in (("", loss), *((f"{name}_", each) for name, each in heads)):
            names.append(f"validation_{prefix}loss")
            if each in DECIDING:
                names.append(f"validation_{prefix}accuracy")
        return [*names, *self._metrics]

    def measure(self, outputs: Matrix) -> dict[str, float]:
        """Return the metrics of the outputs for the samples."""
        _, y, weight = self.samples
        return {name: f(y, outputs, weight) for name, f in self._metrics.items()}


def hold_out(
    network: Fitting,
    samples: CheckedSamples,
    data: object,
    fraction: object,
    metrics: object,
    seed: int,
    parts: list[int],
) -> tuple[CheckedSamples, HeldOut | None, list[int]]:
    """Return the training samples and the held-out ones, from the arguments of ``fit``.

    `parts` has the number of samples of each rank; what is returned, of those to train on.

    Raises
    ------
    TypeError, ValueError
        If one of them is invalid, or both data and fraction are passed, or metrics alone.
    """
    measured = read_metrics(metrics, network)
    if data is not None and fraction is not None:
        raise ValueError("pass validation_data or validation_fraction, not both")
    if data is not None:
        return samples, HeldOut(read_data(network, data), measured), parts
    if fraction is None:
        if measured:
            raise ValueError("metrics are measured on validation_data or a validation_fraction")
        return samples, None, parts
    train, held_out, parts = split_samples(samples, fraction, network, seed, parts)
    return train, HeldOut(held_out, measured), parts


def read_data(network: Fitting, data: object) -> CheckedSamples:
    """Read a tuple (X, y) or (X, y, sample_weight)."""
    if not isinstance(data, tuple | list):
        raise TypeError(
            f"validation_data must be a tuple (X, y) or None, got {validation.brief(data)}"
        )
    if len(data) not in (2, 3):
        raise ValueError(
            "validation_data must be a tuple (X, y) or (X, y, sample_weight), "
            f"got {len(data)} items"
        )
    names = ("validation_data[0]", "validation_data[1]", "validation_data[2]")
    X, y, weight = (*data, None)[:3]
    return read_samples(network, X, y, weight, names)


def read_metrics(asked: object, network: Fitting) -> dict[str, Metric]:
    """Return metrics by the names of their results.

    Those of a network with heads are measured for every head, or for those in a dict by name.

    Raises
    ------
    TypeError, ValueError
        If one is not a name, or there is none of that name for the loss.
    """
    if asked is None:
        return {}
    output = network.layers[-1]
    if not isinstance(output, Heads):
        named = metrics_of(asked, network.loss)
        return {f"validation_{name}": metric for name, metric in named.items()}
    shared = dict.fromkeys(output.heads, asked)
    by_head: Mapping[str, object] = asked if isinstance(asked, Mapping) else shared
    for name in by_head:
        validation.choice("a name in metrics", name, tuple(output.heads))
    return {
        f"validation_{name}_{metric}": output.of_head(name, f)
        for name, names in by_head.items()
        for metric, f in metrics_of(names, output.heads[name].loss.name).items()
    }


def metrics_of(asked: object, loss: str) -> dict[str, Metric]:
    """Return metrics for a loss by their names."""
    names = (asked,) if isinstance(asked, str) or not isinstance(asked, Iterable) else asked
    known: dict[str, Metric] = dict(REGRESSION)
    if loss in DECIDING:
        exclusive = loss == "cross_entropy"
        known = {name: partial(f, exclusive=exclusive) for name, f in CLASSIFICATION.items()}
    chosen = [validation.choice("metrics", name, tuple(known)) for name in names]
    result = {str(name): known[name] for name in chosen}
    result.pop("accuracy", None)  # it is always measured, with the loss
    return result


def split_samples(
    samples: CheckedSamples, share: object, network: Fitting, seed: int, parts: list[int]
) -> tuple[CheckedSamples, CheckedSamples, list[int]]:
    """Split samples into training samples and held-out ones, stratified by class.

    Also returns how many of the training samples are in each of the `parts`.
    """
    fraction = validation.positive("validation_fraction", share)
    if fraction >= 1:
        raise ValueError(
            f"validation_fraction must be above 0 and below 1, got {validation.brief(share)}"
        )
    labels = classes_of(samples.y, network)
    none = max(labels) + 1  # the class of samples of weight 0, whatever their targets
    labels = [n if w > 0.0 else none for n, w in zip(labels, samples.weight, strict=True)]
    chosen = split(labels, fraction, seed, parts)
    train, held_out = (samples.of_rows(rows) for rows in chosen)
    if not (any(train.weight) and any(held_out.weight)):
        raise ValueError(
            f"validation_fraction={fraction:g} leaves a part whose samples all have weight 0"
        )
    ends = [sum(parts[: rank + 1]) for rank in range(len(parts))]
    kept = [sum(row < end for row in chosen[0]) for end in ends]
    return train, held_out, [n - before for n, before in zip(kept, [0, *kept], strict=False)]


def classes_of(y: Matrix, network: Fitting) -> list[int]:
    """Return the class of each sample; all 0 if targets are not classes.

    With heads it is the number of the combination of their classes, in ascending order; those that
    only one sample has are one class together.
    """
    output = network.layers[-1]
    if not isinstance(output, Heads):
        return classes(y, network.loss)
    parts = zip(output.named, output.split_rows(y), strict=True)
    each = [classes(part, head.loss.name) for (_, head), part in parts]
    rows = list(zip(*each, strict=True))
    counts = Counter(rows)
    number = {row: i for i, row in enumerate(sorted(counts))}
    return [len(counts) if counts[row] == 1 else number[row] for row in rows]


def classes(y: Matrix, loss: str) -> list[int]:
    """Return the class of each sample for a loss; all 0 if its targets are not classes."""
    if loss == "cross_entropy":
        return [row.index(max(row)) for row in y]
    if loss == "binary_cross_entropy" and len(y[0]) == 1:
        return [int(row[0] > 0.5) for row in y]
    return [0] * len(y)
