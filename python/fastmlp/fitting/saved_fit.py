"""The content of a checkpoint about a fit, checked completely before any of it is used."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import ModelFormatError
from fastmlp.settings.optimizers import OptimizerKind

KEY: Final = "checkpoint"
"""The metadata key of the file that has it, as JSON."""

HISTORY: Final = "history."
"""The prefix of the names of tensors with a number per epoch; the rest is as in `History`."""

AVERAGES: Final = ("moving_average.parameters", "moving_average.statistics")
"""The tensors with the moving average of the parameters and running averages."""

MOMENTS: Final = ("optimizer.first", "optimizer.second")
"""The tensors with the optimizer's state of each parameter."""

_SETTINGS: Final[dict[str, tuple[type, ...]]] = {
    "optimizer": (str,),
    "learning_rate": (str,),
    "batch_size": (int,),
    "the number of samples": (int,),
    "shuffle": (bool,),
    "order": (int, type(None)),
    "epochs": (int, type(None)),
    "the blocks of a stream": (int, type(None)),
}
_MOST = 2**63 - 1


@dataclass(frozen=True, eq=False)
class SavedStopping:
    """The state of an early stopping.

    Attributes
    ----------
    values : dict
        As in `EarlyStopping.set_state`.
    arrays : dict of str to ndarray
        The network at the best epoch, if it was saved.
    monitor, mode : str or None
        What was monitored, and whether "min" or "max" is better; None in older files.
    patience : int or None
        Epochs without improvement after which it stops; None in older files.
    """

    values: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    monitor: str | None
    mode: str | None
    patience: int | None

    @property
    def has_stopped(self) -> bool:
        """Whether its patience was over."""
        return self.patience is not None and self.values["waited"] >= self.patience


@dataclass(frozen=True)
class SavedFit:
    """The progress of a fit.

    Attributes
    ----------
    settings : dict
        Its settings; see `fingerprint`.
    series : dict of str to list of float
        A number per epoch, by the names of `History`: "loss", "epoch_seconds" and "learning_rate",
        and the measurements; NaN for epochs without them.
    stopped : bool
        Whether it ended before its last epoch.
    plateau : dict or None
        As in `PlateauWatch.restore`.
    stoppings : list of SavedStopping
        In the order of the callbacks.
    """

    settings: dict[str, Any]
    series: dict[str, list[float]]
    stopped: bool
    plateau: dict[str, Any] | None
    stoppings: list[SavedStopping]

    @property
    def epochs(self) -> int:
        """The number of epochs trained."""
        return len(self.series["loss"])


@dataclass(frozen=True)
class SavedState:
    """The content of a checkpoint besides the network; `fit` is None if not saved by a fit.

    `position` is that of single steps in their epoch, on which their dropout depends.
    """

    kind: OptimizerKind
    moments: tuple[NDArray[Any] | None, NDArray[Any] | None]
    steps: int
    fit: SavedFit | None
    average: tuple[float, NDArray[Any] | None, NDArray[Any] | None, int]
    position: int


def check_state(file: str, text: str | None, tensors: Mapping[str, NDArray[Any]]) -> SavedState:
    """Check the content of a checkpoint besides the network.

    Parameters
    ----------
    file : str
        Its name, for messages.
    text : str or None
        The metadata "checkpoint".
    tensors : mapping of str to ndarray
        Those that are not the network's.

    Raises
    ------
    ModelFormatError
        If anything is missing, of a wrong type, or out of range.
    """
    import json  # noqa: PLC0415  (keeps `import fastmlp` fast)

    if text is None:
        raise ModelFormatError(
            file, KEY, 0, "is missing: this is no checkpoint; fastmlp.load reads model files"
        )
    try:
        saved = _object(json.loads(text), "the text")
        kind = OptimizerKind[_text(saved, "optimizer")]
        moments = _moments(kind, tensors)
        fit = _fit(saved, tensors) if "course" in saved else None
        average = _average(saved, tensors)
        position = _integer(saved, "position") if "position" in saved else 0
        return SavedState(kind, moments, _integer(saved, "steps"), fit, average, position)
    except KeyError as error:
        problem = f"{error.args[0]!r} is missing or unknown"
    except (ValueError, RecursionError) as error:  # of invalid JSON, or our own
        problem = str(error)
    raise ModelFormatError(file, KEY, 0, problem)


