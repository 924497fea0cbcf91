"""Optimizers and schedules: whole fits against torch.optim, and what holds to the bit."""

import math
from dataclasses import replace

import numpy as np
import pytest

import fastmlp as fm

LAYERS, BATCH, EPOCHS = [10, 20, 4], 16, 5
ROWS = 4 * BATCH - 5  # the last batch is short
STEPS = 4 * EPOCHS
LAMBDA = 5  # as in test_against_reference.py, which derives the bound

OPTIMIZERS = {
    "sgd": fm.SGD(0.1),
    "momentum": fm.SGD(0.05, momentum=0.9),
    "nesterov": fm.SGD(0.05, momentum=0.9, nesterov=True),
    "l2": fm.SGD(0.05, momentum=0.9, l2=0.01),
    "l1": fm.SGD(0.05, l1=0.001, decay_biases=False),
    "adam": fm.Adam(0.01),
    "adam_l2": fm.Adam(0.01, l2=0.01),
    "adamw": fm.AdamW(0.01, weight_decay=0.1),
    "rmsprop": fm.RMSprop(0.003),
    "rmsprop_momentum": fm.RMSprop(0.003, momentum=0.5),
    "clip_norm": fm.SGD(0.1, clip_norm=0.1),
    "clip_value": fm.Adam(0.01, clip_value=0.01),
}
SCHEDULES = {
    "step": fm.StepDecay(0.1, 0.5, 2),
    "exponential": fm.ExponentialDecay(0.1, 0.9),
    "cosine": fm.CosineDecay(0.1),
    "one_cycle": fm.OneCycle(0.1),
}


def network(dtype="float64"):
    return fm.Network(LAYERS, activation="tanh", seed=1, dtype=dtype)


def samples(dtype="float64"):
    rng = np.random.default_rng(0)
    return rng.standard_normal((ROWS, LAYERS[0])).astype(dtype), rng.integers(0, 4, ROWS)


def fitted(optimizer, dtype="float64", epochs=EPOCHS, disturbance=0.0):
    net = network(dtype)
    rng = np.random.default_rng(3)
    net.parameters *= 1 + disturbance * rng.choice([-1, 1], net.n_parameters)
    net.fit(*samples(dtype), epochs, BATCH, optimizer=optimizer, shuffle=False)
    return net


def bound(optimizer, dtype):
    """How far two trajectories may be apart: their roundings, times what becomes of one."""
    change = fitted(optimizer, disturbance=1e-9).parameters - fitted(optimizer).parameters
    growth = max(1.0, np.abs(change).max() / (1e-9 * np.abs(network().parameters).max()))
    assert growth < 100
    roundings = 2 * STEPS * (len(LAYERS) - 1) * (max(LAYERS) + 16)  # 16: an optimizer's own, too
    return LAMBDA * math.sqrt(roundings) * float(np.finfo(dtype).eps) / 2 * growth


def torch_parameters(optimizer, dtype, schedule=None):
    """Train in torch, in float64, as `fitted` does; return the flat parameters."""
    torch = pytest.importorskip("torch")
    net, (X, y) = network(dtype), samples(dtype)
    W = [torch.tensor(w.astype(float), requires_grad=True) for w in net.weights]
    b = [torch.tensor(w.astype(float), requires_grad=True) for w in net.biases]
    parameters = [p for pair in zip(W, b, strict=True) for p in pair]
    rule = torch_optimizer(torch, optimizer, W, b)
    scheduler, per_epoch = schedule(torch, rule) if schedule else (None, False)
    for _ in range(EPOCHS):
        for i in range(0, ROWS, BATCH):
            rule.zero_grad()
            rows = torch.tensor(X[i : i + BATCH].astype(float))
            outputs = torch.tanh(rows @ W[0] + b[0]) @ W[1] + b[1]
            loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(y[i : i + BATCH]))
            (loss + optimizer.l1 * sum(w.abs().sum() for w in W)).backward()
            if optimizer.clip_norm:
                torch.nn.utils.clip_grad_norm_(parameters, optimizer.clip_norm)
            if optimizer.clip_value:
                torch.nn.utils.clip_grad_value_(parameters, optimizer.clip_value)
            rule.step()
            if scheduler and not per_epoch:
                scheduler.step()
        if scheduler and per_epoch:
            scheduler.step()
    return np.concatenate([p.detach().numpy().ravel() for p in parameters])


