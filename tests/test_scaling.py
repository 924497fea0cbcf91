"""Scale and offset inside the network: applied everywhere and kept.

Over 400 lines, as all tests use the same scaled network.
"""

import pickle
import shutil
import subprocess

import numpy as np
import pytest
from trajectories import bound

import fastmlp as fm
from fastmlp import reference

RNG = np.random.default_rng(5)
X = RNG.normal([20.0, -3.0, 1e4], [5.0, 0.1, 3e3], (60, 3))
Y = np.column_stack([100 * X[:, 0] + X[:, 2], X[:, 1] - X[:, 0] / 10])
NEW = X[:7] + 0.01


def scaled_net(dtype="float32", loss="mean_squared_error", seed=1):
    net = fm.Network([3, 8, 2], "tanh", "identity", loss, seed, dtype)
    net.adapt(X, Y)
    return net


def by_hand(net, x, fma):
    """Return features as the network reads them, and the twin that reads them so."""
    twin = fm.Network([3, 8, 2], "tanh", "identity", net.loss, net.seed, net.dtype)
    twin.parameters = net.parameters
    exact = x.dtype in (np.float32, net.dtype) or x.dtype.itemsize < 4
    work = net.dtype if exact else np.float64
    factors = (x, net.input_scale, net.input_offset)
    return fma(*(f.astype(work) for f in factors)).astype(net.dtype), twin


@pytest.mark.parametrize("source", ["float32", "float64", "int64", "int16"])
def test_features_are_read_as_rescaled_reads_them(dtype, fma, source):
    net, x = scaled_net(dtype), X.astype(source)
    z, twin = by_hand(net, x, fma)
    expected = fma(twin.predict(z), net.output_scale, net.output_offset)
    assert net.predict(x).tobytes() == expected.tobytes()
    assert net.predict(x[:1]).tobytes() == expected[:1].tobytes()
    assert net.forward(x, training=False).tobytes() == expected.tobytes()
    assert net.nodes[0].tobytes() == z.tobytes()
    rescaled = fm.Rescaled(x, net.input_scale, net.input_offset)
    assert twin.predict(rescaled).tobytes() == twin.predict(z).tobytes()


@pytest.mark.parametrize("source", [">f8", ">f4", ">i4", np.longdouble])
def test_any_real_type_is_adapted_to(source):
    """Also those that the core does not read, on which a fit trains."""
    x = X.astype(source)
    net, same, streamed = (fm.Network([3, 8, 2], output="identity", seed=1) for _ in range(3))
    net.adapt(x, Y)
    same.adapt(x.astype(np.float64), Y)
    streamed.adapt(fm.ArrayStream(x, Y))
    for each in (net, streamed):
        assert each.input_scale.tobytes() == same.input_scale.tobytes()
        assert each.input_offset.tobytes() == same.input_offset.tobytes()


@pytest.mark.parametrize("source", ["float32", "float64", "int64"])
@pytest.mark.parametrize("optimizer", [fm.SGD(0.05), fm.Adam(0.01)])
@pytest.mark.parametrize("batch_size", [1, 16, None])
def test_fit_trains_on_what_is_scaled(dtype, fma, source, optimizer, batch_size):
    net, x = scaled_net(dtype), X.astype(source)
    z, twin = by_hand(net, x, fma)
    y = Y.astype(dtype).astype(np.float64)
    t = ((y - net.output_offset.astype(float)) / net.output_scale.astype(float)).astype(dtype)
    net.fit(x, Y, 3, batch_size, optimizer)
    twin.fit(z, t, 3, batch_size, optimizer)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_the_three_steps_are_a_fit(dtype):
    net, twin = scaled_net(dtype), scaled_net(dtype)
    net.fit(X, Y, 4, None, fm.SGD(0.1), shuffle=False)
    for _ in range(4):
        twin.forward(X)
        twin.backward(Y)
        twin.update(0.1)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


