"""`Model`: layers, parameters and gradients, and how to look at them."""

import copy
import sys
from collections.abc import Iterator
from typing import Any, Self

from . import arrays, validation
from .dense import Matrix, Row
from .layers import Dense, build_layers
from .live import LiveLists
from .losses import choose_loss
from .random import initial_weights


class Model:
    """The state of a `Network`, which documents the arguments."""

    def __init__(
        self,
        layers: object,
        activation: str = "relu",
        output: str = "softmax",
        loss: str | None = None,
        seed: int | None = None,
        dtype: object = "float32",
    ) -> None:
        self._features, self._layers = build_layers(layers, activation, output)
        self._loss = choose_loss(loss, self._layers[-1].activation)
        self._dtype = validation.dtype(dtype)
        self._seed = validation.seed(seed)
        self._epoch = 0
        if 8 * self.n_parameters > sys.maxsize:
            raise MemoryError(f"the network would need {8 * self.n_parameters:,} bytes")
        self._weights: list[Matrix] = []
        self._biases: list[Row] = []
        first = 0  # the place of a layer's first weight among all parameters
        for layer, (K, N) in zip(self._layers, self._shapes(), strict=True):
            self._weights.append(
                initial_weights(self._seed, first, K, N, layer.activation, self._dtype)
            )
            self._biases.append([0.0] * N)
            first += K * N + N
        self._weight_gradients = [[[0.0] * N for _ in range(K)] for K, N in self._shapes()]
        self._bias_gradients = [[0.0] * N for _, N in self._shapes()]
        self._nodes: list[Matrix] = []
        self._z: Matrix = []  # of the last layer: what the losses are computed from
        self._deltas: list[Matrix] = []

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return self._features

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers after the features."""
        return self._layers

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self._loss

    @property
    def dtype(self) -> str:
        """The dtype asked for, "float32" or "float64": initial weights are rounded to it."""
        return self._dtype

    @property
    def seed(self) -> int:
        """The seed, given or drawn."""
        return self._seed

    @property
    def epoch(self) -> int:
        """Number of epochs ever trained: with the seed, the position of the sample order."""
        return self._epoch

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(K * N + N for K, N in self._shapes())

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
    def nodes(self) -> list[Matrix]:
        """The last `forward`: ``nodes[0]`` is its X, ``nodes[p]`` (B, N); empty before it."""
        return self._nodes

    @property
    def deltas(self) -> list[Matrix]:
        """dL/dz of the last `backward` (2.2), per sample, (B, N) each; empty before it."""
        return self._deltas

    @property
    def parameters(self) -> list[float]:
        """A copy of all parameters as one flat list: W0, b0, W1, b1, ... in C order; settable."""
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
        text = f"Network: {self._features} features, {self._loss}, pure Python"
        text += f", {self.n_parameters:,} parameters"
        for i, (layer, (K, N)) in enumerate(zip(self._layers, self._shapes(), strict=True)):
            text += f"\n  layer {i}: Dense {K} -> {N} {layer.activation}"
        return text

    def __copy__(self) -> Self:
        # Sharing lists between two networks is never meant.
        return copy.deepcopy(self)

    def _shapes(self) -> Iterator[tuple[int, int]]:
        """Give the shape (K, N) of each layer's weights."""
        K = self._features
        for layer in self._layers:
            yield K, layer.nodes
            K = layer.nodes

    def _parameter_rows(self) -> Iterator[Row]:
        """Give all parameters, row by row: the rows of W0, b0, the rows of W1, b1, ..."""
        for weights, biases in zip(self._weights, self._biases, strict=True):
            yield from weights
            yield biases

    def _gradient_rows(self) -> Iterator[Row]:
        """Give all gradients in the order of `_parameter_rows`."""
        for weights, biases in zip(self._weight_gradients, self._bias_gradients, strict=True):
            yield from weights
            yield biases

    def _spread(self, name: str, value: Any, rows: Iterator[Row]) -> None:
        """Copy a flat array-like into rows, in place."""
        values = iter(arrays.matching(name, value, (self.n_parameters,)))
        for row in rows:
            row[:] = [next(values) for _ in row]
