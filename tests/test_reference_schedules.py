"""Every learning-rate schedule gives the rates of its twin in the reference, to the bit."""

import math

import pytest

import fastmlp as fm
from fastmlp import reference
from fastmlp.fitting.plateau_watch import PlateauWatch


def settings(rng):
    """Draw schedules: name and arguments."""
    share = lambda: float(rng.uniform(0.01, 0.99))  # noqa: E731
    epochs = lambda: None if rng.integers(2) else int(rng.integers(1, 9))  # noqa: E731
    yield "StepDecay", (share(), share(), int(rng.integers(1, 5)))
    yield "ExponentialDecay", (share(), share())
    yield "CosineDecay", (share(), share(), epochs())
    yield "OneCycle", (share(), share(), share(), share(), epochs())


def test_the_same_bits(rng):
    for _ in range(40):
        per_epoch, total = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        for kind, arguments in settings(rng):
            ours, twin = (getattr(lib, kind)(*arguments) for lib in (fm, reference))
            warm, shift = int(rng.integers(1, 30)), bool(rng.integers(2))
            warmed = tuple(
                lib.LinearWarmup(one, warm, shift) for lib, one in ((fm, ours), (reference, twin))
            )
            for step in range(per_epoch * total):
                for one, other in ((ours, twin), warmed):
                    assert one.rate_at(step, per_epoch, total) == other.rate_at(
                        step, per_epoch, total
                    ), (one, step, per_epoch, total)


@pytest.mark.parametrize("library", [fm, reference])
@pytest.mark.parametrize("kind", ["CosineDecay", "OneCycle", "InverseScaling", "StepDecay"])
def test_a_schedule_after_its_warm_up(library, kind):
    """As the same schedule over a fit of the steps that are left."""
    per_epoch, warm = 4, 8
    schedule = getattr(library, kind)(0.3)
    warmed = library.LinearWarmup(schedule, warm, shift=True)
    for step in range(warm):
        first = schedule.rate_at(0, per_epoch, 5)
        assert warmed.rate_at(step, per_epoch, 7) == pytest.approx(first * (step + 1) / warm)
    for step in range(5 * per_epoch):
        rate = warmed.rate_at(warm + step, per_epoch, 7)
        assert rate == schedule.rate_at(step, per_epoch, 5)


@pytest.mark.parametrize("library", [fm, reference])
def test_a_warm_up_longer_than_the_fit(library):
    for kind in ("CosineDecay", "OneCycle"):
        warmed = library.LinearWarmup(getattr(library, kind)(0.3), 50, shift=True)
        rates = [warmed.rate_at(step, 4, 5) for step in range(20)]
        assert rates == pytest.approx([rates[0] * (step + 1) for step in range(20)])


def test_what_checkpoints_compare_is_what_it_was():
    assert repr(fm.LinearWarmup(0.1, 3)) == "LinearWarmup(after=0.1, steps=3)"
    assert repr(fm.LinearWarmup(0.1, 3, True)) == "LinearWarmup(after=0.1, steps=3, shift=True)"
    assert repr(fm.Plateau(0.1)) == (
        "Plateau(learning_rate=0.1, factor=0.1, patience=10, min_delta=0.0001, minimum=0.0, "
        "monitor='loss')"
    )
    assert "mode='max', cooldown=2" in repr(fm.Plateau(0.1, mode="max", cooldown=2))


VALUES = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, math.nan, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({"patience": 0}, VALUES, [1, 1, 0.5, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]),
        ({"patience": 1}, VALUES, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]),
        ({"patience": 0, "cooldown": 2}, VALUES, [1, 1] + [0.5] * 4 + [0.25] * 3 + [0.2] * 2),
        ({"patience": 0, "mode": "max"}, [1, 2, 3, 3, 4], [1, 1, 1, 0.5, 0.5]),
        ({"patience": 0, "mode": "max"}, [-4, -3, -3, -2], [1, 1, 0.5, 0.5]),
    ],
)
def test_plateaus(options, values, expected):
    """What a rate is multiplied with after each epoch; PyTorch's ReduceLROnPlateau alike."""
    options = {"factor": 0.5, "min_delta": 0.0, "min_lr": 0.02, **options}
    ours = PlateauWatch(fm.Plateau(0.1, **options), {"loss": False})
    twin = reference.plateau.PlateauWatch(reference.Plateau(0.1, **options), ["loss"])
    factors = []
    for epoch, value in enumerate(values, start=1):
        factors.append(ours.after_epoch(fm.EpochReport(epoch, 99, value, None, None, 0.0, 1)))
        twin.after_epoch(reference.EpochReport(epoch, 99, value, None, None, 0.0, 1))
        assert twin.factor == factors[-1]
    assert factors == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("library", [fm, reference])
def test_two_names_of_the_least_rate(library):
    assert library.Plateau(0.1, min_lr=0.01) == library.Plateau(0.1, minimum=0.01)
    with pytest.raises(ValueError, match="min_lr is another name of minimum"):
        library.Plateau(0.1, min_lr=0.01, minimum=0.02)


def test_a_constant_rate_warmed_up():
    for step in range(20):
        ours, twin = (lib.LinearWarmup(0.3, 13).rate_at(step, 4, 5) for lib in (fm, reference))
        assert ours == twin


def test_inverse_scaling(rng):
    """Logarithms 2 and 1 units off, their product, exponentials 2 and 1, quotient, product."""
    for power in (0.0, 0.5, 1.0, *rng.uniform(0, 3, 20)):
        ours, twin = (lib.InverseScaling(0.2, power) for lib in (fm, reference))
        for step in (0, 1, 2, 9, 1000, 10**6, 10**9):
            exponent = power * math.log(step + 1)
            units = 2 * (exponent * (3 + 1) / 2 + 3 + 2)
            expected = twin.rate_at(step, 9, 9)
            assert ours.rate_at(step, 9, 9) == pytest.approx(expected, rel=units * 2.0**-52)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("StepDecay", (0.1, 0.0), "factor"),
        ("StepDecay", (0.1, 0.5, 0), "every"),
        ("ExponentialDecay", (0.1, 1.5), "factor"),
        ("CosineDecay", (0.0,), "learning_rate"),
        ("CosineDecay", (0.1, -0.1), "final"),
        ("CosineDecay", (0.1, 0.1, 0), "epochs"),
        ("OneCycle", (0.1, 0.1, 0.1, 1.0), "rise"),
        ("InverseScaling", (0.1, -1.0), "power"),
        ("LinearWarmup", (0.1, 0), "steps"),
        ("Plateau", (0.1, 1.0), "factor"),
        ("Plateau", (0.1, 0.1, 10, 1e-4, 0.0, "loss", "up"), "mode"),
        ("Plateau", (0.1, 0.1, 10, 1e-4, 0.0, "loss", "max", -1), "cooldown"),
    ],
)
def test_both_refuse(kind, arguments, message):
    for library in (fm, reference):
        with pytest.raises(ValueError, match=message):
            getattr(library, kind)(*arguments)


def test_what_cannot_be_warmed_up():
    for library in (fm, reference):
        for after in (library.Plateau(0.1), library.LinearWarmup(0.1, 3)):
            with pytest.raises(TypeError, match="after"):
                library.LinearWarmup(after, 5)
