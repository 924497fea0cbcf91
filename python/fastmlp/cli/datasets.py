"""Data to train on: the bundled digits, or a file of any format, all as one `Dataset`."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.cli.array_files import read_npy, read_npz
from fastmlp.cli.table_files import SVMLIGHT, TABLES, read_svmlight, read_table
from fastmlp.cli.tabular import is_number, read_csv, target_numbers
from fastmlp.errors import DataError


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
        ``"digits"``, or the path of a file: ``.csv``, ``.npy``, ``.npz``, Parquet or Arrow
        (``.parquet``, ``.arrow``, ``.feather``, ...), or svmlight (``.svm``, ...).
    target : str, optional
        The target column; needed for files of columns, and for nothing else.
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
    if kind == ".npy":
        return Dataset(str(path), *read_npy(path, target))
    if kind in TABLES:
        return Dataset(str(path), *read_table(path, target))
    if source != "digits" and kind not in (".npz", *SVMLIGHT):
        known = ", ".join((".csv", ".npy", ".npz", *TABLES, *SVMLIGHT))
        raise DataError(f"{source}: not a data set; give digits, or a file of {known}")
    if target is not None:
        raise DataError(f"{source}: --target is for files of columns; the target is fixed here")
    if source == "digits":
        return load_digits()
    return Dataset(str(path), *(read_npz(path) if kind == ".npz" else read_svmlight(path)))


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
