"""Is this the same fit? What may change between the runs of a checkpoint, and what may not."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import files

GOLDEN = Path(__file__).parent / "golden" / "fit.ckpt"
HALF, WHOLE = 3, 6


def train(blobs, path, epochs=WHOLE, *, seed=3, layers=(4, 19, 3), dtype="float32", **more):
    X, y = blobs
    net = fm.Network(list(layers), seed=seed, dtype=dtype)
    given = {"optimizer": fm.Adam(), "batch_size": 16} | more
    return net, net.fit(X, y, epochs, checkpoint=path, **given)


@pytest.fixture
def held_out(blobs):
    X, y = blobs
    return X[:30], y[:30]


def stopping(monitor="loss", patience=50, **more):
    return fm.EarlyStopping(monitor, patience=patience, **more)


def lengths(history):
    return {name: len(values) for name, values in history.metrics.items()}


def test_what_is_measured_may_change(blobs, tmp_path, held_out):
    """Every series has a number for each epoch, NaN where nothing was measured."""
    path = tmp_path / "run.ckpt"
    plain, whole = train(blobs, None)
    runs = [
        {},
        {"validation_data": held_out, "metrics": ["f1"]},
        {"validation_data": held_out, "metrics": ["accuracy"]},
        {},
    ]
    for epochs, more in zip((2, 4, 5, 6), runs, strict=True):
        net, history = train(blobs, path, epochs, **more)
        assert set(lengths(history).values()) == {epochs}
        assert history.loss == whole.loss[:epochs]
    measured = {
        "validation_loss": [0, 0, 1, 1, 1, 0],
        "validation_f1": [0, 0, 1, 1, 0, 0],
        "validation_accuracy": [0, 0, 1, 1, 1, 0],
    }
    for name, there in measured.items():
        assert np.isfinite(history[name]).tolist() == [bool(each) for each in there]
    expected = 1 + int(np.nanargmin(history.validation_loss))
    assert history.best_epoch == expected >= 3
    assert net.parameters.tobytes() == plain.parameters.tobytes()
    assert "validation_loss=nan" in repr(history)


CHANGES = {
    "added": (None, stopping),
    "removed": (stopping, None),
    "other monitor": (stopping, lambda: stopping("validation_loss")),
    "other patience": (stopping, lambda: stopping(patience=60)),
    "weights kept from now on": (lambda: stopping(restore_best=False), stopping),
    "weights no longer kept": (stopping, lambda: stopping(restore_best=False)),
    "a second": (stopping, lambda: [stopping("validation_loss"), stopping()]),
    "one of two": (lambda: [stopping("validation_loss"), stopping()], stopping),
}


@pytest.mark.parametrize("change", CHANGES)
def test_early_stopping_may_change(blobs, tmp_path, held_out, change):
    path = tmp_path / "run.ckpt"
    first, second = (make and make() for make in CHANGES[change])
    plain, whole = train(blobs, None, validation_data=held_out)
    train(blobs, path, HALF, validation_data=held_out, callbacks=first)
    net, history = train(blobs, path, validation_data=held_out, callbacks=second)
    assert set(lengths(history).values()) == {WHOLE}
    assert history.loss == whole.loss
    if change == "other patience" or not second:
        watched = whole["loss" if second else "validation_loss"]
        assert history.best_epoch == 1 + int(np.argmin(watched))
    last = second[-1] if isinstance(second, list) else second
    if last is not None:
        fresh = change in ("added", "other monitor", "weights kept from now on")
        since = HALF if fresh else 0
        watched = whole[last.monitor]
        assert last.best_epoch == since + 1 + int(np.argmin(watched[since:]))
    assert net.epoch == plain.epoch


def test_two_that_stand_at_the_same(blobs, tmp_path, held_out):
    """They remember the same numbers and the same weights, and differ in what they watch."""

    def one(y, outputs):
        return 1.0

    def same(y, outputs):
        return 1.0

    path, second = tmp_path / "run.ckpt", stopping("validation_same", mode="max")
    for epochs, watch in ((HALF, [stopping("validation_one", mode="max"), second]), (5, second)):
        train(
            blobs, path, epochs, validation_data=held_out, metrics=[one, same], callbacks=watch
        )  # fmt: skip
        assert (second.best_epoch, second.waited) == (1, epochs - 1)


def test_a_custom_loss_goes_on(blobs, tmp_path):
    def loss(outputs, y, gradient):
        gradient[:] = outputs - np.eye(3, dtype=outputs.dtype)[y]
        return (gradient**2).sum(axis=1) / 2

    def fit(path, epochs):
        net = fm.Network([4, 5, 3], output="identity", loss=loss, seed=1)
        net.fit(*blobs, epochs, checkpoint=path)
        return net.parameters.tobytes()

    fit(tmp_path / "run", 2)
    assert fit(tmp_path / "run", 4) == fit(None, 4)


def test_a_fit_that_ran_out_of_patience_goes_on_with_more(blobs, tmp_path):
    path = tmp_path / "run.ckpt"

    def impatient(patience):
        return stopping(patience=patience, min_delta=10.0)  # never better than the first

    for _ in range(2):  # called again, it is over
        _, history = train(blobs, path, 20, early_stopping=impatient(2))
        assert len(history.loss) == 3
    _, history = train(blobs, path, 20, early_stopping=impatient(6))
    assert (len(history.loss), history.best_epoch) == (7, 1)
    _, history = train(blobs, path, 20)
    assert len(history.loss) == 20


def test_a_fit_that_a_callback_ended_is_over(blobs, tmp_path):
    path = tmp_path / "run.ckpt"
    train(blobs, path, callbacks=lambda net, report: report.epoch == 2)
    assert len(train(blobs, path)[1].loss) == 2


REFUSED = {
    "X": lambda X, y: {"X": X + np.float32(2**-10)},
    "y": lambda X, y: {"y": np.roll(y, 1)},
    "X of another shape": lambda X, y: {"X": X[:80], "y": y[:80]},
    "X of one row": lambda X, y: {"X": np.concatenate([X[:89], X[:1]])},
    "sample_weight": lambda X, y: {"sample_weight": np.ones(len(X))},
    "class_weight": lambda X, y: {"class_weight": "balanced"},
    "class_weight of labels": lambda X, y: {"class_weight": {0: 2.0}},
    "batch_size": lambda X, y: {"batch_size": 8},
    "optimizer": lambda X, y: {"optimizer": fm.SGD(0.1)},
    "the number of nodes of layer 0": lambda X, y: {"layers": [4, 20, 3]},
    "the number of layers": lambda X, y: {"layers": [4, 19, 5, 3]},
    "dtype": lambda X, y: {"dtype": "float64"},
    "loss": lambda X, y: {"loss": fm.CrossEntropy(0.1)},
    "shuffle": lambda X, y: {"shuffle": False},
    "shuffle, an order": lambda X, y: {"shuffle": np.arange(len(X))},
    "validation_fraction": lambda X, y: {"validation_fraction": 0.2},
}


@pytest.mark.parametrize("what", REFUSED)
def test_another_fit_is_refused_by_name(blobs, tmp_path, what):
    X, y = blobs
    name = what if what.startswith("the ") else what.replace(",", "").split()[0]
    path = tmp_path / "run.ckpt"
    train(blobs, path, HALF)
    before = path.read_bytes()
    given = {"X": X, "y": y, "optimizer": fm.Adam(), "batch_size": 16, "layers": [4, 19, 3]}
    given |= REFUSED[what](X, y)
    about = {key: given.pop(key) for key in ("layers", "dtype", "loss") if key in given}
    net = fm.Network(about.pop("layers"), seed=3, **about)
    start = net.parameters.tobytes()
    with pytest.raises(ValueError, match=rf"(?s)another fit: {name} was .*, now"):
        net.fit(epochs=WHOLE, checkpoint=path, **given)
    assert (net.parameters.tobytes(), net.epoch) == (start, 0)
    assert path.read_bytes() == before


def test_the_same_weights_go_on(blobs, tmp_path):
    weights = {"sample_weight": np.linspace(0.5, 2, 90), "class_weight": {1: 2.0}}
    whole, _ = train(blobs, None, **weights)
    train(blobs, tmp_path / "run", HALF, **weights)
    assert np.array_equal(train(blobs, tmp_path / "run", **weights)[0].parameters, whole.parameters)
    with pytest.raises(ValueError, match="another fit: sample_weight was of shape"):
        train(blobs, tmp_path / "run", **weights | {"sample_weight": np.ones(90)})
    with pytest.raises(ValueError, match="another fit: class_weight was of shape"):
        train(blobs, tmp_path / "run", **weights | {"class_weight": {1: 3.0}})


@pytest.mark.parametrize("kind", ["sparse", "raw", "rescaled", "list"])
def test_data_of_any_kind(rng, tmp_path, kind):
    """Rows are compared as the core reads them, some of them spread over the whole."""
    X, y = rng.standard_normal((3000, 5)), rng.integers(0, 2, 3000)
    make = {
        "sparse": lambda X: pytest.importorskip("scipy.sparse").csr_array(X),
        "raw": lambda X: X.astype(np.float64),
        "rescaled": lambda X: fm.Rescaled(X, scale=0.5),
        "list": lambda X: X.tolist(),
    }[kind]

    def fit(X, epochs):
        return fm.Network([5, 2], seed=1).fit(make(X), y, epochs, 500, checkpoint=tmp_path / "run")

    fit(X, 1)
    assert len(fit(X.copy(), 2).loss) == 2
    for row in (0, 2999):  # first and last are always among them
        other = X.copy()
        other[row, 3] += 1
        with pytest.raises(ValueError, match="another fit: X was of shape"):
            fit(other, 3)


def test_a_network_without_a_seed_validates_on_the_same_rows(blobs, tmp_path):
    """The file's seed determines the held-out samples: none of them was trained on."""
    path = tmp_path / "run"
    whole, plain = train(blobs, None, seed=5, validation_fraction=0.3)
    train(blobs, path, HALF, seed=5, validation_fraction=0.3)
    net, history = train(blobs, path, seed=None, validation_fraction=0.3)
    assert np.array_equal(net.parameters, whole.parameters)
    assert history.validation_loss == plain.validation_loss


