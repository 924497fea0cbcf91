"""`Model`: layers, parameters and gradients, and access to them.

Over 400 lines, as the class has many small members.
"""

import copy
import math
import sys
from collections.abc import Iterator
from typing import Any, Self

from . import arrays, validation
from .chosen_loss import LossFunction
from .dense import Matrix, Row
from .heads import Head, Heads, LossOfHeads, loss_of
from .layers import Dense, build_layers, check_same_function
from .live import LiveLists
from .normalization import LayerKey, Statistics, read_input_normalization
from .optimizers import Memory, MovingAverage, approach
from .passes import Pass
from .random import initial_weights
from .scaling import Scaling, scaled_by
from .schedules import check_share


class Model:
    """The state of a `Network`, which documents the arguments."""

    def __init__(
        self,
        layers: object,
        activation: str = "relu",
        output: str = "softmax",
        loss: object = None,
        seed: int | None = None,
        dtype: object = "float32",
        normalization: str | None = None,
        dropout: float = 0.0,
        input_normalization: str | None = None,
        loss_weights: object = None,
    ) -> None:
        self._features, self._layers = build_layers(
            layers, activation, output, normalization, dropout
        )
        self._input_normalization = read_input_normalization(input_normalization)
        self._loss = loss_of(self._layers, loss)
        self._dtype = validation.dtype(dtype)
        self._seed = validation.seed(seed)
        self._epoch = 0
        self._memory = Memory()  # of the optimizer of the last fit
        self._average: MovingAverage | None = None  # of parameters, then running averages
        self._rate = math.nan  # of its last step
        self._position = 0  # samples of this epoch that were trained on
        if 8 * self.n_parameters > sys.maxsize:
            raise MemoryError(f"the network would need {8 * self.n_parameters:,} bytes")
        self._weights: list[Matrix] = []
        self._biases: list[Row] = []
        self._scales: dict[LayerKey, Row] = {}
        self._shifts: dict[LayerKey, Row] = {}
        self._statistics: dict[LayerKey, Statistics] = {}
        first = 0  # the index of a layer's first weight among all parameters
        for i, (layer, (K, N)) in enumerate(zip(self._layers, self._shapes(), strict=True)):
            self._weights.append(
                initial_weights(self._seed, first, K, N, layer.activation, self._dtype)
            )
            self._biases.append([0.0] * N)
            first += K * N + N
            for key, its, nodes in self._normalizations_of(i):
                self._scales[key], self._shifts[key] = [1.0] * nodes, [0.0] * nodes
                first += 2 * nodes
                if its == "batch":
                    self._statistics[key] = Statistics([0.0] * nodes, [1.0] * nodes)
        self._weight_gradients = [[[0.0] * N for _ in range(K)] for K, N in self._shapes()]
        self._bias_gradients = [[0.0] * N for _, N in self._shapes()]
        self._scale_gradients = {i: [0.0] * len(row) for i, row in self._scales.items()}
        self._shift_gradients = {i: [0.0] * len(row) for i, row in self._shifts.items()}
        self._input_scaling: Scaling | None = None
        self._output_scaling: Scaling | None = None
        self.loss_weights = loss_weights
        self.class_names: tuple[str, ...] | None = None
        self._pass = Pass()
        self._deltas: list[Matrix] = []

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self._features

    @property
    def input_scale(self) -> Row | None:
        """Scale of each feature, a live list; None if the features are not scaled."""
        return None if self._input_scaling is None else self._input_scaling.scale

    @input_scale.setter
    def input_scale(self, value: object) -> None:
        self._input_scaling = scaled_by("scale", value, self._input_scaling, self._features)

    @property
    def input_offset(self) -> Row | None:
        """Offset of each feature, a live list, or None."""
        return None if self._input_scaling is None else self._input_scaling.offset

    @input_offset.setter
    def input_offset(self, value: object) -> None:
        self._input_scaling = scaled_by("offset", value, self._input_scaling, self._features)

    @property
    def output_scale(self) -> Row | None:
        """Scale of each output, a live list; None if the outputs are not scaled."""
        return None if self._output_scaling is None else self._output_scaling.scale

    @output_scale.setter
    def output_scale(self, value: object) -> None:
        self._set_outputs("scale", value)

    @property
    def output_offset(self) -> Row | None:
        """Offset of each output, a live list, or None."""
        return None if self._output_scaling is None else self._output_scaling.offset

    @output_offset.setter
    def output_offset(self, value: object) -> None:
        self._set_outputs("offset", value)

    def _set_outputs(self, which: str, value: object) -> None:
        output = self._layers[-1]
        if value is not None and output.activation != "identity":
            raise ValueError(f"only outputs of identity can be scaled, not {output.activation!r}")
        scaling = scaled_by(which, value, self._output_scaling, output.nodes)
        if isinstance(output, Heads) and scaling is not None:
            pairs = zip(scaling.scale, scaling.offset, strict=True)
            for (name, head), part in zip(output.named, output.split(list(pairs)), strict=True):
                if head.activation != "identity" and part != [(1.0, 0.0)] * head.nodes:
                    raise ValueError(f"only outputs of identity can be scaled, not those of {name}")
        self._output_scaling = scaling

    @property
    def loss_weights(self) -> Row | None:
        """Weight of each output in the loss, a live list; None if all have the same."""
        return self._loss_weights

    @loss_weights.setter
    def loss_weights(self, value: object) -> None:
        if value is None:
            self._loss_weights: Row | None = None
            return
        if self.loss in {"cross_entropy", "custom", "heads"}:
            raise ValueError(
                f"loss_weights need a loss that is a mean over the outputs, not {self.loss!r}"
            )
        weights = arrays.matching("loss_weights", value, (self._layers[-1].nodes,))
        if not all(math.isfinite(w) and w >= 0.0 for w in weights) or not any(weights):
            raise ValueError("loss_weights must be finite and at least 0, not all 0")
        if max(weights) > math.sqrt(sys.float_info.max):
            raise ValueError("loss_weights are so large that losses would overflow")
        self._loss_weights = weights

    @property
    def input_normalization(self) -> str | None:
        """The normalization of the features before the first layer, or None."""
        return self._input_normalization

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers after the features."""
        return self._layers

    @property
    def trainable(self) -> "LayerSettings":
        """Whether training changes each layer, live: ``net.trainable[0] = False`` freezes one."""
        return LayerSettings(self, "trainable")

    @trainable.setter
    def trainable(self, value: Any) -> None:
        LayerSettings(self, "trainable")[:] = value

    @property
    def rate_factors(self) -> "LayerSettings":
        """Factors of the learning rate of each layer, live: ``net.rate_factors[0] = 0.1``."""
        return LayerSettings(self, "rate_factor")

    @rate_factors.setter
    def rate_factors(self, value: Any) -> None:
        LayerSettings(self, "rate_factor")[:] = value

    @property
    def loss(self) -> str:
        """Name of the loss, ``"custom"`` for a function."""
        return self._loss.name

    @property
    def heads(self) -> dict[str, Head]:
        """The heads by name, in the order of their outputs; empty if the last layer has none."""
        return self._loss.heads.heads if isinstance(self._loss, LossOfHeads) else {}

    @property
    def loss_function(self) -> LossFunction | None:
        """The custom loss, or None."""
        return self._loss.function

    @property
    def dtype(self) -> str:
        """The dtype to which initial weights are rounded."""
        return self._dtype

    @property
    def seed(self) -> int:
        """The seed, passed or drawn."""
        return self._seed

    @property
    def epoch(self) -> int:
        """Number of epochs ever trained; with the seed, it determines the order of samples."""
        return self._epoch

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases, scales and shifts."""
        weights_and_biases = sum(K * N + N for K, N in self._shapes())
        layers = range(len(self._layers))
        return weights_and_biases + sum(
            2 * nodes for i in layers for _, _, nodes in self._normalizations_of(i)
        )

    @property
    def weights(self) -> LiveLists[Matrix]:
        """Live lists, one (K, N) per layer: ``weights[i][j][k]`` of the equations (1.1)."""
        return LiveLists("weights", self._weights)

    @property
    def biases(self) -> LiveLists[Row]:
        """Live lists, one (N,) per layer."""
        return LiveLists("biases", self._biases)

    @property
    def weight_gradients(self) -> LiveLists[Matrix]:
        """Live lists (K, N) of dL/dw (2.7); zero before the first `backward`."""
        return LiveLists("weight_gradients", self._weight_gradients)

    @property
    def bias_gradients(self) -> LiveLists[Row]:
        """Live lists (N,) of dL/db (2.6); zero before the first `backward`."""
        return LiveLists("bias_gradients", self._bias_gradients)

    @property
    def scales(self) -> dict[LayerKey, Row]:
        """Live lists (N,) by layer, of the normalized layers; initially 1.

        ``scales["input"]`` (features,) is that of `input_normalization`, if there is one; the same
        in `shifts`, their gradients, `running_means` and `running_variances`.
        """
        return self._scales

    @property
    def shifts(self) -> dict[LayerKey, Row]:
        """Live lists (N,) by layer, of the normalized layers; initially 0."""
        return self._shifts

    @property
    def scale_gradients(self) -> dict[LayerKey, Row]:
        """Live lists (N,) of dL/dscale by layer; zero before the first `backward`."""
        return self._scale_gradients

    @property
    def shift_gradients(self) -> dict[LayerKey, Row]:
        """Live lists (N,) of dL/dshift by layer; zero before the first `backward`."""
        return self._shift_gradients

    @property
    def running_means(self) -> dict[LayerKey, Row]:
        """Live lists (N,) by layer, of the batch-normalized layers; initially 0."""
        return {i: running.means for i, running in self._statistics.items()}

    @property
    def running_variances(self) -> dict[LayerKey, Row]:
        """Live lists (N,) by layer, of the batch-normalized layers; initially 1."""
        return {i: running.variances for i, running in self._statistics.items()}

    @property
    def statistics(self) -> list[float]:
        """A copy of all running averages: means, variances, layer after layer; settable."""
        return [value for row in self._statistics_rows() for value in row]

    @statistics.setter
    def statistics(self, value: object) -> None:
        self._spread("statistics", value, self._statistics_rows())

    @property
    def nodes(self) -> list[Matrix]:
        """The last `forward`: ``nodes[0]`` is its X, ``nodes[p]`` (B, N); empty before it."""
        return self._pass.nodes

    @property
    def deltas(self) -> list[Matrix]:
        """dL/dz of the last `backward` (2.2), per sample, (B, N) each; empty before it."""
        return self._deltas

    @property
    def parameters(self) -> list[float]:
        """A copy of all parameters as one flat list: W0, b0, W1, b1, ... in C order; settable.

        Scales and shifts of a normalized layer follow its biases, and those of an
        `input_normalization` follow all parameters of layer 0.
        """
        return [value for row in self._parameter_rows() for value in row]

    @parameters.setter
    def parameters(self, value: object) -> None:
        self._spread("parameters", value, self._parameter_rows())

    @property
    def gradients(self) -> list[float]:
        """A copy of all gradients as one flat list, in the order of `parameters`; settable."""
        return [value for row in self._gradient_rows() for value in row]

    @gradients.setter
    def gradients(self, value: object) -> None:
        self._spread("gradients", value, self._gradient_rows())

    def __repr__(self) -> str:
        text = f"Network: {self._features} features, {self.loss}, pure Python"
        text += f", {self.n_parameters:,} parameters"
        if self._input_normalization is not None:
            text += f"\n  input: {self._features} {self._input_normalization} norm"
        for i, (layer, (K, N)) in enumerate(zip(self._layers, self._shapes(), strict=True)):
            text += f"\n  layer {i}: Dense {K} -> {N} {layer.activation}"
            text += f", {layer.normalization} norm" if layer.normalization else ""
            text += f", dropout {layer.dropout:g}" if layer.dropout else ""
        return text

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # networks must not share lists

    def copy(self) -> Self:
        """Return an independent copy of all that makes up the network."""
        return copy.copy(self)

    def averaged(self) -> Self:
        """Return a network with the moving average of the parameters that ``fit(ema=...)`` keeps.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self._average is None:
            raise ValueError("there is no moving average: fit(..., ema=0.999) keeps one")
        result = self.copy()
        values = iter(self._average.values)
        for rows in result._state_rows():  # noqa: SLF001  (its own kind)
            for row in rows:
                row[:] = [next(values) for _ in row]
        result._average, result._memory = None, Memory()  # noqa: SLF001
        return result

    def soft_update(self, source: Any, tau: float) -> None:
        """Move the parameters and running averages towards those of another network.

        They become ``(1 - tau) * own + tau * source``, in the form of `approach`.

        Parameters
        ----------
        source : Network
            A network of the same layers, loss and scaling; see `layers.check_same_function`.
        tau : float
            From 0, which changes nothing, to 1, which copies.

        Raises
        ------
        TypeError, ValueError
            If `source` is no such network, or `tau` is out of its range.
        """
        check_share("tau", tau)
        if not isinstance(source, Model):
            raise TypeError(f"source must be a Network, got {validation.brief(source)}")
        check_same_function(self, source)
        for rows, towards in zip(self._state_rows(), source._state_rows(), strict=True):  # noqa: SLF001
            for row, goal in zip(rows, towards, strict=True):
                row[:] = [approach(tau, u, g) for u, g in zip(row, goal, strict=True)]

    def _refuse_frozen(self) -> None:
        """Raise ValueError if training would change nothing."""
        if not any(layer.trainable for layer in self._layers):
            raise ValueError("every layer is frozen: at least one must be trainable")

    def _shapes(self) -> Iterator[tuple[int, int]]:
        """Yield the shape (K, N) of each layer's weights."""
        K = self._features
        for layer in self._layers:
            yield K, layer.nodes
            K = layer.nodes

    def _normalizations_of(self, i: int) -> Iterator[tuple[LayerKey, str, int]]:
        """Yield the key, the normalization and its nodes for each that belongs to layer i.

        That of the features belongs to the first layer, with which it is trained.
        """
        layer = self._layers[i]
        if layer.normalization is not None:
            yield i, layer.normalization, layer.nodes
        if i == 0 and self._input_normalization is not None:
            yield "input", self._input_normalization, self._features

    def _parameter_rows(self) -> Iterator[Row]:
        """Yield all parameters, row by row: the rows of W0, b0, the rows of W1, b1, ..."""
        for i in range(len(self._layers)):
            yield from self._parameter_rows_of(i)

    def _parameter_rows_of(self, i: int) -> Iterator[Row]:
        yield from self._weights[i]
        yield self._biases[i]
        for key, _, _ in self._normalizations_of(i):
            yield self._scales[key]
            yield self._shifts[key]

    def _gradient_rows(self) -> Iterator[Row]:
        """Yield all gradients in the order of `_parameter_rows`."""
        for i in range(len(self._layers)):
            yield from self._gradient_rows_of(i)

    def _gradient_rows_of(self, i: int) -> Iterator[Row]:
        yield from self._weight_gradients[i]
        yield self._bias_gradients[i]
        for key, _, _ in self._normalizations_of(i):
            yield self._scale_gradients[key]
            yield self._shift_gradients[key]

    def _statistics_rows(self) -> Iterator[Row]:
        for running in self._statistics.values():
            yield running.means
            yield running.variances

    def _state_rows(self) -> tuple[list[Row], list[Row]]:
        return list(self._parameter_rows()), list(self._statistics_rows())

    def _spread(self, name: str, value: Any, rows: Iterator[Row]) -> None:
        """Copy a flat array-like into rows, in place."""
        targets = list(rows)
        values = iter(arrays.matching(name, value, (sum(map(len, targets)),)))
        for row in targets:
            row[:] = [next(values) for _ in row]


class LayerSettings(list[Any]):
    """A setting of each layer; to assign one, or a slice to one value or several, changes it."""

    def __init__(self, model: Model, name: str) -> None:
        super().__init__(getattr(layer, name) for layer in model.layers)
        self._model, self._name = model, name

    def __setitem__(self, index: Any, value: Any) -> None:
        values, several = list(self), isinstance(index, slice)
        if several and not isinstance(value, list | tuple):
            value = [value] * len(values[index])
        values[index] = value
        layers = zip(self._model._layers, values, strict=True)  # noqa: SLF001  (its own setting)
        changed = tuple(layer.having(**{self._name: value}) for layer, value in layers)
        self._model._layers = changed  # noqa: SLF001
        super().__setitem__(slice(None), values)
