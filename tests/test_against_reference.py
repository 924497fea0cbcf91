"""The compiled core against the pure-Python reference: one step, and trajectories of 50 steps.

Both start from the same weights and take the samples in the same order. The reference computes in
float64, the core in its dtype with fused multiply-adds, so they differ by roundings, and the
tolerance is derived from those:

- A step through D layers whose longest sum has n terms makes on the way to any result at most
  about D (n + 8) roundings forward and as many backward (8: bias, activation, loss, rate), each of
  relative size u = eps / 2. Roundings are as good as independent, so k of them add up to
  sqrt(k) u, times a factor LAMBDA for the confidence (Higham and Mary 2019, theorem 2.4: a result
  leaves the bound with a probability below 2 exp(-LAMBDA^2 / 2)). T steps make T times as many.
- What an early rounding has become at the end is the conditioning of the trajectory, not the doing
  of any implementation. It is measured on the reference: every parameter is changed by a relative
  1e-9 at the start, and the greatest change of the result, over that of the parameters, is the
  growth.

    |core - reference| <= LAMBDA sqrt(2 T D (n + 8)) u growth max(1, |result|)

A wrong bit of mathematics (a factor 1/B, a derivative at the wrong place, weights from after the
update) changes results by a multiple of the learning rate, thousands of times this bound.
"""

import math
from functools import cache

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import layers, reference

LAMBDA = 5
MOST_GROWTH = 30  # beyond, a trajectory forgets where it came from, and shows little
STEPS_PER_EPOCH, EPOCHS = 5, 10
STEPS = STEPS_PER_EPOCH * EPOCHS
RATE = 0.003
# exp is for the output of Poisson: elsewhere its trajectories forget where they came from.
ACTIVATIONS = [name for name in layers.ACTIVATIONS if name not in {"softmax", "exp"}]
OTHERS = ("identity", "gelu")
WITH_PARAMETER = {
    "label_smoothing": ("CrossEntropy", 0.1),
    "huber_narrow": ("Huber", 0.2),
    "quantile": ("Quantile", 0.9),
}
OUTPUTS = [
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("exp", "poisson"),
    ("softmax", "label_smoothing"),
    *((output, "mean_squared_error") for output in ACTIVATIONS),
    *((output, loss) for loss in ("huber", "huber_narrow", "quantile") for output in OTHERS),
    *((output, "mean_absolute_error") for output in OTHERS),
]
SHAPES = [(1, 1), (1, 3, 1), (3, 15, 16, 17, 2), (16, 17, 15), (17, 33, 16), (33, 1, 3), (100, 3)]
SHAPES += [(3, 100, 1), (15, 16, 33), (2, 33, 100), (33, 33, 1), (5, 3, 3, 3, 3)]

Case = tuple[tuple[int, ...], str, str, str, int, str]  # layers ... batch size, targets


def heads(library):
    """Return heads of 5 outputs, with activations whose derivative is by z and by h."""
    smoothed = library.CrossEntropy(label_smoothing=0.1)
    return library.Heads(
        sort=library.Head(3, "softmax", smoothed, weight=0.7),
        size=library.Head(1, "gelu", "huber", weight=1.3),
        chance=library.Head(1, "sigmoid"),
    )


def network(library, case: Case, dtype: str):
    layers, activation, output, loss, _, _ = case
    if output == "heads":
        shape = [*layers[:-1], heads(library)]
        return library.Network(shape, activation, seed=7, dtype=dtype)
    if loss in WITH_PARAMETER:
        name, parameter = WITH_PARAMETER[loss]
        loss = getattr(library, name)(parameter)
    net = library.Network(layers, activation, output, loss, seed=7, dtype=dtype)
    if output == "exp":  # of small z, lest its growth hide everything
        net.parameters = [0.5 * value for value in net.parameters]
    return net


def data(case: Case, rows: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    layers, _, output, _, _, targets = case
    rng = np.random.default_rng(len(layers) + rows)
    X = rng.standard_normal((rows, layers[0])).astype(dtype)
    if output == "heads":
        y = rng.random((rows, layers[-1])).astype(dtype)
        labels = rng.integers(0, 3, rows)
        return X, (labels if targets == "labels" else y[:, :3], y[:, 3], y[:, 4:])
    if targets == "labels":
        return X, rng.integers(0, layers[-1], rows)
    y = rng.random((rows, layers[-1])).astype(dtype)
    if output == "softmax":  # not normalised: the delta must not count on it
        y[::2] /= y[::2].sum(axis=1, keepdims=True)
    return X, y


def disturbed(net, relative: float):
    """Change every parameter a little; return by how much at most."""
    rng = np.random.default_rng(3)
    before = np.array(net.parameters)
    after = before * (1 + relative * rng.choice([-1, 1], before.size))
    net.parameters = after.tolist()
    return np.abs(after - before).max()


def flat(*parts) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in parts]).astype(float)


def trained(net, case: Case, dtype: str) -> np.ndarray:
    """Train for 50 steps in epochs with a short last batch; return parameters and losses."""
    batch_size = case[4]
    rows = STEPS_PER_EPOCH * batch_size - batch_size // 2
    sgd = fm.SGD(RATE) if isinstance(net, fm.Network) else reference.SGD(RATE)
    history = net.fit(*data(case, rows, dtype), EPOCHS, batch_size, sgd)
    return flat(net.parameters, history.loss)


def stepped(net, case: Case, dtype: str) -> np.ndarray:
    """Go forward and backward once; return all that leaves behind."""
    X, y = data(case, case[4], dtype)
    net.forward(X)
    loss = net.backward(y)
    return flat(*list(net.nodes)[1:], loss, *net.deltas, net.gradients)


