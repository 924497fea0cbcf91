"""Scaling of the outputs of heads: those that are numbers are scaled, the others left."""

import importlib
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

RNG = np.random.default_rng(3)
X = RNG.normal([20.0, -3.0, 1e4], [5.0, 0.1, 3e3], (60, 3))
NUMBERS = np.column_stack([100 * X[:, 0] + X[:, 2], X[:, 1] - X[:, 0] / 10])
LABELS = (X[:, 0] > 20).astype(int) + (X[:, 2] > 1e4)
FACTORS = ("input_scale", "input_offset", "output_scale", "output_offset")
LOSSES = ["mean_squared_error", "mean_absolute_error", "huber", "quantile"]


def heads_of(library, loss="mean_squared_error"):
    """Return classes, two numbers of any unit, and one between -1 and 1."""
    return library.Heads(
        policy=library.Head(3, "softmax"),
        value=library.Head(2, "identity", loss, weight=0.5),
        side=library.Head(1, "tanh"),
    )


def network(loss="mean_squared_error", dtype="float32", library=fm):
    return library.Network([3, 8, heads_of(library, loss)], "tanh", seed=1, dtype=dtype)


def targets(value=NUMBERS):
    return LABELS, value, np.tanh(X[:, 1] + 3)


def assert_same_bits(these, those):
    assert [np.asarray(a).tobytes() for a in these] == [np.asarray(b).tobytes() for b in those]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("constant", [False, True], ids=["", "with a constant column"])
def test_one_head_of_numbers_has_the_bits_of_a_network_without_heads(loss, constant, dtype):
    y = np.column_stack([NUMBERS[:, 0], np.full(60, 7.0)]) if constant else NUMBERS
    head = fm.Heads(value=fm.Head(2, "identity", loss))
    plain = fm.Network([3, 8, 2], "tanh", "identity", loss, seed=1, dtype=dtype)
    net = fm.Network([3, 8, head], "tanh", seed=1, dtype=dtype)
    results = []
    for each, of in ((net, (y,)), (plain, y)):
        history = each.fit(
            X,
            of,
            3,
            16,
            "adam",
            standardize=True,
            validation_data=(X[:9], (y[:9],)) if each is net else (X[:9], y[:9]),
        )
        outputs = each.forward(X)
        loss_of_step = each.backward(of)
        results.append(
            [
                *(getattr(each, name) for name in FACTORS),
                history.loss,
                history.validation_loss,
                outputs,
                loss_of_step,
                each.gradients,
                each.predict(X),
                each.evaluate(X, of).loss,
                each.jacobian(X[:5]),
                each.input_gradient(X, of),
                each.objective(X, of).hvp(np.ones(each.n_parameters)),
                each.train_on_batch(
                    X[:8].astype(dtype), tuple(t[:8] for t in of) if each is net else of[:8], "sgd"
                ),
                each.forward(X) @ np.ones(2, dtype),
                each.backward(gradient=np.ones((60, 2), dtype)) or 0.0,
                each.feature_gradients,
                each.parameters,
            ]
        )
    assert_same_bits(*results)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("constant", [False, True], ids=["", "with a constant column"])
def test_the_reference_computes_the_same(loss, constant):
    value = np.column_stack([NUMBERS[:, 0], np.full(60, 7.0)]) if constant else NUMBERS
    net, twin = network(loss, "float64"), network(loss, "float64", reference)
    y = targets(value)
    weight = RNG.integers(0, 3, 60).astype(float)
    options = {"epochs": 2, "sample_weight": weight, "standardize": True, "shuffle": False}
    ours = net.fit(X, y, class_weight={"policy": {0: 3.0}}, **options)
    lists = tuple(part.tolist() for part in y)
    theirs = twin.fit(
        X.tolist(),
        lists,
        class_weight={"policy": {0: 3.0}},
        **{**options, "sample_weight": weight.tolist()},
    )

    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)

    close(net.output_scale, twin.output_scale)
    close(net.output_offset, twin.output_offset)
    close(ours.loss, theirs.loss)
    for name in ("policy_loss", "value_loss", "side_loss"):
        close(ours.head_losses[name], theirs.head_losses[name])
    close(net.parameters, twin.parameters)
    close(net.predict(X), twin.predict(X.tolist()))
    one, other = net.evaluate(X, y), twin.evaluate(X.tolist(), lists)
    close(one.loss, other.loss)
    for name in ("policy", "value", "side"):
        close(one.heads[name].loss, other.heads[name].loss)
    close(net.input_gradient(X, y), twin.input_gradient(X.tolist(), lists))
    close(net.jacobian(X[:4]), twin.jacobian(X[:4].tolist()))
    v = RNG.standard_normal(net.n_parameters)
    close(net.objective(X, y).hvp(v), twin.objective(X.tolist(), lists).hvp(v.tolist()))


@pytest.mark.parametrize("library", [fm, reference], ids=["fastmlp", "reference"])
def test_adapt_learns_the_numbers_and_leaves_the_rest(library):
    net = network(library=library)
    net.adapt(X.tolist(), tuple(part.tolist() for part in targets()))
    expected = [1, 1, 1, *NUMBERS.std(0), 1], [0, 0, 0, *NUMBERS.mean(0), 0]
    np.testing.assert_allclose((net.output_scale, net.output_offset), expected, rtol=1e-6)


