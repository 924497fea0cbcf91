#!/usr/bin/env bash
# OpenVINO 2026.4.1: an ONNX model of int64 numbers is computed with 32 bits on the CPU, and the answer is given
# as int64. Sums beyond 2^31 wrap around, and of larger inputs the low 32 bits are left. No error, no warning.
#
# Seen for 2147483647 + 1: -2147483648, for 2^40 + 1: 1; onnxruntime 1.32.0 is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino

model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 20]>
    model (int64[3] x) => (int64[3] y) <int64[1] one = {1}> { y = Add (x, one) }""")
onnx.checker.check_model(model, full_check=True)
file = model.SerializeToString()
x = np.array([5, 2**31 - 1, 2**40])
(right,) = onnxruntime.InferenceSession(file).run(None, {"x": x})
y = openvino.compile_model(openvino.Core().read_model(file), "CPU")([x])[0]
print("openvino", openvino.__version__, y.dtype, y.tolist(), "onnxruntime:", right.tolist())
assert right.tolist() == [6, 2147483648, 1099511627777]
assert y.dtype == np.int64
assert y.tolist() == [6, -2147483648, 1]
PYTHON
