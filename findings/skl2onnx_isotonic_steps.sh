#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1, run by onnxruntime 1.32.0: the curve of an isotonic calibration is a
# line from point to point in scikit-learn, but a staircase in the exported model, which takes the nearest point.
# Probabilities between two points are off by up to half their difference.
#
# Half of the labels at 0 are 1, none at -4, all at 4. Seen at -3, -1, 0, 1 and 3: scikit-learn predicts [0.125,
# 0.375, 0.5, 0.625, 0.875], the exported model [0.0, 0.5, 0.5, 0.5, 1.0].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression

x = np.tile(np.array([[-4.0], [0.0], [0.0], [4.0]], np.float32), (10, 1))
model = CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2)
model.fit(x, np.tile([0, 0, 1, 1], 10))
file = skl2onnx.to_onnx(model, x[:1], options={"zipmap": False}).SerializeToString()
between = np.array([[-3.0], [-1.0], [0.0], [1.0], [3.0]], np.float32)
_, output = onnxruntime.InferenceSession(file).run(None, {"X": between})
smooth, steps = model.predict_proba(between)[:, 1].round(3).tolist(), output[:, 1].round(3).tolist()
print("skl2onnx", skl2onnx.__version__, "scikit-learn:", smooth, "exported:", steps)
assert smooth == [0.125, 0.375, 0.5, 0.625, 0.875]
assert steps == [0.0, 0.5, 0.5, 0.5, 1.0]
PYTHON
