#!/usr/bin/env bash
# river 0.26.1: optim.losses.Cauchy returns the absolute error as its value, whatever C is, while its gradient is
# that of the Cauchy loss, C^2 / 2 * log(1 + (error / C)^2). Value and gradient belong to two functions.
#
# C = 2, error 2: the value of the Cauchy loss is 1.386. Seen: 2.0, with the right gradient 1.0; for an error of
# 200 the value is 200.0 (right: 18.4).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q river==0.26.1
"$folder/venv/bin/python" - <<'PYTHON'
import math

import river
from river.optim.losses import Cauchy

loss = Cauchy(C=2)
values = [loss(0.0, error) for error in (2.0, 200.0)]
gradients = [loss.gradient(0.0, error) for error in (2.0, 200.0)]
right = [2 * math.log(1 + (error / 2) ** 2) for error in (2.0, 200.0)]
print("river", river.__version__, "values:", values, "gradients:", gradients, "right values:", right)
assert values == [2.0, 200.0]
assert [round(value, 3) for value in right] == [1.386, 18.421]
assert gradients[0] == 1.0 and round(gradients[1], 5) == round(200 / 10001, 5)
PYTHON
