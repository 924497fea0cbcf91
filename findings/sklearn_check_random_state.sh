#!/usr/bin/env bash
# scikit-learn 1.9.1 with NumPy 2.4.6: check_random_state(7), which estimators call in each fit or partial_fit with
# an integer random_state, takes about a hundred times as long as seeding a generator that exists, to the same state:
# RandomState(7) first fills a generator from the system's entropy, and seeds it after that. Of a partial_fit of
# SGDClassifier with 32 samples of 20 features it is a quarter.
#
# Seen: 100 to 200 us beside 1 to 2 us; the check below asks for ten times as long.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import timeit

import numpy as np
import sklearn
from sklearn.utils import check_random_state

CALLS = 500
existing = np.random.RandomState()


def microseconds(call):
    return min(timeit.repeat(call, number=CALLS, repeat=7)) / CALLS * 1e6


created = microseconds(lambda: check_random_state(7))
seeded = microseconds(lambda: existing.seed(7))
existing.seed(7)
print(f"scikit-learn {sklearn.__version__}: {created:.1f} us to create, {seeded:.1f} us to seed")
assert existing.randint(2**31, size=9).tolist() == check_random_state(7).randint(2**31, size=9).tolist()
assert created > 10 * seeded
PYTHON
