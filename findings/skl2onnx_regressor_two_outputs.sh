#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1, run by onnxruntime 1.32.0: an MLPRegressor with two targets is exported
# with a final Reshape to one column, so the outputs of n samples come as (2 n, 1), sample after sample.
#
# Seen for 4 samples: predict has shape (4, 2), the exported model (8, 1). The numbers are the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.neural_network import MLPRegressor

x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)
model = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", random_state=0)
model.fit(x, np.column_stack([x[:, 0], 2 + x[:, 1]]))
session = onnxruntime.InferenceSession(skl2onnx.to_onnx(model, x[:1]).SerializeToString())
(output,) = session.run(None, {"X": x[:4]})
predicted = model.predict(x[:4])
print("skl2onnx", skl2onnx.__version__, "predict:", predicted.shape, "exported:", output.shape)
assert predicted.shape == (4, 2)
assert output.shape == (8, 1)
assert np.allclose(output.reshape(4, 2), predicted, atol=1e-5)
PYTHON
