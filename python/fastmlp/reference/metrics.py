"""Metrics: the quality of outputs as one number; the definitions are scikit-learn's.

Every metric is ``f(y, h, w)``: rows of targets (B, N), rows of outputs (B, N), a weight per sample.
With cross-entropy the class of a sample is that of its largest target, and its predicted class that
of its largest output; with binary cross-entropy every output is a decision, yes above 0.5. A metric
of one class is averaged over the classes with equal weights ("macro"); for two exclusive classes it
is that of the second.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from .dense import Matrix, Row

EPS32: Final = 2.0**-23
"""Probabilities are clipped to [eps, 1 - eps] before a logarithm; the eps of float32."""


class PerClass(NamedTuple):
    """One class: which samples belong to it, which are predicted to, and their scores."""

    truth: list[bool]
    said: list[bool]
    scores: Row
    weight: Row

    def sum(self, chosen: Callable[[bool, bool], float]) -> float:
        """Return the sum of weight times ``chosen(predicted, true)``."""
        rows = zip(self.said, self.truth, self.weight, strict=True)
        return total(w * chosen(said, true) for said, true, w in rows)


def classes(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> list[PerClass]:
    """Return a `PerClass` for each class that counts."""
    result = []
    for n in range(len(y[0])):
        if exclusive:
            truth = [row.index(max(row)) == n for row in y]
            said = [row.index(max(row)) == n for row in h]
        else:
            truth, said = [row[n] > 0.5 for row in y], [row[n] > 0.5 for row in h]
        result.append(PerClass(truth, said, [row[n] for row in h], w))
    return result[1:] if exclusive and len(result) == 2 else result


def present(samples: list[PerClass], *, exclusive: bool) -> list[PerClass]:
    """Return the classes to average over: of exclusive ones, those predicted or true."""
    if not exclusive or len(samples) == 1:
        return samples
    return [c for c in samples if any(c.said) or any(c.truth)]


def accuracy(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the fraction of correct decisions: one per sample, or one per output."""
    if exclusive:
        right = [float(t.index(max(t)) == o.index(max(o))) for t, o in zip(y, h, strict=True)]
        return mean(right, w)
    rows = zip(y, h, strict=True)
    counts = [sum((a > 0.5) == (b > 0.5) for a, b in zip(*r, strict=True)) for r in rows]
    return mean(counts, w) / len(y[0])


def top_k_accuracy(y: Matrix, h: Matrix, w: Row, k: int) -> float:
    """Return the fraction of samples whose class is among the k largest outputs."""
    hits = []
    for targets, outputs in zip(y, h, strict=True):
        label = targets.index(max(targets))
        ahead = sum(
            value > outputs[label] or (value == outputs[label] and n < label)
            for n, value in enumerate(outputs)
        )
        hits.append(float(ahead < k))
    return mean(hits, w)


