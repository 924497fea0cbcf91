"""Callbacks: what they receive, may do, and how they stop a fit."""

import copy

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def net(dtype):
    return fm.Network([4, 9, 3], seed=2, dtype=dtype)


def bits(net):
    return net.parameters.tobytes()


def test_are_told_of_each_epoch(net, blobs):
    calls = []
    history = net.fit(
        *blobs, epochs=3, validation_data=blobs, callbacks=lambda *given: calls.append(given)
    )
    assert [who is net for who, _ in calls] == [True] * 3
    assert [report.epoch for _, report in calls] == [1, 2, 3]
    assert {(report.epochs, report.samples) for _, report in calls} == {(3, 90)}
    assert [report.loss for _, report in calls] == history.loss
    assert [report.validation_loss for _, report in calls] == history.validation_loss
    assert [report.validation_accuracy for _, report in calls] == history.validation_accuracy
    assert [report.seconds for _, report in calls] == history.epoch_seconds


def test_without_validation_data_there_is_none(net, blobs):
    calls = []
    net.fit(*blobs, epochs=1, callbacks=lambda _, report: calls.append(report))
    assert calls[0].validation_loss is None
    assert calls[0].validation_accuracy is None


def test_change_no_bits(net, blobs):
    twin = copy.copy(net)
    net.fit(*blobs, epochs=3, callbacks=[lambda *_: None, lambda *_: 0])
    twin.fit(*blobs, epochs=3)
    assert bits(net) == bits(twin)


def test_a_true_result_stops_after_this_epoch(net, blobs):
    epochs = []
    history = net.fit(
        *blobs,
        epochs=9,
        callbacks=[
            lambda _, report: report.epoch == 2,
            lambda _, report: epochs.append(report.epoch),
        ],
    )
    assert len(history.loss) == net.epoch == 2
    assert epochs == [1, 2]


@pytest.mark.parametrize("error", [KeyError("mine"), SystemExit(3), StopIteration(), MemoryError()])
def test_an_error_leaves_the_last_completed_step(net, blobs, error):
    twin = copy.copy(net)

    def fail(_, report):
        if report.epoch == 2:
            raise error

    with pytest.raises(type(error)) as info:
        net.fit(*blobs, epochs=5, callbacks=fail)
    assert info.value is error
    assert info.traceback[-1].name == "fail"
    twin.fit(*blobs, epochs=2)
    assert bits(net) == bits(twin)
    assert net.epoch == 2
    net.fit(*blobs, epochs=1)
    twin.fit(*blobs, epochs=1)
    assert bits(net) == bits(twin)


def test_predict_evaluate_and_copy_see_the_exact_weights(net, blobs):
    X, y = blobs
    seen = []

    def look(who, _):
        twin = copy.deepcopy(who)
        assert bits(twin) == bits(who)
        assert who.predict(X).tobytes() == twin.predict(X).tobytes()
        assert who.evaluate(X, y) == twin.evaluate(X, y)
        seen.append(bits(twin))

    net.fit(X, y, epochs=3, callbacks=look)
    twin = fm.Network([4, 9, 3], seed=2, dtype=net.dtype)
    for parameters in seen:
        twin.fit(X, y, epochs=1)
        assert bits(twin) == parameters


def test_writes_are_honoured(net, blobs):
    twin = copy.copy(net)

    def halve(who, report):
        if report.epoch == 1:
            who.weights[0] *= 0.5
            who.biases[1] = [1, 2, 3]
            who.parameters[5] = 0

    net.fit(*blobs, epochs=2, callbacks=halve)
    twin.fit(*blobs, epochs=1)
    halve(twin, fm.EpochReport(1, 2, 0, None, None, 0, 90))
    twin.fit(*blobs, epochs=1)
    assert bits(net) == bits(twin)


def test_writes_in_the_last_epoch_stay(net, blobs):
    def clear(who, _):
        who.parameters[:] = 0

    net.fit(*blobs, epochs=1, callbacks=clear)
    assert not net.parameters.any()


@pytest.mark.parametrize("method", ["fit", "forward", "update"])
def test_training_inside_training_is_refused(net, blobs, method):
    arguments = {"fit": blobs, "forward": blobs[:1], "update": (0.1,)}[method]
    twin = copy.copy(net)

    def inside(who, _):
        with pytest.raises(RuntimeError, match="being"):
            getattr(who, method)(*arguments)

    net.fit(*blobs, epochs=2, callbacks=inside)
    twin.fit(*blobs, epochs=2)
    assert bits(net) == bits(twin)


def test_may_drop_the_network(blobs):
    nets = [fm.Network([4, 9, 3], seed=2)]
    history = nets[0].fit(*blobs, epochs=2, callbacks=lambda *_: nets.clear())
    assert len(history.loss) == 2


