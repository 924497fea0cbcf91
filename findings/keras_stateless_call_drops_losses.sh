#!/usr/bin/env bash
# Keras 3.15.1 (here on JAX 0.10.2): stateless_call of a model empties model.losses. The losses that layers added in
# an earlier call, such as those of activity regularizers, are gone afterwards, although a call without side effects
# is what the method is for. return_losses=True returns those of the stateless call, but does not keep the others.
#
# A model of one Dense layer with activity_regularizer="l2", called once. Seen: one loss before, none after.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax KERAS_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activity_regularizer="l2")])
X = np.ones((4, 3), np.float32)
model(X)
before = [float(loss) for loss in model.losses]
_, _, losses = model.stateless_call(
    model.trainable_variables, model.non_trainable_variables, X, return_losses=True
)
after = [float(loss) for loss in model.losses]
print("keras", keras.__version__, "before:", before, "after:", after, "returned:", len(losses))

assert len(before) == 1
assert after == []
assert len(losses) == 1
PYTHON
