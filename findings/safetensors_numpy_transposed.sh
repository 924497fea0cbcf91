#!/usr/bin/env bash
# safetensors 0.8.0 with NumPy 2.4.6: safetensors.numpy.save writes the memory of an array in its own order but
# the shape of the view, so a transposed or Fortran-ordered matrix is loaded as another matrix. No error, no
# warning; safetensors.torch refuses such a tensor.
#
# Seen: the transpose of [[0, 1, 2], [3, 4, 5]] comes back as [[0, 1], [2, 3], [4, 5]].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
import safetensors.numpy

weights = np.array([[0, 1, 2], [3, 4, 5]], np.float32)


def there_and_back(array):
    return safetensors.numpy.load(safetensors.numpy.save({"w": array}))["w"].tolist()


print("safetensors", safetensors.__version__, weights.T.tolist(), "->", there_and_back(weights.T))
assert weights.T.tolist() == [[0, 3], [1, 4], [2, 5]]
assert there_and_back(weights.T) == [[0, 1], [2, 3], [4, 5]]
assert there_and_back(np.ascontiguousarray(weights.T)) == [[0, 3], [1, 4], [2, 5]]
PYTHON
