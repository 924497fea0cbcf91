"""Larger-than-memory data: streams of blocks, and iterators of batches."""

from fastmlp.data.stream import Stream
from fastmlp.streams.arrays import ArrayStream
from fastmlp.streams.parquet import ParquetStream

__all__ = ["ArrayStream", "ParquetStream", "Stream"]
