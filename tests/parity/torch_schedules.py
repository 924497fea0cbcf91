"""Learning-rate schedules beside PyTorch's."""

from typing import Any

import numpy as np
import torch

import fastmlp as fm
from fastmlp.fitting.plateau_watch import PlateauWatch

ONE_STEP_RISE = "PyTorch's OneCycleLR divides by 0"


def draw_rate(rng: np.random.Generator, steps: int, epochs: int) -> Any:
    """Draw a learning rate or a schedule of it."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    rate = pick(1e-3, 0.01, 0.05)
    return pick(
        rate,
        rate,
        fm.StepDecay(rate, pick(0.5, 0.1), int(rng.integers(1, 3))),
        fm.ExponentialDecay(rate, pick(0.9, 0.5)),
        fm.CosineDecay(rate, pick(0.0, 0.1)),
        fm.OneCycle(rate, rise=pick(0.3, 0.2, 0.71)),
        fm.LinearWarmup(rate, int(rng.integers(1, steps + 3))),
        fm.LinearWarmup(fm.ExponentialDecay(rate, 0.7), int(rng.integers(1, steps + 3))),
        fm.Plateau(rate, pick(0.5, 0.1), int(rng.integers(0, 2)), pick(0.0, 0.05, 10.0)),
        fm.Plateau(rate, 0.1, 0, 10.0, minimum=rate / 5),
        fm.Plateau(rate, 0.5, 0, 10.0, cooldown=int(rng.integers(1, 3))),
    )


def schedule_of(rate: Any, rule: Any, epochs: int, steps_per_epoch: int) -> tuple[Any, str]:
    """Return PyTorch's schedule for one of ours, and after what it steps."""
    schedules, steps = torch.optim.lr_scheduler, epochs * steps_per_epoch
    match rate:
        case fm.StepDecay():
            return schedules.StepLR(rule, rate.every, rate.factor), "epoch"
        case fm.ExponentialDecay():
            return schedules.ExponentialLR(rule, rate.factor), "epoch"
        case fm.CosineDecay():
            last = max(1, steps - 1)
            return schedules.CosineAnnealingLR(rule, last, rate.final * rate.learning_rate), "step"
        case fm.OneCycle():
            return schedules.OneCycleLR(
                rule, rate.learning_rate, steps, pct_start=rate.rise, cycle_momentum=False
            ), "step"
        case fm.Plateau():
            return schedules.ReduceLROnPlateau(
                rule, factor=rate.factor, patience=rate.patience, threshold=rate.min_delta,
                threshold_mode="abs", min_lr=rate.minimum, cooldown=rate.cooldown, eps=0.0,
            ), "loss"  # fmt: skip
        case fm.LinearWarmup():
            decay = rate.after.factor if isinstance(rate.after, fm.ExponentialDecay) else 1.0
            return schedules.LambdaLR(
                rule,
                lambda s: min(1.0, (s + 1) / rate.steps) * decay ** (s // steps_per_epoch),
            ), "step"
    return None, ""


def compare_rates(seed: int) -> tuple[str, list[str]]:
    """Compare the rates of a schedule over few steps, one step among them, with PyTorch's."""
    rng = np.random.default_rng(seed)
    epochs, per_epoch = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    rate = draw_rate(rng, epochs * per_epoch, epochs)
    if not isinstance(rate, fm.settings.schedules.Schedule) or isinstance(rate, fm.Plateau):
        return "same", []
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], rate.learning_rate)
    try:
        scheduler, per = schedule_of(rate, rule, epochs, per_epoch)
    except ZeroDivisionError:
        return ONE_STEP_RISE, []
    want = []
    for step in range(epochs * per_epoch):
        want.append(rule.param_groups[0]["lr"])
        rule.step()
        if (per == "step" and step + 1 < epochs * per_epoch) or (
            per == "epoch" and (step + 1) % per_epoch == 0
        ):
            scheduler.step()
    got = [rate.rate_at(step, per_epoch, epochs) for step in range(epochs * per_epoch)]
    if np.allclose(got, want, rtol=1e-12, atol=1e-17):
        return "same", []
    return "different", [f"{rate} {epochs} epochs of {per_epoch} steps: {want} but ours {got}"]


def compare_shifted(seed: int) -> tuple[str, list[str]]:
    """Compare a warm-up before a schedule with PyTorch's SequentialLR."""
    rng = np.random.default_rng(seed)
    epochs, per_epoch = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    steps = epochs * per_epoch
    warm = int(rng.integers(1, steps - 2))
    schedules, rest = torch.optim.lr_scheduler, steps - warm
    after: Any = [fm.CosineDecay(0.05, 0.1), fm.OneCycle(0.05, initial=0.5), 0.05][rng.integers(3)]
    if rest < 4:  # no step of OneCycle has the rate from which it rises
        after = 0.05
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.05)
    if isinstance(after, fm.OneCycle):  # whose first rate is that at the end of the warm-up
        second: Any = schedules.OneCycleLR(
            rule, 0.05, rest, cycle_momentum=False, div_factor=2.0, final_div_factor=0.5 / 4e-6
        )
    elif isinstance(after, fm.CosineDecay):
        second = schedules.CosineAnnealingLR(rule, max(1, rest - 1), 0.1 * 0.05)
    else:
        second = schedules.ConstantLR(rule, 1.0)
    first = schedules.LinearLR(rule, 1.0 / warm, total_iters=warm - 1)
    scheduler = schedules.SequentialLR(rule, [first, second], [warm])
    want = []
    for step in range(steps):
        want.append(rule.param_groups[0]["lr"])
        rule.step()
        if step + 1 < steps:
            scheduler.step()
    rate = fm.LinearWarmup(after, warm, shift=True)
    got = [rate.rate_at(step, per_epoch, epochs) for step in range(steps)]
    if np.allclose(got, want, rtol=1e-12, atol=1e-17):
        return "same", []
    return "different", [f"{rate} {steps} steps: {want} but ours {got}"]


def compare_plateau(seed: int) -> tuple[str, list[str]]:
    """Compare the rates after any losses, or scores, with PyTorch's ReduceLROnPlateau."""
    rng = np.random.default_rng(seed)
    mode, monitor = [("min", "loss"), ("max", "validation_accuracy")][rng.integers(2)]
    plateau = fm.Plateau(
        0.1, [0.5, 0.1][rng.integers(2)], int(rng.integers(0, 3)), [0.0, 0.1][rng.integers(2)],
        [0.0, 1e-3][rng.integers(2)], monitor, mode, int(rng.integers(0, 3)),
    )  # fmt: skip
    rule = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        rule, mode, plateau.factor, plateau.patience, plateau.min_delta, "abs", plateau.cooldown,
        plateau.minimum, eps=0.0,
    )  # fmt: skip
    watch = PlateauWatch(plateau)
    values = np.round(rng.random(30), 2)
    for epoch, value in enumerate(values.tolist()):
        report = fm.EpochReport(epoch + 1, 30, value, value, value, 1.0, 1)
        scheduler.step(value)
        want, got = rule.param_groups[0]["lr"], 0.1 * watch.after_epoch(report)
        if not np.isclose(got, want, rtol=1e-12):
            return "different", [f"{plateau} epoch {epoch} of {values}: {want} but ours {got}"]
    return "same", []