def _fit(saved: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> SavedFit:
    settings, course = _object(saved["fit"], "fit"), _object(saved["course"], "course")
    for key, kinds in _SETTINGS.items():
        if type(settings[key]) not in kinds:
            raise ValueError(f"fit: {key} is of the wrong type")
    series = _old_series(course) if "epochs" in course else _series(tensors)
    plateau = None if course["plateau"] is None else _plateau(course["plateau"])
    if type(course["stopped"]) is not bool:
        raise ValueError("stopped must be true or false")
    stoppings = [
        _stopping(_object(values, "early_stopping"), i, tensors)
        for i, values in enumerate(_list(course["early_stopping"], "early_stopping"))
    ]
    return SavedFit(settings, series, course["stopped"], plateau, stoppings)


def _moments(
    kind: OptimizerKind, tensors: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    first, second = (tensors.get(name) for name in MOMENTS)
    for name, moment in zip(MOMENTS, (first, second), strict=True):
        if moment is not None and not np.isfinite(moment).all():
            raise ValueError(f"{name} is not finite")
    if second is not None and (second < 0).any():
        raise ValueError(f"{MOMENTS[1]} is a mean of squares, but negative")
    kinds = OptimizerKind
    fits = (second is None) == (kind is kinds.SGD) and (kind is not kinds.ADAM or first is not None)
    if not fits:
        raise ValueError(f"the tensors do not match the state of {kind.name}")
    return first, second


def _average(
    saved: dict[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> tuple[float, NDArray[Any] | None, NDArray[Any] | None, int]:
    if "moving_average" not in saved:
        return 0.0, None, None, 0
    about = _object(saved["moving_average"], "moving_average")
    decay, steps = _number(about["decay"], "decay"), _integer(about, "steps")
    parameters, statistics = (tensors[name] for name in AVERAGES)
    finite = np.isfinite(parameters).all() and np.isfinite(statistics).all()
    if not (0 < decay < 1 and finite):
        raise ValueError("moving_average: decay, steps or an element is out of range")
    return decay, parameters, statistics, steps


def _series(tensors: Mapping[str, NDArray[Any]]) -> dict[str, list[float]]:
    series = {}
    for name, array in tensors.items():
        if not name.startswith(HISTORY):
            continue
        if array.dtype != np.float64 or array.ndim != 1:
            raise ValueError(f"{name} must be a vector of float64")
        series[name.removeprefix(HISTORY)] = array.tolist()
    for name, values in series.items():
        if len(values) != len(series["loss"]):
            raise ValueError(f"{HISTORY}{name} has another number of epochs than {HISTORY}loss")
    _check_epochs(series["loss"], series["epoch_seconds"], series["learning_rate"])
    return series


def _old_series(course: dict[str, Any]) -> dict[str, list[float]]:
    """Return the series of an older file, which has them as JSON."""
    epochs = [_numbers(epoch, "epochs") for epoch in _list(course["epochs"], "epochs")]
    if any(len(epoch) != 3 for epoch in epochs):
        raise ValueError("epochs must have a loss, seconds and a learning rate each")
    names = ("loss", "epoch_seconds", "learning_rate")
    series = {name: [epoch[i] for epoch in epochs] for i, name in enumerate(names)}
    _check_epochs(*series.values())
    measured = {
        "validation_loss": course["validation_loss"],
        "validation_accuracy": course["validation_accuracy"],
        **_object(course["validation_metrics"], "validation_metrics"),
    }
    for name, values in measured.items():
        numbers = _numbers(values, name)
        if len(numbers) == len(epochs):  # otherwise unknown for which epochs
            series[name] = numbers
    return series


def _check_epochs(losses: list[float], seconds: list[float], rates: list[float]) -> None:
    for loss, second, rate in zip(losses, seconds, rates, strict=True):
        if not (math.isfinite(loss) and 0 <= second < math.inf):
            raise ValueError("the losses and seconds of epochs must be finite")
        if rate < 0 or math.isinf(rate):  # NaN: there is none
            raise ValueError("the learning rates of epochs must be at least 0 and finite")


def _plateau(value: object) -> dict[str, Any]:
    plateau = _object(value, "plateau")
    best, factor = _number(plateau["best"], "best"), _number(plateau["factor"], "factor")
    if math.isnan(best) or not 0 <= factor <= 1:
        raise ValueError("plateau: best is not a number, or factor is not from 0 to 1")
    plateau.setdefault("cooldown", 0)  # older files have none
    waits = {name: _integer(plateau, name) for name in ("waited", "cooldown")}
    return {"best": best, "factor": factor, **waits}


def _stopping(values: dict[str, Any], i: int, tensors: Mapping[str, NDArray[Any]]) -> SavedStopping:
    prefix = f"early_stopping.{i}."
    arrays = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    if arrays and set(arrays) != {"parameters", "statistics"}:
        raise ValueError(f"{prefix}parameters and {prefix}statistics go together")
    if not all(array.ndim == 1 and np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(f"{prefix}parameters or statistics are not vectors, or not finite")
    best = None if values["best"] is None else _number(values["best"], "best")
    best_epoch, _ = _integer(values, "best_epoch"), _integer(values, "waited")
    if (best is None) != (best_epoch == 0) or not math.isfinite(best or 0.0):
        raise ValueError("early_stopping: best must be finite, and present if best_epoch is not 0")
    known = values | {"best": best}
    if "monitor" not in values:
        return SavedStopping(known, arrays, None, None, None)
    monitor, mode = _text(values, "monitor"), _text(values, "mode")
    return SavedStopping(known, arrays, monitor, mode, _integer(values, "patience"))


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a JSON array")
    return value


def _number(value: object, name: str) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{name} must be a number")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise ValueError(f"{name} is too large") from None


def _numbers(value: object, name: str) -> list[float]:
    return [_number(item, name) for item in _list(value, name)]


def _integer(values: dict[str, Any], name: str) -> int:
    value = values[name]
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError(f"{name} must be an integer from 0 to 2^63 - 1")
    return value


def _text(values: dict[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value
