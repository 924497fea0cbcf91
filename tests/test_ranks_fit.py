"""What ``fit(comm=...)`` measures, scales, saves and minimises: as one process on all samples."""

import numpy as np
import pytest
from threads_as_ranks import on_ranks, parts

import fastmlp as fm
from fastmlp import metrics, reference

LAYERS = [6, 20, 3]
ROWS = [20, 0, 50]


@pytest.fixture
def data(rng):
    return rng.normal(size=(70, 6)), rng.integers(0, 3, 70)


def fitted(data, rows=ROWS, **settings):
    """Return the network and the history of each rank of a fit, whose errors are raised."""
    each = parts(rows, *data)

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1 + rank, dtype="float64")
        own = {k: v(rank) if callable(v) else v for k, v in settings.items()}
        return net, net.fit(*each[rank], comm=comm, **own)

    results = on_ranks(len(rows), run)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    first = results[0][0].parameters.tobytes()
    assert all(net.parameters.tobytes() == first for net, _ in results)
    return results


def test_metrics_are_of_the_samples_of_all(data, rng):
    """Those of a rank alone would be others; a rank without any takes part."""
    weights = rng.choice([0.0, 1.0, 2.5], 70)

    def heaviest(y, outputs, sample_weight):
        return float(sample_weight.sum())

    for cut in ([70, 0, 0], [30, 40, 0]):
        held_out = parts(cut, *data, weights)
        results = fitted(
            data,
            epochs=2,
            batch_size=16,
            validation_data=lambda rank, own=held_out: own[rank],
            metrics=lambda rank: [heaviest, "recall"],
        )
        net, history = results[0]
        expected = metrics.recall(data[1], net.predict(data[0]), weights)
        assert history.validation_metrics["validation_recall"][-1] == expected
        assert history.validation_metrics["validation_heaviest"][-1] == weights.sum()
        assert {tuple(h.validation_loss) for _, h in results} == {tuple(history.validation_loss)}


def test_each_rank_holds_out_a_fraction(data):
    results = fitted(data, epochs=2, batch_size=16, validation_fraction=0.2)
    history = results[0][1]
    assert history.samples == 70 - 14
    assert len(history.validation_loss) == 2
    with pytest.raises(ValueError, match="0 samples to validate on"):
        fitted(data, epochs=2, validation_fraction=0.001)


@pytest.mark.parametrize("rows", [[70], ROWS, [3, 66, 1]])
def test_what_ranks_hold_out_is_that_of_the_reference(data, rows):
    """The share of each rank, stratified; of a few rows it may be none."""
    settings = {"epochs": 2, "batch_size": 16, "validation_fraction": 0.2}
    net, history = fitted(data, rows, metrics="f1", **settings)[0]
    twin = reference.Network(LAYERS, seed=1, dtype="float64")
    expected = twin.fit(*data, metrics="f1", ranks=rows, **settings)
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=1.2e-12)
    np.testing.assert_allclose(
        history.validation_loss, expected.validation_loss, rtol=0, atol=1.2e-12
    )
    measured = history.validation_metrics["validation_f1"]
    np.testing.assert_allclose(measured, expected.validation_metrics["validation_f1"], atol=1e-12)


def test_a_plateau_is_that_of_all(data):
    """Its loss is the mean over the ranks, also over one without samples to validate on."""
    held_out = parts([0, 30, 40], *data)
    results = fitted(
        data,
        epochs=8,
        batch_size=16,
        optimizer=fm.SGD(fm.Plateau(0.3, patience=1, min_delta=0.1)),
        validation_data=lambda rank: held_out[rank],
    )
    twin = reference.Network(LAYERS, seed=1, dtype="float64")
    settings = {"epochs": 8, "batch_size": 16, "validation_data": data, "ranks": ROWS}
    rate = reference.Plateau(0.3, patience=1, min_delta=0.1)
    expected = twin.fit(*data, optimizer=reference.SGD(rate), **settings)
    assert len(set(expected.learning_rate)) > 2
    for net, history in results:
        assert history.learning_rate == expected.learning_rate
        np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=1e-11)


def test_balanced_weights_count_the_classes_of_all(data):
    balanced = fitted(data, epochs=2, batch_size=16, class_weight="balanced")[0][0]
    counts = np.bincount(data[1])
    weights = dict(enumerate(70 / (3 * counts)))
    given = fitted(data, epochs=2, batch_size=16, class_weight=weights)[0][0]
    assert balanced.parameters.tobytes() == given.parameters.tobytes()


