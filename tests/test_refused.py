"""What is refused changes nothing: not the network, not what its optimizer remembers."""

import threading
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import fastmlp as fm

ROWS = 12
X = np.linspace(-1, 1, 3 * ROWS, dtype=np.float32).reshape(ROWS, 3)
Y = np.arange(ROWS) % 2


class LibraryError(Exception):
    """What no one expects."""


class UnwritableError(Exception):
    """An error that cannot even be written."""

    def __str__(self):
        raise LibraryError


class Raising:
    """An array of a library whose conversion raises, as torch's do that require a gradient."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


class Elsewhere:
    """An array on a device that does not answer."""

    def __dlpack_device__(self):
        raise LibraryError("device lost")

    def __dlpack__(self, **settings):
        raise LibraryError


class Locked:
    """One that cannot be exported, as a read-only one of some libraries."""

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **settings):
        raise BufferError("read-only")


class Rows:
    """A sequence whose items cannot be read."""

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        raise LibraryError("no such row")


class Unwritable:
    """What cannot be named in a message."""

    def __repr__(self):
        raise LibraryError


class Number:
    def __float__(self):
        raise LibraryError("no number")


UNUSABLE = {
    "requires_grad": Raising(RuntimeError("Can't call numpy() on Tensor that requires grad.")),
    "not implemented": Raising(NotImplementedError("conj bit")),
    "type": Raising(TypeError("can't convert cuda:0")),
    "value": Raising(ValueError("closed")),
    "library": Raising(LibraryError("boom")),
    "unwritable error": Raising(UnwritableError()),
    "assertion": Raising(AssertionError()),
    "stop": Raising(StopIteration()),
    "import": Raising(ImportError("no backend")),
    "system": Raising(OSError(5, "I/O")),
    "elsewhere": Elsewhere(),
    "locked": Locked(),
    "rows": Rows(),
    "unwritable": Unwritable(),
    "numbers": [[Number()] * 3] * ROWS,
    "ragged": [[1, 2, 3], [1]] * (ROWS // 2),
    "text": [["a", "b", "c"]] * ROWS,
    "huge": [[10**400] * 3] * ROWS,
    "complex": X.astype(complex),
    "dates": np.full(ROWS, "2026", "M8[D]"),
    "number": 5,
    "none": None,
}
unusable = pytest.mark.parametrize("value", UNUSABLE.values(), ids=UNUSABLE)


class TwoBlocks(fm.Stream):
    """A stream whose second block is `second`."""

    n_features = 3
    block_rows = (ROWS, ROWS)
    window_rows = ROWS

    def __init__(self, second):
        self.second = second

    def read(self, start, stop):
        return self.second if start else (X, Y)


def network():
    net = fm.Network([3, fm.Dense(5, "relu", normalization="batch"), 2], seed=1)
    net.fit(X, Y, 1, optimizer=fm.Adam(0.01))
    return net


def state(net):
    memory = {name: array.tobytes() for name, array in net.optimizer_state.items()}
    return net.parameters.tobytes(), net.statistics.tobytes(), net.epoch, net.steps, memory


@contextmanager
def unchanged(*nets):
    before = [state(net) for net in nets]
    yield
    assert [state(net) for net in nets] == before


OTHER = fm.SGD(0.1, momentum=0.5)
"""Not the optimizer whose memory is at stake."""


@unusable
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_arrays(value, name):
    if value is None and name == "sample_weight":
        pytest.skip("there are none, then")
    arrays = {"X": X, "y": Y, "sample_weight": np.ones(ROWS)} | {name: value}
    net, other = network(), network()
    with unchanged(net, other):
        for lacks in (lambda: net.fit(**arrays, optimizer=OTHER), lambda: net.evaluate(**arrays)):
            with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
                lacks()
        with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
            fm.train_many([net, other], **arrays, optimizer=OTHER)
        if value is not None:
            with pytest.raises((TypeError, ValueError), match="validation_data"):
                net.fit(X, Y, validation_data=tuple(arrays.values()), optimizer=OTHER)


@unusable
@pytest.mark.parametrize("place", range(3))
def test_a_batch(value, place):
    """Steps completed before the error are undone."""
    if value is None and place == 2:
        pytest.skip("there are no weights, then")
    batch = (X, Y) if place < 2 else (X, Y, np.ones(ROWS))
    spoiled = tuple(value if i == place else part for i, part in enumerate(batch))
    net = network()
    with unchanged(net):
        with pytest.raises(fm.DataError, match="batch 1"):
            net.fit(iter([batch, spoiled]), epochs=1, batch_size=4, optimizer=OTHER)
        with pytest.raises(fm.DataError, match="the stream"):
            net.fit(
                TwoBlocks(spoiled), epochs=1, batch_size=4, shuffle=False, optimizer=OTHER
            )  # fmt: skip
        with pytest.raises(fm.DataError, match="batch 0"):
            net.evaluate([spoiled])
        if place == 0:
            with pytest.raises(fm.DataError, match="the stream"):
                net.predict(TwoBlocks(spoiled))


@unusable
def test_what_is_no_batch(value):
    net = network()
    with unchanged(net):
        with pytest.raises(fm.DataError, match=r"batch 1: .*\(X, y\)|batch 1: .*row|batch 1: "):
            net.fit(iter([(X, Y), value]), epochs=1, batch_size=4, optimizer=OTHER)
        with pytest.raises(fm.DataError, match="batch 1: a batch must be a tuple"):
            net.fit(iter([(X, Y), (X, Y, None, value)]), epochs=1, batch_size=4, optimizer=OTHER)


def test_what_a_conversion_raised_is_the_cause():
    error = RuntimeError("requires grad")
    with pytest.raises(TypeError, match=r"X cannot be .* raised RuntimeError: req") as caught:
        network().predict(Raising(error))
    assert caught.value.__cause__ is error
    with pytest.raises(fm.DataError, match=r"batch 0: X cannot .* raised RuntimeError") as caught:
        network().fit([(Raising(error), Y)])
    assert caught.value.__cause__ is error


def test_what_the_users_own_code_raises_leaves_the_last_step():
    """A generator, a stream's reading and a callback are no data: their errors pass through."""

    def batches():
        yield X, Y
        raise LibraryError("mine")

    expected = network()
    expected.fit(X[:8], Y[:8], 1, 4, fm.SGD(0.1), shuffle=False)
    net = network()
    with pytest.raises(LibraryError, match="mine"):
        net.fit(batches(), epochs=1, batch_size=4, optimizer=fm.SGD(0.1))
    assert net.steps == 3
    assert net.epoch == 1

    def refuse(network, step, loss):
        if step == 1:
            raise fm.DataError("mine")

    class Refusing(fm.Callback):
        on_batch_end = staticmethod(refuse)

    net = network()
    with pytest.raises(fm.DataError, match="mine"):
        net.fit([(X, Y)], epochs=1, batch_size=4, optimizer=fm.SGD(0.1), callbacks=Refusing())
    assert net.parameters.tobytes() == expected.parameters.tobytes()