def test_a_subclass_that_writes_itself_in_its_own_way(blobs, tmp_path):
    class Mine(fm.Network):
        def __repr__(self):
            return f"mine at {id(self)}"

    for epochs in (1, 2):
        history = Mine([4, 3], seed=1).fit(*blobs, epochs, checkpoint=tmp_path / "run")
        assert len(history.loss) == epochs


def test_refused_after_the_file_was_taken_over(blobs, tmp_path):
    """A rate of the first step, or a stream's data, is refused: as if nothing had been read."""
    path = tmp_path / "run"
    train(blobs, path, HALF, optimizer=fm.SGD(lambda step: 0.1))
    net = fm.Network([4, 19, 3], seed=3)
    before = net.parameters.tobytes()
    with pytest.raises(ValueError, match="learning rate"):
        net.fit(*blobs, WHOLE, 16, fm.SGD(lambda step: -1.0), checkpoint=path)
    assert (net.parameters.tobytes(), net.epoch, net.steps) == (before, 0, 0)


def test_an_error_of_a_callback_leaves_what_the_file_has(blobs, tmp_path):
    saved, _ = train(blobs, tmp_path / "run", HALF)
    net = fm.Network([4, 19, 3], seed=3)

    class Failing(fm.Callback):
        def on_epoch_begin(self, network, epoch):
            raise KeyError(epoch)

    given = {"optimizer": fm.Adam(), "batch_size": 16, "checkpoint": tmp_path / "run"}
    with pytest.raises(KeyError, match=str(HALF + 1)):
        net.fit(*blobs, WHOLE, callbacks=Failing(), **given)
    assert net.parameters.tobytes() == saved.parameters.tobytes()
    assert (net.epoch, net.steps) == (saved.epoch, saved.steps)


