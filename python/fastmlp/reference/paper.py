"""The paper's network: rectifiers, softmax, cross-entropy and one step of gradient descent.

Huecas López, "Neural network" (2025). The numbers in brackets are its equations. Indices are the
paper's too: ``weights[i][j][k]`` joins node j of layer i with node k of layer i + 1,
``nodes[p][q]`` is node q of layer p, layer 0 the features. Everything is a list of floats.

`fastmlp.reference.Network` computes the same bits, with many more options; the compiled core
follows both, in its own precision. A step is::

    nodes, z = forward(weights, biases, features)
    deltas = backward(weights, nodes, label)
    update(weights, biases, [nodes], [deltas], eta)
"""

import math

from .activations import activate, softmax_parts
from .dense import Matrix, Row
from .sums import in_order, of_layer


def forward(weights: list[Matrix], biases: Matrix, features: Row) -> tuple[Matrix, Row]:
    """Compute the nodes of all layers for one sample (1.2).

    Parameters
    ----------
    weights : list of list of list of float, shapes (K, N)
        One matrix between each two layers.
    biases : list of list of float, shapes (N,)
        One vector per layer after the features.
    features : list of float, shape (K,)
        The sample, layer 0.

    Returns
    -------
    nodes : list of list of float
        The nodes of every layer, including the features.
    z : list of float, shape (N,)
        The argument of softmax (2.1) in the last layer.
    """
    nodes, z = [features], features
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        products = [[n * w[k] for n, w in zip(nodes[i], W, strict=True)] for k in range(len(b))]
        z = [of_layer(products[k], b[k], len(b)) for k in range(len(b))]  # (2.1)
        is_output = i == len(weights) - 1
        nodes.append(activate("softmax" if is_output else "relu", z))  # (1.1), (2.3)
    return nodes, z


def loss(z: Row, label: int) -> float:
    """Compute the cross-entropy -log(softmax(z)[label]) (2.8), finite where softmax rounds to 0."""
    largest, _, total = softmax_parts(z)
    return math.log(total) - (z[label] - largest)


def backward(weights: list[Matrix], nodes: Matrix, label: int) -> Matrix:
    """Compute delta = dL/dz of every layer after the features, for one sample.

    Parameters
    ----------
    weights, nodes
        As in `forward`.
    label : int
        The class of the sample: its targets are 1 there, else 0.

    Returns
    -------
    list of list of float, shapes (N,)
        ``deltas[i]`` belongs to ``weights[i]`` and ``biases[i]``.
    """
    delta = [h - (k == label) for k, h in enumerate(nodes[-1])]  # (2.9)
    deltas = [delta]
    for W, h in zip(weights[:0:-1], nodes[-2:0:-1], strict=True):
        d = [in_order(w[k] * delta[k] for k in range(len(delta))) for w in W]  # (2.4), (2.5)
        delta = [d_j if h_j > 0.0 else 0.0 for d_j, h_j in zip(d, h, strict=True)]  # (2.12)
        deltas.insert(0, delta)
    return deltas


def update(
    weights: list[Matrix], biases: Matrix, nodes: list[Matrix], deltas: list[Matrix], eta: float
) -> None:
    """Update weights and biases, in place, with the gradients of the mean loss of a batch.

    Parameters
    ----------
    weights, biases
        As in `forward`.
    nodes, deltas
        What `forward` and `backward` return, one entry per sample.
    eta : float
        The step size.
    """
    inverse = 1.0 / len(nodes)
    batch = list(zip(nodes, deltas, strict=True))
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        for k in range(len(b)):
            for j in range(len(W)):
                dw = in_order(n[i][j] * d[i][k] for n, d in batch) * inverse  # (2.7), (2.11)
                W[j][k] -= eta * dw  # (2.14)
            db = in_order(d[i][k] for _, d in batch) * inverse  # (2.6), (2.10)
            b[k] -= eta * db  # (2.13)