@pytest.mark.parametrize("data", [(X, Y), (fm.ArrayStream(X, Y),), ([(X, Y)],)])
@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf, "text"])
def test_a_rate_of_the_first_step(data, rate):
    """It is raised after the memory of the other optimizer was freed."""
    net = network()
    with unchanged(net), pytest.raises((TypeError, ValueError), match="learning rate"):
        net.fit(*data, epochs=1, optimizer=fm.SGD(lambda step: rate, momentum=0.5))


def test_views_of_the_memory_stay_live_where_steps_are_undone():
    net = network()
    mean = net.optimizer_state["mean"]
    with pytest.raises(fm.DataError):
        net.fit([(X, Y), 5], batch_size=4, optimizer=fm.Adam(0.01))
    net.fit(X, Y, 1, optimizer=fm.Adam(0.01))
    assert np.array_equal(mean, net.optimizer_state["mean"])


def test_a_loss_that_cannot_be_copied_trains_on_batches():
    """To go back to where it was, a network is not copied with all that hangs on it."""

    class Loss:
        def __init__(self):
            self.lock = threading.Lock()

        def __call__(self, outputs, y, gradient):
            gradient[:] = outputs - y
            return ((outputs - y) ** 2).sum(axis=1) / 2

    net = fm.Network([3, 1], output="identity", loss=Loss(), seed=1)
    assert len(net.fit([(X, X[:, :1])], epochs=2).loss) == 2


