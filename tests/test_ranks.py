"""``fit(comm=...)``: several ranks train one network, each with a part of the samples.

Over 400 lines, as all tests let the same ranks train the same networks.
"""

import sys
import threading
import warnings

import numpy as np
import pytest
from threads_as_ranks import ThreadComm, on_ranks, parts

import fastmlp as fm
from fastmlp import reference
from fastmlp.fitting import interrupts, shared_memory
from fastmlp.fitting.ranks import Ranks

ROWS = [[70], [50, 20], [20, 0, 37, 13]]
OPTIMIZERS = {
    "sgd": lambda library: library.SGD(0.1),
    "momentum": lambda library: library.SGD(0.05, momentum=0.9, l2=0.01),
    "adam": lambda library: library.Adam(0.01),
    "clipped": lambda library: library.Adam(0.01, clip_norm=0.3),
    "schedule": lambda library: library.SGD(library.CosineDecay(0.2)),
}
LAYERS = [6, 32, 17, 3]  # the weights of 32 nodes are used in place, others copied


@pytest.fixture
def data(rng):
    return rng.normal(size=(70, 6)), rng.integers(0, 3, 70)


def trained(rows, arrays, dtype="float64", **settings):
    """Train on ranks with these rows; return the parameters and the history of each rank."""
    each = parts(rows, *arrays)

    def run(comm, rank):
        net = fm.Network(LAYERS, "tanh", dtype=dtype, seed=1 if rank == 0 else 100 + rank)
        X, y, *weight = each[rank]
        history = net.fit(X, y, sample_weight=weight[0] if weight else None, comm=comm, **settings)
        return net.parameters.copy(), history

    results = on_ranks(len(rows), run)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 16, None])
def test_one_rank_has_the_bits_of_a_fit_without(data, optimizer, batch_size, dtype):
    settings = {
        "epochs": 2,
        "batch_size": batch_size,
        "optimizer": OPTIMIZERS[optimizer](fm),
        "ema": 0.9,
    }
    net = fm.Network(LAYERS, "tanh", dtype=dtype, seed=1)
    alone = net.fit(*data, **settings)
    [(parameters, history)] = trained([70], data, dtype, **settings)
    assert parameters.tobytes() == net.parameters.tobytes()
    assert (history.loss, history.samples) == (alone.loss, alone.samples)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_several_ranks_train_as_the_reference(data, rng, rows, optimizer, weighted):
    """Two epochs of 5 steps through 3 layers, with sums of at most 70 terms.

    As derived in test_against_reference, they differ by 5 sqrt(2 * 10 * 3 * 78) u = 4e-14 times the
    growth of a rounding, at most 30 there.
    """
    weights = rng.choice([0.0, 0.5, 2.0], 70) if weighted else None
    arrays = data if weights is None else (*data, weights)
    settings = {"epochs": 2, "batch_size": 16}
    results = trained(rows, arrays, **settings, optimizer=OPTIMIZERS[optimizer](fm))
    twin = reference.Network(LAYERS, "tanh", seed=1, dtype="float64")
    history = twin.fit(
        *data,
        **settings,
        optimizer=OPTIMIZERS[optimizer](reference),
        sample_weight=weights,
        ranks=rows,
    )
    for parameters, own in results:
        assert parameters.tobytes() == results[0][0].tobytes()
        assert own.loss == results[0][1].loss
        assert own.samples == 70
        np.testing.assert_allclose(parameters, twin.parameters, rtol=0, atol=1.2e-12)
        np.testing.assert_allclose(own.loss, history.loss, rtol=0, atol=1.2e-12)


def test_the_memory_of_the_optimizer_is_that_of_rank_0(data):
    """Whatever the others have trained before."""
    each = parts([30, 40], *data)

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        for _ in range(1 if rank == 0 else 3):
            net.fit(*each[0], epochs=1, optimizer=fm.Adam(0.01))
        net.fit(*each[rank], epochs=1, optimizer=fm.Adam(0.01), comm=comm)
        return net.steps, net.parameters.tobytes()

    first, second = on_ranks(2, run)
    assert first == second
    assert first[0] == 1 + 3


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("kind", ["frame", "sparse"])
def test_frames_and_sparse_features_have_the_bits_of_arrays(data, kind, n_threads):
    pandas, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    make = pandas.DataFrame if kind == "frame" else sparse.csr_array
    each = parts([20, 0, 50], *data)

    def run(comm, rank):
        X, y = each[rank]
        net, other = fm.Network(LAYERS, seed=1), fm.Network(LAYERS, seed=1)
        net.fit(X, y, epochs=2, batch_size=16, comm=comm, n_threads=n_threads)
        other.fit(make(X), y, epochs=2, batch_size=16, comm=comm, n_threads=n_threads)
        return net.parameters.tobytes() == other.parameters.tobytes()

    assert on_ranks(3, run) == [True] * 3


