"""A sample of weight 0 is left out: no bit of any result depends on its features and targets."""

from collections.abc import Callable

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import metrics, reference

ROWS, BATCH = 46, 5
WEIGHT = np.random.default_rng(1).uniform(0.1, 2, ROWS) * (np.arange(ROWS) % 4 > 0)
WEIGHT[:BATCH] = 0  # a batch without any weight
NONE = WEIGHT == 0
X = np.random.default_rng(2).standard_normal((ROWS, 6))
FILLS = {"float32": (0.0, 1e20, -3e38), "float64": (0.0, 1e200, -1.7e308)}


def squares(outputs, y, gradient):
    """A custom loss."""
    assert np.isfinite(outputs).all(), "it was asked about a sample of weight 0"
    gradient[...] = 2 * (outputs - y)
    return ((outputs - y) ** 2).sum(axis=1)


LOSSES = {
    "cross_entropy": ("softmax", "cross_entropy"),
    "labels": ("softmax", "cross_entropy"),
    "smoothed": ("softmax", fm.CrossEntropy(0.1)),
    "binary_cross_entropy": ("sigmoid", "binary_cross_entropy"),
    "poisson": ("exp", "poisson"),
    "mean_squared_error": ("identity", "mean_squared_error"),
    "gelu": ("gelu", "mean_squared_error"),
    "mean_absolute_error": ("identity", "mean_absolute_error"),
    "huber": ("identity", fm.Huber(0.5)),
    "quantile": ("identity", fm.Quantile(0.9)),
    "custom": ("identity", squares),
}


def targets(name: str, dtype: str, fill: float) -> np.ndarray:
    """Targets (n, 3), or labels; those of weight 0 are as far off as the loss allows."""
    rng = np.random.default_rng(3)
    if name == "labels":
        return np.where(NONE, int(abs(fill) > 1), rng.integers(0, 3, ROWS))
    y = rng.random((ROWS, 3)).astype(dtype)
    if name in {"cross_entropy", "smoothed", "binary_cross_entropy"}:
        fill = float(abs(fill) > 1)
    y[NONE] = abs(fill) if name == "poisson" else fill
    return y


def features(dtype: str, fill: float) -> np.ndarray:
    return np.where(NONE[:, np.newaxis], fill, X).astype(dtype)


def network(name: str, dtype: str, **options) -> fm.Network:
    output, loss = LOSSES[name]
    return fm.Network([6, 20, 9, 3], "relu", output, loss, seed=4, dtype=dtype, **options)


def results(net: fm.Network, history: fm.History | None = None) -> bytes:
    """All that training leaves behind."""
    fields = history.__dict__ if history is not None else {}
    lists = [fields.get(n, []) for n in ("loss", "validation_loss", "validation_accuracy")]
    lists.extend(fields.get("validation_metrics", {}).values())
    arrays = [net.parameters, net.statistics, *net.optimizer_state.values(), net.steps, *lists]
    return b"".join(np.asarray(array).tobytes() for array in arrays)


def assert_one_result(run: Callable[[float], bytes], dtype: str, fills=None) -> bytes:
    """Assert that what runs gives the same bits with every fill value; return them."""
    first, *others = map(run, fills or FILLS[dtype])
    for other in others:
        assert other == first
    return first


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("name", LOSSES)
def test_fit(dtype, name, normalization):
    def run(fill, **options):
        net = network(name, dtype, normalization=normalization, dropout=0.2)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        history = net.fit(X, y, 2, BATCH, fm.Adam(0.01), sample_weight=WEIGHT, **options)
        assert np.isfinite(net.parameters).all()
        assert np.isfinite(history.loss).all()
        return results(net, history)

    assert_one_result(run, dtype)


THREADS = """
import sys
import numpy as np
import fastmlp as fm

weight = (np.arange(90) % 3 > 0) * 1.5
none = weight[:, np.newaxis] == 0
for layers, normalization in (([4, 90, 3], "batch"), ([4, 600, 500, 3], None), ([4, 500, 1], None)):
    for fill in (0.0, 1e38):
        rng = np.random.default_rng(0)
        X = np.where(none, fill, rng.standard_normal((90, 4)))
        y = np.where(none, fill, rng.standard_normal((90, layers[-1])))
        options = {"normalization": normalization, "dropout": 0.1 if normalization else 0.0}
        net = fm.Network(layers, "relu", "identity", seed=1, **options)
        optimizer = fm.SGD(0.01, clip_norm=1.0)
        net.fit(X, y, 2, 32, optimizer, sample_weight=weight, n_threads=int(sys.argv[1]))
        print(net.parameters.tobytes().hex(), net.statistics.tobytes().hex())
"""


