"""Files with several networks and the preparation of table columns for them.

`docs/file-format.md` specifies the format. `Network.save` writes files of a single network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _validation, files
from fastmlp.errors import ModelFormatError
from fastmlp.model.model import Core, Model

_KEY: Final = "table"
_INPUTS: Final = "table_inputs"
_REASON: Final = "table_reason"
_U8, _U64 = np.dtype(np.uint8), np.dtype(np.uint64)

Array = NDArray[Any] | Sequence[str]
"""The values of `TableData.arrays`: numbers of any shape, or a list of texts."""


@dataclass(frozen=True)
class TableData:
    """The conversion of table columns to features, and of outputs to results, as plain data.

    Attributes
    ----------
    values : dict
        Values that `json` can write: strings, finite numbers, booleans, None, lists and dicts with
        string keys. They are stored in the header of the file, which has at most 1 MiB: put long
        data into `arrays`.
    arrays : dict of str to ndarray or sequence of str
        Booleans, integers and floats of 4 or 8 bytes, NaN allowed, of up to 8 dimensions; or
        texts without NUL, which are read back as a tuple.
    inputs : {"columns", "numbers"}
        Whether columns must be prepared for the network, or it takes them as they are.
    reason : str
        Why they must be prepared, for those who cannot; may be empty.
    """

    values: dict[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    inputs: Literal["columns", "numbers"] = "columns"
    reason: str = ""


def write_model(
    path: files.Path,
    models: Sequence[Model],
    table: TableData | None = None,
    *,
    allow_nonfinite: bool = False,
) -> None:
    """Write networks, and table data for them, to a file for `read_model`.

    The bytes depend only on the arguments.

    Parameters
    ----------
    path : str or os.PathLike
        Replaced if it exists, as a whole or not at all.
    models : sequence of Model
        At least one. A single one without a table is written as by `Network.save`.
    table : TableData, optional
        Stored with them.
    allow_nonfinite : bool, default False
        Allow parameters that are NaN or infinite.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, a parameter is not finite, or `table` is too large for
        the header or not representable in JSON; the old file is unchanged.
    OSError
        If the system refuses; the old file is as it was.
    RuntimeError
        If another thread is fitting one of the networks.
    """
    if not models:
        raise ValueError("there must be at least one network")
    tensors, metadata = ({}, {}) if table is None else _encode(table)
    cores = [model.core for model in models]
    _core.save_model(files.regular_path(path), cores, tensors, metadata, allow_nonfinite)


def read_model(
    path: files.Path, *, allow_nonfinite: bool = False
) -> tuple[list[Model], TableData | None]:
    """Read the models and the table data of a file.

    Raises
    ------
    ModelFormatError
        If the file is damaged, inconsistent, or was not written by fastmlp or by a later version.
    TypeError, OSError, MemoryError
        As in `load`.
    """
    name = files.regular_path(path)
    files.refuse_too_large(name, copies=3)  # the file's content, parameters and gradients
    cores, tensors, metadata = files.reading(_core.load_model, name, allow_nonfinite)
    table = _decode(files.shown(name), tensors, metadata) if metadata else None
    return [Model.of_core(core) for core in cores], table


def core_of_archive(tensors: dict[str, NDArray[Any]], metadata: dict[str, str], name: str) -> Core:
    """Return the network of an archive, in the file `name`; ModelFormatError if it has none."""
    return files.reading(_core.network_from_archive, tensors, metadata, name)


def _encode(table: TableData) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    tensors: dict[str, NDArray[Any]] = {}
    texts = [name for name, array in table.arrays.items() if not isinstance(array, np.ndarray)]
    for name, array in table.arrays.items():
        if isinstance(array, np.ndarray):
            parts = {f"{_KEY}.{name}": np.array(array, array.dtype.newbyteorder("="), order="C")}
        else:
            encoded = [text.encode() for text in array]
            ends = np.cumsum([len(text) for text in encoded], dtype=np.uint64)
            all_texts = np.array(bytearray(b"".join(encoded)), np.uint8)
            parts = {f"{_KEY}.{name}.text": all_texts, f"{_KEY}.{name}.ends": ends}
        if twice := parts.keys() & tensors.keys():
            raise ValueError(f"table.arrays has two that would be called {min(twice)!r}")
        tensors |= parts
    import json  # noqa: PLC0415  (keeps `import fastmlp` fast)

    content = {"texts": texts, "values": table.values}
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    inputs = _validation.choice("table.inputs", table.inputs, ("columns", "numbers"))
    reason = {_REASON: table.reason} if table.reason else {}
    return tensors, {_KEY: text, _INPUTS: inputs, **reason}


def _decode(file: str, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> TableData:
    import json  # noqa: PLC0415  (keeps `import fastmlp` fast)

    try:
        content = json.loads(metadata[_KEY], object_pairs_hook=_once, parse_constant=_no_constant)
        if not isinstance(content, dict) or content.keys() != {"texts", "values"}:
            raise ValueError("must be an object of texts and values")
        texts, values = content["texts"], content["values"]
        if not isinstance(values, dict) or not _are_names(texts):
            raise ValueError("texts must be a list of names, values an object")
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(file, f"metadata '{_KEY}'", 8, str(error)) from None
    arrays: dict[str, Array] = {}
    for name in texts:
        parts = [tensors.pop(f"{_KEY}.{name}.{part}", None) for part in ("text", "ends")]
        arrays[name] = _texts(file, f"{_KEY}.{name}", *parts)
    arrays |= {name.removeprefix(f"{_KEY}."): array for name, array in tensors.items()}
    inputs: Any = metadata[_INPUTS]
    return TableData(values, arrays, inputs, metadata.get(_REASON, ""))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Create an object from members with unique names."""
    result = dict(members)
    if len(result) != len(members):
        raise ValueError("a name occurs twice in an object")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not valid JSON")


def _texts(
    file: str, name: str, text: NDArray[Any] | None, ends: NDArray[Any] | None
) -> tuple[str, ...]:
    """Return the list of texts stored in two tensors."""
    problem = "must be tensors U8 and U64 of one dimension: '.text' and '.ends'"
    if text is not None and ends is not None:
        right = (text.dtype, ends.dtype, text.ndim, ends.ndim) == (_U8, _U64, 1, 1)
        bounds = [0, *ends.tolist()] if right else [1]
        if bounds == sorted(bounds) and bounds[-1] == text.size:
            try:
                content = text.tobytes()
                return tuple(content[begin:end].decode() for begin, end in pairwise(bounds))
            except UnicodeDecodeError:
                problem = "must be UTF-8"
        elif right:
            problem = "the ends must ascend up to the end of the text"
    raise ModelFormatError(file, f"tensor '{name}'", 0, problem)
