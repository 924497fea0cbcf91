#!/usr/bin/env bash
# skrub 0.11.0 with pandas 3.1.1: Cleaner and TableVectorizer read text of four digits, a hyphen and one or two
# digits as year and month, if all numbers after the hyphen are from 1 to 12. Part numbers become dates, without a
# warning, and the features of TableVectorizer are years, months and seconds since 1970.
#
# Seen: the part number 8654-6 becomes 1 June of the year 8654, a feature of 210,939,723,776 seconds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q skrub==0.11.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import pandas as pd
import skrub

parts = pd.DataFrame({"part": ["8654-6", "1234-5", "4321-9", "7777-1"]})
cleaned = skrub.Cleaner().fit_transform(parts)["part"]
features = skrub.TableVectorizer().fit_transform(parts)
print("skrub", skrub.__version__, cleaned.dtype, cleaned[0], features.iloc[0].to_dict())
assert (cleaned[0].year, cleaned[0].month, cleaned[0].day) == (8654, 6, 1)
assert list(features) == ["part_year", "part_month", "part_day", "part_total_seconds"]
assert features.iloc[0].tolist() == [8654.0, 6.0, 1.0, 210939723776.0]
PYTHON
