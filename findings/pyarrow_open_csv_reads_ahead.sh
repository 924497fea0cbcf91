#!/usr/bin/env bash
# pyarrow 26.0.1: csv.open_csv reads a file 32 blocks ahead of what it is asked for, also with use_threads=False. A
# file that is read batch by batch takes the memory of more than 30 blocks, and files of up to that size are read
# whole for the first batch.
#
# Seen: after the first batch of a file of 128 blocks, of one block of 1 MiB, 34 to 36 MB of the file have been read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import io
import time

import pyarrow as pa
from pyarrow import csv

BLOCK = 1 << 20


class Counted(io.BytesIO):
    taken = 0

    def read(self, size=-1):
        part = super().read(size)
        self.taken += len(part)
        return part


file = Counted(b"a,b\n" + b"1,2\n" * (128 * BLOCK // 4))
reader = csv.open_csv(file, read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK))
batch = reader.read_next_batch()
time.sleep(2)
print("pyarrow", pa.__version__, "bytes of the batch:", 4 * len(batch), "of the file:", file.taken)
assert 4 * len(batch) <= BLOCK
assert file.taken > 32 * BLOCK
PYTHON
