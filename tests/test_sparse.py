"""Sparse features give the numbers of dense ones, bit for bit, for all kinds of networks."""

import json
import os

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.network import model_of

sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

OPTIMIZERS = [
    fm.SGD(0.1),
    fm.SGD(0.1, momentum=0.9, nesterov=True),
    fm.SGD(0.1, l2=0.01),
    fm.SGD(0.1, clip_norm=0.1),
    fm.Adam(),
    fm.AdamW(l1=0.001, clip_value=0.01),
    fm.RMSprop(momentum=0.5),
]

# In a separate process for each instruction set and number of threads. Rows and columns without
# elements are among the data.
EQUAL = """
import json, os
import numpy as np, scipy.sparse as sp
import fastmlp as fm
from fastmlp import _core

rng = np.random.default_rng(3)
different = []
for dtype in ("float32", "float64"):
    for features, width in ((300, 1), (33, 5), (50, 16), (40, 17), (70, 64), (20, 200), (9, 600)):
        X = sp.random_array((75, features), density=0.06, rng=rng, dtype=dtype, format="csr")
        y = rng.integers(0, 3, 75)
        for batch_size in (1, 2, 31, 75):
            for optimizer in (fm.SGD(0.1), fm.Adam(l2=0.01)):
                nets = [fm.Network([features, width, 3], "tanh", seed=1, dtype=dtype) for _ in "ab"]
                for net, x in zip(nets, (X, X.toarray())):
                    net.fit(x, y, 2, batch_size, optimizer)
                same = np.array_equal(nets[0].parameters, nets[1].parameters)
                same &= np.array_equal(nets[0].predict(X), nets[1].predict(X.toarray()))
                if not same:
                    different.append([dtype, features, width, batch_size, repr(optimizer)])
print(json.dumps([_core.isa(), different]))
"""


# Batches that are large enough for threads to take portions of each other's work, if dense.
AFTER_DENSE = """
import hashlib
import numpy as np, scipy.sparse as sp
import fastmlp as fm

rng = np.random.default_rng(4)
X, Z = (sp.random_array((512, 400), density=0.3, rng=rng, format="csr") for _ in "ab")
y = rng.integers(0, 10, 512)
for optimizer in (fm.SGD(0.05), fm.Adam()):
    net = fm.Network([400, 256, 256, 10], seed=1)
    for x in (X.toarray(), Z, Z.toarray(), X):
        net.train_on_batch(x, y, optimizer)
    print(hashlib.sha256(net.parameters.tobytes()).hexdigest())
"""


@pytest.fixture
def data(rng, dtype):
    X = sparse.random_array((90, 50), density=0.05, rng=rng, dtype=dtype, format="csr")
    return X, rng.integers(0, 3, 90), rng.random(90)


def network(dtype, *layers, **settings):
    return fm.Network([50, *(layers or (20, 3))], seed=1, dtype=dtype, **settings)


def fitted(dtype, *arguments, **settings):
    net = network(dtype)
    return net.fit(*arguments, **settings), net.parameters.copy()


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_the_bits_of_dense_features(run_python, any_isa, threads):
    if any_isa != "scalar" and threads == "2":
        pytest.skip("threads do not know the instruction set")
    environment = {
        "FASTMLP_ISA": any_isa,
        "FASTMLP_EXACT_THREADS": "1",
        "FASTMLP_NUM_THREADS": threads,
    }
    done = run_python(EQUAL, **environment)
    assert json.loads(done.stdout) == [any_isa, []]


def test_batches_of_both_kinds_in_turn(run_python):
    results = {
        run_python(AFTER_DENSE, FASTMLP_EXACT_THREADS="1", FASTMLP_NUM_THREADS=threads).stdout
        for threads in "123"
    }
    assert len(results) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("width", [9, 40])
def test_optimizers(data, dtype, optimizer, width):
    X, y, weight = data
    nets = [network(dtype, width, 3) for _ in range(2)]
    for net, x in zip(nets, (X, X.toarray()), strict=True):
        net.fit(x, y, 3, 16, optimizer, sample_weight=weight)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_hidden_layer_of_few_inputs(dtype, rng, optimizer, outputs):
    """Dense features have all its gradients in one pass, sparse ones never."""
    X, y = rng.uniform(-0.2, 0.2, (90, 5)).astype(dtype), rng.random((90, outputs))
    nets = [fm.Network([5, 70, outputs], output="identity", seed=1, dtype=dtype) for _ in "ab"]
    for net, x in zip(nets, (X, sparse.csr_array(X)), strict=True):
        net.fit(x, y, 3, 16, optimizer)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("layer", [{"normalization": "batch"}, {"dropout": 0.3}])
def test_layers(data, dtype, layer):
    X, y, _ = data
    nets = [network(dtype, fm.Dense(24, "gelu", **layer), 3) for _ in range(2)]
    for net, x in zip(nets, (X, X.toarray()), strict=True):
        net.fit(x, y, 3, 16)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_one_layer_alone(data, dtype):
    X, y, _ = data
    nets = [network(dtype, 3) for _ in range(2)]
    for net, x in zip(nets, (X, X.toarray()), strict=True):
        net.fit(x, y, 3, 16)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # of many diagonals
@pytest.mark.parametrize(
    "container",
    ["csr_matrix", "bsr_array", "coo_array", "csc_array", "dia_array", "dok_array", "lil_array"],
)
def test_containers(data, dtype, container):
    X, y, _ = data
    other = getattr(sparse, container)(X)
    np.testing.assert_array_equal(fitted(dtype, other, y)[1], fitted(dtype, X, y)[1])


