"""The dialect of a CSV file: delimiter, quotes, comments, title, header, decimal mark.

The delimiter is the one that gives rows of equal length; the rest is derived from the first rows.
Over 400 lines, as each part of the dialect depends on the others.
"""

import contextlib
import csv
import io
import math
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from fastmlp._validation import brief
from fastmlp.data._text import counted
from fastmlp.errors import DataError
from fastmlp.tables.reading.cells import MISSING_WORDS, is_number, is_thousands, number
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.table import Certainty

_DELIMITERS: Final = ",;\t| "
_BLANK_BEFORE_QUOTE: Final = re.compile(r'[,;\t|] +"')
_BLANKS_AFTER_QUOTE: Final = re.compile(r'" +(?=[,;\t|\r\n])')
_COMMA_NUMBER: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_POINT_NUMBER: Final = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)
_OPEN_NUMBER: Final = re.compile(r"[+-]?[1-9]\d{0,2}[,.]\d{3}", re.ASCII)
"""A number whose mark separates thousands or decimals, such as 1,000."""
_IN_PAIRS: Final = re.compile(r"[+-]?\d{1,2}(,\d\d)+,\d{3}", re.ASCII)
"""A number as in India, or a list."""
_NUMBERS: Final = re.compile(r"[+-]?[\d.]+(, ?[+-]?[\d.]+){2,}", re.ASCII)
_MARK: Final = re.compile(r"[.,]")
_NUMBERED: Final = re.compile(r"column \d+", re.ASCII)
_BESIDE_DIGITS: Final = re.compile(r"\s*[$€£¥%]\s*|(?<=\d)[\s'\u2019](?=\d{3}(?!\d))")
"""Signs of currencies and percent, and blanks and apostrophes that separate thousands."""

NO_NAMES: Final = "{} holds data, not names: the columns are called 'column 0', 'column 1', ..."
_OF_COMMAS: Final = '; if commas are decimal marks here, quote the cells, as in "3,5"'
_MOST_TITLES: Final = 20
_NO_LIMIT: Final = (1 << 31) - 1
_limiting: Final = threading.Lock()  # of the next two
_unlimited = 0  # readers in progress
_limit = 0  # that of `csv` before the first of them

Row = tuple[int, list[str]]
"""The line on which a row ends, from 1, and its cells."""


@dataclass
class Dialect:
    """How to read a file.

    Attributes
    ----------
    delimiter : str
        One character; a blank means any number of blanks.
    names : list of str
        Of the columns; empty for a column without a name.
    skip : int
        Lines before the first row of data.
    quoted : bool
        Whether quotes enclose cells.
    escape : str or None
        The character before a quote within quotes, instead of a second quote.
    blanks : bool
        Whether blanks follow delimiters, even before quotes.
    decimal : {".", ","}
        The decimal mark.
    certainty : {"", "guessed", "clear"}
        Of the decimal mark; empty if no number has a mark.
    notes : list of str
        Irregularities, one sentence each.
    """

    delimiter: str
    names: list[str]
    skip: int
    quoted: bool
    escape: str | None = None
    blanks: bool = False
    decimal: str = "."
    certainty: Certainty = ""
    notes: list[str] = field(default_factory=list)

    def reader(self, text: str | Iterable[str]) -> Iterator[Row]:
        """Iterate over the rows of a text, or of its lines, without blank ones."""
        return _rows(text, self.delimiter, self.quoted, self.escape, self.blanks)


