"""The bytes of a file: decompressed according to its first bytes, and text as UTF-8.

Large text is not held: it is read again from the file each time.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np

from fastmlp._extras import require
from fastmlp.data import _memory
from fastmlp.errors import DataError

_PIECE: Final = 1 << 24
_SCANNED: Final = 1 << 20
_LARGE: Final = 1 << 23
"""Bytes of text from which on it is not held in memory."""
_ZIP: Final = b"PK\x03\x04"
MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_MARK: Final = b"\xef\xbb\xbf"
_TELLING: Final = {rb'"': b'"', rb'\\"': b"\\", rb",\d": b","}
"""Patterns of what tells of the dialect: a quote, one after a backslash, and a comma within a
number. Each has its first byte, as it is soon clear that a text lacks a byte."""
_SAMPLE: Final = 1 << 18
_FEWEST_LINES: Final = 20
COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")


def content(path: Path) -> bytes:
    """Read a file; decompress gzip, bzip2, xz, zstandard and zip.

    Raises
    ------
    DataError
        If a compressed file is damaged, or a zip archive contains several files.
    MemoryError
        If the decompressed data do not fit in memory.
    OSError
        If the file cannot be read.
    """
    with _damage(path), _opened(path) as file:
        if not isinstance(getattr(file, "raw", None), io.FileIO):
            return _read_all(path, file)
        _memory.require(f"reading {path}", path.stat().st_size)
        return bytes(file.read())


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn the errors of decompressors into `DataError`."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged: {error}") from None
    except OSError as error:
        if error.errno is not None:  # the system's, not one of a decompressor
            raise
        raise DataError(f"{path}: the compressed file is damaged: {error}") from None


def beginning(path: Path) -> bytes:
    """Return the first 8 bytes of a file, decompressed."""
    with _damage(path), _opened(path) as file:
        return _read_all(path, file, 8)[:8]


class Content:
    """Text of a file in UTF-8: in memory, or read again from the file each time it is opened.

    Parameters
    ----------
    again : callable
        Opens it.
    held : bytes, optional
        The text, until it is released.
    size, line_feeds : int, optional
        Of text that is not held.
    telling : sequence of int, default ()
        Of text that is not held, where the lines begin in which what tells of its dialect is first.
    """

    def __init__(
        self,
        again: Callable[[], IO[bytes]],
        held: bytes | None = None,
        *,
        size: int = 0,
        line_feeds: int = 0,
        telling: Sequence[int] = (),
    ) -> None:
        self._again, self._held = again, held
        self.size = size if held is None else len(held)
        self._line_feeds, self._telling = line_feeds, telling

    @classmethod
    def of(cls, data: bytes) -> "Content":
        """Return text in memory."""
        return cls(lambda: io.BytesIO(data), data)

    def open(self, start: int = 0) -> IO[bytes]:
        """Open it at a position."""
        file = self._again() if self._held is None else io.BytesIO(self._held)
        while start > 0 and (passed := len(file.read(min(start, _SCANNED)))):
            start -= passed
        return file

    def read(self, start: int = 0, size: int = -1) -> bytes:
        """Return some bytes, by default all."""
        if self._held is not None and (start, size) == (0, -1):
            return self._held
        with self.open(start) as file:
            return bytes(file.read(size))

    def sample(self) -> bytes:
        """Return whole lines: the first ones, and some from what tells of the dialect on."""
        found, end = b"", 0
        for start in (0, *sorted(self._telling_lines())):
            if start >= end:
                piece = self.lines(start)
                found, end = found + piece, start + len(piece)
        return found

    def lines(self, start: int) -> bytes:
        """Return some whole lines from a position on."""
        with self.open(start) as file:
            piece = bytes(file.read(_SAMPLE))
            while piece.count(b"\n") < _FEWEST_LINES and (more := file.read(len(piece))):
                piece += more
        if start + len(piece) < self.size:
            piece = piece[: piece.rfind(b"\n") + 1] or piece
        return piece

    def _telling_lines(self) -> Sequence[int]:
        """Return where the lines begin in which what tells of the dialect is first."""
        held = self._held
        if held is None:
            return self._telling
        return [feed + 1 for _, feed in _feeds_before(held, _TELLING)]

    def line_feeds(self) -> int:
        """Count the line feeds."""
        return self._line_feeds if self._held is None else _line_feeds(self._held)

    def release(self) -> None:
        """Do not hold the text any longer."""
        if self._held is not None:
            self._line_feeds, self._held = self.line_feeds(), None


def _feeds_before(text: bytes, patterns: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the patterns that a text has, and the line feed above where each is first, or -1."""
    for pattern in patterns:
        if _TELLING[pattern] in text and (match := re.search(pattern, text)) is not None:
            yield pattern, text.rfind(b"\n", 0, match.start())


