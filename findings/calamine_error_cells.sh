#!/usr/bin/env bash
# python-calamine 0.9.1: a cell with an error of Excel, such as #DIV/0! or #N/A, is returned as the empty text, just
# as a cell that is empty. The Rust crate calamine, which does the reading, keeps them apart (it has a type for
# errors); the binding for Python drops it, and has no option or attribute that tells. Whoever counts missing cells
# counts broken formulas among them.
#
# Seen: the column [0.5, empty, #DIV/0!, #N/A] is read as [0.5, "", "", ""]; openpyxl 3.1.5 returns the errors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q python-calamine==0.9.1 openpyxl==3.1.5
"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import openpyxl
import python_calamine

book = openpyxl.Workbook()
sheet = book.active
for value in (0.5, None, "#DIV/0!", "#N/A"):
    sheet.append(["row", value])
file = io.BytesIO()
book.save(file)
file.seek(0)

read = python_calamine.CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()
found = [cell for _, cell in read]
other = [cells[1].value for cells in openpyxl.load_workbook(file).active.rows]
print("python-calamine", version("python-calamine"), found)
print("openpyxl", version("openpyxl"), other)
assert found == [0.5, "", "", ""]
assert other == [0.5, None, "#DIV/0!", "#N/A"]
PYTHON