LOSSES = ["mean_squared_error", "mean_absolute_error", fm.Huber(0.7), fm.Quantile(0.2)]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_losses_are_in_units_of_y(loss):
    net = scaled_net("float64", loss)
    history = net.fit(X, Y, 1, None, fm.SGD(1e-12), validation_data=(X, Y))
    outputs, s = net.predict(X), net.output_scale
    error = outputs - Y
    if net.loss == "mean_squared_error":
        expected = (error**2).mean()
    elif net.loss == "mean_absolute_error":
        expected = abs(error).mean()
    elif net.loss == "quantile":
        expected = np.maximum(0.2 * -error, 0.8 * error).mean()
    else:  # Huber's delta is in units of the scale
        d = 0.7 * s
        small, large = error**2 / 2, d * (abs(error) - d / 2)
        expected = np.where(abs(error) <= d, small, large).mean()
    assert net.evaluate(X, Y).loss == pytest.approx(expected, rel=1e-12)
    assert history.validation_loss[0] == pytest.approx(expected, rel=1e-12)
    assert history.loss[0] == pytest.approx(expected, rel=1e-6)
    net.forward(X, training=False)
    weights = s**2 if net.loss in ("mean_squared_error", "huber") else s
    if np.ptp(weights) == 0:
        assert net.backward(Y) * weights[0] == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("weights", [None, [0.5, 3.0]])
def test_the_loss_of_an_output_of_scale_0_is_that_of_its_offset(loss, weights):
    net = scaled_net("float64", loss)
    net.output_scale, net.loss_weights = [0.3, 0.0], weights
    expected = net.evaluate(X, Y).loss
    history = net.fit(X, Y, 1, None, fm.SGD(1e-12))
    assert history.loss[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_reference_computes_the_same(loss):
    name = {fm.Huber: reference.Huber, fm.Quantile: reference.Quantile}
    twin_loss = (
        loss
        if isinstance(loss, str)
        else name[type(loss)](loss.delta if isinstance(loss, fm.Huber) else loss.quantile)
    )

    def results(disturb, library=fm):
        chosen = loss if library is fm else twin_loss
        net = library.Network([3, 8, 2], "tanh", "identity", chosen, 1, "float64")
        if disturb is not None:
            disturb(net)
        history = net.fit(*lists[2:], 3, 16, library.SGD(0.05), standardize=True)
        gradient = net.input_gradient(*lists[:2])
        evaluation = net.evaluate(*lists[2:])
        scaling = (net.input_scale, net.input_offset, net.output_scale, net.output_offset)
        derivatives = net.jacobian(lists[0])
        return map(np.array, (*scaling, history.loss, [evaluation.loss], net.predict(lists[0]),
                              derivatives, gradient))  # fmt: skip

    lists = [array.tolist() for array in (NEW, Y[:7], X, Y)]
    ours, twin = results(None), results(None, reference)
    for i, (mine, other) in enumerate(zip(ours, twin, strict=True)):
        # Twelve steps through two layers and two scalings, of sums of at most 16 terms; the
        # moments are of sums of 60.
        tolerance = bound(lambda disturb, i=i: list(results(disturb))[i], 12 * 4 * (60 + 16))
        assert tolerance < 1e-9 * np.abs(mine).max()
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("loss", ["mean_squared_error", fm.Huber(0.7)], ids=str)
def test_derivatives_are_by_raw_features(loss):
    net = scaled_net("float64", loss)
    net.fit(X, Y, 5)
    jacobian, gradient = net.jacobian(NEW), net.input_gradient(NEW, Y[:7])
    rows = [slice(b, b + 1) for b in range(7)]

    def losses(x):
        return np.array([net.evaluate(x[row], Y[row]).loss for row in rows])

    for j, deviation in enumerate(X.std(axis=0)):
        for f, derivative in ((net.predict, jacobian[:, :, j]), (losses, gradient[:, j])):
            check_differences(f, derivative, j, 1e-4 * deviation)


def check_differences(f, derivative, j, step):
    """Compare a derivative by feature j with central differences of f.

    Their error is that of the series, a quarter of it at half the step, and the rounding of f: sums
    of 8 and 3 terms, tanh and scalings, next to its largest value, or that of its parts.
    """

    def difference(h):
        change = h * np.eye(3)[j]
        return (f(NEW + change) - f(NEW - change)) / (2 * h)

    values = np.abs(f(NEW)).max() + np.abs(Y).max() ** 2
    rounding = 2 * (8 + 3 + 8) * np.finfo(float).eps * values / step
    series = np.abs(difference(2 * step) - difference(step))
    found = np.abs(difference(step) - derivative)
    assert (found <= series + rounding).all()
    assert (series + rounding).max() < 1e-3 * np.abs(derivative).max()


def test_files_pickles_checkpoints_and_copies_keep_it(tmp_path, dtype):
    net = scaled_net(dtype)
    net.fit(X, Y, 2)
    net.save(tmp_path / "net")
    net.save_checkpoint(tmp_path / "ckpt")
    for again in (
        fm.load(tmp_path / "net"),
        fm.load_checkpoint(tmp_path / "ckpt"),
        pickle.loads(pickle.dumps(net)),
        net.copy(),
    ):
        assert again.predict(NEW).tobytes() == net.predict(NEW).tobytes()
        assert again.output_scale.tobytes() == net.output_scale.tobytes()
    net.input_scale = net.output_scale = None
    net.save(tmp_path / "net")
    assert b'"version":"1"' in (tmp_path / "net").read_bytes()


def test_views_are_live_and_settable(dtype):
    net = scaled_net(dtype)
    view, before = net.input_scale, net.predict(NEW)
    view *= 2
    assert (net.predict(NEW) != before).any()
    net.input_scale = 1
    assert (view == 1).all()
    net.input_offset = [0, 0, 0]
    net.output_scale, net.output_offset = 1, 0
    plain = fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype=dtype)
    assert net.predict(NEW.astype(dtype)).tobytes() == plain.predict(NEW.astype(dtype)).tobytes()
    net.input_scale = net.output_offset = None
    assert (net.input_scale, net.input_offset) == (None, None)
    assert (net.output_scale, net.output_offset) == (None, None)
    net.output_offset = 5
    assert (net.output_scale == 1).all()


