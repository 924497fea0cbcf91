"""The specification of fastmlp: the same networks in pure Python.

Lists and floats, the standard library, and plain loops that cite the equations of Huecas López,
"Neural network" (2025), as (1.1) to (2.14). To run a program with it, change one import:

>>> from fastmlp import reference as fm  # instead of: import fastmlp as fm
>>> net = fm.Network([2, 8, 1], activation="tanh", output="sigmoid", seed=1)
>>> history = net.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=5)

Read `paper` first, which is the paper on one page. Then `dense` and `activations`, the forward and
the backward pass; `losses`; `sums`, the order of every sum; `random`, the random numbers;
`propagation`, the paper's three steps; `optimizers` and `schedules`; `training`, the epochs; and
`network`, the public class.

Differences from the compiled network:

- ``net.weights[i][j][k]`` are nested lists, not arrays, and `parameters` is a copy, not a view.
- Arithmetic is Python's float, IEEE float64, for both dtypes. The compiled core rounds to its dtype
  and fuses ``a * b + c`` into one rounding (FMA), so the two agree to rounding errors; initial
  weights of the same dtype and seed, and the order of samples, have the same bits.
- A custom loss receives lists, and fills ``gradient[b][n]``.
- There is one thread, and Ctrl-C may interrupt a step.
- There are no files, exchange with other libraries, checkpoints and sparse matrices, which define
  no results. Of streams there is only their order, `random.block_order`. L-BFGS is SciPy's and
  minimises ``Network.objective``. `metrics` are given by name.
"""

from .activations import ELU, GELU, LeakyReLU
from .callbacks import Callback
from .chosen_loss import CrossEntropy, Huber, Quantile
from .early_stopping import EarlyStopping
from .errors import DivergenceError
from .heads import Head, Heads
from .history import EpochReport, Evaluation, History
from .layers import Dense
from .many import Networks, train_many
from .network import Network
from .normalization import BatchNorm, LayerNorm
from .optimizers import SGD, Adam, AdamW, RMSprop
from .plateau import Plateau
from .rescaled import Rescaled
from .schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseScaling,
    LinearWarmup,
    OneCycle,
    StepDecay,
)
from .settings import get_num_threads, set_num_threads, show_config

__all__ = [
    "ELU",
    "GELU",
    "SGD",
    "Adam",
    "AdamW",
    "BatchNorm",
    "Callback",
    "CosineDecay",
    "CrossEntropy",
    "Dense",
    "DivergenceError",
    "EarlyStopping",
    "EpochReport",
    "Evaluation",
    "ExponentialDecay",
    "Head",
    "Heads",
    "History",
    "Huber",
    "InverseScaling",
    "LayerNorm",
    "LeakyReLU",
    "LinearWarmup",
    "Network",
    "Networks",
    "OneCycle",
    "Plateau",
    "Quantile",
    "RMSprop",
    "Rescaled",
    "StepDecay",
    "get_num_threads",
    "set_num_threads",
    "show_config",
    "train_many",
]
