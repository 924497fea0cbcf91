"""Training on more than memory holds: streams of blocks, and iterators of batches."""

from fastmlp.streams.arrays import ArrayStream
from fastmlp.streams.parquet import ParquetStream
from fastmlp.streams.stream import Stream

__all__ = ["ArrayStream", "ParquetStream", "Stream"]
