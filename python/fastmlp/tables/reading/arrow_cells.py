"""Columns of pyarrow as numbers or text, from its buffers.

``to_numpy``, and every pyarrow function that converts a Python value, would import pandas.
"""

import contextlib
import math
import sys
import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.tables.reading.cells import EXACT, MISSING_WORDS, has_fractions, typed
from fastmlp.tables.reading.layouts import Strings
from fastmlp.tables.reading.table import Column, Text, narrow

_FIRST: Final = 1000
_EXACT_POWER: Final = 22  # a double holds no greater power of ten
_releasing: Final = threading.Lock()


def from_arrow(column: Any, decimal: str) -> Column:
    """Return a pyarrow column of text as numbers if all its cells are numbers, else as `Text`.

    The numbers are those of `typed`; clean columns that have no codes are cast as a whole.
    """
    import pyarrow as pa  # noqa: PLC0415

    is_plain = not pa.types.is_dictionary(column.type)
    if is_plain and decimal == "." and (array := _cast(column)) is not None:
        return array
    return typed(arrow_text(column), decimal)


def arrow_text(column: Any) -> Text:
    """Return a pyarrow column of text as `Text`."""
    import pyarrow as pa  # noqa: PLC0415

    is_coded = pa.types.is_dictionary(column.type)
    coded = (column if is_coded else column.dictionary_encode()).combine_chunks()
    codes = narrow(_filled(coded.indices, np.int32, -1), len(coded.dictionary))
    if coded.dictionary.null_count or not len(coded.dictionary):
        return Text.coded(coded.dictionary.to_pylist(), codes)
    values, filled = Strings(*_characters(coded.dictionary)).without_empty()
    if not filled.all():
        new = np.where(filled, np.cumsum(filled, dtype=np.int32) - 1, -1)
        codes = np.append(new, -1).astype(codes.dtype)[codes]  # the last is for code -1
    return Text(values, codes) if values.are_stripped() else Text.coded(values, codes)


def decoded(column: Any) -> Any:
    """Return a pyarrow column with its cells one by one: no dictionary, runs or views of text."""
    import pyarrow as pa  # noqa: PLC0415

    kind = _decoded_type(column.type)
    return pa.chunked_array([_decoded(chunk) for chunk in column.chunks], kind)


