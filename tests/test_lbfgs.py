"""L-BFGS in fit: SciPy's own course, its callbacks, and what it does not take."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

import fastmlp as fm

# Few iterations are enough here, but where they are what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:L-BFGS has not converged")

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")


@pytest.fixture
def net():
    return fm.Network([4, 9, 3], seed=2, dtype="float64")


def bits(net):
    return net.parameters.tobytes()


def penalised(objective, l2):
    def f(theta):
        loss, gradient = objective(theta)
        return loss + l2 / 2 * float(theta @ theta), gradient + l2 * theta

    return f


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_is_the_course_of_scipy(net, blobs, l2):
    twin = copy.copy(net)
    history = net.fit(*blobs, optimizer=fm.LBFGS(30, l2=l2))
    losses = []

    def note(intermediate_result):
        losses.append(twin.objective(*blobs)(intermediate_result.x)[0])

    result = optimize.minimize(
        penalised(twin.objective(*blobs), l2),
        twin.parameters.copy(),
        jac=True,
        method="L-BFGS-B",
        callback=note,
        options={"maxiter": 30, "gtol": 1e-5, "maxcor": 10},
    )
    np.testing.assert_array_equal(net.parameters, result.x)
    # The penalty is taken off again: a rounding of the whole.
    assert history.loss == pytest.approx(losses, rel=1e-12, abs=1e-15)
    assert len(history.loss) == len(history.epoch_seconds) == result.nit
    assert history.learning_rate == []
    assert history.n_threads == 1


def test_float32_learns_too(blobs):
    net = fm.Network([4, 9, 3], seed=2)
    history = net.fit(*blobs, optimizer=fm.LBFGS())
    assert history.loss[-1] < 1e-3 < history.loss[0]
    assert net.evaluate(*blobs).loss == pytest.approx(history.loss[-1], rel=1e-4)
    assert net.epoch == 0


def test_the_tolerance_stops(net, blobs):
    few, many = (
        len(copy.copy(net).fit(*blobs, optimizer=fm.LBFGS(tolerance=tolerance)).loss)
        for tolerance in (1e-1, 1e-6)
    )
    assert few < many < 200


def test_weights_are_heard(net, blobs, rng):
    twin = copy.copy(net)
    weight = rng.random(90)
    net.fit(*blobs, optimizer=fm.LBFGS(5), sample_weight=weight)
    f = twin.objective(*blobs, sample_weight=weight)
    options = {"maxiter": 5, "gtol": 1e-5}
    result = optimize.minimize(
        f, twin.parameters.copy(), jac=True, method="L-BFGS-B", options=options
    )
    np.testing.assert_array_equal(net.parameters, result.x)


def test_callbacks_validation_and_metrics_per_iteration(net, blobs):
    seen = []

    def look(who, report):
        assert who.evaluate(*blobs).loss == report.validation_loss
        assert math.isnan(report.learning_rate)
        seen.append(report.epoch)
        return report.epoch == 4

    history = net.fit(
        *blobs, optimizer=fm.LBFGS(), validation_data=blobs, metrics="f1", callbacks=look
    )
    assert seen == [1, 2, 3, 4]
    assert history.loss == pytest.approx(history.validation_loss, rel=1e-12)
    assert len(history["validation_f1"]) == 4


def test_weights_that_a_callback_writes_are_not_heard(net, blobs):
    twin = copy.copy(net)

    def clear(who, _):
        who.parameters[:] = 0

    net.fit(*blobs, optimizer=fm.LBFGS(5), callbacks=clear)
    twin.fit(*blobs, optimizer=fm.LBFGS(5))
    assert bits(net) == bits(twin)


def test_early_stopping_goes_back(net, blobs):
    X, y = blobs
    wrong = (y + np.arange(90) // 45) % 3
    stopping = fm.EarlyStopping(patience=5)
    history = net.fit(
        X, wrong, optimizer=fm.LBFGS(), validation_data=(X, y), early_stopping=stopping
    )
    assert net.evaluate(X, y).loss == stopping.best == min(history.validation_loss)
    assert len(history.loss) == stopping.best_epoch + 5


@pytest.mark.parametrize("error", [KeyError("mine"), StopIteration("mine"), KeyboardInterrupt()])
def test_an_error_leaves_the_last_iteration(net, blobs, error):
    seen = []

    def fail(who, report):
        seen.append(bits(who))
        if report.epoch == 3:
            raise error

    with pytest.raises(type(error)) as info:
        net.fit(*blobs, optimizer=fm.LBFGS(), callbacks=fail)
    assert info.value is error
    assert len(seen) == 3
    assert bits(net) == seen[-1]


def test_at_a_minimum_there_is_one_iteration():
    net = fm.Network([1, 1], output="identity", seed=1)
    net.parameters[:] = 0
    history = net.fit([[1.0]], [0.0], optimizer=fm.LBFGS())
    assert history.loss == [0.0]
    assert not net.parameters.any()
    assert "epochs=1" in repr(history)


def test_it_begins_with_a_finite_loss():
    net = fm.Network([1, 1], output="identity", seed=1)
    net.parameters[:] = 1e30
    before = bits(net)
    with pytest.raises(fm.DivergenceError, match=r"loss became inf in epoch 1; .*scaled features"):
        net.fit([[1.0]], [0.0], optimizer=fm.LBFGS())
    assert bits(net) == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 20}, ValueError, r"optimizer=fm.LBFGS\(max_iterations=...\), got epochs=20"),
        ({"batch_size": 64}, ValueError, "leave out batch_size, or pass None, got 64"),
        ({"shuffle": np.arange(90)}, TypeError, "shuffle must be True, False"),
    ],
)
def test_what_it_does_not_take(net, blobs, assert_unchanged, arguments, error, message):
    for optimizer in (fm.LBFGS(), "lbfgs"):
        with assert_unchanged(net), pytest.raises(error, match=message):
            net.fit(*blobs, optimizer=optimizer, **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_iterations": 0}, ValueError, "max_iterations must be at least 1"),
        ({"history": 1.5}, TypeError, "history"),
        ({"tolerance": -1}, ValueError, "tolerance must be finite and at least 0"),
        ({"l2": math.nan}, ValueError, "l2"),
    ],
)
def test_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.LBFGS(**arguments)


@pytest.mark.shares_cores
@pytest.mark.once
def test_without_scipy_it_says_what_to_install(run_python):
    code = (
        "import sys; sys.modules['scipy.optimize'] = None\n"
        "import fastmlp as fm\n"
        "net = fm.Network([2, 1], output='identity')\n"
        "try: net.fit([[0, 1]], [1], optimizer=fm.LBFGS())\n"
        "except ImportError as error: print(error)"
    )
    assert "LBFGS needs scipy: pip install 'fastmlp[lbfgs]'" in run_python(code).stdout


def test_a_batch_of_none_is_all_samples(blobs):
    nets = [fm.Network([4, 9, 3], seed=2) for _ in range(2)]
    nets[0].fit(*blobs, 2, batch_size=None)
    nets[1].fit(*blobs, 2, batch_size=90)
    assert bits(nets[0]) == bits(nets[1])


def fitted(net, blobs, optimizer, **options):
    """Return the history and the warnings of a fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = net.fit(*blobs, optimizer=optimizer, **options)
    return history, caught


