"""Where the rows of a stream come from, for messages about them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from fastmlp.errors import DataError


class Places(Protocol):
    """What tells where a sample comes from; see `Stream`."""

    def place(self, row: int) -> tuple[str, int]:
        """Return the file of a row, and its row there."""

    def target_file(self, row: int) -> str:
        """Return the file of the target of a row."""

    def feature_name(self, feature: int) -> str:
        """Return the name of a feature."""

    def target_name(self) -> str:
        """Return the name of the target."""


@contextmanager
def unusable(file: str, first: int) -> Iterator[None]:
    """Make a DataError of what is raised by data of `file` whose first row is its row `first`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever a conversion raises)
        told = str(error)
        if not isinstance(error, TypeError | ValueError):
            told = f"{type(error).__name__}: {told}"
        told = re.sub(r"\brow (\d+)", lambda row: f"row {first + int(row[1])}", told)
        raise DataError(f"{file}: {told}") from error.__cause__