def test_training_does_not_change_it():
    net = scaled_net()
    before = [part.copy() for part in (net.input_scale, net.output_offset)]
    net.fit(X, Y, 3, optimizer="adam")
    for old, part in zip(before, (net.input_scale, net.output_offset), strict=True):
        assert old.tobytes() == part.tobytes()


def test_lbfgs_reports_units():
    pytest.importorskip("scipy")
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype="float64")
    with pytest.warns(fm.ConvergenceWarning):
        history = net.fit(X, Y, optimizer=fm.LBFGS(max_iterations=30), standardize=True)
    assert history.loss[-1] == pytest.approx(net.evaluate(X, Y).loss, rel=1e-9)
    loss, gradient = net.objective(X, Y)(net.parameters.copy())
    assert loss < 1
    assert gradient.shape == net.parameters.shape


def test_sparse_features_have_a_scale_only(dtype):
    sparse = pytest.importorskip("scipy.sparse")
    x = X * (RNG.random(X.shape) < 0.5)
    net, twin = (fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype=dtype) for _ in range(2))
    for network in (net, twin):
        network.adapt(sparse.csr_matrix(x), Y)
    np.testing.assert_allclose(net.input_scale, 1 / x.std(axis=0), rtol=1e-5)
    assert not net.input_offset.any()
    net.fit(sparse.csr_matrix(x.astype(dtype)), Y, 2, 16)
    twin.fit(x.astype(dtype), Y, 2, 16)
    # The features that are 0 are left out of sums, which changes at most the sign of a zero.
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    np.testing.assert_array_equal(net.predict(sparse.csr_matrix(x)), net.predict(x))
    net.input_offset = 1
    with pytest.raises(ValueError, match="X is sparse, and the network adds an offset"):
        net.predict(sparse.csr_matrix(x))


def test_custom_losses_see_units(fma):
    def loss(outputs, y, gradient):
        gradient[...] = 2 * (outputs - y) / y.shape[1]
        return ((outputs - y) ** 2).mean(axis=1)

    net = fm.Network([3, 8, 2], "tanh", "identity", loss, seed=1, dtype="float64")
    net.adapt(X)
    net.output_scale, net.output_offset = 3.0, Y.mean(axis=0)
    twin = fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype="float64")
    twin.adapt(X)
    twin.output_scale, twin.output_offset = 3.0, Y.mean(axis=0)
    net.forward(X)
    assert net.backward(Y) == pytest.approx(net.evaluate(X, Y).loss)
    twin.forward(X)
    twin.backward(Y)
    # The loss of y is 9 times that of what is scaled.
    np.testing.assert_allclose(net.gradients, 9 * twin.gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda net: net.predict(fm.Rescaled(X, 2)), "X is Rescaled, and the network scales"),
        (lambda net: net.fit(fm.Rescaled(X, 2), Y), "X is Rescaled, and the network scales"),
        (lambda net: setattr(net, "input_scale", [1, 2]), r"input_scale must be a number or have"),
        (lambda net: setattr(net, "input_offset", np.nan), "input_offset must be finite"),
        (lambda net: setattr(net, "output_scale", -1), "output_scale must be at least 0"),
        (lambda net: net.adapt(X[:, :2]), "X has 2 features"),
        (lambda net: net.adapt(X[:0]), "X has 0 samples"),
        (lambda net: net.adapt(X, Y[:3]), "y has 3 samples"),
        (lambda net: net.adapt(np.where(X > 0, X, np.nan)), "X contains NaN"),
    ],
)
def test_what_is_refused(assert_unchanged, use, message):
    net = scaled_net()
    before = [net.input_scale.copy(), net.output_offset.copy()]
    with pytest.raises(ValueError, match=message):
        use(net)
    np.testing.assert_array_equal(before[0], net.input_scale)
    np.testing.assert_array_equal(before[1], net.output_offset)


