"""``verbose``: how a fit shows its progress, on standard error.

With 1, if tqdm is installed (``pip install 'fastmlp[progress]'``), it is a bar, also in notebooks;
otherwise, or with 2, a plain line per epoch. A fit never fails because its progress cannot be
shown.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from typing import Any, Final

from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.history import EpochReport

_CLOSED: Final = (OSError, ValueError)
"""Errors of writing if standard error is closed, full, or no longer a terminal."""


@contextmanager
def shown(epochs: int, verbose: int) -> Iterator[tuple["Progress", ...]]:
    """Yield the callbacks that show the progress of a fit; none if `verbose` is 0."""
    if not verbose:
        yield ()
        return
    with closing(Progress(epochs, verbose)) as progress:
        yield (progress,)


class Progress(Callback):
    """Shows each `EpochReport`.

    Parameters
    ----------
    epochs : int
        The number of epochs of the fit.
    verbose : int, default 1
        1 for a bar if possible, 2 for lines.
    """

    def __init__(self, epochs: int, verbose: int = 1) -> None:
        self._bar: Any = None
        if verbose == 2 or sys.stderr is None:
            return
        try:
            tqdm = import_module("tqdm.auto").tqdm
        except ImportError:
            return
        with suppress(*_CLOSED):
            self._bar = tqdm(total=epochs, unit="epoch")

    def on_epoch_end(self, network: Network, report: EpochReport) -> None:  # noqa: ARG002
        """Show one more epoch."""
        with suppress(*_CLOSED):
            if self._bar is not None:
                self._bar.set_postfix_str(_summary(report), refresh=False)
                self._bar.update()
            elif sys.stderr is not None:  # print would write to standard output instead
                line = f"epoch {report.epoch}/{report.epochs}: {_summary(report)}"
                print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Keep the bar in its current state and move to the next line."""
        if self._bar is not None:
            with suppress(*_CLOSED):
                self._bar.close()


def _summary(report: EpochReport) -> str:
    parts = [f"loss {report.loss:.4f}"]
    if report.validation_loss is not None:
        parts.append(f"validation loss {report.validation_loss:.4f}")
    if report.validation_accuracy is not None:
        parts.append(f"accuracy {report.validation_accuracy:.2%}")
    parts += [f"{name.replace('_', ' ')} {value:.4f}" for name, value in report.metrics.items()]
    if math.isfinite(report.learning_rate):
        parts.append(f"learning rate {report.learning_rate:.3g}")
    parts.append(f"{report.samples / max(report.seconds, 1e-9):,.0f} samples/s")
    return ", ".join(parts)
