"""Training data of ``Network.fit`` other than arrays: a stream, or an iterable of batches."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastmlp import _validation
from fastmlp.data import _memory
from fastmlp.data._conversion import has_attribute
from fastmlp.data.stream import Stream, block_sizes, check_width, window_rows
from fastmlp.errors import DataError
from fastmlp.model.class_weight import ClassWeight
from fastmlp.model.model import Core, CoreReport, CoreReports, Model, TrainOptions
from fastmlp.settings.custom_loss import CustomLoss
from fastmlp.settings.optimizers import Optimizer
from fastmlp.settings.schedules import Schedule
from fastmlp.streams.background import BackgroundReader
from fastmlp.streams.batches import Batches
from fastmlp.streams.checking import Demands
from fastmlp.streams.chunks import Chunk, Epochs, capacity, chunks

_NO_ROWS = np.empty(0, np.uint8)


class Source:
    """A stream or batches, prepared for one fit of a network.

    Parameters
    ----------
    model : Model
        The network to train.
    data : Stream or Batches
        Its samples.
    class_weight : mapping or None
        As in ``fit``.
    shuffle : bool
        Whether to shuffle.
    """

    def __init__(
        self,
        model: Model,
        data: Stream | Batches,
        class_weight: ClassWeight | None,
        *,
        shuffle: bool,
    ) -> None:
        self._model = model
        self._data = data
        self._demands = Demands.of(model, class_weight)
        self._shuffle = shuffle

    def __len__(self) -> int:
        """Return the number of rows of an epoch, as far as it is known."""
        return self._data.rows if isinstance(self._data, Batches) else self._data.n_rows

    def refuse_epochs(self, epochs: int, optimizer: Optimizer, checkpoint: object) -> None:
        """Refuse arguments that need a known number of rows, or data for several epochs.

        Raises
        ------
        ValueError
            If there is one.
        """
        if isinstance(self._data, Stream):
            return
        if epochs != 1 and self._data.is_spent_at_once():
            raise ValueError(
                f"an iterator yields its batches once: epochs must be 1, got {epochs}; or pass an "
                "iterable that can be iterated over again, such as a list or a DataLoader"
            )
        rate = optimizer.learning_rate
        if isinstance(rate, Schedule) and rate.counts_epochs:
            raise ValueError(
                f"{type(rate).__name__} needs to know how many steps an epoch has, which batches "
                "do not tell: give a Stream, or the learning rate as a function of the step"
            )
        if checkpoint is not None:
            raise ValueError(
                "checkpoint is not supported with an iterable of batches: pass a Stream"
            )

    def require_memory(self, batch_size: int) -> None:
        """Refuse batches larger than memory; the rows of an iterable do not limit their size.

        Raises
        ------
        MemoryError
            If there is not enough.
        """
        if isinstance(self._data, Batches):
            needed = batch_size * self._model.bytes_per_row()
            _memory.require(f"a step of batch_size={batch_size:,} rows", needed)

    def fingerprint(self) -> dict[str, int]:
        """Return what must be the same to resume from a checkpoint; see `fingerprint`.

        For a stream, whose rows are expensive to read, it is a checksum of the sizes of its blocks.
        """
        if not isinstance(self._data, Stream):
            return {}  # checkpoints are not supported
        sizes = [*block_sizes(self._data), window_rows(self._data)]
        return {"the blocks of a stream": zlib.crc32(np.asarray(sizes, "<i8").tobytes())}

    def train(
        self,
        options: TrainOptions,
        rate: Callable[[int], float] | None,
        on_epoch: Callable[[CoreReport], bool] | None,
        on_step: Callable[[int, float], bool] | None,
        ranks: tuple[Any, ...] | None = None,
    ) -> CoreReports:
        """Train in the core; if data cannot be used, restore the network, unless there are ranks.

        Those of others stay at the last step.
        """
        core, before = self._model.core, self._model.copied_core()
        refused = False
        rows = 0 if isinstance(self._data, Batches) else len(self)  # 0: unknown
        function = self._model.loss_function
        loss = None if function is None else CustomLoss(function, _NO_ROWS)
        try:
            with self._opened(core, options, ranks) as next_chunk:
                counting = _Counting(options.batch_size, self._model.moves_averages)

                def next_block() -> Chunk:
                    nonlocal refused
                    refused = True
                    chunk = next_chunk()
                    if loss is not None:
                        loss.y = chunk.y
                    if ranks is None:  # which may have other weights
                        counting.take(chunk)
                    refused = False
                    return chunk

                reports = core.fit_stream(
                    next_block, rows, loss, options, rate, on_epoch, on_step, ranks
                )
                if isinstance(self._data, Batches) and self._model.feature_names is None:
                    self._model.feature_names = self._data.feature_names
                return reports
        except DataError:
            if refused and ranks is None:  # not raised by a callback
                core.assign(before)  # type: ignore[arg-type]
            raise

    @contextmanager
    def _opened(
        self, core: Core, options: TrainOptions, ranks: tuple[Any, ...] | None
    ) -> Iterator[Callable[[], Chunk]]:
        """Yield a function that returns the chunks, one after another."""
        left, size = options.epochs - options.first_epoch, options.batch_size
        if isinstance(self._data, Batches):
            yield self._data.chunks(self._demands, left, size).__next__
            return
        stream, demands = self._data, self._demands

        def whole_steps(rows: int) -> int:
            if ranks is None:
                return rows - rows % size
            mine = len(self)
            every: int = sum(ranks[1])
            steps = ((rows + 1) * every - 1) // (size * mine)
            return min(mine, steps * size * mine // every)

        last, rank = core.epoch + left, 0 if ranks is None else ranks[0]
        epochs = Epochs(core.seed, core.epoch, last, whole_steps, self._shuffle, rank)
        reader = BackgroundReader(
            lambda free: chunks(stream, demands, epochs, free), capacity(stream, size)
        )
        try:
            yield reader.next
        finally:
            reader.close()


class _Counting:
    """Checks that enough samples have a weight above 0, which is known only once they are read.

    Parameters
    ----------
    batch_size : int
        Rows of a step.
    pairs : bool
        Whether the fit needs a batch with two rows of weight above 0, for batch normalization.
    """

    def __init__(self, batch_size: int, pairs: bool) -> None:
        self._batch_size = batch_size
        self._pairs = pairs  # until there was one
        self._weighed = False  # whether any row of the epoch so far has a weight above 0

    def take(self, chunk: Chunk) -> None:
        """Count a chunk.

        Raises
        ------
        DataError
            If it ends an epoch whose samples all have weight 0, or a first epoch whose batches all
            have at most one row of weight above 0.
        """
        counts = np.ones(len(chunk.X), bool) if chunk.weight is None else chunk.weight != 0
        self._weighed = self._weighed or bool(counts.any())
        if self._pairs and len(counts):
            starts = np.arange(0, len(counts), self._batch_size)
            self._pairs = bool(np.add.reduceat(counts, starts, dtype=np.intp).max() < 2)
        if not chunk.last:
            return
        if not self._weighed:
            raise DataError("all samples of the epoch have weight 0")
        if self._pairs:
            raise DataError(
                "batch normalization needs a batch of at least 2 rows of weight above 0, but the "
                f"epoch had none with batch_size={self._batch_size}"
            )
        self._weighed = False


def is_array_like(X: object) -> bool:
    """Return whether `X` is features rather than batches of samples."""
    return not isinstance(X, Iterable) or has_attribute(X, "shape") or has_attribute(X, "__array__")


def read_data(X: object, y: object) -> Stream | Batches | None:
    """Return ``X`` as a source if it contains its targets; None if it is features.

    Raises
    ------
    TypeError
        If `y` is missing, or passed in addition to a stream.
    """
    if isinstance(X, Stream):
        if y is not None:
            raise TypeError("y is part of the stream: pass the stream alone")
        return X
    if y is not None:
        return None
    if is_array_like(X) or isinstance(X, str | bytes | dict):
        raise TypeError(
            "y is missing: pass X and y, a Stream, or an iterable of batches (X, y), "
            f"got {_validation.described(X)} alone"
        )
    assert isinstance(X, Iterable)
    return Batches(X)


def read_source(
    model: Model, data: Stream | Batches, class_weight: ClassWeight | None, shuffle: bool
) -> Source:
    """Return the training data of one fit of a network.

    Raises
    ------
    TypeError, ValueError
        If the stream does not match the network, or another argument is invalid.
    """
    if isinstance(data, Stream):
        check_width(data, model.features)
        if data.n_rows == 0:
            raise ValueError("the stream has 0 rows, needs at least 1")
    return Source(model, data, class_weight, shuffle=shuffle)