def _decoded(array: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if pa.types.is_dictionary(array.type):
        return _decoded(array.dictionary).take(array.indices)
    if pa.types.is_run_end_encoded(array.type):
        return _decoded(pc.run_end_decode(array))
    kind = _decoded_type(array.type)
    return array if kind == array.type else array.cast(kind)


def _decoded_type(kind: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _decoded_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def arrow_times(column: Any) -> Text:
    """Return a pyarrow column of times of day as text such as 12:30:00.5, as text files have them.

    Their fractions have no zeros at the end.
    """
    import pyarrow as pa  # noqa: PLC0415

    coded = column.combine_chunks().dictionary_encode()
    written = coded.dictionary.cast(pa.string()).to_pylist()
    short = [time.rstrip("0").rstrip(".") if "." in time else time for time in written]
    return Text.coded(short, _filled(coded.indices, np.int32, -1))


def arrow_decimals(column: Any) -> NDArray[np.float64]:
    """Return a pyarrow column of decimals as the nearest doubles, NaN where null.

    A double holds integers up to 2^53 and powers of ten up to 22, so that their quotient is the
    double nearest to the decimal.
    """
    parts = [_of_decimals(chunk) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def _of_decimals(chunk: Any) -> NDArray[np.float64]:
    if not len(chunk):
        return np.empty(0)
    scale, width = chunk.type.scale, chunk.type.bit_width // 8
    here = slice(chunk.offset, chunk.offset + len(chunk))
    valid, values = chunk.buffers()
    words = np.frombuffer(values, np.int32 if width == 4 else np.int64)
    words = words.reshape(-1, max(1, width // 8))[here]
    low = words[:, 0].astype(np.int64)
    fits = (words[:, 1:] == (low >> 63)[:, np.newaxis]).all(axis=1)
    fits &= (low > -EXACT) & (low < EXACT) & (0 <= scale <= _EXACT_POWER)
    result = low / float(10 ** min(max(scale, 0), _EXACT_POWER))
    if chunk.null_count:
        known = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[here].astype(bool)
        result[~known], fits[~known] = math.nan, True
    for row in np.flatnonzero(~fits).tolist():
        result[row] = float(chunk[row].as_py())
    return result


def arrow_floats(column: Any) -> NDArray[np.float64]:
    """Return a pyarrow column of doubles, NaN where null."""
    parts = [_filled(chunk, np.float64, math.nan) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def arrow_numbers(column: Any) -> NDArray[np.float64] | None:
    """Return a pyarrow array of doubles or text, which is a part of a column, as numbers.

    None if the column may not be numbers: for words, an unusual spelling of NaN, and in text
    leading zeros and numbers beyond the whole ones that doubles hold.
    """
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_floating(column.type):
        floats = _filled(column, np.float64, math.nan)
        missing = int(np.count_nonzero(np.isnan(floats)))
        return floats if missing == column.null_count else None
    if (doubles := _as_doubles(column)) is None:
        return None
    result = _filled(doubles, np.float64, math.nan)
    is_safe = not (np.abs(result) >= EXACT).any() and not _has_codes(pa.chunked_array([column]))
    return result if is_safe else None


def _filled(array: Any, dtype: type[Any], null: float) -> NDArray[Any]:
    """Return a pyarrow array of numbers, with a number in place of nulls."""
    if not len(array):
        return np.empty(0, dtype)
    valid, values = array.buffers()
    here = slice(array.offset, array.offset + len(array))
    result = np.frombuffer(values, dtype)[here]
    if not array.null_count:
        return result
    known = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[here]
    return np.where(known, result, dtype(null))


def _cast(column: Any) -> NDArray[np.float64] | None:
    """Return a pyarrow column of text as numbers; None if one of them needs `typed`."""
    first = column.slice(0, _FIRST)
    if column.null_count == len(column) or _as_doubles(first) is None or _has_codes(first):
        return None
    values = _as_doubles(column)
    if values is None:
        return None
    array = arrow_floats(values)
    if has_fractions(array[:_FIRST]):  # otherwise all must be checked
        return array
    known = array[np.isfinite(array)]
    if not len(known) or (not has_fractions(known) and np.abs(known).max() >= EXACT):
        return None
    return None if not has_fractions(known) and _has_codes(column) else array


def _as_doubles(column: Any) -> Any:
    """Return pyarrow strings as doubles, null for missing words; None if there are others.

    pyarrow reads any spelling of NaN as a double.
    """
    import pyarrow as pa  # noqa: PLC0415  (installed if there are such cells)
    import pyarrow.compute as pc  # noqa: PLC0415

    with contextlib.suppress(pa.ArrowInvalid):
        doubles = pc.cast(column, pa.float64())
        if not has_nan(doubles):
            return doubles
    with contextlib.suppress(pa.ArrowInvalid):
        missing = pc.is_in(column, value_set=_missing_words())
        known = pc.if_else(missing, pa.nulls(len(column), column.type), column)
        doubles = pc.cast(known, pa.float64())
        return None if has_nan(doubles) else doubles
    return None


def has_nan(doubles: Any) -> bool:
    """Return whether some of pyarrow's doubles are NaN, which is not null."""
    import pyarrow.compute as pc  # noqa: PLC0415

    return bool(pc.any(pc.is_nan(doubles)).as_py())


def _missing_words() -> Any:
    """Return `MISSING_WORDS` for pyarrow; ``pa.array`` of a list would import pandas."""
    import pyarrow as pa  # noqa: PLC0415

    words = sorted(MISSING_WORDS)
    ends = np.cumsum([0, *map(len, words)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(words), pa.py_buffer(ends), pa.py_buffer("".join(words).encode())
    )


def _has_codes(column: Any) -> bool:
    """Return whether a cell of a pyarrow column of strings begins with 0 and another digit."""
    for text, ends in map(_characters, column.chunks):
        first = ends[:-1][np.diff(ends) > 1]
        second = text[first[text[first] == ord("0")] + 1]
        if ((second >= ord("0")) & (second <= ord("9"))).any():
            return True
    return False


def release_unused() -> None:
    """Return the memory that pyarrow no longer uses to the system.

    Where its pool is that of the C library, what NumPy has released is returned, too. Without
    pyarrow nothing happens.
    """
    if "pyarrow" not in sys.modules:
        return
    import pyarrow as pa  # noqa: PLC0415

    with _releasing:
        default = pa.default_memory_pool()
        default.release_unused()
        pa.set_memory_pool(pa.system_memory_pool())  # pyarrow 26 releases that of the default only
        try:
            pa.default_memory_pool().release_unused()
        finally:
            pa.set_memory_pool(default)


def _characters(strings: Any) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return the UTF-8 of a pyarrow array of strings, and where each begins and ends in it."""
    _, offsets, characters = strings.buffers()
    of_offsets = np.int64 if str(strings.type).startswith("large") else np.int32
    if characters is None:
        return np.empty(0, np.uint8), np.zeros(len(strings) + 1, of_offsets)
    ends = np.frombuffer(offsets, of_offsets)[strings.offset : strings.offset + len(strings) + 1]
    return np.frombuffer(characters, np.uint8), ends
