"""The trainings of `train_many`: what each network trains on, and what becomes of it.

A network that nothing follows is trained in one call of the core, others in `rounds`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp.data.splitting import copies_together
from fastmlp.errors import DivergenceError
from fastmlp.fitting import fingerprint
from fastmlp.fitting.callbacks import Callback
from fastmlp.fitting.epochs import history_of
from fastmlp.fitting.fit import checkpoint_file, fit_loop
from fastmlp.fitting.held_out import HeldOut, split_rows
from fastmlp.fitting.lbfgs import minimise, warn_if_not_converged
from fastmlp.fitting.loop import FitLoop
from fastmlp.fitting.options import FitOptions
from fastmlp.fitting.resuming import resume
from fastmlp.fitting.standardize import learn_from
from fastmlp.history import EpochReport, History
from fastmlp.many.data import Data, scaled, scaling_of
from fastmlp.model.class_weight import targets_and_weights
from fastmlp.model.model import Diverged, Model, TrainOptions
from fastmlp.model.samples import CheckedSamples
from fastmlp.network import Network
from fastmlp.settings.lbfgs import LBFGS

Outcome = History | DivergenceError
"""What became of a network."""

_MOST_BYTES = 1 << 28
"""Of features that are copied at a time, each for one network, unless these are few."""

_FEW = 64
"""Networks: enough for the lanes and threads of small machines."""


@dataclass(eq=False, slots=True)
class Job:
    """The training of one network.

    Attributes
    ----------
    samples : CheckedSamples
        Those of X and y that it shares with others.
    weight : ndarray, shape (n,), or None
        Weights of these samples, those of classes included.
    rows : ndarray of uint32, shape (m,), or None
        The samples that it trains on; None is all.
    learns : bool
        Whether it learns to scale its features first.
    settings : TrainOptions
        Those of the core; shared by networks that train alike, and set for one before each epoch.
    X : ndarray or None
        All features for the core, once the job is prepared; None if it copies its own.
    is_scaled : bool
        Whether those are scaled already.
    own : CheckedSamples or None
        A copy of the samples it trains on, scaled for this network alone, while it is kept.
    scaling : tuple of bytes, or None
        How features are scaled.
    before : tuple
        What it was before: epoch, names of the features, and scaling.
    loop : FitLoop
        The work after each epoch, if there is any.
    report : EpochReport
        That of its last epoch.
    n_threads : int
        The limit of threads for its steps.
    outcome : History or DivergenceError
        Once the training ended.
    like : Job
        One before it that is the same but for its network, if there is one.
    """

    network: Network
    model: Model
    options: FitOptions
    samples: CheckedSamples
    weight: NDArray[Any] | None
    rows: NDArray[np.uint32] | None
    held_out: HeldOut | None
    of_samples: dict[str, Any]
    learns: bool
    settings: TrainOptions | None = None
    X: NDArray[Any] | None = None
    is_scaled: bool = True
    own: CheckedSamples | None = None
    scaling: tuple[bytes, ...] | None = None
    before: tuple[Any, ...] = ()
    loop: FitLoop | None = None
    report: EpochReport | None = None
    n_threads: int = 1
    outcome: Outcome | None = None
    like: "Job | None" = None

    def __len__(self) -> int:
        return len(self.samples) if self.rows is None else len(self.rows)

    @property
    def is_followed(self) -> bool:
        """Whether there is work after each epoch."""
        options = self.options
        return bool(options.callbacks or options.checkpoint or options.plateau or self.held_out)

    @property
    def followed(self) -> FitLoop:
        """The work after each epoch of a job that has begun."""
        assert self.loop is not None
        return self.loop

    def of_another(self, network: Network, model: Model, before: tuple[Any, ...]) -> "Job":
        """Return the same job of another network."""
        job = Job(
            network, model, self.options, self.samples, self.weight, None, self.held_out, {}, False
        )
        job.before, job.like = before, self
        return job

    @property
    def bytes_of_copy(self) -> int:
        """The memory of the features it trains on."""
        return len(self) * self.model.features * self.model.dtype.itemsize

    def part(self) -> CheckedSamples:
        """Return a copy of the samples it trains on."""
        samples = replace(self.samples, weight=self.weight)
        return samples if self.rows is None else samples.of_rows(self.rows.astype(np.intp))

    def learn_scaling(self, data: Data) -> None:
        """Learn how to scale the features, if it does."""
        if self.learns and self.rows is None:
            data.learn_scaling(self.model, self.part())
        elif self.learns:
            learn_from(self.model, self.part())
        self.scaling = scaling_of(self.model)

    def prepare(self, data: Data, shared: dict[Any, TrainOptions], *, scales_alone: bool) -> None:
        """Make the settings for the core, and check the batches of each epoch."""
        optimizer = self.options.optimizer
        if isinstance(optimizer, LBFGS):
            return
        if self.like is not None:
            settings = self.settings = self.like.settings
            self.X, self.is_scaled = self.like.X, self.like.is_scaled
            assert settings is not None
            self.model.core.check_batches(len(self.samples), self.weight, None, settings)
            return
        rows = len(self)
        kind = id(optimizer), rows
        if kind not in shared:
            shared[kind] = self.options.to_core(optimizer, self.model.dtype, rows)
        self.settings = shared[kind]
        self.X, self.is_scaled = data.features(self.model, self.samples, alone=scales_alone)
        weight = self.weight if self.weight is None or self.rows is None else self.weight[self.rows]
        self.model.core.check_batches(rows, weight, None, self.settings)

    def begin(self, *, records: bool = False) -> None:
        """Make the loop around the epochs, and resume from a checkpoint if there is one.

        It `records` the report of each for those that follow all networks.
        """
        recorders = (_Recorder(self),) if records else ()
        file = None
        if self.settings is not None:
            file = checkpoint_file(
                self.model, self.options, self.settings, len(self), None, self.of_samples
            )
        whose = self.network, self.model, range(len(self))
        self.loop = fit_loop(*whose, self.held_out, self.options, recorders, file)
        if file is not None and self.settings is not None:
            resume(self.loop, file, self.options.saved, self.settings)

    def scaled_part(self) -> CheckedSamples | None:
        """Return a copy of the samples it trains on, if nobody else has their features scaled."""
        if self.X is not None or self.settings is None:
            return None
        part = self.part()
        return replace(part, X=scaled(self.model, part.X))

    def core_job(self) -> _core.TrainJob:
        """Return the training for the core."""
        core, settings, own = self.model.core, self.settings, self.own or self.scaled_part()
        assert settings is not None
        if own is not None:
            return _core.TrainJob(core, own.X, own.y, own.weight, settings)
        assert self.X is not None
        y, weight, rows = self.samples.y, self.weight, self.rows
        return _core.TrainJob(core, self.X, y, weight, settings, rows, self.is_scaled)

    def core_job_of(self, epoch: int) -> _core.TrainJob:
        """Return the training of one epoch, counted from 0."""
        assert self.settings is not None
        if self.scaling != scaling_of(self.model):  # by a callback; the features are scaled already
            raise RuntimeError("the scaling of features cannot change while a network is trained")
        self.settings.first_epoch, self.settings.until_epoch = epoch, epoch + 1
        self.settings.rate_factor = self.followed.rate_factor
        return self.core_job()

    def take(self, reports: Any) -> bool:
        """Handle the reports of the core about one epoch; True if the training continues."""
        if isinstance(reports, tuple):
            self.outcome = diverged(reports)
            return False
        return not self.followed.end_epoch(reports[0])

    def train_alone(self, epochs: int) -> None:
        """Train the epochs that are left as its own ``fit`` would."""
        core, settings, loop = self.model.core, self.settings, self.followed
        assert settings is not None
        if loop.epochs_done == epochs:
            return
        settings.first_epoch, settings.until_epoch = loop.epochs_done, epochs
        settings.rate_factor = loop.rate_factor
        self.n_threads = core.threads_for(settings.batch_size, self.options.n_threads)
        part = self.part()
        try:
            core.fit(part.X, part.targets, part.weight, None, settings, None, loop.end_epoch)
        except Diverged as error:
            self.outcome = diverged(error.args)

    def leave_no_trace(self) -> None:
        """Undo what precedes the first epoch, which diverged, as ``fit`` does."""
        epoch, names, scalings = self.before
        core = self.model.core
        if core.epoch == epoch:
            self.model.feature_names = names
            put = (core.set_input_scaling, core.set_output_scaling)
            for scaling, setter in zip(scalings, put, strict=True):
                setter(*(scaling if scaling is not None else (None, None)))

    def explain(self) -> None:
        """Say of a training that diverged if its network had no numbers before."""
        assert isinstance(self.outcome, DivergenceError)
        if not np.isfinite(self.model.core.parameters).all():  # although restored
            self.outcome.add_note(
                "the network had parameters that are not finite before: set them, or create it "
                "again"
            )

    def end(self) -> None:
        """Restore the best weights if asked to, and make the history."""
        if self.outcome is None and self.loop is not None:
            self.outcome = self.loop.end((), self.n_threads)


class _Recorder(Callback):
    """Keeps the report of each epoch for those that follow all networks."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def on_epoch_end(self, network: Network, report: EpochReport) -> None:  # noqa: ARG002
        self._job.report = report


