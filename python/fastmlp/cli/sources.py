"""The tables of the command line: the bundled digits, or the path of a table."""

import os
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from fastmlp.errors import DataError
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.read import read
from fastmlp.tables.reading.table import Table, Text


def load(source: str, like: Table | None = None, targets: Collection[str] = ()) -> Table:
    """Read a table.

    Parameters
    ----------
    source : str
        ``"digits"``, or the path of a file, a folder, or a pattern.
    like : Table, optional
        Has the columns and the decimal mark that are expected; no row is left out.
    targets : collection of str, optional
        The columns to learn.

    Raises
    ------
    DataError
        If it cannot be read as a table.
    OSError
        If the file cannot be read.
    """
    if source == "digits" and not Path(source).exists():
        return load_digits()
    if not source:
        raise FileNotFoundError(2, os.strerror(2), source)
    if like is None:
        return read(source, Known(targets=targets))
    words = {name for name, column in like.columns.items() if isinstance(column, Text)}
    decimal = like.decimal if like.certainty else None
    return read(source, Known(like.columns, words, complete=True, decimal=decimal))


def rows_of(source: str) -> Table | str:
    """Return the digits or the path; a model reads paths with the known names of its columns."""
    return load(source) if source == "digits" else source


def load_digits() -> Table:
    """Load the 1,797 handwritten digits of 8 x 8 pixels that are part of scikit-learn.

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
    return Table("digits", {"pixels": digits.data, "digit": digits.target}, target="digit")
