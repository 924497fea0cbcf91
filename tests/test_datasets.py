"""Loading data sets by name: digits, CSV and NPZ."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastmlp.cli.datasets import load
from fastmlp.errors import DataError

X = np.arange(6.0).reshape(3, 2)
Y = np.array([0, 1, 0])


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return save


def test_digits():
    pytest.importorskip("sklearn")
    digits = load("digits")
    assert (digits.X.shape, digits.y.shape, digits.common_unit) == ((1797, 64), (1797,), True)
    assert (digits.X.min(), digits.X.max()) == (0, 16)
    assert len(digits.features) == 64


def test_digits_name_the_extra_where_scikit_learn_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'fastmlp\[demo\]'$"):
        load("digits")


@pytest.mark.parametrize(
    ("cells", "task", "expected"),
    [
        (["x", "z"], None, ["x", "z"]),
        (["1", "z"], None, ["1", "z"]),
        (["1", "2.5"], None, [1.0, 2.5]),
        (["1", "2.5"], "regression", [1.0, 2.5]),
        (["1", "02"], "classification", [1.0, 2.0]),
    ],
)
def test_csv(tmp_path, cells, task, expected):
    path = tmp_path / "DATA.CSV"
    path.write_text(f"a,y\n1,{cells[0]}\n3,{cells[1]}\n")
    dataset = load(str(path), "y", task)
    assert (dataset.name, dataset.features) == (str(path), ["a"])
    assert dataset.X.tolist() == [[1.0], [3.0]]
    assert dataset.y.tolist() == expected


@pytest.mark.parametrize("y", [Y, Y.astype(bool), ["a", "b", "a"], [0.5, 1.5, 2.5]])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f8", "u1", "i8", "?"])
def test_npz(save, y, dtype):
    dataset = load(save(X=X.astype(dtype), y=y, another=0))
    assert np.array_equal(dataset.X, X.astype(dtype))
    assert np.array_equal(dataset.y, y)
    assert dataset.features == ["X[:, 0]", "X[:, 1]"]


def test_npz_labels_of_bytes_are_text(save):
    assert load(save(X=X, y=[b"a", b"\xff", b"a"])).y.tolist() == ["a", "\\xff", "a"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X, "y": Y}, "there is no array 'X'; arrays are: x, y"),
        ({"X": X}, "there is no array 'y'; arrays are: X"),
        ({}, "there is no array 'X'; arrays are: none"),
        ({"X": X[0], "y": Y}, r"X must have shape \(samples, features\), got \(2,\)"),
        ({"X": X[:, :0], "y": Y}, r"X must have shape \(samples, features\), got \(3, 0\)"),
        ({"X": X[..., None], "y": Y}, r"got \(3, 2, 1\); flatten each sample"),
        ({"X": X, "y": Y[:, None]}, r"y must have shape \(samples,\), got \(3, 1\); .*ravel"),
        ({"X": X, "y": X}, r"y must have shape \(samples,\), got \(3, 2\)$"),
        ({"X": X, "y": Y[:2]}, "X has 3 samples, but y has 2"),
        ({"X": X[:0], "y": Y[:0]}, "X and y have no samples"),
        ({"X": X + 1j, "y": Y}, "X must hold real numbers, got dtype complex128"),
        ({"X": X.astype(str), "y": Y}, "X must hold real numbers, got dtype <U"),
        ({"X": X, "y": Y.astype("M8[D]")}, "y must hold numbers or text, got dtype datetime64"),
        ({"X": X, "y": [0.0, np.nan, 1.0]}, r"y\[1\] is nan; all values must be finite"),
        ({"X": np.where(X == 3, -np.inf, X), "y": Y}, r"X\[1, 1\] is -inf"),
        ({"X": X, "y": Y.astype(object)}, "array 'y' holds pickled Python objects"),
        ({"X": X.astype(object), "y": Y}, "array 'X' holds pickled Python objects"),
    ],
)
def test_npz_arrays_that_do_not_fit(save, arrays, message):
    with pytest.raises(DataError, match=message):
        load(save(**arrays))


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"\x93NUMPY\x01\x00"])
def test_no_npz_at_all(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not an \.npz archive"):
        load(str(path))


def test_damaged_npz(save):
    path = save(X=np.zeros((100, 100)), y=np.zeros(100))
    with Path(path).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    with pytest.raises(DataError, match="the archive is damaged: Bad CRC-32"):
        load(path)


def test_npz_member_that_is_no_array(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", "no array")
        archive.writestr("y.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match="'X' is not an array"):
        load(str(path))


@pytest.mark.parametrize("header", [b"{'descr': '<f8', 'shape':", b"nonsense", b"{}", b"\xff"])
def test_npz_member_with_a_broken_header(tmp_path, header):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + bytes([len(header), 0]) + header)
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match="the archive is damaged: "):
        load(str(path))


@pytest.mark.parametrize("source", ["digit", "data.txt", "", "-", "data.csv.gz"])
def test_unknown_sources(source):
    with pytest.raises(DataError, match=r"give digits, or a file of \.csv, \.npy"):
        load(source)


@pytest.mark.parametrize("source", ["digits", "data.npz"])
def test_a_target_is_for_csv(source):
    with pytest.raises(DataError, match="--target is for files of columns"):
        load(source, target="y")