def make_job(
    data: Data,
    network: Network,
    model: Model,
    options: FitOptions,
    rows: NDArray[np.uint32] | None,
    *,
    learns: bool,
    copies_too: bool = False,
) -> Job:
    """Read the samples of one network, and those held out, with `copies_too` all copies of one."""
    samples = data.samples(model, options.sample_weight)
    job = Job(network, model, options, samples, samples.weight, rows, None, {}, learns)
    if options.checkpoint is not None:
        job.of_samples = fingerprint.of_samples(job.part())
    if options.validation_fraction is None:
        job.held_out = data.held_out(model, options)
    else:
        _hold_out(job, options.validation_fraction, copies_too=copies_too)
    if options.class_weight is not None:
        _weigh_classes(job, options.class_weight)
    return job


def _hold_out(job: Job, fraction: float, *, copies_too: bool) -> None:
    """Hold out samples as ``fit`` does: those that are left are rows of the same arrays."""
    samples, rows, saved = job.samples, job.rows, job.options.saved
    y = samples.y if rows is None else samples.y[rows]
    weight = job.weight if job.weight is None or rows is None else job.weight[rows]
    seed = job.model.core.seed if saved is None else saved.core.seed

    def split(at: NDArray[np.intp] | slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return split_rows(
            y[at], None if weight is None else weight[at], fraction, job.model.loss, seed
        )

    if rows is None:
        train, apart = split(slice(None))
    else:
        parts = copies_together(rows, split) if copies_too else split(slice(None))
        train, apart = (rows[part].astype(np.intp) for part in parts)
    job.rows = np.ascontiguousarray(train, np.uint32)
    job.held_out = HeldOut(samples.of_rows(apart), job.options.metrics, job.model.loss)


def _weigh_classes(job: Job, class_weight: Any) -> None:
    """Multiply the weights with those of the classes, counted in the rows of the job."""
    rows = slice(None) if job.rows is None else job.rows
    model, samples = job.model, job.samples
    weight = None if job.weight is None else job.weight[rows]
    y, weight = targets_and_weights(
        class_weight, samples.y[rows], weight, model.loss, model.outputs, model.dtype
    )
    # The same for a row that repeats; what it is for others does not matter.
    if model.loss.heads:
        whole = np.repeat(y[:1], len(samples), axis=0)
        whole[rows] = y
        job.samples = replace(samples, y=whole)
    if weight is not None:
        job.weight = np.zeros(len(samples), model.dtype)
        job.weight[rows] = weight


def train_at_once(jobs: list[Job], n_threads: int) -> None:
    """Train all networks without anything that follows them.

    The history of a network is made while others are still trained.
    """
    for some in _in_turns(jobs):
        _train_to_the_end(some, n_threads)


def _in_turns(jobs: list[Job]) -> Iterator[list[Job]]:
    """Divide jobs into those of one call of the core: as many copies of features as fit."""
    scaling = [job for job in jobs if job.X is None]
    if len(scaling) < len(jobs):
        yield [job for job in jobs if job.X is not None]
    at_once = max(_FEW, _MOST_BYTES // max((job.bytes_of_copy for job in scaling), default=1))
    for first in range(0, len(scaling), at_once):
        yield scaling[first : first + at_once]


def _train_to_the_end(jobs: list[Job], n_threads: int) -> None:
    """Train networks in one call of the core."""
    before: tuple[list[float], ...] = [], []

    def ended(i: int, outcome: Any) -> None:
        nonlocal before
        job = jobs[i]
        if isinstance(outcome, tuple):
            job.outcome = diverged(outcome)
            return
        job.outcome = history_of(outcome, job.model, range(len(job)), n_threads=1)
        # Networks side by side share these numbers, and so the objects.
        shared = job.outcome.epoch_seconds, job.outcome.learning_rate
        for series, last in zip(shared, before, strict=True):
            if series == last:
                series[:] = last
        before = shared

    train_function(jobs[0].model)([job.core_job() for job in jobs], n_threads, ended=ended)


def train_by_lbfgs(job: Job, n_threads: int) -> None:
    """Train one network with L-BFGS, all its samples in each step."""
    assert isinstance(job.options.optimizer, LBFGS)
    core, loop = job.model.core, job.followed
    loop.begin()
    samples = job.part().apart_from(core.parameters)
    try:
        iterations = minimise(core, samples, job.options.optimizer, loop, n_threads)
    except DivergenceError as error:
        job.outcome = error
        return
    history = loop.end(iterations, core.threads_for(len(job), n_threads))
    warn_if_not_converged(history, stacklevel=8)  # the line that calls train_many
    job.outcome = history


def diverged(outcome: tuple[int, float, float]) -> DivergenceError:
    """Return the error about a network whose loss was not finite."""
    epoch, loss, rate = outcome
    return DivergenceError(epoch + 1, loss, rate)


def train_function(model: Model) -> Callable[..., list[Any]]:
    """Return the function of the core that trains jobs of networks of its dtype."""
    return _core.train_many32 if model.dtype == np.float32 else _core.train_many64


def share_lanes(jobs: list[Job]) -> bool:
    """Return whether some are trained side by side, in half the lanes of a vector at least."""
    single = jobs[0].model.dtype == np.float32
    lanes_of = _core.lanes_of32 if single else _core.lanes_of64
    counts = Counter(lanes_of(job.core_job()) for job in jobs)
    return any(key is not None and 2 * n >= lanes for (key, lanes), n in counts.items())
