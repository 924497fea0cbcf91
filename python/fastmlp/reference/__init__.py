"""The readable specification of fastmlp: the same networks in pure Python.

Lists and floats, the standard library, plain loops that cite the equations of Huecas López, "Neural
network" (2025), as (1.1) to (2.14). Change one import and a program runs here:

>>> from fastmlp import reference as fm  # instead of: import fastmlp as fm
>>> net = fm.Network([2, 8, 1], activation="tanh", output="sigmoid", seed=1)
>>> history = net.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=5)

Where to read: `dense` and `activations` are the forward and the backward pass, `losses` the end of
it, `sums` the order of every sum, `random` the random numbers, `propagation` the paper's three
steps and an epoch of them, `network` what a user calls.

What differs from the compiled network:

- ``net.weights[i][j][k]`` are nested lists, not arrays, and `parameters` is a copy, not a view.
- Arithmetic is Python's float, IEEE float64, for both dtypes. The compiled core rounds to its dtype
  and fuses ``a * b + c`` into one rounding (FMA), so the two agree to rounding errors; initial
  weights of the same dtype and seed, and the order of samples, agree to the bit.
- One thread, and a Ctrl-C may arrive in the middle of a step.
"""

from .early_stopping import EarlyStopping
from .errors import DivergenceError
from .history import EpochReport, Evaluation, History
from .layers import Dense
from .losses import CrossEntropy, Huber, Quantile
from .network import Network
from .optimizers import SGD, Adam, AdamW, RMSprop
from .settings import get_num_threads, set_num_threads, show_config

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CrossEntropy",
    "Dense",
    "DivergenceError",
    "EarlyStopping",
    "EpochReport",
    "Evaluation",
    "History",
    "Huber",
    "Network",
    "Quantile",
    "RMSprop",
    "get_num_threads",
    "set_num_threads",
    "show_config",
]
