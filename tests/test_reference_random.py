"""The reference's random numbers: known answers, and what is drawn from them."""

import math
import struct

import pytest

from fastmlp import _core
from fastmlp import reference as fm
from fastmlp.reference import random

pytestmark = pytest.mark.once

ALL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [  # Random123's known answers for philox4x32-10: zeros, ones, and the digits of pi
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ALL,) * 4, (ALL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(counter, key, answer):
    assert random.philox(counter, key) == answer


def test_draws_take_the_words_of_a_block_in_turn():
    seed, purpose, epoch = 0x123456789ABCDEF0, 1, 7
    key = (0x9ABCDEF0, 0x12345678)
    blocks = [random.philox((number, 0, epoch, purpose), key) for number in range(2)]
    words = [word for block in blocks for word in block]
    assert [random.draw32(seed, purpose, epoch, i) for i in range(8)] == words
    assert [random.draw64(seed, purpose, epoch, i) for i in range(4)] == [
        words[2 * i] | words[2 * i + 1] << 32 for i in range(4)
    ]
    far = random.philox((1, 2, epoch, purpose), key)
    assert random.draw32(seed, purpose, epoch, 4 * (2 << 32 | 1)) == far[0]


def test_uniform_is_in_the_unit_interval_and_spread():
    draws = [random.uniform(5, 0, 0, i) for i in range(1000)]
    assert all(0.0 <= u < 1.0 and u * 2.0**53 == int(u * 2.0**53) for u in draws)
    # The mean of 1000 has the standard deviation sqrt(1/12000), 0.0091; five of them.
    assert abs(sum(draws) / 1000 - 0.5) < 0.046


@pytest.mark.parametrize("n", [1, 2, 3, 17, 100])
def test_order_is_a_permutation(n):
    orders = [random.sample_order(seed=1, epoch=epoch, n=n) for epoch in range(3)]
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert n < 17 or (orders[0] != orders[1] != orders[2])


def test_every_order_of_three_is_about_as_likely():
    counts = {}
    for epoch in range(600):
        order = tuple(random.sample_order(seed=9, epoch=epoch, n=3))
        counts[order] = counts.get(order, 0) + 1
    # Each of six has 100 expected, standard deviation 9.1; five of them.
    assert len(counts) == 6
    assert all(abs(count - 100) < 46 for count in counts.values())


def test_initial_weights():
    net = fm.Network([3, 50, fm.Dense(40, "tanh"), 2], seed=4, dtype="float64")
    limits = [math.sqrt(6 / 3), math.sqrt(6 / 90), math.sqrt(6 / 42)]  # He, Glorot, Glorot
    for weights, limit in zip(net.weights, limits, strict=True):
        largest = max(abs(w) for row in weights for w in row)
        assert 0.9 * limit < largest <= limit
    assert all(b == 0.0 for biases in net.biases for b in biases)
    # Drawn by their place among all parameters: W1 comes after the 3 * 50 + 50 of layer 0.
    u = random.uniform(4, random.INITIAL_WEIGHTS, 0, 200)
    assert net.weights[1][0][0] == (2 * u - 1) * limits[1]


def test_float32_weights_are_the_rounded_ones():
    single, double = (fm.Network([5, 4], seed=8, dtype=name) for name in ("float32", "float64"))
    assert single.parameters != double.parameters
    assert single.parameters == [
        struct.unpack("f", struct.pack("f", w))[0] for w in double.parameters
    ]


def test_seeds():
    assert fm.Network([2, 2], seed=2**64 - 1).seed == 2**64 - 1
    one, other = fm.Network([2, 2]), fm.Network([2, 2])
    assert one.seed != other.seed
    assert fm.Network([2, 2], seed=one.seed).parameters == one.parameters


# Blocks are drawn by sixteen; the last is that of the number 2**64 - 1.
@pytest.mark.parametrize("first", [0, 1, 30, 31, 33, 2**34 - 3, 2**64 - 70])
def test_the_core_draws_the_same(first):
    drawn = _core.draw_uniforms(2**63 + 5, 0, 7, first, 70)
    assert list(drawn) == [random.uniform(2**63 + 5, 0, 7, first + i) for i in range(70)]
    assert list(_core.draw_uniforms(3, 0, 0, first, 1)) == [random.uniform(3, 0, 0, first)]
    assert not len(_core.draw_uniforms(3, 0, 0, first, 0))
