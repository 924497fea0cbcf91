"""`Propagation`: the paper's three steps over a batch: forward, backward, update."""

from collections.abc import Sequence
from typing import Any

from . import arrays, dense, dropout, normalization, validation
from .activations import activate, pass_back
from .dense import Matrix, Row
from .model import Model
from .optimizers import SGD, Memory, Optimizer, descend, read_optimizer
from .passes import Pass
from .scaling import losses_in_units
from .sums import in_order, weighted_mean


class Propagation(Model):
    """A `Model` that computes outputs and gradients."""

    def forward(self, X: object, training: bool = True) -> Matrix:
        """Compute the nodes of every layer (1.2).

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples, at least one.
        training : bool, default True
            True computes what a step of `fit` does: batch normalisation uses the statistics of this
            batch and updates the running averages, unless B is 1, and dropout draws the masks of
            the next B samples of the epoch. False computes what `predict` does, and a following
            `backward` the gradients of that.

        Returns
        -------
        list of list of float, shape (B, N)
            The outputs, ``nodes[-1]``.

        Raises
        ------
        TypeError, ValueError
            If X does not match the network or is not finite.
        """
        rows = arrays.features("X", X, self._features)
        training = validation.switch("training", training)
        outputs = self._forward(rows, range(len(rows)), training=training)
        if training:
            self._move_averages()
            self._position += len(rows)
        return outputs

    def backward(self, y: object) -> float:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `Network.fit`.

        Returns
        -------
        float
            The mean loss of the batch.

        Raises
        ------
        TypeError, ValueError
            If y does not match the network or the batch.
        RuntimeError
            If there was no `forward`.
        """
        if not self._pass.nodes:
            raise RuntimeError("there is no batch: call forward before backward")
        rows, outputs = len(self._pass.nodes[0]), self._layers[-1].nodes
        weight = [1.0] * rows
        losses = self._backward(arrays.targets("y", y, rows, outputs, self.loss), weight)
        return weighted_mean(losses, weight)

    def update(self, learning_rate: float | Optimizer) -> None:
        """Take one step against the gradients (2.13), (2.14): ``w = w - learning_rate * gradient``.

        All gradients use the weights before the step.

        Parameters
        ----------
        learning_rate : float, Optimizer or str
            The step size eta, finite and above 0; or an optimizer whose learning rate is a number,
            or the name of one with its defaults.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these.
        """
        if not isinstance(learning_rate, Optimizer | str):
            rate = validation.positive("learning_rate", learning_rate)
            self._update(SGD(rate), Memory(), rate)
            return
        optimizer = read_optimizer(learning_rate)
        if not isinstance(optimizer.learning_rate, float):
            raise TypeError("update takes an optimizer whose learning_rate is a number")
        self._remember_for(optimizer)
        self._update(optimizer, self._memory, optimizer.learning_rate)

    @property
    def steps(self) -> int:
        """Number of steps since the optimizer's state was empty."""
        return self._memory.steps

    def reset_optimizer(self) -> None:
        """Discard the state of the last optimizer: the next ``fit`` starts with a new one."""
        self._memory = Memory()

    def _forward(self, X: Matrix, places: Sequence[int] = (), *, training: bool) -> Matrix:
        """Compute and keep the nodes; in training the rows have these positions in the batch."""
        self._pass = self._propagate(X, places, training=training)
        self._deltas = []
        return self._pass.nodes[-1]

    def _move_averages(self) -> None:
        """Update the running averages with the batch of the last forward pass in training.

        This is part of the update, so that a loss that raises does not change them.
        """
        for i, (means, variances) in self._pass.moments.items():
            momentum = self._layers[i].numbers.momentum
            self._statistics[i].update(means, variances, len(self._pass.nodes[0]), momentum)

    def _propagate(self, X: Matrix, places: Sequence[int] = (), *, training: bool = False) -> Pass:
        """Compute all layers; without `training` the network does not change."""
        scaling = self._input_scaling
        result = Pass(nodes=[X if scaling is None else scaling.apply(X)])
        for i, layer in enumerate(self._layers):
            W, b = self._weights[i], self._biases[i]
            z = [dense.forward(row, W, b) for row in result.nodes[-1]]  # (2.1)
            normalized = None
            if layer.normalization is not None and not layer.numbers.after_activation:
                normalized = self._normalize(i, z, result.moments, training=training)
                z = normalization.scale_and_shift(normalized.x, self._scales[i], self._shifts[i])
            h = out = [activate(layer.activation, row) for row in z]  # (1.1), (2.3)
            if layer.normalization is not None and layer.numbers.after_activation:
                normalized = self._normalize(i, h, result.moments, training=training)
                out = normalization.scale_and_shift(normalized.x, self._scales[i], self._shifts[i])
            factors = self._dropout_factors(i, places) if training and layer.dropout else None
            result.normalized.append(normalized)
            result.z.append(z)
            result.h.append(h)
            result.factors.append(factors)
            result.nodes.append(drop(out, factors))
        if self._output_scaling is not None:
            result.nodes[-1] = self._output_scaling.apply(result.nodes[-1])
        return result

    def _normalize(
        self, i: int, z: Matrix, moments: dict[int, tuple[Row, Row]], *, training: bool
    ) -> normalization.Normalized:
        epsilon = self._layers[i].numbers.epsilon
        if self._layers[i].normalization == "layer":
            return normalization.by_layer(z, epsilon)
        running = self._statistics[i]
        if not (training and self._layers[i].trainable):
            means, variances = running.means, running.variances
            return normalization.by_moments(z, means, variances, epsilon, constant=True)
        moments[i] = normalization.moments(z)
        return normalization.by_moments(z, *moments[i], epsilon, constant=False)

    def _dropout_factors(self, i: int, places: Sequence[int]) -> Matrix:
        layer, first = self._layers[i], self._position
        return [
            dropout.factors(layer.dropout, self._seed, i, self._epoch, first + b, layer.nodes)
            for b in places
        ]

    def _backward(self, y: list[Any], weight: Row) -> Row:
        """Compute deltas and gradients; return the loss of each sample, times its weight."""
        losses, deltas = self._backpropagate(self._pass, y, weight)
        whole = in_order(weight)
        inverse = 1.0 / whole if whole > 0.0 else 0.0
        self._deltas = [delta for delta, _ in deltas]
        for i, (delta, before) in enumerate(deltas):
            if not self._layers[i].trainable:
                for row in self._gradient_rows_of(i):
                    row[:] = [0.0] * len(row)
                continue
            weight_gradients, bias_gradients = dense.gradients(self._pass.nodes[i], delta, inverse)
            for row, new in zip(self._weight_gradients[i], weight_gradients, strict=True):
                row[:] = new  # in place: the lists are live
            self._bias_gradients[i][:] = bias_gradients
            normalized = self._pass.normalized[i]
            if normalized is not None:
                scales, shifts = normalization.gradients(before, normalized.x, inverse)
                self._scale_gradients[i][:] = scales
                self._shift_gradients[i][:] = shifts
        return losses

    def _backpropagate(
        self, at: Pass, y: list[Any], weight: Row
    ) -> tuple[Row, list[tuple[Matrix, Matrix]]]:
        """Return the loss of each sample, and for each layer dL/dz before normalisation and after.

        The two are equal without normalisation. All are multiplied by the weight of the sample.
        """
        losses, delta = self._output_delta(at, y)
        losses = [loss * w for loss, w in zip(losses, weight, strict=True)]
        delta = [[d * w for d in row] for row, w in zip(delta, weight, strict=True)]
        return losses, self._pass_back(at, delta)

    def _pass_back(self, at: Pass, delta: Matrix) -> list[tuple[Matrix, Matrix]]:
        """Propagate dL/dz of the last layer back through the others; see `_backpropagate`."""
        deltas = [(delta, delta)]
        for i in range(len(self._layers) - 2, -1, -1):
            d = [dense.backward(row, self._weights[i + 1]) for row in delta]
            layer, normalized = self._layers[i], at.normalized[i]
            after_activation = layer.numbers.after_activation
            if not after_activation:
                d = pass_rows_back(layer.activation, d, at.h[i], at.z[i])
            d = drop(d, at.factors[i])
            delta = d if normalized is None else normalized.back(d, self._scales[i])
            if after_activation:
                delta = pass_rows_back(layer.activation, delta, at.h[i], at.z[i])
            deltas.insert(0, (delta, d))
        return deltas

    def _output_delta(self, at: Pass, y: list[Any]) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8), and delta of the last layer (2.9)."""
        z, h, scaling = at.z[-1], at.h[-1], self._output_scaling
        if scaling is None:
            losses, delta = self._loss.of_batch(z, h, y)
        elif self._loss.function is None:
            losses, delta = self._loss.of_batch(z, h, scaling.inverse(y))
        else:  # it sees the outputs as they are
            losses, delta = self._loss.of_batch(z, at.nodes[-1], y)
            delta = scaling.times_scale(delta)
        if not self._loss.fused:
            delta = pass_rows_back(self._layers[-1].activation, delta, h, z)  # (2.2)
        return losses, delta

    def _losses_in_units(self, at: Pass, y: list[Any]) -> Row:
        """Return the loss of each sample between the outputs, scaled or not, and the targets."""
        if self._output_scaling is None or self._loss.function is not None:
            return self._loss.of_batch(at.z[-1], at.nodes[-1], y)[0]
        return losses_in_units(self._loss, at.nodes[-1], y, self._output_scaling.scale)

    def _remember_for(self, optimizer: Optimizer) -> None:
        """Keep the state of the last optimizer if it is of the same kind, else reset it."""
        if self._memory.kind != optimizer.kind:
            self._memory = Memory(optimizer.kind)

    def _update(self, optimizer: Optimizer, memory: Memory, rate: float) -> None:
        weights = {id(row) for matrix in self._weights for row in matrix}
        rows = []
        for i, layer in enumerate(self._layers):
            factor = layer.rate_factor if layer.trainable else None
            pairs = zip(self._parameter_rows_of(i), self._gradient_rows_of(i), strict=True)
            rows += [(w, g, id(w) in weights, factor) for w, g in pairs]
        descend(rows, optimizer, memory, rate)


def drop(rows: Matrix, factors: Matrix | None) -> Matrix:
    """Return the rows (B, N) times their factors of dropout, if any."""
    if factors is None:
        return rows
    return [dropout.apply(row, factor) for row, factor in zip(rows, factors, strict=True)]


def pass_rows_back(activation: str, d: Matrix, h: Matrix, z: Matrix) -> Matrix:
    """Compute delta = d h'(z) for each sample of a batch (2.2).

    Parameters
    ----------
    activation : str
        The activation of the layer.
    d, h, z : list of list of float, shape (B, N)
        dL/dh, the nodes of the layer, and the argument of its activation.

    Returns
    -------
    list of list of float, shape (B, N)
        dL/dz. For relu, delta where z > 0 and 0 elsewhere (2.12).
    """
    return [pass_back(activation, *rows) for rows in zip(d, h, z, strict=True)]
