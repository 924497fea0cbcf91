"""Any column as text: its cells as they would be written."""

import numpy as np

from fastmlp.tables.reading.table import Column, Text


def as_text(column: Column, mark: str = ".") -> Text:
    """Return a column as text, numbers with a decimal mark unless they are whole."""
    if isinstance(column, Text):
        return column
    if column.ndim == 2:
        return Text.of(
            None if any(value != value for value in row) else str(row)  # noqa: PLR0124
            for row in column.tolist()
        )
    if column.dtype.kind == "b":
        return Text.of("True" if value else "False" for value in column.tolist())
    if column.dtype.kind == "M":
        return Text.of(None if np.isnat(value) else str(value) for value in column)
    if column.dtype.kind in "iu":
        return Text.of(map(str, column.tolist()))
    numbers = column.astype(np.float64).tolist()
    return Text.of(
        None if value != value else _written(value, mark)  # noqa: PLR0124
        for value in numbers
    )


def _written(number: float, mark: str) -> str:
    return str(int(number)) if number.is_integer() else repr(number).replace(".", mark)
