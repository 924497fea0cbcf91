"""Callbacks and progress: what they are told, may do, and how they stop a fit."""

import copy
import sys

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.progress import Progress


@pytest.fixture
def net(dtype):
    return fm.Network([4, 9, 3], seed=2, dtype=dtype)


def bits(net):
    return net.parameters.tobytes()


def test_are_told_of_each_epoch(net, blobs):
    told = []
    history = net.fit(
        *blobs, epochs=3, validation_data=blobs, callbacks=lambda *given: told.append(given)
    )
    assert [who is net for who, _ in told] == [True] * 3
    assert [report.epoch for _, report in told] == [1, 2, 3]
    assert {(report.epochs, report.samples) for _, report in told} == {(3, 90)}
    assert [report.loss for _, report in told] == history.loss
    assert [report.validation_loss for _, report in told] == history.validation_loss
    assert [report.validation_accuracy for _, report in told] == history.validation_accuracy
    assert [report.seconds for _, report in told] == history.epoch_seconds


def test_without_validation_data_there_is_none(net, blobs):
    told = []
    net.fit(*blobs, epochs=1, callbacks=lambda _, report: told.append(report))
    assert told[0].validation_loss is None
    assert told[0].validation_accuracy is None


def test_change_no_bits(net, blobs):
    twin = copy.copy(net)
    net.fit(*blobs, epochs=3, callbacks=[lambda *_: None, lambda *_: 0])
    twin.fit(*blobs, epochs=3)
    assert bits(net) == bits(twin)


def test_a_true_result_stops_after_this_epoch(net, blobs):
    heard = []
    history = net.fit(
        *blobs,
        epochs=9,
        callbacks=[
            lambda _, report: report.epoch == 2,
            lambda _, report: heard.append(report.epoch),
        ],
    )
    assert len(history.loss) == net.epoch == 2
    assert heard == [1, 2]


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


class TestProgress:
    REPORT = fm.EpochReport(2, 10, 0.25, 0.5, 0.875, 0.5, 1000)

    def test_silent_by_default(self, net, blobs, capfd):
        net.fit(*blobs, epochs=2)
        net.fit(*blobs, epochs=2, verbose=0)
        assert capfd.readouterr() == ("", "")

    def test_a_bar_on_standard_error(self, net, blobs, capfd):
        pytest.importorskip("tqdm", reason="tqdm is not installed")
        net.fit(*blobs, epochs=3, verbose=1, validation_data=blobs)
        out, err = capfd.readouterr()
        assert out == ""
        assert "3/3" in err
        for word in ("loss", "validation loss", "accuracy", "samples/s"):
            assert word in err

    def test_the_bar_closes_after_an_error(self, net, blobs, capfd):
        pytest.importorskip("tqdm", reason="tqdm is not installed")
        with pytest.raises(ZeroDivisionError):
            net.fit(*blobs, epochs=3, verbose=True, callbacks=lambda *_: 1 / 0)
        assert capfd.readouterr().err.endswith("\n")

    def test_a_line_without_tqdm(self, capfd, monkeypatch):
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        progress = Progress(10)
        progress(None, self.REPORT)
        progress.close()
        assert capfd.readouterr() == (
            "",
            "epoch 2/10: loss 0.2500, validation loss 0.5000, accuracy 87.50%, 2,000 samples/s\n",
        )

    def test_only_what_there_is(self, capfd, monkeypatch):
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        Progress(10)(None, self.REPORT._replace(validation_loss=None, validation_accuracy=None))
        assert capfd.readouterr().err == "epoch 2/10: loss 0.2500, 2,000 samples/s\n"


def test_validation_of_an_unhappy_epoch_is_told(net, blobs):
    X, y = blobs
    history = net.fit(X, y, epochs=1, validation_data=(1e30 * X, y))
    assert not np.isnan(history.loss[0])
