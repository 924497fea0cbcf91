"""Eight threads call all that a network has, at random.

FASTMLP_HAMMER_SECONDS says for how long.
"""

import contextlib
import copy
import os
import pickle
import random
import re
import sys
import threading
import time

import numpy as np
import pytest

import fastmlp as fm

SECONDS = float(os.environ.get("FASTMLP_HAMMER_SECONDS", "3"))
RNG = np.random.default_rng(1)
X = RNG.standard_normal((60, 5)).astype(np.float32)
Y = np.arange(60) % 3
BIG = np.tile(X, (30, 1))

# Their modules take seconds to import; each reads the network as `export_c` does.
OTHER_LIBRARIES = {"to_equinox", "to_flax", "to_keras", "to_onnx", "to_sklearn", "to_torch"}


def network():
    hidden = fm.Dense(12, "relu", normalization="batch"), fm.Dense(7, "tanh", dropout=0.1)
    return fm.Network([5, *hidden, 3], seed=1)


def averaged(net, _):
    with contextlib.suppress(ValueError):  # no fit has kept an average yet
        finite(net.averaged().parameters)


def predicts(net, report):
    finite(net.predict(X))


def fit(net, **arguments):
    net.fit(X, Y, random.choice([1, 5, 40]), **arguments)


def look(views):
    """Read all arrays of a sequence or a mapping, maybe torn, and keep them a little."""
    arrays = list(views.values()) if hasattr(views, "values") else list(views)
    with np.errstate(over="ignore", invalid="ignore"):  # of memory that is not set yet
        return [float(array.sum()) for array in arrays]


def assign(net, name):
    values = getattr(net, name)
    if isinstance(values, np.ndarray):
        # Not what is there: a torn sum of two may be anything.
        setattr(net, name, getattr(network(), name))
    else:
        layer = random.choice(list(getattr(values, "keys", lambda: range(len(values)))()))
        values[layer] = getattr(network(), name)[layer]


def view(name):
    return lambda net, _: look([x] if isinstance(x := getattr(net, name), np.ndarray) else x)


def view_if_scaled(name):
    return lambda net, _: look([] if (scale := getattr(net, name)) is None else [scale])


def view_or_assign(name):
    return lambda net, _: random.choice([view(name), lambda *_: assign(net, name)])(net, _)


def text(name):
    return lambda net, _: repr(getattr(net, name))


def feature_gradients(net, _):
    net.forward(X)
    net.backward(Y)
    finite(net.feature_gradients)


def split(net, _):
    with pytest.raises(ValueError, match="heads"):
        net.split(X)


CALLS = {
    "adapt": lambda net, _: net.adapt(X),
    "backward": lambda net, _: net.backward(Y),
    "bias_gradients": view_or_assign("bias_gradients"),
    "biases": view_or_assign("biases"),
    "deltas": view("deltas"),
    "dtype": text("dtype"),
    "epoch": text("epoch"),
    "evaluate": lambda net, _: finite(net.evaluate(X, Y).loss),
    "export_c": lambda net, folder: net.export_c(folder / "net.h"),
    "feature_gradients": feature_gradients,
    "feature_names": text("feature_names"),
    "features": text("features"),
    "fit": lambda net, _: fit(net),
    "forward": lambda net, _: net.forward(X),
    "gradients": view_or_assign("gradients"),
    "input_normalization": text("input_normalization"),
    "input_offset": view_if_scaled("input_offset"),
    "input_scale": view_if_scaled("input_scale"),
    "input_gradient": lambda net, _: finite(net.input_gradient(X, Y)),
    "jacobian": lambda net, _: finite(net.jacobian(X)),
    "layers": text("layers"),
    "rate_factors": text("rate_factors"),
    "trainable": text("trainable"),
    "loss": text("loss"),
    "loss_function": text("loss_function"),
    "loss_weights": view_if_scaled("loss_weights"),
    "n_parameters": text("n_parameters"),
    "nodes": view("nodes"),
    "objective": lambda net, _: finite(net.objective(X, Y)(network().parameters)[0]),
    "optimizer_state": view("optimizer_state"),
    "output_offset": view_if_scaled("output_offset"),
    "output_scale": view_if_scaled("output_scale"),
    "parameters": view_or_assign("parameters"),
    "predict": lambda net, _: finite(net.predict(random.choice([X, X[:1], BIG]))),
    "predict_classes": lambda net, _: net.predict_classes(X),
    "reset_optimizer": lambda net, _: net.reset_optimizer(),
    "class_names": text("class_names"),
    "averaged": averaged,
    "copy": lambda net, _: finite(net.copy().parameters),
    "soft_update": lambda net, _: net.soft_update(net.copy(), 0.01),
    "heads": text("heads"),
    "split": split,
    "running_means": view_or_assign("running_means"),
    "running_variances": view_or_assign("running_variances"),
    "save": lambda net, folder: finite(fm.load(saved(net.save, folder / "net")).parameters),
    "save_checkpoint": lambda net, folder: finite(
        fm.load_checkpoint(saved(net.save_checkpoint, folder / "check")).parameters
    ),
    "scale_gradients": view_or_assign("scale_gradients"),
    "scales": view_or_assign("scales"),
    "seed": text("seed"),
    "shift_gradients": view_or_assign("shift_gradients"),
    "shifts": view_or_assign("shifts"),
    "statistics": view_or_assign("statistics"),
    "steps": text("steps"),
    "summary": lambda net, _: str(net.summary()),
    "train_on_batch": lambda net, _: finite(net.train_on_batch(X, Y, fm.Adam(0.001))),
    "update": lambda net, _: net.update(random.choice([0.001, fm.Adam(0.001)])),
    "weight_gradients": view_or_assign("weight_gradients"),
    "weights": view_or_assign("weights"),
}

