"""Creates a network with the same predictions from the steps of another library's model.

More than 400 lines: each kind of step has its rule, and all rules share one state.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.exchange.steps import (
    Activation,
    BatchNormalization,
    Dropout,
    HeadActivations,
    LayerNormalization,
    Linear,
    LogSoftmax,
    Scale,
    Step,
    Width,
)
from fastmlp.heads import Head, Heads
from fastmlp.layers import (
    ActivationLike,
    BatchNorm,
    Dense,
    LayerNorm,
    NormalizationLike,
    refuse_single_softmax,
)
from fastmlp.layers.activations import read_activation
from fastmlp.losses import LossLike
from fastmlp.model.model import Model
from fastmlp.model.scaling import set_scaling

_Normalization = BatchNormalization | LayerNormalization

_Factors = tuple[NDArray[Any], NDArray[Any]]
"""A scale and an offset, in float64; each (N,), or () for all nodes."""


@dataclass(slots=True)
class _Layer:
    """One layer of the new network, in float64 until it is complete."""

    weights: NDArray[Any]
    biases: NDArray[Any] | None
    normalization: _Normalization | None = None
    after_activation: bool = False
    activation: ActivationLike | Heads | None = None
    dropout: float = 0.0

    @property
    def nodes(self) -> int:
        return len(self.weights.T)

    @property
    def is_linear(self) -> bool:
        """Whether nothing follows z = x W + b so far."""
        return self.normalization is None and self.activation is None and self.dropout == 0.0

    @property
    def ends_with_normalization(self) -> bool:
        """Whether a normalization is the last so far."""
        comes_last = self.after_activation or self.activation is None
        return self.normalization is not None and comes_last and self.dropout == 0.0

    def scale_normalization(self, factor: NDArray[Any], offset: NDArray[Any]) -> None:
        step = self.normalization
        assert step is not None
        scale, shift = _wide(step.scale) * factor, _wide(step.shift) * factor + offset
        self.normalization = replace(step, scale=scale, shift=shift)

    def scale(self, factor: NDArray[Any], offset: NDArray[Any]) -> None:
        self.weights = self.weights * factor
        self.biases = offset if self.biases is None else self.biases * factor + offset

    def dense(self) -> Dense:
        if isinstance(self.activation, Heads):
            return self.activation
        normalization = _setting(self.normalization, self.after_activation)
        return Dense(self.nodes, self.activation or "identity", normalization, self.dropout)


class Assembly:
    """Adds one step after another; a step that a network cannot represent is refused.

    A normalization before or after the activation of a layer is kept, and one before the first
    layer. A scale, or a batch
    normalization elsewhere (in prediction mode), becomes the scaling of the features before the
    first layer, and that of the outputs at the end of a model without an activation there. Any
    other is folded into the weights of the layer before it if there is no activation in between,
    and otherwise of the layer after it. Folding computes in float64 and rounds once.
    """

    def __init__(self) -> None:
        self._layers: list[_Layer] = []
        self._dtype: np.dtype[Any] | None = None
        self._width: int | None = None  # of the current sample; None if not known yet
        self._scale: _Factors | None = None  # after the steps so far, still without a place
        self._input_scaling: _Factors | None = None
        self._input_normalization: _Normalization | None = None
        self.ended: str | None = None
        """Where the logarithm of softmax ends it."""

    def take(self, step: Step) -> None:
        """Add a step to the network.

        Raises
        ------
        ValueError
            If it does not match the previous steps, or a network cannot represent it; the message
            names it.
        """
        if self.ended is not None and not isinstance(step, Width):
            raise ValueError(f"{step.where}: nothing may follow the log-softmax of {self.ended}")
        match step:
            case Linear():
                self._linear(step)
            case Scale():
                self._rescale(step.factor, step.offset, step.where)
            case BatchNormalization() | LayerNormalization():
                self._normalization(step)
            case Activation():
                self._activation(step)
            case LogSoftmax():
                self._activation(Activation("softmax", step.where))
                self.ended = step.where
            case HeadActivations():
                self._heads(step)
            case Dropout():
                self._dropout(step)
            case Width():
                self._check_width(step.nodes, step.where)

    def network(self, output: str | None, loss: LossLike | None, seed: int | None) -> Model:
        """Return the network of all steps.

        Parameters
        ----------
        output : str, optional
            The activation of the last layer, if the model ends without one.
        loss, seed
            As in `Network`.

        Raises
        ------
        ValueError
            If there is no layer, a scale after the last activation, a softmax of one node, or a
            weight that is not finite.
        """
        if not self._layers:
            raise ValueError("the model has no dense layer")
        last = self._layers[-1]
        output_scaling = self._take_output_scaling(last, output)
        _end(last, output)
        dense = [layer.dense() for layer in self._layers]
        refuse_single_softmax(dense)
        before = _setting(self._input_normalization)
        features = len(self._layers[0].weights)
        net = Model.of_layers(features, dense, loss, seed, self._dtype, before)
        if self._input_normalization is not None:
            _fill_inputs(net, self._input_normalization)
        for i, layer in enumerate(self._layers):
            _fill(net, i, layer)
        if self._input_scaling is not None:
            _set_scaling(net, "input", self._input_scaling)
        if output_scaling is not None:
            _set_scaling(net, "output", output_scaling)
        if not (np.isfinite(net.core.parameters).all() and np.isfinite(net.core.statistics).all()):
            raise ValueError("the model has weights that are not finite")
        return net

    def head(self, where: str) -> tuple[Linear, Head]:
        """Return the steps as one head: its own columns of the last layer, and its activation.

        Raises
        ------
        ValueError
            If they are not one dense layer, or a scale comes first or last.
        """
        self._fold_back()
        others = (self._scale, self._input_scaling, self._input_normalization)
        if len(self._layers) != 1 or any(other is not None for other in others):
            raise ValueError(
                f"{where}: a head is one dense layer and its activation, after the layers that "
                "all outputs share"
            )
        last = self._layers[0]
        _end(last, None)
        assert not isinstance(last.activation, Heads)
        head = Head(last.nodes, last.activation or "identity")
        weights = last.weights.astype(self._dtype)
        biases = np.zeros(last.nodes) if last.biases is None else last.biases
        return Linear(weights, biases.astype(self._dtype), where), head

    def _take_output_scaling(self, last: _Layer, output: str | None) -> _Factors | None:
        """Return the scaling of the outputs, if the model ends with one."""
        if self._scale is None:
            return None
        heads = last.activation
        if isinstance(heads, Heads) and _scales_numbers_only(heads, self._scale):
            return self._scale
        if not last.is_linear:
            raise ValueError(
                "the model scales the result of its last activation, with which a network must end"
            )
        if output in (None, "identity") and (self._scale[0] >= 0.0).all():
            return self._scale
        self._fold_back()
        return None

    def _linear(self, step: Linear) -> None:
        weights, biases = step.weights, step.biases
        fits = biases is None or biases.shape == weights.shape[1:]
        if weights.ndim != 2 or not fits or 0 in weights.shape:
            raise ValueError(
                f"{step.where}: weights (K, N) and biases (N,) with K and N above 0 are needed, "
                f"got {weights.shape} and {None if biases is None else biases.shape}"
            )
        if self._layers and self._layers[-1].activation == "softmax":
            raise ValueError(f"{step.where}: follows a softmax, which is possible only at the end")
        self._check_dtype(weights.dtype, step.where)
        self._check_width(len(weights), step.where)
        self._fold_back()
        wide, start = _wide(weights), None if biases is None else _wide(biases)
        if self._scale is not None and not self._layers and self._input_normalization is None:
            self._input_scaling = self._scale
        elif self._scale is not None:
            factor, offset = (np.broadcast_to(part, len(weights)) for part in self._scale)
            start = offset @ wide + (0.0 if start is None else start)
            wide = factor[:, None] * wide
        self._scale = None
        self._layers.append(_Layer(wide, start))
        self._width = weights.shape[1]

    def _rescale(self, factor: NDArray[Any], offset: NDArray[Any], where: str) -> None:
        factor, offset = _wide(factor), _wide(offset)
        for part in (factor, offset):
            if part.ndim:
                self._check_width(part.size, where)
        last = self._layers[-1] if self._layers else None
        if self._scale is not None:
            before, start = self._scale
            self._scale = (before * factor, start * factor + offset)
        elif last is not None and last.is_linear and last.biases is None and (factor == 1.0).all():
            last.biases = np.broadcast_to(offset, last.nodes)
        else:
            self._scale = (factor, offset)

    def _fold_back(self) -> None:
        """Fold a scale into the layer or the normalization before it, if it is the last there."""
        if self._scale is None or not self._layers:
            return
        last, (factor, offset) = self._layers[-1], self._scale
        if last.is_linear:
            last.scale(factor, offset)
        elif last.ends_with_normalization:
            last.scale_normalization(factor, offset)
        else:
            return
        self._scale = None

    def _normalization(self, step: _Normalization) -> None:
        self._check_width(step.scale.size, step.where)
        self._fold_back()
        last = self._layers[-1] if self._layers else None
        fits = last is not None and self._scale is None and step.epsilon > 0.0
        if last is not None and fits and last.normalization is None and not last.dropout:
            last.normalization, last.after_activation = step, last.activation is not None
        elif last is None and self._input_normalization is None and step.epsilon > 0.0:
            self._input_scaling, self._scale = self._scale, None
            self._input_normalization = step
        elif isinstance(step, BatchNormalization):
            self._rescale(*step.affine(), step.where)
        elif step.epsilon <= 0.0:
            raise ValueError(f"{step.where}: its epsilon must be above 0, it is {step.epsilon:g}")
        else:
            raise ValueError(
                f"{step.where}: layer normalization must come first, or follow a dense layer or "
                "its activation, before dropout, one for each"
            )

    def _activation(self, step: Activation) -> None:
        if step.name == "identity":
            return
        self._fold_back()
        last = self._layers[-1] if self._layers else None
        if last is None or self._scale is not None or last.activation is not None:
            raise ValueError(f"{step.where}: an activation must follow a dense layer, one for each")
        if last.dropout and step.name not in ("relu", "leaky_relu", "identity"):
            raise ValueError(f"{step.where}: dropout must follow the activation {step.name!r}")
        last.activation = step.name

    def _heads(self, step: HeadActivations) -> None:
        self._check_width(step.layer.nodes, step.where)
        self._fold_back()
        last = self._layers[-1] if self._layers else None
        if last is None or self._scale is not None or last.activation is not None:
            raise ValueError(f"{step.where}: heads must follow a dense layer without an activation")
        last.activation = step.layer

    def _dropout(self, step: Dropout) -> None:
        if not 0.0 <= step.rate < 1.0:
            raise ValueError(f"{step.where}: a dropout rate is in [0, 1), got {step.rate}")
        if not step.rate:
            return
        self._fold_back()
        last = self._layers[-1] if self._layers else None
        if last is None or self._scale is not None or last.dropout:
            raise ValueError(f"{step.where}: dropout must follow a dense layer, one for each")
        last.dropout = step.rate

    def _check_width(self, nodes: int, where: str) -> None:
        if self._width is not None and nodes != self._width:
            raise ValueError(f"{where}: takes {nodes} nodes, but gets {self._width}")
        self._width = nodes

    def _check_dtype(self, dtype: np.dtype[Any], where: str) -> None:
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"{where}: weights must be float32 or float64, got {dtype}")
        if self._dtype not in (None, dtype):
            raise ValueError(f"{where}: weights are {dtype}, those before it {self._dtype}")
        self._dtype = dtype


def assemble(
    steps: Iterable[Step], *, output: str | None, loss: LossLike | None, seed: int | None
) -> Model:
    """Return a network that is equivalent to the steps; see `Assembly`."""
    assembly = Assembly()
    for step in steps:
        assembly.take(step)
    if assembly.ended is not None and output is None:
        warnings.warn(
            f"the model ends with the logarithm of softmax ({assembly.ended}); the network returns "
            "the probabilities themselves. output='softmax' says that this is meant.",
            UserWarning,
            stacklevel=4,
        )
    return assembly.network(output, loss, seed)


def assemble_heads(branches: Mapping[str, tuple[str, Iterable[Step]]]) -> Iterator[Step]:
    """Return the last layer of a network with heads as steps.

    `branches` has, by the name of the head, where it is, for messages, and its steps after the
    layers that all heads share.
    """
    made = {}
    for name, (where, steps) in branches.items():
        assembly = Assembly()
        for step in steps:
            assembly.take(step)
        made[name] = assembly.head(where)
    linear, heads = [each for each, _ in made.values()], {n: head for n, (_, head) in made.items()}
    where = ", ".join(each.where for each in linear)
    weights = np.concatenate([each.weights for each in linear], axis=1)
    yield Linear(weights, np.concatenate([each.biases for each in linear]), where)
    yield HeadActivations(Heads.of_named(heads), where)


def _scales_numbers_only(layer: Heads, scale: _Factors) -> bool:
    """Return whether a network can have this scaling of the outputs of its heads."""
    factor, offset = (np.broadcast_to(part, layer.nodes) for part in scale)
    numbers = np.concatenate(
        [np.full(head.nodes, head.activation == "identity") for head in layer.heads.values()]
    )
    left = (factor == 1.0) & (offset == 0.0)
    return bool((factor >= 0.0).all() and (numbers | left).all())


def _end(last: _Layer, output: str | None) -> None:
    """Make the last layer one that a network can end with."""
    if output is not None:
        if isinstance(last.activation, Heads):
            raise ValueError(f"output={brief(output)}, but each head has its own activation")
        if last.activation not in (None, output):
            raise ValueError(
                f"output={brief(output)} is for models that end without an activation, "
                f"this one ends with {last.activation!r}"
            )
        last.activation = read_activation("output", output)
    if last.after_activation:
        raise ValueError("a network ends with an activation, not with a normalization after it")
    if isinstance(last.normalization, LayerNormalization) or last.dropout:
        raise ValueError("the last layer of a network has no layer normalization and no dropout")
    if last.normalization is not None:
        last.scale(*last.normalization.affine())
        last.normalization = None


def _setting(step: _Normalization | None, after: bool = False) -> NormalizationLike | None:
    """Return the normalization of a step, as a network has it."""
    if step is None:
        return None
    if isinstance(step, LayerNormalization):
        return LayerNorm(step.epsilon, after_activation=after)
    return BatchNorm(step.epsilon, step.momentum, after_activation=after)


def _fill_inputs(net: Model, step: _Normalization) -> None:
    net.core.input_scales()[...] = step.scale
    net.core.input_shifts()[...] = step.shift
    if isinstance(step, BatchNormalization):
        net.core.input_running_means()[...] = step.mean
        net.core.input_running_variances()[...] = step.variance


def _fill(net: Model, i: int, layer: _Layer) -> None:
    net.core.weights(i)[...] = layer.weights
    net.core.biases(i)[...] = 0.0 if layer.biases is None else layer.biases
    if layer.normalization is not None:
        net.core.scales(i)[...] = layer.normalization.scale
        net.core.shifts(i)[...] = layer.normalization.shift
    if isinstance(layer.normalization, BatchNormalization):
        net.core.running_means(i)[...] = layer.normalization.mean
        net.core.running_variances(i)[...] = layer.normalization.variance


def _set_scaling(net: Model, of: str, factors: _Factors) -> None:
    """Set a scaling, rounded once.

    The offset of features belongs to the rounded scale, as in `adapt`: it keeps a large mean.
    """
    scale, offset = factors
    with np.errstate(all="ignore"):  # what is not finite is refused
        rounded = scale.astype(net.dtype).astype(np.float64)
        if of == "input":
            offset = np.where(rounded == scale, offset, offset * (rounded / scale))
        lost = np.abs(offset.astype(net.dtype) - offset) > 1.0
    set_scaling(net, f"{of}_scale", scale)
    set_scaling(net, f"{of}_offset", offset)
    if of == "input" and lost.any():
        raise ValueError(
            f"the model's features vary too little around their mean to be scaled in {net.dtype}"
        )


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array, dtype=np.float64)
