"""`Propagation`: the paper's three steps over a batch: forward, backward, update.

The file is over 400 lines because the docstrings of the three steps are those of `Network`.
"""

from collections.abc import Sequence
from typing import Any

from . import arrays, dense, dropout, normalization, validation
from .dense import Matrix, Row
from .heads import LossOfHeads
from .layers import Dense
from .losses import weigh
from .model import Model
from .normalization import LayerKey
from .optimizers import SGD, Memory, Optimizer, descend, read_optimizer
from .passes import Pass
from .plateau import Plateau
from .scaling import losses_in_units
from .schedules import Schedule, is_spread
from .sums import in_order, weighted_mean


class Propagation(Model):
    """A `Model` that computes outputs and gradients."""

    _batch: Matrix  # of the last `forward`, and how and where in the epoch it was
    _batch_training: bool
    _batch_position: int
    _updated = False  # since the last `backward`

    def forward(self, X: object, training: bool = True, n_threads: int | None = None) -> Matrix:
        """Compute the nodes of every layer (1.2).

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples, at least one.
        training : bool, default True
            True computes what a step of `fit` does: batch normalization uses the statistics of this
            batch and updates the running averages, unless B is 1, and dropout draws the masks of
            the next B samples of the epoch. False computes what `predict` does, and a following
            `backward` the gradients of that.

        n_threads : int, optional
            Accepted and ignored.

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
        validation.n_threads(n_threads)
        outputs = self._forward(rows, range(len(rows)), training=training)
        self._batch, self._batch_training = rows, training
        self._batch_position = self._position
        if training:
            self._move_averages()
            self._position += len(rows)
        return outputs

    def backward(
        self,
        y: object = None,
        *,
        sample_weight: object = None,
        gradient: object = None,
        n_threads: int | None = None,
    ) -> float | None:
        """Compute deltas and gradients for the batch of the last `forward` (2.8) to (2.12).

        Parameters
        ----------
        y : array-like, shape (B,) or (B, N)
            Targets as in `Network.fit`. The gradients are those of the mean loss.
        sample_weight : array-like, shape (B,), optional
            The weight of each sample, as in `fit`; rows of weight 0 are left out, but not of
            the running averages of batch normalization, which `forward` has moved.
        gradient : array-like, shape (B, N), optional
            Instead of y, the derivatives of any loss with respect to the outputs. The gradients of
            the parameters are sums over the rows and are not divided by B.
        n_threads : int, optional
            Accepted and ignored.

        Returns
        -------
        float or None
            The mean loss of the batch; None for a `gradient`.

        Raises
        ------
        TypeError, ValueError
            If y or `gradient` does not match the network or the batch, or not exactly one of them
            is passed.
        RuntimeError
            If there was no `forward`.
        """
        if not self._pass.nodes:
            raise RuntimeError("there is no batch: call forward before backward")
        validation.n_threads(n_threads)
        rows, outputs = len(self._batch), self._layers[-1].nodes
        if is_gradient(y, sample_weight, gradient, "backward"):
            outer = arrays.outer_gradient("gradient", gradient, rows, outputs)
            self._forward_again(range(rows))
            self._backward_from(outer)
            return None
        targets = self._layers[-1].targets("y", y, rows, self.loss)
        weight = [1.0] * rows
        if sample_weight is not None:
            weight = arrays.weights("sample_weight", sample_weight, rows)
        places = [b for b in range(rows) if weight[b] > 0.0]
        self._forward_again(places)
        weight = [weight[b] for b in places]
        return weighted_mean(self._backward([targets[b] for b in places], weight), weight)

    @property
    def feature_gradients(self) -> Matrix:
        """Derivatives (B, features) of each sample's loss by its features, after `backward`.

        Like `deltas` per sample and not divided by B. RuntimeError without a `backward`, and after
        an update, as the weights are then different.
        """
        if not self._deltas or self._updated:
            raise RuntimeError("feature_gradients needs a backward before it, and no update since")
        return self._to_features(self._pass, self._deltas[0])

    def train_on_batch(
        self,
        X: object,
        y: object,
        optimizer: Optimizer | str,
        *,
        sample_weight: object = None,
        gradient: object = None,
        n_threads: int | None = None,
    ) -> float | None:
        """Take one step on a batch: `forward`, `backward` and `update` in one call.

        Parameters
        ----------
        X : array-like, shape (B, features)
            A batch of samples.
        y : array-like, shape (B,) or (B, N), or None
            Targets as in `fit`; None with a `gradient`.
        optimizer : Optimizer or str
            How the gradients change the parameters, as in `update`.
        sample_weight, gradient, n_threads
            As in `backward`.

        Returns
        -------
        float or None
            The mean loss before the step; None for a `gradient`.

        Raises
        ------
        TypeError, ValueError
            If an argument does not match the network or another argument.
        """
        validation.n_threads(n_threads)
        read = read_optimizer(optimizer)
        rate = self._rate_of_step(read, "train_on_batch")
        self._refuse_frozen()
        rows = arrays.features("X", X, self._features)
        outputs = self._layers[-1].nodes
        result = None
        if is_gradient(y, sample_weight, gradient, "train_on_batch"):
            outer = arrays.outer_gradient("gradient", gradient, len(rows), outputs)
            self._forward(rows, range(len(rows)), training=True)
            self._backward_from(outer)
        else:
            targets = self._layers[-1].targets("y", y, len(rows), self.loss)
            weight = [1.0] * len(rows)
            if sample_weight is not None:
                weight = arrays.weights("sample_weight", sample_weight, len(rows))
            places = [b for b in range(len(rows)) if weight[b] > 0.0]
            self._forward([rows[b] for b in places], places, training=True)
            weight = [weight[b] for b in places]
            result = weighted_mean(self._backward([targets[b] for b in places], weight), weight)
        self._move_averages()
        self._position += len(rows)
        self._remember_for(read)
        self._update(read, self._memory, rate)
        return result

    def update(self, learning_rate: float | Optimizer | str, n_threads: int | None = None) -> None:
        """Take one step against the gradients (2.13), (2.14): ``w = w - learning_rate * gradient``.

        All gradients use the weights before the step.

        Parameters
        ----------
        learning_rate : float, Optimizer or str
            The step size eta, finite and above 0; or an optimizer, or the name of one with its
            defaults, which works as in a step of `fit`. A schedule counts a step as an epoch.
        n_threads : int, optional
            Accepted and ignored.

        Raises
        ------
        TypeError, ValueError
            If `learning_rate` is none of these, or every layer is frozen.
        """
        validation.n_threads(n_threads)
        self._refuse_frozen()
        if not isinstance(learning_rate, Optimizer | str):
            rate = validation.positive("learning_rate", learning_rate)
            self._update(SGD(rate), Memory(), rate)
            return
        optimizer = read_optimizer(learning_rate)
        rate = self._rate_of_step(optimizer, "update")
        self._remember_for(optimizer)
        self._update(optimizer, self._memory, rate)

    def _rate_of_step(self, optimizer: Optimizer, caller: str) -> float:
        """Return the learning rate of the next step outside `fit`, where a step is an epoch."""
        rate = optimizer.learning_rate
        step = self._memory.steps if self._memory.kind == optimizer.kind else 0
        if isinstance(rate, Plateau):
            raise TypeError(
                f"Plateau depends on the losses of epochs: use it with fit, not {caller}"
            )
        if isinstance(rate, Schedule):
            if is_spread(rate):
                raise ValueError(
                    f"{type(rate).__name__} is spread over the epochs of a fit, but {caller} takes "
                    "single steps: pass its length in steps as epochs"
                )
            return rate.rate_at(step, 1, 1)
        return rate(step) if callable(rate) else rate

    def _forward_again(self, places: Sequence[int]) -> None:
        """Go forward again with the rows that count, if those of the last forward were others."""
        if len(places) == len(self._pass.nodes[0]):
            return
        position, self._position = self._position, self._batch_position
        rows = [self._batch[b] for b in places]
        self._forward(rows, places, training=self._batch_training)
        self._position = position

    @property
    def steps(self) -> int:
        """Number of steps since the optimizer's state was empty."""
        return self._memory.steps

    def reset_optimizer(self) -> None:
        """Discard the state of the last optimizer: the next ``fit`` starts with a new one."""
        self._memory = Memory()

    def _forward(
        self,
        X: Matrix,
        places: Sequence[int] = (),
        parts: Sequence[int] = (),
        *,
        training: bool,
    ) -> Matrix:
        """Compute and keep the nodes; in training the rows have these positions in the batch.

        The rows are of several ranks if there are `parts`, the number of those of each.
        """
        self._pass = self._propagate(X, places, parts, training=training)
        self._deltas = []
        return self._pass.nodes[-1]

    def _move_averages(self) -> None:
        """Update the running averages with the batch of the last forward pass in training.

        This is part of the update, so that a loss that raises does not change them.
        """
        for key, (means, variances) in self._pass.moments.items():
            momentum = self._numbers_of(key).momentum
            self._statistics[key].update(means, variances, len(self._pass.nodes[0]), momentum)

    def _propagate(
        self,
        X: Matrix,
        places: Sequence[int] = (),
        parts: Sequence[int] = (),
        *,
        training: bool = False,
    ) -> Pass:
        """Compute all layers; without `training` the network does not change."""
        scaling = self._input_scaling
        result = Pass(
            nodes=[X if scaling is None else scaling.apply(X)], parts=[*parts] or [len(X)]
        )
        if self._input_normalization is not None:
            x = self._normalize("input", result.nodes[0], result, training=training)
            scales, shifts = self._scales["input"], self._shifts["input"]
            result.nodes[0] = normalization.scale_and_shift(x.x, scales, shifts)
            result.normalized_inputs = x
        for i, layer in enumerate(self._layers):
            W, b = self._weights[i], self._biases[i]
            z = [dense.forward(row, W, b) for row in result.nodes[-1]]  # (2.1)
            normalized = None
            if layer.normalization is not None and not layer.numbers.after_activation:
                normalized = self._normalize(i, z, result, training=training)
                z = normalization.scale_and_shift(normalized.x, self._scales[i], self._shifts[i])
            h = out = [layer.activate(row) for row in z]  # (1.1), (2.3)
            if layer.normalization is not None and layer.numbers.after_activation:
                normalized = self._normalize(i, h, result, training=training)
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

    def _numbers_of(self, key: LayerKey) -> normalization.Normalization:
        """Return the normalization of a layer or of the features, with its numbers."""
        if key == "input":
            return normalization.numbers_of(self._input_normalization)
        return self._layers[key].numbers

    def _normalize(
        self, key: LayerKey, z: Matrix, at: Pass, *, training: bool
    ) -> normalization.Normalized:
        numbers = self._numbers_of(key)
        epsilon = numbers.epsilon
        if numbers == "layer":
            return normalization.by_layer(z, epsilon)
        running = self._statistics[key]
        if not (training and self._layers[0 if key == "input" else key].trainable):
            means, variances = running.means, running.variances
            return normalization.by_moments(z, means, variances, epsilon, at.parts, constant=True)
        at.moments[key] = normalization.moments(z, at.parts)
        return normalization.by_moments(z, *at.moments[key], epsilon, at.parts, constant=False)

    def _dropout_factors(self, i: int, places: Sequence[int]) -> Matrix:
        layer, first = self._layers[i], self._position
        return [
            dropout.factors(layer.dropout, self._seed, i, self._epoch, first + b, layer.nodes)
            for b in places
        ]

    def _backward(self, y: list[Any], weight: Row, factor: float | None = None) -> Row:
        """Compute deltas and gradients; return the loss of each sample, times its weight.

        Gradients are sums times a factor, by default 1 over the sum of the weights.
        """
        losses, deltas = self._backpropagate(self._pass, y, weight)
        if factor is None:
            whole = in_order(weight)
            factor = 1.0 / whole if whole > 0.0 else 0.0
        self._store_gradients(deltas, factor)
        return losses

    def _backward_from(self, gradient: Matrix) -> None:
        """Compute deltas and gradients from dL/dh of the outputs, which `gradient` is."""
        at = self._pass
        if self._output_scaling is not None:
            gradient = self._output_scaling.times_scale(gradient)
        delta = pass_rows_back(self._layers[-1], gradient, at.h[-1], at.z[-1])  # (2.2)
        self._store_gradients(self._pass_back(at, delta), 1.0)

    def _store_gradients(self, deltas: list[tuple[Matrix, Matrix]], factor: float) -> None:
        """Keep the deltas, and write the sums over the batch times a factor (2.6), (2.7)."""
        self._deltas, self._updated = [delta for delta, _ in deltas], False
        parts = self._pass.parts
        for i, (delta, before) in enumerate(deltas):
            if not self._layers[i].trainable:
                for row in self._gradient_rows_of(i):
                    row[:] = [0.0] * len(row)
                continue
            weight_gradients, bias_gradients = dense.gradients(
                self._pass.nodes[i], delta, factor, parts
            )
            for row, new in zip(self._weight_gradients[i], weight_gradients, strict=True):
                row[:] = new  # in place: the lists are live
            self._bias_gradients[i][:] = bias_gradients
            normalized = self._pass.normalized[i]
            if normalized is not None:
                scales, shifts = normalization.gradients(before, normalized.x, factor, parts)
                self._scale_gradients[i][:] = scales
                self._shift_gradients[i][:] = shifts
        if self._pass.normalized_inputs is not None and self._layers[0].trainable:
            before, x = self._pass.input_deltas, self._pass.normalized_inputs.x
            scales, shifts = normalization.gradients(before, x, factor, parts)
            self._scale_gradients["input"][:] = scales
            self._shift_gradients["input"][:] = shifts

    def _backpropagate(
        self, at: Pass, y: list[Any], weight: Row
    ) -> tuple[Row, list[tuple[Matrix, Matrix]]]:
        """Return the loss of each sample, and for each layer dL/dz before normalization and after.

        The two are equal without normalization. All are multiplied by the weight of the sample.
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
                d = pass_rows_back(layer, d, at.h[i], at.z[i])
            d = drop(d, at.factors[i])
            delta = d if normalized is None else normalized.back(d, self._scales[i])
            if after_activation:
                delta = pass_rows_back(layer, delta, at.h[i], at.z[i])
            deltas.insert(0, (delta, d))
        if at.normalized_inputs is not None:
            at.input_deltas = [dense.backward(row, self._weights[0]) for row in delta]
        return deltas

    def _to_features(self, at: Pass, delta: Matrix) -> Matrix:
        """Pass dL/dz of the first layer, of `_pass_back`, back to the features."""
        if at.normalized_inputs is not None:
            by_features = at.normalized_inputs.back(at.input_deltas, self._scales["input"])
        else:
            by_features = [dense.backward(row, self._weights[0]) for row in delta]
        scaling = self._input_scaling
        return by_features if scaling is None else scaling.times_scale(by_features)

    def _output_delta(self, at: Pass, y: list[Any]) -> tuple[Row, Matrix]:
        """Return the loss of each sample (2.8), and delta of the last layer (2.9)."""
        z, h, scaling = at.z[-1], at.h[-1], self._output_scaling
        if self._loss.function is not None:
            losses, delta = self._custom_losses(at, y)
        elif scaling is None:
            losses, delta = self._losses(z, h, y)
        elif isinstance(self._loss, LossOfHeads):
            losses, delta = self._loss.of_batch(z, h, self._loss.scaled(scaling, y))
        else:
            losses, delta = self._losses(z, h, scaling.inverse(y))
        if not self._loss.fused:
            delta = pass_rows_back(self._layers[-1], delta, h, z)  # (2.2)
        if self._loss_weights is not None:
            delta = weigh(delta, self._loss_weights)
        return losses, delta

    def _custom_losses(self, at: Pass, y: list[Any]) -> tuple[Row, Matrix]:
        """Ask the custom loss of each rank about its samples; it sees the outputs as they are."""
        losses: Row = []
        delta: Matrix = []
        for size in at.parts:
            mine = slice(len(losses), len(losses) + size)
            if size > 0:
                own = self._loss.of_batch(at.z[-1][mine], at.nodes[-1][mine], y[mine])
                losses, delta = losses + own[0], delta + own[1]
        if self._output_scaling is not None:
            delta = self._output_scaling.times_scale(delta)
        return losses, delta

    def _losses(self, z: Matrix, h: Matrix, y: list[Any]) -> tuple[Row, Matrix]:
        """Return what ``of_batch`` of the loss returns, of losses with weights if there are any."""
        if isinstance(self._loss, LossOfHeads):
            return self._loss.of_batch(z, h, y)
        return self._loss.of_batch(z, h, y, self._loss_weights)

    def _losses_in_units(self, at: Pass, y: list[Any]) -> Row:
        """Return the loss of each sample between the outputs, scaled or not, and the targets."""
        loss, scaling = self._loss, self._output_scaling
        if isinstance(loss, LossOfHeads):
            return loss.total(loss.in_units(at.z[-1], at.h[-1], y, scaling, trained=False))
        if scaling is None or loss.function is not None:
            return self._losses(at.z[-1], at.nodes[-1], y)[0]
        return losses_in_units(loss, at.nodes[-1], y, scaling.scale, self._loss_weights)

    def _remember_for(self, optimizer: Optimizer) -> None:
        """Keep the state of the last optimizer if it is of the same kind, else reset it."""
        if self._memory.kind != optimizer.kind:
            self._memory = Memory(optimizer.kind)

    def _update(self, optimizer: Optimizer, memory: Memory, rate: float) -> None:
        self._updated = True
        weights = {id(row) for matrix in self._weights for row in matrix}
        rows = []
        for i, layer in enumerate(self._layers):
            factor = layer.rate_factor if layer.trainable else None
            pairs = zip(self._parameter_rows_of(i), self._gradient_rows_of(i), strict=True)
            rows += [(w, g, id(w) in weights, factor) for w, g in pairs]
        descend(rows, optimizer, memory, rate)


def is_gradient(y: object, sample_weight: object, gradient: object, caller: str) -> bool:
    """Whether a gradient takes the place of targets; exactly one of them must be given."""
    if (y is None) == (gradient is None):
        both = "both" if gradient is not None else "neither"
        raise TypeError(f"{caller} needs either y or gradient=, got {both}")
    if gradient is not None and sample_weight is not None:
        raise TypeError(
            "sample_weight weighs the losses of y; multiply the rows of gradient= by it instead"
        )
    return gradient is not None


def drop(rows: Matrix, factors: Matrix | None) -> Matrix:
    """Return the rows (B, N) times their factors of dropout, if any."""
    if factors is None:
        return rows
    return [dropout.apply(row, factor) for row, factor in zip(rows, factors, strict=True)]


def pass_rows_back(layer: Dense, d: Matrix, h: Matrix, z: Matrix) -> Matrix:
    """Compute delta = d h'(z) for each sample of a batch (2.2).

    Parameters
    ----------
    layer : Dense
        The layer.
    d, h, z : list of list of float, shape (B, N)
        dL/dh, the nodes of the layer, and the argument of its activation.

    Returns
    -------
    list of list of float, shape (B, N)
        dL/dz. For relu, delta where z > 0 and 0 elsewhere (2.12).
    """
    return [layer.pass_back(*rows) for rows in zip(d, h, z, strict=True)]