def sniff(source: str, text: str, known: Known) -> Dialect:
    """Detect the dialect of a file.

    Parameters
    ----------
    source : str
        The file, for messages.
    text : str
        Whole lines: the first ones, and some from the first quotes and decimal commas on.
    known : Known
        What is known of its table.

    Raises
    ------
    DataError
        If it is empty, or the header does not fit the rows.
    """
    separator = re.match(r'"?sep=(.)"?[^\S\n]*\r?\n', text)
    skipped = 0
    if separator:
        text, skipped = text[separator.end() :], 1
    comments = _leading_comments(text)
    quoted = '"' in text
    blanks = _BLANK_BEFORE_QUOTE.search(text) is not None
    delimiters = separator[1] if separator else _DELIMITERS
    best: tuple[float, str, str | None, list[Row]] | None = None
    absent = [delimiter for delimiter in delimiters if delimiter not in text]
    for rank, delimiter in enumerate(delimiters):
        if delimiter in absent[1:]:  # the rows are those with the first one
            continue
        escape = _escape(text, delimiter, blanks)
        rows = list(_rows(text, delimiter, quoted, escape, blanks))
        rows = [(line, row) for line, row in rows if line > comments]
        score = _consistency(rows, known) - 0.01 * rank - 0.6 * (delimiter == " ")
        if rows and (best is None or score > best[0]):
            best = (score, delimiter, escape, rows)
    if best is None:
        raise DataError(f"{source}: the file is empty")
    _, delimiter, escape, rows = best
    dialect = Dialect(delimiter, [], comments, quoted, escape, blanks)
    _find_header(source, dialect, rows, skipped, known.names)
    dialect.skip += skipped
    _find_decimal(dialect, rows, known)
    return dialect


def _escape(text: str, delimiter: str, blanks: bool) -> str | None:
    """Return a backslash if quotes within quotes follow one, instead of being doubled.

    It may also be the last character of a cell. With the wrong reading, rows are of other lengths,
    or characters follow the quote that closes a cell.
    """
    if '\\"' not in text:
        return None
    text = _BLANKS_AFTER_QUOTE.sub('"', text)
    whole = {}
    for escape in (None, "\\"):
        lengths: Counter[int] = Counter()
        with contextlib.suppress(csv.Error):
            for _, row in _rows(text, delimiter, True, escape, blanks, strict=True):
                lengths[len(row)] += 1
        whole[escape] = max(lengths.values(), default=0)
    return max(whole, key=lambda escape: whole[escape])  # the first one if both are alike


@contextlib.contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Let `csv` read cells of any length; it has one limit for all threads."""
    global _unlimited, _limit  # noqa: PLW0603
    with _limiting:
        if _unlimited == 0:
            _limit = csv.field_size_limit(_NO_LIMIT)
        _unlimited += 1
    try:
        yield
    finally:
        with _limiting:
            _unlimited -= 1
            if _unlimited == 0:
                csv.field_size_limit(_limit)


def _rows(
    text: str | Iterable[str],
    delimiter: str,
    quoted: bool,
    escape: str | None,
    blanks: bool,
    *,
    strict: bool = False,
) -> Iterator[Row]:
    lines: Iterable[str] = io.StringIO(text, newline="") if isinstance(text, str) else text
    if delimiter == " ":
        lines = (re.sub(r"[ \t]+", " ", line.strip()) + "\n" for line in lines)
    are_stripped = blanks or delimiter == " "
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        escapechar=escape,
        doublequote=escape is None,
        skipinitialspace=are_stripped,
        strict=strict,
    )
    with _cells_of_any_length():
        for row in reader:
            if row and (len(row) > 1 or row[0].strip() or (row[0] == "" and not are_stripped)):
                yield reader.line_num, row


def _leading_comments(text: str) -> int:
    """Count the comment lines at the top; a header may also begin with #."""
    lines = text.split("\n", 200)
    count = 0
    while count < len(lines) - 1 and lines[count].startswith(("#", "%")):
        count += 1
    if count and any(
        lines[count - 1].count(mark) == lines[count].count(mark) > 0 for mark in ",;\t|"
    ):
        count -= 1  # the last one is the header, after a #
    return count


def _width(rows: list[Row]) -> int:
    """Return the most frequent number of cells; the first row may be the header."""
    body = [len(row) for _, row in rows[1:]] or [len(row) for _, row in rows]
    return Counter(body).most_common(1)[0][0]


