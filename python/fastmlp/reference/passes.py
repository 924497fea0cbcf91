"""`Pass`: what a batch leaves behind on its way through the layers."""

from dataclasses import dataclass, field

from .dense import Matrix, Row
from .normalization import Normalized


@dataclass
class Pass:
    """What a batch leaves behind on its way forward, each a list over the layers.

    Attributes
    ----------
    nodes : list of matrix
        The batch itself, then the nodes of each layer.
    z, h : list of matrix
        What each activation is applied to, and what comes out of it, before dropout.
    normalized : list of Normalized or None
        Of the layers that normalise.
    factors : list of matrix or None
        What dropout multiplied h by, of the layers that drop.
    moments : dict of int to (means, variances)
        Those of the batch, by layer, where batch normalisation took them in training.
    """

    nodes: list[Matrix] = field(default_factory=list)
    z: list[Matrix] = field(default_factory=list)
    h: list[Matrix] = field(default_factory=list)
    normalized: list[Normalized | None] = field(default_factory=list)
    factors: list[Matrix | None] = field(default_factory=list)
    moments: dict[int, tuple[Row, Row]] = field(default_factory=dict)
