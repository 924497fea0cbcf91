"""NumPy files: one array with all columns, or an archive with features and target.

Object arrays are refused, because unpickling can run arbitrary code.
"""

import io
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data import _memory
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading.frames import column_makers, from_array
from fastmlp.tables.reading.table import Column, Table, Text

_NAMES: Final = (
    ("X", "y"), ("x", "y"), ("X_train", "y_train"), ("x_train", "y_train"), ("data", "target"),
    ("data", "labels"), ("data", "label"), ("features", "labels"), ("features", "target"),
    ("images", "labels"), ("train_images", "train_labels"), ("inputs", "targets"),
    ("inputs", "labels"), ("arr_0", "arr_1"),
)  # fmt: skip
"""What archives call their features and their target."""


def read_npy(path: Path) -> Table:
    """Read one array: a matrix, or a structured array whose fields are columns.

    Columns of a matrix are named "column 0" and so on. The file is memory-mapped.

    Raises
    ------
    DataError
        If it is no such array.
    OSError
        If the file cannot be read.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not an .npy file of numbers: {error}") from None
    if array.ndim == 1 and array.dtype.names is not None:
        names = cast("tuple[str, ...]", array.dtype.names)
        return Table.of(str(path), column_makers({name: array[name] for name in names}))
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(
            f"{path}: the array must have shape (samples, features and a target), got {array.shape}"
        )
    numbered = [f"column {j}" for j in range(array.shape[1])]
    return Table(str(path), _columns(path, "the array", array, numbered))


def _columns(path: Path, name: str, array: NDArray[Any], names: list[str]) -> dict[str, Column]:
    """Return the columns of a matrix, as views if it is numeric."""
    if array.dtype.kind not in "biufUS":
        raise DataError(f"{path}: {name} must hold numbers or text, got dtype {array.dtype}")
    if array.dtype.kind in "US":
        texts = {each: array[:, j] for j, each in enumerate(names)}
        return {each: make() for each, make in column_makers(texts)}
    return {each: array[:, j] for j, each in enumerate(names)}


def read_npz(path: Path, data: bytes) -> Table:
    """Read an archive with an array of features and one of targets, under their usual names.

    Raises
    ------
    DataError
        If it is not such an archive, or the arrays do not fit.
    """
    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: not an .npz archive; write it with numpy.savez(X=X, y=y)")
        pair = next((p for p in _NAMES if p[0] in archive.files and p[1] in archive.files), None)
        alone = next((X for X, _ in _NAMES if X in archive.files), None)
        if {"indptr", "indices", "format"} <= set(archive.files):
            raise DataError(f"{path}: a sparse matrix of SciPy, without a target")
        if alone is None or (pair is None and len(archive.files) > 1):
            found = ", ".join(archive.files) or "none"
            raise DataError(f"{path}: there are no arrays 'X' and 'y'; arrays are: {found}")
        X = _array(path, archive, pair[0] if pair else alone)
        y = _array(path, archive, pair[1]) if pair else None
        names = _feature_names(archive, X)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  (NumPy raises anything for invalid bytes)
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: the archive is damaged: {reason}") from None
    table = Table(str(path), _features(path, X, names))
    if y is not None:
        table.columns["y"] = _target(path, X, y)
        table.target = "y"
    left_out = sorted(set(archive.files) & {"X_test", "x_test", "test_images"})
    if left_out:
        table.notes.append(f"{left_out[0]} is not read: training splits its own part to test on")
    return table


def _array(path: Path, archive: Any, name: str) -> NDArray[Any]:
    with suppress(KeyError):  # a name not written by NumPy
        size = archive.zip.getinfo(f"{name}.npy").file_size
        _memory.require(f"{path}: array {name!r}", size)
    try:
        value = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: array {brief(name)} holds pickled Python objects, which are not loaded; "
            "save numbers or text"
        ) from None
    if not isinstance(value, np.ndarray):
        raise DataError(f"{path}: {brief(name)} is not an array")
    return value


def _feature_names(archive: Any, X: NDArray[Any]) -> list[str] | None:
    if "feature_names" not in archive.files:
        return None
    names = np.asarray(archive["feature_names"]).reshape(-1)
    texts = [str(name) for name in names.tolist()]
    return texts if len(texts) == X.shape[-1] and len(set(texts)) == len(texts) else None


def _features(path: Path, X: NDArray[Any], names: list[str] | None) -> dict[str, Column]:
    if X.ndim < 2 or X.size == 0:
        raise DataError(f"{path}: X must have shape (samples, features), got {X.shape}")
    if X.dtype.kind not in "biuf":
        raise DataError(f"{path}: X must hold real numbers, got dtype {X.dtype}")
    if X.ndim > 2:  # images: all in one unit
        return {"X": X.reshape(len(X), -1)}
    return _columns(path, "X", X, names or [f"X[:, {j}]" for j in range(X.shape[1])])


def _target(path: Path, X: NDArray[Any], y: NDArray[Any]) -> Column:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "biuf" and _is_one_hot(y):
        y = y.argmax(axis=1)
    if y.ndim != 1:
        raise DataError(f"{path}: y must have shape (samples,), got {y.shape}")
    if len(X) != len(y):
        raise DataError(f"{path}: X has {counted(len(X), 'sample')}, but y has {len(y)}")
    if y.dtype.kind not in "biufUS":
        raise DataError(f"{path}: y must hold numbers or text, got dtype {y.dtype}")
    return from_array("y", y) if y.dtype.kind not in "US" else _words(y)


def _words(y: NDArray[Any]) -> Text:
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "backslashreplace")
    return Text.of(y.tolist())


def _is_one_hot(y: NDArray[Any]) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
