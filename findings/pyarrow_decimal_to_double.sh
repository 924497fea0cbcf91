#!/usr/bin/env bash
# pyarrow 26.0.1: a cast of decimals to doubles is not the nearest double. It multiplies the whole number by a rounded
# power of ten. The same column, written to CSV and read again, has other numbers.
#
# Seen: of the prices 0.00 to 999.99 as decimal128(10, 2), 13,929 differ; 0.35 becomes 0.35000000000000003. A division
# by 100 gives the nearest double of each.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

prices = [Decimal(cents).scaleb(-2) for cents in range(100_000)]
cast = pc.cast(pa.array(prices, pa.decimal128(10, 2)), pa.float64()).to_pylist()
others = sum(double != float(price) for double, price in zip(cast, prices))
divided = sum(cents / 100 != float(price) for cents, price in enumerate(prices))
print("pyarrow", pa.__version__, "not the nearest double:", others, "0.35 ->", cast[35], "divided:", divided)
assert others == 13_929
assert cast[35] == 0.35000000000000003
assert divided == 0
PYTHON
