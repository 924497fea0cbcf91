"""Every learning-rate schedule gives the rates of its twin in the reference, to the bit."""

import math

import pytest

import fastmlp as fm
from fastmlp import reference


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
            warm = int(rng.integers(1, 30))
            warmed = fm.LinearWarmup(ours, warm), reference.LinearWarmup(twin, warm)
            for step in range(per_epoch * total):
                for one, other in ((ours, twin), warmed):
                    assert one.rate_at(step, per_epoch, total) == other.rate_at(
                        step, per_epoch, total
                    ), (one, step, per_epoch, total)


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
        ("Plateau", (0.1, 0.1, 10, 1e-4, 0.0, "accuracy"), "monitor"),
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
