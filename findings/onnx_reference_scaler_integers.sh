#!/usr/bin/env bash
# onnx 1.23.2: with an integer input the reference evaluator computes the operators Scaler and LinearRegressor of
# ai.onnx.ml in integers: it cuts the result of the one and the coefficients of the other towards zero. By their
# definitions both accept integers and return floats.
#
# Ages 20 and 50, less 40, divided by 16. Seen: [-1, 0] in int64, where the model declares float and [-1.25, 0.625]
# is right; at a price of 0.5 a piece, 1 and 3 pieces cost [0, 0]. The same numbers as float are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


def run(node, x):
    text = f"""<ir_version: 10, opset_import: ["": 20, "ai.onnx.ml": 3]>
        model ({"int64" if x.dtype == np.int64 else "float"}[n, 1] x) => (float[n, 1] y) {{ {node} }}"""
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    return str(y.dtype), y.ravel().tolist()


scaler = "y = ai.onnx.ml.Scaler <offset = [40.0], scale = [0.0625]> (x)"
price = "y = ai.onnx.ml.LinearRegressor <coefficients = [0.5], intercepts = [0.0], targets = 1> (x)"
ages, pieces = np.array([[20], [50]]), np.array([[1], [3]])
print("onnx", onnx.__version__, run(scaler, ages), run(price, pieces))
assert run(scaler, ages) == ("int64", [-1, 0])
assert run(scaler, ages.astype(np.float32)) == ("float32", [-1.25, 0.625])
assert run(price, pieces) == ("int64", [0, 0])
assert run(price, pieces.astype(np.float32)) == ("float32", [0.5, 1.5])
PYTHON
