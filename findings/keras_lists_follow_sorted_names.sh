#!/usr/bin/env bash
# Keras 3.15.1 (here on JAX 0.10.2): a model whose outputs are a dict sorts them by name. A list of losses or of
# loss_weights in compile is accepted and follows the sorted names, not the dict that was given: with policy, value,
# side, the second weight is that of "side". (On PyTorch the dict that the model returns is sorted, too; on JAX it is
# in the order given.)
#
# Three outputs that are constants, 1, 10 and 100, mean absolute error against zeros, the second weight 1, the others
# 0. Seen: the loss is 100, that of the output given last; with the weights as a dict it is 10.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax KERAS_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

CONSTANTS = {"policy": 1.0, "value": 10.0, "side": 100.0}
X = np.ones((4, 3), np.float32)
y = {name: np.zeros((4, 1), np.float32) for name in CONSTANTS}


def total_loss(weights):
    start = keras.Input((3,))
    outputs = {
        name: keras.layers.Dense(
            1,
            name=name,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(value),
        )(start)
        for name, value in CONSTANTS.items()
    }
    model = keras.Model(start, outputs)
    model.compile(loss=["mae", "mae", "mae"], loss_weights=weights)
    return model.evaluate(X, y, verbose=0, return_dict=True)["loss"]


of_list = total_loss([0.0, 1.0, 0.0])
of_dict = total_loss({"policy": 0.0, "value": 1.0, "side": 0.0})
print("keras", keras.__version__, "weights as a list:", of_list, "as a dict:", of_dict)
assert of_list == CONSTANTS["side"]
assert of_dict == CONSTANTS["value"]
PYTHON
