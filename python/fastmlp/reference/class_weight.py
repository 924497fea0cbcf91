"""Class weights."""

from collections.abc import Mapping, Sequence

from .dense import Row


def class_weights(
    class_weight: Mapping[int, float] | str, labels: Sequence[int], classes: int, weight: Row
) -> Row:
    """Return the weight of each class, by which the weights of its samples are multiplied.

    Parameters
    ----------
    class_weight : mapping of label to weight, or "balanced"
        Labels not in it have weight 1. "balanced" gives a class the weight of all samples divided
        by that of its own and by the number of classes with samples: n / (k * count).
    labels : sequence of int
        The class of each sample.
    classes : int
        The number of classes.
    weight : list of float
        The weights of the samples, 1 by default.
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
