#!/usr/bin/env bash
# Equinox 0.13.8 (JAX 0.10.2): equinox.nn.Sequential takes "a sequence of equinox.Modules" and calls each with the
# argument key. equinox.nn.PReLU is the one layer of equinox.nn that does not take it: a Sequential with a PReLU can
# be made but not called.
#
# Seen: TypeError, "PReLU.__call__() got an unexpected keyword argument 'key'"; inside a Lambda it works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q equinox==0.13.8 jax==0.10.2
"$folder/venv/bin/python" - <<'PYTHON'
import equinox as eqx
import jax
import jax.numpy as jnp

linear = eqx.nn.Linear(2, 3, key=jax.random.key(0))
x = jnp.ones(2)
try:
    eqx.nn.Sequential([linear, eqx.nn.PReLU()])(x)
except TypeError as error:
    message = str(error)
else:
    message = ""
inside = eqx.nn.Sequential([linear, eqx.nn.Lambda(eqx.nn.PReLU())])(x)
print("equinox", eqx.__version__, "Sequential:", repr(message), "with Lambda:", inside.shape)

assert "unexpected keyword argument 'key'" in message
assert inside.shape == (3,)
PYTHON
