"""`fit(ema=)` and `averaged`: the moving average of the parameters."""

import copy
import pickle

import numpy as np
import pytest
from trajectories import bound

import fastmlp as fm
from fastmlp import reference

LAYERS = [
    4,
    fm.Dense(9, "relu"),
    fm.Dense(20, "tanh", "batch", 0.2),
    fm.Dense(8, "silu", "layer"),
    3,
]
DECAY = 0.9


def network(dtype="float32", layers=LAYERS, **options):
    return fm.Network(layers, seed=1, dtype=dtype, **options)


def bits(net):
    return net.parameters.tobytes() + net.statistics.tobytes()


class Averages(fm.Callback):
    """The definition, from what the network is after each step."""

    def __init__(self, decay, fma):
        self.decay, self.fma, self.steps = decay, fma, 0

    def on_batch_end(self, network, step, loss):
        self.steps += 1
        gain = network.dtype.type((1 - self.decay) / (1 - power(self.decay, self.steps)))
        now = np.concatenate([network.parameters, network.statistics])
        if self.steps == 1:
            self.mean = now
        elif gain < 0.5:
            self.mean = self.fma(gain, now - self.mean, self.mean)
        else:
            self.mean = self.fma(gain - network.dtype.type(1), now - self.mean, now)


def power(base, n):
    result = 1.0
    while n:
        result *= base if n & 1 else 1.0
        base, n = base * base, n >> 1
    return result


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    "optimizer", [fm.SGD(0.1), fm.Adam(0.01, clip_norm=0.1)], ids=["sgd", "clipped"]
)
@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("layers", [LAYERS, [4, 3], [4, 12, 3], [4, 30, 20, 3]])
def test_the_definition(blobs, dtype, fma, layers, optimizer, batch_size, n_threads):
    if layers is LAYERS and batch_size == 1:
        layers = [4, fm.Dense(9, "relu", dropout=0.1), 3]
    X, y = blobs[0][:45], blobs[1][:45]
    net, twin, plain = (network(dtype, layers) for _ in range(3))
    expected = Averages(DECAY, fma)
    options = {"optimizer": optimizer, "n_threads": n_threads}
    net.fit(X, y, 2, batch_size, ema=DECAY, callbacks=expected, **options)
    twin.fit(X, y, 2, batch_size, ema=DECAY, **options)
    plain.fit(X, y, 2, batch_size, **options)
    assert bits(net) == bits(twin) == bits(plain)
    for each in (net, twin):
        average = each.averaged()
        np.testing.assert_array_equal(
            np.concatenate([average.parameters, average.statistics]), expected.mean
        )
        assert bits(each) == bits(plain)


def test_is_the_reference(blobs):
    X, y = blobs[0][:40].tolist(), blobs[1][:40].tolist()

    def results(disturb, library=fm):
        net = library.Network([4, library.Dense(6, "tanh", "batch"), 3], seed=1, dtype="float64")
        if disturb is not None:
            disturb(net)
        averages = []
        for epochs, decay in ((2, 0.8), (1, 0.8), (1, 0.5)):
            net.fit(X, y, epochs, 16, ema=decay)
            average = net.averaged()
            averages += [*average.parameters, *average.statistics]
        return np.array(averages)

    # Twelve steps through two layers, of sums of at most 16 terms, and 24 for a normalisation.
    tolerance = bound(results, 12 * 2 * (16 + 24))
    assert tolerance < 1e-9
    np.testing.assert_allclose(results(None), results(None, reference), rtol=0, atol=tolerance)


def test_fits_continue_it(blobs):
    once, twice = network(), network()
    once.fit(*blobs, 4, ema=DECAY)
    twice.fit(*blobs, 2, ema=DECAY)
    for way in (copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), fm.Network.copy):
        twin = way(twice)
        twin.fit(*blobs, 2, ema=DECAY)
        assert bits(twin.averaged()) == bits(once.averaged())
    before = bits(twice.averaged())
    twice.fit(*blobs, 1)  # without one it stays
    assert bits(twice.averaged()) == before
    twice.fit(*blobs, 1, 90, ema=0.5)  # another one starts from the next step
    assert bits(twice.averaged()) == bits(twice)


