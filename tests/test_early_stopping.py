"""Early stopping: when it stops, what it restores, what it keeps."""

import copy
import json
import math

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference


@pytest.fixture
def net(dtype):
    return fm.Network([4, 9, 3], seed=2, dtype=dtype)


def bits(net):
    return net.parameters.tobytes()


def fitted(module, values, **options):
    """Return what early stopping makes of a course of losses: the stop, and the best epoch."""
    stopping = module.EarlyStopping("loss", restore_best=False, **options)
    for epoch, value in enumerate(values, start=1):
        if stopping.on_epoch_end(None, module.EpochReport(epoch, 99, value, None, None, 0.0, 1)):
            return epoch, stopping.best_epoch
    return None, stopping.best_epoch


@pytest.mark.parametrize("module", [fm, reference], ids=["compiled", "reference"])
@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([3, 2, 1, 1, 1], {"patience": 2}, (5, 3)),
        ([3, 2, 1, 1, 0.5], {"patience": 2}, (None, 5)),
        ([3, 4], {"patience": 1}, (2, 1)),
        ([3, 2.9, 2.8, 2.7], {"patience": 2, "min_delta": 0.25}, (3, 1)),
        ([3, 2.9, 2.8, 2.7], {"patience": 3, "min_delta": 0.25}, (None, 4)),
        ([1, 2, 3, 3, 3], {"patience": 2, "mode": "max"}, (5, 3)),
        ([math.nan, 5, math.nan, -math.inf], {"patience": 2}, (4, 2)),
        ([math.nan, math.nan], {"patience": 2}, (2, 0)),
        ([1, 3, 2, 2, 2], {"patience": 2, "start_from_epoch": 1}, (5, 3)),
        ([9, 9, 9, 9, 9], {"patience": 2, "start_from_epoch": 3}, (None, 4)),
        ([5, 4, 3, 2, 1], {"patience": 3, "baseline": 2.5}, (3, 3)),
        ([5, 4, 2, 2, 2], {"patience": 3, "baseline": 2.5}, (None, 3)),
    ],
)
def test_the_rule(module, values, options, expected):
    assert fitted(module, values, **options) == expected


@pytest.mark.parametrize("module", [fm, reference], ids=["compiled", "reference"])
def test_no_patience_is_too_long_for_a_checkpoint(module, net, blobs, tmp_path):
    with pytest.raises(ValueError, match=f"patience must be at most {2**63 - 1}, got {2**63}"):
        module.EarlyStopping(patience=2**63)
    if module is reference:
        return
    for epochs in (1, 3):
        longest = fm.EarlyStopping("loss", patience=2**63 - 1)
        history = net.fit(*blobs, epochs, early_stopping=longest, checkpoint=tmp_path / "c")
        assert len(history.loss) == epochs
        assert longest.best_epoch > 0


def test_a_fit_is_that_of_the_reference(blobs):
    """The split, the metrics, the stop and the restored weights."""
    X, y = blobs[0].astype(float), (blobs[1] + np.arange(90) // 45) % 3
    histories, nets = [], []
    for module in (fm, reference):
        net = module.Network([4, 5, 3], seed=2, dtype="float64")
        stopping = module.EarlyStopping("validation_f1", patience=4)
        histories.append(
            net.fit(
                X,
                y,
                30,
                validation_fraction=0.3,
                metrics=["f1", "auc"],
                early_stopping=stopping,
            )
        )
        nets.append((net, stopping))
    (net, stopping), (twin, its_stopping) = nets
    compiled, readable = histories
    assert compiled.validation_metrics.keys() == readable.validation_metrics.keys()
    # 30 epochs of roundings, each of a few eps.
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(getattr(compiled, name), getattr(readable, name), rtol=1e-9)
    np.testing.assert_allclose(
        compiled["validation_auc"], readable.validation_metrics["validation_auc"], rtol=1e-12
    )
    assert stopping.best_epoch == its_stopping.best_epoch == compiled.best_epoch
    assert len(compiled.loss) == len(readable.loss) < 30
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=1e-9)


