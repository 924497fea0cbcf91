#!/usr/bin/env bash
# clevercsv 0.8.5 with pandas 3.1.1: in a file of one column with a quoted name the minus sign is taken for the
# delimiter. Negative numbers lose their sign and the others are missing values, without an error or a warning.
#
# Seen: the column "change" of -1.5, 2.5, -3.5 is read as 1.5, nan, 3.5. pandas.read_csv reads the numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q clevercsv==0.8.5 pandas==3.1.1
FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os

import clevercsv
import pandas as pd

path = os.path.join(os.environ["FOLDER"], "changes.csv")
with open(path, "w") as file:
    file.write('"change"\n-1.5\n2.5\n-3.5\n')
delimiter = clevercsv.detect_dialect(path).delimiter
values = clevercsv.read_dataframe(path)["change"].tolist()
print("clevercsv", clevercsv.__version__, "delimiter:", delimiter, "values:", values)
assert delimiter == "-"
assert values[0] == 1.5 and pd.isna(values[1]) and values[2] == 3.5
assert pd.read_csv(path)["change"].tolist() == [-1.5, 2.5, -3.5]
PYTHON
