"""The exceptions and warnings of this package."""

import math
import re
import sys

_LONGEST = 400


def printable(text: str) -> str:
    r"""Return a text in which bytes of file names that are not UTF-8 are shown as ``\xff``."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", text)


def shortened(text: str) -> str:
    """Return a text for a message, truncated if a file made it long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def level_of_caller() -> int:
    """Return the `stacklevel` with which a warning names the line that called this package."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("fastmlp."):
        level, frame = level + 1, frame.f_back
    return level


class DataError(ValueError):
    """A file or a data set cannot be used; the message says where and why, in one line."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ConvergenceWarning(UserWarning):
    """An optimizer ended before it converged; the message says why, and what may help."""


class DivergenceError(ValueError, ArithmeticError):
    """Training diverged: the loss of an epoch was not finite.

    The network is restored to the last epoch end at which all parameters were finite (or to the
    start of the fit, if there was none), its `epoch` included.

    Parameters
    ----------
    epoch : int
        The epoch of this ``fit`` that diverged, counted from 1.
    loss : float
        Its loss: infinite or not a number, or finite if only a parameter was not finite.
    learning_rate : float
        The learning rate of the epoch's last step; NaN for an optimizer without one.

    Attributes
    ----------
    network : int or None
        Of `train_many`, the number of the network.
    """

    def __init__(self, epoch: int, loss: float, learning_rate: float) -> None:
        super().__init__(epoch, loss, learning_rate)
        self.epoch = epoch
        self.loss = loss
        self.learning_rate = learning_rate
        self.network: int | None = None

    def __str__(self) -> str:
        of = "" if self.network is None else f" of networks[{self.network}]"
        what = (
            f"a parameter was not finite after epoch {self.epoch}"
            if math.isfinite(self.loss)
            else f"the loss became {self.loss} in epoch {self.epoch}"
        )
        rate, remedy = "", ""
        if not math.isnan(self.learning_rate):
            rate = f" with learning_rate={self.learning_rate:g}"
            remedy = "a smaller learning rate, or "
        return (
            f"training{of} diverged: {what}{rate}; the network is back at its last finite epoch "
            f"end. Try {remedy}scaled features, or divide a large y by a constant"
        )


class ModelFormatError(ValueError):
    """A model file is damaged, inconsistent, or was not written by fastmlp.

    Parameters
    ----------
    file : str
        The file.
    field : str
        The invalid part: ``"header"``, ``"tensor 'layers.0.weights'"``,
        ``"metadata 'architecture'"``.
    offset : int
        Its position, in bytes from the start of the file.
    problem : str
        What is wrong with it.
    """

    def __init__(self, file: str, field: str, offset: int, problem: str) -> None:
        super().__init__(file, field, offset, problem)
        self.file = file
        self.field = field
        self.offset = offset
        self.problem = problem

    def __str__(self) -> str:
        field, problem = shortened(self.field), shortened(self.problem)
        return f"{self.file}: {field}: {problem} (byte {self.offset})"