def test_no_epoch_begins_in_a_fit_that_is_over(blobs, tmp_path):
    begun = []

    class Listening(fm.Callback):
        def on_epoch_begin(self, network, epoch):
            begun.append(epoch)

    for _ in range(2):
        train(blobs, tmp_path / "run", HALF, callbacks=Listening())
    assert begun == [1, 2, 3]


def test_a_file_of_the_first_version_goes_on(tmp_path):
    """It contains less: what is missing is not compared."""
    X = ((np.arange(60).reshape(20, 3) * 7 % 11 - 5) / 8).astype(np.float32)
    y = (X[:, 0] > X[:, 1]).astype(int)
    optimizer = fm.Adam(fm.Plateau(0.125, patience=0, factor=0.5, min_delta=0.5))

    def fit(path, **more):
        net = fm.Network([3, 4, 2], "relu", seed=5)
        watch = {"validation_data": (X[:8], y[:8]), "metrics": "f1"}
        early = fm.EarlyStopping("validation_loss", patience=4)
        given = {"early_stopping": early, **watch} | more
        return net, net.fit(X, y, 6, 8, optimizer, checkpoint=path, **given)

    whole, plain = fit(None)
    path = tmp_path / "run.ckpt"
    path.write_bytes(GOLDEN.read_bytes())
    assert fm.load_checkpoint(path).epoch == 2
    net, history = fit(path)
    assert net.parameters.tobytes() == whole.parameters.tobytes()
    assert (history.metrics, history.best_epoch) == (
        plain.metrics,
        plain.best_epoch,
    )
    again, history = fit(path)  # it is of this version by now
    assert again.parameters.tobytes() == whole.parameters.tobytes()
    path.write_bytes(GOLDEN.read_bytes())
    _, history = fit(path, early_stopping=None, metrics=None)
    assert set(lengths(history).values()) == {6}


