"""``fastmlp.dask``: the bits of this process, on the workers of a cluster."""

import contextlib
import os
import signal

import numpy as np
import pytest

import fastmlp as fm

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

from fastmlp import dask as fm_dask  # noqa: E402

pytestmark = [pytest.mark.alone, pytest.mark.once]


@pytest.fixture(scope="module")
def client():
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**settings, dashboard_address=":0", silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def data(rng):
    return rng.normal(size=(200, 6)).astype(np.float32), rng.integers(0, 3, 200)


def networks(count=5):
    return [fm.Network([6, 8, 3], seed=seed) for seed in range(count)]


def same_bits(ours, theirs):
    pairs = zip(ours, theirs, strict=True)
    return all(a.parameters.tobytes() == b.parameters.tobytes() for a, b in pairs)


@pytest.mark.parametrize(
    ("networks", "client", "error", "words"),
    [
        ([fm.Network([6, 3], seed=1)], None, ValueError, r"client = dask.distributed.Client\(\)"),
        (
            [fm.Network([6, 3], seed=1)],
            "tcp://x",
            TypeError,
            "client must be a dask.distr",
        ),
        (5, None, TypeError, "networks must be a sequence of networks, got 5"),
        ([], None, ValueError, "networks must hold at least one network"),
        (
            [fm.Network([6, 3]), fm.Network([6, 3], output="identity", loss=lambda h, y, g: 0.0)],
            None,
            ValueError,
            r"networks\[1\] has a custom loss",
        ),
    ],
)
def test_what_is_refused(data, networks, client, error, words):
    with pytest.raises(error, match=words):
        fm_dask.train_many(networks, *data, client=client)


def test_a_closed_client_is_refused(data):
    client = distributed.Client(processes=False, n_workers=1, dashboard_address=":0")
    client.close()
    with pytest.raises(ValueError, match="client must be open, got one that is closed"):
        fm_dask.train_many(networks(1), *data, client=client)


def test_predict_by_partitions(data, client):
    net, X = networks(1)[0], data[0]
    chunked = fm_dask.predict(net, da.from_array(X, chunks=(70, 4)))
    assert chunked.shape == (200, 3)
    assert chunked.dtype == np.float32
    expected = net.predict(X)
    net.parameters += 1  # the result is that of the network as it was
    assert chunked.compute().tobytes() == expected.tobytes()
    ensemble = fm.Ensemble(networks())
    mean = fm_dask.predict(ensemble, da.from_array(X, chunks=(70, 6)))
    assert mean.compute().tobytes() == ensemble.predict(X).tobytes()
    with pytest.raises(ValueError, match="X has 5 features, but the network takes 6"):
        fm_dask.predict(net, da.from_array(X[:, :5]))
    for X in (data[0], None, dask.delayed(data[0])):
        with pytest.raises(TypeError, match="X must be a Dask array or frame"):
            fm_dask.predict(net, X)
    with pytest.raises(TypeError, match="network must be a Network"):
        fm_dask.predict("net", da.from_array(data[0]))


def test_predict_frames(data):
    pandas = pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame(data[0], columns=list("abcdef"))
    net = networks(1)[0]
    outputs = fm_dask.predict(net, frames.from_pandas(frame, npartitions=3))
    assert outputs.compute(scheduler="sync").tobytes() == net.predict(frame).tobytes()


def test_train_many_has_the_bits_of_one_process(data, client):
    """Arguments for each network go with it; a network is not changed by an error."""
    settings = {
        "epochs": 3,
        "optimizer": [fm.Adam(0.001 * i) for i in range(1, 6)],
        "rows": [np.arange(i, 200) for i in range(5)],
        "validation_data": data,
        "early_stopping": True,
    }
    here, there = networks(), networks()
    expected = fm.train_many(here, *data, **settings)
    results = fm_dask.train_many(there, *data, client=client, **settings)
    assert same_bits(here, there)
    assert [h.validation_loss for h in results] == [h.validation_loss for h in expected]
    before = networks()
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        fm_dask.train_many(there, *data, batch_size=-1)
    with pytest.raises(ValueError, match="callbacks is not supported"):
        fm_dask.train_many(there, *data, callbacks=lambda *_: None)
    assert same_bits(here, there)
    assert not same_bits(before, there)
    rates = [fm.SGD(0.1), fm.SGD(1e30)]
    with pytest.raises(fm.DivergenceError) as error:
        fm_dask.train_many(networks(2), *data, optimizer=rates)
    assert error.value.__notes__ == ["the other networks are trained"]
    assert str(error.value).startswith("training of networks[1] diverged: ")


def test_an_ensemble_that_is_already_sent_is_not_trained_on(data, client):
    """Two trainings of the same networks have the same result."""
    for _ in range(2):
        ensemble, other = fm.Ensemble(networks()), fm.Ensemble(networks())
        rows = ensemble.bootstrap_rows(data[1])
        fm_dask.train_many(ensemble, *data, rows=rows, epochs=2)
        other.fit(*data, bootstrap=True, epochs=2)
        assert same_bits(ensemble, other)


def test_the_part_of_a_killed_worker_is_trained_again(data, client, tmp_path, monkeypatch):
    """The first that has trained its part is killed before it can return it."""
    killed = tmp_path / "killed"

    def train(*arguments):
        from fastmlp.dask import _train  # noqa: PLC0415  (that of the worker)

        trained = _train(*arguments)
        with contextlib.suppress(FileExistsError), killed.open("x") as file:
            file.write(str(os.getpid()))
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return trained

    monkeypatch.setattr(fm_dask, "_train", train)
    here, there = networks(4), networks(4)
    workers = client.run(os.getpid).values()
    fm_dask.train_many(there, *data, epochs=3)
    assert int(killed.read_text()) in workers
    fm.train_many(here, *data, epochs=3)
    assert same_bits(here, there)


def test_searches_run_on_the_workers_that_joblib_has_chosen(data, client):
    """The scores are those of this process."""
    joblib = pytest.importorskip("joblib")
    search = pytest.importorskip("fastmlp.sklearn")
    client.wait_for_workers(2, timeout=60)  # one was killed
    mlp = search.MLPClassifier(hidden_layer_sizes=(8,), random_state=0, tol=1.0, n_iter_no_change=1)
    scoring = {"accuracy": "accuracy", "process": lambda *_: float(os.getpid())}
    searches = [
        search.GridSearchCV(
            mlp, {"alpha": [1e-4, 1.0]}, scoring=scoring, refit=False, cv=2, n_jobs=n
        )
        for n in (1, 2)
    ]
    searches[0].fit(*data)
    with joblib.parallel_config("dask"):
        searches[1].fit(*data)
    here, there = (each.cv_results_ for each in searches)
    assert there["mean_test_accuracy"].tolist() == here["mean_test_accuracy"].tolist()
    assert (here["split0_test_process"] == os.getpid()).all()
    assert (there["split0_test_process"] != os.getpid()).all()
