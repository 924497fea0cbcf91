"""``fastmlp train``: from a data set and settings to a trained network and a `Report`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from fastmlp.cli.datasets import Dataset
from fastmlp.cli.preparation import Part, Problem, Task, guess_task, prepare
from fastmlp.cli.report import LOSS_UNITS, Report, counted
from fastmlp.config import Config, get_config
from fastmlp.data._text import listing
from fastmlp.history import History
from fastmlp.layers import ActivationName
from fastmlp.network import Network
from fastmlp.settings.optimizers import SGD

# The accuracy on digits moves by 1 % with the split, and by half of that with the first weights.
# So the split has a seed of its own, and runs with different seeds are tested on the same rows.
SPLIT_SEED: Final = 3

# Squared errors have no bound on their slope: a step that cross-entropy takes easily diverges.
LEARNING_RATES: Final = {"classification": 0.1, "regression": 0.01}


@dataclass(frozen=True)
class Settings:
    """How to train; the defaults are those of the command line.

    Attributes
    ----------
    task : {"classification", "regression"} or None
        What is learnt; None guesses it from the target.
    hidden : tuple of int
        Nodes of the hidden layers.
    activation : str
        Activation of the hidden layers.
    epochs, batch_size : int
        As in ``Network.fit``.
    learning_rate : float or None
        The size of a step; None is 0.1 for classification and 0.01 for regression.
    seed : int
        For the initial weights and the order of samples.
    split_seed : int
        For the split into training and test part.
    threads : int or None
        Upper limit of threads; None is the limit of the process.
    test_share : float
        Share of the samples that is kept for the test, above 0 and below 1.
    """

    task: Task | None = None
    hidden: tuple[int, ...] = (64,)
    activation: ActivationName = "relu"
    epochs: int = 60
    batch_size: int = 32
    learning_rate: float | None = None
    seed: int = 0
    split_seed: int = SPLIT_SEED
    threads: int | None = None
    test_share: float = 0.2

    def rate(self, task: Task) -> float:
        """Return the learning rate, given or the default of the task."""
        return self.learning_rate or LEARNING_RATES[task]


def run(
    dataset: Dataset, settings: Settings, tell: Callable[[str], None], progress: bool
) -> Report:
    """Prepare the data, train a network, and evaluate it.

    Parameters
    ----------
    dataset : Dataset
        The data.
    settings : Settings
        How to train.
    tell : callable
        Is given a few lines of text on what is about to be done.
    progress : bool
        Whether to show a progress bar on standard error.

    Returns
    -------
    Report
        Losses, accuracies and speed.

    Raises
    ------
    DataError
        If the data cannot be trained on.
    DivergenceError
        If training diverged.
    """
    config = get_config()  # first of all: it refuses a bad environment variable
    guess, reason = guess_task(dataset.y)
    task = settings.task or guess
    problem = prepare(
        dataset.X,
        dataset.y,
        task,
        settings.test_share,
        settings.split_seed,
        dataset.common_unit,
    )
    network = _network(settings, problem)
    tell(_description(dataset, settings, problem, network, reason))
    history = network.fit(
        problem.train.X,
        problem.train.y,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=SGD(settings.rate(task)),
        # The accuracy in the bar is that on the test part; nothing is chosen by it.
        validation_data=(problem.test.X, problem.test.y) if progress else None,
        verbose=int(progress),
        n_threads=settings.threads,
    )
    return _report(config, dataset, settings, problem, network, history)


def _network(settings: Settings, problem: Problem) -> Network:
    outputs = len(problem.classes) or 1
    output: ActivationName = "softmax" if problem.classes else "identity"
    return Network(
        [problem.train.X.shape[1], *settings.hidden, outputs],
        activation=settings.activation,
        output=output,
        seed=settings.seed,
    )


def _description(
    dataset: Dataset, settings: Settings, problem: Problem, network: Network, reason: str
) -> str:
    n_train, n_test = len(problem.train.y), len(problem.test.y)
    because = f"guessed: {reason}" if settings.task is None else "as asked"
    kind = "stratified" if problem.task == "classification" else "random"
    size = f"{counted(n_train + n_test, 'sample')}, {counted(len(dataset.features), 'feature')}"
    split = f"{kind} split, seed {settings.split_seed}"
    schedule = f"{settings.epochs:,} epochs of batches of {settings.batch_size:,}"
    rate = settings.rate(problem.task)
    lines = [
        f"{dataset.name}: {size}",
        f"{problem.task} ({because})",
        f"{n_train:,} samples to train, {n_test:,} to test ({split})",
        repr(network),
        f"{schedule}, learning rate {rate:g}, seed {settings.seed}",
    ]
    if problem.classes:
        lines.insert(2, f"{len(problem.classes)} classes: {listing(problem.classes)}")
    return "\n".join(lines)


def _report(
    config: Config,
    dataset: Dataset,
    settings: Settings,
    problem: Problem,
    network: Network,
    history: History,
) -> Report:
    train = network.evaluate(problem.train.X, problem.train.y)
    test = network.evaluate(problem.test.X, problem.test.y)
    return Report(
        version=config["version"],
        data=dataset.name,
        task=problem.task,
        task_guessed=settings.task is None,
        classes=problem.classes or None,
        layers=[network.features, *(layer.nodes for layer in network.layers)],
        activation=settings.activation,
        n_parameters=network.n_parameters,
        n_train=len(problem.train.y),
        n_test=len(problem.test.y),
        epochs=len(history.loss),
        batch_size=settings.batch_size,
        learning_rate=settings.rate(problem.task),
        seed=network.seed,
        split_seed=settings.split_seed,
        train_loss=train.loss,
        test_loss=test.loss,
        loss_unit=LOSS_UNITS[problem.task],
        train_accuracy=train.accuracy,
        test_accuracy=test.accuracy,
        train_r2=_r2(problem, problem.train, train.loss),
        test_r2=_r2(problem, problem.test, test.loss),
        seconds=history.seconds,
        samples_per_second=history.samples_per_second,
        gflops=history.gflops,
        peak_share=history.peak_share,
        isa=config["isa"],
        threads=history.n_threads,
    )


def _r2(problem: Problem, part: Part, loss: float) -> float | None:
    """Return 1 - (mean squared error) / variance; None where that has no meaning."""
    variance = float(np.var(part.y, dtype=np.float64)) if problem.task == "regression" else 0.0
    return 1.0 - loss / variance if variance > 0.0 else None