def test_losses_of_each_head_are_in_its_units(dtype):
    net = network("mean_absolute_error", dtype)
    net.adapt(X, targets())
    losses = net.evaluate(X, targets()).heads
    error = np.abs(net.split(net.predict(X))[1] - NUMBERS).mean()
    np.testing.assert_allclose(losses["value"].loss, error, rtol=1e-5)
    history = net.fit(X, targets(), 1, None, "sgd", shuffle=False)
    np.testing.assert_allclose(history["value_loss"], [error], rtol=1e-5)
    total = losses["policy"].loss + 0.5 * losses["value"].loss + losses["side"].loss
    np.testing.assert_allclose(history.loss, [total], rtol=1e-5)


def test_standardized_heads_learn():
    net = network()
    net.fit(X, targets(), 60, optimizer=fm.Adam(0.02), standardize=True)
    residual = net.split(net.predict(X))[1] - NUMBERS
    assert (residual.std(0) < 0.5 * NUMBERS.std(0)).all()
    assert net.evaluate(X, targets()).heads["policy"].accuracy > 0.8


@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
def test_streams_are_read_as_arrays(stream):
    net, other = network(), network()
    net.adapt(X, targets())
    if stream:
        other.adapt(fm.ArrayStream(X, targets(), block_rows=20))
    else:
        other.fit(X, targets(), 1, standardize=True)
    for name in FACTORS:
        np.testing.assert_allclose(getattr(other, name), getattr(net, name), rtol=1e-6)


def test_copies_files_and_pickles_keep_it(tmp_path, dtype):
    net = network(dtype=dtype)
    net.fit(X, targets(), 2, standardize=True)
    net.save(tmp_path / "net")
    again = network(dtype=dtype)
    again.adapt(X, targets())
    again.soft_update(net, 1.0)
    for same in (fm.load(tmp_path / "net"), pickle.loads(pickle.dumps(net)), net.copy(), again):
        assert_same_bits(
            (same.predict(X), *(getattr(same, name) for name in FACTORS)),
            (net.predict(X), *(getattr(net, name) for name in FACTORS)),
        )


@pytest.mark.parametrize("name", ["output_scale", "output_offset"])
@pytest.mark.parametrize("library", [fm, reference], ids=["fastmlp", "reference"])
def test_only_heads_of_identity_are_scaled(library, name):
    net = network(library=library)
    with pytest.raises(ValueError, match=r"only outputs of identity can be scaled.*policy"):
        setattr(net, name, [2.0] * 6)
    assert net.output_scale is None
    left = {"output_scale": 1.0, "output_offset": 0.0}[name]
    setattr(net, name, [left, left, left, 5.0, 6.0, left])
    assert list(getattr(net, name)) == [left, left, left, 5.0, 6.0, left]


def test_a_view_that_scales_classes_is_refused_where_it_matters(tmp_path):
    net = network()
    net.adapt(X, targets())
    net.output_scale[0] = 2.0
    with pytest.raises(ValueError, match=r"only outputs of identity can be scaled.*policy"):
        net.save(tmp_path / "net")
    for call in (net.fit, net.evaluate, net.input_gradient):
        with pytest.raises(ValueError, match=r"only outputs of identity can be scaled.*policy"):
            call(X, targets())


def test_heads_without_numbers_are_refused_by_name():
    net = fm.Network([3, fm.Heads(a=fm.Head(2, "softmax"), b=fm.Head(1, "tanh"))], seed=1)
    with pytest.raises(ValueError, match="no head of this network has them: a, b; pass X alone"):
        net.adapt(X, (LABELS % 2, X[:, 1]))
    net.fit(X, (LABELS % 2, X[:, 1]), 1, standardize=True)
    assert net.output_scale is None


def joined(outputs):
    return np.concatenate([np.asarray(part) for part in outputs], axis=1)


def in_torch(net, _):
    torch = pytest.importorskip("torch")
    model = net.to_torch()
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(X))), fm.from_torch(model)


def in_keras(net, _):
    pytest.importorskip("keras")
    keras = importlib.import_module("keras")
    model = net.to_keras()
    outputs = model(X)
    parts = (keras.ops.convert_to_numpy(outputs[name]) for name in net.heads)
    return joined(parts), fm.from_keras(model)


def in_onnx(net, path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    net.to_onnx(path / "net.onnx")
    session = runtime.InferenceSession(path / "net.onnx", providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"X": X})[0]), fm.from_onnx(path / "net.onnx")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, about NumPy
@pytest.mark.parametrize("library", [in_torch, in_keras, in_onnx])
def test_raw_rows_are_predicted_alike(library, tmp_path):
    net = network(dtype="float64")
    net.fit(X, targets(), 2, standardize=True)
    theirs, again = library(net, tmp_path)
    # Keras multiplies matrices in float32, of any dtype. Sums have up to 9 terms of about 1.
    bound = 64 * np.finfo("float32" if library is in_keras else "float64").eps
    scale = net.output_scale + np.abs(net.output_offset)
    for outputs in (theirs, again.predict(X)):
        np.testing.assert_allclose(outputs / scale, net.predict(X) / scale, rtol=0, atol=bound)
    assert list(again.heads) == list(net.heads)
