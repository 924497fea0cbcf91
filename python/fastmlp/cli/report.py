"""What a training run of the command line found, as text and as JSON."""

import json
import math
from dataclasses import asdict, dataclass

LOSS_UNITS = {
    "classification": "nats per sample (cross-entropy)",
    "regression": "variances of the training target (mean squared error, target standardised)",
}


@dataclass(frozen=True)
class Report:
    """One training run; the fields are the keys of the JSON object.

    Attributes
    ----------
    train_loss, test_loss : float
        Loss of the trained network on each part, in `loss_unit`.
    train_accuracy, test_accuracy : float or None
        Share of samples classified right, 0 to 1; None for regression.
    train_r2, test_r2 : float or None
        Coefficient of determination, 1 at best; None for classification, or where the targets
        of the part do not vary.
    seconds : float
        Time of training alone.
    gflops, peak_share : float
        Speed of training in GFLOP/s, and as a share (0 to 1) of the measured FMA peak of the
        machine for this number of threads.
    threads : int
        How many threads training could take at most.
    """

    version: str
    data: str
    task: str
    task_guessed: bool
    classes: list[str | int | float] | None
    layers: list[int]
    activation: str
    n_parameters: int
    n_train: int
    n_test: int
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    split_seed: int
    train_loss: float
    test_loss: float
    loss_unit: str
    train_accuracy: float | None
    test_accuracy: float | None
    train_r2: float | None
    test_r2: float | None
    seconds: float
    samples_per_second: float
    gflops: float
    peak_share: float
    isa: str
    threads: int

    def to_json(self) -> str:
        """Return one JSON object on one line; what is not a finite number is null."""
        return json.dumps({name: _finite(value) for name, value in asdict(self).items()})

    def to_text(self) -> str:
        """Return a table of losses and accuracies, and the speed, for people to read."""
        score = "accuracy" if self.task == "classification" else "R^2"
        rows = [
            ("", "loss", score),
            ("train", f"{self.train_loss:.4f}", _score(self.train_accuracy, self.train_r2)),
            ("test", f"{self.test_loss:.4f}", _score(self.test_accuracy, self.test_r2)),
        ]
        table = [f"{name:<7}{loss:>10}{value:>11}" for name, loss, value in rows]
        speed = (
            f"{self.epochs} epochs in {self.seconds:.3g} s: {self.samples_per_second:,.0f} "
            f"samples/s, {self.gflops:.1f} GFLOP/s, {self.peak_share:.1%} of the machine's FMA peak"
        )
        return "\n".join(
            [
                *table,
                f"loss in {self.loss_unit}",
                speed,
                f"{self.isa}, {counted(self.threads, 'thread')}",
            ]
        )


def counted(number: int, noun: str) -> str:
    """Write a number of things: ``1 thread``, ``1,797 samples``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _score(accuracy: float | None, r2: float | None) -> str:
    if accuracy is not None:
        return f"{accuracy:.2%}"
    return "-" if r2 is None else f"{r2:.4f}"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