def test_threads(run_python):
    one, two = (run_python(THREADS, n, FASTMLP_EXACT_THREADS="1") for n in ("1", "2"))
    assert one.returncode == 0, one.stderr
    lines = one.stdout.splitlines()
    assert lines[0::2] == lines[1::2]
    assert two.stdout == one.stdout


@pytest.mark.parametrize(
    "optimizer",
    [
        fm.SGD(0.01),
        fm.SGD(0.01, momentum=0.9, nesterov=True, clip_norm=0.5),
        fm.RMSprop(0.01, l1=0.01, clip_value=0.1),
        fm.AdamW(0.01, weight_decay=0.1),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_optimizers_and_batches(dtype, optimizer, batch_size):
    def run(fill):
        net = network("huber", dtype)
        X, y = features(dtype, fill), targets("huber", dtype, fill)
        return results(net, net.fit(X, y, 2, batch_size, optimizer, sample_weight=WEIGHT))

    assert_one_result(run, dtype)


def test_a_batch_without_weight_is_no_step(dtype):
    """It moves nothing, and counts neither for the optimizer nor as a step of a callback."""

    class Steps(fm.Callback):
        def on_batch_end(self, network, step, loss):
            steps.append(step)

    steps = []
    with_it, without = network("huber", dtype), network("huber", dtype)
    optimizer = fm.Adam(0.01, weight_decay=0.1)
    X, y = features(dtype, 0.0), targets("huber", dtype, 0.0)
    history = with_it.fit(
        X, y, 1, BATCH, optimizer, sample_weight=WEIGHT, shuffle=False, callbacks=Steps()
    )
    expected = without.fit(
        X[BATCH:], y[BATCH:], 1, BATCH, optimizer, sample_weight=WEIGHT[BATCH:], shuffle=False
    )
    assert results(with_it, history) == results(without, expected)
    assert (with_it.steps, steps) == (9, list(range(1, 10)))


def test_sparse_and_raw_features(dtype):
    sparse = pytest.importorskip("scipy.sparse")

    def of_sparse(fill):
        net = network("mean_squared_error", dtype)
        X = sparse.csr_array(
            np.where(np.abs(features(dtype, fill)) < 0.5, 0, features(dtype, fill))
        )
        y = targets("mean_squared_error", dtype, fill)
        return results(net, net.fit(X, y, 2, BATCH, sample_weight=WEIGHT))

    def of_bytes(fill):
        net = network("mean_squared_error", dtype)
        X8 = np.where(NONE[:, np.newaxis], fill, np.abs(9 * X)).astype(np.uint8)
        y = targets("mean_squared_error", dtype, 1e30 * fill)
        return results(net, net.fit(X8, y, 2, BATCH, sample_weight=WEIGHT))

    assert_one_result(of_sparse, dtype)
    assert_one_result(of_bytes, dtype, (0, 9, 255))


@pytest.mark.parametrize("name", ["poisson", "custom", "labels"])
def test_streams_and_batches(dtype, name):
    def of_stream(fill):
        net = network(name, dtype, normalization="batch", dropout=0.2)
        stream = fm.ArrayStream(features(dtype, fill), targets(name, dtype, fill), WEIGHT)
        history = net.fit(stream, epochs=2, batch_size=BATCH, validation_data=stream)
        return results(net, history) + np.float64(net.evaluate(stream).loss).tobytes()

    def of_batches(fill):
        net = network(name, dtype, normalization="batch", dropout=0.2)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        parts = [slice(0, 4), slice(4, 30), slice(30, None)]  # the first is without any weight
        batches = [(X[part], y[part], WEIGHT[part]) for part in parts]
        history = net.fit(batches, epochs=2, batch_size=BATCH)
        return results(net, history) + np.float64(net.evaluate(batches).loss).tobytes()

    def of_arrays(fill):
        net = network(name, dtype, normalization="batch", dropout=0.2)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        return results(net, net.fit(X, y, 2, BATCH, sample_weight=WEIGHT, shuffle=False))

    assert_one_result(of_stream, dtype)
    assert assert_one_result(of_batches, dtype)[:-8] == assert_one_result(of_arrays, dtype)


def test_train_many(dtype):
    def run(fill):
        nets = [network("poisson", dtype, normalization=kind) for kind in (None, "batch")]
        X, y = features(dtype, fill), targets("poisson", dtype, fill)
        optimizer = fm.Adam(0.01)
        histories = fm.train_many(nets, X, y, 2, BATCH, optimizer, sample_weight=WEIGHT)
        return b"".join(map(results, nets, histories))

    assert_one_result(run, dtype)


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_objective_and_lbfgs(dtype, name, normalization):
    pytest.importorskip("scipy")

    def run(fill):
        net = network(name, dtype, normalization=normalization)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        loss, gradient = net.objective(X, y, sample_weight=WEIGHT)(net.parameters.copy())
        assert np.isfinite(gradient).all()
        history = net.fit(X, y, optimizer=fm.LBFGS(max_iterations=3), sample_weight=WEIGHT)
        return np.float64(loss).tobytes() + gradient.tobytes() + results(net, history)

    assert_one_result(run, dtype)


@pytest.mark.parametrize("name", LOSSES)
def test_evaluate_and_validation(dtype, name):
    def mine(y, outputs):
        return float(np.abs(outputs).sum())

    def run(fill):
        net = network(name, dtype)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        loss, accuracy = net.evaluate(X, y, sample_weight=WEIGHT)
        assert np.isfinite(loss)
        deciding = {"labels": ["f1", "auc"], "binary_cross_entropy": ["f1", "log_loss"]}
        history = net.fit(
            *(X[~NONE], y[~NONE]),
            1,
            validation_data=(X, y, WEIGHT),
            metrics=[mine, *deciding.get(name, [])],
        )
        return results(net, history) + np.float64([loss, accuracy or 0.0]).tobytes()

    assert_one_result(run, dtype)


@pytest.mark.parametrize("name", ["labels", "poisson"])
def test_the_validation_fraction(dtype, name):
    """Not even which samples are held out depends on the labels of those that do not count."""

    def run(fill):
        net = network(name, dtype)
        X, y = features(dtype, fill), targets(name, dtype, fill)
        history = net.fit(X, y, 2, sample_weight=WEIGHT, validation_fraction=0.3)
        return results(net, history)

    assert_one_result(run, dtype)


def test_classes_of_weight_0(dtype, blobs):
    def run(fill):
        net = fm.Network([4, 9, 3], seed=2, dtype=dtype)
        X, y = blobs
        X = np.where(y[:, np.newaxis] == 1, fill, X.astype(np.float64))
        return results(net, net.fit(X, y, 2, class_weight={1: 0.0}))

    assert_one_result(run, dtype)


@pytest.mark.parametrize("metric", [*metrics.CLASSIFICATION.values(), metrics.top_k_accuracy])
@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_metrics_of_decisions(metric, outputs, rng):
    p = rng.random((ROWS, outputs))
    y = rng.integers(0, outputs, ROWS) if outputs > 1 else (rng.random((ROWS, 1)) < 0.5) * 1.0
    if metric is metrics.top_k_accuracy:
        if outputs == 1:
            pytest.skip("it needs labels")
        y = y.astype(np.int64)

    def run(fill):
        said = np.where(NONE[:, np.newaxis], fill, p)
        truth = y.copy()
        truth[NONE] = int(fill > 0) if outputs > 1 else float(fill > 0)
        return np.float64(metric(truth, said, WEIGHT)).tobytes()

    expected = np.float64(metric(y[~NONE], p[~NONE], WEIGHT[~NONE])).tobytes()
    assert assert_one_result(run, "float64", (0.0, 1e308, -np.inf, np.nan)) == expected


@pytest.mark.parametrize("metric", metrics.REGRESSION.values())
def test_metrics_of_numbers(metric, rng):
    h, y = rng.random((2, ROWS, 2))

    def run(fill):
        outputs, truth = np.where(NONE[:, np.newaxis], fill, h), y.copy()
        truth[NONE] = -fill
        return np.float64(metric(truth, outputs, WEIGHT)).tobytes()

    assert_one_result(run, "float64", (0.0, 1e200, 1e308, np.inf))
    with pytest.raises(ValueError, match="sample_weight is 0 for every sample"):
        metric(y, h, np.zeros(ROWS))


@pytest.mark.parametrize("normalization", [None, "batch"])
@pytest.mark.parametrize("name", ["labels", "binary_cross_entropy", "poisson", "huber"])
def test_the_reference_does_the_same(name, normalization):
    """The same samples left out: in a step, in dropout's positions, and in what is measured."""

    def trained(library, fill):
        output, loss = LOSSES[name]
        net = library.Network(
            [6, 5, 3],
            "tanh",
            output,
            loss if isinstance(loss, str) else library.Huber(0.5),
            seed=4,
            dtype="float64",
            normalization=normalization,
            dropout=0.2,
        )
        X, y = features("float64", fill).tolist(), targets(name, "float64", fill).tolist()
        weight, optimizer = WEIGHT.tolist(), library.SGD(0.05, momentum=0.9)
        history = net.fit(
            X, y, 2, BATCH, optimizer, sample_weight=weight, validation_data=(X, y, weight)
        )
        return [*net.parameters, *history.loss, *history.validation_loss, net.steps]

    expected = trained(reference, 0.0)
    assert trained(reference, 1e300) == expected
    # 20 steps through two layers, the bound of test_normalization.py.
    bound = 5 * np.sqrt(2 * 20 * 2 * (6 + 24)) * np.finfo(np.float64).eps / 2 * 30
    np.testing.assert_allclose(trained(fm, 1e300), expected, rtol=bound, atol=bound)


class TestAllOfWeight0:
    """Refused before anything is trained, by the name of what is wrong."""

    def test_validation(self, blobs, assert_unchanged):
        net = fm.Network([4, 9, 3], seed=2)
        for data in ((*blobs, np.zeros(90)), fm.ArrayStream(*blobs, np.zeros(90))):
            with assert_unchanged(net), pytest.raises(ValueError, match="0 for every sample"):
                net.fit(*blobs, validation_data=data)

    def test_evaluate(self, blobs):
        net = fm.Network([4, 9, 3], seed=2)
        with pytest.raises(ValueError, match="sample_weight is 0 for every sample"):
            net.evaluate(*blobs, sample_weight=np.zeros(90))

    @pytest.mark.parametrize("library", [fm, reference])
    def test_an_order(self, blobs, library):
        net = library.Network([4, 9, 3], seed=2)
        orders = np.array([np.arange(90), np.full(90, 2)]).tolist()
        weight = (np.arange(90) % 2).tolist()
        with pytest.raises(ValueError, match="shuffle has an epoch"):
            net.fit(*(a.tolist() for a in blobs), 2, shuffle=orders, sample_weight=weight)
        assert net.epoch == 0

    def test_rows_of_train_many(self, blobs, assert_unchanged):
        net = fm.Network([4, 9, 3], seed=2)
        with assert_unchanged(net), pytest.raises(ValueError, match=r"rows\[0\]"):
            fm.train_many([net], *blobs, sample_weight=np.arange(90) % 2, rows=[[0, 2]])


@pytest.mark.parametrize("library", [fm, reference], ids=["compiled", "reference"])
def test_forward_does_not_know_the_weights(library):
    """Of three calls the parameters are those of one step; the running averages are of all rows."""
    x, y = X[:8].tolist(), (np.arange(8) % 3).tolist()
    several, one, unweighted = (
        library.Network([6, 5, 3], normalization="batch", seed=1) for _ in range(3)
    )
    several.forward(x)
    several.backward(y, sample_weight=[0, 0, 1, 1, 2, 1, 1, 1])
    several.update(library.SGD(0.1))
    one.train_on_batch(x, y, library.SGD(0.1), sample_weight=[0, 0, 1, 1, 2, 1, 1, 1])
    unweighted.forward(x)
    assert list(several.parameters) == list(one.parameters)
    assert list(several.running_means[0]) == list(unweighted.running_means[0])
    assert list(several.running_means[0]) != list(one.running_means[0])
