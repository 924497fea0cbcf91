#!/usr/bin/env bash
# onnx 1.23.2: for BatchNormalization of the opsets 9 to 13 the reference evaluator mixes a tenth of the batch's
# own mean and variance into the given ones, as in training, though the node has one output and so means
# inference. The prediction for a sample then depends on the others of its batch. The same graph at opset 14 is
# right.
#
# Mean 0, variance 1, epsilon 0, the samples 10 and 10. Seen: [10.0, 10.0] at opset 14; at opset 13 (10 - 0.1 *
# 10) / sqrt(0.9) = 9.48683.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


def normalized(opset):
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["": {opset}]>
        model (float[2, 1] x) => (float[2, 1] y)
        <float[1] one = {{1.0}}, float[1] zero = {{0.0}}> {{
            y = BatchNormalization <epsilon = 0.0> (x, one, zero, zero, one)
        }}""")
    onnx.checker.check_model(model, full_check=True)
    (y,) = ReferenceEvaluator(model).run(None, {"x": np.full((2, 1), 10, np.float32)})
    return y.ravel().round(5).tolist()


print("onnx", onnx.__version__, "opset 13:", normalized(13), "opset 14:", normalized(14))
assert np.allclose(normalized(13), [9.48683, 9.48683], atol=1e-4)
assert normalized(14) == [10.0, 10.0]
PYTHON
