"""The cells of a workbook that are errors such as #DIV/0!, which its reader gives as empty ones."""

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from fastmlp._validation import brief
from fastmlp.data._text import counted

_CELL: Final = re.compile(
    rb'<(?:\w+:)?c\b([^<>]*\bt="e"[^<>]*)>(?:(?!</?(?:\w+:)?c\b).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL
)
_PLACE: Final = re.compile(rb'\br="([A-Z]{1,3})([1-9]\d*)"')
_OF_SHEET: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_LETTERS: Final = 26


def error_notes(data: bytes, sheet: str, names: Sequence[str], first: int) -> list[str]:
    """Return a note for each column of an .xlsx workbook that has errors; of others none.

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
    found: defaultdict[int, list[str]] = defaultdict(list)
    for place, text, column in _errors(_xml_of(data, sheet)):
        found[column - first].append(f"{text} in {place}")
    return [
        f"column {brief(names[j])}: {counted(len(places), 'cell')} "
        f"{'is an error' if len(places) == 1 else 'are errors'} of Excel, such as {places[0]}: "
        "taken as empty"
        for j, places in sorted(found.items())
        if 0 <= j < len(names)
    ]


def _errors(xml: bytes) -> Iterator[tuple[str, str, int]]:
    """Yield the place of each error, its text, and the number of its column."""
    if b't="e"' not in xml:
        return
    for match in _CELL.finditer(xml):
        if place := _PLACE.search(match[1]):
            number = 0
            for letter in place[1]:
                number = _LETTERS * number + letter - ord("A") + 1
            yield (place[1] + place[2]).decode(), match[2].decode(errors="replace"), number - 1


def _xml_of(data: bytes, sheet: str) -> bytes:
    """Return the XML of a sheet; empty if the workbook is not of this format."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return b""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        try:
            sheets = ET.fromstring(book.read("xl/workbook.xml")).iter()
            parts = ET.fromstring(book.read("xl/_rels/workbook.xml.rels"))
            wanted = next(each.get(_OF_SHEET) for each in sheets if each.get("name") == sheet)
            target = next(part.get("Target", "") for part in parts if part.get("Id") == wanted)
            return book.read(target[1:] if target.startswith("/") else f"xl/{target}")
        except (KeyError, StopIteration, ET.ParseError):  # expat refuses entities that grow
            return b""
