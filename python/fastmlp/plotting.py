"""Plots with matplotlib, which is imported when the first is drawn (extra ``fastmlp[plot]``)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastmlp._extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp.history import History


def plot_history(history: "History", names: Sequence[str], ax: "Axes | None") -> "Axes":
    """Draw series of a history over its epochs, as ``History.plot`` documents.

    Where only losses are drawn, which fall over orders of magnitude, the axis is logarithmic.
    """
    series = {name: history[name] for name in names}
    if ax is None:
        pyplot = require("matplotlib.pyplot", "History.plot", "plot")
        _, ax = pyplot.subplots()
    epochs = range(1, len(history.loss) + 1)
    for name, values in series.items():
        ax.plot(epochs, values, label=name.replace("_", " "))
    if all(name.endswith("loss") for name in names) and not any(
        value <= 0 for values in series.values() for value in values
    ):
        ax.set_yscale("log")
    ax.axvline(history.best_epoch, color="grey", linestyle=":", linewidth=1, label="best epoch")
    ax.set_xlabel("epoch")
    ax.legend()
    return ax
