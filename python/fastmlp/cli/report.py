"""The report of a training run of the command line, as text and as JSON."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any

from fastmlp.data._text import counted
from fastmlp.tables.scores import Scores

LOSS_UNITS = {
    "classification": "nats per row (cross-entropy)",
    "labels": "nats per row and label (cross-entropy)",
    "regression": "variances of the training target (mean squared error, target standardized)",
}


@dataclass(frozen=True)
class Report:
    """One training run; the fields are the keys of the JSON object.

    Attributes
    ----------
    columns : list of dict
        What was done with each column.
    notes : list of str
        Irregularities of the table.
    layers : list of int
        Inputs, then the nodes of each layer, of each network.
    n_parameters : int
        Of each network.
    epochs : int
        Of the network that trained longest.
    best_epochs : list of int
        The epoch to which each network was restored.
    train_loss, test_loss : float
        Loss of the model on each part, in `loss_unit`.
    train, test : Scores
        In JSON their accuracy and R^2 are also top-level keys, ``test_accuracy`` and so on.
    seconds : float
        Time of encoding and training.
    gflops, peak_share : float
        Speed of all networks in GFLOP/s, and as a share (0 to 1) of the measured FMA peak of the
        machine for this number of threads.
    threads : int
        Upper limit of threads of the training.
    """

    version: str
    data: str
    target: list[str]
    task: str
    task_guessed: bool
    classes: list[Any] | None
    columns: list[dict[str, Any]]
    notes: list[str]
    layers: list[int]
    activation: str
    networks: int
    n_parameters: int
    n_train: int
    n_test: int
    epochs: int
    best_epochs: list[int]
    batch_size: int
    optimizer: str
    learning_rate: float
    seed: int
    split_seed: int
    train_loss: float
    test_loss: float
    loss_unit: str
    train: Scores
    test: Scores
    seconds: float
    samples_per_second: float
    gflops: float
    peak_share: float
    isa: str
    threads: int

    def to_json(self) -> str:
        """Return a JSON object on one line; numbers that are not finite are null."""
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Scores):
                found = value.to_dict()
                for score in ("accuracy", "r2"):
                    values[f"{field.name}_{score}"] = found[score]
                value = found
            values[field.name] = value
        return json.dumps(finite(values))

    def to_text(self) -> str:
        """Return the scores of both parts and the speed as readable text."""
        score = "R^2" if self.task == "regression" else "accuracy"
        rows = [
            ("", "loss", score),
            ("train", f"{self.train_loss:.4f}", _score(self.train)),
            ("test", f"{self.test_loss:.4f}", _score(self.test)),
        ]
        table = [f"{name:<7}{loss:>10}{value:>11}" for name, loss, value in rows]
        best = ", ".join(map(str, self.best_epochs))
        speed = (
            f"best epochs {best}, in {self.seconds:.3g} s: {self.samples_per_second:,.0f} "
            f"samples/s, {self.gflops:.1f} GFLOP/s, {self.peak_share:.1%} of the machine's FMA peak"
        )
        return "\n".join(
            [
                *table,
                f"loss in {self.loss_unit}",
                "",
                f"test: {self.test}",
                "",
                speed,
                f"{self.isa}, {counted(self.threads, 'thread')}",
            ]
        )


def _score(scores: Scores) -> str:
    if scores.accuracy is not None:
        return f"{scores.accuracy:.2%}"
    return "-" if scores.r2 is None else f"{scores.r2:.4f}"


def finite(value: Any) -> Any:
    """Return plain values for JSON, with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
