"""`ArrayStream`: arrays on disk, memory-mapped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _validation
from fastmlp.data._conversion import has_attribute, numbers
from fastmlp.data._frames import column_names
from fastmlp.data.rescaled import Rescaled
from fastmlp.data.stream import Rows, Stream, equal_blocks
from fastmlp.errors import DataError
from fastmlp.streams.places import unusable

Source = ArrayLike | Rescaled | str | bytes | os.PathLike[str]


class ArrayStream(Stream):
    """Rows of arrays that can be sliced, typically ``.npy`` files, opened as `numpy.memmap`.

    Rows are read a block at a time, checked, and converted to the dtype of the network; the rest of
    the arrays is not in memory.

    Parameters
    ----------
    X : array, `Rescaled` or path of a .npy file, shape (n, features)
        The features, of any real dtype. A path is opened with ``mmap_mode="r"``.
    y : array or path of a .npy file, shape (n,) or (n, N)
        The targets as in `Network.fit`; for a network with `Heads` a tuple or a dict of them, one
        for each head.
    sample_weight : array or path of a .npy file, shape (n,), optional
        Weights of the samples.
    block_rows : int, optional
        Rows of a block, which are read together; None is 2^18 divided by the features (1 MB of
        float32).
    window_rows : int, optional
        Rows that are shuffled together; None is 2^22 divided by the features. See `Stream`.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not match, or a number is out of range.
    DataError
        If a file is not a .npy file.
    OSError
        If a file cannot be opened.

    Examples
    --------
    >>> stream = ArrayStream("images.npy", "labels.npy")  # doctest: +SKIP
    >>> net.fit(stream, epochs=5)  # doctest: +SKIP
    """

    def __init__(
        self,
        X: Source,
        y: Source | tuple[Source, ...] | Mapping[str, Source],
        sample_weight: Source | None = None,
        *,
        block_rows: int | None = None,
        window_rows: int | None = None,
    ) -> None:
        targets = _named_targets(y)
        self._files = _stamps(X, *targets.values(), sample_weight)
        self._X = X if isinstance(X, Rescaled) else _opened("X", X)
        if len(self._X.shape) != 2:
            raise ValueError(
                f"X must have 2 dimensions (samples, features), got shape {self._X.shape}"
            )
        self.feature_names = X.feature_names if isinstance(X, Rescaled) else column_names(X)
        self._targets = {name: _opened(name, part) for name, part in targets.items()}
        self._heads = tuple(y) if isinstance(y, Mapping) else ()
        self._weight = None if sample_weight is None else _opened("sample_weight", sample_weight)
        for name, array in (*self._targets.items(), ("sample_weight", self._weight)):
            if array is not None and array.shape[:1] != self._X.shape[:1]:
                raise ValueError(
                    f"{name} must have one row for each of the {len(self._X)} of X, "
                    f"got shape {array.shape}"
                )
        self._block_rows = equal_blocks(len(self._X), self.n_features, block_rows)
        if window_rows is not None:
            self.window_rows = _validation.integer("window_rows", window_rows, minimum=1)

    def __repr__(self) -> str:
        X = self._X.X if isinstance(self._X, Rescaled) else self._X
        return f"ArrayStream({self.n_rows:,} rows, {self.n_features:,} features, {X.dtype})"

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self._X.shape[1])

    @property
    def block_rows(self) -> Sequence[int]:
        """Rows of each block."""
        return self._block_rows

    def read(self, start: int, stop: int) -> Rows:
        """Return views of some rows.

        Raises
        ------
        DataError
            If a file has changed. If another process truncates a mapped file while it is read, the
            system kills this process.
        """
        for path, stamp in self._files.items():
            if _stamp(path) != stamp:
                raise DataError(f"{path}: the file has changed since the stream was made")
        rows = slice(start, stop)
        with unusable(*self.place(start)):  # arrays of any library
            X, y = self._X[rows], self._read_targets(rows)
            return (X, y) if self._weight is None else (X, y, self._weight[rows])

    def _read_targets(self, rows: slice) -> Any:
        """Return some rows of the targets, in the form in which they were passed."""
        parts = tuple(array[rows] for array in self._targets.values())
        if self._heads:
            return dict(zip(self._heads, parts, strict=True))
        return parts[0] if "y" in self._targets else parts

    def place(self, row: int) -> tuple[str, int]:
        """Return the file of X and the row in it."""
        X = self._X.X if isinstance(self._X, Rescaled) else self._X
        return _name(X, "X"), row

    def target_file(self, row: int) -> str:
        """Return the file of y, or those of all heads."""
        del row  # all are in one file
        names = {_name(array, "y"): None for array in self._targets.values()}
        return ", ".join(names)


def _named_targets(y: Any) -> dict[str, Any]:
    """Return the targets by their name in messages: "y", or one for each head."""
    if isinstance(y, Mapping):
        if not y:
            raise ValueError("y must have the targets of at least one head, got an empty dict")
        return {f"y[{head!r}]": part for head, part in y.items()}
    if isinstance(y, tuple) and y and all(map(_is_column, y)):
        return {f"y[{i}]": part for i, part in enumerate(y)}
    return {"y": y}


def _is_column(part: object) -> bool:
    """Return whether an item of y is the targets of a head, and no number or row of numbers."""
    return isinstance(part, str | bytes | os.PathLike) or getattr(part, "ndim", 0) > 0


def _opened(name: str, source: Source) -> NDArray[Any]:
    """Return an array unchanged, or a file as a mapped array."""
    if isinstance(source, str | bytes | os.PathLike):
        path = Path(os.fsdecode(source))
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DataError(f"{path}: not a .npy file that can be mapped: {error}") from None
        if isinstance(mapped, np.ndarray):
            return mapped
        mapped.close()
        raise DataError(f"{path}: an archive of arrays, which cannot be mapped")
    is_array = all(
        has_attribute(source, each) for each in ("shape", "dtype", "ndim", "__getitem__")
    )
    array: Any = source if is_array else numbers(name, source)
    if array.ndim == 0:
        raise TypeError(f"{name} must be an array or a path, got {_validation.described(source)}")
    return array  # type: ignore[no-any-return]


def _stamps(*sources: object) -> dict[Path, tuple[int, int] | None]:
    """Return the stamps that show whether the files among the sources have changed."""
    named = (source for source in sources if isinstance(source, str | bytes | os.PathLike))
    paths = [Path(os.fsdecode(source)) for source in named]
    return {path.absolute(): _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def _name(array: Any, otherwise: str) -> str:
    return str(getattr(array, "filename", None) or otherwise)
