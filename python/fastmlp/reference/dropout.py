"""Inverted dropout (Srivastava et al., 2014): in training each node is kept or set to 0.

Kept nodes are divided by the probability to be kept, so prediction needs no correction.
"""

from typing import Final

from .dense import Row
from .random import DROPOUT, block

DRAWN: Final = 64
"""Nodes whose random words have adjacent counters: sixteen counters of four words."""


def word(seed: int, layer: int, epoch: int, position: int, node: int) -> int:
    """Return the 32 random bits that decide whether a node is dropped.

    Parameters
    ----------
    seed : int
        The seed of the network.
    layer : int
        The layer, from 0.
    epoch : int
        The number of epochs trained before.
    position : int
        The number of earlier samples in this epoch.
    node : int
        The node of the layer, from 0.
    """
    number = node // DRAWN * 16 + node % 16
    counter = (position & 0xFFFFFFFF) << 32 | number
    return block(seed, DROPOUT + 256 * layer, epoch, counter)[node // 16 % 4]


def factors(rate: float, seed: int, layer: int, epoch: int, position: int, nodes: int) -> Row:
    """Return the factors of a sample's nodes: 1 / (1 - rate) if kept, else 0.

    The backward pass uses the same factors.

    Parameters
    ----------
    rate : float
        The probability to drop a node, in [0, 1), rounded to a multiple of 2^-32.
    seed, layer, epoch, position
        As in `word`.
    nodes : int
        The number of nodes N.

    Returns
    -------
    list of float, shape (N,)
        The factors.
    """
    least = min(round(rate * 2**32), 2**32 - 1)
    scale = 1.0 / (1.0 - rate)
    return [scale if word(seed, layer, epoch, position, n) >= least else 0.0 for n in range(nodes)]


def apply(row: Row, factor: Row) -> Row:
    """Return the row times its factors; dropped nodes are +0, whatever their value."""
    return [value * f if f else 0.0 for value, f in zip(row, factor, strict=True)]