def test_only_identity_outputs_are_scaled():
    net = fm.Network([3, 2], seed=1)
    with pytest.raises(ValueError, match="only outputs of identity can be scaled"):
        net.output_scale = 2


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "labels"])
def test_predict_classes(output):
    net = fm.Network(
        [3, 1 if output == "sigmoid" else 3], output=output.replace("labels", "sigmoid")
    )
    twin = reference.Network([3, net.layers[-1].nodes], output=net.layers[-1].activation)
    twin.parameters = net.parameters.tolist()
    probabilities = net.predict(X)
    classes = net.predict_classes(X)
    if output == "labels":
        np.testing.assert_array_equal(classes, probabilities > 0.5)
        assert classes.dtype == bool
        return
    expected = probabilities.argmax(1) if output == "softmax" else probabilities[:, 0] > 0.5
    np.testing.assert_array_equal(classes, expected)
    assert classes.tolist() == twin.predict_classes(X.tolist())
    names = ["a", "b", "c"][: 2 + (output == "softmax")]
    net.class_names = names
    assert net.predict_classes(X).tolist() == [names[int(i)] for i in expected]


def test_predict_classes_of_numbers():
    with pytest.raises(ValueError, match="predict_classes needs outputs of softmax or sigmoid"):
        scaled_net().predict_classes(X)


