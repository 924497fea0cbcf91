"""Normalisation before the first layer: PyTorch's, the reference, derivatives, files and states.

Over 400 lines, as all tests use the same networks and bounds.
"""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from test_export_c import compiled, predictions
from test_file_format import decode, encode

import fastmlp as fm
from fastmlp import _core, reference
from fastmlp.exchange import steps
from fastmlp.exchange.assembly import assemble

KINDS = {
    "batch": lambda library: "batch",
    "layer": lambda library: "layer",
    "numbers": lambda library: library.BatchNorm(epsilon=1 / 64, momentum=0.3),
    "epsilon": lambda library: library.LayerNorm(epsilon=1 / 64),
}
"""Normalisations of either library; ONNX has epsilons as float32."""

SHAPES = {"none hidden": [5, 3], "narrow": [5, 7, 3], "wide": [5, 32, 3], "vectors": [16, 32, 3]}
RATE, EPOCHS, BATCH, ROWS = 0.05, 3, 8, 30
STEPS = EPOCHS * 4


def network(library, kind, shape="narrow", dtype="float32", **options):
    before = KINDS[kind](library)
    return library.Network(
        SHAPES[shape], "tanh", seed=3, dtype=dtype, input_normalization=before, **options
    )


def data(shape="narrow", dtype="float32", rows=ROWS):
    """Features of different means and deviations, as normalisation is for."""
    rng, features = np.random.default_rng(2), SHAPES[shape][0]
    X = rng.standard_normal((rows, features)) * np.arange(1, features + 1) + 3
    return X.astype(dtype), rng.integers(0, 3, rows)


def bound(eps):
    """Roundings of the steps, as test_normalization.py derives it; growth at most 30."""
    return 5 * math.sqrt(2 * STEPS * 3 * (32 + 24)) * eps / 2 * 30