@pytest.mark.parametrize("layers", [LAYERS, [4, 9, 3]])
def test_checkpoints(blobs, tmp_path, layers):
    whole = network(layers=layers)
    whole.fit(*blobs, 4, 16, optimizer="adam", ema=DECAY)

    class AbortError(Exception):
        pass

    def abort(net, report):
        if report.epoch == 2:
            raise AbortError

    path = tmp_path / "run"
    with pytest.raises(AbortError):
        network(layers=layers).fit(
            *blobs, 4, 16, optimizer="adam", ema=DECAY, checkpoint=path, callbacks=abort
        )
    with pytest.raises(ValueError, match=r"another fit: ema was 0.9, now it is 0.5"):
        network(layers=layers).fit(*blobs, 4, 16, optimizer="adam", ema=0.5, checkpoint=path)
    resumed = network(layers=layers)
    resumed.fit(*blobs, 4, 16, optimizer="adam", ema=DECAY, checkpoint=path)
    assert bits(resumed) == bits(whole)
    assert bits(resumed.averaged()) == bits(whole.averaged())
    assert bits(fm.load_checkpoint(path).averaged()) == bits(whole.averaged())


def test_the_averaged_network(blobs):
    net = network()
    net.feature_names = ["a", "b", "c", "d"]
    net.fit(*blobs, 3, optimizer="adam", ema=0.99)
    average = net.averaged()
    assert (average.feature_names, average.seed) == (net.feature_names, net.seed)
    assert average.steps == 0
    assert average.evaluate(*blobs).loss < network().evaluate(*blobs).loss
    with pytest.raises(ValueError, match=r"no moving average: fit\(..., ema=0.999\)"):
        average.averaged()


def test_divergence_goes_back(blobs):
    net = network(layers=[4, 9, 3], dtype="float32")
    net.fit(*blobs, 1, ema=DECAY)
    before = bits(net), bits(net.averaged())
    with pytest.raises(fm.DivergenceError):
        net.fit(blobs[0] * 1e18, blobs[1], 3, optimizer=fm.SGD(1e30), ema=DECAY)
    assert (bits(net), bits(net.averaged())) == before
    with pytest.raises(ValueError, match="learning rate"):
        net.fit(*blobs, optimizer=fm.SGD(lambda step: -1.0), ema=0.5)
    assert (bits(net), bits(net.averaged())) == before


def test_in_callbacks_and_streams(blobs):
    expected = []
    net = network()
    net.fit(*blobs, 2, ema=DECAY, callbacks=lambda net, _: expected.append(bits(net.averaged())))
    assert expected[-1] == bits(net.averaged())
    batches, stream = network(), network()
    rows = [(blobs[0][i : i + 32], blobs[1][i : i + 32]) for i in (0, 32, 64)]
    batches.fit(rows, epochs=2, ema=DECAY)
    stream.fit(*blobs, 2, shuffle=False, ema=DECAY)
    assert bits(batches.averaged()) == bits(stream.averaged())


@pytest.mark.parametrize(
    ("ema", "error"),
    [(0, ValueError), (1, ValueError), (-0.1, ValueError), (np.nan, ValueError), ("x", TypeError),
     (True, TypeError)],
)  # fmt: skip
def test_refused(blobs, ema, error, assert_unchanged):
    net = network()
    with assert_unchanged(net), pytest.raises(error, match="ema must be") as caught:
        net.fit(*blobs, ema=ema)
    assert error is TypeError or "None for no average" in str(caught.value)


def test_not_with_lbfgs(blobs):
    with pytest.raises(ValueError, match="not with LBFGS"):
        network().fit(*blobs, optimizer=fm.LBFGS(), ema=0.9)