def _consistency(rows: list[Row], known: Known) -> float:
    """Return how well a delimiter fits the rows: larger is better."""
    if not rows:
        return -1.0
    width = _width(rows)
    if width < 2:
        return 0.9 + 5.0 * (rows[0][1][0].strip() in known.names)
    if len(rows[0][1]) == 1 and _is_one_column(rows, known):
        return -1.0
    body = [row for _, row in rows[1:]] or [row for _, row in rows]
    share = sum(len(row) == width for row in body) / len(body)
    cells = Counter(cell.strip() for row in body[:200] for cell in row)
    good = sum(count for cell, count in cells.items() if _is_good(cell)) / max(1, cells.total())
    named = sum(cell.strip() in known.names for cell in rows[0][1])
    # A header that is one cell short may be from R, which omits the name of the row names.
    fits = {0: 1.0, 1: 0.7}.get(abs(len(rows[0][1]) - width), 0.0)
    return 2.0 * (share > 0.97) + fits + share + 0.5 * good + 5.0 * named


def _is_one_column(rows: list[Row], known: Known) -> bool:
    """Return whether rows of several cells are those of the one column that the header names.

    They are not if a quote, or a word that is no number, stands before a number: a name of the row.
    """
    name = rows[0][1][0].strip()
    if name not in known.names:
        return False
    cells = [[cell.strip() for cell in row] for _, row in rows[1:]]
    named = all(len(row) == 2 and is_number(row[1]) and not is_number(row[0]) for row in cells)
    return name in known.words or not named


def _is_good(cell: str) -> bool:
    return is_number(cell) or cell in MISSING_WORDS or _COMMA_NUMBER.fullmatch(cell) is not None


def _find_header(
    source: str, dialect: Dialect, rows: list[Row], skipped: int, expected: Collection[str]
) -> None:
    """Set the names and the number of lines before the data: titles, then an optional header."""
    width = _width(rows)
    first = count_titles([row for _, row in rows], width, expected)
    if first:
        line = rows[first][0] + skipped
        dialect.notes.append(f"the text above line {line} is a title and is not read")
    line, header = rows[first]
    header = [cell.strip() for cell in header]
    body = [row for _, row in rows[first + 1 :]]
    if header and header[0].startswith("#") and header[0] not in expected:
        header[0] = header[0][1:].strip()
    if holds_no_names(header, body, width, expected):
        dialect.names = [f"column {place}" for place in range(len(header))]
        dialect.skip = rows[first - 1][0] if first else dialect.skip
        dialect.notes.append(NO_NAMES.format(f"line {line + skipped}"))
        return
    dialect.skip = line
    ends_empty = all(row[-1].strip() == "" for row in body if len(row) == width)
    if len(header) == width - 1 and body:
        # R omits the name of the row names; other programs end each row with a delimiter.
        if ends_empty:
            header = [*header, ""]
        else:
            dialect.notes.append(
                f"the header names {counted(len(header), 'column')}, but rows have {width} cells: "
                "the first cell of each row is taken for its name"
                + (_OF_COMMAS if _may_be_decimals(body, dialect.delimiter) else "")
            )
            header = ["", *header]
    while len(header) > width and body and not header[-1]:
        header.pop()
    if len(header) != width and body:
        raise DataError(
            f"{source}: line {rows[first + 1][0] + skipped}: number of cells is {width}, "
            f"but the header names {len(header)} columns"
        )
    dialect.names = header


def _may_be_decimals(body: list[list[str]], delimiter: str) -> bool:
    """Return whether rows of two cells may be decimals, whose commas are taken for delimiters."""
    cells = [f"{row[0].strip()},{row[1].strip()}" for row in body if len(row) == 2]
    return delimiter == "," and len(cells) == len(body) and all(map(_COMMA_NUMBER.fullmatch, cells))


