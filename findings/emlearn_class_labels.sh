#!/usr/bin/env bash
# emlearn 0.23.2 with scikit-learn 1.9.1: the predictions of a converted MLPClassifier are positions in classes_,
# not labels. Classes 1, 2, 3 come out as 0, 1, 2, so most predictions name another existing class.
#
# Seen: scikit-learn predicts [1, 2, 3], the converted model [0, 1, 2]. (emlearn compiles it: needs a C compiler.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q emlearn==0.23.2 scikit-learn==1.9.1 setuptools==80.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import emlearn
import numpy as np
from sklearn.neural_network import MLPClassifier

x = np.repeat([[-2.0], [0.0], [2.0]], 20, axis=0)
model = MLPClassifier((8,), solver="lbfgs", max_iter=500, random_state=0)
model.fit(x, np.repeat([1, 2, 3], 20))
converted = emlearn.convert(model)
samples = np.array([[-2.0], [0.0], [2.0]])
labels = model.predict(samples).tolist()
numbers = np.asarray(converted.predict(samples)).tolist()
print("emlearn", emlearn.__version__, "scikit-learn:", labels, "converted:", numbers)
assert labels == [1, 2, 3]
assert numbers == [0, 1, 2]
PYTHON
