"""Checkpoints: a fit that is interrupted anywhere ends with the bits of one that is not."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastmlp as fm

EPOCHS = 6
OPTIMIZERS = {
    "sgd": fm.SGD(0.05),
    "momentum": fm.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": fm.Adam(fm.LinearWarmup(fm.StepDecay(0.01, 0.5, every=2), steps=7)),
    "adamw": fm.AdamW(fm.CosineDecay(0.01)),
    "rmsprop": fm.RMSprop(0.001, momentum=0.5, clip_norm=1.0),
    "plateau": fm.SGD(fm.Plateau(0.05, factor=0.5, patience=0, min_delta=0.2)),
    "plateau of a metric": fm.SGD(
        fm.Plateau(0.05, 0.5, 0, 0.2, monitor="validation_f1", cooldown=2)
    ),
    "shifted": fm.SGD(fm.LinearWarmup(fm.CosineDecay(0.05), 9, shift=True)),
    "function": fm.Adam(lambda step: 0.01 / (1 + step)),
}


class AbortError(Exception):
    pass


def abort_after(epoch):
    def callback(net, report):
        if report.epoch == epoch:
            raise AbortError

    return callback


def fit(blobs, path, optimizer, *, seed=3, callbacks=(), epochs=EPOCHS, **more):
    X, y = blobs
    net = fm.Network([4, 19, 3], seed=seed)
    history = net.fit(
        X, y, epochs, 16, optimizer=optimizer, validation_fraction=0.2, metrics="f1",
        checkpoint=path, callbacks=callbacks, **more,
    )  # fmt: skip
    return net, history


def same(net, other) -> bool:
    states = zip(net.optimizer_state.values(), other.optimizer_state.values(), strict=True)
    return (
        np.array_equal(net.parameters, other.parameters)
        and (net.epoch, net.steps, net.seed) == (other.epoch, other.steps, other.seed)
        and all(np.array_equal(a, b) for a, b in states)
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_a_fit_goes_on_to_the_same_bits(blobs, tmp_path, name, epoch):
    optimizer = OPTIMIZERS[name]
    whole, uninterrupted = fit(blobs, None, optimizer)
    path = tmp_path / "run.ckpt"
    with pytest.raises(AbortError):
        fit(blobs, path, optimizer, callbacks=abort_after(epoch))
    resumed, history = fit(blobs, path, optimizer)
    assert same(resumed, whole)
    for key in ("loss", "learning_rate", "validation_loss", "validation_accuracy"):
        assert getattr(history, key) == getattr(uninterrupted, key)
    assert history["validation_f1"] == uninterrupted["validation_f1"]
    again, history = fit(blobs, path, optimizer)  # it is over: nothing is left to train
    assert same(again, whole)
    assert history.loss == uninterrupted.loss


def test_an_epoch_that_was_not_saved_is_trained_again(blobs, tmp_path):
    whole, _ = fit(blobs, None, fm.Adam())
    path = tmp_path / "run.ckpt"
    with pytest.raises(AbortError):
        fit(blobs, fm.Checkpoint(path, every=2), fm.Adam(), callbacks=abort_after(4))
    assert fm.load_checkpoint(path).epoch == 2
    assert same(fit(blobs, path, fm.Adam())[0], whole)


def test_early_stopping_goes_on(blobs, tmp_path):
    def stopping():
        return fm.EarlyStopping("loss", patience=3, min_delta=0.05)

    whole, uninterrupted = fit(blobs, None, fm.SGD(0.5), epochs=40, early_stopping=stopping())
    assert len(uninterrupted.loss) < 40
    for epoch in (2, len(uninterrupted.loss) - 1, len(uninterrupted.loss)):
        path = tmp_path / f"{epoch}.ckpt"
        with pytest.raises(AbortError):
            fit(blobs, path, fm.SGD(0.5), epochs=40, early_stopping=stopping(),
                callbacks=abort_after(epoch))  # fmt: skip
        net, history = fit(blobs, path, fm.SGD(0.5), epochs=40, early_stopping=stopping())
        assert np.array_equal(net.parameters, whole.parameters)
        assert (history.loss, history.best_epoch) == (uninterrupted.loss, uninterrupted.best_epoch)


def test_more_epochs_train_on(blobs, tmp_path):
    path = tmp_path / "run.ckpt"
    fit(blobs, path, fm.Adam())
    assert same(fit(blobs, path, fm.Adam(), epochs=9)[0], fit(blobs, None, fm.Adam(), epochs=9)[0])


def test_fewer_epochs_than_done_train_nothing(blobs, tmp_path):
    path = tmp_path / "run.ckpt"
    whole, uninterrupted = fit(blobs, path, fm.Adam())
    net, history = fit(blobs, path, fm.Adam(), epochs=2)
    assert same(net, whole)
    assert history.loss == uninterrupted.loss


PROGRAM = """
import sys
import numpy as np
import fastmlp as fm
rng = np.random.default_rng(5)
X = rng.standard_normal((300, 8)).astype(np.float32)
y = rng.integers(0, 3, 300)
net = fm.Network([8, 24, 3], seed=2)
net.fit(X, y, 400, optimizer=fm.AdamW(fm.OneCycle(0.01)), checkpoint=sys.argv[1] or None)
sys.stdout.write(net.parameters.tobytes().hex())
"""


@pytest.mark.slow
def test_killed_at_any_moment_a_run_ends_with_the_same_bits(tmp_path, run_python):
    whole = run_python(PROGRAM, "").stdout
    assert whole
    path = str(tmp_path / "run.ckpt")
    rng = np.random.default_rng(1)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, path], stdout=subprocess.DEVNULL, env=os.environ
        )
        try:
            process.wait(0.3 + rng.random())
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert run_python(PROGRAM, path).stdout == whole


def test_a_checkpoint_by_hand(blobs, tmp_path):
    X, y = blobs
    net = fm.Network([4, 19, 3], seed=3)
    net.fit(X, y, 2, optimizer=fm.Adam())
    net.save_checkpoint(tmp_path / "net.ckpt")
    copy = fm.load_checkpoint(tmp_path / "net.ckpt")
    assert same(copy, net)
    for network in (net, copy):
        network.fit(X, y, 2, optimizer=fm.Adam())
    assert same(copy, net)


def test_a_checkpoint_between_single_steps_keeps_their_dropout(blobs, tmp_path):
    X, y = blobs
    net = fm.Network([4, 19, 3], dropout=0.5, seed=3)
    net.train_on_batch(X, y, "adam")
    net.save_checkpoint(tmp_path / "net.ckpt")
    copy = fm.load_checkpoint(tmp_path / "net.ckpt")
    assert copy.train_on_batch(X, y, "adam") == net.train_on_batch(X, y, "adam")
    assert same(copy, net)


def test_a_network_that_was_trained_since_is_not_replaced(blobs, tmp_path):
    net, _ = fit(blobs, path := tmp_path / "run", fm.Adam(0.01))
    net.fit(*blobs, 5)
    before = net.copy()
    with pytest.raises(ValueError, match="after 6 epochs, but this one, after 11, is another"):
        net.fit(*blobs, EPOCHS, 16, checkpoint=path)
    assert same(net, before)
    together = fm.Networks([4, 5, 3], 3, seed=0)
    fm.train_many(together, *blobs, epochs=2, checkpoint=tmp_path / "many")
    together.parameters *= 1.5
    mutated = together.parameters.copy()
    with pytest.raises(ValueError, match="resuming would discard it"):
        fm.train_many(together, *blobs, epochs=2, checkpoint=tmp_path / "many")
    assert np.array_equal(together.parameters, mutated)


def test_the_same_fit_may_be_called_twice_and_after_others(blobs, tmp_path):
    path, optimizer = tmp_path / "run", fm.Adam(0.01)

    def run(net):
        stopping = fm.EarlyStopping(patience=2)
        return net.fit(
            *blobs, EPOCHS, optimizer=optimizer, validation_data=blobs, early_stopping=stopping,
            checkpoint=path,
        )  # fmt: skip

    nets = [fm.Network([4, 9, 3], seed=3) for _ in "ab"]
    for net in nets:
        net.fit(*blobs, 2)  # as the program does before that fit, whenever it is started
    histories = [run(nets[0]), run(nets[1]), run(nets[1])]
    assert histories[0].loss == histories[1].loss == histories[2].loss
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


def test_resume_false_begins_anew(blobs, tmp_path):
    path = tmp_path / "run.ckpt"
    fit(blobs, path, fm.Adam())
    net, history = fit(blobs, fm.Checkpoint(path, resume=False), fm.SGD(0.1))
    assert (net.epoch, len(history.loss)) == (EPOCHS, EPOCHS)


def test_what_is_no_checkpoint_is_refused(blobs, tmp_path):
    net = fm.Network([4, 19, 3], seed=3)
    net.save(tmp_path / "model")
    with pytest.raises(fm.ModelFormatError, match=r"fastmlp\.load reads model files"):
        fm.load_checkpoint(tmp_path / "model")
    net.save_checkpoint(tmp_path / "by hand")
    with pytest.raises(fm.ModelFormatError, match=r"read it with fastmlp\.load_checkpoint"):
        fm.load(tmp_path / "by hand")
    with pytest.raises(ValueError, match="not saved by a fit"):
        fit(blobs, tmp_path / "by hand", fm.SGD(0.1))
    with pytest.raises(TypeError, match="checkpoint must be a path"):
        fit(blobs, 3, fm.SGD(0.1))
    with pytest.raises(ValueError, match="LBFGS"):
        net.fit(*blobs, epochs=None, batch_size=None, optimizer=fm.LBFGS(), checkpoint="x")
    with pytest.raises(ValueError, match="every must be at least 1"):
        fm.Checkpoint("x", every=0)


def test_the_first_difference_of_another_network_is_named(tmp_path):
    X = np.zeros((8, 2), np.float32)
    y = np.zeros(8, int), np.zeros(8)

    def fit(weight=1.0, loss=None, nodes=3, activation="relu"):
        heads = fm.Heads(a=fm.Head(3, "softmax", weight=weight), b=fm.Head(1, "identity", loss))
        net = fm.Network([2, nodes, heads], activation, seed=1)
        net.fit(X, y, 1, checkpoint=tmp_path / "run")

    fit()
    for other, message in (
        ({"weight": 2.0}, "head 'a' was 3 softmax, cross_entropy, now it is .* x 2.0;"),
        ({"loss": "huber"}, "head 'b' was 1 identity, mean_squared_error, now it is .* huber;"),
        ({"nodes": 4}, "the number of nodes of layer 0 was 3, now it is 4;"),
        ({"activation": "tanh"}, "layer 0 was relu, now it is tanh;"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(**other)


def test_what_is_not_finite_is_not_saved(blobs, tmp_path):
    """The file keeps the last epoch that a fit can resume from."""
    path = tmp_path / "fit.safetensors"

    def spoil(net, report):
        if report.epoch == 3:
            net.weights[0][1, 2] = np.nan

    with pytest.raises(fm.DivergenceError):
        fit(blobs, path, fm.Adam(0.01), callbacks=spoil)
    expected, _ = fit(blobs, tmp_path / "two", fm.Adam(0.01), epochs=2)
    assert same(fm.load_checkpoint(path), expected)
    before = path.read_bytes()
    for spoiled in (expected.biases[0], expected.optimizer_state["mean"]):
        kept, spoiled[0] = spoiled[0], np.inf
        with pytest.raises(ValueError, match="not finite"):
            expected.save_checkpoint(path)
        spoiled[0] = kept
    assert path.read_bytes() == before
    expected.save_checkpoint(path)


def test_every_flipped_bit_is_refused(tmp_path):
    net = fm.Network([2, 1], output="identity", seed=3)
    net.fit(np.eye(2, dtype=np.float32), np.ones((2, 1)), 1, optimizer=fm.Adam())
    path = tmp_path / "small.ckpt"
    net.save_checkpoint(path)
    good = path.read_bytes()
    for i in range(len(good)):
        bad = bytearray(good)
        bad[i] ^= 1 << (i % 8)
        path.write_bytes(bad)
        with pytest.raises(fm.ModelFormatError):
            fm.load_checkpoint(path)


UNWRITABLE = """
import os, resource, sys
import numpy as np
import fastmlp as fm
folder, what = sys.argv[1:]
layers = [1] * 4_500 if what == "header" else [30, 300, 1]
net = fm.Network(layers, output="identity", seed=1)
place = {"missing": "none/run", "folder": "", "file": "file/run", "long": "x" * 300}
if what == "size":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
if what == "permission":
    os.chmod(folder, 0o555)