def test_it_goes_back_to_the_best_weights(net, blobs):
    X, y = blobs
    seen = []
    stopping = fm.EarlyStopping(patience=3)
    history = net.fit(
        X,
        (y + np.arange(90) // 45) % 3,  # what cannot be learnt for the validation
        epochs=100,
        validation_data=(X, y),
        early_stopping=stopping,
        callbacks=lambda who, _: seen.append(bits(who)),
    )
    best = 1 + int(np.argmin(history.validation_loss))
    assert best < len(history.loss) == best + 3
    assert bits(net) == seen[best - 1] != seen[-1]
    assert (stopping.best_epoch, stopping.best) == (best, min(history.validation_loss))
    assert history.best_epoch == best
    assert net.evaluate(X, y).loss == stopping.best


def test_it_goes_back_where_the_epochs_ran_out(net, blobs):
    X, y = blobs
    seen = []
    history = net.fit(
        X,
        (y + np.arange(90) // 45) % 3,
        epochs=20,
        validation_data=(X, y),
        callbacks=[
            lambda who, _: seen.append(bits(who)),
            fm.EarlyStopping("validation_accuracy", patience=50),
        ],
    )
    assert bits(net) == seen[int(np.argmax(history.validation_accuracy))]


def test_after_an_exception_the_weights_are_the_last(net, blobs):
    seen = []

    def fail(who, report):
        seen.append(bits(who))
        if report.epoch == 4:
            raise KeyError("mine")

    worst = fm.EarlyStopping("loss", patience=9, mode="max")  # the best epoch is an early one
    with pytest.raises(KeyError, match="mine"):
        net.fit(*blobs, epochs=9, callbacks=[worst, fail])
    assert worst.best_epoch < 4
    assert bits(net) == seen[-1]


def test_the_last_weights_on_request(net, blobs):
    twin = copy.copy(net)
    stopping = fm.EarlyStopping("loss", patience=1, min_delta=100.0, restore_best=False)
    net.fit(*blobs, epochs=9, early_stopping=stopping)
    twin.fit(*blobs, epochs=2)
    assert bits(net) == bits(twin)


@pytest.mark.parametrize("module", [fm, reference], ids=["compiled", "reference"])
def test_what_the_optimizer_remembers_stays(module, blobs):
    """Weights go back; moments are those of the last epoch, until they are reset."""
    X, y = blobs[0].tolist(), blobs[1].tolist()
    stopping = module.EarlyStopping("loss", patience=1, min_delta=100.0)
    adam = module.Adam(0.01)
    stopped, best, last = (module.Network([4, 5, 3], seed=2) for _ in range(3))
    stopped.fit(X, y, 9, 32, adam, early_stopping=stopping)
    best.fit(X, y, 1, 32, adam)
    last.fit(X, y, 2, 32, adam)
    assert np.array_equal(stopped.parameters, best.parameters)
    assert (stopped.steps, stopped.epoch) == (last.steps, last.epoch) == (6, 2)
    if module is fm:
        for name, moment in stopped.optimizer_state.items():
            assert np.array_equal(moment, last.optimizer_state[name])
    stopped.reset_optimizer()
    assert stopped.steps == 0


def test_every_fit_begins_anew(net, blobs):
    stopping = fm.EarlyStopping("loss", patience=2, min_delta=100.0)
    lengths = [len(net.fit(*blobs, epochs=9, early_stopping=stopping).loss) for _ in range(2)]
    assert lengths == [3, 3]


def test_true_is_the_default(net, blobs):
    history = net.fit(*blobs, epochs=3, validation_fraction=0.2, early_stopping=True)
    assert history.best_epoch == 1 + int(np.argmin(history.validation_loss))
    assert len(net.fit(*blobs, epochs=3, early_stopping=False).loss) == 3


def test_its_state_goes_through_json(net, blobs):
    """Interrupted after an epoch and resumed, it stops and restores as without interruption."""
    X, y = blobs
    wrong = (y + np.arange(90) // 45) % 3
    options = {"validation_data": (X, y)}
    twin = copy.copy(net)
    whole = fm.EarlyStopping(patience=4)
    history = net.fit(X, wrong, 100, early_stopping=whole, **options)

    first, resumed = fm.EarlyStopping(patience=4), fm.EarlyStopping(patience=4)
    twin.fit(X, wrong, len(history.loss) - 2, callbacks=[first, Last()], **options)
    twin.parameters = Last.parameters
    values, arrays = first.state()
    resumed.set_state(json.loads(json.dumps(values)), arrays)
    rest = twin.fit(X, wrong, 100, early_stopping=resumed, **options)
    assert len(rest.loss) == 2
    assert bits(twin) == bits(net)
    assert resumed.best == whole.best


class Last(fm.Callback):
    """Keeps the weights of the last epoch from being lost to the best ones."""

    def on_epoch_end(self, network, report):
        Last.parameters = network.parameters.copy()


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"best": math.nan, "best_epoch": 1, "waited": 0}, ValueError),
        ({"best": "1", "best_epoch": 1, "waited": 0}, ValueError),
        ({"best": 1.0, "best_epoch": -1, "waited": 0}, ValueError),
        ({"best": 1.0, "best_epoch": 1, "waited": 0.5}, TypeError),
        ({"best": 1.0}, KeyError),
    ],
)
def test_a_wrong_state_is_refused(values, error):
    stopping = fm.EarlyStopping()
    with pytest.raises(error):
        stopping.set_state(values, {})
    assert stopping.state() == ({"best": None, "best_epoch": 0, "waited": 0}, {})


