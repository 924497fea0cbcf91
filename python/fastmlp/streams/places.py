"""The origin of the rows of a stream, for error messages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from fastmlp.errors import DataError


class Places(Protocol):
    """The origin of samples; see `Stream`."""

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
    """Raise errors about data of `file` as DataError, with rows counted from its row `first`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever a conversion raises)
        text = str(error)
        if not isinstance(error, TypeError | ValueError):
            text = f"{type(error).__name__}: {text}"
        text = re.sub(r"\brow (\d+)", lambda row: f"row {first + int(row[1])}", text)
        raise DataError(f"{file}: {text}") from error.__cause__
