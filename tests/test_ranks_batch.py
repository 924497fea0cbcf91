"""What needs a whole batch, over ranks: batch normalization, and losses of the user."""

import numpy as np
import pytest
from threads_as_ranks import on_ranks, parts

import fastmlp as fm
from fastmlp import reference
from fastmlp.fitting import shared_memory

ROWS = [[70], [30, 40], [20, 0, 37, 13]]
TOLERANCE = 1.2e-12
"""As derived in test_ranks."""


@pytest.fixture
def data(rng):
    return rng.normal(size=(70, 6)), rng.integers(0, 3, 70)


def normalized(library, dtype="float64", seed=1):
    """Batch normalization of the features, before an activation and after one."""
    after = library.BatchNorm(momentum=0.3, after_activation=True)
    layers = [
        6,
        library.Dense(20, "relu", normalization="batch", dropout=0.2),
        library.Dense(17, "tanh", normalization=after),
        3,
    ]
    return library.Network(layers, seed=seed, dtype=dtype, input_normalization="batch")


def trained(rows, arrays, make=normalized, **settings):
    """Return the network of each rank, and its losses, which are all the same."""
    each = parts(rows, *arrays)

    def run(comm, rank):
        net = make(fm, seed=1 + rank)
        X, y, *weight = each[rank]
        history = net.fit(X, y, sample_weight=weight[0] if weight else None, comm=comm, **settings)
        return net, history.loss

    results = on_ranks(len(rows), run)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    net, loss = results[0]
    for other, losses in results:
        assert other.parameters.tobytes() == net.parameters.tobytes()
        assert other.statistics.tobytes() == net.statistics.tobytes()
        assert losses == loss
    return net, loss


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [5, 16])
def test_batch_normalization_is_that_of_the_reference(data, rng, rows, weighted, batch_size):
    """With its statistics. In small batches some ranks have no sample, or none that counts."""
    weights = rng.choice([0.0, 0.5, 2.0], 70) if weighted else None
    arrays = data if weights is None else (*data, weights)
    settings = {"epochs": 2, "batch_size": batch_size}
    net, loss = trained(rows, arrays, **settings)
    twin = normalized(reference)
    history = twin.fit(*data, sample_weight=weights, ranks=rows, **settings)
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(net.statistics, twin.statistics, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(loss, history.loss, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_rank_has_the_bits_of_a_fit_without(data, dtype):
    def make(library, seed):
        return normalized(library, dtype, seed)

    settings = {"epochs": 2, "batch_size": 16, "ema": 0.9}
    alone = make(fm, 1)
    losses = alone.fit(*data, **settings).loss
    net, loss = trained([70], data, make, **settings)
    assert net.parameters.tobytes() == alone.parameters.tobytes()
    assert net.statistics.tobytes() == alone.statistics.tobytes()
    assert loss == losses


def test_messages_threads_and_shared_memory_have_the_same_bits(rng, monkeypatch):
    data = rng.normal(size=(600, 6)), rng.integers(0, 3, 600)
    settings = {"epochs": 2, "batch_size": 64}
    shared, _ = trained([590, 0, 10], data, **settings)
    threads, _ = trained([590, 0, 10], data, n_threads=2, **settings)
    monkeypatch.setattr(shared_memory, "FOLDER", "/nowhere")
    messages, _ = trained([590, 0, 10], data, **settings)
    for other in (threads, messages):
        assert other.parameters.tobytes() == shared.parameters.tobytes()
        assert other.statistics.tobytes() == shared.statistics.tobytes()
    library, _ = trained([590, 0, 10], data, reduction="mpi", **settings)
    np.testing.assert_allclose(library.parameters, shared.parameters, rtol=0, atol=1e-9)


def test_a_rank_of_one_row_joins_but_one_row_in_all_is_refused(data):
    X, y = data
    trained([1, 69], data, epochs=1)
    for rows, batch_size in (([1, 0], 8), ([5, 5], 1)):
        with pytest.raises(ValueError, match="batches of at least 2 rows"):
            trained(rows, (X[: sum(rows)], y[: sum(rows)]), batch_size=batch_size)


def test_statistics_that_part_are_an_error(data):
    each = parts([30, 40], *data)

    def run(comm, rank):
        def callback(network, report):
            if rank == 1:
                network.statistics[3] += 1e-6

        normalized(fm).fit(*each[rank], callbacks=callback, comm=comm)

    for error in on_ranks(2, run):
        assert "rank 1 has other parameters than rank 0" in str(error)


def test_an_error_while_others_wait_for_statistics_ends_all(data):
    each = parts([30, 40], *data)

    def rate(step):
        if step == 2:
            raise ValueError("no rate")
        return 0.1

    def run(comm, rank):
        net = normalized(fm)
        optimizer = fm.SGD(rate if rank == 1 else lambda step: 0.1)
        net.fit(*each[rank], batch_size=16, optimizer=optimizer, comm=comm)

    first, second = on_ranks(2, run)
    assert str(second) == "no rate"
    assert str(first) == "rank 1: no rate"


@pytest.mark.parametrize("rows", ROWS)
def test_a_custom_loss_is_asked_by_each_rank_for_its_samples(data, rows):
    """It returns a mean over what it sees, which depends on how the samples are divided."""
    targets = np.column_stack([data[0][:, :2], data[1]])
    asked = []

    def loss(outputs, y, gradient):
        h, target = np.asarray(outputs), np.asarray(y)
        asked.append(len(h))
        error = h - target - (h - target).mean(axis=0)
        for b, row in enumerate(2 * error):
            gradient[b][:] = row
        return (error**2).sum(axis=1).mean()

    def make(library, seed):
        return library.Network([6, 20, 3], output="identity", loss=loss, seed=seed, dtype="float64")

    arrays = data[0], targets
    net, losses = trained(rows, arrays, make, epochs=2, batch_size=16)
    assert min(asked) > 0
    assert max(asked) <= 16
    twin = make(reference, 1)
    history = twin.fit(*arrays, epochs=2, batch_size=16, ranks=rows)
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(losses, history.loss, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("counting", "shuffle", "is_trained"),
    [
        ([3], False, False),
        ([3, 65], False, False),
        ([3, 65], True, True),
        ([22, 24], False, True),
        ([22, 24], True, False),
        ([0, 20], False, True),  # of two ranks
        ([10, 30, 50], True, False),
    ],
)
def test_some_batch_has_two_samples_that_count(data, counting, shuffle, is_trained):
    """Of all ranks together; otherwise it is refused, as by the reference."""
    weights = np.zeros(70)
    weights[counting] = 2.0
    rows, refused = [20, 0, 37, 13], "batches of at least 2 rows of weight above 0"
    settings = {"epochs": 2, "batch_size": 10, "shuffle": shuffle}
    twin, arrays = normalized(reference), (*data, weights)
    if is_trained:
        twin.fit(*data, sample_weight=weights, ranks=rows, **settings)
        net, _ = trained(rows, arrays, **settings)
        np.testing.assert_allclose(net.parameters, twin.parameters, rtol=0, atol=TOLERANCE)
        return
    with pytest.raises(ValueError, match=refused):
        twin.fit(*data, sample_weight=weights, ranks=rows, **settings)
    with pytest.raises(ValueError, match=refused):
        trained(rows, arrays, **settings)