@pytest.mark.parametrize("sparse", [False, True])
def test_scaling_is_that_of_all_samples(data, sparse):
    """Moments merged in another order: a few roundings of float64."""
    X, y = data[0] * 5 + 3, data[0][:, :1] * 100
    if sparse:
        X = pytest.importorskip("scipy.sparse").csr_array(np.where(X > 3, X, 0.0))
    results = []
    each = [(X[:20], y[:20]), (X[:0], y[:0]), (X[20:], y[20:])]

    def run(comm, rank):
        net = fm.Network([6, 1], output="identity", seed=1, dtype="float64")
        net.fit(*each[rank], epochs=1, standardize=True, comm=comm)
        other = fm.Network([6, 1], output="identity", seed=1, dtype="float64")
        other.adapt(*each[rank], comm=comm)
        return net, other

    alone = fm.Network([6, 1], output="identity", dtype="float64")
    alone.adapt(X, y)
    results = on_ranks(3, run)
    assert not isinstance(results[0], BaseException), results
    for net, other in results:
        for name in ("input_scale", "input_offset", "output_scale", "output_offset"):
            np.testing.assert_allclose(getattr(net, name), getattr(alone, name), rtol=1e-13)
            assert getattr(net, name).tobytes() == getattr(results[0][1], name).tobytes()
            assert getattr(net, name).tobytes() == getattr(other, name).tobytes()


@pytest.mark.parametrize("kind", ["KeyError", "ValueError"])
def test_an_error_before_the_first_step_changes_no_rank(data, kind):
    each = parts([30, 40], *data)

    class Failing(fm.Callback):
        def on_fit_begin(self, network):
            raise {"KeyError": KeyError, "ValueError": ValueError}[kind]("no")

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1 + rank)
        before = net.parameters.tobytes()
        callbacks = Failing() if rank else None
        with pytest.raises((KeyError, RuntimeError, ValueError)):
            net.fit(*each[rank], standardize=True, callbacks=callbacks, comm=comm)
        return net.parameters.tobytes() == before and net.seed == 1 + rank, net.input_scale

    assert on_ranks(2, run) == [(True, None)] * 2


@pytest.mark.parametrize("optimizer", ["sgd", fm.LBFGS(max_iterations=3)])
@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
def test_rank_0_shows_the_progress(data, capfd, optimizer):
    epochs = {"epochs": 3} if optimizer == "sgd" else {}
    fitted(data, [30, 40], optimizer=optimizer, verbose=2, **epochs)
    lines = capfd.readouterr().err.splitlines()
    assert [line[:7] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]


def test_rank_0_saves_and_all_resume(data, tmp_path):
    """Only the file of rank 0 is there: the others resume from what it sends."""
    whole = fitted(data, epochs=4, batch_size=16, optimizer=fm.Adam(0.01), ema=0.9)[0][0]
    settings = {
        "batch_size": 16,
        "optimizer": fm.Adam(0.01),
        "ema": 0.9,
        "checkpoint": lambda rank: tmp_path / f"{rank}.ckpt",
    }
    fitted(data, epochs=2, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["0.ckpt"]
    net, history = fitted(data, epochs=4, **settings)[2]
    assert net.parameters.tobytes() == whole.parameters.tobytes()
    assert len(history.loss) == 4
    changed = (data[0] + 1.0, data[1])
    with pytest.raises(ValueError, match="is of another fit: X was"):
        fitted(changed, epochs=5, **settings)
    with pytest.warns(UserWarning, match="of 3 ranks is resumed by 2"):
        others = fitted(data, [30, 40], epochs=6, **settings)
    assert len(others[1][1].loss) == 6
    with pytest.raises(ValueError, match="batch_size was 16"):
        fitted(data, epochs=6, **(settings | {"batch_size": 8}))


def test_one_rank_resumes_what_a_fit_alone_has_saved(data, tmp_path):
    file = tmp_path / "file.ckpt"
    fm.Network(LAYERS, seed=1, dtype="float64").fit(*data, epochs=1, checkpoint=file)
    net, _ = fitted(data, [70], epochs=2, checkpoint=file)[0]
    alone = fm.Network(LAYERS, seed=1, dtype="float64")
    alone.fit(*data, epochs=2)
    assert net.parameters.tobytes() == alone.parameters.tobytes()


def test_lbfgs_minimises_the_loss_of_all(data):
    """It converges where one process with all samples does; one rank has its bits."""
    pytest.importorskip("scipy")
    optimizer = fm.LBFGS(l2=1.0)
    alone = fm.Network(LAYERS, seed=1, dtype="float64")
    own = alone.fit(*data, optimizer=optimizer)
    [(one, _)] = fitted(data, [70], optimizer=optimizer)
    assert one.parameters.tobytes() == alone.parameters.tobytes()
    results = fitted(data, optimizer=optimizer)
    assert results[0][1].loss[-1] == pytest.approx(own.loss[-1], rel=1e-3)
    assert results[0][1].stopped_by == own.stopped_by
    assert results[0][1].loss == results[2][1].loss


@pytest.mark.parametrize("rows", [[70], ROWS])
def test_lbfgs_takes_the_steps_of_the_reference(data, rows):
    """Whose objective is minimised by SciPy; 5 iterations do not amplify rounding much."""
    optimize = pytest.importorskip("scipy.optimize")
    with pytest.warns(fm.ConvergenceWarning):
        [(net, history), *_] = fitted(data, rows, optimizer=fm.LBFGS(5))
    twin = reference.Network(LAYERS, seed=1, dtype="float64")
    result = optimize.minimize(
        twin.objective(*data, ranks=rows),
        twin.parameters,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5, "maxcor": 10, "gtol": 1e-5},
    )
    assert history.loss[-1] == pytest.approx(result.fun, rel=1e-11)
    np.testing.assert_allclose(net.parameters, result.x, rtol=0, atol=1e-10)


