"""`Training`: the epochs of a fit, with validation and callbacks."""

import math
import time
from typing import Any

from .callbacks import Callback
from .dense import Matrix, Row
from .derivatives import Derivatives
from .early_stopping import EarlyStopping
from .errors import DivergenceError
from .heads import LossOfHeads
from .held_out import HeldOut
from .history import Evaluation, HeadsEvaluation, History
from .losses import is_right
from .optimizers import MovingAverage
from .options import FitOptions
from .plateau import PlateauWatch
from .samples import CheckedSamples
from .scaling import trained_losses_in_units
from .sums import in_order, over_parts, weighted_mean


class Training(Derivatives):
    """A network that trains on checked samples."""

    def _train(
        self,
        samples: CheckedSamples,
        options: FitOptions,
        held_out: HeldOut | None,
        callbacks: tuple[Callback, ...],
        average: MovingAverage | None = None,
    ) -> History:
        watch = self._read_monitors(options, held_out, callbacks)
        history = History(len(samples.X), self._flops_per_sample())
        finite = self.parameters, self._epoch
        self._remember_for(options.optimizer)
        for callback in callbacks:
            callback.on_fit_begin(self)
        for epoch in range(options.epochs):
            for callback in callbacks:
                callback.on_epoch_begin(self, epoch + 1)
            start = time.perf_counter()
            loss, of_heads, stopped = self._train_epoch(
                samples, options, epoch, watch.factor, callbacks, average
            )
            seconds = time.perf_counter() - start
            self._epoch += 1
            self._position = 0  # single steps after the fit begin an epoch
            if not math.isfinite(loss):
                self.parameters, self._epoch = finite
                raise DivergenceError(epoch + 1, loss, self._rate)
            if all(math.isfinite(value) for value in self.parameters):
                finite = self.parameters, self._epoch
            evaluation, metrics = self._measure(held_out)
            report = history.add(
                loss, seconds, evaluation, options.epochs, self._rate, metrics, of_heads
            )
            watch.after_epoch(report)
            stopping = [callback for callback in callbacks if callback.on_epoch_end(self, report)]
            if stopped or stopping:
                early = not stopped and isinstance(stopping[0], EarlyStopping)
                history.stopped_by = "early_stopping" if early else "callback"
                break
        history.best_epoch = best_epoch(history, callbacks)
        for callback in callbacks:
            callback.on_fit_end(self, history)
        return history

    def _read_monitors(
        self, options: FitOptions, held_out: HeldOut | None, callbacks: tuple[Callback, ...]
    ) -> PlateauWatch:
        """Check that monitored values will be measured; return the state of the plateau."""
        heads = [(name, head.loss.name) for name, head in self.heads.items()]
        names = ["loss", *(f"{name}_loss" for name, _ in heads)]
        if held_out is not None:
            names += held_out.names(self.loss, heads)
        for callback in callbacks:
            if isinstance(callback, EarlyStopping):
                callback.check_monitor(names)
        return PlateauWatch(options.optimizer.learning_rate, names)

    def _train_epoch(
        self,
        samples: CheckedSamples,
        options: FitOptions,
        epoch: int,
        rate_factor: float,
        callbacks: tuple[Callback, ...],
        average: MovingAverage | None,
    ) -> tuple[float, dict[str, float], bool]:
        """Train one epoch; return its loss, those of the heads, and whether it is the last."""
        losses, weights = [], []
        results: list[object] = []
        of_heads: dict[str, list[float]] = {}
        self._position = 0
        step = epoch * options.steps_per_epoch
        for parts in options.batches(epoch, self._seed, self._epoch):
            self._rate = options.rate(step) * rate_factor  # first, as it may raise
            sums = self._gradients_of(samples, parts)
            results = []
            if sums is not None:  # otherwise it is not a step
                loss, weight, heads = sums
                losses.append(loss)
                weights.append(weight)
                for name, value in heads.items():
                    of_heads.setdefault(name, []).append(value)
                self._move_averages()
                self._update(options.optimizer, self._memory, self._rate)
                if average is not None:
                    average.step(self.parameters + self.statistics)
                mean = weighted_mean(losses[-1:], weights[-1:])
                results = [callback.on_batch_end(self, step, mean) for callback in callbacks]
            if any(results):  # after all calls
                break
            step += 1
        means = {name: weighted_mean(each, weights) for name, each in of_heads.items()}
        return weighted_mean(losses, weights), means, any(results)

    def _gradients_of(
        self, samples: CheckedSamples, parts: list[list[int]]
    ) -> tuple[float, float, dict[str, float]] | None:
        """Compute the gradients of a batch, whose parts are of one rank each.

        Returns the sums of the losses and of the weights, and those of the losses of heads; None if
        no sample counts.
        """
        batch = [i for part in parts for i in part]
        places = [b for b, i in enumerate(batch) if samples.weight[i] > 0.0]
        sizes = [sum(samples.weight[i] > 0.0 for i in part) for part in parts]
        if places:
            X, y, weight = samples.of_rows([batch[b] for b in places])
            self._forward(X, places, sizes, training=True)
            whole = over_parts(weight, sizes)
            losses = self._reported(y, weight, self._backward(y, weight, 1.0 / whole))
            of_heads = {
                f"{name}_loss": over_parts(
                    (w * loss for w, loss in zip(weight, row, strict=True)), sizes
                )
                for name, row in self._losses_of_heads(y).items()
            }
        self._position += len(batch)
        return (over_parts(losses, sizes), whole, of_heads) if places else None

    def _reported(self, y: list[Any], weight: Row, losses: Row) -> Row:
        """Return the losses of the last forward times the weights, in units of y if they have."""
        chosen, scaling, at = self._loss, self._output_scaling, self._pass
        if scaling is None or chosen.function:
            return losses
        if isinstance(chosen, LossOfHeads):
            in_units = chosen.total(chosen.in_units(at.z[-1], at.h[-1], y, scaling, trained=True))
        else:
            weights = self._loss_weights
            in_units = trained_losses_in_units(chosen, at.z[-1], at.h[-1], y, scaling, weights)
        return [w * loss for w, loss in zip(weight, in_units, strict=True)]

    def _losses_of_heads(self, y: Matrix) -> dict[str, Row]:
        """Return the loss of each sample of the last forward, for each head."""
        if not isinstance(self._loss, LossOfHeads):
            return {}
        z, h = self._pass.z[-1], self._pass.h[-1]
        return self._loss.in_units(z, h, y, self._output_scaling, trained=True)

    def _flops_per_sample(self) -> int:
        """Count the floating-point operations of training on one sample.

        For each layer (K, N) 2 K N forward, 2 K N for the gradient and 2 K N backward; the last for
        the first layer only if the features are normalized.
        """
        products = [K * N for K, N in self._shapes()]
        normalizes = self._input_normalization is not None
        return 6 * sum(products) - (0 if normalizes else 2 * products[0])

    def _measure(self, held_out: HeldOut | None) -> tuple[Evaluation | None, dict[str, float]]:
        if held_out is None:
            return None, {}
        outputs = self._propagate(held_out.samples.X).nodes[-1]
        evaluation = self._evaluate(held_out.samples)
        return evaluation, {**of_each_head(evaluation), **held_out.measure(outputs)}

    def _evaluate(self, samples: CheckedSamples) -> Evaluation:
        samples = samples.counting()
        at, weight = self._propagate(samples.X), samples.weight
        losses = self._losses_in_units(at, samples.y)
        if isinstance(self._loss, LossOfHeads):
            ends = at.z[-1], at.h[-1], samples.y
            each = self._loss.in_units(*ends, self._output_scaling, trained=False)
            are_right = self._loss.are_right(at.z[-1], samples.y)
            return HeadsEvaluation(
                evaluation_of(losses, [[]], weight).loss,
                {n: evaluation_of(each[n], are_right[n], weight) for n in each},
            )
        decisions = [
            is_right(self.loss, *sample) for sample in zip(at.z[-1], samples.y, strict=True)
        ]
        return evaluation_of(losses, decisions, weight)


