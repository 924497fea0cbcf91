"""`CheckedSamples`: checked features, targets and weights for the core."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import _arrays, _memory, copying
from fastmlp.data._raw import RawRows
from fastmlp.data._sparse import SparseRows
from fastmlp.heads import Head
from fastmlp.history import Evaluation, HeadsEvaluation
from fastmlp.metrics import accuracy
from fastmlp.model.feature_names import check_names
from fastmlp.model.model import Core, Model
from fastmlp.model.targets import outputs_of_heads, read_targets, targets_of_heads
from fastmlp.settings.custom_loss import CustomLoss, LossFunction


@dataclass(frozen=True)
class CheckedSamples:
    """Checked arrays, of one length.

    Attributes
    ----------
    X : ndarray, RawRows or SparseRows, shape (n, features)
        The features.
    y : ndarray, shape (n,) or (n, N)
        Labels, or numbers per output.
    loss : callable or None
        The custom loss, if `y` is for one.
    heads : tuple of (str, Head)
        The heads whose targets `y` has, if there are several; see `read_targets`.
    weight : ndarray, shape (n,), or None
        Weights of the samples; None is 1 for all.
    """

    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None = None
    loss: LossFunction | None = None
    heads: tuple[tuple[str, Head], ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    @property
    def density(self) -> float:
        """The fraction of the features that is stored; 1 if they are not sparse."""
        return self.X.density if isinstance(self.X, SparseRows) else 1.0

    def of_rows(self, rows: NDArray[np.intp]) -> "CheckedSamples":
        """Return a copy of some rows."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], weight=weight)

    def counting(self) -> "CheckedSamples":
        """Return the samples whose weight is not 0: a copy if there are others."""
        if self.weight is None or self.weight.all():
            return self
        return self.of_rows(np.flatnonzero(self.weight))

    def apart_from(self, parameters: NDArray[Any]) -> "CheckedSamples":
        """Return samples that do not share memory which training changes."""
        X, y, weight = self.X, self.y, self.weight
        values = X.values if isinstance(X, RawRows) else X
        if isinstance(X, SparseRows) or np.may_share_memory(values, parameters):
            X = X.copy()  # a view of the weights would change during training; and
            # columns of sparse rows are indices, as labels are
        if y.ndim > 1 and np.may_share_memory(y, parameters):
            y = y.copy()  # labels (n,) are a copy already
        if weight is not None:
            weight = weight.copy()  # a callback must not make it negative
        is_apart = X is self.X and y is self.y and weight is None
        return self if is_apart else replace(self, X=X, y=y, weight=weight)

    def evaluate(self, core: Core, n_threads: int) -> Evaluation:
        """Return loss and accuracy of a network, with sample weights."""
        if self.loss is not None:
            outputs = self.predict(core, n_threads)
            return Evaluation(CustomLoss(self.loss, self.y).mean(outputs, self.weight), None)
        if self.weight is not None:
            core = core.snapshot()  # for two calls, as another thread may train in between
        loss, correct, decisions, heads = core.evaluate(self.X, self.y, self.weight, n_threads)
        measured = (loss, correct, decisions)
        weighed = self.weight is not None and any(each[2] for each in (measured, *heads))
        out = self.predict(core, n_threads) if weighed else None
        if not heads:
            return self._evaluation(measured, self.y, out)
        targets = targets_of_heads(self.y, self.heads)
        outs = [None] * len(heads) if out is None else outputs_of_heads(out, self.heads)
        of_heads = map(self._evaluation, heads, targets, outs)
        names = [name for name, _ in self.heads]
        return HeadsEvaluation(loss, dict(zip(names, of_heads, strict=True)))

    def _evaluation(
        self, measured: tuple[float, int, int], y: NDArray[Any], outputs: NDArray[Any] | None
    ) -> Evaluation:
        """Return what the core measured; the accuracy of weighted samples is of their outputs."""
        loss, correct, decisions = measured
        if not decisions:
            return Evaluation(loss, None)
        if self.weight is None or outputs is None:
            return Evaluation(loss, correct / decisions)
        # The core counts decisions without weights.
        one_of_many = decisions == np.count_nonzero(self.weight) and y.shape[1:] > (1,)
        labels = y.argmax(axis=1) if one_of_many else y
        return Evaluation(loss, accuracy(labels, outputs, self.weight))

    def predict(self, core: Core, n_threads: int) -> NDArray[Any]:
        """Return the outputs of a network for these samples."""
        outputs: NDArray[Any] = core.predict(self.X, None, n_threads)
        return outputs

    @property
    def targets(self) -> "NDArray[Any] | CustomLoss":
        """The targets for the core: for a custom loss, the function that has them."""
        return self.y if self.loss is None else CustomLoss(self.loss, self.y)


def read_samples(
    model: Model,
    X: object,
    y: object,
    sample_weight: object = None,
    names: tuple[str, str, str] = ("X", "y", "sample_weight"),
    *,
    as_given: bool = False,
    shuffled: bool = False,
    per_row: int = 8,
    alone: bool = True,
) -> CheckedSamples:
    """Check and convert features, targets and weights for a network, at least one sample.

    With `as_given`, features may stay sparse or of another type; `shuffled` says that they will be
    read repeatedly, in any order; `per_row` is the memory needed in addition for each sample: in
    training at least that of its target and of its index in the order. If they are not `alone`, but
    a part of the samples, there may be none, or none of weight above 0.

    Raises
    ------
    TypeError, ValueError
        If they do not match the network or each other, or are not finite.
    MemoryError
        If there is not enough memory; raised before the values are read.
    """
    if (expected := model.core.feature_names) is not None:
        check_names(names[0], X, expected)
    x: Any = X
    t = model.core.ready_samples(X, y)
    if t is not None:
        _memory.require(copying.RESULTS, len(t) * per_row, len(t), names[0])
    else:  # to be converted, or refused
        sparse = model.input_normalization is None
        as_is = partial(copying.features_as_given, shuffled=shuffled, sparse=sparse)
        read = as_is if as_given else copying.features
        x = read(
            names[0],
            X,
            model.features,
            model.dtype,
            minimum=int(alone),
            per_row=per_row,
            scaling=model.input_scaling,
        )
        t = read_targets(names[1], y, len(x), model.outputs, model.loss, model.dtype)
    weight = None
    if sample_weight is not None:
        weight = _arrays.weights(names[2], sample_weight, len(x), model.dtype, all_zero=not alone)
    return CheckedSamples(x, t, weight, model.loss_function, model.loss.heads)
