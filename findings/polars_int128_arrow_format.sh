#!/usr/bin/env bash
# polars 2.1.0 hands columns of Int128 to others by Arrow's C interface with the format string "_pli128", which the
# interface does not define: no other library takes the frame, whatever its other columns are. Arrow's decimal256 of
# scale 0 would hold all such numbers.
#
# Seen: pyarrow 26.0.1 raises ArrowInvalid, "Invalid or unsupported format string: '_pli128'"; so does to_arrow().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q polars==2.1.0 pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl
import pyarrow as pa

frame = pl.DataFrame({"count": pl.Series([1, 2], dtype=pl.Int128), "name": ["a", "b"]})
for take in (pa.table, pl.DataFrame.to_arrow):
    try:
        take(frame)
    except pa.ArrowInvalid as error:
        message = str(error)
    else:
        message = ""
    print("polars", pl.__version__, "pyarrow", pa.__version__, take.__name__, message)
    assert message == "Invalid or unsupported format string: '_pli128'"
assert pa.table(frame.drop("count")).num_rows == 2
PYTHON
