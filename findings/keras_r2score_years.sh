#!/usr/bin/env bash
# Keras 3.15.1 (here on JAX 0.10.2): keras.metrics.R2Score adds up y, y^2 and the squared errors in float32 and
# subtracts at the end. For targets far from zero, such as years, nearly all digits cancel, and every update loses
# some more. dtype="float64" changes nothing.
#
# 40,000 targets from 1990 to 2009, predictions off by 3 years, in 1,000 batches. Seen: R2 -0.57 instead of 0.73;
# with 1990 subtracted from both, 0.73.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax JAX_ENABLE_X64=1 KERAS_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

years = np.tile(np.arange(1990.0, 2010.0), 2)[:, None]
predictions = years + np.tile([3.0, -3.0], 20)[:, None]


def r2(offset):
    metric = keras.metrics.R2Score(dtype="float64")
    for _ in range(1000):
        metric.update_state(years - offset, predictions - offset)
    return float(metric.result())


right = 1 - np.sum((years - predictions) ** 2) / np.sum((years - years.mean()) ** 2)
print("keras", keras.__version__, "R2:", r2(0), "less 1990:", r2(1990), "right:", right)

assert right > 0.72
assert r2(0) < 0
assert abs(r2(1990) - right) < 1e-5
PYTHON
