"""Input data: arrays, data frames and sparse matrices, checked and converted for the core."""
