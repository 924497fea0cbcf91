"""``verbose``: how a fit shows its progress, on standard error.

With 1, if tqdm is installed (``pip install 'fastmlp[progress]'``), it is a bar, also in notebooks;
otherwise, or with 2, a plain line per epoch. A fit never fails because its progress cannot be
shown.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any, Final

from fastmlp.fitting.callbacks import Callback, Network
from fastmlp.history import EpochReport

_CLOSED: Final = (OSError, ValueError)
"""Errors of writing if standard error is closed, full, or no longer a terminal."""

_SILENT: Final[AbstractContextManager[tuple["Progress", ...]]] = nullcontext(())
"""In place of a bar or lines."""

_SHORTEST_BAR: Final = 10
"""Characters of the bar itself, whatever is written beside it."""


def shown(epochs: int, verbose: int) -> AbstractContextManager[tuple["Progress", ...]]:
    """Return the callbacks that show the progress of a fit; none if `verbose` is 0."""
    return _bar(epochs, verbose) if verbose else _SILENT


@contextmanager
def _bar(epochs: int, verbose: int) -> Iterator[tuple["Progress", ...]]:
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
        self._first_rate: float | None = None
        if verbose == 2 or sys.stderr is None:
            return
        try:
            tqdm = import_module("tqdm.auto").tqdm
        except ImportError:
            return
        with suppress(*_CLOSED):
            start = "{n_fmt}/{total_fmt}|{bar}|"
            self._bar = tqdm(total=epochs, unit="epoch", bar_format=start, dynamic_ncols=True)

    def on_epoch_end(self, network: Network, report: EpochReport) -> None:  # noqa: ARG002
        """Show one more epoch."""
        if self._first_rate is None:
            self._first_rate = report.learning_rate
        rate_changed = math.isfinite(report.learning_rate) and (
            report.learning_rate != self._first_rate
        )
        with suppress(*_CLOSED):
            if self._bar is not None:
                columns = self._bar.format_dict["ncols"]
                self._bar.bar_format = _bar_format(report, rate_changed, columns)
                self._bar.update()
            elif sys.stderr is not None:  # print would write to standard output instead
                parts = [*_values(report), *_details(report, rate_changed)]
                line = f"epoch {report.epoch}/{report.epochs}: {', '.join(parts)}"
                print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Keep the bar in its current state and move to the next line."""
        if self._bar is not None:
            with suppress(*_CLOSED):
                self._bar.close()


def _bar_format(report: EpochReport, rate_changed: bool, columns: Any) -> str:
    """Return tqdm's format of a bar: the losses and one metric, and what else there is room for.

    `columns` is the width of the terminal, or no integer if it is not known or is a notebook's.
    """
    values = _values(report)[: 2 if report.validation_loss is None else 3]
    texts = [", ".join(values).replace("{", "{{").replace("}", "}}")]  # names of metrics
    for detail in ("{elapsed}<{remaining}", *_details(report, rate_changed)):
        texts.append(f"{texts[-1]}, {detail}")
    count = f"{report.epochs}/{report.epochs}"
    room = columns - _SHORTEST_BAR - len("|| ") if isinstance(columns, int) else math.inf
    for text in reversed(texts):
        if len(count) + len(text.format(elapsed="00:00", remaining="00:00")) <= room:
            return f"{{n_fmt}}/{{total_fmt}}|{{bar}}| {text}"
    fits = len("100%") + len(texts[0]) <= room
    return f"{{percentage:3.0f}}%|{{bar{'' if fits else f':{_SHORTEST_BAR}'}}}| {texts[0]}"


def _values(report: EpochReport) -> list[str]:
    """Return the losses, then the metrics; those of ``fit(metrics=...)`` before the accuracy."""
    parts = [f"loss {_number(report.loss)}"]
    if report.validation_loss is not None:
        parts.append(f"validation loss {_number(report.validation_loss)}")
    for name, value in report.metrics.items():
        parts.append(f"{name.replace('_', ' ')} {_number(value)}")
    if report.validation_accuracy is not None:
        parts.append(f"validation accuracy {report.validation_accuracy:.1%}")
    return parts


def _details(report: EpochReport, rate_changed: bool) -> list[str]:
    rate = [f"learning rate {report.learning_rate:.3g}"] if rate_changed else []
    return [*rate, f"{report.samples / max(report.seconds, 1e-9):,.0f} samples/s"]


def _number(value: float) -> str:
    """Format a loss or metric with few characters, and the same number of them if possible."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 10 else f"{value:.3g}"
