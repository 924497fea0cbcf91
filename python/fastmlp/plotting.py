"""Plots with matplotlib, which is imported for the first plot (extra ``fastmlp[plot]``)."""

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
    if ax is None:
        pyplot = require("matplotlib.pyplot", "History.plot", "plot")
        _, ax = pyplot.subplots()
    for name, values in series.items():
        ax.plot(range(1, len(values) + 1), values, label=name.replace("_", " "))
    if all(name.endswith("loss") for name in series) and not any(
        value <= 0 for values in series.values() for value in values
    ):
        ax.set_yscale("log")
    ax.axvline(best_epoch, color="grey", linestyle=":", linewidth=1, label="best epoch")
    ax.set_xlabel("epoch")
    ax.legend()
    return ax
