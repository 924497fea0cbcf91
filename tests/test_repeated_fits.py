"""Fits with the arguments of the fit before, which are not checked again, are as any other fit."""

import gc
import weakref

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.fitting.options import read_options


@pytest.fixture
def samples(rng):
    return rng.standard_normal((20, 3)), rng.integers(0, 2, 20)


def fitted(X, y, fits=3, **arguments):
    """Return a network after some fits with the same arguments."""
    net = fm.Network([3, 4, 2], seed=1)
    for _ in range(fits):
        net.fit(X, y, **arguments)
    return net


def forget(X, y):
    """Fit with other arguments, so that the next fit repeats none."""
    fm.Network([3, 2], seed=0).fit(X, y, epochs=7, batch_size=3)


SETTINGS = {
    "numbers": {"epochs": 2, "batch_size": 6, "n_threads": 1, "shuffle": False},
    "optimizer": {"optimizer": fm.Adam(fm.CosineDecay(0.01, epochs=5), clip_norm=1.0)},
    "name": {"optimizer": "rmsprop"},
    "fraction": {"validation_fraction": 0.3, "ema": 0.9},
    "stopping": {"validation_fraction": 0.3, "early_stopping": True},
    "L-BFGS": {"optimizer": fm.LBFGS(max_iterations=3, tolerance=1e-30)},
    "plateau": {"optimizer": fm.SGD(fm.Plateau(0.1, patience=1))},
}


@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
@pytest.mark.parametrize("arguments", SETTINGS.values(), ids=SETTINGS)
def test_repeated_fits_have_the_bits_of_other_fits(samples, arguments):
    expected = fm.Network([3, 4, 2], seed=1)
    for _ in range(3):
        forget(*samples)
        expected.fit(*samples, **arguments)
    net = fitted(*samples, **arguments)
    assert net.parameters.tobytes() == expected.parameters.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_samples_and_the_network_may_differ(samples, dtype):
    X, y = samples
    arguments = {"epochs": 1, "batch_size": None, "shuffle": False}

    def trained(rows, dtype):
        net = fm.Network([3, 4, 2], seed=1, dtype=dtype)
        net.fit(X[:rows], y[:rows], **arguments)
        return net.parameters

    expected = fm.Network([3, 4, 2], seed=1, dtype=dtype)
    expected.forward(X)
    expected.backward(y)
    expected.update(0.1)
    for _ in range(2):
        assert trained(20, dtype).tobytes() == expected.parameters.tobytes()
        for rows, other in ((20, "float32"), (20, "float64"), (5, dtype)):
            trained(rows, other)


def test_a_rate_that_a_dtype_cannot_hold_is_refused_after_one_that_can(samples):
    arguments = {"epochs": 1, "optimizer": fm.SGD(1e-300)}
    fm.Network([3, 2], dtype="float64").fit(*samples, **arguments)
    with pytest.raises(ValueError, match="learning_rate"):
        fm.Network([3, 2], dtype="float32").fit(*samples, **arguments)


def test_what_equals_an_argument_is_no_repetition(samples):
    net = fitted(*samples, epochs=1, shuffle=True)
    with pytest.raises(TypeError, match="epochs must be an integer"):
        net.fit(*samples, epochs=True, shuffle=True)
    with pytest.raises(TypeError, match="epochs must be an integer"):
        net.fit(*samples, epochs=1.0, shuffle=True)


def test_arguments_that_changed_in_place_are_read_again(samples):
    net = fm.Network([3, 2], seed=1)
    called, callbacks = [], []
    net.fit(*samples, epochs=1, callbacks=callbacks)
    callbacks.append(lambda _, report: called.append(report.epoch))
    net.fit(*samples, epochs=1, callbacks=callbacks)
    assert called == [1]
    epochs = np.array(1)
    net.fit(*samples, epochs=epochs)
    epochs += 2
    assert len(net.fit(*samples, epochs=epochs).loss) == 3


@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
@pytest.mark.parametrize(
    "optimizer", [fm.SGD(0.1), fm.LBFGS(max_iterations=3)], ids=["SGD", "L-BFGS"]
)
def test_a_network_that_was_frozen_since_is_refused(samples, optimizer):
    net = fitted(*samples, optimizer=optimizer)
    net.trainable = False
    with pytest.raises(ValueError, match="every layer is frozen"):
        net.fit(*samples, optimizer=optimizer)


def test_what_the_network_decides_is_checked_each_time(samples):
    net = fitted(*samples, epochs=3)
    net._model.core.epoch = 2**32 - 3  # as after that many
    with pytest.raises(ValueError, match="epochs must be at most 2, got 3"):
        net.fit(*samples, epochs=3)


def test_a_plateau_is_one_of_what_each_network_measures(samples):
    arguments = {"optimizer": fm.SGD(fm.Plateau(0.1, monitor="validation_accuracy"))}
    arguments |= {"epochs": 1, "validation_fraction": 0.3}
    fm.Network([3, 2]).fit(*samples, **arguments)
    X, y = samples
    with pytest.raises(ValueError, match="validation_accuracy"):
        fm.Network([3, 1], output="identity").fit(X, y.astype(float), **arguments)


def test_each_fit_stops_early_by_itself(samples):
    net = fm.Network([3, 4, 2], seed=1)
    arguments = {"epochs": 2, "batch_size": 6, "optimizer": fm.SGD(0.1), "shuffle": True}
    arguments |= {"validation_data": None, "verbose": 0, "n_threads": 1, "callbacks": None}
    arguments |= {"sample_weight": None, "class_weight": None, "validation_fraction": 0.3}
    arguments |= {"metrics": None, "early_stopping": True, "checkpoint": None, "ema": None}
    one, other = (read_options(net._model, **arguments) for _ in range(2))
    assert one.callbacks[0] is not other.callbacks[0]


def test_a_checkpoint_is_read_each_time(samples, tmp_path):
    path = str(tmp_path / "checkpoint.fastmlp")
    net = fm.Network([3, 4, 2], seed=1)
    for _ in range(2):
        net.fit(*samples, epochs=2, checkpoint=path)
        assert net.epoch == 2  # the second fit resumes the first, which had ended


def test_a_rate_that_is_a_function_is_not_kept(samples):
    class Rate:
        def __call__(self, step):
            return 0.1 / (step + 1)

    rate = Rate()
    kept = weakref.ref(rate)
    fm.Network([3, 2], seed=1).fit(*samples, optimizer=fm.SGD(rate))
    del rate
    gc.collect()
    assert kept() is None


def test_optimizers_of_users_are_read_again(samples):
    class Halved(fm.SGD):
        factor = 1.0

        def to_core(self, dtype):
            core = fm.SGD.to_core(self, dtype)
            core.learning_rate *= Halved.factor
            return core

    def trained(factors):
        net = fm.Network([3, 2], seed=1)
        optimizer = Halved(0.5)
        for Halved.factor in factors:
            net.fit(*samples, epochs=1, optimizer=optimizer)
        return net.parameters

    expected = fm.Network([3, 2], seed=1)
    for rate in (0.5, 0.25):
        expected.fit(*samples, epochs=1, optimizer=fm.SGD(rate))
    assert (trained([1.0, 0.5]) == expected.parameters).all()
