#!/usr/bin/env bash
# tract 0.23.9: the ONNX operator Softplus is computed as log(exp(x) + 1) in float32, so it is infinite from x =
# 89 on, where the function is x to all digits. onnxruntime 1.32.0 is right.
#
# Seen for 88, 89 and 100: [88.0, inf, inf].
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
    model (float[3] x) => (float[3] y) { y = Softplus (x) }""")
onnx.checker.check_model(model, full_check=True)
path = os.path.join(os.environ["FOLDER"], "softplus.onnx")
onnx.save(model, path)
x = np.array([88, 89, 100], np.float32)
(runtime,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
(output,) = tract.onnx().load(path).into_model().into_runnable().run([x])
output = output.to_numpy().tolist()
print("tract", tract.version(), output, "onnxruntime:", runtime.tolist())
assert output == [88.0, np.inf, np.inf]
assert runtime.tolist() == [88.0, 89.0, 100.0]
PYTHON
