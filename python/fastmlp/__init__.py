"""fastmlp: dense neural networks, trained on the CPU by a compiled core.

>>> import fastmlp as fm
>>> net = fm.Network([64, 64, 10], seed=1)
>>> history = net.fit(X, y, epochs=10)  # doctest: +SKIP
>>> net.predict(X)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from fastmlp._interpreters import refuse_subinterpreters

refuse_subinterpreters()

# ruff: noqa: E402  (nothing else may be imported before this)
from fastmlp import _threadpoolctl, metrics
from fastmlp._validation.foreign_names import missing_attribute
from fastmlp.config import __version__, get_config, get_num_threads, set_num_threads, show_config
from fastmlp.data.rescaled import Rescaled
from fastmlp.embedding import get_cmake_dir, get_include
from fastmlp.errors import ConvergenceWarning, DataError, DivergenceError, ModelFormatError
from fastmlp.fitting.callbacks import Callback
from fastmlp.fitting.checkpoints import Checkpoint
from fastmlp.fitting.early_stopping import EarlyStopping
from fastmlp.heads import Head, Heads
from fastmlp.history import EpochReport, Evaluation, History
from fastmlp.importing import (
    from_equinox,
    from_flax,
    from_keras,
    from_onnx,
    from_sklearn,
    from_state_dict,
    from_torch,
)
from fastmlp.layers import ELU, GELU, BatchNorm, Dense, LayerNorm, LeakyReLU
from fastmlp.loading import load, load_checkpoint
from fastmlp.losses import CrossEntropy, Huber, Quantile
from fastmlp.many.ensemble import Ensemble
from fastmlp.many.networks import Networks
from fastmlp.many.train_many import train_many
from fastmlp.network import Network
from fastmlp.settings.lbfgs import LBFGS
from fastmlp.settings.optimizers import SGD, Adam, AdamW, RMSprop
from fastmlp.settings.plateau import Plateau
from fastmlp.settings.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseScaling,
    LinearWarmup,
    OneCycle,
    StepDecay,
)
from fastmlp.streams import ArrayStream, Stream

if TYPE_CHECKING:
    from fastmlp import reference
    from fastmlp.streams.parquet import ParquetStream
    from fastmlp.tables.model import TabularModel

_threadpoolctl.follow()

__all__ = [
    "ELU",
    "GELU",
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "ArrayStream",
    "BatchNorm",
    "Callback",
    "Checkpoint",
    "ConvergenceWarning",
    "CosineDecay",
    "CrossEntropy",
    "DataError",
    "Dense",
    "DivergenceError",
    "EarlyStopping",
    "Ensemble",
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
    "ModelFormatError",
    "Network",
    "Networks",
    "OneCycle",
    "ParquetStream",
    "Plateau",
    "Quantile",
    "RMSprop",
    "Rescaled",
    "StepDecay",
    "Stream",
    "TabularModel",
    "__version__",
    "from_equinox",
    "from_flax",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_state_dict",
    "from_torch",
    "get_cmake_dir",
    "get_config",
    "get_include",
    "get_num_threads",
    "load",
    "load_checkpoint",
    "metrics",
    "reference",
    "set_num_threads",
    "show_config",
    "train_many",
]


def __getattr__(name: str) -> Any:
    # Imported at their first use, so that `import fastmlp` stays fast.
    if name == "reference":
        from importlib import import_module  # noqa: PLC0415

        return import_module("fastmlp.reference")
    if name == "ParquetStream":
        from fastmlp.streams.parquet import ParquetStream  # noqa: PLC0415

        return ParquetStream
    if name == "TabularModel":
        from fastmlp.tables.model import TabularModel  # noqa: PLC0415

        return TabularModel
    raise missing_attribute("module 'fastmlp'", name)


def __dir__() -> list[str]:
    return __all__
