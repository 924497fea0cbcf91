"""Networks in files: what is saved comes back to the bit, or not at all."""

import pathlib
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import Dense, _core

LAYERS = {
    "softmax": [5, Dense(4, "relu"), 3],
    "regression": [1, Dense(7, "tanh"), Dense(3, "sigmoid"), Dense(1, "identity")],
    "wide": [130, 257, 1, 65],
    "one layer": [2, Dense(1, "sigmoid")],
    "normalized": [
        3,
        Dense(5, "relu", normalization="batch", dropout=0.25),
        Dense(4, "tanh", normalization="layer"),
        Dense(3, "relu", normalization="batch"),
        2,
    ],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def trained(blobs, dtype):
    """A small network that has been trained a little, of either dtype."""
    net = fm.Network([4, 5, 3], seed=3, dtype=dtype)
    net.fit(*blobs, 2)
    return net


def state(net):
    """Return all that must be the same of a network that was saved and loaded."""
    return (
        repr(net),
        net.seed,
        net.epoch,
        net.features,
        net.layers,
        net.loss,
        net.dtype,
        net.parameters.tobytes(),
        net.statistics.tobytes(),
    )


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS.keys())
def test_comes_back_to_the_bit(path, layers, dtype, rng):
    net = fm.Network(layers, seed=2**64 - 1, dtype=dtype)
    for buffer in (net.parameters, net.statistics):
        buffer[...] = rng.uniform(0.5, 1.5, len(buffer))
    net.save(path)
    again = fm.load(path)
    assert state(again) == state(net)
    X = rng.standard_normal((9, net.features))
    assert again.predict(X).tobytes() == net.predict(X).tobytes()


def test_trains_on_as_if_never_saved(path, trained, blobs):
    trained.save(path)
    again = fm.load(path)
    histories = [net.fit(*blobs, 3).loss for net in (trained, again)]
    assert histories[0] == histories[1]
    assert state(again) == state(trained)


def test_files_are_not_mapped(path, trained, blobs):
    """Another process that cuts a file short does no harm to what was read from it."""
    trained.save(path)
    again = fm.load(path)
    path.write_bytes(b"")
    assert again.predict(blobs[0]).tobytes() == trained.predict(blobs[0]).tobytes()


def test_bytes_depend_on_the_network_alone(tmp_path, trained):
    trained.save(tmp_path / "a")
    trained.save(tmp_path / "b")
    pickle.loads(pickle.dumps(trained)).save(tmp_path / "c")
    fm.load(tmp_path / "a").save(tmp_path / "d")
    assert len({(tmp_path / name).read_bytes() for name in "abcd"}) == 1


@pytest.mark.parametrize("kind", [str, pathlib.Path, bytes])
def test_paths_of_any_kind(path, trained, kind):
    trained.save(kind(path))
    assert state(fm.load(kind(path))) == state(trained)


@pytest.mark.parametrize("path", [None, 3, 2.5, ["a"], object()])
def test_what_is_no_path(path, trained):
    for action in (trained.save, fm.load):
        with pytest.raises(TypeError, match=r"path must be a str or os\.PathLike, got"):
            action(path)


def test_null_in_a_path(trained):
    for action in (trained.save, fm.load):
        with pytest.raises(ValueError, match="null"):
            action("a\0b")


def test_every_flipped_bit_is_refused(path):
    fm.Network([2, 3, 2], seed=1).save(path)
    good = path.read_bytes()
    _core.parse_archive(good)
    for i in range(8 * len(good)):
        bad = bytearray(good)
        bad[i // 8] ^= 1 << i % 8
        with pytest.raises(_core.FormatError):
            _core.parse_archive(bytes(bad))


def test_every_truncation_is_refused(path):
    fm.Network([2, 3, 2], seed=1).save(path)
    good = path.read_bytes()
    for length in range(len(good)):
        with pytest.raises(_core.FormatError):
            _core.parse_archive(good[:length])
    for tail in (b"\0", b" ", good):
        with pytest.raises(_core.FormatError):
            _core.parse_archive(good + tail)


def test_an_error_names_file_field_and_offset(path, trained):
    trained.save(path)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(fm.ModelFormatError, match=r"layers\.1\.biases.*damaged") as caught:
        fm.load(path)
    error = caught.value
    assert error.file == str(path)
    assert error.field == "tensor 'layers.1.biases'"
    assert error.offset == len(good) - 3 * trained.dtype.itemsize
    assert str(error).startswith(f"{path}: tensor 'layers.1.biases': ")
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_parameters_that_are_not_finite(path, trained):
    trained.save(path)
    before = path.read_bytes()
    trained.weights[1][2, 1] = np.inf
    with pytest.raises(
        ValueError, match=r"layers\.1\.weights: element 7 is not finite; with allow_"
    ):
        trained.save(path)
    with pytest.raises(TypeError, match="allow_nonfinite"):
        trained.save(path, allow_nonfinite="yes")
    assert path.read_bytes() == before
    trained.save(path, allow_nonfinite=True)
    with pytest.raises(fm.ModelFormatError, match=r"layers\.1\.weights'.*element 7 is not finite"):
        fm.load(path)
    assert state(fm.load(path, allow_nonfinite=True)) == state(trained)
    with pytest.raises(TypeError, match="allow_nonfinite"):
        fm.load(path, allow_nonfinite="yes")
