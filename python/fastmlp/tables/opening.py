"""The bytes of a file: decompressed according to its first bytes, and text as UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Final, cast

from fastmlp._extras import require
from fastmlp.data import _memory
from fastmlp.errors import DataError

_PIECE: Final = 1 << 24
_ZIP: Final = b"PK\x03\x04"
MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
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
    _memory.require(f"reading {path}", path.stat().st_size)
    data = path.read_bytes()
    if not data.startswith((*MAGIC, _ZIP)):
        return data
    try:
        with _opened(path, data) as file:
            return _read_all(path, file)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged: {error}") from None


def zip_names(path: Path) -> list[str]:
    """Return the names in a zip archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return []


def _opened(path: Path, data: bytes) -> IO[Any]:
    file = io.BytesIO(data)
    if data.startswith(MAGIC[0]):
        return cast("IO[Any]", gzip.open(file))
    if data.startswith(MAGIC[1]):
        return bz2.open(file)
    if data.startswith(MAGIC[2]):
        return lzma.open(file)
    if data.startswith(MAGIC[3]):
        try:
            pyarrow = require("pyarrow", "reading zstandard", "tables")
        except ImportError as error:
            raise DataError(f"{path}: {error}") from None
        stream: IO[Any] = pyarrow.CompressedInputStream(file, "zstd")
        return stream
    archive = zipfile.ZipFile(file)
    names = [
        name for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX")
    ]  # fmt: skip
    if len(names) != 1:
        raise DataError(f"{path}: the archive holds {len(names)} files; one is needed")
    if archive.getinfo(names[0]).flag_bits & 1:
        raise DataError(f"{path}: the archive is encrypted")
    return archive.open(names[0])


def _read_all(path: Path, file: IO[Any]) -> bytes:
    """Read piece by piece: a small file may decompress to more than fits in memory."""
    pieces, size = [], 0
    while piece := file.read(_PIECE):
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
    data = data.removeprefix(b"\xef\xbb\xbf")
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
