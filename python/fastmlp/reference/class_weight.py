"""How much the samples of each class count."""

from collections.abc import Mapping, Sequence

from .dense import Row


def class_weights(
    class_weight: Mapping[int, float] | str, labels: Sequence[int], classes: int, weight: Row
) -> Row:
    """Return the weight of each class; that of a sample is multiplied with that of its class.

    Parameters
    ----------
    class_weight : mapping of label to weight, or "balanced"
        Labels left out have the weight 1. "balanced" weighs a class by the weight of all samples
        over that of its own, times the number of classes there are: n / (k * count).
    labels : sequence of int
        The class of each sample.
    classes : int
        The number of classes.
    weight : list of float
        The weights of the samples, 1 without others.
    """
    if class_weight != "balanced":
        weights = dict(class_weight)  # type: ignore[arg-type]
        return [float(weights.get(label, 1.0)) for label in range(classes)]
    counts = [0.0] * classes
    for label, w in zip(labels, weight, strict=True):
        counts[label] += w
    there = len([count for count in counts if count > 0])
    whole = 0.0
    for count in counts:  # in order
        whole += count
    return [whole / (there * count) if count > 0 else 0.0 for count in counts]
