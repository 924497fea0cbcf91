"""`Known`: what is known of a table before it is read."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What a model knows of a table: its targets, or the table it was trained on.

    Attributes
    ----------
    names : collection of str
        Columns that exist.
    words : collection of str
        Columns that stay text even if all their cells are numbers.
    targets : collection of str
        Columns whose cells stay as they are written if a frame or file says that they are text.
    complete : bool
        Raise for a single row of another length, instead of leaving it out with a note.
    decimal : {".", ","} or None
        The decimal mark of text that leaves it open: that of the training.
    """

    names: Collection[str] = ()
    words: Collection[str] = ()
    targets: Collection[str] = ()
    complete: bool = False
    decimal: str | None = None


NOTHING = Known()
"""Of a table to train on."""
