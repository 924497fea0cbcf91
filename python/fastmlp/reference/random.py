"""Random numbers without state: each is a function of (seed, purpose, epoch, index).

The generator is Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
as 1, 2, 3" (SC 2011). It uses only integer arithmetic, so every platform draws the same numbers.
"""

import math
import struct
from typing import Final, TypeAlias

from .activations import RECTIFIERS
from .dense import Matrix

Block: TypeAlias = tuple[int, int, int, int]

INITIAL_WEIGHTS: Final = 0
ORDER: Final = 1
DROPOUT: Final = 2
BLOCKS: Final = 3
"""Purposes: numbers drawn for different purposes are independent."""

WORD: Final = 0xFFFFFFFF
MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
WEYL: Final = (0x9E3779B9, 0xBB67AE85)
"""The constants of the paper: the multipliers of a round, and the increments of the key."""


def philox(counter: Block, key: tuple[int, int]) -> Block:
    """Encrypt a counter with a key: ten rounds of Philox4x32.

    Parameters
    ----------
    counter : tuple of four int
        Words of 32 bits.
    key : tuple of two int
        Words of 32 bits.

    Returns
    -------
    tuple of four int
        Random words of 32 bits.
    """
    c0, c1, c2, c3 = counter
    key0, key1 = key
    for _ in range(10):
        product0 = MULTIPLIERS[0] * c0
        product1 = MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            product1 >> 32 ^ c1 ^ key0,
            product1 & WORD,
            product0 >> 32 ^ c3 ^ key1,
            product0 & WORD,
        )
        key0 = key0 + WEYL[0] & WORD
        key1 = key1 + WEYL[1] & WORD
    return c0, c1, c2, c3


def block(seed: int, purpose: int, epoch: int, number: int) -> Block:
    """Return block `number` of the stream (seed, purpose, epoch): four words of 32 bits."""
    counter = (number & WORD, number >> 32, epoch & WORD, purpose)
    return philox(counter, (seed & WORD, seed >> 32))


def draw32(seed: int, purpose: int, epoch: int, index: int) -> int:
    """Return the 32-bit number `index` of a stream: four in a block."""
    return block(seed, purpose, epoch, index // 4)[index % 4]


def draw64(seed: int, purpose: int, epoch: int, index: int) -> int:
    """Return the 64-bit number `index` of a stream: two in a block, the low word first."""
    words = block(seed, purpose, epoch, index // 2)
    low = index % 2 * 2
    return words[low] | words[low + 1] << 32


def uniform(seed: int, purpose: int, epoch: int, index: int) -> float:
    """Return number `index` of a stream, uniform in [0, 1): a multiple of 2^-53."""
    return (draw64(seed, purpose, epoch, index) >> 11) * 2.0**-53


def initial_limit(activation: str, K: int, N: int) -> float:
    """Return how far from 0 `initial_weights` may be: variances are a third of its square.

    Before rectifiers it is that of He, Zhang, Ren and Sun (2015), before selu of Klambauer,
    Unterthiner, Mayr and Hochreiter (2017), before all others of Glorot and Bengio (2010).
    """
    if activation == "selu":
        return math.sqrt(3.0 / K)
    return math.sqrt(6.0 / (K if activation in RECTIFIERS else K + N))


def initial_weights(seed: int, first: int, K: int, N: int, activation: str, dtype: str) -> Matrix:
    """Draw the weights of a layer, uniform in [-limit, limit).

    The limit is `initial_limit`.

    Parameters
    ----------
    seed : int
        The seed of the network.
    first : int
        The index of the first weight among all parameters of the network, for which it is drawn.
    K, N : int
        Nodes of the previous and of this layer.
    activation : str
        The activation of this layer.
    dtype : {"float32", "float64"}
        The type to which the weights are rounded, as in a compiled network.

    Returns
    -------
    list of list of float, shape (K, N)
        The weights.
    """
    limit = initial_limit(activation, K, N)
    return [
        [
            rounded(
                (2.0 * uniform(seed, INITIAL_WEIGHTS, 0, first + j * N + k) - 1.0) * limit, dtype
            )
            for k in range(N)
        ]
        for j in range(K)
    ]


def rounded(value: float, dtype: str) -> float:
    """Return `value` rounded to "float32" or "float64", as a float."""
    if dtype == "float64":
        return value
    (result,) = struct.unpack("<f", struct.pack("<f", value))
    return float(result)


def sample_order(seed: int, epoch: int, n: int) -> list[int]:
    """Draw the order of samples in an epoch: the shuffle of Fisher and Yates.

    Parameters
    ----------
    seed : int
        The seed of the network.
    epoch : int
        The number of epochs trained before this one.
    n : int
        The number of samples.

    Returns
    -------
    list of int
        A permutation of 0 to n - 1.
    """
    return rank_order(seed, epoch, n, 0)


def rank_order(seed: int, epoch: int, n: int, rank: int) -> list[int]:
    """Draw the order in an epoch of the `n` samples of a rank; `sample_order` is that of rank 0."""
    return permutation(seed, ORDER + 256 * rank, epoch, 0, n)


def permutation(seed: int, purpose: int, epoch: int, first: int, n: int) -> list[int]:
    """Draw a permutation of 0 to n - 1 with the numbers `first`, `first` + 1, ... of a stream.

    Position i, from the last to the second, is exchanged with j = draw (i + 1) / 2^32 rounded down,
    whose deviation from uniform is less than n / 2^32.
    """
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = draw32(seed, purpose, epoch, first + i) * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def block_order(seed: int, epoch: int, block_rows: list[int], window_rows: int) -> list[int]:
    """Draw the order of an epoch over rows that are read in blocks, and shuffled in windows.

    Parameters
    ----------
    seed : int
        The seed of the network.
    epoch : int
        The number of epochs trained before this one.
    block_rows : list of int
        The number of rows of each block.
    window_rows : int
        The number of rows shuffled together.

    Returns
    -------
    list of int
        A permutation of 0 to n - 1, n being the number of all rows. The blocks are shuffled and
        concatenated, and cut into windows; the rows of a window that begins at position p, in
        ascending order, are shuffled with the draws of `sample_order` from position p. So a single
        window with all rows has the order of `sample_order`.
    """
    starts = [sum(block_rows[:i]) for i in range(len(block_rows))]
    rows: list[int] = []
    for i in permutation(seed, BLOCKS, epoch, 0, len(block_rows)):
        rows += range(starts[i], starts[i] + block_rows[i])
    order: list[int] = []
    for first in range(0, len(rows), window_rows):
        window = sorted(rows[first : first + window_rows])
        order += [window[i] for i in permutation(seed, ORDER, epoch, first, len(window))]
    return order