def balanced_accuracy(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the mean recall of the classes with samples; yes and no are two classes."""
    counted = classes(y, h, w, exclusive=exclusive)
    groups = [[c, opposite(c)] for c in counted]
    if exclusive and len(counted) > 1:
        groups = [counted]
    return average(average(recall_of(c) for c in group if weighs(c)) for group in groups)


def precision(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the correct fraction of the predictions of a class."""
    counted = present(classes(y, h, w, exclusive=exclusive), exclusive=exclusive)
    return average(
        ratio(c.sum(lambda said, true: said and true), c.sum(lambda said, _: said)) for c in counted
    )


def recall(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the fraction of a class that is predicted as such."""
    counted = present(classes(y, h, w, exclusive=exclusive), exclusive=exclusive)
    return average(recall_of(c) for c in counted)


def f1(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the harmonic mean of precision and recall."""
    counted = present(classes(y, h, w, exclusive=exclusive), exclusive=exclusive)
    return average(
        ratio(
            c.sum(lambda said, true: 2.0 * (said and true)),
            c.sum(lambda said, true: 1.0 * said + true),
        )
        for c in counted
    )


def auc(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the area under hits over misses, by trapezoids between distinct scores.

    Of several exclusive classes, those without hits or misses are skipped; otherwise their area is
    NaN.
    """
    counted = classes(y, h, w, exclusive=exclusive)
    areas = []
    for c in counted:
        hits, misses = curve(c)
        if hits[-1] > 0 and misses[-1] > 0:
            area = total(
                (misses[i] - misses[i - 1]) * (hits[i] + hits[i - 1]) / 2
                for i in range(1, len(hits))
            )
            areas.append(area / (hits[-1] * misses[-1]))
        elif not (exclusive and len(counted) > 1):
            areas.append(math.nan)
    return average(areas)


def average_precision(y: Matrix, h: Matrix, w: Row, *, exclusive: bool) -> float:
    """Return the precision at each distinct score, weighted by the hits it adds.

    Of several exclusive classes, those without hits are skipped; otherwise they have 0.
    """
    counted = classes(y, h, w, exclusive=exclusive)
    areas = []
    for c in counted:
        hits, misses = curve(c)
        if hits[-1] > 0:
            area = total(
                ratio((hits[i] - hits[i - 1]) * hits[i], hits[i] + misses[i])
                for i in range(1, len(hits))
            )
            areas.append(area / hits[-1])
        elif not (exclusive and len(counted) > 1):
            areas.append(0.0)
    return average(areas)


def log_loss(y: Matrix, h: Matrix, w: Row, *, exclusive: bool, eps: float = EPS32) -> float:
    """Return the mean of -log(probability of the truth), over samples and outputs."""

    def surprise(p: float) -> float:
        return -math.log(min(max(p, eps), 1 - eps))

    if exclusive:
        own = [o[t.index(max(t))] for t, o in zip(y, h, strict=True)]
        return mean([surprise(p) for p in own], w)
    columns = zip(zip(*y, strict=True), zip(*h, strict=True), strict=True)
    return average(
        mean([surprise(o if t > 0.5 else 1 - o) for t, o in zip(*column, strict=True)], w)
        for column in columns
    )


def recall_of(c: PerClass) -> float:
    """Return the fraction of a class that is predicted as such."""
    return ratio(c.sum(lambda said, true: said and true), c.sum(lambda _, true: true))


def weighs(c: PerClass) -> bool:
    """Return whether a sample of the class has a weight above 0."""
    return c.sum(lambda _, true: true) > 0


def opposite(c: PerClass) -> PerClass:
    """Return the complement of a class."""
    return PerClass([not t for t in c.truth], [not s for s in c.said], c.scores, c.weight)


def curve(c: PerClass) -> tuple[Row, Row]:
    """Return the weights of hits and misses among the highest scores, starting with none.

    One point per distinct score: equal scores are combined.
    """
    hits, misses = [0.0], [0.0]
    last = math.nan
    for i in sorted(range(len(c.scores)), key=lambda i: -c.scores[i]):
        if c.scores[i] != last:
            hits.append(hits[-1])
            misses.append(misses[-1])
            last = c.scores[i]
        (hits if c.truth[i] else misses)[-1] += c.weight[i]
    return hits, misses


def total(values: Iterable[float]) -> float:
    """Add in order."""
    result = 0.0
    for value in values:
        result += value
    return result


def mean(values: Iterable[float], w: Row) -> float:
    """Return the weighted mean, sum(w v) / sum(w)."""
    return total(v * weight for v, weight in zip(values, w, strict=True)) / total(w)


def ratio(part: float, whole: float) -> float:
    """Return part / whole; 0 of 0 is 0."""
    return part / whole if whole else 0.0


def average(values: Iterable[float]) -> float:
    """Return the mean of a few numbers; NaN if there are none."""
    items = list(values)
    return total(items) / len(items) if items else math.nan
