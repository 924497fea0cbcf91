#!/usr/bin/env bash
# scikit-learn 1.9.1: MLPRegressor with warm_start=True trains on with the first fit's network after
# set_params(hidden_layer_sizes=...) to another size of the same number of layers, without a warning. A search or a
# script that widens a layer between fits compares the same network with itself.
#
# Seen: after (6,) -> (9,) get_params says (9,), coefs_[0] is of shape (3, 6).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

X = np.random.default_rng(0).normal(size=(100, 3))
model = MLPRegressor(hidden_layer_sizes=(6,), warm_start=True, max_iter=5, random_state=0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, X[:, 0])
    model.set_params(hidden_layer_sizes=(9,)).fit(X, X[:, 0])
asked, trained = model.get_params()["hidden_layer_sizes"], model.coefs_[0].shape
print("scikit-learn", sklearn.__version__, "asked for", asked, "trained", trained)
assert {each.category for each in caught} == {ConvergenceWarning}
assert asked == (9,)
assert trained == (3, 6)
PYTHON
