"""What the trainer does around a step, twice: weights, schedules, callbacks, many networks.

Both libraries get the same calls. Rates agree to the bit; trajectories to roundings, with the bound
of ``test_against_reference.py``, whose growth is that of the reference after a small change of its
first parameters.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

LAMBDA = 5
LAYERS, ROWS, BATCH, EPOCHS = [4, 9, 3], 26, 8, 6
PER_EPOCH = -(-ROWS // BATCH)

SCHEDULES = {
    "step": ("StepDecay", (0.1, 0.5, 2)),
    "exponential": ("ExponentialDecay", (0.1, 0.7)),
    "cosine": ("CosineDecay", (0.1, 0.1)),
    "cosine of four epochs": ("CosineDecay", (0.1, 0.0, 4)),
    "one cycle": ("OneCycle", (0.1,)),
    "inverse": ("InverseScaling", (0.1, 0.75)),
    "plateau": ("Plateau", (0.3, 0.25, 0, 0.05, 0.01)),
    "plateau that cools down": ("Plateau", (0.3, 0.25, 0, 0.2, 0.01, "loss", "min", 1)),
}


def schedule(library, name):
    kind, settings = SCHEDULES[name]
    return getattr(library, kind)(*settings)


def samples(dtype="float64", outputs=3):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((ROWS, LAYERS[0])).astype(dtype).astype(float)
    return X, rng.integers(0, max(2, outputs), ROWS)


def flat(net, history):
    return np.concatenate([np.array(net.parameters, float), history.loss, history.validation_loss])


def agree(run, dtype):
    """Assert that ``run(library, dtype, disturbance)`` is the same thing in both libraries."""
    core, twin = run(fm, dtype, 0.0), run(reference, dtype, 0.0)
    growth = np.abs(run(reference, dtype, 1e-9) - twin).max() / 1e-9
    assert growth < 100
    roundings = 2 * EPOCHS * PER_EPOCH * (len(LAYERS) - 1) * (ROWS + 16)
    bound = LAMBDA * math.sqrt(roundings) * float(np.finfo(dtype).eps) / 2 * max(1.0, growth)
    assert np.abs(core - twin).max() <= bound * max(1.0, np.abs(twin).max())


def runner(optimizer, settings=None, targets=None, **network):
    """Return what trains a network: on samples, with the settings of ``fit``."""

    def run(library, dtype, disturbance):
        sizes = [*LAYERS[:-1], 1 if network.get("output") == "sigmoid" else LAYERS[-1]]
        net = library.Network(sizes, "tanh", seed=2, dtype=dtype, **network)
        rng = np.random.default_rng(8)
        first = np.array(net.parameters, float)
        net.parameters = (first + disturbance * rng.choice([-1, 1], first.size)).tolist()
        X, y = samples(dtype, sizes[-1])
        y = y if targets is None else targets(y)
        arguments = {} if settings is None else settings(y)
        held_out = {"validation_data": (X[:9], y[:9], np.arange(9.0))}
        history = net.fit(X, y, EPOCHS, BATCH, optimizer(library), **held_out, **arguments)
        return flat(net, history)

    return run


def by_rows(y):
    return np.eye(3)[y]


WEIGHTS = np.random.default_rng(6).uniform(0.1, 3.0, ROWS)
WEIGHTS[[3, 7]] = 0.0
WEIGHED = {
    "samples": {"sample_weight": WEIGHTS},
    "classes": {"class_weight": {0: 0.5, 2: 2}},
    "balanced": {"class_weight": "balanced"},
    "both": {"sample_weight": WEIGHTS, "class_weight": "balanced"},
}


@pytest.mark.parametrize("optimizer", [("SGD", 0.1), ("Adam", 0.01)], ids=lambda o: o[0])
@pytest.mark.parametrize("name", WEIGHED)
def test_weights(dtype, name, optimizer):
    kind, rate = optimizer
    run = runner(lambda library: getattr(library, kind)(rate), lambda _: WEIGHED[name])
    agree(run, dtype)
    without = runner(lambda library: getattr(library, kind)(rate))
    assert np.abs(run(reference, dtype, 0) - without(reference, dtype, 0)).max() > 1e-3


@pytest.mark.parametrize(
    ("network", "targets"),
    [
        ({"normalization": "batch"}, None),
        ({"normalization": "layer", "dropout": 0.3}, None),
        ({"output": "sigmoid"}, None),
        ({"output": "identity", "loss": "huber"}, by_rows),
        ({"output": "exp"}, by_rows),
        ({"loss": "cross_entropy"}, by_rows),
    ],
    ids=lambda argument: argument.__name__ if callable(argument) else str(argument),
)
def test_weights_with_all_else(dtype, network, targets):
    weights = {"sample_weight": WEIGHTS}
    agree(runner(lambda library: library.SGD(0.1), lambda _: weights, targets, **network), dtype)


def test_a_batch_without_weight_changes_nothing():
    for library in (fm, reference):
        net = library.Network(LAYERS, seed=1, dtype="float64")
        X, y = samples()
        before = np.array(net.parameters)
        net.fit(X, y, 1, BATCH, shuffle=False, sample_weight=np.arange(ROWS) >= BATCH)
        steps = library.Network(LAYERS, seed=1, dtype="float64")
        steps.fit(X[BATCH:], y[BATCH:], 1, BATCH, shuffle=False)
        assert np.array_equal(net.parameters, steps.parameters)
        assert not np.array_equal(net.parameters, before)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_weighted_evaluation_and_objective(output):
    X, y = samples(outputs=2)
    y = y if output == "softmax" else np.stack([y, 1 - y, y], axis=1).astype(float)
    results, gradients = [], []
    for library in (fm, reference):
        net = library.Network(LAYERS, "tanh", output, seed=2, dtype="float64")
        results.append(net.evaluate(X, y, sample_weight=WEIGHTS))
        loss, gradient = net.objective(X, y, sample_weight=WEIGHTS)(net.parameters)
        assert loss == pytest.approx(results[-1].loss, rel=1e-14)
        gradients.append(gradient)
    roundings = 4 * (ROWS + 16)
    np.testing.assert_allclose(*gradients, rtol=0, atol=roundings * 2.0**-53)
    assert results[0].loss == pytest.approx(results[1].loss, rel=roundings * 2.0**-53)
    if output == "identity":
        assert results[0].accuracy is results[1].accuracy is None
    else:
        assert results[0].accuracy == pytest.approx(results[1].accuracy, rel=4 * 2.0**-53)


class TestSchedules:
    @pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
    @pytest.mark.parametrize("name", SCHEDULES)
    def test_trajectories(self, dtype, name, optimizer):
        scale = {"SGD": 1.0, "Adam": 0.1}[optimizer]

        def make(library):
            rate = schedule(library, name)
            rate = replace(rate, learning_rate=scale * rate.learning_rate)
            return getattr(library, optimizer)(rate)

        agree(runner(make), dtype)

    @pytest.mark.parametrize("name", SCHEDULES)
    def test_the_history_tells_the_rates(self, name):
        rates = []
        for library in (fm, reference):
            net = library.Network(LAYERS, "tanh", seed=2, dtype="float64")
            history = net.fit(*samples(), EPOCHS, BATCH, library.SGD(schedule(library, name)))
            rates.append(history.learning_rate)
        assert len(set(rates[0])) > 1
        if name != "inverse":
            assert rates[0] == rates[1]

    def test_a_plateau_of_the_validation_needs_one(self):
        for library in (fm, reference):
            net = library.Network(LAYERS, seed=1)
            with pytest.raises(ValueError, match="validation_data"):
                net.fit(
                    *samples(),
                    optimizer=library.SGD(library.Plateau(0.1, monitor="validation_loss")),
                )
            assert net.epoch == 0


def squared_error(outputs, y, gradient):
    """A loss written for lists, which arrays are too."""
    losses = []
    for b, (row, wanted) in enumerate(zip(outputs, y, strict=True)):
        for n, (h, t) in enumerate(zip(row, wanted, strict=True)):
            gradient[b][n] = 2 * (h - t) / len(row)
        losses.append(sum((h - t) ** 2 for h, t in zip(row, wanted, strict=True)) / len(row))
    return losses


@pytest.mark.parametrize("output", ["identity", "softmax", "gelu"])
def test_a_loss_of_ones_own(dtype, output):
    run = runner(lambda lib: lib.SGD(0.1), None, by_rows, loss=squared_error, output=output)
    agree(run, dtype)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda h, y, g: 1.0, "unset"),
        (lambda h, y, g: [1.0], "one number per sample"),
    ],
)
def test_losses_that_both_refuse(loss, message):
    for library in (fm, reference):
        net = library.Network(LAYERS, "tanh", "identity", loss, seed=1)
        with pytest.raises(ValueError, match=message):
            net.fit(*samples())


def test_a_mean_is_a_loss():
    def mean_error(outputs, y, gradient):
        return sum(squared_error(outputs, y, gradient)) / len(y)

    losses = []
    for function in (mean_error, squared_error):
        net = reference.Network(LAYERS, "tanh", "identity", function, seed=1)
        losses.append(net.fit(samples()[0], by_rows(samples()[1]), 3, None).loss)
    assert losses[0] == pytest.approx(losses[1])


def test_callbacks_hear_the_same():
    calls = {}
    for library in (fm, reference):
        events = calls[library] = []

        class Listener(library.Callback):
            def on_fit_begin(self, network, events=events):
                events.append(("begin", network.epoch))

            def on_epoch_begin(self, network, epoch, events=events):
                events.append(("epoch", epoch))

            def on_batch_end(self, network, step, loss, events=events):
                events.append(("step", step, round(loss, 9)))
                return step == 6

            def on_epoch_end(self, network, report, events=events):
                events.append(("report", network.epoch, report.epoch, round(report.loss, 9)))

            def on_fit_end(self, network, history, events=events):
                events.append(("end", len(history.loss), history.best_epoch))

        net = library.Network(LAYERS, "tanh", seed=2, dtype="float64")
        net.fit(*samples(), EPOCHS, BATCH, callbacks=Listener(), sample_weight=WEIGHTS)
    assert calls[fm] == calls[reference]
    assert ("step", 6) in {event[:2] for event in calls[fm]}


def test_many_are_each_alone():
    X, y = samples()
    rows = [list(range(0, ROWS, 2)), list(range(1, ROWS, 2))]
    for library in (fm, reference):
        nets, alone = (
            [library.Network(LAYERS, "tanh", seed=s, dtype="float64") for s in (1, 2)]
            for _ in range(2)
        )
        rates = [library.SGD(0.1), library.Adam(0.01)]
        histories = library.train_many(
            nets, X, y, 3, BATCH, rates, rows=rows, sample_weight=WEIGHTS
        )
        for net, own, optimizer, part, history in zip(
            nets, alone, rates, rows, histories, strict=True
        ):
            wanted = own.fit(X[part], y[part], 3, BATCH, optimizer, sample_weight=WEIGHTS[part])
            assert history.loss == wanted.loss
            assert np.array_equal(net.parameters, own.parameters)


def test_many_with_one_that_diverges():
    X, y = [[1.0], [2.0]], [3.0, 4.0]
    for library in (fm, reference):
        make = lambda: [library.Network([1, 1], output="identity", seed=s) for s in (1, 2)]  # noqa: B023, E731
        rates = [library.SGD(0.01), library.SGD(1e30)]
        good, bad = library.train_many(make(), X, y, 20, 2, rates, on_divergence="return")
        assert len(good.loss) == 20
        assert isinstance(bad, library.DivergenceError)
        with pytest.raises(library.DivergenceError, match="diverged"):
            library.train_many(make(), X, y, 20, 2, rates)


def test_update_by_an_optimizer():
    X, y = samples()
    for library in (fm, reference):
        fitted, stepped = (library.Network(LAYERS, seed=1, dtype="float64") for _ in range(2))
        adam = library.Adam(0.01)
        fitted.fit(X, y, 2, ROWS, adam, shuffle=False)
        for _ in range(2):
            stepped.forward(X)
            stepped.backward(y)
            stepped.update(adam)
        assert np.array_equal(fitted.parameters, stepped.parameters)
        assert (fitted.steps, stepped.steps) == (2, 2)
        fitted.reset_optimizer()
        assert fitted.steps == 0
        with pytest.raises(ValueError, match="CosineDecay is spread over the epochs of a fit"):
            stepped.update(library.Adam(library.CosineDecay(0.1)))


def test_adam_and_adamw_go_on_from_each_other():
    nets = [lib.Network(LAYERS, "tanh", seed=1, dtype="float64") for lib in (fm, reference)]
    for net, lib in zip(nets, (fm, reference), strict=True):
        net.fit(*samples(), 1, BATCH, lib.Adam(0.01))
        net.fit(*samples(), 1, BATCH, lib.AdamW(0.01))
        assert net.steps == 2 * PER_EPOCH
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sample_weight": [1.0]}, ValueError, "sample_weight"),
        ({"sample_weight": -WEIGHTS}, ValueError, "at least 0"),
        ({"sample_weight": 0 * WEIGHTS}, ValueError, "0"),
        ({"class_weight": 3}, TypeError, "class_weight"),
        ({"class_weight": "balance"}, ValueError, "did you mean 'balanced'"),
        ({"class_weight": {7: 1.0}}, ValueError, "label 7"),
        ({"class_weight": {0: -1.0}}, ValueError, "class_weight"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "all 0"),
        ({"early_stopping": 3}, TypeError, "early_stopping"),
        ({"early_stopping": True}, ValueError, "early stopping monitors 'validation_loss'"),
        ({"validation_fraction": 0.1, "validation_data": ([], [])}, ValueError, "not both"),
        ({"metrics": "f1"}, ValueError, "validation"),
    ],
)
def test_both_refuse(arguments, error, message):
    for library in (fm, reference):
        net = library.Network(LAYERS, seed=1)
        with pytest.raises(error, match=message):
            net.fit(*samples(), **arguments)
        assert net.epoch == 0


def test_class_weights_need_classes():
    for library in (fm, reference):
        net = library.Network(LAYERS, output="identity", seed=1)
        with pytest.raises(ValueError, match="one class per sample"):
            net.fit(samples()[0], by_rows(samples()[1]), class_weight="balanced")
