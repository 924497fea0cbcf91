"""`from_state_dict`: parameters by name, as PyTorch stores them."""

import io
import json
import pickle
import re
import zipfile

import numpy as np
import pytest

import fastmlp as fm


def state(rng, layers, pattern="net.{}"):
    """Return 12 layers by name, sorted as texts, as a file has them."""
    shapes = [(5, 4), *[(5, 5)] * (layers - 2), (3, 5)]
    arrays = {}
    for i, shape in sorted(enumerate(shapes), key=lambda pair: str(2 * pair[0])):
        arrays[pattern.format(2 * i) + ".bias"] = rng.standard_normal(shape[0], np.float32)
        arrays[pattern.format(2 * i) + ".weight"] = rng.standard_normal(shape, np.float32)
    return arrays


@pytest.mark.parametrize("pattern", ["{}", "net.{}", "fc{}"])
def test_layers_are_in_the_order_of_their_numbers(pattern, rng, tmp_path):
    arrays = state(rng, 12, pattern)
    net = fm.from_state_dict(arrays, activation="tanh", output="softmax")
    assert [layer.activation for layer in net.layers] == ["tanh"] * 11 + ["softmax"]
    for i, (weights, biases) in enumerate(zip(net.weights, net.biases, strict=True)):
        assert np.array_equal(weights.T, arrays[pattern.format(2 * i) + ".weight"])
        assert np.array_equal(biases, arrays[pattern.format(2 * i) + ".bias"])
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(arrays, tmp_path / "model.safetensors", {"format": "pt"})
    again = fm.from_state_dict(tmp_path / "model.safetensors", activation="tanh", output="softmax")
    assert np.array_equal(again.parameters, net.parameters)
    assert again.layers == net.layers


def test_biases_may_be_missing():
    net = fm.from_state_dict({"0.weight": np.ones((2, 3))}, activation="relu")
    assert (net.dtype, net.biases[0].tolist()) == (np.float64, [0, 0])


W, B = np.ones((3, 3), np.float32), np.ones(3, np.float32)
REFUSED = {
    "'1.running_mean' belongs to a batch normalization": {"0.weight": W, "1.running_mean": B},
    "'1.num_batches_tracked' belongs": {"0.weight": W, "1.num_batches_tracked": np.array(3)},
    r"state\['state_dict'\] is a mapping itself: pass it": {"state_dict": {"0.weight": W}},
    "'1.weight'": {"0.weight": W, "1.weight": B},
    "'scale'": {"0.weight": W, "scale": B},
    "order of the layers is not certain": {"first.weight": W, "last.weight": W},
    "names must differ in numbers only": {"a.0.weight": W, "b.1.weight": W},
    "got none": {},
    "takes 2 nodes, but gets 3": {"0.weight": W, "1.weight": np.ones((3, 2), np.float32)},
    "'0.weight' must be floats of at most 64 bits, got int64": {"0.weight": W.astype(np.int64)},
    "'0.weight has no bias, which other|embedding": {
        "0.weight": np.ones((3, 4), np.float32),
        "1.weight": np.ones((2, 3), np.float32),
        "1.bias": np.ones(2, np.float32),
    },
    "'h.1' takes 4 nodes, but gets 3 of 'h.0'": {
        "h.0.weight": np.ones((3, 4), np.float32),
        "h.1.weight": np.ones((2, 4), np.float32),
    },
    "the order of 'h.1' and 'h.01' is not certain": {
        "h.1.weight": np.ones((3, 3), np.float32),
        "h.01.weight": np.ones((3, 3), np.float32),
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_certain_is_refused(message):
    with pytest.raises(ValueError, match=message):
        fm.from_state_dict(REFUSED[message], activation="relu")


def test_a_softmax_of_one_node_is_refused():
    layer = {"0.weight": np.ones((1, 3), np.float32)}
    with pytest.raises(ValueError, match="always 1: for two classes take one node with output='s"):
        fm.from_state_dict(layer, activation="relu", output="softmax")


FILES = [b"", b"\x02" + bytes(7) + b"{}", b"\xff" * 20, b"\x08" + bytes(7) + b'{"a": 1}']


@pytest.mark.parametrize("content", FILES)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a safetensors file|got none"):
        fm.from_state_dict(path, activation="relu")
    with pytest.raises(TypeError, match="got list"):
        fm.from_state_dict([W], activation="relu")


def test_load_names_it_for_files_of_other_programs(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "layers.safetensors"
    numpy.save_file({"0.weight": W, "0.bias": B}, path)
    with pytest.raises(fm.ModelFormatError, match=r"fm\.from_state_dict reads dense layers"):
        fm.load(path)
    assert fm.from_state_dict(path, activation="relu").n_parameters == 12


@pytest.mark.parametrize("kind", ["F16", "BF16"])
def test_half_precision_becomes_float32(kind, tmp_path):
    values = np.array([[1.0, -2.5, 0.15625], [3.0, 2.0**-10, -0.0]], np.float32)
    bits = (
        values.astype(np.float16) if kind == "F16" else (values.view(np.uint32) >> 16).astype("<u2")
    )
    header = json.dumps({"0.weight": {"dtype": kind, "shape": [2, 3], "data_offsets": [0, 12]}})
    content = len(header).to_bytes(8, "little") + header.encode() + bits.tobytes()
    (tmp_path / "half.safetensors").write_bytes(content)
    net = fm.from_state_dict(tmp_path / "half.safetensors", activation="relu")
    assert net.dtype == np.float32
    assert (net.weights[0] == values.T).all()
    assert (
        fm.from_state_dict({"0.weight": values.astype(np.float16)}, activation="relu").weights[0]
        == values.T
    ).all()


def archive(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, "content")
    return buffer.getvalue()


FOREIGN = {
    "model.pt": (archive("model/data.pkl", "model/data/0"), "fm.from_torch reads a module"),
    "renamed.bin": (archive("archive/data.pkl"), "torch.load it, if you trust it"),
    "model.keras": (archive("config.json", "model.weights.h5"), "fm.from_keras"),
    "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(90), "fm.from_keras"),
    "model.skops": (archive("schema.json"), "skops.io.load"),
    "model.npz": (archive("w0.npy", "b0.npy"), "fm.from_state_dict takes them"),
    "model.onnx": (b"\x08\x08\x12\x07pytorch" + bytes(90), "fm.from_onnx reads it"),
    "model.pkl": (pickle.dumps({"a": 1}), "a pickle: unpickle it, if you trust it"),
    "model.pth": (pickle.dumps({"a": 1}, 2), "a file of PyTorch"),
    "model.gguf": (b"GGUF" + bytes(90), "no function here reads"),
    "model.eqx": (b"\x93NUMPY\x01\x00" + bytes(90), "fm.from_equinox"),
    "model.msgpack": (b"\x81\xa6params" + bytes(90), "fm.from_flax"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_load_says_what_a_file_of_another_program_is(name, tmp_path):
    content, message = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(fm.ModelFormatError, match=re.escape(message)):
        fm.load(tmp_path / name)