def test_objective_is_that_of_the_reference(data, rng):
    """With weights of 0, also for all samples of one rank."""
    weights = rng.choice([0.0, 1.0, 2.5], 70)
    weights[:20] = 0.0
    rows = [20, 0, 30, 20]
    each = parts(rows, *data, weights)
    twin = reference.Network(LAYERS, seed=1, dtype="float64")
    theta, v = np.array(twin.parameters), rng.normal(size=len(twin.parameters))
    f = twin.objective(*data, sample_weight=weights, ranks=rows)
    expected = *f(theta), f.hvp(v), f.hessp(theta, v)

    def run(comm, rank):
        X, y, weight = each[rank]
        net = fm.Network(LAYERS, seed=1, dtype="float64")
        f = net.objective(X, y, sample_weight=weight, comm=comm)
        return *f(theta), f.hvp(v), f.hessp(theta, v)

    for own in on_ranks(4, run):
        for found, known in zip(own, expected, strict=True):
            np.testing.assert_allclose(found, known, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="ranks must have the sum 70, the rows of X, got 69"):
        twin.objective(*data, ranks=[20, 49])


def test_objective_is_the_mean_of_all(data):
    weights = np.linspace(0.0, 2.0, 70)
    each = parts(ROWS, *data, weights)
    alone = fm.Network(LAYERS, seed=1, dtype="float64")
    f = alone.objective(*data, sample_weight=weights)
    theta = alone.parameters.copy()
    loss, gradient = f(theta)
    product = f.hessp(theta, gradient)

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=7, dtype="float64")
        X, y, weight = each[rank]
        f = net.objective(X, y, sample_weight=weight, comm=comm)
        with pytest.raises(ValueError, match="theta must be the same on all ranks"):
            f(theta + rank)
        return *f(theta), f.hessp(theta, gradient), f.hvp(gradient)

    for own in on_ranks(3, run):
        assert own[0] == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(own[1], gradient, rtol=0, atol=1e-14)
        np.testing.assert_allclose(own[2], product, rtol=0, atol=1e-13)
        assert own[2].tobytes() == own[3].tobytes()


def test_objective_is_of_the_network_of_rank_0(data):
    """Each rank has adapted to its own rows, which is easily forgotten to do with `comm`."""
    each = parts([30, 40], data[0], data[0][:, :3] * 7.0)
    alone = fm.Network(LAYERS, output="identity", seed=1, dtype="float64")
    alone.adapt(*each[0])
    alone.trainable[0] = False
    f = alone.objective(data[0], data[0][:, :3] * 7.0)
    theta = alone.parameters.copy()
    loss, gradient = f(theta)

    def run(comm, rank):
        net = fm.Network(LAYERS, output="identity", seed=1 + rank, dtype="float64")
        net.adapt(*each[rank])
        net.trainable[0] = False
        return net.objective(*each[rank], comm=comm)(theta)

    for own in on_ranks(2, run):
        assert own[0] == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(own[1], gradient, rtol=0, atol=1e-13)


CHANGES = {
    "trainable": lambda net: net.trainable.__setitem__(0, False),
    "input_scale": lambda net: net.input_scale.__setitem__(0, 2.0),
    "input_offset": lambda net: net.input_offset.__setitem__(0, 2.0),
    "output_scale": lambda net: net.output_scale.__setitem__(0, 2.0),
    "output_offset": lambda net: net.output_offset.__setitem__(0, 2.0),
    "loss_weights": lambda net: setattr(net, "loss_weights", [1.0, 2.0, 3.0]),
    "parameters": lambda net: net.parameters.__setitem__(0, 2.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_objective_refuses_a_network_that_a_rank_has_changed(data, name):
    each = parts([30, 40], data[0], data[0][:, :3])

    def run(comm, rank):
        net = fm.Network(LAYERS, output="identity", seed=1, dtype="float64")
        net.adapt(*data[:1], data[0][:, :3])
        f = net.objective(*each[rank], comm=comm)
        theta = net.parameters.copy()
        if rank:
            CHANGES[name](net)
        with pytest.raises(ValueError, match=f"^{name} must be the same on all ranks"):
            f.hvp(theta)
        if name != "parameters":  # which theta replaces
            with pytest.raises(ValueError, match=f"^{name} must be the same on all ranks"):
                f(theta)
        return "refused"

    assert on_ranks(2, run) == ["refused", "refused"]
