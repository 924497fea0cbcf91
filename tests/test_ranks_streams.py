"""``fit(comm=...)`` on streams: each rank has its own."""

import pytest
from threads_as_ranks import on_ranks, parts

import fastmlp as fm
from fastmlp.errors import DataError

LAYERS = [6, fm.Dense(20, "relu", dropout=0.2, normalization="batch"), 3]


@pytest.fixture
def data(rng):
    return rng.normal(size=(70, 6)), rng.integers(0, 3, 70), rng.choice([0.5, 2.0], 70)


def outcome(results):
    """Return the bits of all ranks, which are the same, and their losses."""
    for result in results:
        if isinstance(result, BaseException):
            raise result
    assert len({bits for bits, _ in results}) == 1
    return results[0]


@pytest.mark.parametrize("rows", [[70], [20, 0, 37, 13], [69, 1]])
@pytest.mark.parametrize("batch_size", [2, 16, 70])
@pytest.mark.parametrize("window_rows", [1, 9, 100])
def test_streams_have_the_bits_of_arrays_in_their_order(data, rows, batch_size, window_rows):
    """However the steps lie in the windows. A rank without rows passes empty arrays."""
    each = parts(rows, *data)
    settings = {"batch_size": batch_size, "optimizer": fm.Adam(0.01), "ema": 0.9}

    def stream_of(rank):
        return fm.ArrayStream(*each[rank], block_rows=5, window_rows=window_rows)

    def of_streams(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        given = {"X": stream_of(rank)}
        if rows[rank] == 0:
            X, y, weight = each[rank]
            given = {"X": X, "y": y, "sample_weight": weight}
        losses = net.fit(**given, epochs=2, comm=comm, **settings).loss
        return net.parameters.tobytes() + net.statistics.tobytes(), losses

    def of_arrays(comm, rank):
        net, losses = fm.Network(LAYERS, seed=1), []
        for epoch in range(2):
            X, y, weight = each[rank]
            if rows[rank] > 0:
                order = stream_of(rank).order(net.seed, epoch)
                X, y, weight = X[order], y[order], weight[order]
            history = net.fit(
                X, y, sample_weight=weight, epochs=1, shuffle=False, comm=comm, **settings
            )
            losses += history.loss
        return net.parameters.tobytes() + net.statistics.tobytes(), losses

    assert outcome(on_ranks(len(rows), of_streams)) == outcome(on_ranks(len(rows), of_arrays))


def test_scaling_validation_and_checkpoints_of_streams(data, tmp_path):
    """Two epochs and two more, resumed, are four."""
    each = parts([30, 40], *data)

    def run(epochs, file):
        def on_rank(comm, rank):
            net = fm.Network(LAYERS, seed=1 + rank)
            stream = fm.ArrayStream(*each[rank], block_rows=5, window_rows=9)
            history = net.fit(
                stream,
                epochs=epochs,
                batch_size=16,
                standardize=True,
                validation_data=stream,
                checkpoint=file and tmp_path / file,
                comm=comm,
            )
            return net.parameters.tobytes() + net.input_scale.tobytes(), history.validation_loss

        return outcome(on_ranks(2, on_rank))

    run(2, "file.ckpt")
    assert run(4, "file.ckpt") == run(4, None)


def test_a_stream_that_cannot_be_read_ends_all(data):
    each = parts([30, 40], *data)

    class Broken(fm.ArrayStream):
        def read(self, start, stop):
            if start >= 20:
                raise DataError("row 20 is broken")
            return super().read(start, stop)

    def run(comm, rank):
        kind = Broken if rank == 1 else fm.ArrayStream
        stream = kind(*each[rank], block_rows=5, window_rows=9)
        fm.Network(LAYERS, seed=1).fit(stream, batch_size=8, comm=comm)

    first, second = on_ranks(2, run)
    assert "row 20 is broken" in str(second)
    assert str(first).startswith("rank 1: DataError: ")


def test_iterables_of_batches_are_refused(data):
    def run(comm, rank):
        with pytest.raises(ValueError, match="comm does not go together with iterables of batches"):
            fm.Network(LAYERS).fit([data[:2]], comm=comm)
        return True

    assert on_ranks(1, run) == [True]