def fitted_state(estimator):
    kept = {key: value for key, value in vars(estimator).items() if key != "_network"}
    return {key: repr(value) for key, value in kept.items()}, state(estimator._network)


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("more", [{}, {"warm_start": True}, {"early_stopping": True}])
def test_a_fitted_estimator(kind, more):
    """As scikit-learn's own after a refused ``partial_fit``, and here after ``fit`` as well."""
    pytest.importorskip("sklearn")
    sklearn = pytest.importorskip("fastmlp.sklearn")
    many = np.tile(X, (4, 1)), np.tile(Y, 4)
    few = X[:5], Y[:5]
    estimator = getattr(sklearn, kind)(hidden_layer_sizes=5, max_iter=3, random_state=0, **more)
    with pytest.warns(match="Maximum iterations"):
        estimator.fit(*many)
    before = fitted_state(estimator)
    refused = [
        lambda: estimator.fit(many[0] * np.nan, many[1]),
        lambda: estimator.fit(*many, sample_weight=np.ones(5)),
        lambda: estimator.fit(*many, sample_weight=np.full(48, np.nan)),
        lambda: estimator.fit(*many, eval_set=(many[0][:, :2], many[1])),
        lambda: estimator.fit(*many, eval_set=5),
        lambda: estimator.partial_fit(many[0][:, :2], many[1]),
        lambda: estimator.partial_fit(*many, sample_weight=np.ones(4)),
    ]
    if more:
        estimator.set_params(early_stopping=True, validation_fraction=0.01)
        before = fitted_state(estimator)
        refused.append(lambda: estimator.fit(*few))
    for call in refused:
        with pytest.raises(
            ValueError, match=r"X|sample_weight|eval_set|test_size|validation|early"
        ):
            call()
        assert fitted_state(estimator) == before
    estimator.predict(X)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"callbacks": fm.EarlyStopping()}, ValueError, "monitors 'validation_loss'"),
        ({"callbacks": [fm.EarlyStopping("nope")]}, ValueError, "monitor must be"),
        ({"callbacks": fm.Checkpoint("run.ckpt")}, TypeError, "checkpoint="),
        ({"n_jobs": "two"}, TypeError, "n_jobs must be"),
    ],
)
def test_a_parameter_of_a_fitted_estimator(changed, error, message):
    pytest.importorskip("sklearn")
    sklearn = pytest.importorskip("fastmlp.sklearn")
    estimator = sklearn.MLPRegressor(hidden_layer_sizes=5, random_state=0)
    estimator.partial_fit(X, Y)
    estimator.set_params(**changed)
    before = fitted_state(estimator)
    with pytest.raises(error, match=message):
        estimator.partial_fit(X, Y)
    assert fitted_state(estimator) == before


def test_a_rate_that_is_no_number_for_an_estimator():
    pytest.importorskip("sklearn")
    sklearn = pytest.importorskip("fastmlp.sklearn")
    estimator = sklearn.MLPRegressor(solver=fm.SGD(lambda step: "text"), hidden_layer_sizes=5)
    with pytest.raises(TypeError, match="the learning rate of a step must be a real number"):
        estimator.fit(X, Y)


@pytest.mark.parametrize("rate", [-1.0, np.nan, "text"])
def test_the_first_rate_of_a_fit_of_a_fitted_estimator(rate):
    pytest.importorskip("sklearn")
    sklearn = pytest.importorskip("fastmlp.sklearn")
    estimator = sklearn.MLPRegressor(hidden_layer_sizes=5, random_state=0, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs do not converge
        estimator.fit(X, Y)
    estimator.set_params(solver=fm.SGD(lambda step: rate))
    before = fitted_state(estimator)
    with pytest.raises((TypeError, ValueError), match="learning rate of"):
        estimator.fit(X, Y)
    assert fitted_state(estimator) == before


def test_a_first_partial_fit_that_is_refused():
    pytest.importorskip("sklearn")
    estimator = pytest.importorskip("fastmlp.sklearn").MLPClassifier(
        hidden_layer_sizes=5, random_state=0
    )
    with pytest.raises(ValueError, match="NaN"):
        estimator.partial_fit(X * np.nan, Y, classes=[0, 1])
    assert not hasattr(estimator, "classes_")
    estimator.partial_fit(X, Y + 5, classes=[5, 6, 7])
    assert list(estimator.classes_) == [5, 6, 7]
