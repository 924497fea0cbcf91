#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1, run by onnxruntime 1.32.0: Normalizer(norm="max") divides by the
# largest absolute value of a row, but it is exported to the operator of the same name, which divides by the
# largest value. Rows whose largest absolute value is negative come out differently, with the other sign if all
# are negative.
#
# Seen for the rows [-2, 1] and [-1, -4]: scikit-learn gives [-1.0, 0.5] and [-0.25, -1.0], the exported model
# [-2.0, 1.0] and [1.0, 4.0].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.preprocessing import Normalizer

x = np.array([[-2.0, 1.0], [-1.0, -4.0]], np.float32)
model = Normalizer(norm="max").fit(x)
session = onnxruntime.InferenceSession(skl2onnx.to_onnx(model, x[:1]).SerializeToString())
(output,) = session.run(None, {"X": x})
transformed = model.transform(x).tolist()
print("skl2onnx", skl2onnx.__version__, "transform:", transformed, "exported:", output.tolist())
assert transformed == [[-1.0, 0.5], [-0.25, -1.0]]
assert output.tolist() == [[-2.0, 1.0], [1.0, 4.0]]
PYTHON
