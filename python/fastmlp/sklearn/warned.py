"""Warnings as those of scikit-learn: filters by its module apply to them."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sklearn.exceptions import ConvergenceWarning

_MODULE: Final = "sklearn.neural_network._multilayer_perceptron"
_INNER: Final = ("fastmlp", "sklearn", "joblib")


_gathered: Final[ContextVar[list[str] | None]] = ContextVar("gathered", default=None)
"""Where messages about fits that have not converged are kept, if they are not warnings."""


@contextmanager
def gathered(messages: list[str]) -> Iterator[None]:
    """Keep what would be a `ConvergenceWarning` of a fit in a ``with`` statement."""
    token = _gathered.set(messages)
    try:
        yield
    finally:
        _gathered.reset(token)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called a library; ``module="sklearn"`` in a filter matches."""
    messages = _gathered.get()
    if messages is not None and category is ConvergenceWarning:
        messages.append(message)
        return
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame.f_globals) in _INNER:
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=_MODULE,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _package(module: dict[str, object]) -> str:
    return str(module.get("__name__")).partition(".")[0]
