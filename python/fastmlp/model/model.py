"""`Model`: the state of a `Network`, on which the other modules operate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from fastmlp import _core, _validation
from fastmlp.data import _memory
from fastmlp.data._conversion import Scaling
from fastmlp.heads import CoreHead, Heads, core_heads
from fastmlp.layers import (
    CoreLayer,
    Dense,
    NormalizationLike,
    build_layers,
    describe_normalization,
    of_description,
    read_input_normalization,
)
from fastmlp.losses import Loss, LossLike, choose_loss
from fastmlp.model.feature_names import Names
from fastmlp.settings.custom_loss import LossFunction
from fastmlp.settings.step_optimizer import StepOptimizer

_PARAMETERS: Final = "the parameters and gradients of the network"

Core = _core.Network32 | _core.Network64
"""The compiled network of either dtype."""

TrainOptions = _core.TrainOptions
"""The training options of the core."""

CoreReport = _core.EpochReport
"""The core's report of an epoch."""

CoreReports = _core.EpochReports
"""Those of all epochs of a training."""

Diverged = _core.DivergedError
"""Raised by the core if an epoch ends with numbers that are not finite."""


@dataclass(eq=False)
class Model:
    """The compiled network, which owns the memory, and additional Python attributes.

    `Network` is its public interface: each method calls a function of another module with its
    model.

    Attributes
    ----------
    features : int
        Number of features of a sample.
    layers : tuple of Dense
        The layers after the features.
    loss : Loss
        With its parameter, and its function if it is custom.
    dtype : dtype
        Type of the parameters, float32 or float64.
    core : Network32 or Network64
        The compiled network.
    input_normalization : str, Normalization or None
        The normalization of the features before the first layer.
    step_optimizer : StepOptimizer or None
        The optimizer of the last single step, already read.
    """

    features: int
    layers: tuple[Dense, ...]
    loss: Loss
    dtype: np.dtype[Any]
    core: Core
    input_normalization: NormalizationLike | None = None
    step_optimizer: StepOptimizer | None = None

    @classmethod
    def new(
        cls,
        features: int,
        layers: tuple[Dense, ...],
        loss: LossLike | None,
        seed: int | None,
        dtype: object,
        input_normalization: object = None,
    ) -> Self:
        """Create a model of checked layers, with initial parameters."""
        chosen = _loss_of(layers, loss)
        checked = _validation.dtype(dtype)
        before = read_input_normalization(input_normalization)
        core = new_core(features, layers, chosen, checked, _validation.seed(seed), before)
        return cls(features, layers, chosen, checked, core, before)

    @classmethod
    def of_layers(
        cls,
        features: int,
        layers: Sequence[Dense],
        loss: LossLike | None,
        seed: int | None,
        dtype: object,
        input_normalization: NormalizationLike | None = None,
    ) -> Self:
        """Create a model of layers from another program; a softmax of one node is allowed."""
        built = build_layers([features, *layers], "relu", "softmax")
        return cls.new(*built, loss, seed, dtype, input_normalization)

    @classmethod
    def of_core(cls, core: Core) -> Self:
        """Create a model of a loaded core, which knows its layers."""
        layers, chosen = layers_of(core.layers, core.heads, core.trainable, core.rate_factors)
        loss = chosen or Loss(*core.loss)
        before = of_description(core.input_normalization)
        return cls(core.features, layers, loss, core.parameters.dtype, core, before)

    @property
    def outputs(self) -> int:
        """Number of nodes of the last layer."""
        return self.layers[-1].nodes

    @property
    def feature_names(self) -> Names | None:
        """Names of the features, if any."""
        return self.core.feature_names

    @feature_names.setter
    def feature_names(self, names: Names | None) -> None:
        self.core.feature_names = names

    @property
    def input_scaling(self) -> Scaling | None:
        """The scale and the offset of each feature, if the network scales them: live views."""
        scale, offset = self.core.input_scale, self.core.input_offset
        return None if scale is None or offset is None else (scale, offset)

    @property
    def output_scaling(self) -> Scaling | None:
        """The scale and the offset of each output, if the network scales them: live views."""
        scale, offset = self.core.output_scale, self.core.output_offset
        return None if scale is None or offset is None else (scale, offset)

    @property
    def moves_averages(self) -> bool:
        """Whether training updates the running averages of any batch normalization."""
        trained = [layer.normalization for layer in self.layers if layer.trainable]
        if self.layers[0].trainable:
            trained.append(self.input_normalization)
        return "batch" in trained

    @property
    def n_classes(self) -> int:
        """The number of classes of the outputs; 0 if they are not classes."""
        output = self.layers[-1]
        if output.activation not in {"softmax", "sigmoid"}:
            return 0
        return 2 if (output.activation, output.nodes) == ("sigmoid", 1) else output.nodes

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases, scales and shifts."""
        return self.core.parameters.size

    @property
    def loss_function(self) -> LossFunction | None:
        """The custom loss, if there is one; see `Network.loss_function`."""
        if self.loss == "custom" and self.loss.function is None:
            raise ValueError(
                "the network was loaded without its custom loss, which files do not contain: "
                "set net.loss_function = f"
            )
        return self.loss.function

    def bytes_per_row(self) -> int:
        """Return the memory of forward and backward per sample: nodes, deltas, z, normalized z."""
        kept = 3 * self.features if self.input_normalization is not None else 0
        kept += sum(
            layer.nodes * (2 + (layer.dropout > 0) + 2 * (layer.normalization is not None))
            for layer in self.layers
        )
        return kept * self.dtype.itemsize

    def copied_core(self) -> Core:
        """Return a copy of everything that training changes, to restore it."""
        before = self.input_normalization
        core = new_core(self.features, self.layers, self.loss, self.dtype, self.core.seed, before)
        core.assign(self.core)  # type: ignore[arg-type]
        return core


def _loss_of(layers: tuple[Dense, ...], loss: LossLike | None) -> Loss:
    """Return the loss of a network, which its heads have if it has several."""
    for i, layer in enumerate(layers[:-1], start=1):
        if isinstance(layer, Heads):
            raise ValueError(f"layers[{i}] is Heads, which must be the last layer")
    output = layers[-1]
    if not isinstance(output, Heads):
        return choose_loss(loss, output.activation)
    if loss is not None:
        raise ValueError(
            f"loss={_validation.brief(loss)} of a network with heads: each of them has its own, "
            "Head(..., loss=...)"
        )
    return output.total_loss


def layers_of(
    described: Sequence[CoreLayer],
    heads: Sequence[CoreHead],
    trainable: Sequence[bool],
    rate_factors: Sequence[float],
) -> tuple[tuple[Dense, ...], Loss | None]:
    """Return the layers that a core describes, and the loss of its heads if it has any."""
    layers = [Dense.of_description(layer) for layer in described]
    loss = None
    if heads:
        layers[-1] = output = Heads.of_core(list(heads))
        loss = output.total_loss
    settings = zip(layers, trainable, rate_factors, strict=True)
    return tuple(
        layer.having(trainable=learns, rate_factor=factor) for layer, learns, factor in settings
    ), loss


def new_core(
    features: int,
    layers: tuple[Dense, ...],
    loss: Loss,
    dtype: np.dtype[Any],
    seed: int,
    input_normalization: NormalizationLike | None,
) -> Core:
    """Return a compiled network with initial parameters; MemoryError if they do not fit."""
    widths = [features, *(layer.nodes for layer in layers)]
    size = sum(map(Dense.parameters, layers, widths))
    size += 2 * features if input_normalization is not None else 0
    needed = 2 * size * dtype.itemsize
    _memory.require(_PARAMETERS, needed)
    kind = _core.Network32 if dtype == np.float32 else _core.Network64
    described = [layer.described() for layer in layers]
    before = describe_normalization(input_normalization)
    try:
        about_loss = (str(loss), loss.parameter)
        core = kind(features, described, about_loss, seed, before, core_heads(loss))
    except MemoryError:
        raise _memory.error(_PARAMETERS, needed) from None
    core.trainable = [layer.trainable for layer in layers]
    core.rate_factors = [layer.rate_factor for layer in layers]
    return core


def refuse_not_finite(model: Model) -> None:
    """Raise if a number of the network is not finite, for formats that have no room for such."""
    core = model.core
    parts = {
        "parameters": (core.parameters,),
        "running averages": (core.statistics,),
        "scales or offsets": (*(model.input_scaling or ()), *(model.output_scaling or ())),
    }
    for name, arrays in parts.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(
                f"the network has {name} that are not finite; only save(allow_nonfinite=True) "
                "writes such networks"
            )


def refuse_frozen(core: Core) -> None:
    """Raise ValueError if every layer is frozen, so that training would change nothing."""
    if not any(core.trainable):
        raise ValueError("every layer is frozen: at least one must be trainable")


def refuse_while_fitting(core: Core, action: str) -> None:
    """Raise RuntimeError if another thread is inside ``fit`` of this network."""
    if core.busy:
        raise RuntimeError(f"cannot {action}: the network is being fitted by another thread")