def evaluation_of(losses: Row, decisions: list[list[bool]], weight: Row) -> Evaluation:
    """Return the mean loss, and the fraction of the decisions that are right, if there are any."""
    loss = weighted_mean([w * loss for w, loss in zip(weight, losses, strict=True)], weight)
    if not decisions[0]:
        return Evaluation(loss, None)
    right = in_order(w * sum(each) for w, each in zip(weight, decisions, strict=True))
    return Evaluation(loss, right / (in_order(weight) * len(decisions[0])))


def of_each_head(evaluation: Evaluation) -> dict[str, float]:
    """Return the measurements of each head on held-out samples, by their names in `History`."""
    measured = {}
    if isinstance(evaluation, HeadsEvaluation):
        for name, (loss, accuracy) in evaluation.heads.items():
            measured[f"validation_{name}_loss"] = loss
            if accuracy is not None:
                measured[f"validation_{name}_accuracy"] = accuracy
    return measured


def best_epoch(history: History, callbacks: tuple[Callback, ...]) -> int:
    """Return the best epoch of early stopping, else the one with the lowest loss."""
    for callback in callbacks:
        if isinstance(callback, EarlyStopping) and callback.best_epoch:
            return callback.best_epoch
    losses = history.validation_loss or history.loss
    return 1 + losses.index(min(losses))
