"""A `TabularModel` in a file: plain data, checked when it is read.

The file is described in `docs/file-format.md`. The columns and their encoders are the list of
strings ``features``, one JSON object each; their long attributes are arrays. Over 400 lines, as
what is written and what is read stand side by side.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.errors import DataError, ModelFormatError
from fastmlp.model.model_files import Array, TableData
from fastmlp.tables.encoding.columns import ColumnReport, needs_preparation
from fastmlp.tables.encoding.encoders import (
    Encoder,
    Number,
    Numbers,
    RawNumber,
    Vector,
    Words,
)
from fastmlp.tables.encoding.features import Feature, Features
from fastmlp.tables.encoding.kinds import NAMES, Kind
from fastmlp.tables.encoding.target import Label, Target, class_array
from fastmlp.tables.encoding.target_means import NumberMeans, TargetMeans
from fastmlp.tables.reading.dates import ORDERS, PARTS

_VERSION: Final = 1


@dataclass(frozen=True)
class Learned:
    """The content of a `TabularModel`'s file apart from its networks.

    Attributes
    ----------
    features : Features
        The columns.
    target : Target
        The target.
    seed : int
        That of the model.
    settings : dict
        The arguments of `TabularModel`.
    notes : tuple of str
        Irregularities of the table.
    scores : dict
        The scores measured by the command line, by the name of the part.
    """

    features: Features
    target: Target
    seed: int
    settings: dict[str, Any]
    notes: tuple[str, ...]
    scores: dict[str, Any]


def to_table(learned: Learned) -> TableData:
    """Return the content as plain data."""
    target, arrays = learned.target, dict[str, Array]()
    arrays["features"] = [
        json.dumps(_feature_state(feature, f"feature.{i}", arrays), ensure_ascii=False)
        for i, feature in enumerate(learned.features.features)
    ]
    arrays["dropped"] = [
        json.dumps([report.name, report.how], ensure_ascii=False)
        for report in learned.features.dropped
    ]
    arrays["notes"] = list(learned.notes)
    arrays["target.names"] = target.names
    arrays["target.kinds"] = target.kinds
    classes = target.classes
    arrays["target.classes"] = (
        [str(label) for label in classes]
        if classes and isinstance(classes[0], str)
        else class_array(classes)
        if classes
        else np.empty(0)
    )
    arrays["target.mean"] = target.mean
    arrays["target.deviation"] = target.deviation
    values = {
        "version": _VERSION,
        "task": target.task,
        "reason": target.reason,
        "units": target.units,
        "decimal": learned.features.decimal,
        "seed": str(learned.seed),  # other JSON readers do not support 64-bit integers
        "settings": learned.settings,
        "scores": learned.scores,
    }
    reason = _why_prepared(learned)
    return TableData(values, arrays, "columns" if reason else "numbers", reason)


def check_storable(features: Features, target: Target) -> None:
    """Refuse names of columns, words and classes that a file cannot hold, before the training.

    Raises
    ------
    DataError
        If one has half of a surrogate pair, which UTF-8 lacks.
    """
    columns = [*(feature.name for feature in features.features), *target.names]
    columns += [report.name for report in features.dropped]
    texts = [("the name of a column", name) for name in columns]
    for feature in features.features:
        if isinstance(feature.encoder, Words | TargetMeans):
            where = f"column {brief(feature.name)}"
            texts += [(where, word) for word in feature.encoder.words]
    where = f"the target {brief(target.names[0])}"
    texts += [(where, label) for label in target.classes if isinstance(label, str)]
    for where, text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DataError(f"{where} must not have surrogates, got {brief(text)}")


def _why_prepared(learned: Learned) -> str:
    """Return why the networks do not answer for raw columns alone; empty if they do."""
    target = learned.target
    if target.task == "regression" and target.is_scaled and learned.features.is_raw:
        return "the target is standardized outside of the networks"
    reasons = (needs_preparation(f.name, f.kind, f.encoder) for f in learned.features.features)
    return next(filter(None, reasons), "")


def from_table(file: str, table: TableData, inputs: int, outputs: int) -> Learned:
    """Return the content from the data of a file.

    Parameters
    ----------
    file : str
        Its name, for messages.
    table : TableData
        Its data.
    inputs, outputs : int
        Those of its networks.

    Raises
    ------
    ModelFormatError
        If something is missing, of the wrong type, or inconsistent.
    """
    try:
        return _read(table, inputs, outputs)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFormatError(file, "metadata 'table'", 8, reason) from None


def _read(table: TableData, inputs: int, outputs: int) -> Learned:
    values, arrays = table.values, dict(table.arrays)
    if values["version"] != _VERSION or not isinstance(values["version"], int):
        raise ValueError(f"tables of version {values['version']!r} are not read")
    texts = _texts(arrays, "features")
    features = [
        _feature_of(_State(json.loads(text), f"feature.{i}", arrays))
        for i, text in enumerate(texts)
    ]
    dropped = []
    for text in _texts(arrays, "dropped"):
        name, how = json.loads(text)
        dropped.append(ColumnReport(_text(name), "dropped", 0, _text(how)))
    learned = Learned(
        Features(features, dropped, decimal=_decimal_of(values)),
        _target_of(values, arrays),
        int(_text(values["seed"])),
        dict(values["settings"]),
        _texts(arrays, "notes"),
        dict(values["scores"]),
    )
    if len({isinstance(feature.encoder, RawNumber) for feature in features}) > 1:
        raise ValueError("either all columns are raw numbers, or none")
    names = [feature.name for feature in features]
    if len(set(names)) < len(names) or not names:
        raise ValueError("the columns must have different names")
    if learned.features.width != inputs or learned.target.outputs != outputs:
        raise ValueError(
            f"columns become {learned.features.width} inputs and {learned.target.outputs} outputs, "
            f"the networks have {inputs} and {outputs}"
        )
    return learned


def _decimal_of(values: dict[str, Any]) -> str | None:
    """Return the decimal mark, which files of earlier versions lack."""
    mark = values.get("decimal")
    if mark not in {None, ".", ","}:
        raise ValueError(f"there is no decimal mark {mark!r}")
    return None if mark is None else _text(mark)


# Targets


def _target_of(values: dict[str, Any], arrays: dict[str, Array]) -> Target:
    task = values["task"]
    if task not in {"classification", "regression", "labels"}:
        raise ValueError(f"there is no task {task!r}")
    names = list(_texts(arrays, "target.names"))
    kinds = list(_texts(arrays, "target.kinds"))
    held = arrays["target.classes"]
    classes: list[Label] = held.tolist() if isinstance(held, np.ndarray) else list(held)
    if isinstance(held, np.ndarray) and held.dtype.kind == "f" and not np.isfinite(held).all():
        raise ValueError("target.classes must be finite")
    mean, deviation = (_floats(arrays, f"target.{name}", 1) for name in ("mean", "deviation"))
    numbers = len(names) if task == "regression" else 0
    if not len(mean) == len(deviation) == numbers or not (deviation > 0.0).all():
        raise ValueError("the target must have a mean and a deviation for each number")
    if not names or (task == "labels") != bool(kinds) or len(kinds) not in {0, len(names)}:
        raise ValueError("the target must have names, and labels a kind for each")
    if (task == "classification") != bool(classes) or len(set(classes)) < len(classes):
        raise ValueError("a classification must have different classes, and nothing else any")
    if task == "classification" and len(names) > 1:
        raise ValueError("a classification has one target")
    units = values.get("units", [])  # not there in a file of an earlier version
    if not isinstance(units, list) or len(units) not in {0, numbers}:
        raise ValueError("the target must have a unit for each number")
    units = [None if unit is None else _text(unit) for unit in units]
    return Target(names, task, _text(values["reason"]), classes, mean, deviation, kinds, units)


# Columns and their encoders


@dataclass(frozen=True)
class _State:
    """A JSON object with its arrays."""

    values: dict[str, Any]
    key: str
    arrays: dict[str, Array]

    def text(self, name: str) -> str:
        return _text(self.values[name])

    def number(self, name: str) -> float:
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{self.key}.{name} must be a number")
        if not math.isfinite(value):
            raise ValueError(f"{self.key}.{name} must be finite")
        return float(value)

    def deviation(self) -> float:
        value = self.number("deviation")
        if value <= 0.0:
            raise ValueError(f"{self.key}.deviation must be above 0")
        return value

    def switch(self, name: str) -> bool:
        value = self.values[name]
        if not isinstance(value, bool):
            raise TypeError(f"{self.key}.{name} must be true or false")
        return value

    def floats(self, name: str, ndim: int = 1) -> NDArray[np.float64]:
        return _floats(self.arrays, f"{self.key}.{name}", ndim)

    def inner(self, name: str) -> "_State":
        return _State(self.values[name], f"{self.key}.{name}", self.arrays)

    def words(self) -> list[str]:
        words = list(_texts(self.arrays, f"{self.key}.words"))
        if len(set(words)) < len(words):
            raise ValueError(f"{self.key}.words must be different")
        return words


def _feature_state(feature: Feature, key: str, arrays: dict[str, Array]) -> dict[str, Any]:
    state = {"name": feature.name, **asdict(feature.kind)}
    state["kind"] = state.pop("name")
    return {"name": feature.name, **state, **_encoder_state(feature.encoder, key, arrays)}


def _encoder_state(
    encoder: Encoder | NumberMeans, key: str, arrays: dict[str, Array]
) -> dict[str, Any]:
    """Return the short attributes of an encoder, and add the others to the arrays."""
    values: dict[str, Any] = {"encoder": type(encoder).__name__}
    for name, value in vars(encoder).items():
        if name == "numbers":
            values[name] = [
                _encoder_state(number, f"{key}.{i}", arrays) for i, number in enumerate(value)
            ]
        elif isinstance(value, NumberMeans):
            values[name] = _encoder_state(value, f"{key}.{name}", arrays)
        elif name == "words" or isinstance(value, np.ndarray):
            arrays[f"{key}.{name}"] = value
        else:
            values[name] = value
    return values


def _feature_of(state: _State) -> Feature:
    kind, order = state.text("kind"), state.values["order"]
    if kind not in NAMES or order not in {None, *ORDERS}:
        raise ValueError(f"there is no kind {kind!r} of column of order {order!r}")
    encoder = _ENCODERS[state.text("encoder")](state)
    fits = {
        "words": Words | TargetMeans, "vector": Vector, "date": Numbers,
        "number": Number | RawNumber,
    }.get(kind, Number)  # fmt: skip
    if not isinstance(encoder, fits):
        raise TypeError(f"{state.key}: {kind} is not encoded by {type(encoder).__name__}")
    unit = state.values.get("unit")  # not there in a file of an earlier version
    if unit is not None:
        unit = _text(unit)
    return Feature(state.text("name"), Kind(kind, state.text("reason"), order, unit), encoder)


def _number_of(state: _State) -> Number:
    edges = state.floats("edges")
    if len(edges) == 1 or not (np.diff(edges) > 0.0).all():
        raise ValueError(f"{state.key}.edges must ascend")
    median, mean, deviation = state.number("median"), state.number("mean"), state.deviation()
    means = None
    if state.values.get("means") is not None:  # null, or not there in a file of an earlier version
        means = _number_means_of(state.inner("means"))
    return Number(median, mean, deviation, edges, state.switch("missing"), means)


def _raw_number_of(state: _State) -> RawNumber:
    median, least, most = map(state.number, ("median", "least", "most"))
    if least > most:
        raise ValueError(f"{state.key}: least must not be above most")
    return RawNumber(median, least, most)


def _numbers_of(state: _State) -> Numbers:
    parts = state.values["parts"]
    numbers = [
        _number_of(_State(values, f"{state.key}.{i}", state.arrays))
        for i, values in enumerate(state.values["numbers"])
    ]
    if not parts or len(parts) != len(numbers) or not set(parts) <= set(range(len(PARTS))):
        raise ValueError(f"{state.key}.parts must say which parts of a date the numbers are")
    return Numbers([int(part) for part in parts], numbers)


def _words_of(state: _State) -> Words:
    return Words(state.words(), state.switch("others"), state.switch("missing"))


def _means_of(state: _State) -> TargetMeans:
    words = state.words()
    return TargetMeans(**_mean_arrays(state, len(words)), words=words)


def _number_means_of(state: _State) -> NumberMeans:
    values = state.floats("values")
    if not len(values) or not (np.diff(values) > 0.0).all():
        raise ValueError(f"{state.key}.values must ascend")
    return NumberMeans(**_mean_arrays(state, len(values)), values=values)


def _mean_arrays(state: _State, count: int) -> dict[str, NDArray[np.float64]]:
    means = state.floats("means", 2)
    overall, mean, deviation = map(state.floats, ("overall", "mean", "deviation"))
    if means.shape != (count + 1, len(overall)) or not len(overall) == len(mean) == len(deviation):
        raise ValueError(f"{state.key}: the means must have a row for each value, and one more")
    if not len(overall) or not (deviation > 0.0).all():
        raise ValueError(f"{state.key}.deviation must be above 0")
    return {"means": means, "overall": overall, "mean": mean, "deviation": deviation}


def _vector_of(state: _State) -> Vector:
    return Vector(state.floats("mean"), state.deviation(), state.switch("missing"))


_ENCODERS: Final[dict[str, Callable[[_State], Encoder]]] = {
    "Number": _number_of,
    "RawNumber": _raw_number_of,
    "Numbers": _numbers_of,
    "Words": _words_of,
    "TargetMeans": _means_of,
    "Vector": _vector_of,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} must be a string")
    return value


def _texts(arrays: dict[str, Array], name: str) -> tuple[str, ...]:
    held: Sequence[str] | NDArray[Any] = arrays[name]
    if isinstance(held, np.ndarray):
        raise TypeError(f"{name} must be a list of strings")
    return tuple(held)


def _floats(arrays: dict[str, Array], name: str, ndim: int) -> NDArray[np.float64]:
    array = arrays[name]
    if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.ndim != ndim:
        raise TypeError(f"{name} must be F64 of {ndim} dimensions")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array
