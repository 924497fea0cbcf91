"""Data to train on: the bundled digits, CSV files and NPZ files, all as one `Dataset`."""

import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import DataError
from fastmlp.tabular import is_number, read_csv, target_numbers


@dataclass(frozen=True)
class Dataset:
    """Samples and targets as they were found, before any preparation.

    Attributes
    ----------
    name : str
        Where they come from.
    X : ndarray, shape (n, K)
        Features, finite numbers.
    y : ndarray, shape (n,)
        Targets: finite numbers, or text.
    features : list of str
        A name for each column of X.
    common_unit : bool
        Whether all features are measured in the same unit, as the pixels of an image are.
    """

    name: str
    X: NDArray[Any]
    y: NDArray[Any]
    features: list[str]
    common_unit: bool = False


def load(source: str, target: str | None = None, task: str | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    source : str
        ``"digits"``, or the path of a file ``.csv`` or ``.npz``.
    target : str, optional
        The target column; needed for CSV files, and for nothing else.
    task : {"classification", "regression"}, optional
        ``"regression"`` insists on a numeric target.

    Returns
    -------
    Dataset
        The data.

    Raises
    ------
    DataError
        If there is no such data set, or the file does not hold what it should.
    OSError
        If the file cannot be read.
    """
    path = Path(source)
    kind = path.suffix.lower()
    if kind == ".csv":
        return _load_csv(path, target, task)
    if source != "digits" and kind != ".npz":
        raise DataError(f"{source}: not a data set; give digits, a .csv file or an .npz file")
    if target is not None:
        raise DataError(f"{source}: --target is for CSV files; the target is fixed here")
    return load_digits() if source == "digits" else load_npz(path)


def load_digits() -> Dataset:
    """Load the 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Raises
    ------
    DataError
        If scikit-learn is not installed.
    """
    try:
        sklearn_datasets = import_module("sklearn.datasets")
    except ImportError:
        raise DataError(
            "digits come with scikit-learn, which is missing: pip install 'fastmlp[demo]'"
        ) from None
    digits = sklearn_datasets.load_digits()
    return Dataset("digits", digits.data, digits.target, list(digits.feature_names), True)


def _load_csv(path: Path, target: str | None, task: str | None) -> Dataset:
    table = read_csv(path, target)
    if task == "regression" or all(map(is_number, table.target)):
        y: NDArray[Any] = target_numbers(path, table)
    else:
        y = np.array(table.target)
    return Dataset(str(path), table.matrix(), y, table.features)


def load_npz(path: Path) -> Dataset:
    """Load an archive with the arrays X, shape (n, K), and y, shape (n,).

    Objects are refused: unpickling a file can run any code in it.

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
    return Dataset(str(path), X, y, [f"X[:, {column}]" for column in range(X.shape[1])])


def _array(path: Path, archive: Any, name: str) -> NDArray[Any]:
    if name not in archive.files:
        found = ", ".join(archive.files) or "none"
        raise DataError(f"{path}: there is no array {name!r}; arrays are: {found}")
    try:
        value = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: array {name!r} holds pickled Python objects, which are not loaded; "
            "save numbers or text"
        ) from None
    if not isinstance(value, np.ndarray):
        raise DataError(f"{path}: {name!r} is not an array")
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
