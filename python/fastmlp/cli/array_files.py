"""NumPy's files: an archive with the arrays X and y, or one array whose columns hold all.

Objects are refused: unpickling a file can run any code in it.
"""

import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.cli.tabular import chosen_column
from fastmlp.data import _memory
from fastmlp.errors import DataError

Arrays = tuple[NDArray[Any], NDArray[Any], list[str]]
"""(X, y, names of the features): what a file of any format comes to."""


def read_npz(path: Path) -> Arrays:
    """Read an archive with the arrays X, shape (n, K), and y, shape (n,).

    Parameters
    ----------
    path : Path
        The file, as ``numpy.savez`` writes it.

    Raises
    ------
    DataError
        If it is not such an archive, or the arrays do not fit.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: not an .npz archive; write it with numpy.savez(X=X, y=y)")
        file.seek(0)
        try:
            archive = np.load(file, allow_pickle=False)
            X, y = _array(path, archive, "X"), _array(path, archive, "y")
        except (DataError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  (bytes that are no array make NumPy raise any)
            reason = str(error) or type(error).__name__
            raise DataError(f"{path}: the archive is damaged: {reason}") from None
    _check_shapes(path, X, y)
    _check_values(path, "X", X, "biuf")
    _check_values(path, "y", y, "biufUS")
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "backslashreplace")
    return X, y, [f"X[:, {column}]" for column in range(X.shape[1])]


def read_npy(path: Path, target: str | None) -> Arrays:
    """Read one array: a matrix, or a structured array whose fields are columns.

    Parameters
    ----------
    path : Path
        The file, as ``numpy.save`` writes it; a matrix is mapped, not read.
    target : str or None
        The target column: its number, from 0; or of a structured array its name.

    Raises
    ------
    DataError
        If it is no such array, the target is none of its columns, or a value is not finite.
    OSError
        If the file cannot be read.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not an .npy file of numbers: {error}") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path}: an archive of arrays; name it .npz")
    if array.ndim == 1 and array.dtype.names is not None:
        return _fields(path, array, target)
    if array.ndim != 2 or array.shape[1] < 2:
        raise DataError(
            f"{path}: the array must have shape (samples, features and a target), got {array.shape}"
        )
    column = chosen_column(path, [str(j) for j in range(array.shape[1])], target)
    if len(array) == 0:
        raise DataError(f"{path}: the array has no samples")
    _check_values(path, "array", array, "biuf")
    names = [f"column {j}" for j in range(array.shape[1]) if j != column]
    return np.delete(array, column, axis=1), np.array(array[:, column]), names


def _fields(path: Path, array: NDArray[Any], target: str | None) -> Arrays:
    names = list(cast("tuple[str, ...]", array.dtype.names))
    if len(names) < 2:
        raise DataError(
            f"{path}: there is only one field, {brief(names[0])}; a target and a feature are needed"
        )
    if len(array) == 0:
        raise DataError(f"{path}: the array has no samples")
    y_name = names.pop(chosen_column(path, names, target))
    for name in names:
        if array.dtype[name].shape:
            raise DataError(
                f"{path}: field {brief(name)} must hold numbers, got {array.dtype[name]}"
            )
        _check_values(path, name, array[name], "biuf")
    _check_values(path, y_name, array[y_name], "biufU")
    columns = [np.asarray(array[name], np.float64) for name in names]
    return np.stack(columns, axis=1), np.array(array[y_name]), names


def _array(path: Path, archive: Any, name: str) -> NDArray[Any]:
    if name not in archive.files:
        found = ", ".join(archive.files) or "none"
        raise DataError(f"{path}: there is no array {brief(name)}; arrays are: {found}")
    with suppress(KeyError):  # a name that NumPy did not write
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


def _check_shapes(path: Path, X: NDArray[Any], y: NDArray[Any]) -> None:
    if X.ndim != 2 or X.shape[1] == 0:
        hint = "; flatten each sample: X.reshape(len(X), -1)" if X.ndim > 2 else ""
        raise DataError(f"{path}: X must have shape (samples, features), got {X.shape}{hint}")
    if y.ndim != 1:
        hint = "; write y.ravel()" if y.ndim == 2 and y.shape[1] == 1 else ""
        raise DataError(f"{path}: y must have shape (samples,), got {y.shape}{hint}")
    if len(X) != len(y):
        raise DataError(f"{path}: X has {len(X)} samples, but y has {len(y)}")
    if len(X) == 0:
        raise DataError(f"{path}: X and y have no samples")


def _check_values(path: Path, name: str, values: NDArray[Any], kinds: str) -> None:
    if values.dtype.kind not in kinds:
        allowed = "numbers or text" if "U" in kinds else "real numbers"
        raise DataError(f"{path}: {name} must hold {allowed}, got dtype {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        index = np.unravel_index(int(np.isfinite(values).argmin()), values.shape)
        place = ", ".join(map(str, index))
        raise DataError(f"{path}: {name}[{place}] is {values[index]}; all values must be finite")
