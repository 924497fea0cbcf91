"""Rules of updates for the tests of kernels, and which moments they have."""

STEPS = ["descend", "momentum", "nesterov", "adam", "rmsprop", "rmsprop_momentum"]
PLAIN = {
    "rate": 0.03, "gain": 1.0, "momentum": 0.9, "mean_gain": 0.1,
    "square_decay": 0.99, "square_gain": 0.01, "epsilon": 1e-3,
}  # fmt: skip
ADJUSTED = PLAIN | {
    "shrink": 0.7, "limit": 0.8, "l1": 0.02, "l2": 0.05, "keep": 0.995, "gain": 0.3,
}  # fmt: skip
KINDS = [(step, rule) for step in STEPS for rule in (PLAIN, ADJUSTED)]


def moments_of(step, u, s):
    """The moments that a kernel needs for a step."""
    has_u, has_s = step not in ("descend", "rmsprop"), "adam" in step or "rms" in step
    return u if has_u else None, s if has_s else None


def settings_of(step, rule):
    """The first three arguments of the kernels."""
    return STEPS.index(step), rule is ADJUSTED, rule
