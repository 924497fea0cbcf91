"""Dense layers, their activations and normalizations."""

from fastmlp.layers.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    Activation,
    ActivationLike,
    ActivationName,
    LeakyReLU,
    parameter_of,
    read_activation,
)
from fastmlp.layers.dense import Dense, build_layers, completed, refuse_single_softmax
from fastmlp.layers.normalizations import (
    NORMALIZATIONS,
    BatchNorm,
    LayerNorm,
    Normalization,
    NormalizationLike,
    NormalizationName,
    describe_normalization,
    label_of,
    numbers_of,
    of_description,
    read_input_normalization,
)

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "NORMALIZATIONS",
    "Activation",
    "ActivationLike",
    "ActivationName",
    "BatchNorm",
    "Dense",
    "LayerNorm",
    "LeakyReLU",
    "Normalization",
    "NormalizationLike",
    "NormalizationName",
    "build_layers",
    "completed",
    "describe_normalization",
    "label_of",
    "numbers_of",
    "of_description",
    "parameter_of",
    "read_activation",
    "read_input_normalization",
    "refuse_single_softmax",
]