def gini(y, outputs):
    return float(outputs.max())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"early_stopping": True}, ValueError, "needs validation_data or validation_fraction"),
        ({"early_stopping": 3}, TypeError, "early_stopping must be an EarlyStopping"),
        (
            {"validation_fraction": 0.1, "early_stopping": fm.EarlyStopping("validation_los")},
            ValueError,
            "did you mean 'validation_loss'",
        ),
        (
            {"validation_fraction": 0.1, "callbacks": fm.EarlyStopping("validation_f1")},
            ValueError,
            "monitors 'validation_f1', which needs metrics='f1'$",
        ),
        (
            {"early_stopping": fm.EarlyStopping("val_top_2_accuracy")},
            ValueError,
            "needs metrics='top_2_accuracy', and validation_data or validation_fraction",
        ),
        (
            {"optimizer": fm.SGD(fm.Plateau(0.1, monitor="validation_auc"))},
            ValueError,
            "Plateau monitors 'validation_auc', which needs metrics='auc', and validation_data",
        ),
        (
            {"validation_fraction": 0.1, "callbacks": fm.EarlyStopping("validation_r2")},
            ValueError,
            "monitor must be 'loss', 'validation_loss' or 'validation_accuracy', got",
        ),
        (
            {
                "validation_fraction": 0.1,
                "metrics": gini,
                "early_stopping": fm.EarlyStopping("validation_gini"),
            },
            ValueError,
            "pass mode='max' or mode='min'",
        ),
    ],
)
def test_what_cannot_be_monitored(net, blobs, assert_unchanged, arguments, error, message):
    with assert_unchanged(net), pytest.raises(error, match=message):
        net.fit(*blobs, **arguments)


def test_a_metric_of_ones_own(net, blobs):
    stopping = fm.EarlyStopping("validation_gini", mode="max", patience=2)
    net.fit(*blobs, 5, validation_data=blobs, metrics=gini, early_stopping=stopping)
    assert stopping.best == max(stopping.best, 0)


def test_the_best_epoch_is_that_of_the_first_that_has_one(net, blobs):
    def unknown(y, outputs):
        return math.nan

    def same(y, outputs):
        return 0.5

    stoppings = [
        fm.EarlyStopping(f"validation_{f.__name__}", 9, mode="max") for f in (unknown, same)
    ]
    history = net.fit(
        *blobs, 4, validation_data=blobs, metrics=[unknown, same], callbacks=stoppings
    )
    assert [stopping.best_epoch for stopping in stoppings] == [0, 1]
    assert np.argmin(history.validation_loss) > 0
    assert history.best_epoch == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"patience": 1.5}, TypeError, "patience"),
        ({"min_delta": -1}, ValueError, "min_delta must be finite and at least 0"),
        ({"min_delta": math.nan}, ValueError, "min_delta"),
        ({"mode": "maximum"}, ValueError, "did you mean 'max'"),
        ({"monitor": 3}, TypeError, "monitor must be a string"),
        ({"restore_best": 2}, ValueError, "restore_best"),
    ],
)
def test_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.EarlyStopping(**arguments)


def test_repr():
    assert repr(fm.EarlyStopping("loss", 3, mode="min")) == (
        "EarlyStopping(monitor='loss', patience=3, min_delta=0, mode='min', restore_best=True)"
    )


@pytest.mark.parametrize("module", [fm, reference], ids=["compiled", "reference"])
def test_history_says_what_ended_a_fit(module, blobs):
    X, y = blobs[0].tolist(), blobs[1].tolist()

    class StopsAtAStep(module.Callback):
        def on_batch_end(self, network, step, loss):
            return step == 3

    stopping = module.EarlyStopping("loss", 1, min_delta=1e9)
    for options, expected in (
        ({}, "epochs"),
        ({"callbacks": lambda net, report: report.epoch == 2}, "callback"),
        ({"callbacks": StopsAtAStep()}, "callback"),
        ({"early_stopping": stopping}, "early_stopping"),
        ({"early_stopping": stopping, "callbacks": lambda net, report: True}, "callback"),
    ):
        history = module.Network([4, 3], seed=1).fit(X, y, 4, 16, **options)
        assert history.stopped_by == expected


def test_a_checkpoint_knows_what_ended_its_fit(blobs, tmp_path):
    for name, options in {
        "callback": {"callbacks": lambda net, report: report.epoch == 2},
        "early_stopping": {"early_stopping": fm.EarlyStopping("loss", 1, min_delta=1e9)},
    }.items():
        for _ in range(2):  # the second time there is nothing left to do
            net = fm.Network([4, 3], seed=1)
            history = net.fit(*blobs, 4, checkpoint=tmp_path / name, **options)
            assert (history.stopped_by, len(history.loss)) == (name, 2)
