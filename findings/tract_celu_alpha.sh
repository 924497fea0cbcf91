#!/usr/bin/env bash
# tract 0.23.9: the ONNX operator Celu is alpha * (exp(x / alpha) - 1) below zero. tract leaves out the factor
# alpha, so its values below zero are off by that factor unless alpha is 1; the function has a kink at zero.
# onnxruntime 1.32.0 is right.
#
# Seen for alpha = 0.5 and x = -1: -0.8647 instead of -0.4323.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tract==0.23.9 onnx==1.23.2 onnxruntime==1.32.0
FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os

import numpy as np
import onnx
import onnxruntime
import tract

model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20]>
    model (float[2] x) => (float[2] y) { y = Celu <alpha = 0.5> (x) }""")
onnx.checker.check_model(model, full_check=True)
path = os.path.join(os.environ["FOLDER"], "celu.onnx")
onnx.save(model, path)
x = np.array([-1, 2], np.float32)
(runtime,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
(output,) = tract.onnx().load(path).into_model().into_runnable().run([x])
output = output.to_numpy().round(4)
print("tract", tract.version(), output, "onnxruntime:", runtime.round(4))
assert np.allclose(output, [-0.8647, 2.0], atol=1e-4)
assert np.allclose(runtime, [-0.4323, 2.0], atol=1e-4)
PYTHON
