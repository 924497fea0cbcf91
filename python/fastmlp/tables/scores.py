"""`Scores`: the quality of predictions."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp import metrics
from fastmlp.data._text import counted
from fastmlp.tables.encoding.target import Label, Target

_MOST_SHOWN: Final = 12


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class.

    Attributes
    ----------
    label : str, int, float or bool
        The class.
    precision, recall, f1 : float
        In [0, 1], weighted as the rows are.
    rows : int
        The number of rows of the class, each of which counts once.
    """

    label: Label
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, eq=False)
class Scores:
    """The result of `TabularModel.evaluate`; `str` gives a readable text.

    Attributes
    ----------
    task : {"classification", "regression", "labels"}
        The task of the model.
    rows : int
        The number of rows.
    accuracy : float or None
        The share of correct predictions; for several labels, of correct decisions.
    log_loss : float or None
        Minus the mean logarithm of the predicted probability of the true class.
    r2, mae, rmse : float or None
        For a regression: the coefficient of determination, and the mean absolute error and root
        mean squared error in the units of the target. For several targets, the means over them; r2
        is None if the targets do not vary.
    classes : tuple of ClassScore
        For each class in order.
    confusion : ndarray of int or float, shape (classes, classes), or None
        Entry (i, j) is the number of rows of class i that were predicted as class j, or the sum of
        their weights if rows have weights.
    loss : float
        The loss of the training: `log_loss`, or the mean squared error of standardized targets.
        Files do not store it: NaN then.
    """

    task: str
    rows: int
    accuracy: float | None = None
    log_loss: float | None = None
    r2: float | None = None
    mae: float | None = None
    rmse: float | None = None
    classes: tuple[ClassScore, ...] = ()
    confusion: NDArray[Any] | None = None
    loss: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as for JSON."""
        confusion = None if self.confusion is None else self.confusion.tolist()
        return {
            "task": self.task,
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "r2": self.r2,
            "mae": self.mae,
            "rmse": self.rmse,
            "classes": [vars(score) for score in self.classes],
            "confusion": confusion,
        }

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "Scores":
        """Return what `to_dict` described."""
        confusion = values["confusion"]
        return cls(**{
            **values,
            "classes": tuple(ClassScore(**score) for score in values["classes"]),
            "confusion": None if confusion is None else np.array(confusion),
        })  # fmt: skip

    def __str__(self) -> str:
        rows = counted(self.rows, "row")
        if self.task == "regression":
            r2 = "-" if self.r2 is None else f"{self.r2:.4f}"
            return f"R^2 {r2}, MAE {self.mae:.4g}, RMSE {self.rmse:.4g} on {rows}"
        lines = [f"accuracy {self.accuracy:.2%}, log loss {self.log_loss:.4f} on {rows}"]
        if self.classes:
            lines += _class_table(self.classes)
        if self.confusion is not None and len(self.classes) <= _MOST_SHOWN:
            lines += ["", *_confusion_table(self.classes, self.confusion)]
        return "\n".join(lines)


def _shown(label: Label) -> str:
    text = str(label)
    return text if len(text) <= 20 else f"{text[:17]}..."


def _class_table(classes: tuple[ClassScore, ...]) -> list[str]:
    wide = max(5, *(len(_shown(score.label)) for score in classes[:_MOST_SHOWN]))
    lines = [f"{'class':<{wide}}  precision  recall      f1    rows"]
    lines += [
        f"{_shown(score.label):<{wide}}  {score.precision:>9.3f}  {score.recall:>6.3f}  "
        f"{score.f1:>6.3f}  {score.rows:>6,}"
        for score in classes[:_MOST_SHOWN]
    ]
    if len(classes) > _MOST_SHOWN:
        lines.append(f"... ({len(classes)} classes in all)")
    return lines


def _confusion_table(classes: tuple[ClassScore, ...], confusion: NDArray[Any]) -> list[str]:
    labels = [_shown(score.label) for score in classes]
    corner = "true \\ taken for"
    wide = max(map(len, [corner, *labels]))
    rows = [[shown_count(count) for count in counts] for counts in confusion.tolist()]
    widths = [
        max(3, len(label), *map(len, column))
        for label, column in zip(labels, zip(*rows, strict=True), strict=True)
    ]
    head = "  ".join(f"{label:>{width}}" for label, width in zip(labels, widths, strict=True))
    lines = [f"{corner:<{wide}}  {head}"]
    for label, counts in zip(labels, rows, strict=True):
        cells = "  ".join(f"{count:>{width}}" for count, width in zip(counts, widths, strict=True))
        lines.append(f"{label:<{wide}}  {cells}")
    return lines


def shown_count(count: float) -> str:
    """Return a number of rows, or a sum of their weights, as text."""
    return f"{count:,}" if isinstance(count, int) else f"{count:,.6g}"


def score(
    target: Target,
    y: NDArray[Any],
    outputs: NDArray[Any],
    weight: NDArray[np.float64] | None = None,
) -> Scores:
    """Compare outputs of the networks (n, N) with targets as `true_targets` returns them."""
    if target.task == "regression":
        values = target.in_units(outputs)
        varies = bool((np.ptp(y, axis=0) > 0.0).all())
        return Scores(
            "regression",
            len(y),
            r2=metrics.r2(y, values, weight) if varies else None,
            mae=metrics.mae(y, values, weight),
            rmse=metrics.rmse(y, values, weight),
            loss=metrics.mse(y / target.deviation, values / target.deviation, weight),
        )
    outputs = np.asarray(outputs, np.float64)
    accuracy = metrics.accuracy(y, outputs, weight)
    loss = metrics.log_loss(y, outputs, weight)
    if target.task == "labels":
        return Scores("labels", len(y), accuracy, loss, loss=loss)
    taken = outputs.argmax(axis=1)
    count = len(target.classes)
    confusion = np.bincount(y * count + taken, weight, count * count).reshape(count, count)
    return Scores(
        "classification",
        len(y),
        accuracy,
        loss,
        classes=tuple(_class_scores(target.classes, confusion, np.bincount(y, minlength=count))),
        confusion=confusion,
        loss=loss,
    )


def _class_scores(
    labels: list[Label], confusion: NDArray[Any], rows: NDArray[np.intp]
) -> list[ClassScore]:
    scores = []
    every = zip(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0), strict=True)
    for label, count, (right, of_class, taken) in zip(labels, rows.tolist(), every, strict=True):
        precision = right / taken if taken else 0.0
        recall = right / of_class if of_class else 0.0
        f1 = 2.0 * right / (taken + of_class) if taken + of_class else 0.0
        scores.append(ClassScore(label, float(precision), float(recall), float(f1), count))
    return scores
