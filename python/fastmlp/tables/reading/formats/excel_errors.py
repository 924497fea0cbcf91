"""The cells of a workbook that its reader gives as empty: errors, and formulas without a value."""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from fastmlp._validation import brief
from fastmlp.data._text import counted

_CELL: Final = re.compile(
    rb'<(?:\w+:)?c\b([^<>]*\bt="e"[^<>]*)>(?:(?!</?(?:\w+:)?c\b).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL
)
# A formula whose value is an empty text has t="str". Other programs than Excel may write no values.
_FORMULA: Final = re.compile(
    rb'<(?:\w+:)?c\b(?![^<>]*\bt="str")([^<>/]*)><(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f>)'
    rb"(?:<(?:\w+:)?v>\s*</(?:\w+:)?v>|<(?:\w+:)?v\s*/>)?</(?:\w+:)?c>"
)
_PLACE: Final = re.compile(rb'\br="([A-Z]{1,3})([1-9]\d*)"')
_OF_SHEET: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_LETTERS: Final = 26


def error_notes(data: bytes, sheet: str, names: Sequence[str], first: int) -> list[str]:
    """Return a note for each column of an .xlsx workbook that has such cells; of others none.

    Parameters
    ----------
    data : bytes
        The workbook.
    sheet : str
        The sheet that is read.
    names : sequence of str
        Its columns.
    first : int
        The number of the first in the sheet.
    """
    xml, notes = _xml_of(data, sheet), []
    if b't="e"' in xml:
        for name, cell, number in _by_column(_CELL, xml, names, first):
            error, count = cell[2].decode(errors="replace"), counted(number, "cell")
            what = "is an error" if number == 1 else "are errors"
            notes.append(
                f"column {brief(name)}: {count} {what} of Excel, such as {error} in "
                f"{_place(cell)}: taken as empty"
            )
    has_formulas = b"<f" in xml or b":f" in xml
    for name, cell, number in _by_column(_FORMULA, xml, names, first) if has_formulas else ():
        count = counted(number, "cell")
        what = "is a formula" if number == 1 else "are formulas"
        notes.append(
            f"column {brief(name)}: {count} {what} without a value, such as {_place(cell)}: "
            "taken as empty; open the file in Excel and save it"
        )
    return notes


def _by_column(
    pattern: re.Pattern[bytes], xml: bytes, names: Sequence[str], first: int
) -> Iterator[tuple[str, re.Match[bytes], int]]:
    """Yield the columns that have cells of a pattern, the first of these and their number."""
    examples: dict[bytes, re.Match[bytes]] = {}
    counts: Counter[bytes] = Counter()  # by the letters of the column
    for match in pattern.finditer(xml):
        if place := _PLACE.search(match[1]):
            examples.setdefault(place[1], match)
            counts[place[1]] += 1
    numbers = {_number(letters) - first: letters for letters in counts}
    for j in sorted(numbers):
        if 0 <= j < len(names):
            yield names[j], examples[numbers[j]], counts[numbers[j]]


def _number(letters: bytes) -> int:
    """Return the number of a column, from 0."""
    number = 0
    for letter in letters:
        number = _LETTERS * number + letter - ord("A") + 1
    return number - 1


def _place(cell: re.Match[bytes]) -> str:
    place = _PLACE.search(cell[1])
    assert place is not None
    return (place[1] + place[2]).decode()


def _xml_of(data: bytes, sheet: str) -> bytes:
    """Return the XML of a sheet; empty if the workbook is not of this format."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return b""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            sheets = ET.fromstring(book.read("xl/workbook.xml")).iter()
            parts = ET.fromstring(book.read("xl/_rels/workbook.xml.rels"))
            wanted = next(each.get(_OF_SHEET) for each in sheets if each.get("name") == sheet)
            target = next(part.get("Target", "") for part in parts if part.get("Id") == wanted)
            return book.read(target[1:] if target.startswith("/") else f"xl/{target}")
    # Its reader may be content with less than Python's; expat refuses entities that grow.
    except (KeyError, StopIteration, ET.ParseError, zipfile.BadZipFile, NotImplementedError):
        return b""
