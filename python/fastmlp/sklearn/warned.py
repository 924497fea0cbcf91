"""Warnings as those of scikit-learn: filters by its module apply to them."""

import sys
import warnings
from typing import Final

_MODULE: Final = "sklearn.neural_network._multilayer_perceptron"
_INNER: Final = ("fastmlp", "sklearn", "joblib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called a library; ``module="sklearn"`` in a filter matches."""
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