def test_raw_wine_after_loading(tmp_path):
    """The accuracy of a network that was trained on scaled features does not fall to chance."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_wine(return_X_y=True)
    net = fm.Network([13, 16, 3], seed=1)
    net.fit(x, y, 100, standardize=True)
    assert net.evaluate(x, y).accuracy > 0.99
    net.save(tmp_path / "wine")
    assert fm.load(tmp_path / "wine").evaluate(x, y).accuracy == net.evaluate(x, y).accuracy


def test_onnx_has_the_scaling(tmp_path, dtype):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    net = scaled_net(dtype)
    net.to_onnx(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = NEW.astype(dtype)
    eps = float(np.finfo(dtype).eps)
    # Features are rounded twice, next to offsets of up to 30, and outputs are of up to 1e4.
    np.testing.assert_allclose(
        session.run(None, {"X": x})[0], net.predict(x), rtol=0, atol=64 * eps * 1e4
    )


C_PROGRAM = """
#include <stdio.h>
#include "net.h"
int main(void) {
    REAL x[NET_FEATURES], y[NET_OUTPUTS], workspace[NET_WORKSPACE];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        net_predict(net_parameters, x, y, workspace);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("layers", [[3, 8, 2], [3, 2]])
def test_c_has_the_scaling(tmp_path, dtype, layers):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    net = fm.Network(layers, "tanh", "identity", seed=1, dtype=dtype)
    net.adapt(X, Y)
    net.export_c(tmp_path / "net.h", "net")
    (tmp_path / "main.c").write_text(C_PROGRAM)
    real = "float" if dtype == "float32" else "double"
    options = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
    command = [compiler, *options, f"-DREAL={real}", "main.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    x = NEW.astype(dtype)
    done = subprocess.run([tmp_path / "main"], input=x.tobytes(), capture_output=True, check=True)
    assert done.stdout == net.predict(x).tobytes()


@pytest.mark.parametrize("source", ["float64", "float32", "int64", "int16"])
def test_sparse_features_are_scaled_as_dense_ones(dtype, source):
    sparse = pytest.importorskip("scipy.sparse")
    x = RNG.standard_normal((60, 3)) * 1e5 * (RNG.random((60, 3)) < 0.5)
    x = (x / 10).astype("int16") if source == "int16" else (x * 1e4).astype(source)
    rows = sparse.csr_matrix(x)
    net, twin, learning = (
        fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype=dtype) for _ in range(3)
    )
    net.adapt(rows, Y)
    twin.input_scale, twin.output_scale = net.input_scale, net.output_scale
    twin.output_offset = net.output_offset
    net.fit(rows, Y, 2, 16)
    twin.fit(x, Y, 2, 16)
    net.train_on_batch(rows, Y, "adam")
    twin.train_on_batch(x, Y, "adam")
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.predict(rows).tobytes() == twin.predict(x).tobytes()
    assert net.evaluate(rows, Y) == twin.evaluate(x, Y)
    learning.fit(rows, Y, 2, 16, standardize=True)
    assert learning.input_scale.tobytes() == net.input_scale.tobytes()


def test_sparse_features_that_scales_make_infinite_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    net = fm.Network([2, 1], output="identity", seed=1)
    net.input_scale = [1.0, 1e5]
    x = np.array([[0.0, 1.0], [0.0, 1e36]])
    for rows in (x, sparse.csr_matrix(x)):
        with pytest.raises(ValueError, match=r"X holds 1e\+36 at row 1, column 1: scale"):
            net.predict(rows)


def too_large(dtype):
    """Return a network, features of which the scale makes one infinite, and targets."""
    net = fm.Network([3, 8, 2], "tanh", "identity", seed=1, dtype=dtype)
    net.input_scale = [1e3, 1e-3, 0.0]
    x = np.ones((40, 3), dtype)
    x[:, 1] = x[:, 2] = np.finfo(dtype).max  # which the scale makes small
    x[17, 0] = np.finfo(dtype).max / 100
    return net, x, np.zeros((40, 2), dtype)


READERS = {
    "predict": lambda net, x, y: net.predict(x),
    "predict many": lambda net, x, y: net.predict(np.repeat(x, 300, axis=0)),
    "predict a row": lambda net, x, y: net.predict(x[17:18]),
    "predict in place": lambda net, x, y: net.predict(x, y.copy()),
    "predict columns": lambda net, x, y: net.predict(np.asfortranarray(x)),
    "predict sparse": lambda net, x, y: net.predict(
        pytest.importorskip("scipy.sparse").csr_array(x)
    ),
    "evaluate": lambda net, x, y: net.evaluate(x, y),
    "fit": lambda net, x, y: net.fit(x, y, 1),
    "forward": lambda net, x, y: net.forward(x),
    "train_on_batch": lambda net, x, y: net.train_on_batch(x, y, "sgd"),
    "objective": lambda net, x, y: net.objective(x, y),
    "jacobian": lambda net, x, y: net.jacobian(x),
    "input_gradient": lambda net, x, y: net.input_gradient(x, y),
    "train_many": lambda net, x, y: fm.train_many([net, net.copy()], x, y, epochs=1),
    "batches": lambda net, x, y: net.fit([(x, y)], epochs=1),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_features_that_scales_make_infinite_are_refused(dtype, read, assert_unchanged):
    net, x, y = too_large(dtype)
    with assert_unchanged(net), pytest.raises(ValueError, match=rf"too large for {dtype}"):
        read(net, x, y)
    x[17, 0] = 1
    read(net, x, y)


def test_where_features_are_too_large(dtype):
    net, x, _ = too_large(dtype)
    with pytest.raises(ValueError, match=r"at row 17, column 0: scale and offset make"):
        net.predict(x)
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity at row 3, column 1"):
        net.predict(x)
    x[3, 1] = x[17, 0] = 1
    net.input_offset[2] = np.finfo(dtype).max  # as large as it can be
    net.predict(x)
    net.input_scale[1] = np.nan  # written into the view, unchecked
    with pytest.raises(ValueError, match=r"at row 0, column 1: scale and offset"):
        net.predict(x)


def test_large_arrays_read_in_place_are_checked_as_they_are_scaled():
    net, _, _ = too_large("float32")
    x = np.ones((1_500_000, 3), np.float32, order="F")
    x[7, 0] = 1e37
    with pytest.raises(ValueError, match=r"at row 7, column 0: scale and offset make it too large"):
        net.predict(x)
