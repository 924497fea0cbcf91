"""What ``verbose`` prints: nothing, a bar, or a line an epoch."""

import os
import sys

import pytest

import fastmlp as fm
from fastmlp.fitting.progress import Progress, _bar_format

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
    for word in ("loss", "validation loss", "validation accuracy"):
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
    values = "loss 0.2500, validation loss 0.5000, validation accuracy 87.5%"
    assert capfd.readouterr() == ("", f"epoch 2/10: {values}, 2,000 samples/s\n")


def test_only_what_there_is(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    report = REPORT._replace(validation_loss=None, validation_accuracy=None)
    Progress(10).on_epoch_end(None, report)
    assert capfd.readouterr().err == "epoch 2/10: loss 0.2500, 2,000 samples/s\n"


def test_metrics_before_the_accuracy(capfd):
    report = REPORT._replace(metrics={"validation_top_5_accuracy": 1})
    Progress(10, verbose=2).on_epoch_end(None, report)
    assert capfd.readouterr().err.endswith(
        "validation top 5 accuracy 1.0000, validation accuracy 87.5%, 2,000 samples/s\n"
    )


def test_the_learning_rate_once_it_changes(capfd):
    progress = Progress(10, verbose=2)
    for rate in (0.1, 0.1, 0.05, 0.1):
        progress.on_epoch_end(None, REPORT._replace(learning_rate=rate))
    lines = capfd.readouterr().err.splitlines()
    assert ["learning rate" in line for line in lines] == [False, False, True, False]
    assert ", learning rate 0.05, " in lines[2]


SHOWN = (
    "loss 0.2500",
    "loss 0.2500, validation loss 0.5000, validation accuracy 100.0%",
    "loss 1.23e+05, validation loss 1.23e+05, validation {r}2 0.9000",
)
REPORTS = (
    REPORT._replace(validation_loss=None, validation_accuracy=None),
    REPORT._replace(validation_accuracy=1.0),
    REPORT._replace(loss=123456.0, validation_loss=123456.0, validation_accuracy=None,
                    metrics={"validation_{r}2": 0.9}),
)  # fmt: skip


@pytest.mark.parametrize("epochs", [3, 100, 10_000])
@pytest.mark.parametrize("columns", [60, 80, 81, 110, 200])
@pytest.mark.parametrize("number", range(3))
def test_the_bar_has_ten_characters(number, columns, epochs):
    """At 80 columns also the losses and a metric, complete; in a wider terminal more."""
    std = pytest.importorskip("tqdm.std", reason="tqdm is not installed")
    report = REPORTS[number]._replace(epochs=epochs)
    line = std.tqdm.format_meter(
        epochs, epochs, 70.0, ncols=columns, bar_format=_bar_format(report, False, columns)
    )
    assert line.count("\u2588") >= 10
    assert len(line) <= columns
    assert columns == 60 or SHOWN[number] in line
    assert columns < 200 or all(word in line for word in (f"{epochs}/{epochs}", "01:10<", "/s"))


def test_lines_on_request(net, blobs, capfd):
    net.fit(*blobs, epochs=3, verbose=2)
    assert capfd.readouterr().err.count("\n") == 3


@pytest.mark.shares_cores
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
