"""What ``verbose`` prints: nothing, a bar, or a line an epoch."""

import os
import sys

import pytest

import fastmlp as fm
from fastmlp.fitting.progress import Progress

REPORT = fm.EpochReport(2, 10, 0.25, 0.5, 0.875, 0.5, 1000)


@pytest.fixture
def net():
    return fm.Network([4, 9, 3], seed=2)


def test_silent_by_default(net, blobs, capfd):
    net.fit(*blobs, epochs=2)
    net.fit(*blobs, epochs=2, verbose=0)
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_standard_error(net, blobs, capfd):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    net.fit(*blobs, epochs=3, verbose=1, validation_data=blobs)
    out, err = capfd.readouterr()
    assert out == ""
    assert "3/3" in err
    for word in ("loss", "validation loss", "accuracy", "samples/s"):
        assert word in err


def test_the_bar_closes_after_an_error(net, blobs, capfd):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    with pytest.raises(ZeroDivisionError):
        net.fit(*blobs, epochs=3, verbose=True, callbacks=lambda *_: 1 / 0)
    assert capfd.readouterr().err.endswith("\n")


def test_a_line_without_tqdm(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    progress = Progress(10)
    progress.on_epoch_end(None, REPORT)
    progress.close()
    assert capfd.readouterr() == (
        "",
        "epoch 2/10: loss 0.2500, validation loss 0.5000, accuracy 87.50%, 2,000 samples/s\n",
    )


def test_only_what_there_is(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    report = REPORT._replace(validation_loss=None, validation_accuracy=None)
    Progress(10).on_epoch_end(None, report)
    assert capfd.readouterr().err == "epoch 2/10: loss 0.2500, 2,000 samples/s\n"


def test_metrics_and_the_learning_rate(capfd):
    report = REPORT._replace(learning_rate=0.05, metrics={"validation_top_5_accuracy": 1})
    Progress(10, verbose=2).on_epoch_end(None, report)
    assert capfd.readouterr().err.endswith(
        "accuracy 87.50%, validation top 5 accuracy 1.0000, learning rate 0.05, 2,000 samples/s\n"
    )


def test_lines_on_request(net, blobs, capfd):
    net.fit(*blobs, epochs=3, verbose=2)
    assert capfd.readouterr().err.count("\n") == 3


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("stream", ["closed below", "closed", "none", "full"])
def test_a_fit_goes_on_where_nothing_can_be_shown(run_python, verbose, stream):
    """Closed by its number, as a daemon's; closed as a file; taken away; on a full disk."""
    close = {
        "closed below": "os.close(2)",
        "closed": "sys.stderr.close()",
        "none": "sys.stderr = None",
        "full": "sys.stderr = open('/dev/full', 'w')",
    }[stream]
    if stream == "full" and not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("there is no /dev/full")
    code = f"""
import os, sys
import fastmlp as fm
net = fm.Network([2, 3, 2], seed=1)
{close}
history = net.fit([[1, 2], [3, 4]], [0, 1], epochs=3, verbose={verbose})
print(len(history.loss), flush=True)
os._exit(0)
"""
    assert run_python(code).stdout.strip() == "3"
