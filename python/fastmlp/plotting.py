"""Plots with matplotlib, which is imported for the first plot (extra ``fastmlp[plot]``)."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fastmlp._extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_series(
    series: Mapping[str, Sequence[float]], best_epoch: int, ax: "Axes | None"
) -> "Axes":
    """Draw series over their epochs; see ``History.plot``.

    If all series are losses, which fall over orders of magnitude, the axis is logarithmic.
    """
    ticker = require("matplotlib.ticker", "History.plot", "plot")
    if ax is None:
        pyplot = require("matplotlib.pyplot", "History.plot", "plot")
        _, ax = pyplot.subplots()
    for name, values in series.items():
        marker = "o" if len(values) == 1 else None  # a line of one point cannot be seen
        ax.plot(range(1, len(values) + 1), values, marker=marker, label=name.replace("_", " "))
    values = [value for numbers in series.values() for value in numbers]
    losses = all(name.endswith("loss") for name in series)
    if losses and min(values, default=0) > 0:
        _set_logarithmic(ax, max(values) / min(values))
    ax.axvline(best_epoch, color="grey", linestyle=":", linewidth=1, label="best epoch")
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    names = [name.replace("_", " ") for name in series]
    ax.set_ylabel("loss" if losses else ", ".join(names))
    ax.legend()
    return ax


def _set_logarithmic(ax: "Axes", ratio: float) -> None:
    """Make the axis of values logarithmic, with plain numbers as ticks.

    Below a decade matplotlib's own have factors, as in 6 x 10^-1.
    """
    ticker = require("matplotlib.ticker", "History.plot", "plot")
    ax.set_yscale("log")
    steps = (1.0,) if ratio > 1e4 else (1.0, 2.0, 5.0)
    few = ticker.MaxNLocator(5, steps=[1, 2, 5, 10])
    ax.yaxis.set_major_locator(few if ratio < 10 else ticker.LogLocator(subs=steps))
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def svg_of(series: Mapping[str, Sequence[float]], best_epoch: int) -> str:
    """Return `plot_series` as an SVG element for HTML, without a window or a backend."""
    figure = require("matplotlib.figure", "History in HTML", "plot").Figure(figsize=(5, 3))
    plot_series(series, best_epoch, figure.subplots())
    file = io.StringIO()
    figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    return file.getvalue().partition("<svg")[2].join(("<svg", ""))
