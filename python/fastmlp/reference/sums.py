"""The order of every sum: floating-point addition is not associative, so the order is specified.

There are two rules. The compiled core follows both, with ``a * b + c`` fused into one rounding
where the terms are products; here a product is rounded before it is added (``math.fma`` is younger
than the oldest Python supported).
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

LANES: Final = 16
"""Partial sums of `tree16`: the float32 lanes of the widest vector register."""

NARROW: Final = 16
"""Layers of at most this many nodes sum by `tree16`, wider ones in order."""


def in_order(terms: Iterable[float], start: float = 0.0) -> float:
    """Add the terms to `start` one after the other.

    Not Python's ``sum``, which from 3.12 on compensates its rounding errors.

    Parameters
    ----------
    terms : iterable of float
        The terms, in this order.
    start : float, default 0.0
        The initial value.

    Returns
    -------
    float
        ``((start + terms[0]) + terms[1]) + ...``
    """
    total = start
    for term in terms:
        total += term
    return total


def over_parts(terms: Iterable[float], parts: Sequence[int]) -> float:
    """Add the terms of each part in order, then these sums in the order of the parts.

    Parameters
    ----------
    terms : iterable of float
        The terms of all parts, one part after the other.
    parts : sequence of int
        How many terms each part has: samples of the ranks of a fit.
    """
    each = iter(terms)
    return in_order(in_order(islice(each, size)) for size in parts)


def tree16(terms: Iterable[float]) -> float:
    """Add the terms as 16 partial sums, then halve: 16 to 8 to 4 to 2 to 1.

    Partial sum r takes the terms r, r + 16, r + 32, ... in this order; missing terms are +0. It is
    the rule for layers of at most 16 nodes, where one register holds the partial sums of one node,
    for the denominator of softmax and for the loss of a sample.

    Parameters
    ----------
    terms : iterable of float
        The terms.

    Returns
    -------
    float
        The sum; +0.0 if there are no terms.
    """
    partial = [0.0] * LANES
    for index, term in enumerate(terms):
        partial[index % LANES] += term
    for half in (8, 4, 2, 1):
        partial = [partial[r] + partial[r + half] for r in range(half)]
    return partial[0]


def of_layer(products: Iterable[float], bias: float, nodes: int) -> float:
    """Add the products and the bias of one node of a layer (2.1).

    Parameters
    ----------
    products : iterable of float, shape (K,)
        nodes_j weights_jk, over the previous layer.
    bias : float
        The bias of node k.
    nodes : int
        The number of nodes of the layer: up to `NARROW` the sum is `tree16`, above it is in order.
    """
    if nodes <= NARROW:
        return tree16(products) + bias
    return in_order(products, start=bias)


def weighted_mean(weighted: Sequence[float], weights: Sequence[float]) -> float:
    """Return the sum of weighted values, in order, divided by that of the weights; 0 if empty.

    Parameters
    ----------
    weighted : sequence of float
        The losses of samples, each times its weight; or sums of such.
    weights : sequence of float
        The weights, or their sums.
    """
    total = in_order(weights)
    return in_order(weighted) / total if total > 0.0 else 0.0
