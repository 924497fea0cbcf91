"""Files of columns for the command line: NumPy's arrays, Parquet, Arrow, svmlight."""

import sys

import numpy as np
import pytest

from fastmlp.cli.datasets import load
from fastmlp.cli.main import main
from fastmlp.errors import DataError

A = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 1.0], [5.0, 6.0, 0.0]])


@pytest.fixture
def save(tmp_path):
    """Return a function that writes an array or the columns of a table, and returns the path."""

    def save(data, suffix=".npy"):
        path = tmp_path / f"data{suffix}"
        if suffix == ".npy":
            np.save(path, data)
        elif isinstance(data, str):
            path.write_text(data)
        else:
            pa = pytest.importorskip("pyarrow")
            table = data if isinstance(data, pa.Table) else pa.table(data)
            if suffix == ".parquet":
                pytest.importorskip("pyarrow.parquet").write_table(table, path)
            else:
                with pa.ipc.new_file(path, table.schema) as file:
                    file.write_table(table)
        return str(path)

    return save


def assert_refused(path, target, message):
    with pytest.raises(DataError, match=message) as caught:
        load(path, target)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", ">f8"])
def test_matrix(save, dtype):
    dataset = load(save(A.astype(dtype)), "2")
    assert dataset.X.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert dataset.y.tolist() == [0, 1, 0]
    assert dataset.features == ["column 0", "column 1"]


def test_structured_array(save):
    rows = np.array([(1, "x", 2.5), (3, "y", 4.5)], [("a", "i4"), ("kind", "U1"), ("b", "f4")])
    dataset = load(save(rows), "kind")
    assert (dataset.X.tolist(), dataset.y.tolist()) == ([[1, 2.5], [3, 4.5]], ["x", "y"])
    assert dataset.features == ["a", "b"]


@pytest.mark.parametrize(
    ("array", "target", "message"),
    [
        (A, None, r"name the target with --target; columns are '0', '1', '2'"),
        (A, "3", "there is no column '3'"),
        (A[:, :1], "0", r"must have shape \(samples, features and a target\), got \(3, 1\)"),
        (A[0], "0", r"got \(3,\)"),
        (A[:0], "0", "no samples"),
        (np.where(A == 4, np.nan, A), "2", r"array\[1, 1\] is nan"),
        (A.astype(complex), "2", "real numbers, got dtype complex128"),
        (np.zeros(2, [("a", "f4"), ("b", "f4", 3)]), "a", "field 'b' must hold numbers"),
        (np.zeros(2, [("a", "f4"), ("b", "U3")]), "a", "b must hold real numbers"),
        (np.zeros(2, [("a", "f4")]), "a", "only one field, 'a'"),
        (np.zeros(0, [("a", "f4"), ("b", "f4")]), "a", "no samples"),
    ],
)
def test_arrays_that_are_no_data(save, array, target, message):
    assert_refused(save(array), target, message)


def test_pickles_and_torn_files_are_refused(save, tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.array([[{}, 1]], object), allow_pickle=True)
    assert_refused(str(path), "1", "not an .npy file of numbers")
    whole = (tmp_path / "data.npy").read_bytes()
    for size in (0, 5, 30):
        path.write_bytes(whole[:size])
        assert_refused(str(path), "1", "not an .npy file of numbers")
    np.savez(tmp_path / "data", A)
    (tmp_path / "data.npz").rename(path)
    assert_refused(str(path), "1", "name it .npz")


TABLE = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True], "y": ["x", "z", "x"]}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".FEATHER"])
def test_table(save, suffix):
    dataset = load(save(TABLE, suffix), "y")
    assert dataset.X.tolist() == [[1, 0.5, 1], [2, 1.5, 0], [3, 2.5, 1]]
    assert dataset.y.tolist() == ["x", "z", "x"]
    assert dataset.features == ["a", "b", "c"]


def test_dictionaries_are_text(save):
    pa = pytest.importorskip("pyarrow")
    coded = pa.table({"a": [1, 2], "y": pa.array(["x", "z"]).dictionary_encode()})
    assert load(save(coded, ".parquet"), "y").y.tolist() == ["x", "z"]


@pytest.mark.parametrize(
    ("columns", "target", "message"),
    [
        (TABLE, None, "name the target with --target; columns are 'a', 'b', 'c', 'y'"),
        (TABLE, "z", "there is no column 'z'"),
        (TABLE, "a", "column 'y' holds string, not numbers"),
        ({"a": [1, None], "y": [0, 1]}, "y", "row 1, column 'a': the cell is null"),
        ({"a": [1, 2], "y": ["x", None]}, "y", "row 1, column 'y': the cell is null"),
        ({"a": [1.0, np.inf], "y": [0, 1]}, "y", "row 1, column 'a': inf is not finite"),
        ({"a": [[1], [2]], "y": [0, 1]}, "y", "column 'a' holds list<.*>, not numbers"),
        ({"y": [0, 1]}, "y", "no features beside the target"),
        ({"a": np.zeros(0), "y": np.zeros(0)}, "y", "there are no rows"),
    ],
)
def test_tables_that_are_no_data(save, columns, target, message):
    assert_refused(save(columns, ".parquet"), target, message)


def test_a_torn_table(save, tmp_path):
    path = save(TABLE, ".parquet")
    whole = (tmp_path / "data.parquet").read_bytes()
    for size in (0, 3, len(whole) - 5):
        (tmp_path / "data.parquet").write_bytes(whole[:size])
        assert_refused(path, "y", "cannot be read")


def test_tables_name_the_extra(save, monkeypatch):
    path = save("", ".parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_refused(path, "y", r"pip install 'fastmlp\[arrow\]'")


def test_svmlight(save):
    pytest.importorskip("sklearn")
    dataset = load(save("1 1:0.5 3:2\n-1 2:4\n", ".svm"))
    assert dataset.X.tolist() == [[0.5, 0, 2], [0, 4, 0]]
    assert dataset.y.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("a,b\n1,2\n", "not an svmlight file"),
        ("1 1:x\n", "not an svmlight file"),
        ("1 1:2\n0 2:nan\n", "row 1, feature 1: nan is not finite"),
        ("1 1:2\ninf 2:1\n", "row 1: the label inf"),
    ],
)
def test_text_that_is_not_svmlight(save, text, message):
    pytest.importorskip("sklearn")
    assert_refused(save(text, ".libsvm"), None, message)


@pytest.mark.parametrize("suffix", [".npy", ".parquet", ".svm"])
def test_train_from_the_command_line(save, suffix, rng, capsys):
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    target = ["--target", "y" if suffix == ".parquet" else "3"]
    if suffix == ".svm":
        pytest.importorskip("sklearn")
        rows = ((label, *row) for label, row in zip(y, X, strict=True))
        data, target = "".join("{} 1:{} 2:{} 3:{}\n".format(*row) for row in rows), []
    elif suffix == ".npy":
        data = np.column_stack([X, y])
    else:
        data = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y}
    assert main(["train", save(data, suffix), *target, "--epochs", "3"]) == 0
    assert "60 samples, 3 features" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".npy", ".parquet", ".svm", ".arrow"])
def test_a_file_that_is_not_there(tmp_path, suffix, capsys):
    target = [] if suffix == ".svm" else ["--target", "y"]
    assert main(["train", str(tmp_path / f"no{suffix}"), *target]) == 2
    assert "No such file" in capsys.readouterr().err