def torch_twin(torch, net):
    kind, numbers = net.input_normalization, fm.layers.numbers_of(net.input_normalization)
    dtype = getattr(torch, str(net.dtype))
    if kind == "batch":
        first = torch.nn.BatchNorm1d(net.features, numbers.epsilon, numbers.momentum, dtype=dtype)
    else:
        first = torch.nn.LayerNorm(net.features, numbers.epsilon, dtype=dtype)
    modules = [first]
    for i, weights in enumerate(net.weights):
        linear = torch.nn.Linear(*weights.shape, dtype=dtype)
        with torch.no_grad():
            linear.weight[:] = torch.tensor(weights.T.copy())
            linear.bias.zero_()
        modules += [linear, torch.nn.Tanh()] if i + 1 < len(net.layers) else [linear]
    return torch.nn.Sequential(*modules)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_trajectory_of_torch(dtype, eps, kind, shape):
    torch = pytest.importorskip("torch")
    net = network(fm, kind, shape, dtype)
    model = torch_twin(torch, net)
    X, y = data(shape, dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for first in range(0, len(X), BATCH):
            optimizer.zero_grad()
            batch = torch.tensor(X[first : first + BATCH])
            of = torch.tensor(y[first : first + BATCH])
            torch.nn.functional.cross_entropy(model(batch), of).backward()
            optimizer.step()
    net.fit(X, y, EPOCHS, BATCH, fm.SGD(RATE), shuffle=False)
    theirs = [p.detach().numpy() for p in model[0].parameters()]
    assert np.abs(net.scales["input"] - theirs[0]).max() <= bound(eps)
    assert np.abs(net.shifts["input"] - theirs[1]).max() <= bound(eps)
    assert np.abs(net.weights[0] - model[1].weight.detach().numpy().T).max() <= bound(eps)
    if net.statistics.size:  # relative: of features up to about 50, and their squares
        means, variances = model[0].running_mean.numpy(), model[0].running_var.numpy()
        assert np.abs(net.running_means["input"] / means - 1).max() <= bound(eps)
        assert np.abs(net.running_variances["input"] / variances - 1).max() <= bound(eps)
    model.eval()
    at = torch.tensor(X, requires_grad=True)
    outputs = torch.softmax(model(at), 1)
    assert np.abs(net.predict(X) - outputs.detach().numpy()).max() <= bound(eps)
    outputs[:, 1].sum().backward()
    assert np.abs(net.jacobian(X)[:, 1] - at.grad.numpy()).max() <= bound(eps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_training_is_that_of_the_reference(dtype, eps, kind, shape):
    X, y = data(shape, dtype)
    net, twin = network(fm, kind, shape, dtype), network(reference, kind, shape, dtype)
    assert net.parameters.tolist() == twin.parameters
    for each in (net, twin):
        each.input_scale, each.input_offset = 0.5, 0.25
    net.fit(X, y, EPOCHS, BATCH, fm.SGD(RATE, momentum=0.5, clip_norm=1.0))
    twin.fit(X, y, EPOCHS, BATCH, reference.SGD(RATE, momentum=0.5, clip_norm=1.0))
    assert np.abs(net.parameters - twin.parameters).max() <= bound(eps)
    assert np.abs(net.predict(X) - twin.predict(X)).max() <= bound(eps)
    assert np.abs(net.jacobian(X) - twin.jacobian(X)).max() <= bound(eps)
    assert np.abs(net.input_gradient(X, y) - twin.input_gradient(X, y)).max() <= bound(eps)
    for name in ("scales", "shifts", "running_means", "running_variances"):
        ours, theirs = getattr(net, name), getattr(twin, name)
        assert set(ours) == set(theirs)
        for key, values in ours.items():
            assert np.abs(values / theirs[key] - 1).max() <= bound(eps) or key == "input"
    for training in (True, False):
        net.forward(X, training=training), twin.forward(X, training=training)
        net.backward(y), twin.backward(y)
        assert np.abs(net.nodes[0] - twin.nodes[0]).max() <= bound(eps)
        assert np.abs(net.gradients - twin.gradients).max() <= bound(eps)
        assert np.abs(net.feature_gradients - twin.feature_gradients).max() <= bound(eps)
    net.train_on_batch(X, y, fm.Adam(0.01)), twin.train_on_batch(X, y, reference.Adam(0.01))
    # Where a gradient is about 0, Adam's first step divides it by itself: compare the statistics.
    assert np.abs(net.statistics - twin.statistics).max(initial=0) <= 50 * bound(eps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("hidden", [None, "batch"])
def test_gradients_are_finite_differences(kind, training, hidden):
    net = network(fm, kind, dtype="float64", normalization=hidden)
    net.input_scale, net.input_offset = 0.3, 0.1
    X, y = data(dtype="float64", rows=9)
    rng = np.random.default_rng(1)
    net.parameters += 0.1 * rng.standard_normal(net.n_parameters)

    def loss(theta, features):
        net.parameters = theta
        net.forward(features, training=training)
        return net.backward(y)

    theta, h = net.parameters.copy(), 1e-6
    loss(theta, X)
    gradients, by_features = net.gradients.copy(), net.feature_gradients / len(X)
    for i in range(theta.size):
        change = np.zeros_like(theta)
        change[i] = h
        difference = (loss(theta + change, X) - loss(theta - change, X)) / (2 * h)
        # A third derivative of about 1 times h^2, and the losses' roundings over h.
        assert abs(difference - gradients[i]) <= 1e-8
    for place in np.ndindex(X.shape):
        change = np.zeros_like(X)
        change[place] = h
        difference = (loss(theta, X + change) - loss(theta, X - change)) / (2 * h)
        assert abs(difference - by_features[place]) <= 1e-8
    if not training:
        assert np.abs(net.input_gradient(X, y) / len(X) - by_features).max() <= 1e-15


def trained(kind="batch", dtype="float32", **options):
    net = network(fm, kind, dtype=dtype, **options)
    net.fit(*data(dtype=dtype), 2, BATCH, fm.Adam(0.01))
    return net


def state(net):
    return net.parameters.tobytes(), net.statistics.tobytes()


def test_initial_state_and_places():
    net = fm.Network([4, fm.Dense(6, "relu", "batch"), 3], seed=1, input_normalization="batch")
    assert list(net.scales) == list(net.running_means) == ["input", 0]
    for view, value in ((net.scales, 1), (net.shifts, 0), (net.running_means, 0)):
        assert (view["input"] == np.full(4, value)).all()
    assert (net.running_variances["input"] == 1).all()
    assert net.n_parameters == net.parameters.size == 4 * 6 + 3 * 6 + 2 * 4 + 6 * 3 + 3
    net.scales["input"] = [1, 2, 3, 4]
    net.shifts["input"][:] = 5
    assert net.parameters[42:50].tolist() == [1, 2, 3, 4, 5, 5, 5, 5]
    net.running_means["input"][:] = 6
    assert net.statistics.tolist() == [0] * 6 + [1] * 6 + [6] * 4 + [1] * 4
    assert net.input_normalization == "batch"
    assert "input    4       batch norm" in repr(net)
    assert net.summary().layers[0] == ("input", "4", "batch norm", "8", "0")
    with pytest.raises(KeyError, match="layers that do: none"):
        fm.Network([4, 2]).scales["input"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_batch_size_predicts_the_same_bits(kind, dtype):
    net = trained(kind, dtype)
    X, y = data(dtype=dtype, rows=600)
    whole = net.predict(X)
    for size in (1, 3, 16, 129, 599):
        assert net.predict(X[:size]).tobytes() == whole[:size].tobytes()
    for threads in (1, 2):
        assert net.predict(X, n_threads=threads).tobytes() == whole.tobytes()
    assert net.forward(X, training=False).tobytes() == whole.tobytes()
    raw = np.asfortranarray(X)  # rows that the core reads in place, or converts
    assert net.predict(raw).tobytes() == whole.tobytes()
    assert net.evaluate(X, y) == net.evaluate(raw, y)


@pytest.mark.parametrize("kind", KINDS)
def test_files_copies_and_pickles(kind, dtype, tmp_path):
    net = trained(kind, dtype)
    net.input_scale = 2.0
    net.save(tmp_path / "model")
    others = [
        fm.load(tmp_path / "model"),
        copy.copy(net),
        net.copy(),
        pickle.loads(pickle.dumps(net)),
    ]
    for other in others:
        assert other.input_normalization == net.input_normalization
        assert state(other) == state(net)
        assert other.predict(data()[0]).tobytes() == net.predict(data()[0]).tobytes()
    others[0].save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_what_a_file_says(tmp_path):
    trained("numbers").save(tmp_path / "model")
    tensors, metadata = decode((tmp_path / "model").read_bytes())
    assert metadata["version"] == "2"
    header = json.loads(metadata["network"])
    numbers = {"normalization": "batch", "epsilon": 0.015625, "momentum": 0.3}
    assert header["input_normalization"] == numbers
    named = {name: shape for name, _, shape, _ in tensors if name.startswith("input.")}
    parts = ("scales", "shifts", "running_means", "running_variances")
    assert named == {f"input.{part}": [5] for part in parts}

    for wrong in (
        {"normalization": "none"},
        {"normalization": "other"},
        {"normalization": "batch", "after_activation": True},
        {"normalization": "layer", "momentum": 0.3},
        {"normalization": "batch", "epsilon": 0},
        {"epsilon": 0.1},
        [],
        "batch",
        None,
    ):
        text = json.dumps(header | {"input_normalization": wrong}, separators=(",", ":"))
        file = encode(tensors, metadata | {"network": text})
        with pytest.raises(_core.FormatError):
            _core.parse_network(file, False)
    file = encode([t for t in tensors if t[0] != "input.shifts"], metadata)
    with pytest.raises(_core.FormatError, match=r"input\.shifts"):
        _core.parse_network(file, False)


def test_a_checkpoint_resumes_to_the_same_bits(tmp_path):
    X, y = data()
    path = tmp_path / "fit"
    whole = network(fm, "batch")
    whole.fit(X, y, 4, BATCH, fm.Adam(0.01))
    first, second = network(fm, "batch"), network(fm, "batch")
    first.fit(X, y, 2, BATCH, fm.Adam(0.01), checkpoint=path)
    second.fit(X, y, 4, BATCH, fm.Adam(0.01), checkpoint=path)
    assert state(second) == state(whole)
    other = network(fm, "layer")
    with pytest.raises(ValueError, match="of another fit"):
        other.fit(X, y, 4, BATCH, fm.Adam(0.01), checkpoint=path)


def test_a_frozen_first_layer_keeps_its_normalization():
    net = trained()
    net.trainable[0] = False
    kept = [net.scales["input"].copy(), net.shifts["input"].copy(), net.statistics.copy()]
    X, y = data()
    net.fit(X + 10, y, 2, BATCH, fm.Adam(0.1))
    now = [net.scales["input"], net.shifts["input"], net.statistics]
    for one, other in zip(kept, now, strict=True):
        assert one.tobytes() == other.tobytes()
    net.forward(X), net.backward(y)
    assert not net.scale_gradients["input"].any()
    assert net.weight_gradients[1].any()
    assert net.feature_gradients.any()
    net.fit(iter([(X[:1], y[:1])]), epochs=1)  # a batch of one row is no problem then


def test_the_rate_factor_is_that_of_the_first_layer():
    X, y = data()
    fast, slow = network(fm, "layer"), network(fm, "layer")
    slow.rate_factors[0] = 0.5
    for net in (fast, slow):
        net.forward(X), net.backward(y)
        net.update(0.125)
    assert fast.shifts["input"].all()
    assert (2 * slow.shifts["input"] == fast.shifts["input"]).all()  # exact: from 0
    moved = (net.scales["input"] - 1 for net in (slow, fast))
    assert np.divide(*moved) == pytest.approx(0.5, rel=1e-4)  # moved by about 0.01, from 1


def test_averages_and_soft_updates_take_them_along():
    X, y = data()
    net = network(fm, "batch")
    net.fit(X, y, 2, BATCH, ema=0.5)
    averaged = net.averaged()
    assert (averaged.running_means["input"] != net.running_means["input"]).all()
    assert (averaged.scales["input"] != net.scales["input"]).all()
    target = network(fm, "batch")
    target.soft_update(net, 1.0)
    assert state(target) == state(net)
    for library in (fm, reference):
        twin = network(library, "batch")
        for kind in ("layer", "numbers"):
            with pytest.raises(ValueError, match=r"source must have .* input_normalization"):
                twin.soft_update(network(library, kind), 0.5)
        with pytest.raises(ValueError, match="source must have the input_normalization"):
            twin.soft_update(library.Network(SHAPES["narrow"], "tanh"), 0.5)


def test_the_flops_include_the_way_back_to_the_features():
    X, y = data()
    for library in (fm, reference):
        history = network(library, "layer").fit(X, y, 1)
        assert history.flops_per_sample == 6 * (5 * 7 + 7 * 3)
    assert network(fm, "layer").summary().training_flops == 6 * (5 * 7 + 7 * 3)


def test_train_many_is_fit():
    X, y = data()
    one, other = network(fm, "batch"), network(fm, "layer")
    again = [one.copy(), other.copy()]
    fm.train_many([one, other], X, y, 2, BATCH)
    for net, many in zip(again, (one, other), strict=True):
        net.fit(X, y, 2, BATCH)
        assert state(net) == state(many)


@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
def test_lbfgs_descends_with_the_running_averages():
    pytest.importorskip("scipy")
    X, y = data()
    net = trained()
    averages = net.statistics.tobytes()
    before = net.evaluate(X, y).loss
    net.fit(X, y, optimizer=fm.LBFGS(l2=1e-3, max_iterations=5))
    assert net.evaluate(X, y).loss < before
    assert net.statistics.tobytes() == averages
    net.trainable[1] = False  # the penalty is of each parameter: those of layer 0 are counted
    net.fit(X, y, optimizer=fm.LBFGS(l2=1e-3, max_iterations=2))


def test_batches_of_one_row_are_refused():
    X, y = data()
    for library in (fm, reference):
        with pytest.raises(ValueError, match="batch_size"):
            network(library, "batch").fit(X, y, batch_size=1)
    net = network(fm, "batch")
    before = state(net)
    with pytest.raises(fm.DataError, match="batch"):
        net.fit(iter([(X[:1], y[:1])]), epochs=1)
    assert state(net) == before
    network(fm, "layer").fit(X, y, 1, 1)


def test_sparse_features_are_refused_by_name():
    sparse = pytest.importorskip("scipy.sparse")
    X, y = data()
    net, x = trained(), sparse.csr_array(X)
    before = state(net)
    for call in (
        lambda: net.fit(x, y),
        lambda: net.predict(x),
        lambda: net.evaluate(x, y),
        lambda: net.predict_classes(x),
        lambda: net.train_on_batch(x, y, "sgd"),
        lambda: net.train_on_batch(x, None, "sgd", gradient=np.ones((ROWS, 3))),
    ):
        with pytest.raises(ValueError, match="is sparse, and the network has an input_norm"):
            call()
        assert state(net) == before


@pytest.mark.parametrize("library", [fm, reference])
def test_what_is_refused(library):
    new = library.Network
    for wrong, error in (
        (library.BatchNorm(after_activation=True), ValueError),
        ("group", ValueError),
        (True, TypeError),
        (1.0, TypeError),
    ):
        with pytest.raises(error, match="normalization"):
            new([3, 2], input_normalization=wrong)
    with pytest.raises(TypeError):
        fm.Network([3, 2], input_normalization=fm.BatchNorm)


def exported(kind, dtype, scaled):
    """A trained network with scales and shifts that no initialisation makes."""
    net = trained(kind, dtype)
    if scaled:
        net.input_scale, net.input_offset = 0.5, 0.25
    net.scales["input"][:] = np.linspace(0.5, 1.5, 5)
    net.shifts["input"][:] = np.linspace(-0.5, 0.5, 5)
    return net


def assert_equal_networks(net, again):
    assert again.input_normalization == net.input_normalization
    assert again.layers == net.layers
    assert state(again) == state(net)
    assert (again.input_scale is None) == (net.input_scale is None)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_to_torch_and_back(kind, dtype, eps, scaled):
    torch = pytest.importorskip("torch")
    net, X = exported(kind, dtype, scaled), data(dtype=dtype)[0]
    model = net.to_torch(share=False).eval()
    outputs = model(torch.tensor(X)).detach().numpy()
    assert np.abs(outputs - net.predict(X)).max() <= bound(eps)
    assert_equal_networks(net, fm.from_torch(model))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_to_keras_and_back(kind, dtype, scaled):
    keras = pytest.importorskip("keras")
    net, X = exported(kind, dtype, scaled), data(dtype=dtype)[0]
    model = net.to_keras()
    error = np.abs(keras.ops.convert_to_numpy(model(X)) - net.predict(X)).max()
    assert error <= bound(np.finfo(np.float32).eps)  # it computes parts in float32, of any dtype
    assert_equal_networks(net, fm.from_keras(model))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_to_onnx_and_back(kind, dtype, eps, scaled, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    net, X = exported(kind, dtype, scaled), data(dtype=dtype)[0]
    net.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (outputs,) = session.run(["Y"], {"X": X})
    assert np.abs(outputs - net.predict(X)).max() <= bound(eps)
    again = fm.from_onnx(tmp_path / "model.onnx")
    assert again.predict(X).tobytes() == net.predict(X).tobytes()
    assert again.input_normalization == str(net.input_normalization)  # it has no momentum
    assert state(again) == state(net)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", ["numbers", "layer"])
def test_exported_c_predicts_the_same_bits(kind, dtype, scaled, tmp_path):
    net, X = exported(kind, dtype, scaled), data(dtype=dtype)[0]
    assert np.array_equal(predictions(compiled(net, tmp_path), net, X), net.predict(X))
    with pytest.raises(ValueError, match="without normalization"):
        net.export_c(tmp_path / "model.h", training=True)


def test_scikit_learn_has_none():
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="scikit-learn has no normalization"):
        trained().to_sklearn()


def test_what_follows_an_imported_normalization_is_folded():
    """Scaling before it is that of the features; what comes between it and the layer, weights."""
    rng = np.random.default_rng(3)
    scale = rng.uniform(0.5, 2, (4, 5))
    W, b, X = rng.standard_normal((5, 3)), rng.standard_normal(3), rng.standard_normal((7, 5))
    first, last = steps.Scale(scale[0], scale[1], ""), steps.Scale(scale[2], scale[3], "")
    norm = steps.BatchNormalization(*scale, 1e-5, "", 0.1)
    net = assemble([first, norm, last, steps.Linear(W, b, "")], output=None, loss=None, seed=1)
    x = (X * scale[0] + scale[1] - scale[2]) / np.sqrt(scale[3] + 1e-5) * scale[0] + scale[1]
    expected = (x * scale[2] + scale[3]) @ W + b
    core = net.core
    assert np.abs(core.predict(X, None, 1) - expected).max() <= 1e-13  # about 20 roundings of 50
    assert (core.input_scale, net.input_normalization) == (pytest.approx(scale[0]), "batch")
