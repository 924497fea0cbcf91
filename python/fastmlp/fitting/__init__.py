"""A fit: its loop, callbacks, held-out samples and checkpoints."""
