#!/usr/bin/env bash
# mlxtend 0.25.0, MultiLayerPerceptron: decrease_const "shrinks the learning rate after each epoch via
# eta / (1 + epoch*decrease_const)", says its documentation. It divides the rate that is left by
# 1 + epoch*decrease_const after each minibatch, so that training soon stands still.
#
# 20 epochs of 10 minibatches with decrease_const=0.1: by the formula the last epoch has eta / 2.9. Seen: a rate of
# 1e-54 eta, and after epoch 12 the same weights to the bit. Their cost is 0.34; with eta / 2.9 in all epochs, less
# than the formula gives, it is 0.06.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mlxtend==0.25.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import mlxtend
import numpy as np
from mlxtend.classifier import MultiLayerPerceptron

rng = np.random.default_rng(0)
X = rng.standard_normal((100, 3))
y = (X[:, 0] > 0).astype(int)


def trained(epochs, eta=0.1, decrease_const=0.0):
    return MultiLayerPerceptron(
        hidden_layers=[8], epochs=epochs, eta=eta, decrease_const=decrease_const, minibatches=10, random_seed=1
    ).fit(X, y)


twelve, twenty = trained(12, decrease_const=0.1), trained(20, decrease_const=0.1)
slowest = trained(20, eta=0.1 / 2.9)  # the rate of the last epoch by the formula, in all epochs
same = all((twelve.w_[name] == twenty.w_[name]).all() for name in twelve.w_)
costs = [round(float(model.cost_[-1]), 2) for model in (twelve, twenty, slowest)]
left = twenty._decr_eta / 0.1
print("mlxtend", mlxtend.__version__, "costs:", costs, "the same weights:", same, f"rate left: {left:.0e}")
assert same
assert np.isclose(left, np.prod(1 + 0.1 * np.arange(20)) ** -10.0, rtol=1e-9)
assert costs == [0.34, 0.34, 0.06]
PYTHON
