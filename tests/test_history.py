"""The interface of a history: its series by name, a data frame, a plot."""

import copy
import dataclasses
import math
import pickle
import xml.dom.minidom

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def history(blobs):
    net = fm.Network([4, 9, 3], seed=2)
    return net.fit(*blobs, epochs=4, validation_data=blobs, metrics=["f1", "auc"])


def test_series_by_name(history):
    for name in ("loss", "validation_loss", "validation_accuracy", "epoch_seconds"):
        assert history[name] is getattr(history, name)
    assert history["validation_f1"] is history.validation_metrics["validation_f1"]
    assert history["learning_rate"] == [0.1] * 4


@pytest.mark.parametrize("name", ["validation_los", "validation_f2", "lossy"])
def test_an_unknown_name_is_told(history, name):
    with pytest.raises(KeyError, match="did you mean"):
        history[name]


def test_the_best_epoch(history, blobs):
    assert history.best_epoch == 1 + int(np.argmin(history.validation_loss))
    plain = fm.Network([4, 9, 3], seed=2).fit(*blobs, epochs=4)
    assert plain.best_epoch == 1 + int(np.argmin(plain.loss))


@pytest.mark.parametrize("duplicate", [copy.copy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_has_all_but_the_times(history, duplicate):
    again = duplicate(history)
    assert again == history
    assert again.metrics == history.metrics
    assert again.dtype == np.float32
    assert again.epoch_seconds == []
    assert math.isnan(again.seconds)
    assert math.isnan(again.gflops)
    assert repr(history).startswith(repr(again)[:-1] + ", seconds=")
    assert "samples/s" in history._repr_html_()
    assert "samples/s" not in again._repr_html_()
    with pytest.raises(KeyError, match="got 'epoch_seconds'"):
        again["epoch_seconds"]


def test_a_report_has_values_by_name():
    report = fm.EpochReport(2, 10, 0.25, 0.5, None, 0.5, 1000)
    assert math.isnan(report.learning_rate)
    assert report.value("validation_loss") == 0.5
    for name in ("validation_accuracy", "validation_f1"):
        with pytest.raises(KeyError, match=name):
            report.value(name)
    assert pickle.loads(pickle.dumps(report)).metrics == {}


def test_to_pandas(history):
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = history.to_pandas()
    assert list(frame.columns) == [
        "loss",
        "validation_loss",
        "validation_accuracy",
        "validation_f1",
        "validation_auc",
        "learning_rate",
        "epoch_seconds",
    ]
    assert frame.index.name == "epoch"
    assert frame.index.tolist() == [1, 2, 3, 4]
    assert frame["validation_f1"].tolist() == history["validation_f1"]


class TestPlot:
    @pytest.fixture(autouse=True)
    def pyplot(self):
        matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
        matplotlib.use("agg")
        plt = pytest.importorskip("matplotlib.pyplot")
        yield plt
        plt.close("all")

    def test_the_losses(self, history):
        ax = history.plot()
        drawn = {line.get_label(): line for line in ax.lines}
        assert list(drawn) == ["loss", "validation loss", "best epoch"]
        assert drawn["loss"].get_xdata().tolist() == [1, 2, 3, 4]
        assert drawn["validation loss"].get_ydata().tolist() == history.validation_loss
        assert drawn["best epoch"].get_xdata() == [history.best_epoch] * 2
        assert ax.get_yscale() == "log"
        assert ax.get_xlabel() == "epoch"
        assert ax.get_ylabel() == "loss"

    def test_what_is_named_where_it_is_wanted(self, history, pyplot):
        _, ax = pyplot.subplots()
        assert history.plot("validation_f1", "validation_auc", ax=ax) is ax
        assert len(ax.lines) == 3
        assert ax.get_yscale() == "linear"
        assert ax.get_ylabel() == "validation f1, validation auc"

    @pytest.mark.parametrize(
        "losses",
        [
            [0.9, 0.6, 0.55],
            [0.64, 0.63],
            [3.0, 0.4, 0.02],
            [5.0],
            [2e4, 1e-3, 1e-6],
            [0.0, 0.0],
            [math.inf, 1.0],
        ],
    )
    def test_the_ticks_are_plain_numbers(self, history, losses):
        numbers = {"loss": losses, "epoch_seconds": [1.0] * len(losses), "validation_loss": []}
        ax = dataclasses.replace(history, **numbers, best_epoch=1).plot()
        ax.figure.canvas.draw()
        shown = [
            tick.label1.get_text()
            for tick in ax.yaxis.get_major_ticks()
            if ax.get_ylim()[0] <= tick.get_loc() <= ax.get_ylim()[1]
        ]
        assert 2 <= len(shown) <= 12
        assert all("mathdefault" not in text for text in shown)
        assert all(tick.label1.get_text() == "" for tick in ax.yaxis.get_minor_ticks())
        assert all(float(x.get_text().replace("\u2212", "-")).is_integer()
                   for x in ax.get_xticklabels())  # fmt: skip

    def test_html_has_a_table_and_the_plot(self, history, pyplot):
        shown = history._repr_html_()
        assert shown.count("<svg") == shown.count("</svg>") == 1
        assert "<th>epoch 1" in shown
        assert "(best)" in shown
        assert f"<td>{history.validation_metrics['validation_f1'][-1]:.4g}</td>" in shown
        assert pyplot.get_fignums() == []
        xml.dom.minidom.parseString(shown.replace("xlink:", ""))

    def test_an_unknown_name_draws_nothing(self, history, pyplot):
        with pytest.raises(KeyError, match="validation_f1"):
            history.plot("validation_f2")
        assert pyplot.get_fignums() == []


@pytest.mark.shares_cores
@pytest.mark.once
@pytest.mark.parametrize(("method", "package"), [("to_pandas", "pandas"), ("plot", "matplotlib")])
def test_without_the_package_it_says_what_to_install(run_python, method, package):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import fastmlp as fm\n"
        "history = fm.Network([2, 1], output='identity').fit([[0, 1]], [1], epochs=1)\n"
        f"try: history.{method}()\n"
        "except ImportError as error: print(error)"
    )
    done = run_python(code)
    assert done.stdout.startswith(f"History.{method} needs {package}: pip install 'fastmlp[")


@pytest.mark.shares_cores
@pytest.mark.once
def test_html_without_matplotlib_has_no_plot(run_python):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import fastmlp as fm\n"
        "history = fm.Network([2, 1], output='identity').fit([[0, 1]], [1], epochs=1)\n"
        "print(history._repr_html_())"
    )
    shown = run_python(code).stdout
    assert "<table>" in shown
    assert "<svg" not in shown
