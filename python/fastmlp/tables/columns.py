"""The report of how each column is used."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnReport:
    """How a column is used.

    Attributes
    ----------
    name : str
        The column.
    kind : str
        "number", "yes/no", "words", "date", "time of day", "vector" or "dropped".
    inputs : int
        The number of inputs of the network.
    how : str
        How it is encoded, and why.
    """

    name: str
    kind: str
    inputs: int
    how: str


class Columns(tuple[ColumnReport, ...]):
    """How each column is used; `str` gives a readable table."""

    __slots__ = ()

    def __str__(self) -> str:
        names = [_shortened(column.name) for column in self]
        wide = max(map(len, names), default=0)
        return "\n".join(
            f"{name:<{wide}}  {column.kind:<11}  {column.inputs or '':>4}  {column.how}"
            for name, column in zip(names, self, strict=True)
        )

    __repr__ = __str__


def _shortened(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:27]}..."
