"""What the normalizations of a network have learned, for the exports."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fastmlp.layers import Normalization, NormalizationLike, numbers_of
from fastmlp.model.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A normalization, and live views of what it has learned, each (N,)."""

    kind: Normalization
    scales: NDArray[Any]
    shifts: NDArray[Any]
    averages: tuple[NDArray[Any], ...]
    """The running means and variances of batch normalization, else empty."""

    @property
    def nodes(self) -> int:
        """How many nodes are normalized."""
        return self.scales.size


def of_layer(net: Model, i: int) -> Learned | None:
    """Return the normalization of layer i, if it has one."""
    core, kind = net.core, net.layers[i].normalization
    if kind is None:
        return None
    averages = core.running_means(i), core.running_variances(i)
    return _learned(kind, core.scales(i), core.shifts(i), averages)


def of_inputs(net: Model) -> Learned | None:
    """Return that before the first layer, if there is one."""
    core, kind = net.core, net.input_normalization
    if kind is None:
        return None
    averages = core.input_running_means(), core.input_running_variances()
    return _learned(kind, core.input_scales(), core.input_shifts(), averages)


def _learned(
    kind: NormalizationLike,
    scales: NDArray[Any],
    shifts: NDArray[Any],
    averages: tuple[NDArray[Any], NDArray[Any]],
) -> Learned:
    return Learned(numbers_of(kind), scales, shifts, averages if kind == "batch" else ())