def test_dropout_draws_by_the_place_in_all_samples(data):
    """It is that of the reference, where all ranks are one process."""

    def layers(library):
        return [6, library.Dense(20, "relu", dropout=0.5), 3]

    each = parts([30, 40], *data)

    def run(comm, rank):
        net = fm.Network(layers(fm), dtype="float64", seed=1)
        net.fit(*each[rank], epochs=2, batch_size=16, comm=comm)
        return net.parameters.copy()

    twin = reference.Network(layers(reference), seed=1, dtype="float64")
    twin.fit(*data, epochs=2, batch_size=16, ranks=[30, 40])
    for parameters in on_ranks(2, run):
        np.testing.assert_allclose(parameters, twin.parameters, rtol=0, atol=1.2e-12)


@pytest.mark.parametrize("size", [2, 10_000, 40_001])
@pytest.mark.parametrize("ranks", [2, 3, 4, 7])
def test_sums_are_in_the_order_of_the_ranks(size, ranks, rng):
    """In any order but this the roundings would differ, of short messages as of long ones."""
    values = rng.normal(size=(ranks, size)).astype(np.float32) * 10.0 ** np.arange(ranks)[:, None]
    values = values.astype(np.float32)
    expected = values[0].copy()
    for row in values[1:]:
        expected += row
    sums = np.array([[0.1 * rank, 1.0, 10.0**rank] for rank in range(ranks)])

    def run(comm, rank):
        with Ranks(comm) as together:
            gradients, own = values[rank].copy(), sums[rank].copy()
            together.add(gradients, own)
            return gradients, own

    for gradients, own in on_ranks(ranks, run):
        assert gradients.tobytes() == expected.tobytes()
        assert own.tolist() == [np.add.accumulate(column)[-1] for column in sums.T]


@pytest.mark.parametrize("batch_size", [7, 600])
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_messages_have_the_bits_of_shared_memory(rng, monkeypatch, batch_size, clip_norm):
    """Ranks on other machines share no memory. Of a large batch each rank adds several blocks."""
    data = rng.normal(size=(600, 6)), rng.integers(0, 3, 600)
    settings = {
        "epochs": 2,
        "batch_size": batch_size,
        "optimizer": fm.Adam(0.01, clip_norm=clip_norm),
        "dtype": "float32",
    }
    shared = trained([590, 0, 10], data, **settings)
    monkeypatch.setattr(shared_memory, "FOLDER", "/nowhere")
    messages = trained([590, 0, 10], data, **settings)
    assert shared[0][0].tobytes() == messages[0][0].tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is shared on Linux only")
def test_ranks_share_memory_without_leaving_files(tmp_path, monkeypatch):
    """Their file is gone when all of them have mapped it."""
    monkeypatch.setattr(shared_memory, "FOLDER", str(tmp_path))  # where other tests have no files

    def run(comm, rank):
        with Ranks(comm) as ranks:
            assert ranks.share_memory(640)
            own = ranks._shared
            assert not own.any()
            ranks.gathered(None)
            own[8 * rank + 2] = rank + 1
            ranks.gathered(None)
            return own[2], own[10]

    assert on_ranks(2, run) == [(1, 2)] * 2
    assert not [*tmp_path.iterdir()]


def test_an_error_ends_ranks_that_share_no_memory(data, monkeypatch):
    monkeypatch.setattr(shared_memory, "FOLDER", "/nowhere")
    test_an_error_on_one_rank_ends_all(data, "callback", 2)


