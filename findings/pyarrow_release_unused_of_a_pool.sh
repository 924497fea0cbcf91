#!/usr/bin/env bash
# pyarrow 26.0.1 on Linux with glibc: MemoryPool.release_unused() releases what the default pool holds, whichever
# pool it is called on. Memory freed in another pool stays with the process.
#
# Seen: 200 MB in blocks of the system pool are freed, the process still has 200 MB after release_unused() of that
# pool, and only few once the same pool is the default.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import ctypes

import pyarrow as pa


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 // 10**6


pool = pa.system_memory_pool()
before = resident()
blocks = [pa.allocate_buffer(100_000, memory_pool=pool) for _ in range(2000)]
for block in blocks:
    ctypes.memset(block.address, 1, block.size)
last = pa.allocate_buffer(100_000, memory_pool=pool)  # what is behind it cannot be released by itself
del blocks, block
pool.release_unused()
held = resident() - before
pa.set_memory_pool(pool)
pool.release_unused()
released = resident() - before
print("pyarrow", pa.__version__, pool.backend_name, "MB held:", held, "and as the default:", released)
assert pool.bytes_allocated() < 10**6
assert held > 190
assert released < 20
PYTHON
