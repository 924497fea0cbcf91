"""Training the networks of a model over ranks, each of which reads and encodes its share of rows.

Rank 0 learns the encoding of the columns from the whole table. If the others can read their rows
from the files, they do; otherwise rank 0 sends them. The samples are the same. Rows whose matrix
would be much larger than the table are encoded as they are trained on, as in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.fitting.ranks import Ranks
from fastmlp.tables.encoding.features import BadRows, text_columns
from fastmlp.tables.reading.file_rows import DividedFiles, RowsOfFile, read_rows
from fastmlp.tables.reading.known import Known
from fastmlp.tables.reading.table import Column, ColumnStore, Table
from fastmlp.tables.training.encoded_rows import (
    EncodedRows,
    EncodedSamples,
    MatrixRows,
    outgrows_table,
    shares_matrix,
)
from fastmlp.tables.training.networks import (
    AnySamples,
    RowsOfNetwork,
    Samples,
    Settings,
    fit_network,
)
from fastmlp.tables.training.preparation import Preparation, Prepared

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.network import Network
    from fastmlp.tables.encoding.features import Features, Means
    from fastmlp.tables.encoding.target import Target
    from fastmlp.tables.reading.table import Rows

_PROBED: Final = 256
"""Rows that both rank 0 and another rank encode, to be sure that they read the same."""


class TrainingOverRanks:
    """The part of a rank in the training of all networks, one after the other.

    Attributes
    ----------
    networks, histories : list
        Of those that are trained.
    """

    def __init__(
        self,
        untrained: list[Network],
        samples: AnySamples,
        splits: list[RowsOfNetwork],
        rows: int,
        target: Target,
        settings: Settings,
        comm: Any,
    ) -> None:
        self._untrained, self._rows = untrained, rows
        self._parts = [samples.split(split, in_place=len(splits) == 1) for split in splits]
        self._target, self._settings, self._comm = target, settings, comm
        self.networks: list[Network] = []
        self.histories: list[History | None] = []

    def run(self) -> None:
        """Train all networks.

        Raises
        ------
        DivergenceError, KeyboardInterrupt
            As `Network.fit` of several ranks.
        """
        for i, network in enumerate(self._untrained):
            history = fit_network(
                network,
                self._parts[i % len(self._parts)],
                self._target,
                self._settings,
                self._rows,
                n_threads=self._settings.n_threads,
                verbose=self._settings.verbose if i == 0 else 0,
                comm=self._comm,
            )
            self.networks.append(network)
            self.histories.append(history)


@dataclass(frozen=True)
class _FileShare:
    """Where a rank reads its rows.

    Attributes
    ----------
    source : Path
        Of the whole table.
    parts : list of RowsOfFile
        Its rows and those between them, from its first row on.
    rows : ndarray of int
        Its rows in the table.
    decimal : {".", ","}
        The decimal mark of the table.
    places, probe : ndarray
        Some of these rows, and how rank 0 encodes them, without target means of training.
    """

    source: Path
    parts: list[RowsOfFile]
    rows: Rows
    decimal: str
    places: NDArray[np.intp]
    probe: NDArray[Any]

    def encoded(self, features: Features, share: _Share) -> _Encoded | None:
        """Return the encoded rows; None if they cannot be read here."""
        if not len(self.rows):
            return _Encoded(self.probe, [[] for _ in features.features])
        try:
            known = Known(words=text_columns(features), decimal=self.decimal)
            table = read_rows(self.source, self.parts, known)
            rows = self.rows - self.rows[0]
            if not np.array_equal(features.matrix(table, rows[self.places]), self.probe):
                return None
            return _Encoded.of(features, table, rows, share).moved(int(self.rows[0]))
        except (OSError, ValueError, IndexError):  # another file, or none
            return None


@dataclass(frozen=True)
class _TablePart:
    """Columns of the rows of a rank, and of those between them.

    Attributes
    ----------
    columns : dict of str to column
        Those that are encoded.
    decimal : {".", ","}
        Of the numbers in text.
    first : int
        Where the part begins in the whole table.
    rows : ndarray of int
        The rows of the rank, in the part.
    """

    columns: dict[str, Column]
    decimal: str
    first: int
    rows: Rows

    def table(self) -> Table:
        """Return the part as a table, in which rows have the numbers of the whole one."""
        whole = Table("table", self.columns, self.decimal)
        return replace(whole, locate=lambda row: whole.locate(self.first + row))


@dataclass(frozen=True)
class _Share:
    """What a rank has of the rows; the attributes are those of `Preparation`.

    Attributes
    ----------
    streamed : bool
        Whether rows are encoded as they are trained on.
    shared : bool
        Whether otherwise the networks look up their rows in one matrix.
    """

    streamed: bool
    shared: bool
    trained: dict[str, Means]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    splits: list[RowsOfNetwork]

    def samples(self, X: NDArray[Any] | EncodedRows) -> AnySamples:
        """Return the samples of the rank."""
        if isinstance(X, EncodedRows):
            return EncodedSamples(X, self.y, self.weight)
        if self.shared:
            return EncodedSamples(MatrixRows(X), self.y, self.weight)
        return Samples(X, self.y, self.weight)


@dataclass(frozen=True)
class _Encoded:
    """The encoded rows of a rank, and those with bad cells."""

    X: NDArray[Any] | EncodedRows
    bad: BadRows

    @classmethod
    def of(cls, features: Features, table: Table, rows: Rows, share: _Share) -> _Encoded:
        """Encode rows of a table."""
        if share.streamed:
            X = EncodedRows(features, table, rows, share.trained)
            return cls(X, X.bad)
        return cls(*features.training_part(table, rows, share.trained))

    def moved(self, first: int) -> _Encoded:
        """Return the same if its table begins with this row of the whole one."""
        return _Encoded(self.X, [[part + first for part in parts] for parts in self.bad])


def prepared_by_rank_0(learn: Callable[[], Preparation], settings: Settings, comm: Any) -> Prepared:
    """Return what a model is trained on, from what `learn`, called on rank 0, returns.

    Raises
    ------
    ValueError
        If the settings of the ranks differ.
    """
    with Ranks(comm) as ranks:
        ranks.refuse_others({"the method": "TabularModel.fit", **settings.plain()})
        mine = _OnRank0(learn(), settings, ranks.size) if ranks.rank == 0 else None
        features, target, seed, rows = ranks.of_rank_0(lambda: _of(mine).common())
        share: _Share = ranks.scattered(lambda: _of(mine).shares())
        X = _read_everywhere(ranks, mine, features, share)
        if X is None and share.streamed:
            X = _sent_as_table(ranks, mine, features, share)
        elif X is None:
            X = ranks.scattered(lambda: _of(mine).matrices())
        notes, networks = ranks.of_rank_0(lambda: _of(mine).ready())
    samples = share.samples(X)
    training = TrainingOverRanks(networks, samples, share.splits, rows, target, settings, comm)
    return Prepared(features, target, notes, seed, training)


def _of(mine: _OnRank0 | None) -> _OnRank0:
    assert mine is not None  # on rank 0
    return mine


def _read_everywhere(
    ranks: Ranks, mine: _OnRank0 | None, features: Features, share: _Share
) -> NDArray[Any] | EncodedRows | None:
    """Return the encoded rows of this rank, if all ranks can read theirs."""
    files: _FileShare | None = ranks.scattered(lambda: _of(mine).files())
    found = None
    if mine is not None and mine.divided is not None:
        found = mine.encoded(share)
    elif files is not None:
        found = files.encoded(features, share)
    if not all(ranks.gathered(found is not None)):
        return None
    assert found is not None
    return _noted(ranks, mine, found)


def _sent_as_table(
    ranks: Ranks, mine: _OnRank0 | None, features: Features, share: _Share
) -> NDArray[Any] | EncodedRows:
    """Return the rows of this rank, which rank 0 sends as a part of the table."""
    part: _TablePart = ranks.scattered(lambda: _of(mine).parts())
    if mine is not None:
        return _noted(ranks, mine, mine.encoded(share))
    found = _Encoded.of(features, part.table(), part.rows, share)
    return _noted(ranks, mine, found.moved(part.first))


def _noted(ranks: Ranks, mine: _OnRank0 | None, found: _Encoded) -> NDArray[Any] | EncodedRows:
    """Return encoded rows; rank 0 adds the notes for those of all ranks."""
    of_ranks = ranks.gathered(found.bad)
    if mine is not None:
        mine.note(of_ranks)
    return found.X


class _OnRank0:
    """What rank 0 does for all ranks.

    Attributes
    ----------
    divided : DividedFiles or None
        Of the table, if other ranks may read their rows.
    """

    def __init__(self, preparation: Preparation, settings: Settings, size: int) -> None:
        self._preparation, self._settings = preparation, settings
        count = len(preparation.rows)
        self._bounds = [count * rank // size for rank in range(size + 1)]
        self._X: NDArray[Any] | None = None
        self.divided: DividedFiles | None = None
        table = preparation.selection.table
        # Networks of raw features scale by the matrix, which then is needed here.
        if table.path is not None and size > 1 and not preparation.features.is_raw:
            divided = DividedFiles(table.path, len(table))
            self.divided = divided if divided.divisible else None

    def common(self) -> tuple[Features, Target, int, int]:
        """Return what all ranks need: the encoding, the seed, and the number of rows."""
        preparation = self._preparation
        return preparation.features, preparation.target, preparation.seed, len(preparation.rows)

    def shares(self) -> list[_Share]:
        """Return what each rank has of the rows."""
        preparation = self._preparation
        splits = preparation.splits(self._settings)
        rows = [splits.of(i) for i in range(splits.count)]
        bounds = list(pairwise(self._bounds))
        of_ranks = [[each.between(first, last) for each in rows] for first, last in bounds]
        streamed = outgrows_table(preparation.features, len(preparation.rows))
        shared = len(rows) > 1 and shares_matrix(preparation.features, len(preparation.rows))
        weight = preparation.weight
        return [
            _Share(
                streamed,
                shared,
                {name: means[first:last] for name, means in preparation.trained.items()},
                preparation.y[first:last],
                None if weight is None else weight[first:last],
                mine,
            )
            for (first, last), mine in zip(bounds, of_ranks, strict=True)
        ]

    def files(self) -> list[_FileShare | None]:
        """Return where each other rank reads its rows, if they can be read there."""
        table, rows = self._preparation.selection.table, self._preparation.rows
        if self.divided is None:
            return [None for _ in self._bounds[1:]]
        starts = [int(rows[at]) if at < len(rows) else len(table) for at in self._bounds]
        parts = self.divided.between(starts)
        return [
            None if rank == 0 else self._file_share(parts[rank], rows[first:last])
            for rank, (first, last) in enumerate(pairwise(self._bounds))
        ]

    def _file_share(self, parts: list[RowsOfFile], rows: Rows) -> _FileShare:
        table = self._preparation.selection.table
        assert table.path is not None
        places = np.linspace(0, max(0, len(rows) - 1), min(len(rows), _PROBED)).astype(np.intp)
        probe = self._preparation.features.matrix(table, rows[places])
        return _FileShare(table.path, parts, rows, table.decimal, places, probe)

    def parts(self) -> list[_TablePart]:
        """Return the part of the table that each rank needs; its own is empty."""
        table, rows = self._preparation.selection.table, self._preparation.rows
        names = [feature.name for feature in self._preparation.features.features]
        held = ColumnStore()
        for name in names:
            held.hold_in_memory(name, table.held(name))
        used = replace(table, columns=held)
        parts = []
        for rank, (first, last) in enumerate(pairwise(self._bounds)):
            some = rows[first:last] if rank > 0 else rows[:0]
            start, end = (int(some[0]), int(some[-1]) + 1) if len(some) else (0, 0)
            columns = dict(used.part(start, end).columns)
            parts.append(_TablePart(columns, table.decimal, start, some - start))
        return parts

    def encoded(self, share: _Share) -> _Encoded:
        """Return the encoded rows of rank 0."""
        table, rows = self._preparation.selection.table, self._preparation.rows
        return _Encoded.of(self._preparation.features, table, rows[: self._bounds[1]], share)

    def note(self, of_ranks: list[BadRows]) -> None:
        """Add notes for the rows with bad cells that the ranks have found."""
        bad = [[rows for each in parts for rows in each] for parts in zip(*of_ranks, strict=True)]
        self._preparation.features.note(self._preparation.selection.table, bad)

    def matrices(self) -> list[NDArray[Any]]:
        """Return the encoded rows of each rank."""
        self._X = self._preparation.matrix()
        return [self._X[first:last] for first, last in pairwise(self._bounds)]

    def ready(self) -> tuple[tuple[str, ...], list[Network]]:
        """Return the notes, now complete, and the networks."""
        return self._preparation.notes(), self._preparation.networks(self._settings, self._X)
