"""A plot of a trained model: its losses, and its predictions against the true targets."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import files
from fastmlp._extras import require
from fastmlp.tables.encoding.target import Target
from fastmlp.tables.scores import Scores, shown_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WRITTEN = 15  # classes, up to which the cells show their counts


def check_plot(path: str) -> None:
    """Raise if a plot could not be made, before the training.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the format is unknown.
    """
    bases = require("matplotlib.backend_bases", "a plot", "plot")
    known = sorted(bases.FigureCanvasBase.filetypes)
    if Path(path).suffix.lower().removeprefix(".") not in known:
        raise ValueError(f"plot: the ending must be one of {', '.join(known)}, got {path!r}")


def save_plot(
    path: str,
    histories: tuple[Any, ...],
    target: Target,
    scores: Scores,
    truth: NDArray[Any],
    answers: NDArray[Any],
) -> None:
    """Plot the losses and the confusion matrix, or predictions against targets, to a file.

    Parameters
    ----------
    path : str
        The file; its suffix determines the format.
    histories : tuple of History
        Of the networks.
    target : Target
        The target.
    scores : Scores
        Of the test part.
    truth, answers : ndarray, shape (n, targets)
        For a regression, on the test part, in the units of the target.

    Raises
    ------
    ImportError, ValueError
        As `check_plot`.
    OSError
        If the file cannot be written.
    """
    figures = require("matplotlib.figure", "a plot", "plot")
    figure = figures.Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _losses(left, histories)
    if scores.confusion is not None:
        _confusion(right, target, scores.confusion)
    elif target.task == "regression":
        _scatter(right, target, truth, answers)
    else:
        right.set_axis_off()
    figure.suptitle(f"{', '.join(target.names)}: {str(scores).splitlines()[0]}")
    files.refuse_devices(path)
    figure.savefig(Path(path), dpi=120)


def _losses(ax: "Axes", histories: tuple[Any, ...]) -> None:
    for place, history in enumerate(histories):
        color = f"C{place % 10}"
        epochs = range(1, len(history.loss) + 1)
        ax.plot(epochs, history.loss, color=color, alpha=0.4, linewidth=1)
        if history.validation_loss:
            ax.plot(epochs, history.validation_loss, color=color, label=f"network {place + 1}")
            best = history.best_epoch
            ax.plot(best, history.validation_loss[best - 1], "o", color=color, markersize=5)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.set_title("loss: held-out rows (training rows paler)")
    if any(history.validation_loss for history in histories) and len(histories) <= 10:
        ax.legend()


def _confusion(ax: "Axes", target: Target, confusion: NDArray[Any]) -> None:
    sums = confusion.sum(axis=1, keepdims=True)
    share = confusion / np.where(sums > 0, sums, 1)
    ax.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    labels = [str(label)[:16] for label in target.classes]
    if len(labels) <= _MOST_WRITTEN:
        ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        ax.set_yticks(range(len(labels)), labels)
        for i, j in np.ndindex(*confusion.shape):
            color = "white" if share[i, j] > 0.5 else "black"
            ax.text(
                j, i, shown_count(confusion[i, j].item()), ha="center", va="center", color=color
            )
    ax.set_xlabel("answer")
    ax.set_ylabel("true class")
    ax.set_title("test rows")


def _scatter(ax: "Axes", target: Target, truth: NDArray[Any], answers: NDArray[Any]) -> None:
    for j, name in enumerate(target.names):
        ax.plot(truth[:, j], answers[:, j], ".", alpha=0.5, label=name)
    ends = [min(truth.min(), answers.min()), max(truth.max(), answers.max())]
    ax.plot(ends, ends, color="grey", linewidth=1, linestyle=":")
    ax.set_xlabel("true value")
    ax.set_ylabel("answer")
    ax.set_title("test rows")
    if len(target.names) > 1:
        ax.legend()