def test_heads_and_validation_are_of_all_ranks(data, rng):
    """The mean over the ranks is that over all samples; accuracies are exact."""
    heads = fm.Heads(kind=fm.Head(3, "softmax"), size=fm.Head(1, "identity"))
    X, y = data
    size = X[:, :1] * 2
    each = parts([30, 0, 40], X, y, size)
    held_out = parts([10, 20, 40], X, y, size)

    def run(comm, rank):
        net = fm.Network([6, 8, heads], seed=1, dtype="float64")
        X, *y = each[rank]
        V, *v = held_out[rank]
        history = net.fit(
            X, tuple(y), epochs=2, batch_size=16, comm=comm, validation_data=(V, tuple(v))
        )
        return history, net

    results = on_ranks(3, run)
    assert not isinstance(results[0], BaseException), results
    history, net = results[0]
    evaluation = net.evaluate(X, (y, size))
    assert history.validation_loss[-1] == pytest.approx(evaluation.loss, rel=1e-14)
    assert {tuple(h.validation_loss) for h, _ in results} == {tuple(history.validation_loss)}
    assert history.head_losses.keys() == {"kind_loss", "size_loss"}
    accuracy = history.validation_metrics["validation_kind_accuracy"][-1]
    assert accuracy == pytest.approx(evaluation.heads["kind"].accuracy, rel=1e-14)


def test_early_stopping_stops_all(data):
    each = parts([30, 40], *data)

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        return net.fit(
            *each[rank],
            epochs=50,
            optimizer=fm.Adam(0.05),
            validation_data=data if rank == 0 else (data[0][:5], data[1][:5]),
            early_stopping=fm.EarlyStopping(patience=2),
            comm=comm,
        )

    first, second = on_ranks(2, run)
    assert len(first.loss) < 50
    assert (first.loss, first.best_epoch) == (second.loss, second.best_epoch)


def test_a_callback_of_one_rank_stops_all(data):
    each = parts([30, 40], *data)

    class AfterSteps(fm.Callback):
        def __init__(self, steps):
            self.left = steps

        def on_batch_end(self, network, step, loss):
            self.left -= 1
            return self.left == 0

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        callback = AfterSteps(3 if rank == 1 else 100)
        history = net.fit(*each[rank], epochs=9, batch_size=16, callbacks=callback, comm=comm)
        return len(history.loss), history.stopped_by, net.parameters.tobytes()

    first, second = on_ranks(2, run)
    assert first == second
    assert first[:2] == (1, "callback")


class Raising(fm.Callback):
    """Raises an error after the second epoch, or at the end of the fit."""

    def __init__(self, error, *, at_end=False):
        self.error, self.at_end = error, at_end

    def on_epoch_end(self, network, report):
        if report.epoch == 2 and not self.at_end:
            raise self.error

    def on_fit_end(self, network, history):
        if self.at_end:
            raise self.error


def with_nan(X, y):
    return {"X": np.where(np.arange(X.size).reshape(X.shape) == 0, np.nan, X), "y": y}


