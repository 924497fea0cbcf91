"""The optimizers of the reference: the core's trajectories, and its errors."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

SETTINGS = {
    "sgd": ("SGD", {"learning_rate": 0.1, "l1": 0.001}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "l2": 0.01}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam, clipped": ("Adam", {"learning_rate": 0.01, "clip_value": 0.01, "l2": 0.1}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1, "decay_biases": False}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.003}),
    "rmsprop, momentum": ("RMSprop", {"learning_rate": 0.003, "momentum": 0.5}),
    "norm": ("SGD", {"learning_rate": 0.5, "clip_norm": 0.05}),
    "function": ("Adam", {"learning_rate": lambda step: 0.01 / (1 + step)}),
}
STEPS = 12


@pytest.fixture
def samples(rng):
    X = rng.standard_normal((24, 5))
    return X, np.arange(24) % 3


def trained(library, samples, name, fits=1, normalization=None):
    kind, settings = SETTINGS[name]
    net = library.Network(
        [5, 18, 3], activation="tanh", seed=2, dtype="float64", normalization=normalization
    )
    X, y = samples
    for _ in range(fits):
        net.fit(X.tolist(), y.tolist(), 4 // fits, 8, optimizer=getattr(library, kind)(**settings))
    return np.array(net.parameters)


@pytest.mark.parametrize("normalization", [None, "layer"])
@pytest.mark.parametrize("name", SETTINGS)
def test_core_follows_the_reference(samples, name, normalization):
    core = trained(fm, samples, name, normalization=normalization)
    twin = trained(reference, samples, name, normalization=normalization)
    # Chains of at most 24 terms over two layers, forward, back and into the step, STEPS times; a
    # mean square divides a rounding by itself, so that it grows to at most the step's own size.
    roundings = 2 * 2 * (24 + 8) * STEPS
    assert np.abs(core - twin).max() < roundings * np.finfo(float).eps * 10
    plain = trained(reference, samples, "sgd" if name != "sgd" else "adam")
    assert normalization or np.abs(core - plain).max() > 1e-4  # the settings matter


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "function"])
def test_two_fits_are_one(samples, name):
    once, twice = trained(reference, samples, name), trained(reference, samples, name, fits=2)
    assert np.array_equal(once, twice)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("SGD", {"learning_rate": float("nan")}),
        ("SGD", {"momentum": 1.5}),
        ("SGD", {"nesterov": True}),
        ("Adam", {"beta_1": 1.0}),
        ("AdamW", {"weight_decay": -1.0}),
        ("RMSprop", {"clip_norm": 0.0}),
    ],
)
def test_bad_settings_are_refused_by_both(kind, settings):
    for library in (fm, reference):
        with pytest.raises(ValueError, match=next(iter(settings))):
            getattr(library, kind)(**settings)
