"""A caller may have changed how the processor rounds, or have subnormal numbers flushed to zero.

A library somewhere in the process that was linked with -ffast-math is enough. Our results must not
depend on it, neither what the calling thread computes nor what our threads do, and the caller must
find its mode again.
"""

import platform

import pytest

FLOATING_POINT = """
import ctypes, ctypes.util, sys
import numpy as np
import fastmlp as fm

libm = ctypes.CDLL(ctypes.util.find_library("m"))
environment = (ctypes.c_uint32 * 64)()
libm.fegetenv(environment)
word, bits = int(sys.argv[1]), int(sys.argv[2], 0)

def calls(dtype, scale, threads):
    step = fm.SGD(0.01)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((33, 5)).astype(dtype)
    y = (scale * rng.standard_normal((33, 3))).astype(dtype)
    start = (scale * rng.standard_normal(5 * 17 + 17 + 17 * 3 + 3)).astype(dtype)
    for batch_size in (1, 8):
        net = fm.Network([5, 17, 3], "identity", "identity", seed=1, dtype=dtype)
        assign = lambda: setattr(net, "parameters", start) or net.parameters
        fit = lambda: net.fit(X, y, 2, batch_size, step, n_threads=threads).loss
        yield "assign", assign
        yield f"fit, batches of {batch_size}", lambda: [*fit(), *net.parameters]
        yield "forward", lambda: net.forward(X)
        yield "backward", lambda: [net.backward(y), *net.gradients]
        yield "update", lambda: net.update(step.learning_rate) or net.parameters.copy()
        yield "predict", lambda: net.predict(X, n_threads=threads)
        yield "evaluate", lambda: net.evaluate(X, y, n_threads=threads).loss
        yield "initial weights", lambda: fm.Network([50, 30], seed=1, dtype=dtype).parameters

def results(dtype, scale, threads, changed):
    for name, call in calls(dtype, scale, threads):
        libm.fegetenv(environment)
        usual, environment[word] = environment[word], environment[word] ^ bits * changed
        libm.fesetenv(environment)
        result = call()
        libm.fegetenv(environment)
        kept = (environment[word] ^ usual) & ~0x3F == bits * changed  # but for the sticky flags
        environment[word] = usual
        libm.fesetenv(environment)
        assert kept, f"the caller's floating-point mode is gone after: {name}"
        yield name, np.array(result)

for dtype, tiny in (("float32", 1e-39), ("float64", 1e-309)):
    for scale in (tiny, 1):
        usual = list(results(dtype, scale, 1, changed=False))
        fitted = np.abs(usual[1][1][2:])
        assert (scale == 1) != (fitted < np.finfo(dtype).smallest_normal).all()
        for threads in (1, 3):  # the first team is started in the changed mode, and inherits it
            changed = results(dtype, scale, threads, changed=True)
            for (name, a), (_, b) in zip(usual, changed, strict=True):
                if a.tobytes() != b.tobytes():
                    print(dtype, scale, f"{threads} threads", name)
"""

# The control register of float arithmetic in glibc's fenv_t: its 32-bit word, and bits to flip.
CONTROLS = {
    ("x86_64", "flush to zero"): (7, 0x8040),  # FTZ and DAZ of MXCSR
    ("x86_64", "round up"): (7, 0x4000),
    ("x86_64", "round towards zero"): (7, 0x6000),
    ("aarch64", "flush to zero"): (0, 1 << 24),  # FZ of FPCR
    ("aarch64", "round up"): (0, 1 << 22),
    ("aarch64", "round towards zero"): (0, 3 << 22),
}


@pytest.mark.shares_cores
@pytest.mark.parametrize("mode", ["flush to zero", "round up", "round towards zero"])
def test_the_callers_floating_point_mode(run_python, mode):
    """It changes no bit of ours, neither in our threads, and is back when we return."""
    control = CONTROLS.get((platform.machine(), mode))
    if control is None or platform.libc_ver()[0] != "glibc":
        pytest.skip(f"how to set '{mode}' is known for glibc on x86_64 and aarch64")
    done = run_python(FLOATING_POINT, *map(str, control), FASTMLP_EXACT_THREADS="1")
    assert (done.stdout, done.stderr) == ("", "")
