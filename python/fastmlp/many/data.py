"""X and y for all networks of `train_many`, and how the core reads features that one scales."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._raw import RawRows
from fastmlp.fitting.held_out import HeldOut, read_held_out
from fastmlp.fitting.options import FitOptions
from fastmlp.fitting.standardize import learn_from
from fastmlp.model.model import Model
from fastmlp.model.samples import CheckedSamples, read_samples


class Data:
    """X and y for all networks; those that read them in the same way share what was read."""

    def __init__(self, parameters: Sequence[NDArray[Any]], X: object, y: object) -> None:
        self._parameters = parameters
        self._X, self._y = X, y
        self._samples: dict[Any, CheckedSamples] = {}
        self._scaled: dict[Any, NDArray[Any]] = {}
        self._held_out: dict[Any, HeldOut | None] = {}
        self._learned: dict[Any, tuple[Any, ...]] = {}

    def samples(self, model: Model, sample_weight: object) -> CheckedSamples:
        """Return the samples for a model; features that it scales are not scaled yet."""
        kind = (*_kind(model), id(sample_weight))
        if kind not in self._samples:
            samples = read_samples(model, self._X, self._y, sample_weight)
            self._refuse_parameters(samples)
            self._samples[kind] = samples.apart_from(model.core.parameters)
        return self._samples[kind]

    def _refuse_parameters(self, samples: CheckedSamples) -> None:
        """Refuse samples that change while the networks train."""
        X = values_of(samples.X)
        for name, values in (("X", X), ("y", samples.y), ("sample_weight", samples.weight)):
            if values is None:
                continue
            if any(map(partial(np.may_share_memory, values), self._parameters)):
                raise ValueError(f"{name} must not share memory with the parameters of a network")

    def held_out(self, model: Model, options: FitOptions) -> HeldOut | None:
        """Return the samples of `validation_data`, if there is any."""
        if options.validation_data is None:
            return None
        kind = (*_kind(model), id(options.validation_data))
        if kind not in self._held_out:
            self._held_out[kind] = read_held_out(model, options.validation_data, options.metrics)
        return self._held_out[kind]

    def learn_scaling(self, model: Model, samples: CheckedSamples) -> None:
        """Learn how to scale all samples, as weighted: once for networks that learn the same."""
        kind = (*_kind(model), model.layers[-1].activation, id(samples.weight))
        if kind not in self._learned:
            learn_from(model, samples)
            both = _copied(model.input_scaling), _copied(model.output_scaling)
            self._learned[kind] = *both, samples.weight  # whose id is no other's while it is here
            return
        of_features, of_targets, _ = self._learned[kind]
        model.core.set_input_scaling(*of_features)
        if of_targets is not None:
            model.core.set_output_scaling(*of_targets)

    def features(
        self, model: Model, samples: CheckedSamples, *, alone: bool
    ) -> tuple[NDArray[Any] | None, bool]:
        """Return all features for the core, and whether they are scaled already.

        The core scales rows of its own type as it gathers them. Others are converted and scaled
        once for all networks that scale alike; for one that does so `alone` there are none: it
        copies those it trains on while it is trained.
        """
        values = values_of(samples.X)
        if model.input_scaling is None:
            return values, True
        if values.dtype == model.dtype and values.flags.c_contiguous and values.flags.aligned:
            return values, False
        if alone:
            return None, True
        kind = (_kind(model), id(samples.X))
        if kind not in self._scaled:
            self._scaled[kind] = scaled(model, samples.X)
        return self._scaled[kind], True


def _kind(model: Model) -> tuple[Any, ...]:
    """Return what decides how samples are read for a model."""
    return model.features, model.outputs, model.loss, model.loss.heads, scaling_of(model)


def scaling_of(model: Model) -> tuple[bytes, ...] | None:
    """Return how a model scales its features."""
    scaling = model.input_scaling
    return None if scaling is None else tuple(part.tobytes() for part in scaling)


def _copied(scaling: tuple[NDArray[Any], ...] | None) -> tuple[NDArray[Any], ...] | None:
    return None if scaling is None else tuple(part.copy() for part in scaling)


def values_of(X: Any) -> NDArray[Any]:
    """Return the array of features, which are to be converted if they are `RawRows`."""
    return X.values if isinstance(X, RawRows) else X


def scaled(model: Model, X: Any) -> NDArray[Any]:
    """Return features in the type of a model, scaled by it, which the core then does not do."""
    return RawRows(values_of(X), model.dtype, *(model.input_scaling or ())).read()