class Recorder(fm.Callback):
    """Records its calls."""

    def __init__(self, stop_after=99):
        self.calls = []
        self.stop_after = stop_after

    def on_fit_begin(self, network):
        self.calls.append("begin")

    def on_epoch_begin(self, network, epoch):
        self.calls.append(("epoch begin", epoch))

    def on_epoch_end(self, network, report):
        self.calls.append(("epoch end", report.epoch))
        return report.epoch == self.stop_after

    def on_fit_end(self, network, history):
        self.calls.append(("end", len(history.loss)))


class TestMethods:
    def test_are_called_in_order(self, net, blobs):
        recorder = Recorder()
        net.fit(*blobs, epochs=2, callbacks=recorder)
        assert recorder.calls == [
            "begin",
            ("epoch begin", 1),
            ("epoch end", 1),
            ("epoch begin", 2),
            ("epoch end", 2),
            ("end", 2),
        ]

    def test_no_epoch_begins_after_a_stop(self, net, blobs):
        first, second = Recorder(stop_after=1), Recorder()
        net.fit(*blobs, epochs=3, callbacks=[first, second])
        assert first.calls == second.calls
        assert first.calls[-2:] == [("epoch end", 1), ("end", 1)]

    def test_the_base_class_does_nothing(self, net, blobs):
        twin = copy.copy(net)
        net.fit(*blobs, epochs=2, callbacks=fm.Callback())
        twin.fit(*blobs, epochs=2)
        assert bits(net) == bits(twin)

    def test_on_fit_end_is_told_what_fit_returns(self, net, blobs):
        class Keep(fm.Callback):
            def on_fit_end(self, network, history):
                self.history = history

        keep = Keep()
        assert net.fit(*blobs, epochs=2, callbacks=keep) is keep.history

    def test_an_epoch_can_be_prepared(self, net, blobs):
        class Clear(fm.Callback):
            def on_epoch_begin(self, network, epoch):
                network.parameters[:] = 0

        twin = copy.copy(net)
        net.fit(*blobs, epochs=2, callbacks=Clear())
        twin.fit(*blobs, epochs=1)
        twin.parameters[:] = 0
        twin.fit(*blobs, epochs=1)
        assert bits(net) == bits(twin)

    @pytest.mark.parametrize("method", ["on_fit_begin", "on_epoch_begin", "on_fit_end"])
    def test_an_error_is_its_own(self, net, blobs, method):
        error = KeyError("mine")

        def fail(*_):
            raise error

        recorder = Recorder()
        callback = type("Failing", (fm.Callback,), {method: fail})()
        with pytest.raises(KeyError) as info:
            net.fit(*blobs, epochs=2, callbacks=[callback, recorder])
        assert info.value is error
        twin = fm.Network([4, 9, 3], seed=2, dtype=net.dtype)
        if method == "on_fit_end":
            twin.fit(*blobs, epochs=2)
        assert bits(net) == bits(twin)
        assert all(calls[0] != "end" for calls in recorder.calls)

    def test_a_class_is_not_a_callback(self, net, blobs, assert_unchanged):
        with assert_unchanged(net), pytest.raises(TypeError, match=r"write Recorder\(\)"):
            net.fit(*blobs, callbacks=[Recorder])

    def test_a_checkpoint_is_an_argument_of_its_own(self, net, blobs, assert_unchanged, tmp_path):
        checkpoint = fm.Checkpoint(tmp_path / "run.ckpt")
        with assert_unchanged(net), pytest.raises(TypeError, match="checkpoint="):
            net.fit(*blobs, callbacks=[checkpoint])

    def test_nothing_is_told_of_bad_arguments(self, net, blobs, assert_unchanged):
        recorder = Recorder()
        with assert_unchanged(net), pytest.raises(ValueError, match="batch_size"):
            net.fit(*blobs, batch_size=0, callbacks=recorder)
        assert recorder.calls == []


class StopAtStep4(fm.Callback):
    def on_batch_end(self, network, step, loss):
        return step == 4


def test_the_epoch_of_a_stop_after_a_step_ends_and_no_other_begins(net, blobs):
    recorder = Recorder()
    history = net.fit(*blobs, epochs=9, batch_size=30, callbacks=[StopAtStep4(), recorder])
    assert recorder.calls[-4:] == [
        ("epoch end", 1),
        ("epoch begin", 2),
        ("epoch end", 2),
        ("end", 2),
    ]
    assert len(history.loss) == net.epoch == 2


def test_validation_of_an_unhappy_epoch_is_told(net, blobs):
    X, y = blobs
    history = net.fit(X, y, epochs=1, validation_data=(1e30 * X, y))
    assert not np.isnan(history.loss[0])


@pytest.mark.parametrize("method", ["on_epoch_end", "on_batch_end"])
def test_what_is_neither_true_nor_false(method):
    callback = type("Own", (fm.Callback,), {method: lambda *_: np.array([1, 2])})()
    net = fm.Network([1, 2], seed=1)
    with pytest.raises(TypeError, match=rf"callbacks must return True.* but {method} returned arr"):
        net.fit(np.zeros((4, 1)), np.zeros(4, int), 1, callbacks=callback)
