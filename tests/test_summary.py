"""The summary of a network: its table, its counts, and what a notebook shows."""

import html.parser

import numpy as np
import pytest

import fastmlp as fm


@pytest.fixture
def net():
    return fm.Network([64, fm.Dense(32, "tanh"), 10], seed=7)


def test_the_table(net):
    assert str(net.summary()) == (
        "Network: 64 features, cross_entropy, float32\n"
        "  layer  shape     activation  parameters  FLOPs\n"
        "  0      64 -> 32  tanh             2,080  4,096\n"
        "  1      32 -> 10  softmax            330    640\n"
        "  total                             2,410  4,736\n"
        "per sample: 4,736 FLOPs to predict, 10,112 to train\n"
        "memory: 9.64 kB of parameters, 9.64 kB of gradients"
    )


def test_the_counts(net, dtype):
    summary = fm.Network([5, 4, 3, 2], dtype=dtype).summary()
    assert summary.n_parameters == 24 + 15 + 8
    assert summary.prediction_flops == 2 * (20 + 12 + 6)
    assert summary.training_flops == 3 * summary.prediction_flops - 2 * 20
    assert summary.parameter_bytes == 47 * np.dtype(dtype).itemsize


def test_scaling_is_mentioned(net):
    assert net.summary().scaled == ()
    assert "scaled" not in str(net.summary())
    net.input_scale = 2.0
    assert net.summary().scaled == ("features",)
    assert "scaled by the network: features" in str(net.summary())
    assert "scaled by the network: features" in net.summary()._repr_html_()
    both = fm.Network([3, 1], output="identity", seed=1)
    both.adapt([[1.0, 2.0, 3.0], [2.0, 5.0, 4.0]], [1.0, 2.0])
    assert "scaled by the network: features and outputs" in str(both.summary())


def test_is_what_the_history_counts_with(net, rng):
    history = net.fit(rng.random((9, 64)), rng.integers(0, 10, 9), epochs=1)
    assert history.flops_per_sample == net.summary().training_flops


def test_nothing_is_printed(net, capfd):
    net.summary()
    assert capfd.readouterr() == ("", "")


def test_html_is_well_formed_and_self_contained(net):
    text = net._repr_html_()
    open_tags, data = [], []

    class Checker(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert attrs == []
            if tag != "br":
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

        def handle_data(self, text):
            data.append(text)

    Checker().feed(text)
    assert open_tags == []
    for word in ("tanh", "64 -> 32", "2,080", "total", "10,112"):
        assert any(word in piece for piece in data)
    assert len(text) < 1500
