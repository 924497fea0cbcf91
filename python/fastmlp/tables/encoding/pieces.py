"""How many pieces each number is cut into."""

from collections.abc import Mapping
from typing import Final

from fastmlp.tables.encoding.kinds import Kind
from fastmlp.tables.reading import dates

PIECES: Final = 16
_FINEST, _ROWS_OF_PIECE = 128, 8  # for few columns of numbers, with enough rows
_COARSEST: Final = 4  # for many columns of numbers
_PIECES_TOGETHER: Final = 256  # for all numbers; half as many for classes
_MOST_PIECES: Final = 512  # if those are not enough for the coarsest
_PIECES_BYTES: Final = 1 << 26


def pieces_of(kinds: Mapping[str, Kind], rows: int, *, classes: bool) -> int:
    """Return the number of pieces for each number; 0 if there are too many numbers.

    Pieces between quantiles measure ranks rather than distances: with too few rows in each, a
    number at the edge of one class looks as if it were halfway to the next. A numeric target says
    more about a row than a class does, so it is worth more pieces.
    """
    numbers = sum(
        {"number": 1, "time of day": 1, "date": len(dates.PARTS)}.get(kind.name, 0)
        for kind in kinds.values()
    )
    most = min(_MOST_PIECES, max(1, _PIECES_BYTES // (4 * rows))) // max(1, numbers)
    together = _PIECES_TOGETHER // 2 if classes else _PIECES_TOGETHER
    enough = max(_COARSEST, together // max(1, numbers))
    fewest = PIECES // 2 if classes else PIECES
    fine = min(_FINEST, max(fewest, rows // _ROWS_OF_PIECE))
    pieces = min(fine, enough, most)
    return pieces if pieces >= 3 else 0