FAULTS = {
    "NaN": (with_nan, ValueError, "X contains NaN at row 0"),
    "label": (lambda X, y: {"y": y + 7}, ValueError, "y contains label"),
    "argument": ({"batch_size": -1}, ValueError, "batch_size must be at least 1, got -1"),
    "type": ({"epochs": "five"}, TypeError, "epochs must be an integer"),
    "callback": ({"callbacks": Raising(KeyError("no key"))}, KeyError, "'no key'"),
    "late": ({"callbacks": Raising(OSError("full disk"), at_end=True)}, OSError, "full disk"),
    "file": ({"callbacks": Raising(FileNotFoundError("no file"))}, FileNotFoundError, "no file"),
    "row": ({"callbacks": Raising(fm.DataError("row 3"))}, fm.DataError, "row 3"),
    "exit": ({"callbacks": Raising(SystemExit(3))}, SystemExit, "3"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_on_one_rank_ends_all(data, fault, failing):
    """At the next meeting, with the same error."""
    change, kind, message = FAULTS[fault]
    each = parts([20, 37, 13], *data)

    def run(comm, rank):
        X, y = each[rank]
        arguments = {"X": X, "y": y, "epochs": 5, "batch_size": 16}
        if rank == failing:
            arguments |= change(X, y) if callable(change) else change
        fm.Network(LAYERS, seed=1).fit(**arguments, comm=comm)

    errors = on_ranks(3, run)
    assert type(errors[failing]) is kind
    assert message in str(errors[failing])
    assert f"rank {failing}" in errors[failing].__notes__[-1]
    plain = [each for each in (ValueError, TypeError, OSError) if issubclass(kind, each)]
    for error in errors[:failing] + errors[failing + 1 :]:
        assert [type(error)] == (plain or [RuntimeError])
        assert f"rank {failing}" in str(error)
        assert message in str(error)


def test_parameters_that_part_are_an_error(data):
    each = parts([30, 40], *data)

    def run(comm, rank):
        def callback(network, report):
            if rank == 1:
                network.parameters[3] += 1e-6

        fm.Network(LAYERS, seed=1).fit(*each[rank], callbacks=callback, comm=comm)

    for error in on_ranks(2, run):
        assert isinstance(error, RuntimeError)
        assert "rank 1 has other parameters than rank 0" in str(error)


OTHERS = [
    {"epochs": 3},
    {"optimizer": fm.SGD(0.2)},
    {"optimizer": fm.SGD(lambda step: 0.1, momentum=0.5)},
    {"batch_size": 8},
    {"reduction": "mpi"},
    {"shuffle": False},
    {"class_weight": {0: 5.0}},
    {"shuffle": np.arange(40)},
    {"early_stopping": fm.EarlyStopping("loss")},
    {"standardize": True},
    {"validation_fraction": 0.5},
    {"optimizer": fm.LBFGS()},
]


@pytest.mark.parametrize("other", OTHERS)
def test_ranks_must_have_the_same_arguments(data, other):
    each = parts([30, 40], *data)

    def run(comm, rank):
        usual = {"optimizer": fm.SGD(lambda step: 0.1)} if callable(rate_of(other)) else {}
        fm.Network(LAYERS, seed=1).fit(*each[rank], **(other if rank else usual), comm=comm)

    for error in on_ranks(2, run):
        assert isinstance(error, ValueError)
        assert "must be the same on all ranks, those of rank 1 differ" in str(error)
        assert next(iter(other)) in str(error)


def rate_of(settings):
    return getattr(settings.get("optimizer"), "learning_rate", None)


def test_class_weights_in_another_order_are_the_same(data):
    def run(comm, rank):
        weights = {0: 2.0, 1: 0.5} if rank else {1: 0.5, 0: 2.0}
        net = fm.Network(LAYERS, seed=1)
        net.fit(*data, epochs=1, class_weight=weights, comm=comm)
        return net.parameters.tobytes()

    first, second = on_ranks(2, run)
    assert first == second


def test_columns_in_another_order(data):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(data[0], columns=list("abcdef"))

    def run(comm, rank):
        mine = frame[list("fedcba")] if rank else frame
        fm.Network(LAYERS, seed=1).fit(mine, data[1], comm=comm)

    for error in on_ranks(2, run):
        assert isinstance(error, ValueError)
        assert "those of rank 1 differ" in str(error)


def test_weights_of_zero_everywhere(data):
    def run(comm, rank):
        fm.Network(LAYERS, seed=1).fit(*data, sample_weight=np.zeros(70), comm=comm)

    assert [str(error) for error in on_ranks(2, run)] == [
        "sample_weight is 0 for every sample of every rank"
    ] * 2


class WordlessError(Exception):
    def __str__(self):
        raise KeyError("no words")


@pytest.mark.parametrize("error", [WordlessError(), UnicodeDecodeError("utf8", b"a", 0, 1, "odd")])
def test_errors_of_any_kind_end_all(data, error):
    """Neither the words nor the arguments of an exception are those of ValueError."""

    def run(comm, rank):
        callback = Raising(error) if rank else fm.Callback()
        fm.Network(LAYERS, seed=1).fit(*data, epochs=3, callbacks=callback, comm=comm)

    first, second = on_ranks(2, run)
    assert second is error
    assert type(first) is (ValueError if isinstance(error, ValueError) else RuntimeError)
    assert f"rank 1: {type(error).__name__}" in str(first)


def test_no_rows_at_all_or_another_network(data):
    empty = data[0][:0], data[1][:0]

    def run(comm, rank):
        fm.Network(LAYERS, seed=1).fit(*empty, comm=comm)

    assert [str(error) for error in on_ranks(2, run)] == [
        "X has 0 rows on every rank; at least one must have 1"
    ] * 2

    def run_other(comm, rank):
        fm.Network([6, 20 + rank, 3], seed=1).fit(*data, comm=comm)

    for error in on_ranks(2, run_other):
        assert isinstance(error, ValueError)


def test_sums_of_the_library(data):
    """They are rounded in another order; all ranks have the same bits nevertheless."""
    ordered = trained([20, 37, 13], data, "float32", epochs=2)
    library = trained([20, 37, 13], data, "float32", epochs=2, reduction="mpi")
    assert {p.tobytes() for p, _ in library} == {library[0][0].tobytes()}
    assert library[0][0].tobytes() != ordered[0][0].tobytes()
    np.testing.assert_allclose(library[0][0], ordered[0][0], rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="reduction must be 'ordered' or 'mpi'"):
        fm.Network(LAYERS).fit(*data, reduction="tree")


def outcomes(run):
    """Return what two ranks raise, which must be the same."""
    first, second = on_ranks(2, run)
    assert str(first) == str(second)
    return first


def test_ranks_must_call_the_same_method(data):
    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        if rank:
            net.objective(*data, comm=comm)
        else:
            net.fit(*data, comm=comm)

    assert str(outcomes(run)).startswith("the method (fit, objective) must be the same on all")


@pytest.mark.parametrize("method", ["fit", "adapt"])
def test_features_to_scale_are_sparse_on_all_ranks_or_on_none(data, method):
    """Sparse features keep their zeros: ranks would scale them differently."""
    sparse = pytest.importorskip("scipy.sparse")

    def run(comm, rank):
        net = fm.Network(LAYERS, seed=1)
        X = sparse.csr_array(data[0]) if rank else data[0]
        if method == "adapt":
            net.adapt(X, comm=comm)
        else:
            net.fit(X, data[1], standardize=True, comm=comm)

    assert str(outcomes(run)).startswith("whether X is dense, sparse or a stream must be the same")


def test_adapt_with_targets_on_one_rank_only(data):
    def run(comm, rank):
        net = fm.Network([6, 1], output="identity")
        net.adapt(data[0], data[1].astype(float) if rank else None, comm=comm)

    assert str(outcomes(run)).startswith("whether y is None must be the same")


@pytest.mark.parametrize("mean", [1e9, 1e10])
def test_targets_vary_enough_over_all_ranks(data, mean):
    """Those of each rank do not, in float32."""

    def run(comm, rank):
        net = fm.Network([6, 1], output="identity", seed=1)
        y = data[0][:, :1] + (1e9 if rank else mean)
        net.fit(data[0], y, epochs=1, batch_size=None, standardize=True, comm=comm)

    if mean == 1e9:
        assert "varies too little around its mean 1e+09" in str(outcomes(run))
    else:
        assert on_ranks(2, run) == [None, None]


class Unusable:
    """A communicator between two groups, or one that was freed."""

    def __init__(self, comm, usable):
        self.comm, self.usable = comm, usable

    def __getattr__(self, name):
        return getattr(self.comm, name)

    def __bool__(self):
        return self.usable

    def Is_inter(self):  # noqa: N802
        return True


@pytest.mark.parametrize("usable", [True, False])
def test_what_is_no_communicator_of_one_group(data, usable):
    def run(comm, rank):
        fm.Network(LAYERS).fit(*data, comm=Unusable(comm, usable))

    for error in on_ranks(2, run):
        assert isinstance(error, ValueError)
        assert str(error).startswith("comm must be an intracommunicator that has not been freed")


def test_a_rank_that_waits_for_long_warns(data, monkeypatch):
    """As when not all ranks call `fit`: here the other comes a while after the warning."""
    monkeypatch.setattr(interrupts, "_LATE", 0.0)
    warned = threading.Event()

    class Late(ThreadComm):
        def Idup(self):  # noqa: N802
            return self, self

        def Test(self):  # noqa: N802
            return warned.is_set()

    def run(comm, rank):
        comm.__class__ = Late
        fm.Network(LAYERS, seed=1).fit(*data, epochs=1, comm=comm)

    def note(message, *_, **__):
        texts.append(str(message))
        warned.set()

    texts = []
    monkeypatch.setattr(warnings, "warn", note)
    assert on_ranks(2, run) == [None, None]
    assert "of 2 still waits for other ranks of comm: each of them must call" in texts[0]


@pytest.mark.parametrize("comm", ["world", 1, object(), dict])
def test_what_is_no_communicator(data, comm):
    with pytest.raises(TypeError, match="comm must be a communicator of mpi4py"):
        fm.Network(LAYERS).fit(*data, comm=comm)
