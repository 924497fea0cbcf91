"""`Network.to_onnx`: checked by onnx, run by ONNX Runtime, and read again to the same bits."""

from dataclasses import replace

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.layers import ACTIVATIONS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path: object, X: np.ndarray) -> np.ndarray:
    """Compute the output of the file by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (result,) = session.run(["Y"], {"X": X})
    return result


def network(activation: str, dtype: str) -> fm.Network:
    hidden = {"softmax": "relu", "exp": "tanh"}.get(activation, activation)
    sizes = [5, fm.Dense(23, hidden), fm.Dense(7, hidden), fm.Dense(4, activation)]
    net = fm.Network(sizes, seed=3, dtype=dtype)
    for biases in net.biases:
        biases[:] = np.linspace(-0.5, 0.5, biases.size)
    return net


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_onnx_runtime_predicts_the_same(activation, dtype, rng, tmp_path, rounding_bound):
    net = network(activation, dtype)
    X = rng.standard_normal((130, 5)).astype(dtype)
    path = tmp_path / "model.onnx"
    net.to_onnx(path)
    onnx.checker.check_model(str(path), full_check=True)
    for rows in (1, 7, 130):  # any batch
        theirs = run(path, X[:rows])
        assert theirs.shape == (rows, 4)
        assert theirs.dtype == dtype
        assert (np.abs(theirs - net.predict(X[:rows])) <= rounding_bound(net, X[:rows])).all()


def test_heads(dtype, rng, tmp_path, rounding_bound):
    heads = {
        f"head {i}": fm.Head(1 + i % 3 if name != "softmax" else 3, name)
        for i, name in enumerate(ACTIVATIONS)
    }
    net = fm.Network([5, 9, fm.Heads(**heads)], "tanh", seed=3, dtype=dtype)
    X = rng.standard_normal((40, 5)).astype(dtype)
    net.to_onnx(tmp_path / "model.onnx")
    difference = np.abs(run(tmp_path / "model.onnx", X) - net.predict(X))
    assert (difference <= rounding_bound(net, X)).all()
    again = fm.from_onnx(tmp_path / "model.onnx")
    assert again.layers == net.layers  # with the names of the heads
    assert np.array_equal(again.parameters, net.parameters)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_read_again_it_is_the_same_network(activation, dtype, tmp_path):
    net = network(activation, dtype)
    net.to_onnx(tmp_path / "model.onnx")
    again = fm.from_onnx(tmp_path / "model.onnx")
    assert again.layers == net.layers
    assert again.dtype == net.dtype
    assert np.array_equal(again.parameters, net.parameters)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalizations(kind, dtype, rng, tmp_path, rounding_bound, random_parts):
    layers = [5, fm.Dense(23, "tanh", kind, 0.3), fm.Dense(7, "identity", kind), 4]
    net = random_parts(fm.Network(layers, seed=3, dtype=dtype))
    net.to_onnx(tmp_path / "model.onnx")
    X = rng.standard_normal((30, 5)).astype(dtype)
    assert (
        np.abs(run(tmp_path / "model.onnx", X) - net.predict(X)) <= rounding_bound(net, X)
    ).all()
    again = fm.from_onnx(tmp_path / "model.onnx")
    assert again.layers == tuple(replace(layer, dropout=0.0) for layer in net.layers)
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


# An epsilon is a float32 in the file.
WITH_NUMBERS = [
    fm.Dense(23, fm.LeakyReLU(0.2)),
    fm.Dense(23, fm.LeakyReLU(1.5)),
    fm.Dense(23, fm.ELU(0.7), fm.LayerNorm(2**-10)),
    fm.Dense(23, "tanh", fm.BatchNorm(2**-7)),
    fm.Dense(23, "relu", fm.BatchNorm(2**-10, after_activation=True)),
    fm.Dense(23, "gelu_tanh", fm.LayerNorm(after_activation=True)),
]


@pytest.mark.parametrize("layer", WITH_NUMBERS, ids=repr)
def test_parameters(layer, dtype, rng, tmp_path, rounding_bound, random_parts):
    net = random_parts(fm.Network([5, layer, layer, 4], seed=3, dtype=dtype))
    net.to_onnx(tmp_path / "model.onnx")
    X = rng.standard_normal((30, 5)).astype(dtype)
    theirs = run(tmp_path / "model.onnx", X)
    assert (np.abs(theirs - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_onnx(tmp_path / "model.onnx")
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in "ab":
        network("tanh", "float32").to_onnx(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_operator_set_is_an_old_one(tmp_path):
    network("sigmoid", "float64").to_onnx(tmp_path / "model.onnx")
    (opset,) = onnx.load(tmp_path / "model.onnx").opset_import
    assert (opset.domain, opset.version) == ("", 13)


FUSED = ["Relu", "Sigmoid", "Tanh"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_old_runtimes_have_the_operators_of_float64(activation, tmp_path):
    """They fuse what is alone after a Gemm, and x sigmoid(x), to operators without float64."""
    network(activation, "float64").to_onnx(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    assert [opset.domain for opset in model.opset_import] == [""]
    assert not model.functions
    made = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        before = [made[name].op_type for name in node.input if name in made]
        if node.op_type in FUSED and "Gemm" in before:
            assert sum(node.input[0] in other.input for other in model.graph.node) > 1
        if node.op_type == "Mul" and "Sigmoid" in before:
            gate = next(made[name] for name in node.input if made[name].op_type == "Sigmoid")
            assert gate.input[0] not in node.input


def test_normalized_batches_have_an_operator_set_that_onnx_computes_right(tmp_path):
    net = fm.Network([5, fm.Dense(4, "relu", "batch"), 3], seed=1)
    net.running_means[0][...] = 0.5
    net.to_onnx(tmp_path / "model.onnx")
    reference = pytest.importorskip("onnx.reference")
    X = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
    (found,) = reference.ReferenceEvaluator(str(tmp_path / "model.onnx")).run(None, {"X": X})
    np.testing.assert_allclose(found, net.predict(X), atol=1e-6)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("names", [False, True])
def test_names_operator_set_and_labels(outputs, names, rng, tmp_path):
    net = fm.Network([5, 8, outputs], output="sigmoid" if outputs == 1 else "softmax", seed=1)
    if names:
        net.class_names = ["no", "maybe", "yes"] if outputs == 3 else ["no", "yes"]
    path = tmp_path / "model.onnx"
    net.to_onnx(path, opset=18, input_name="features", output_name="odds", labels=True)
    model = onnx.load(path)
    assert model.opset_import[0].version == 18
    X = rng.standard_normal((40, 5)).astype(np.float32)
    odds, labels = onnxruntime.InferenceSession(path).run(None, {"features": X})
    expected = net.predict_classes(X)
    np.testing.assert_allclose(odds, net.predict(X), atol=1e-6)
    assert labels.tolist() == expected.tolist()
    again = fm.from_onnx(path)
    assert (again.parameters == net.parameters).all()
    assert again.class_names == net.class_names


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"opset": 12}, ValueError, r"opset must be in 13\.\.\d+, .* got 12"),
        ({"opset": 999}, ValueError, r"got 999"),
        ({"opset": 13.0}, TypeError, "opset must be an integer"),
        ({"input_name": ""}, ValueError, "input_name='' must not be empty"),
        ({"input_name": "Y"}, ValueError, "input_name='Y' must not be .* the name of another"),
        ({"output_name": "layer_0.z"}, ValueError, "output_name='layer_0.z'"),
        ({"output_name": 3}, TypeError, "output_name must be a string, got int"),
        ({"labels": True}, ValueError, "labels=True is for networks with softmax"),
        ({"labels": "yes"}, TypeError, "labels must be True, False"),
    ],
)
def test_other_settings_are_refused(settings, error, message, tmp_path):
    net = fm.Network([5, 4, 3], output="identity", seed=1)
    with pytest.raises(error, match=message):
        net.to_onnx(tmp_path / "model.onnx", **settings)
    assert not (tmp_path / "model.onnx").exists()


def test_a_failed_write_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        network("tanh", "float32").to_onnx(tmp_path / "nowhere" / "model.onnx")


@pytest.mark.shares_cores
@pytest.mark.once
@pytest.mark.parametrize(
    ("call", "extra"),
    [
        ("fm.Network([2, 1], output='sigmoid').to_onnx('model.onnx')", "onnx"),
        ("fm.from_onnx(b'')", "onnx"),
        ("fm.Network([2, 1], output='sigmoid').to_torch()", "torch"),
        ("fm.from_keras(None)", "keras"),
        ("fm.from_sklearn(None)", "sklearn"),
    ],
)
def test_a_missing_library_is_told_with_the_command(call, extra, run_python):
    missing = "import sys; sys.modules.update(dict.fromkeys(('onnx','torch','keras','sklearn')))"
    done = run_python(f"{missing}; import fastmlp as fm; {call}")
    assert f"pip install 'fastmlp[{extra}]'" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("ImportError")


@pytest.mark.parametrize("part", ["parameters", "running averages", "scales or offsets"])
def test_numbers_that_are_not_finite_are_refused(part, tmp_path):
    net = fm.Network([3, 1], output="identity", seed=1, input_normalization="batch")
    net.output_scale = 2.0
    arrays = {
        "parameters": net.parameters,
        "running averages": net.statistics,
        "scales or offsets": net.output_offset,
    }
    arrays[part][0] = np.nan
    for write in (net.to_onnx, net.export_c):
        with pytest.raises(ValueError, match=f"{part} that are not finite"):
            write(tmp_path / "model")
    assert not list(tmp_path.iterdir())