def test_values(data, dtype, rng):
    X, _, weight = data
    y = rng.random((90, 2))
    nets = [network(dtype, 20, 2, output="sigmoid") for _ in range(2)]
    for net, x in zip(nets, (X, X.toarray()), strict=True):
        net.fit(x, y, 2, 16)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert nets[0].evaluate(X, y) == nets[1].evaluate(X.toarray(), y)
    weighed = nets[0].evaluate(X, y, sample_weight=weight)
    assert weighed == nets[1].evaluate(X.toarray(), y, sample_weight=weight)


def test_validation(data, dtype):
    X, y, _ = data
    dense = X.toarray()
    for ours, theirs in (
        ({"validation_fraction": 0.2}, {"validation_fraction": 0.2}),
        ({"validation_data": (X, y)}, {"validation_data": (dense, y)}),
    ):
        history, parameters = fitted(dtype, X, y, 3, metrics="f1", **ours)
        expected, trained = fitted(dtype, dense, y, 3, metrics="f1", **theirs)
        np.testing.assert_array_equal(parameters, trained)
        assert history.validation_loss == expected.validation_loss


def test_other_forms_of_the_same(data, dtype):
    """Indices of 64 bits, unsorted rows, duplicates, zeros that are stored, other dtypes."""
    X, y, _ = data
    expected = fitted(dtype, X, y)[1]
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    backwards = X.copy()
    for i in range(90):
        row = slice(*X.indptr[i : i + 2])
        backwards.indices[row] = X.indices[row][::-1]
        backwards.data[row] = X.data[row][::-1]
    halves = sparse.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape
    )
    before = backwards.indices.copy()
    for other in (wide, backwards, halves, X.astype(np.longdouble)):
        np.testing.assert_array_equal(fitted(dtype, other, y)[1], expected)
    np.testing.assert_array_equal(backwards.indices, before)  # the input is unchanged
    zeros = X.copy()
    zeros.data[::3] = 0
    np.testing.assert_array_equal(fitted(dtype, zeros, y)[1], fitted(dtype, zeros.toarray(), y)[1])


def test_out(data, dtype):
    X, _, _ = data
    net = network(dtype)
    out = np.empty((90, 3), dtype)
    assert net.predict(X, out) is out
    np.testing.assert_array_equal(out, net.predict(X.toarray()))
    assert net.predict(X[:0]).shape == (0, 3)


def broken(X, change):
    result = X.copy()
    change(result)
    return result


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.data.__setitem__(7, np.nan), r"X contains NaN at row \d+, column \d+"),
        (lambda X: X.data.__setitem__(7, np.inf), "X contains infinity"),
        (lambda X: X.indices.__setitem__(7, 50), "X is not a valid sparse matrix"),
        (lambda X: X.indices.__setitem__(7, -1), "X is not a valid sparse matrix"),
        (lambda X: X.indptr.__setitem__(3, 10**6), "X is not a valid sparse matrix"),
        (lambda X: X.indptr.__setitem__(0, 1), "X is not a valid sparse matrix"),
    ],
)
@pytest.mark.parametrize("container", ["csr_array", "csc_array"])
def test_bad_matrices(data, dtype, change, message, container):
    X, y, _ = data
    bad = broken(getattr(sparse, container)(X[:50] if container == "csc_array" else X), change)
    y = y[: bad.shape[0]]
    net = network(dtype)
    before = net.parameters.copy()
    for call in (lambda: net.fit(bad, y), lambda: net.evaluate(bad, y), lambda: net.predict(bad)):
        with pytest.raises(ValueError, match=message):
            call()
    np.testing.assert_array_equal(net.parameters, before)


def test_shapes_and_types(data, dtype):
    X, y, _ = data
    net = network(dtype)
    with pytest.raises(ValueError, match="X has 49 features"):
        net.fit(X[:, :49], y)
    with pytest.raises(ValueError, match="X has 0 samples"):
        net.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="X is complex"):
        net.fit(X.astype(complex), y)
    for call in (
        net.forward,
        net.jacobian,
        lambda x: net.fit(x, y, optimizer=fm.LBFGS()),
        lambda x: fm.train_many([net], x, y),
        lambda x: net.objective(x, y),
    ):
        with pytest.raises(TypeError, match=r"X is sparse.*X\.toarray"):
            call(X)


def test_a_callback_cannot_lead_astray(data, dtype):
    X, y, _ = data
    other = X.copy()

    def spoil(*_):
        other.indices[:] = 10**9

    trained = fitted(dtype, other, y, 3, callbacks=spoil)[1]
    np.testing.assert_array_equal(trained, fitted(dtype, X, y, 3)[1])


def test_the_history_counts_stored_elements(rng):
    X = sparse.random_array((64, 4000), density=0.0001, rng=rng, format="csr")
    y = np.arange(64) % 3
    net = fm.Network([4000, 64, 3], seed=1)
    history = net.fit(X, y, 1, 64)
    products = 4 * 64 * X.nnz / 64 + 6 * 64 * 3
    assert history.flops_per_sample == products
    assert history.n_threads == model_of(net).core.threads_for(64, density=0.0001)
    dense = net.fit(X.toarray(), y, 1, 64)
    assert dense.flops_per_sample == 4 * 4000 * 64 + 6 * 64 * 3
    assert dense.n_threads == model_of(net).core.threads_for(64)
    if dense.n_threads > 1 and "FASTMLP_EXACT_THREADS" not in os.environ:
        assert history.n_threads < dense.n_threads  # 0.08 instead of 66 MFLOP a step
