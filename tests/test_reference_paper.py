"""`reference.paper`, the paper on one page, computes the bits of `reference.Network`."""

import random
from pathlib import Path

import pytest

from fastmlp import reference
from fastmlp.reference import paper

pytestmark = pytest.mark.once

SHAPES = [[3, 2], [4, 5, 3], [2, 17, 4, 20], [5, 16, 33, 17, 2]]  # sums of narrow and wide layers


def in_order(terms):
    total = 0.0
    for term in terms:
        total += term
    return total


def step(weights, biases, X, labels, eta):
    """Take a step on a batch; return its mean loss before the step."""
    at = [paper.forward(weights, biases, x) for x in X]
    losses = [paper.loss(z, label) for (_, z), label in zip(at, labels, strict=True)]
    nodes = [n for n, _ in at]
    deltas = [paper.backward(weights, n, label) for n, label in zip(nodes, labels, strict=True)]
    paper.update(weights, biases, nodes, deltas, eta)
    return in_order(losses) / len(losses)


def bits(values):
    """Every float of nested lists in hexadecimal, which distinguishes -0 from +0."""
    return [bits(v) if isinstance(v, list) else v.hex() for v in values]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("batch", [1, 4])
def test_steps_have_the_bits_of_the_network(shape, batch):
    draw = random.Random(7)
    net = reference.Network(shape, seed=3)
    weights = [[[*row] for row in W] for W in net.weights]
    biases = [[*b] for b in net.biases]
    X = [[draw.gauss(0, 1) for _ in range(shape[0])] for _ in range(3 * batch)]
    labels = [draw.randrange(shape[-1]) for _ in X]
    for first in range(0, len(X), batch):
        part, classes = X[first : first + batch], labels[first : first + batch]
        outputs = net.forward(part)
        ours = [paper.forward(weights, biases, x)[0][-1] for x in part]
        assert bits(ours) == bits(outputs)
        expected = net.backward(classes)
        net.update(0.3)
        assert step(weights, biases, part, classes, 0.3).hex() == expected.hex()
        assert bits(weights) == bits([[[*row] for row in W] for W in net.weights])
        assert bits(biases) == bits([[*b] for b in net.biases])


def test_fit_has_the_bits_of_the_paper():
    draw = random.Random(1)
    net = reference.Network([3, 20, 4], seed=5)
    weights = [[[*row] for row in W] for W in net.weights]
    biases = [[*b] for b in net.biases]
    X = [[draw.gauss(0, 1) for _ in range(3)] for _ in range(10)]
    labels = [draw.randrange(4) for _ in X]
    for _ in range(2):
        for first in range(0, 10, 4):  # the last batch is smaller
            step(weights, biases, X[first : first + 4], labels[first : first + 4], 0.1)
    net.fit(X, labels, 2, batch_size=4, shuffle=False, optimizer=reference.SGD(0.1))
    assert bits(weights) == bits([[[*row] for row in W] for W in net.weights])
    assert bits(biases) == bits([[*b] for b in net.biases])


def test_it_stays_one_page():
    lines = Path(paper.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
