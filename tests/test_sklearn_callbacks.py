"""scikit-learn's callback protocol: tasks for each epoch, and what travels through others."""

import pytest

pytest.importorskip("sklearn", minversion="1.9")

import numpy as np
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from fastmlp.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def short(**settings):
    return MLPClassifier(**{"random_state": 0, "max_iter": 4, **settings})


class Recorder:
    """Notes every task; stops at epoch `stop`."""

    def __init__(self, stop=None, max_propagation_depth=None):
        self.events = []
        self.losses = []
        self.stop = stop

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(("end", context.task_name, context.task_id))
        self.losses.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id == self.stop


def test_tasks_of_a_fit(iris):
    recorder = Recorder()
    classifier = short(max_iter=2)
    assert classifier.set_callbacks(recorder) is classifier
    classifier.fit(*iris)
    epochs = [(what, "epoch", i) for i in range(2) for what in ("begin", "end")]
    assert recorder.events == ["setup", ("begin", "fit", 0), *epochs, ("end", "fit", 0), "teardown"]
    assert recorder.losses[-1] == classifier.score(*iris)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_callback_stops_the_fit(iris, solver):
    recorder = Recorder(stop=1)
    classifier = short(max_iter=50, solver=solver).set_callbacks(recorder).fit(*iris)
    assert classifier.n_iter_ == 2
    assert ("begin", "epoch", 2) not in recorder.events
    assert recorder.events[-1] == "teardown"


def test_callbacks_do_not_change_the_fit(iris):
    observed = short().set_callbacks(Recorder()).fit(*iris)
    np.testing.assert_array_equal(observed.coefs_[0], short().fit(*iris).coefs_[0])


def test_the_reconstructed_estimator_stays_as_it_was(iris):
    kept = []

    class Keeper(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            kept.append(fitted_estimator)

    short().set_callbacks(Keeper()).fit(*iris)
    weights = [estimator.coefs_[0] for estimator in kept]
    assert not np.array_equal(weights[0], weights[-1])
    np.testing.assert_array_equal(weights[0], short(max_iter=1).fit(*iris).coefs_[0])


def test_scoring_monitor_in_a_pipeline(iris):
    monitor = ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), short().set_callbacks(monitor))
    pipeline.fit(*iris)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
    assert rows[-1]["accuracy"] == pipeline.score(*iris)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scoring_monitor_in_a_search(iris, n_jobs):
    monitor = ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(
        short().set_callbacks(monitor), {"alpha": [1e-4, 1.0]}, cv=2, n_jobs=n_jobs
    )
    search.fit(*iris)
    rows = [row for row in monitor.get_logs(select="all")[-1].data if row["task_name"] == "epoch"]
    assert rows


def test_progress_bar_propagates(iris, capsys):
    pytest.importorskip("rich")

    pipeline = make_pipeline(StandardScaler(), short())
    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*iris)
    assert "MLPClassifier" in capsys.readouterr().out
