"""The reference's `fit`, its views and its errors."""

import math

import numpy as np
import pytest

from fastmlp import reference as fm

pytestmark = pytest.mark.once

X = [[math.sin(3.0 * i), math.cos(5.0 * i)] for i in range(10)]
Y = [i % 3 for i in range(10)]


def network(**options):
    return fm.Network([2, 4, 3], seed=1, **options)


def test_two_fits_are_one_long_fit():
    one, other = network(), network()
    first, second = (one.fit(X, Y, epochs=2, batch_size=4).loss for _ in range(2))
    assert first + second == other.fit(X, Y, epochs=4, batch_size=4).loss
    assert one.parameters == other.parameters
    assert one.epoch == other.epoch == 4


def test_fit_is_the_three_calls():
    one, other = network(), network()
    one.fit(X, Y, epochs=3, batch_size=4, shuffle=False)
    for _ in range(3):
        for first in (0, 4, 8):  # the last batch is short
            other.forward(X[first : first + 4])
            other.backward(Y[first : first + 4])
            other.update(0.1)
    assert one.parameters == other.parameters


def test_epoch_loss_is_the_mean_over_samples():
    net, steps = network(), network()
    (loss,) = net.fit(X, Y, epochs=1, batch_size=4, shuffle=False).loss
    total = 0.0
    for first in (0, 4, 8):
        steps.forward(X[first : first + 4])
        total += steps.backward(Y[first : first + 4]) * len(X[first : first + 4])
        steps.update(0.1)
    assert loss == pytest.approx(total / 10, rel=1e-14)


def test_orders_handed_in():
    backwards = list(range(9, -1, -1))
    one, other = network(), network()
    one.fit(X, Y, epochs=2, batch_size=4, shuffle=[list(range(10)), backwards])
    other.fit(X, Y, epochs=1, batch_size=4, shuffle=False)
    other.fit(X[::-1], Y[::-1], epochs=1, batch_size=4, shuffle=False)
    assert one.parameters == other.parameters
    one.fit(X, Y, epochs=2, shuffle=np.array(backwards))
    other.fit(X[::-1], Y[::-1], epochs=2, shuffle=False)
    assert one.parameters == other.parameters


def test_callbacks_hear_and_stop(capsys):
    reports = []

    def follow(net, report):
        net.predict(X)
        reports.append(report)
        return report.epoch == 2

    net = network()
    history = net.fit(X, Y, epochs=5, validation_data=(X, Y), callbacks=[follow])
    assert [report.epoch for report in reports] == [1, 2]
    assert history.loss == [report.loss for report in reports]
    assert history.validation_loss == [report.validation_loss for report in reports]
    assert reports[-1].validation_accuracy == net.evaluate(X, Y).accuracy
    assert (reports[0].epochs, reports[0].samples) == (5, 10)
    assert capsys.readouterr() == ("", "")


def test_verbose_prints_on_standard_error(capsys):
    net = network()
    net.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=1, callbacks=lambda *_: None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert "epoch 2/2: loss" in err


def test_history_tells_speed():
    history = network().fit(X, Y, epochs=2)
    assert history.flops_per_sample == 2 * (2 * 2 * 4 + 3 * 4 * 3)
    assert history.seconds > 0
    assert history.samples_per_second == pytest.approx(20 / history.seconds)
    assert history.gflops == pytest.approx(104e-9 * history.samples_per_second)
    assert math.isnan(history.peak_share)
    assert "epochs=2" in repr(history)


def test_divergence_restores_the_last_finite_epoch():
    net = fm.Network([1, 1], output="identity", seed=1)
    ends = []
    with pytest.raises(fm.DivergenceError, match=r"epoch 3.*learning_rate=1e\+80") as caught:
        net.fit(
            [[1.0]],
            [2.0],
            optimizer=fm.SGD(1e80),
            callbacks=lambda net, _: ends.append(net.parameters),
        )
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ArithmeticError)
    # Each epoch multiplies the error by 4e80: its square overflows in the third.
    assert (caught.value.epoch, len(ends)) == (3, 2)
    assert net.parameters == ends[-1]


def test_arrays_are_accepted_and_not_changed():
    one, other = network(), network()
    array, labels = np.array(X), np.array(Y, dtype=np.int8)
    before = array.tobytes(), labels.tobytes()
    one.fit(array, labels, epochs=1, n_threads=2)
    other.fit(X, Y, epochs=1)
    assert one.parameters == other.parameters
    assert (array.tobytes(), labels.tobytes()) == before
    out = np.empty((10, 3))
    assert one.predict(array, out=out) is out
    assert out.tolist() == one.predict(X)
    assert one.predict(np.empty((0, 2))) == []


def test_frames_are_accepted():
    pandas = pytest.importorskip("pandas")
    one, other = network(), network()
    one.fit(pandas.DataFrame(X), pandas.Series(Y), epochs=1)
    other.fit(X, Y, epochs=1)
    assert one.parameters == other.parameters


def test_objective_trains_with_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    net = fm.Network([2, 4, 1], activation="tanh", output="sigmoid", seed=1)
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    result = optimize.minimize(net.objective(X, y), net.parameters, jac=True, method="L-BFGS-B")
    net.parameters = result.x
    assert net.evaluate(X, y).accuracy == 1.0


def test_lists_are_live():
    net = network()
    row = net.weights[1][2]
    net.weights[1] = np.ones((4, 3))
    assert row == [1.0, 1.0, 1.0]
    net.weights[1][2][0] = 7.0
    assert net.parameters[2 * 4 + 4 + 2 * 3] == 7.0
    net.parameters = [0.5] * net.n_parameters
    assert row == [0.5, 0.5, 0.5]
    net.gradients = range(net.n_parameters)
    net.update(1.0)
    assert net.parameters == [0.5 - i for i in range(net.n_parameters)]
    assert (len(net.weights), len(net.biases[:])) == (2, 2)
    with pytest.raises(TypeError, match="appends"):
        net.weights[0] += [[1.0] * 4] * 2
    assert (len(net.weights[0]), net.n_parameters) == (2, 27)


def test_what_it_tells_about_itself(capsys):
    net = network(dtype=np.float64)
    assert (net.features, net.loss, net.dtype, net.epoch) == (2, "cross_entropy", "float64", 0)
    assert net.layers == (fm.Dense(4, "relu"), fm.Dense(3, "softmax"))
    assert (net.nodes, net.deltas, set(net.gradients)) == ([], [], {0.0})
    assert "2 -> 4 relu" in repr(net)
    assert "weights" in repr(net.weights)
    fm.set_num_threads(4)
    assert fm.get_num_threads() == 1
    fm.show_config()
    assert "pure Python" in capsys.readouterr().out
