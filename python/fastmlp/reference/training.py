"""`Training`: the epochs of a fit, with validation and callbacks."""

import math
import time

from .callbacks import Callback
from .derivatives import Derivatives
from .early_stopping import EarlyStopping
from .errors import DivergenceError
from .held_out import HeldOut
from .history import Evaluation, History
from .losses import is_right
from .optimizers import MovingAverage
from .options import FitOptions
from .plateau import PlateauWatch
from .samples import CheckedSamples
from .sums import in_order, weighted_mean


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
        finite = self.parameters
        self._remember_for(options.optimizer)
        for callback in callbacks:
            callback.on_fit_begin(self)
        for epoch in range(options.epochs):
            for callback in callbacks:
                callback.on_epoch_begin(self, epoch + 1)
            start = time.perf_counter()
            loss, stopped = self._train_epoch(
                samples, options, epoch, watch.factor, callbacks, average
            )
            seconds = time.perf_counter() - start
            self._epoch += 1
            if not math.isfinite(loss):
                self.parameters = finite
                raise DivergenceError(epoch + 1, loss, self._rate)
            if all(math.isfinite(value) for value in self.parameters):
                finite = self.parameters
            evaluation, metrics = self._measure(held_out)
            report = history.add(loss, seconds, evaluation, options.epochs, self._rate, metrics)
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
        names = ["loss", *(held_out.names(self.loss) if held_out is not None else ())]
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
    ) -> tuple[float, bool]:
        """Train one epoch; return the mean loss, and whether a callback stops."""
        losses, weights = [], []
        self._position = 0
        step = epoch * options.steps_per_epoch
        for batch in options.batches(epoch, self._seed, self._epoch):
            self._rate = options.rate(step) * rate_factor  # first, as it may raise
            places = [b for b, i in enumerate(batch) if samples.weight[i] > 0.0]
            results: list[object] = []
            if places:  # otherwise it is not a step
                X, y, weight = samples.of_rows([batch[b] for b in places])
                self._forward(X, places, training=True)
                told_losses = self._backward(y, weight)
                if self._output_scaling is not None and self._loss.function is None:
                    each = zip(weight, self._losses_in_units(self._pass, y), strict=True)
                    told_losses = [w * loss for w, loss in each]
                losses.append(in_order(told_losses))
                weights.append(in_order(weight))
                self._move_averages()
                self._update(options.optimizer, self._memory, self._rate)
                if average is not None:
                    average.step(self.parameters + self.statistics)
                loss = weighted_mean(losses[-1:], weights[-1:])
                results = [callback.on_batch_end(self, step, loss) for callback in callbacks]
            self._position += len(batch)
            if any(results):  # after all calls
                return weighted_mean(losses, weights), True
            step += 1
        return weighted_mean(losses, weights), False

    def _flops_per_sample(self) -> int:
        """Count the floating-point operations of training on one sample.

        For each layer (K, N) 2 K N forward, 2 K N for the gradient and 2 K N backward; the last for
        the first layer only if the features are normalised.
        """
        products = [K * N for K, N in self._shapes()]
        normalizes = self._input_normalization is not None
        return 6 * sum(products) - (0 if normalizes else 2 * products[0])

    def _measure(self, held_out: HeldOut | None) -> tuple[Evaluation | None, dict[str, float]]:
        if held_out is None:
            return None, {}
        outputs = self._propagate(held_out.samples.X).nodes[-1]
        return self._evaluate(held_out.samples), held_out.measure(outputs)

    def _evaluate(self, samples: CheckedSamples) -> Evaluation:
        samples = samples.counting()
        at, weight = self._propagate(samples.X), samples.weight
        losses = self._losses_in_units(at, samples.y)
        weighted = [w * loss for w, loss in zip(weight, losses, strict=True)]
        loss = weighted_mean(weighted, weight)
        decisions = [
            is_right(self.loss, *sample) for sample in zip(at.z[-1], samples.y, strict=True)
        ]
        if not decisions[0]:
            return Evaluation(loss, None)
        right = in_order(w * sum(each) for w, each in zip(weight, decisions, strict=True))
        return Evaluation(loss, right / (in_order(weight) * len(decisions[0])))


def best_epoch(history: History, callbacks: tuple[Callback, ...]) -> int:
    """Return the best epoch of early stopping, else the one with the lowest loss."""
    for callback in callbacks:
        if isinstance(callback, EarlyStopping) and callback.best_epoch:
            return callback.best_epoch
    losses = history.validation_loss or history.loss
    return 1 + losses.index(min(losses))