def count_titles(rows: Sequence[list[str]], width: int, expected: Collection[str]) -> int:
    """Return the number of rows above the header or the data: of few cells, or of few and blanks.

    Programs of spreadsheets end a title with a delimiter for each column. It is one only above a
    header, as the only names of a header may have blanks beside them.

    Parameters
    ----------
    rows : sequence of list of str
        The first rows.
    width : int
        The number of columns.
    expected : collection of str
        Names of columns, one of which makes a row a header.
    """
    last = min(len(rows) - 1, _MOST_TITLES)
    short = 0
    while short < last and len(rows[short]) < width - 1:
        short += 1
    padded = short
    while padded < last and _is_title(rows[padded], width):
        padded += 1
    if padded > short and padded < last and not any(cell in expected for cell in rows[short]):
        names = [cell.strip() for cell in rows[padded]]
        full = all(names[1:]) and len(names) == width == len(set(names))  # row names may have none
        body = rows[padded + 1 :]
        if full and not all(map(is_number, names)) and not _is_data(names, body, width):
            surely = names[0] != "" and width > 2
            return padded if surely or _is_above_numbers(names, body) else short
    return short if short < last else 0


def _is_title(cells: list[str], width: int) -> bool:
    """Return whether a row is a title, or a label and its value, with or without blanks."""
    filled = sum(cell.strip() != "" for cell in cells)
    return len(cells) < width - 1 or filled <= 1 < width or (filled == 2 and width > 4)


def _is_above_numbers(names: list[str], body: Sequence[list[str]]) -> bool:
    """Return whether a word stands above numbers, which a row of data does not."""
    for place, name in enumerate(names):
        below = {row[place].strip() for row in body if len(row) == len(names)} - MISSING_WORDS
        if below and all(map(is_number, below)) and not is_number(name):
            return True
    return False


def holds_no_names(
    header: list[str], body: Sequence[list[str]], width: int, expected: Collection[str]
) -> bool:
    """Return whether the first row is data like those below, or as a model's columns had no names.

    Parameters
    ----------
    header : list of str
        The first row, without blanks around its cells.
    body : sequence of list of str
        Some rows below.
    width : int
        The number of columns.
    expected : collection of str
        Names of columns, one of which makes a row a header.
    """
    if any(cell in expected for cell in header):
        return False
    numbered = bool(expected) and all(map(_NUMBERED.fullmatch, expected))
    is_unnamed = numbered and len(header) == width and any(map(is_number, header))
    return is_unnamed or _is_data(header, body, width)


def _is_data(header: list[str], body: Sequence[list[str]], width: int) -> bool:
    """Return whether the first row is data: numbers above numbers, and no new words."""
    if len(header) != width or not body or not any(map(is_number, header)):
        return False
    row_names = not header[0] and all(header[1:])  # of R and pandas: a column without a name
    if row_names or _count(header):
        return False
    for place, cell in enumerate(header):
        below = {row[place].strip() for row in body if len(row) == width} - MISSING_WORDS
        numeric = bool(below) and all(map(is_number, below))
        if numeric != is_number(cell) and cell not in MISSING_WORDS:
            return False
        if not numeric and cell not in below and len(below) < 0.5 * len(body):
            return False
    return True


def _count(header: list[str]) -> bool:
    """Return whether numbers in a header are names: years, or indices from 0 or 1."""
    numbers = [int(cell) for cell in header if cell.isdecimal()]
    if len(numbers) < sum(map(is_number, header)) or len(numbers) < 2:
        return False
    steps = {b - a for a, b in pairwise(numbers)}
    years = all(1000 <= number <= 2999 for number in numbers) and len(steps) == 1
    return years or (steps == {1} and numbers[0] in {0, 1} and len(numbers) > 2)


def _find_decimal(dialect: Dialect, rows: list[Row], known: Known) -> None:
    """Set the decimal mark: what the cells tell, or that of the training.

    Otherwise a comma is a decimal mark if it does not separate cells, which a note says.
    """
    names = dialect.names
    ours = [j for j, name in enumerate(names) if name in known.names] or range(len(names))
    whole = [row for _, row in rows if len(row) == len(names)]
    found = Evidence.of([row[j].strip() for row in whole] for j in ours)
    commas, points, votes = found.commas, found.points, found.votes
    separates = dialect.delimiter == "," and len(names) > 1
    if separates and (found.clear_points or (points and not commas)):
        votes = -1  # a comma in quotes belongs to a list, or separates thousands
    if votes:
        dialect.decimal, dialect.certainty = "," if votes > 0 else ".", "clear"
        if separates and votes > 0:
            dialect.notes.append("commas within quoted numbers are read as decimal marks")
    elif commas or points:
        are_decimals = len(commas) > len(points) and not found.in_pairs
        guess = "," if are_decimals and not separates else "."
        dialect.decimal, dialect.certainty = known.decimal or guess, "guessed"
        if known.decimal is None and not separates:
            dialect.notes.append(found.note(guess))
    else:
        dialect.decimal = "." if separates else known.decimal or "."