def text(path: Path) -> tuple[Content, str | None]:
    """Return the text of a file, and a note if its encoding was another than UTF-8.

    Raises
    ------
    DataError, MemoryError, OSError
        As `content` and `as_utf8`.
    """
    with _damage(path), _opened(path) as file:
        data = _read_all(path, file, _LARGE)
    if len(data) >= _LARGE:
        if not data.isspace() and (large := _plain(path)) is not None:
            return large, None
        data = content(path)
    if not data or data.isspace():
        raise DataError(f"{path}: the file is empty")
    data, note = as_utf8(path, data)
    return Content(lambda: io.BytesIO(as_utf8(path, content(path))[0]), data), note


def _plain(path: Path) -> Content | None:
    """Return text that a file has in UTF-8 already; None if it must be converted."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size, line_feeds, last = 0, 0, b""
    line, telling = 0, dict[bytes, int]()
    with _damage(path), _opened(path) as file:
        mark = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
    with _damage(path), _opened(path) as file:
        while piece := bytes(file.read(_SCANNED)):
            with_last = last[-1:] + piece  # one of two characters may end a piece
            before = size - len(last[-1:])
            for pattern, feed in _feeds_before(with_last, _TELLING.keys() - telling):
                telling[pattern] = line if feed < 0 else before + feed + 1
            if (feed := with_last.rfind(b"\n")) >= 0:
                line = before + feed + 1
            size, line_feeds = size + len(piece), line_feeds + _line_feeds(piece)
            last = last[-4:] + piece[-4:]
            try:
                if decoder.getstate()[0] or not piece.isascii():
                    decoder.decode(piece)
            except UnicodeDecodeError:
                return None
            if b"\0" in piece:
                return None
    if decoder.getstate()[0] or not line_feeds or b"\x1a" in last[-4:]:  # see `as_utf8`
        return None

    def again() -> IO[bytes]:
        file = _opened(path)
        file.read(mark)
        return file

    starts = [max(0, start - mark) for start in telling.values()]
    return Content(again, size=size - mark, line_feeds=line_feeds, telling=starts)


def _line_feeds(data: bytes) -> int:
    """Count line feeds, faster than ``bytes.count`` does."""
    codes = np.frombuffer(data, np.uint8)
    blocks = range(0, len(codes), _SCANNED)
    return sum(int(np.count_nonzero(codes[at : at + _SCANNED] == ord("\n"))) for at in blocks)


def zip_names(path: Path) -> list[str]:
    """Return the names in a zip archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return []


def _opened(path: Path) -> IO[Any]:
    """Open a file, decompressing it."""
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning.startswith(MAGIC[0]):
        return cast("IO[Any]", gzip.open(path))
    if beginning.startswith(MAGIC[1]):
        return bz2.open(path)
    if beginning.startswith(MAGIC[2]):
        return lzma.open(path)
    if beginning.startswith(MAGIC[3]):
        try:
            pyarrow = require("pyarrow", "reading zstandard", "tables")
        except ImportError as error:
            raise DataError(f"{path}: {error}") from None
        return io.BufferedReader(pyarrow.CompressedInputStream(path.open("rb"), "zstd"))
    return _opened_zip(path) if beginning.startswith(_ZIP) else path.open("rb")


def _opened_zip(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [
        name for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX")
    ]  # fmt: skip
    if len(names) != 1:
        raise DataError(f"{path}: the archive holds {len(names)} files; one is needed")
    if archive.getinfo(names[0]).flag_bits & 1:
        raise DataError(f"{path}: the archive is encrypted")
    return archive.open(names[0])


def _read_all(path: Path, file: IO[Any], enough: int = sys.maxsize) -> bytes:
    """Read piece by piece: a small file may decompress to more than fits in memory."""
    pieces, size = [], 0
    while size < enough and (piece := file.read(min(_PIECE, enough))):
        pieces.append(bytes(piece))
        size += len(piece)
        _memory.require(f"decompressing {path}", 2 * size)
    return b"".join(pieces)


def _not_utf8(data: bytes) -> int | None:
    """Return the position of invalid UTF-8, without decoding everything at once."""
    if data.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _PIECE):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + _PIECE], start + _PIECE >= len(data))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def as_utf8(path: Path | str, data: bytes) -> tuple[bytes, str | None]:
    """Return text as UTF-8 without byte order mark, and a note if its encoding was another.

    Raises
    ------
    DataError
        If it is not text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16").encode(), None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: begins like UTF-16, but is not: {error}") from None
    data = data.removeprefix(_MARK)
    if b"\x1a" in data[-4:]:  # end of file in DOS
        data = data[: data.rindex(b"\x1a")]
    if b"\r" in data and b"\n" not in data:  # line ends of old Macs
        data = data.replace(b"\r", b"\n")
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise DataError(f"{path}: line {line} is not text in UTF-8; is this a CSV file?")
    if (wrong := _not_utf8(data)) is not None:
        line = data.count(b"\n", 0, wrong) + 1
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(
                f"{path}: line {line} is not text in UTF-8; is this a CSV file?"
            ) from None
        return text.encode(), f"line {line} is not UTF-8: the file is read as Windows-1252"
    return data, None
