"""The safetensors library reads our files, and we read what it writes of them."""

import json

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import files

safetensors = pytest.importorskip("safetensors")
pytest.importorskip("safetensors.numpy")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_their_library_reads_our_models(path, dtype):
    net = fm.Network([3, 4, 2], seed=1, dtype=dtype)
    net.save(path)
    tensors = safetensors.numpy.load_file(path)
    assert len(tensors) == 4
    for i in range(2):
        for kind in ("weights", "biases"):
            theirs, ours = tensors[f"layers.{i}.{kind}"], getattr(net, kind)[i]
            assert theirs.dtype == ours.dtype
            assert theirs.shape == ours.shape
            assert theirs.tobytes() == ours.tobytes()
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
        assert file.get_tensor("layers.0.weights").shape == (3, 4)
    assert metadata["format"] == "fastmlp"
    assert json.loads(metadata["architecture"])["features"] == 3


def test_we_read_what_their_library_wrote_again(path, dtype):
    """Its files differ: it sorts the tensors, and writes the metadata in another order."""
    net = fm.Network([3, *[2] * 11, 2], seed=1, dtype=dtype)
    net.save(path)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    theirs = path.with_name("theirs.safetensors")
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), theirs, metadata)
    assert theirs.read_bytes() != path.read_bytes()
    again = fm.load(theirs)
    assert repr(again) == repr(net)
    assert again.parameters.tobytes() == net.parameters.tobytes()


def test_archives_of_every_dtype_both_ways(path, rng):
    kinds = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
    tensors = {
        f"{kind} ä/{i}": rng.integers(0, 2, (i, 3, 2)).astype(kind) for i, kind in enumerate(kinds)
    }
    tensors["scalar"] = np.float64(0.5).reshape(())
    tensors["turned"] = np.asfortranarray(rng.standard_normal((4, 5)))
    tensors["step"] = np.arange(10)[::-3]
    tensors["big-endian"] = np.arange(5, dtype=">i4")
    files.write_archive(path, tensors, {"note": "a\nb ä 😀 \x1b", "empty": ""})
    theirs = safetensors.numpy.load_file(path)
    ours, metadata = files.read_archive(path)
    assert metadata == {"note": "a\nb ä 😀 \x1b", "empty": ""}
    assert ours.keys() == theirs.keys() == tensors.keys()
    for name, array in tensors.items():
        for read in (ours[name], theirs[name]):
            assert read.dtype == array.dtype.newbyteorder("=")
            assert read.shape == array.shape
            assert np.array_equal(read, array)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["note"] == metadata["note"]
