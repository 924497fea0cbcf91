"""Archives: named arrays and strings in one safetensors file, written atomically.

`Network.save` and `load` use the same functions of the core.
"""

import errno
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation
from fastmlp.data import _memory
from fastmlp.data._conversion import any_array
from fastmlp.errors import ModelFormatError, printable

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A file name."""

_Result = TypeVar("_Result")


def checked_path(path: object, argument: str = "path") -> str | bytes:
    """Return the file's name as str or bytes; TypeError or ValueError if it is not a path."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(
            f"{argument} must be a str or os.PathLike, got {_validation.described(path)}"
        )
    name = os.fspath(path)
    if b"\0" in os.fsencode(name):
        raise ValueError(f"{argument} must not contain a null character")
    return name


def regular_path(path: object) -> str | bytes:
    """Return the file's name as `checked_path` does; OSError if a folder or device has it."""
    name = checked_path(path)
    refuse_devices(name)
    return name


def shown(path: str | bytes) -> str:
    r"""Return a file's name for messages: bytes that are not UTF-8 are shown as ``\xff``."""
    return printable(os.fsdecode(path))


def refuse_devices(path: str | bytes | os.PathLike[str]) -> None:
    """Raise an OSError if the path exists and is not a regular file, such as a pipe or device."""
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        if os.path.isdir(path):  # noqa: PTH112
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise OSError(errno.EINVAL, "Not a regular file", path)


def refuse_too_large(path: str | bytes, copies: int = 1) -> None:
    """Raise a MemoryError if memory cannot hold this many copies of a file.

    Raises
    ------
    ModelFormatError
        If it is too large because it was not written by `write_archive`.
    """
    try:
        size = os.path.getsize(path)  # noqa: PTH202  (path may be bytes)
    except OSError:
        return  # reading it will raise the same error
    try:
        _memory.require(f"reading {shown(path)}", copies * size)
    except MemoryError:
        reading(_core.check_header, path)
        raise


def reading(read: Callable[..., _Result], *arguments: object) -> _Result:
    """Call `read` of the core, and raise its FormatError as `ModelFormatError`."""
    try:
        return read(*arguments)
    except _core.FormatError as error:
        raise ModelFormatError(*error.args) from None


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, as `write_archive` does.

    Raises
    ------
    TypeError, ValueError
        If `path` is not a path.
    OSError
        If the file cannot be written; the old file is unchanged.
    """
    _core.write_file(regular_path(path), content)


def write_archive(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write arrays and strings to a file that `read_archive` reads back to the same bits.

    The bytes of the file depend only on the arguments.

    Parameters
    ----------
    path : str or os.PathLike
        Replaced atomically if it exists.
    tensors : mapping of str to ndarray
        Booleans, integers, float32 and float64 of any shape of up to 8 dimensions.
    metadata : mapping of str to str
        The keys ``format``, ``version`` and ``crc32c`` are reserved.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; nothing is written then.
    OSError
        If the file cannot be written; the old file is unchanged.
    """
    arrays = {
        name: np.asarray(any_array(f"tensors[{name!r}]", array), order="C")
        for name, array in tensors.items()
    }
    native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    _core.write_archive(regular_path(path), native, dict(metadata))


def check_can_write(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Raise the errors that `write_archive` would raise, without writing."""
    _core.check_can_write(regular_path(path), dict(tensors), dict(metadata))


def read_archive(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read the tensors and the metadata of a file that `write_archive` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    tensors : dict of str to ndarray
        Views of one block of memory, which nothing else uses.
    metadata : dict of str to str
        Without the reserved keys.

    Raises
    ------
    ModelFormatError
        If the file is damaged or was not written by fastmlp.
    OSError
        If the file cannot be read.
    """
    name = regular_path(path)
    refuse_too_large(name)
    return reading(_core.read_archive, name)
