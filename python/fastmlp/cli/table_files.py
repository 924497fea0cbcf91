"""Parquet, Arrow and svmlight files, read whole by pyarrow and scikit-learn.

Data larger than memory go through `fastmlp.ParquetStream` instead.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._extras import require
from fastmlp._validation import brief
from fastmlp.cli.array_files import Arrays
from fastmlp.cli.tabular import chosen_column
from fastmlp.errors import DataError
from fastmlp.streams.tables import ARROW, PARQUET, feature_names, opened_file, pyarrow, reading

TABLES: Final = (*PARQUET, *ARROW)
SVMLIGHT: Final = (".svm", ".libsvm", ".svmlight")


def read_table(path: Path, target: str | None) -> Arrays:
    """Read a Parquet or Arrow IPC (Feather) file of numeric features.

    Parameters
    ----------
    path : Path
        The file; its suffix tells the format.
    target : str or None
        The name of the target column, of numbers, text, or true and false.

    Raises
    ------
    DataError
        If pyarrow is missing, the file cannot be read, lacks the target, has no rows, or a column
        holds what cannot be trained on; it names column and row.
    OSError
        If the file is not there.
    """
    path.stat()  # a file that is not there is the system's error
    try:
        pyarrow()
    except ImportError as error:
        raise DataError(f"{path}: {error}") from None
    with reading(str(path)):
        source = opened_file(pyarrow("pyarrow.fs").LocalFileSystem(), str(path))
        if path.suffix.lower() in PARQUET:
            table = pyarrow("pyarrow.parquet").ParquetFile(source).read()
        else:
            table = pyarrow("pyarrow.ipc").open_file(source).read_all()
    everything = table.column_names
    for name in everything:
        if everything.count(name) > 1:
            raise DataError(f"{path}: {everything.count(name)} columns are named {brief(name)}")
    names = feature_names(table.schema)
    y_name = names.pop(chosen_column(path, names, target))
    if not names or table.num_rows == 0:
        missing = "features beside the target" if table.num_rows else "rows"
        raise DataError(f"{path}: there are no {missing}")
    X = np.empty((table.num_rows, len(names)))
    for j, name in enumerate(names):
        X[:, j] = _column(path, name, table.column(name), may_be_text=False)
    return X, _column(path, y_name, table.column(y_name), may_be_text=True), names


def _column(path: Path, name: str, column: Any, *, may_be_text: bool) -> NDArray[Any]:
    """Return a column of numbers, or of text, without nulls."""
    types, kind = pyarrow("pyarrow.types"), column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
    text = may_be_text and (types.is_string(kind) or types.is_large_string(kind))
    if not (text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        allowed = "numbers or text" if may_be_text else "numbers"
        raise DataError(f"{path}: column {brief(name)} holds {kind}, not {allowed}")
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        raise DataError(f"{path}: row {row}, column {brief(name)}: the cell is null")
    values: NDArray[Any] = column.to_numpy()
    if text:
        return values.astype(str)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{path}: row {row}, column {brief(name)}: {values[row]} is not finite")
    return values


def read_svmlight(path: Path) -> Arrays:
    """Read a text file of svmlight, as scikit-learn reads it: the label, then index:value pairs.

    Parameters
    ----------
    path : Path
        The file; features are made dense.

    Raises
    ------
    DataError
        If scikit-learn is missing, or the file is not of this format, empty, or not finite.
    OSError
        If the file cannot be read.
    """
    with path.open("rb"):
        pass  # a file that cannot be read is the system's error
    try:
        sklearn_datasets = require("sklearn.datasets", "reading svmlight files", "sklearn")
    except ImportError as error:
        raise DataError(f"{path}: {error}") from None
    try:
        rows, y = sklearn_datasets.load_svmlight_file(str(path))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: not an svmlight file: {error}") from None
    if not rows.shape[0]:
        raise DataError(f"{path}: there are no rows")
    wrong = ~np.isfinite(rows.data)
    if wrong.any():
        element = int(wrong.argmax())
        row = int(np.searchsorted(rows.indptr, element, side="right")) - 1
        place = f"row {row}, feature {rows.indices[element]}"
        raise DataError(f"{path}: {place}: {rows.data[element]} is not finite")
    if not np.isfinite(y).all():
        row = int((~np.isfinite(y)).argmax())
        raise DataError(f"{path}: row {row}: the label {y[row]} is not finite")
    return rows.toarray(), y, [f"feature {j}" for j in range(rows.shape[1])]
