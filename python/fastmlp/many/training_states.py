"""`TrainingStates`: what networks have besides parameters, as rows of a few arrays."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.model.model import Model
from fastmlp.settings.optimizers import OptimizerKind

_KINDS: Final = tuple(OptimizerKind.__members__.values())
_MOMENTS: Final = "first", "second"


class TrainingStates:
    """The epoch and the optimizer's state of each of `count` networks, with or without objects.

    An object of a network takes several times the memory of a small network's numbers: those that
    nobody asked for are trained by objects that exist only for that time.
    """

    def __init__(self, count: int, size: int, dtype: np.dtype[Any]) -> None:
        self._rows: dict[str, NDArray[Any]] = {
            "epoch": np.zeros(count, np.uint32),
            "kind": np.full(count, _KINDS.index(OptimizerKind.SGD), np.uint8),
            "steps": np.zeros(count, np.uint64),
        }
        self._shape, self._dtype = (count, size), dtype

    def keep(self, i: int, model: Model) -> bool:
        """Take the state of network i; False if it has something for which there is no place."""
        core = model.core
        kind, first, second, steps = core.optimizer_state
        _, averages, *_ = core.moving_average
        scaled = core.input_scale is not None or core.output_scale is not None
        named = core.feature_names is not None
        if averages is not None or scaled or named or core.statistics.size > 0:
            return False
        for name, values in zip(_MOMENTS, (first, second), strict=True):
            self._keep_moment(name, i, values)
        self._rows["epoch"][i], self._rows["steps"][i] = core.epoch, steps
        self._rows["kind"][i] = _KINDS.index(kind)
        return True

    def give(self, i: int, model: Model) -> None:
        """Give its state to a new network i."""
        model.core.epoch = int(self._rows["epoch"][i])
        kind, steps = _KINDS[self._rows["kind"][i]], int(self._rows["steps"][i])
        if steps > 0:
            first, second = (self._moment(name, i) for name in _MOMENTS)
            model.core.set_optimizer_state(kind, first, second, steps)

    def part(self, places: slice) -> dict[str, NDArray[Any]]:
        """Return a copy of the rows of some networks, for `replace`."""
        return {name: np.array(rows[places]) for name, rows in self._rows.items()}

    def replace(self, rows: dict[str, NDArray[Any]]) -> None:
        """Take what `part` returned, of as many networks."""
        self._rows = {name: np.array(values) for name, values in rows.items()}

    @property
    def most_epochs(self) -> int:
        """The largest number of epochs of any network."""
        return int(self._rows["epoch"].max())

    def _moment(self, name: str, i: int) -> NDArray[Any] | None:
        if name not in self._rows or not self._rows[f"has_{name}"][i]:
            return None
        return self._rows[name][i]  # type: ignore[no-any-return]

    def _keep_moment(self, name: str, i: int, values: NDArray[Any] | None) -> None:
        if name not in self._rows:
            if values is None:
                return
            self._rows[f"has_{name}"] = np.zeros(self._shape[0], bool)
            self._rows[name] = np.zeros(self._shape, self._dtype)
        self._rows[f"has_{name}"][i] = values is not None
        if values is not None:
            self._rows[name][i] = values
