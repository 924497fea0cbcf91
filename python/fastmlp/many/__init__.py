"""Many networks together: their training, and ensembles of them."""
