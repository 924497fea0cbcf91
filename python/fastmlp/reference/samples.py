"""`CheckedSamples`: checked features, targets and weights; and class weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from . import arrays, validation
from .class_weight import class_weights
from .dense import Matrix, Row
from .heads import Heads


class CheckedSamples(NamedTuple):
    """Checked lists of one length.

    Attributes
    ----------
    X : list of list of float, shape (n, features)
        The features.
    y : list, shape (n, N)
        Numbers per output, rows of 0 and 1 for labels; for a custom loss, whatever it accepts.
    weight : list of float, shape (n,)
        Weights of the samples, 1 by default.
    """

    X: Matrix
    y: list[Any]
    weight: Row

    def of_rows(self, rows: list[int]) -> "CheckedSamples":
        """Return some of the samples."""
        X, y, weight = self
        return CheckedSamples([X[i] for i in rows], [y[i] for i in rows], [weight[i] for i in rows])

    def counting(self) -> "CheckedSamples":
        """Return the samples whose weight is above 0."""
        return self.of_rows([i for i, weight in enumerate(self.weight) if weight > 0.0])


class Fitting(Protocol):
    """The properties of a network that samples must match."""

    @property
    def features(self) -> int:
        """Number of features of a sample."""

    @property
    def loss(self) -> str:
        """Name of the loss."""

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers after the features."""


def read_samples(
    network: Fitting,
    X: object,
    y: object,
    sample_weight: object = None,
    names: tuple[str, str, str] = ("X", "y", "sample_weight"),
) -> CheckedSamples:
    """Check features, targets and weights for `network`, at least one sample.

    Raises
    ------
    TypeError, ValueError
        If they do not match the network or each other, or are not finite.
    """
    rows = arrays.features(names[0], X, network.features)
    targets = network.layers[-1].targets(names[1], y, len(rows), network.loss)
    if sample_weight is None:
        return CheckedSamples(rows, targets, [1.0] * len(rows))
    return CheckedSamples(rows, targets, arrays.weights(names[2], sample_weight, len(rows)))


def weigh_classes(samples: CheckedSamples, class_weight: Any, network: Fitting) -> CheckedSamples:
    """Return samples with weights multiplied by the class weights.

    Those of heads are factors of their losses, which follow the numbers of all outputs in y.

    Raises
    ------
    TypeError, ValueError
        If `class_weight` is invalid, the targets are not labels, or no sample of weight above 0 is
        left.
    """
    if class_weight is None:
        return samples
    output, own = network.layers[-1], samples.weight
    if not isinstance(output, Heads):
        factors = of_classes(class_weight, samples.y, network.loss, own)
        weight = [w * factor for w, factor in zip(own, factors, strict=True)]
        if not any(weight):
            raise ValueError("class_weight makes the sample weights all 0")
        return samples._replace(weight=weight)
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight of heads must be a dict by name, got {validation.brief(class_weight)}"
        )
    for name in class_weight:
        validation.choice("a name in class_weight", name, tuple(output.heads))
    each = [[1.0] * len(own) for _ in output.named]
    for i, y in enumerate(output.split_rows(samples.y)):
        name, head = output.named[i]
        if name in class_weight:
            each[i] = of_classes(class_weight[name], y, head.loss.name, own)
        if not any(each[i]):
            raise ValueError(f"class_weight makes the weights of head {name!r} all 0")
    rows = zip(samples.y, zip(*each, strict=True), strict=True)
    return samples._replace(y=[[*y, *factors] for y, factors in rows])


def of_classes(class_weight: Any, y: Matrix, loss: str, counted: Row) -> Row:
    """Return the weight of the class of each sample, "balanced" by the weights `counted`."""
    classes, labels = max(2, len(y[0])), labels_of(y, loss)
    if isinstance(class_weight, str):
        validation.choice("class_weight", class_weight, ("balanced",))
    elif not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight must be a dict, 'balanced' or None, got {validation.brief(class_weight)}"
        )
    else:
        for label, value in class_weight.items():
            if isinstance(label, str) or label not in range(classes):
                raise ValueError(
                    f"class_weight has the label {validation.brief(label)}, "
                    f"but labels are 0 to {classes - 1}"
                )
            validation.not_negative(f"class_weight[{validation.brief(label)}]", value)
    by_class = class_weights(class_weight, labels, classes, counted)
    return [by_class[label] for label in labels]


def labels_of(y: Matrix, loss: str) -> list[int]:
    """Return the label of each sample: the index of its 1, or the value of a single output."""
    exact = all(value in (0.0, 1.0) for row in y for value in row)
    if loss == "cross_entropy" and exact and all(sum(row) == 1.0 for row in y):
        return [row.index(1.0) for row in y]
    if loss == "binary_cross_entropy" and exact and len(y[0]) == 1:
        return [int(row[0]) for row in y]
    raise ValueError(
        "class_weight needs one class per sample: labels with cross_entropy, or 0 and 1 with "
        f"binary_cross_entropy and one output; got other targets, with {loss}"
    )
