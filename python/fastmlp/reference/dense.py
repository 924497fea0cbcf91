"""One dense layer, forward and backward, without its activation.

Indices are the paper's: ``weights[j][k]`` joins node j of the previous layer (K of them) with node
k of the next (N of them). A row is a sample; a batch is a list of rows.
"""

from collections.abc import Sequence
from typing import TypeAlias

from .sums import in_order, of_layer, over_parts

Row: TypeAlias = list[float]
Matrix: TypeAlias = list[Row]


def forward(nodes: Row, weights: Matrix, biases: Row) -> Row:
    """Compute z of a layer, the argument of its activation (2.1).

    Parameters
    ----------
    nodes : list of float, shape (K,)
        The previous layer.
    weights : list of list of float, shape (K, N)
        Weights between the two layers.
    biases : list of float, shape (N,)
        Biases of the next layer.

    Returns
    -------
    list of float, shape (N,)
        z_k = sum_j nodes_j weights_jk + bias_k.
    """
    z = []
    for k, bias in enumerate(biases):
        products = [nodes[j] * weights[j][k] for j in range(len(nodes))]
        z.append(of_layer(products, bias, len(biases)))
    return z


def backward(delta: Row, weights: Matrix) -> Row:
    """Compute dL/dnodes of the previous layer: the sum in (2.4), (2.5), before h'(z).

    Parameters
    ----------
    delta : list of float, shape (N,)
        dL/dz of the next layer.
    weights : list of list of float, shape (K, N)
        Weights between the two layers.

    Returns
    -------
    list of float, shape (K,)
        d_j = sum_k weights_jk delta_k.
    """
    return [in_order(delta[k] * row[k] for k in range(len(delta))) for row in weights]


def gradients(
    nodes: Matrix, deltas: Matrix, inverse: float, parts: Sequence[int]
) -> tuple[Matrix, Row]:
    """Compute the gradients of the mean loss of a batch (2.6), (2.7).

    Parameters
    ----------
    nodes : list of list of float, shape (B, K)
        The previous layer, one row per sample.
    deltas : list of list of float, shape (B, N)
        dL/dz of the next layer, one row per sample, times its weight.
    inverse : float
        1 over the sum of the weights, which is 1/B without them.
    parts : sequence of int
        How many of the B samples each rank has.

    Returns
    -------
    weight_gradients : list of list of float, shape (K, N)
        dL/dw_jk = sum over the batch of nodes_j delta_k, times `inverse`.
    bias_gradients : list of float, shape (N,)
        dL/db_k = sum over the batch of delta_k, times `inverse`.
    """
    weight_gradients = [
        [
            over_parts((row[j] * delta[k] for row, delta in zip(nodes, deltas, strict=True)), parts)
            * inverse
            + 0.0  # never -0
            for k in range(len(deltas[0]))
        ]
        for j in range(len(nodes[0]))
    ]
    bias_gradients = [
        over_parts((delta[k] for delta in deltas), parts) * inverse + 0.0
        for k in range(len(deltas[0]))
    ]
    return weight_gradients, bias_gradients