before = net.parameters.tobytes()
try:
    net.fit(np.ones((2, layers[0])), np.ones((2, 1)), 2, optimizer=fm.Adam(),
            callbacks=lambda *_: print("epoch"),
            checkpoint=os.path.join(folder, place.get(what, "run")))
except (OSError, ValueError) as error:
    print(type(error).__name__, getattr(error, "errno", None) or error)
print(net.epoch, net.parameters.tobytes() == before, net.optimizer_state)
"""


@pytest.mark.shares_cores
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("missing", f"FileNotFoundError {errno.ENOENT}"),
        ("folder", f"IsADirectoryError {errno.EISDIR}"),
        ("file", f"NotADirectoryError {errno.ENOTDIR}"),
        ("long", f"OSError {errno.ENAMETOOLONG}"),
        ("permission", f"PermissionError {errno.EACCES}"),
        ("size", f"OSError {errno.EFBIG}"),
        ("header", "ValueError the names, shapes and metadata take "),
    ],
)
def test_a_file_that_cannot_be_written_is_found_out_before_work(run_python, what, error, tmp_path):
    """It would be no use to train for hours first."""
    if what == "size" and sys.platform != "linux":
        pytest.skip("where the system tells")
    if what == "permission" and os.geteuid() == 0:
        pytest.skip("root may write anything")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    out = run_python(UNWRITABLE, str(folder), what).stdout.splitlines()
    folder.chmod(0o755)
    assert len(out) == 2, out
    assert out[0].startswith(error)
    assert out[1] == "0 True {}"
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_an_old_file_that_cannot_be_replaced_is_found_out_before_work(blobs, tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("root may write anything")
    path = tmp_path / "run.ckpt"
    fit(blobs, path, fm.Adam(), epochs=2)
    path.chmod(0o444)
    net = fm.Network([4, 19, 3], seed=3)
    with pytest.raises(PermissionError):
        net.fit(*blobs, 4, 16, fm.Adam(), validation_fraction=0.2, checkpoint=path)
    assert net.epoch == 0


@pytest.mark.parametrize("optimizer", [fm.SGD(0.1), fm.Adam()])
def test_a_file_that_is_found_writable_is_written(tmp_path, optimizer):
    """Near the size limit of the header, every number of layers is refused early or fits."""
    fits = 0
    for layers in range(3_900, 4_300, 80):
        net = fm.Network([1] * layers, output="identity", seed=1)
        path = tmp_path / str(layers)
        early = fm.EarlyStopping("loss")
        try:
            net.fit([[1.0]], [[1.0]], 2, optimizer=optimizer, checkpoint=path, early_stopping=early)
        except ValueError:
            assert net.epoch == 0
        else:
            assert fm.load_checkpoint(path).epoch == 2
            fits += 1
    assert 0 < fits < 5
