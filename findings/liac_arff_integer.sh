#!/usr/bin/env bash
# liac-arff 2.5.0: an attribute declared "integer" is read with int(float(text)). Whole numbers above 2^53 come
# back changed, though they become Python integers, and fractions, which Weka allows in such columns (it treats
# integer and real as numeric), are cut off. Declared "numeric" the fraction stays.
#
# Seen: 9007199254740993 is read as 9007199254740992, so two identifiers become one; 2.7 as 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q liac-arff==2.5.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import arff


def read(kind):
    rows = "9007199254740992\n9007199254740993\n2.7\n"
    text = f"@relation example\n@attribute identifier {kind}\n@data\n{rows}"
    return [value for (value,) in arff.loads(text)["data"]]


print("liac-arff", version("liac-arff"), read("integer"), read("numeric"))
assert [type(value) for value in read("integer")] == [int, int, int]
assert read("integer") == [9007199254740992, 9007199254740992, 2]
assert read("numeric")[2] == 2.7
PYTHON
