#!/usr/bin/env bash
# river 0.26.1: StandardScaler.learn_many computes the variance of a batch as the mean of the squares less the
# square of the mean; learn_one updates it in a stable way. Its documentation says that both give exactly the
# same. They do not for numbers far from zero, such as seconds since 1970: all digits of the variance cancel.
#
# Ten seconds in a row, in two batches. Seen: variance -249.75 from learn_many, 8.25 from learn_one, which is
# right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q river==0.26.1 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
import river
from river.preprocessing import StandardScaler

seconds = pd.DataFrame({"t": 1.7e9 + np.arange(10.0)})
batches, singly = StandardScaler(), StandardScaler()
for start in (0, 5):
    batches.learn_many(seconds[start : start + 5])
for row in seconds.to_dict("records"):
    singly.learn_one(row)
print("river", river.__version__, "learn_many:", batches.vars["t"], "learn_one:", singly.vars["t"])
assert singly.vars["t"] == 8.25
assert batches.vars["t"] < 0
PYTHON