def torch_optimizer(torch, o, W, b):
    parameters = [p for pair in zip(W, b, strict=True) for p in pair]
    rate = o.base_rate
    if isinstance(o, fm.SGD):
        return torch.optim.SGD(parameters, rate, o.momentum, 0, o.l2, o.nesterov)
    if isinstance(o, fm.RMSprop):
        return torch.optim.RMSprop(parameters, rate, o.rho, o.epsilon, o.l2, o.momentum)
    betas = (o.beta_1, o.beta_2)
    if isinstance(o, fm.AdamW):
        return torch.optim.AdamW(parameters, rate, betas, o.epsilon, o.weight_decay)
    return torch.optim.Adam(parameters, rate, betas, o.epsilon, o.l2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_trajectories_are_those_of_torch(name, dtype):
    optimizer = OPTIMIZERS[name]
    expected = torch_parameters(optimizer, dtype)
    off = np.abs(fitted(optimizer, dtype).parameters - expected).max()
    assert off <= bound(optimizer, dtype) * max(1, np.abs(expected).max())


def torch_schedule(name):
    """Return what makes torch's schedule, and whether it counts epochs."""

    def schedule(torch, rule):
        schedules = torch.optim.lr_scheduler
        if name == "step":
            return schedules.StepLR(rule, 2, 0.5), True
        if name == "exponential":
            return schedules.ExponentialLR(rule, 0.9), True
        if name == "cosine":
            return schedules.CosineAnnealingLR(rule, STEPS - 1), False
        return schedules.OneCycleLR(rule, 0.1, STEPS, cycle_momentum=False), False

    return schedule


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_torch(name, dtype):
    optimizer = fm.SGD(SCHEDULES[name])
    expected = torch_parameters(optimizer, dtype, torch_schedule(name))
    off = np.abs(fitted(optimizer, dtype).parameters - expected).max()
    assert off <= bound(optimizer, dtype) * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_bound_notices_a_small_mistake(name, dtype):
    """A rate that is off by a five-hundredth does not hide in it."""
    optimizer = OPTIMIZERS[name]
    wrong = replace(optimizer, learning_rate=1.002 * optimizer.base_rate)
    off = np.abs(fitted(wrong, dtype).parameters - fitted(optimizer, dtype).parameters).max()
    assert off > bound(optimizer, dtype)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_fits_are_one(name, dtype):
    optimizer = OPTIMIZERS[name]
    once, twice = fitted(optimizer, dtype, 4), fitted(optimizer, dtype, 2)
    twice.fit(*samples(dtype), 2, BATCH, optimizer=optimizer, shuffle=False)
    assert twice.parameters.tobytes() == once.parameters.tobytes()


@pytest.mark.parametrize("optimizer", [fm.SGD(1e24, momentum=0.9), fm.SGD(1e26, l2=1e-3)])
def test_two_fits_are_one_with_huge_weights(optimizer):
    """Zeros meet the padding of weights, which became infinite long before these."""
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((45, 3)), rng.standard_normal((45, 2))
    nets = [
        fm.Network([3, 10, 3, 2], "sigmoid", "identity", seed=0, dtype="float64") for _ in range(2)
    ]
    once = nets[0].fit(X, y, 3, 32, optimizer=optimizer, n_threads=1).loss
    each = [nets[1].fit(X, y, 1, 32, optimizer=optimizer, n_threads=1).loss[0] for _ in range(3)]
    assert once == each
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert np.abs(nets[0].parameters).max() < 1e200


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fit_is_the_three_calls(name, dtype):
    optimizer, net, (X, y) = OPTIMIZERS[name], network(dtype), samples(dtype)
    for _ in range(2):
        for i in range(0, ROWS, BATCH):
            net.forward(X[i : i + BATCH])
            net.backward(y[i : i + BATCH])
            net.update(optimizer)
    assert net.parameters.tobytes() == fitted(optimizer, dtype, 2).parameters.tobytes()


class TestRates:
    """Closed forms, within 4 roundings of float64 in the factor (8 of the cosine's 1e-15)."""

    PER_EPOCH, EPOCHS = 7, 6
    LAST = PER_EPOCH * EPOCHS - 1

    def closed_forms(self):
        half = lambda x: (1 + math.cos(math.pi * x)) / 2  # noqa: E731
        last, per_epoch = self.LAST, self.PER_EPOCH
        peak = 0.3 * (last + 1) - 1

        def cycle(s):
            if s < peak:
                return 1 - 0.96 * half(s / peak)
            return 4e-6 + (1 - 4e-6) * half((s - peak) / (last - peak))

        return [
            (fm.StepDecay(0.2, 0.5, 2), lambda s: 0.5 ** (s // per_epoch // 2)),
            (fm.ExponentialDecay(0.2, 0.9), lambda s: 0.9 ** (s // per_epoch)),
            (fm.CosineDecay(0.2, 0.1), lambda s: 0.1 + 0.9 * half(s / last)),
            (fm.OneCycle(0.2), cycle),
            (fm.InverseScaling(0.2, 0.5), lambda s: 1 / math.sqrt(s + 1)),
            (fm.LinearWarmup(0.2, 10), lambda s: min(1, (s + 1) / 10)),
        ]

    def test_closed_forms(self):
        for schedule, factor in self.closed_forms():
            for step in range(self.LAST + 1):
                got = schedule.rate_at(step, self.PER_EPOCH, self.EPOCHS)
                assert got == pytest.approx(0.2 * factor(step), rel=1e-14, abs=1e-15)

    def test_a_schedule_is_the_function_of_its_rates(self, dtype):
        for schedule, _ in self.closed_forms():
            by_function = fitted(fm.Adam(lambda s, schedule=schedule: schedule.rate_at(s, 4, 3)),
                                 dtype, 3)  # fmt: skip
            by_schedule = fitted(fm.Adam(schedule), dtype, 3)
            off = np.abs(by_function.parameters - by_schedule.parameters).max()
            assert off <= bound(fm.Adam(schedule), dtype)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_a_bad_rate_in_the_middle_leaves_the_last_step(bad, dtype):
    """The parameters are those after the last completed step."""
    net = network(dtype)
    with pytest.raises(ValueError, match="learning rate of step 4"):
        net.fit(*samples(dtype), 2, BATCH, fm.SGD(lambda s: 0.1 if s < 4 else bad), shuffle=False)
    assert net.parameters.tobytes() == fitted(fm.SGD(0.1), dtype, 1).parameters.tobytes()


@pytest.mark.parametrize(
    ("kind", "settings", "name"),
    [
        (fm.SGD, {"learning_rate": math.nan}, "learning_rate"),
        (fm.SGD, {"momentum": 1.5}, "momentum"),
        (fm.SGD, {"nesterov": True}, "momentum"),
        (fm.Adam, {"beta_2": 1.0}, "beta_2"),
        (fm.AdamW, {"weight_decay": -1}, "weight_decay"),
        (fm.RMSprop, {"epsilon": 0.0}, "epsilon"),
        (fm.SGD, {"clip_norm": 0.0}, "clip_norm"),
    ],
)
def test_settings_out_of_range(kind, settings, name):
    with pytest.raises(ValueError, match=name):
        kind(**settings)


OTHER_KINDS = [fm.SGD(0.1), fm.SGD(0.05, momentum=0.9), fm.RMSprop(0.003)]


@pytest.mark.parametrize("other", OTHER_KINDS, ids=repr)
def test_another_kind_begins_anew(other, dtype):
    changed, reset = (fitted(fm.Adam(0.01), dtype, 1) for _ in range(2))
    reset.reset_optimizer()
    for net in (changed, reset):
        net.fit(*samples(dtype), 2, BATCH, optimizer=other, shuffle=False)
    assert changed.parameters.tobytes() == reset.parameters.tobytes()
    assert changed.steps == reset.steps == 8


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (fm.SGD(), []),
        (fm.SGD(momentum=0.9), ["velocity"]),
        (fm.Adam(), ["mean", "mean_square"]),
        (fm.RMSprop(), ["mean_square"]),
        (fm.RMSprop(momentum=0.5), ["mean_square", "velocity"]),
    ],
    ids=repr,
)
def test_what_an_optimizer_remembers(optimizer, names):
    net = fitted(optimizer, epochs=1)
    assert sorted(net.optimizer_state) == names
    for moment in net.optimizer_state.values():
        assert moment.shape == net.parameters.shape
        assert moment.any()
        moment[:] = 0  # live
    assert not any(moment.any() for moment in net.optimizer_state.values())


@pytest.mark.parametrize("penalty", ["l1", "l2", "weight_decay"])
def test_penalties_leave_biases_alone_on_request(penalty):
    net = fm.Network(LAYERS, normalization="layer", seed=1)
    net.parameters[:] = 1.0
    net.update(fm.SGD(0.1, decay_biases=False, **{penalty: 0.5}))
    assert all((weights == np.float32(0.95)).all() for weights in net.weights)
    for kept in (*net.biases, *net.scales.values(), *net.shifts.values()):
        assert (kept == 1).all()


def test_a_function_is_asked_once_before_each_step_of_a_fit():
    net, asked = network(), []
    for _ in range(2):
        net.fit(*samples(), 2, BATCH, fm.SGD(lambda step: asked.append(step) or 0.1))
    assert asked == [*range(8), *range(8)]


def test_the_norm_is_the_documented_sum(dtype, fma, rng):
    """docs/arithmetic.md to the bit: sums of rows, of the previous layer's nodes where N > 16."""
    net = fm.Network([20, 33, 5], seed=1, dtype=dtype)
    net.gradients[:] = rng.standard_normal(net.n_parameters)
    before = net.parameters.copy()
    norm = 0.0
    for weights, biases in zip(net.weight_gradients, net.bias_gradients, strict=True):
        for row in (*(weights if len(biases) > 16 else weights.T), biases):
            sums = [0.0] * 16
            for i, value in enumerate(row.tolist()):
                sums[i % 16] += value * value
            for half in (8, 4, 2, 1):
                sums = [sums[r] + sums[r + half] for r in range(half)]
            norm += sums[0]
    shrink = 0.1 / (math.sqrt(norm) + 1e-6)
    T = net.dtype.type
    net.update(fm.SGD(0.3, clip_norm=0.1))
    expected = fma(np.full_like(before, -T(0.3)), net.gradients * T(shrink), before)
    assert net.parameters.tobytes() == expected.tobytes()
