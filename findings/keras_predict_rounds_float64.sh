#!/usr/bin/env bash
# Keras 3.15.1 on JAX 0.10.2 with 64 bits: `model.predict(x)` rounds a float64 x to float32 before the first
# layer, even if the model's Input and all its layers are float64; `model(x)` does not.
#
# Seconds since 1970 minus 1.7e9, in float64 throughout. Seen: model(x) gives [0.5, 1.25, 200.0],
# model.predict(x) gives [0.0, 0.0, 256.0]: float32 numbers near 1.7e9 are 128 apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax JAX_ENABLE_X64=1 KERAS_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

model = keras.Sequential(
    [
        keras.Input((1,), dtype="float64"),
        keras.layers.Rescaling(1.0, offset=-1.7e9, dtype="float64"),
    ]
)
x = np.array([[0.5], [1.25], [200.0]]) + 1.7e9
called = np.asarray(model(x)).ravel().tolist()
predicted = model.predict(x, verbose=0).ravel().tolist()
print("keras", keras.__version__, "model(x):", called, "model.predict(x):", predicted)
assert called == [0.5, 1.25, 200.0]
assert predicted == [0.0, 0.0, 256.0]
PYTHON
