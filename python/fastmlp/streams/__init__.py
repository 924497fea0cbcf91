"""Larger-than-memory data: streams of blocks, and iterators of batches."""

from typing import TYPE_CHECKING, Any

from fastmlp.data.stream import Stream
from fastmlp.streams.arrays import ArrayStream

if TYPE_CHECKING:
    from fastmlp.streams.parquet import ParquetStream

__all__ = ["ArrayStream", "ParquetStream", "Stream"]


def __getattr__(name: str) -> Any:
    # Imported at its first use, so that `import fastmlp` stays fast.
    if name == "ParquetStream":
        from fastmlp.streams.parquet import ParquetStream  # noqa: PLC0415

        return ParquetStream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