# The same members in other ways, and what is no member.
MORE = {
    "deepcopy": lambda net, _: finite(copy.deepcopy(net).parameters),
    "evaluate, weights": lambda net, _: finite(net.evaluate(X, Y, sample_weight=Y).loss),
    "evaluate, stream": lambda net, _: finite(net.evaluate(fm.ArrayStream(X, Y)).loss),
    "fit, Adam": lambda net, _: fit(net, optimizer=fm.Adam(0.001)),
    "fit, batches": lambda net, _: net.fit([(X, Y)] * 3, epochs=2),
    "fit, callbacks": lambda net, _: fit(net, callbacks=predicts),
    "fit, many threads": lambda net, _: fit(net, n_threads=4, batch_size=60),
    "fit, L-BFGS": lambda net, _: net.fit(X, Y, optimizer=fm.LBFGS(3)),
    "fit, ema": lambda net, _: fit(net, ema=0.9),
    "fit, stream": lambda net, _: net.fit(fm.ArrayStream(X, Y), epochs=2),
    "forward, many rows": lambda net, _: net.forward(BIG),
    "forward, prediction": lambda net, _: net.forward(X, training=False),
    "pickle": lambda net, _: finite(pickle.loads(pickle.dumps(net)).parameters),
    "predict, converted": lambda net, _: finite(net.predict(X.astype(float))),
    "predict, stream": lambda net, _: finite(net.predict(fm.ArrayStream(X, Y))),
    "repr": lambda net, _: repr(net),
    "train_many": lambda net, _: fm.train_many([net, network()], X, Y, 3),
}


def finite(result):
    assert np.isfinite(result).all()
    return result


def saved(save, path):
    path = path.with_suffix(f".{threading.get_ident()}")
    save(path)
    return path


def is_documented(name, error):
    if isinstance(error, RuntimeError):
        return bool(re.search("being|forward|backward", str(error)))
    # Another thread has called forward with another number of rows, or not yet; or `adapt` between
    # a copy and its use.
    names = {"backward", "feature_gradients", "soft_update"}
    return name in names and isinstance(error, ValueError)


def test_every_member_is_called():
    members = {name for name in dir(fm.Network) if not name.startswith("_")}
    assert members == CALLS.keys() | OTHER_LIBRARIES


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged")
def test_eight_threads_call_everything(tmp_path):
    pytest.importorskip("scipy")
    net = network()
    calls = {**CALLS, **MORE}
    returned = dict.fromkeys(calls, 0)
    undocumented = []
    end = time.monotonic() + SECONDS

    def work(seed):
        choice = random.Random(seed)
        while time.monotonic() < end and not undocumented:
            name = choice.choice(list(calls))
            try:
                calls[name](net, tmp_path)
                returned[name] += 1
            except Exception as error:  # noqa: BLE001  (any exception is examined)
                if not is_documented(name, error):
                    undocumented.append((name, error))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 60)
            assert not thread.is_alive(), "a thread waits for ever"
    finally:
        sys.setswitchinterval(interval)
    assert undocumented == []
    assert np.isfinite(net.predict(X)).all()
    assert np.isfinite(net.parameters).all()
    never = [name for name, times in returned.items() if times == 0]
    assert never == [] or SECONDS < 10, never