def test_why_it_stopped(net, blobs):
    history, caught = fitted(net, blobs, fm.LBFGS(3))
    assert (history.stopped_by, len(history.loss)) == ("iterations", 3)
    assert "LIMIT" in history.message
    (warning,) = caught
    assert warning.category is fm.ConvergenceWarning
    assert warning.filename == __file__  # the caller's line, not one of ours
    assert "not converged after 3 iterations" in str(warning.message)
    history, caught = fitted(net, blobs, fm.LBFGS(500, l2=0.01))
    assert (history.stopped_by, caught) == ("convergence", [])
    assert "CONVERGENCE" in history.message
    assert "stopped_by='convergence'" in repr(history)
    assert pickle.loads(pickle.dumps(history)).stopped_by == "convergence"


def test_a_line_search_that_finds_nothing(net, blobs):
    """The gradient of another function leads nowhere down."""
    net = fm.Network([4, 3], loss=wrong_gradient, output="identity", seed=1)
    history, caught = fitted(net, (blobs[0], np.ones((90, 3))), fm.LBFGS())
    assert history.stopped_by == "line_search"
    assert [warning.category for warning in caught] == [fm.ConvergenceWarning]


def wrong_gradient(outputs, y, gradient):
    gradient[...] = -(outputs - y)
    return 0.5 * ((outputs - y) ** 2).sum(axis=1)


def test_what_callbacks_stop_is_no_warning(net, blobs):
    history, caught = fitted(net, blobs, fm.LBFGS(), callbacks=lambda _, report: True)
    assert (history.stopped_by, caught) == ("callback", [])
    stopping = fm.EarlyStopping("loss", 1, min_delta=1e9)
    history, caught = fitted(net, blobs, fm.LBFGS(), early_stopping=stopping)
    assert (history.stopped_by, caught) == ("early_stopping", [])
