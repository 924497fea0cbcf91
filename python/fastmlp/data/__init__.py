"""What a user brings: arrays, frames and sparse matrices, converted for the core."""
