#!/usr/bin/env bash
# distributed 2026.8.0: LocalCluster sets OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS to 1 for its
# workers in the environment of the process that starts it, and leaves them there when it is closed. Programs that
# this process starts later, and libraries that it loads later, compute on one thread.
#
# Seen: a program that asks for OpenBLAS's threads has as many as CPUs before the cluster, and 1 after it is closed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q distributed==2026.8.0 numpy==2.4.6 threadpoolctl==3.6.0
cat >"$folder/cluster.py" <<'PYTHON'
import os
import subprocess
import sys

import distributed

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
COUNT = "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0]['num_threads'])"


def threads_of_a_new_program():
    return int(subprocess.run([sys.executable, "-c", COUNT], check=True, capture_output=True).stdout)


def main():
    for name in NAMES:
        os.environ.pop(name, None)
    before = threads_of_a_new_program()
    with distributed.LocalCluster(n_workers=1, processes=True, dashboard_address=":0"):
        pass
    after = threads_of_a_new_program()
    left = {name: os.environ.get(name) for name in NAMES}
    print("distributed", distributed.__version__, "threads before:", before, "after:", after, left)
    assert before == len(os.sched_getaffinity(0))
    assert after == 1
    assert left == dict.fromkeys(NAMES, "1")


if __name__ == "__main__":
    main()
PYTHON
"$folder/venv/bin/python" "$folder/cluster.py"