@dataclass(frozen=True)
class Evidence:
    """What cells tell of the decimal mark.

    Attributes
    ----------
    votes : int
        Positive for a comma, negative for a point: from numbers such as 7,5 that have no other
        reading; if there are none, from separators such as those of 1,234,567.
    clear_points : int
        How many numbers have a point that cannot separate thousands.
    in_pairs : bool
        Whether some digits stand in pairs, as in 1,00,000, which may be a list.
    commas, points : list of str
        The numbers with one comma, or one point.
    """

    votes: int
    clear_points: int
    in_pairs: bool
    commas: list[str]
    points: list[str]

    @classmethod
    def of(cls, columns: Iterable[Iterable[str]]) -> "Evidence":
        """Ask the cells of columns, but not of those whose commas separate the items of lists."""
        marked = []
        for cells in columns:
            texts = list(cells)
            some = [text for text in texts if _MARK.search(text)]
            if not _are_lists(some, texts):
                marked += some
        bare = [_BESIDE_DIGITS.sub("", text) for text in marked]
        clear_points = sum(_is_clear(text) for text in bare if _POINT_NUMBER.fullmatch(text))
        clear_commas = sum(_is_clear(text) for text in bare if _COMMA_NUMBER.fullmatch(text))
        votes = clear_commas - clear_points
        if votes == 0:
            votes = _grouped(bare, ",") - _grouped(bare, ".")
        points = [text for text in marked if _POINT_NUMBER.fullmatch(text)]
        commas = [text for text in marked if _COMMA_NUMBER.fullmatch(text)]
        in_pairs = any(map(_IN_PAIRS.fullmatch, bare))
        return cls(votes, clear_points, in_pairs, commas, points)

    def note(self, decimal: str) -> str:
        """Return the note that a mark may be another one, if a comma or point leaves it open."""
        text = (self.commas + self.points)[0]
        return (
            f"the mark in {text} may be a decimal mark or separate thousands: it is read as "
            f"{reading(text, decimal)}"
        )


def _are_lists(marked: list[str], texts: list[str]) -> bool:
    """Return whether more than one in ten cells are lists such as "1,3,4": then "1,3" is one, too.

    Numbers whose commas separate thousands are none. Only the cells that are `marked` have commas.
    """
    known = {text for text in marked if _NUMBERS.fullmatch(text)}
    lists = sum(all(math.isnan(number(text, mark)) for mark in ",.") for text in known)
    return lists > 0 and 10 * lists > len(set(texts) - MISSING_WORDS)


def _is_clear(text: str) -> bool:
    """Return whether the mark of a number with a comma or a point cannot separate thousands."""
    return _OPEN_NUMBER.fullmatch(text) is None


def _grouped(texts: list[str], decimal: str) -> int:
    """Count the numbers with several marks, such as 1,234,567, which leave one decimal mark."""
    certain = (text for text in texts if not _IN_PAIRS.fullmatch(text))
    return sum(is_thousands(text, decimal) and len(_MARK.findall(text)) > 1 for text in certain)


def reading(text: str, decimal: str) -> str:
    """Return the number in a cell as messages say it."""
    found = number(text, decimal)
    return "no number" if math.isnan(found) else f"{found:.15g}"


def unique_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Name columns without a name or with a duplicate one; also return notes about it."""
    result: dict[str, None] = {}
    notes = []
    given = set(names)
    for place, name in enumerate(names):
        new = name or f"column {place}"
        count = 2
        while new in result or (new != name and new in given):
            new, count = f"{name or f'column {place}'} ({count})", count + 1
        if name and new != name:
            notes.append(f"another column is named {brief(name)}: this one is called {brief(new)}")
        result[new] = None
    return list(result), notes