def test_series_of_an_older_file_of_unequal_length(tmp_path):
    """The first version let validation begin in between, and did not note when."""
    path = tmp_path / "run.ckpt"
    tensors, metadata = files.read_archive(GOLDEN)
    saved = json.loads(metadata["checkpoint"])
    del saved["course"]["validation_loss"][0]
    files.write_archive(path, tensors, metadata | {"checkpoint": json.dumps(saved)})
    X = ((np.arange(60).reshape(20, 3) * 7 % 11 - 5) / 8).astype(np.float32)
    y = (X[:, 0] > X[:, 1]).astype(int)
    net = fm.Network([3, 4, 2], "relu", seed=5)
    optimizer = fm.Adam(fm.Plateau(0.125, patience=0, factor=0.5, min_delta=0.5))
    history = net.fit(X, y, 6, 8, optimizer, checkpoint=path, validation_data=(X[:8], y[:8]))
    assert np.isnan(history.validation_loss).tolist() == [True] * 2 + [False] * 4
    assert history.best_epoch > 2


def test_thousands_of_epochs_fit_into_a_file(blobs, tmp_path):
    """What grows with the epochs is no part of the header, whose length is limited."""
    path = tmp_path / "run.ckpt"
    epochs = 20_000
    net = fm.Network([1, 1], output="identity", seed=1)
    net.fit([[1.0]], [[1.0]], epochs, checkpoint=fm.Checkpoint(path, every=epochs))
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert header < 4096
    saved = json.loads(path.read_bytes()[8 : 8 + header])
    assert saved["history.loss"]["shape"] == [epochs]