@cache
def expected(run, case: Case, dtype: str) -> np.ndarray:
    result: np.ndarray = run(network(reference, case, dtype), case, dtype)
    return result


@cache
def growth(run, case: Case) -> float:
    net = network(reference, case, "float64")
    change = disturbed(net, 1e-9)
    changed = run(net, case, "float64") - expected(run, case, "float64")
    return max(1.0, np.abs(changed).max() / change)


def agree(got: np.ndarray, run, case: Case, dtype: str, steps: int) -> bool:
    """Tell whether the core's result is that of the reference, but for roundings."""
    wanted = expected(run, case, dtype)
    layers, batch_size = case[0], case[4]
    assert growth(run, case) <= MOST_GROWTH
    roundings = 2 * steps * (len(layers) - 1) * (max(*layers, batch_size) + 8)
    unit = float(np.finfo(dtype).eps) / 2
    bound = LAMBDA * math.sqrt(roundings) * unit * growth(run, case)
    return bool(np.abs(got - wanted).max() <= bound * max(1.0, np.abs(wanted).max()))


def assert_agrees(run, case: Case, dtype: str, steps: int) -> None:
    assert agree(run(network(fm, case, dtype), case, dtype), run, case, dtype, steps)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
class TestActivationsAndLosses:
    def test_one_step(self, dtype, activation, output, loss):
        for targets in ("labels", "rows") if output == "softmax" else ("rows",):
            case = ((3, 17, 16, 5), activation, output, loss, 4, targets)
            assert_agrees(stepped, case, dtype, 1)

    def test_trajectory(self, dtype, activation, output, loss):
        for targets in ("labels", "rows") if output == "softmax" else ("rows",):
            case = ((3, 17, 4, 3), activation, output, loss, 3, targets)
            assert_agrees(trained, case, dtype, STEPS)


@pytest.mark.parametrize("targets", ["labels", "rows"])
class TestHeads:
    CASE = ((3, 17, 16, 5), "tanh", "heads", "", 3)

    def test_one_step(self, dtype, targets):
        assert_agrees(stepped, (*self.CASE, targets), dtype, 1)

    def test_trajectory(self, dtype, targets):
        def run(net, case, dtype):
            rows = STEPS_PER_EPOCH * case[4] - 1
            sgd = fm.SGD(RATE) if isinstance(net, fm.Network) else reference.SGD(RATE)
            X, y = data(case, rows, dtype)
            history = net.fit(X, y, EPOCHS, case[4], sgd, validation_data=(X, y))
            series = [*history.head_losses.values(), *history.validation_metrics.values()]
            assert len(series) == 8
            return flat(net.parameters, history.loss, *series)

        assert_agrees(run, (*self.CASE, targets), dtype, STEPS)

    def test_everything_but_training(self, dtype, targets):
        def run(net, case, dtype):
            X, y = data(case, 7, dtype)
            weight = np.arange(7)
            evaluations = [net.evaluate(X, y, sample_weight=w) for w in (None, weight)]
            scores = [head for e in evaluations for head in e.heads.values()]
            measured = [[e.loss, *(h.loss for h in e.heads.values())] for e in evaluations]
            net.forward(X)
            net.backward(gradient=np.ones((7, 5), dtype))
            return flat(
                net.predict(X),
                *measured,
                [score.accuracy or 0 for score in scores],
                net.jacobian(X),
                net.input_gradient(X, y),
                *net.deltas,
                net.gradients,
            )

        assert_agrees(run, (*self.CASE, targets), dtype, 1)


@pytest.mark.parametrize("layers", SHAPES, ids=str)
@pytest.mark.parametrize("batch_size", [1, 2, 5])
class TestShapes:
    def test_one_step(self, dtype, layers, batch_size):
        case = (layers, "tanh", "softmax", "cross_entropy", batch_size, "labels")
        if layers[-1] == 1:  # a softmax of one node is refused
            case = (layers, "tanh", "sigmoid", "binary_cross_entropy", batch_size, "rows")
        assert_agrees(stepped, case, dtype, 1)

    def test_trajectory(self, dtype, layers, batch_size):
        case = (layers, "relu", "identity", "mean_squared_error", batch_size, "rows")
        assert_agrees(trained, case, dtype, STEPS)


@pytest.mark.parametrize("rows", [1, 3, 20])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_evaluation_and_prediction(dtype, output, loss, rows):
    """No step at all: forward only, but of more rows than training saw."""
    case = ((5, 33, 16, 4), "tanh", output, loss, rows, "rows")

    def run(net, case, dtype):
        X, y = data(case, rows, dtype)
        evaluation = net.evaluate(X, y)
        return flat(net.predict(X), evaluation.loss, evaluation.accuracy or 0)

    assert_agrees(run, case, dtype, 1)


@pytest.mark.parametrize("mistake", ["rate", "weight", "sample"])
def test_the_bound_notices_a_small_mistake(dtype, mistake):
    """Mistakes far smaller than any in the mathematics would be: the bound must not hide them."""
    case = ((3, 17, 4, 3), "tanh", "identity", "mean_squared_error", 3, "rows")
    slightly = 1.002

    def wrong(net, case, dtype):
        X, y = data(case, STEPS_PER_EPOCH * 3 - 1, dtype)
        rate = RATE
        if mistake == "rate":
            rate *= slightly
        elif mistake == "weight":
            net.weights[0][1, 2] *= slightly
        else:
            X[-1] *= slightly
        history = net.fit(X, y, EPOCHS, 3, fm.SGD(rate))
        return flat(net.parameters, history.loss)

    assert not agree(wrong(network(fm, case, dtype), case, dtype), trained, case, dtype, STEPS)
