#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1, run by onnxruntime 1.32.0: nearest neighbours with weights="distance"
# are exported as if all neighbours weighed the same. No error, no warning; classifiers likewise.
#
# Two neighbours on the line y = x. Seen at 0, 0.25 and 0.9: scikit-learn predicts [0.0, 0.25, 0.9], the exported
# model [0.5, 0.5, 0.5], which is what weights="uniform" gives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.neighbors import KNeighborsRegressor

x = np.array([[0.0], [1.0], [2.0], [4.0]], np.float32)
y = np.array([0.0, 1.0, 2.0, 4.0])
between = np.array([[0.0], [0.25], [0.9]], np.float32)


def exported(weights):
    model = KNeighborsRegressor(n_neighbors=2, weights=weights).fit(x, y)
    file = skl2onnx.to_onnx(model, x[:1]).SerializeToString()
    session = onnxruntime.InferenceSession(file)
    (output,) = session.run(None, {"X": between})
    return model.predict(between).round(6).tolist(), output.ravel().tolist()


distance, uniform = exported("distance"), exported("uniform")
print("skl2onnx", skl2onnx.__version__, "distance:", distance, "uniform:", uniform)
assert distance == ([0.0, 0.25, 0.9], [0.5, 0.5, 0.5])
assert uniform == ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
PYTHON
