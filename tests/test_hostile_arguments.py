"""What a careless or hostile caller hands over is refused by name, and changes nothing."""

import os

import numpy as np
import pytest

import fastmlp as fm

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = RNG.standard_normal((60, 8)).astype(np.float32)


def network(**options):
    return fm.Network([8, 16, 3], seed=1, **options)


@pytest.mark.parametrize("rate", [None, "0.1", [0.1], 1j, 10**400])
def test_a_rate_of_a_function_that_is_no_number(rate):
    with pytest.raises(TypeError, match="the learning rate of a step must be a real number, got"):
        network().fit(X, Y, 1, optimizer=fm.SGD(lambda step: rate))


@pytest.mark.parametrize(
    "make",
    [
        lambda: fm.StepDecay(0.1, every=10**30),
        lambda: fm.CosineDecay(0.1, epochs=10**30),
        lambda: fm.OneCycle(0.1, epochs=10**30),
        lambda: fm.LinearWarmup(0.1, steps=10**30),
    ],
)
def test_integers_beyond_the_core(make):
    with pytest.raises(ValueError, match="must be at most 4294967295"):
        make()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("l1", 1e39), ("l2", 1e39), ("weight_decay", 1e39), ("epsilon", 1e-320)),
        *(("epsilon", 1e39), ("clip_norm", 1e-320), ("clip_value", 1e39)),
    ],
)
def test_settings_beyond_float32(name, value):
    optimizer = fm.Adam(0.01, **{name: value})
    with pytest.raises(ValueError, match=f"{name}=.* is beyond the range of float32"):
        network().fit(X, Y, 1, optimizer=optimizer)
    network(dtype="float64").fit(X, Y, 1, optimizer=fm.Adam(0.01, **{name: 1e-30}))


@pytest.mark.parametrize("weight", [3e38, 1e36, 1e-42])
def test_weights_whose_sum_leaves_the_range(weight):
    with pytest.raises(ValueError, match="sample_weight must have a sum of"):
        network().fit(X, Y, 1, sample_weight=np.full(60, weight))


@pytest.mark.parametrize("returned", [None, "x", 1j, np.zeros(2), 10**400])
def test_a_metric_that_tells_no_number(returned):
    def mine(y, outputs):
        return returned

    with pytest.raises(TypeError, match="validation_mine must be a real number, got"):
        network().fit(X, Y, 1, validation_data=(X, Y), metrics=mine)


def test_a_metric_cannot_spoil_the_next():
    def spoils(y, outputs):
        outputs[:] = 0

    with pytest.raises(ValueError, match="read-only"):
        network().fit(X, Y, 1, validation_data=(X, Y), metrics=[spoils, "accuracy"])


def test_input_gradient_of_a_custom_loss():
    net = network(output="identity", loss=lambda outputs, y, gradient: 0.0)
    with pytest.raises(ValueError, match="custom loss; combine jacobian"):
        net.input_gradient(X, np.eye(3)[Y])


def test_a_checkpoint_that_cannot_be_written_is_found_before_training(tmp_path):
    net = network()
    before = net.parameters.copy()
    for path in (tmp_path / "no" / "file", tmp_path):
        with pytest.raises(OSError, match=r"No such file|directory"):
            net.fit(X, Y, 1, checkpoint=path)
    with pytest.raises(ValueError, match=r"^checkpoint must have a name, got ''"):
        net.fit(X, Y, 1, checkpoint="")
    assert (net.parameters == before).all()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_exchange_with_pipes_and_devices_neither_waits_nor_fills_the_memory(tmp_path):
    pytest.importorskip("onnx")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        for use in (fm.from_onnx, network().to_onnx, network().export_c):
            with pytest.raises(OSError, match="Not a regular file"):
                use(path)


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "call",
    [
        lambda: network(activation=LONG),
        lambda: network(output=LONG),
        lambda: network(loss=LONG),
        lambda: network(seed=LONG),
        lambda: network(dtype=LONG),
        lambda: fm.Network([LONG]),
        lambda: fm.Network([3, LONG]),
        lambda: fm.Dense(3, LONG),
        lambda: fm.SGD(LONG),
        lambda: fm.SGD(10**5000),
        lambda: fm.Network([10**5000, 2]),
        lambda: fm.Dense(-(10**5000), "relu"),
        lambda: fm.EarlyStopping(mode=LONG),
        lambda: fm.LinearWarmup(3, after=LONG),
        lambda: network().fit(X, Y, LONG),
        lambda: network().fit(X, Y, optimizer=LONG),
        lambda: network().fit(X, Y, class_weight=LONG),
        lambda: network().fit(X, Y, class_weight={LONG: 1.0}),
        lambda: network().fit(iter([(X, Y)]), epochs=1, class_weight=LONG),
        lambda: network().fit(X, Y, metrics=[LONG], validation_data=(X, Y)),
        lambda: network().fit(X, Y, early_stopping=fm.EarlyStopping(LONG)),
        lambda: network().fit(X, Y, 10, optimizer=fm.LBFGS(), batch_size=LONG),
        lambda: fm.train_many([network()], X, Y, on_divergence=LONG),
        lambda: fm.train_many(LONG, X, Y),
        lambda: network().export_c(LONG[:50], name="1" + LONG),
        lambda: setattr(network(), "feature_names", [LONG, LONG, LONG]),
        lambda: network().scales[LONG],
    ],
)
def test_long_text_is_not_repeated_in_messages(call):
    with pytest.raises((TypeError, ValueError, KeyError, MemoryError)) as caught:
        call()
    assert len(str(caught.value)) < 500


class Unwritable:
    def __repr__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "call",
    [
        lambda: fm.Dense(Unwritable(), "relu"),
        lambda: fm.SGD(Unwritable()),
        lambda: network(activation=Unwritable()),
        lambda: network().fit(X, Y, callbacks=Unwritable()),
    ],
)
def test_what_cannot_be_written_is_named_by_its_type(call):
    with pytest.raises(TypeError, match="got a Unwritable"):
        call()


SOLID = memoryview(np.zeros((2, 2, 2)))


@pytest.mark.parametrize("name", ["callbacks", "metrics"])
def test_an_array_without_dimensions_is_no_sequence(name):
    with pytest.raises(TypeError, match=f"{name} must be .*, got"):
        network().fit(X, Y, validation_data=(X, Y), **{name: np.array(5)})


@pytest.mark.parametrize(
    "call",
    [
        lambda: fm.Network(SOLID),
        lambda: fm.train_many(SOLID, X, Y),
        lambda: network().fit(X, Y, callbacks=SOLID),
        lambda: network().fit(X, Y, metrics=SOLID, validation_data=(X, Y)),
        lambda: setattr(network(), "feature_names", SOLID),
    ],
)
def test_what_cannot_tell_its_items_is_no_sequence(call):
    with pytest.raises(TypeError, match=r"must be .*, got <memory at"):
        call()
