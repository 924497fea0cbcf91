"""scikit-learn's callback protocol (1.9 and newer): tasks for the fit and for each epoch."""

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9 nothing can be registered

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands where scikit-learn has no callbacks yet."""


__all__ = ["CallbackSupportMixin", "FitTask"]


class FitTask:
    """The fit of an estimator as a task whose subtasks are its epochs.

    Without callbacks nothing is called and nothing is built, so that an epoch costs nothing.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    X, y : array-like
        What its ``fit`` was given.
    sample_weight : array-like or None
        Likewise.
    epochs : int
        The most subtasks there can be.
    reconstruct : callable
        Returns the attributes that make a copy of the estimator ready to predict.
    """

    def __init__(
        self,
        estimator: Any,
        X: object,
        y: object,
        sample_weight: object,
        epochs: int,
        reconstruct: Callable[[], dict[str, Any]],
    ) -> None:
        self._begin = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._end = {**self._begin, "reconstruction_attributes": reconstruct}
        self._fit = None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=epochs)
            self._fit.call_on_fit_task_begin(**self._begin)
        self.heard: bool = bool(getattr(estimator, "_skl_callbacks", []))
        self._epoch: Any = None

    def epoch_begins(self) -> None:
        """Tell the callbacks that an epoch begins."""
        if self.heard and self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._begin)

    def epoch_ends(self) -> bool:
        """Tell the callbacks that the epoch ended; True if one of them wants to stop."""
        if self._epoch is None:
            return False
        return bool(self._epoch.call_on_fit_task_end(**self._end))

    def ends(self) -> None:
        """Tell the callbacks that the fit ended."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._end)
