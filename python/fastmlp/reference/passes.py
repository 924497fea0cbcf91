"""`Pass`: the intermediate values of a batch in all layers."""

from dataclasses import dataclass, field

from .dense import Matrix, Row
from .normalization import LayerKey, Normalized


@dataclass
class Pass:
    """The intermediate values of a forward pass, each a list over the layers.

    Attributes
    ----------
    nodes : list of matrix
        What the first layer reads, then the nodes of each layer.
    z, h : list of matrix
        The argument and the result of each activation, before dropout.
    normalized : list of Normalized or None
        Those of the layers with normalization.
    normalized_inputs : Normalized or None
        The normalized features, if the network normalizes them.
    input_deltas : matrix
        After a backward pass dL/d(scale x + shift) of those.
    factors : list of matrix or None
        The factors of h, in layers with dropout.
    moments : dict of int or "input" to (means, variances)
        Those of the batch, by layer with batch normalization, in training.
    parts : list of int
        How many samples of the batch each rank has.
    """

    nodes: list[Matrix] = field(default_factory=list)
    z: list[Matrix] = field(default_factory=list)
    h: list[Matrix] = field(default_factory=list)
    normalized: list[Normalized | None] = field(default_factory=list)
    normalized_inputs: Normalized | None = None
    input_deltas: Matrix = field(default_factory=list)
    factors: list[Matrix | None] = field(default_factory=list)
    moments: dict[LayerKey, tuple[Row, Row]] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)
