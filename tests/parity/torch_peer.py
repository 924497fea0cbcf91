"""Random trainings of ``fastmlp.Network`` beside the same in PyTorch, on the CPU.

Networks, losses, optimizers, schedules and normalisations are drawn from one seed; parameters,
running averages, the losses and rates of the epochs, and predictions are compared. Half of the
cases have rows of zeros before biases of zero, and targets that outputs hit exactly, so that
slopes at exactly 0 count. As in `estimators`, how far apart two courses may be is measured: PyTorch
trains once more with features disturbed by many roundings, or with parameters where all features
are 0.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import fastmlp as fm
from parity.torch_schedules import ONE_STEP_RISE, draw_rate, schedule_of

DISTURBANCE = 2.0**12  # in units of eps: more than the roundings of sums and steps come to
FUSED = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exp"}
ACTIVATIONS = (
    *("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "relu6", "hardswish"),
    *("sigmoid", "tanh", "softplus"),
)
functional = torch.nn.functional


@dataclass
class Case:
    """A network, its data, and how it is trained."""

    seed: int
    network: dict[str, Any]
    X: Any
    y: Any
    weights: Any
    epochs: int
    batch_size: int
    optimizer: Any

    def __str__(self) -> str:
        return (
            f"seed={self.seed} {self.network} X={self.X.shape} y={self.y.shape} "
            f"weights={self.weights is not None} {self.epochs} epochs of {self.batch_size} "
            f"{self.optimizer}"
        )

    @property
    def loss(self) -> Any:
        """The loss as for PyTorch: a name and a parameter."""
        return self.network["loss"]


def draw(seed: int) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    dtype = pick("float64", "float64", "float32")
    outputs, features, n = (
        int(rng.integers(1, 5)),
        int(rng.integers(1, 6)),
        int(rng.integers(2, 40)),
    )
    loss = pick(
        *("cross_entropy", "binary_cross_entropy", "poisson", "mean_squared_error"),
        *("mean_absolute_error", fm.Huber(pick(0.3, 1.0)), fm.CrossEntropy(pick(0.1, 1.0))),
    )
    if isinstance(loss, fm.CrossEntropy) or loss == "cross_entropy":
        output, outputs = "softmax", max(outputs, 2)
    else:
        output = FUSED.get(loss if isinstance(loss, str) else "") or pick(
            "identity", "sigmoid", "exp", *ACTIVATIONS
        )
    hidden = [
        fm.Dense(
            int(rng.integers(1, 20)), pick(*ACTIVATIONS, "identity"), pick(None, None, "layer")
        )
        for _ in range(rng.integers(0, 3))
    ]
    batch_size = pick(1, 5, n)
    if rng.random() < 0.3 and n >= 4:
        batch_size = n // 2  # no batch of one row
        n = 2 * batch_size
        hidden = [fm.Dense(d.nodes, d.activation, "batch") for d in hidden]
    network = {
        "layers": [features, *hidden, fm.Dense(outputs, output)],
        "loss": loss,
        "dtype": dtype,
    }
    X = rng.standard_normal((n, features))
    if rng.random() < 0.5:
        X[rng.random(n) < 0.4] = 0.0
    if rng.random() < 0.2:
        X[:, 0] = 0.0
    weights = None
    if rng.random() < 0.3 and not any(d.normalization == "batch" for d in hidden):
        weights = rng.random(n) + 0.1
        if batch_size == n:
            weights[1:][rng.random(n - 1) < 0.3] = 0.0
    epochs = int(rng.integers(1, 6))
    steps = epochs * -(-n // batch_size)
    case = Case(seed, network, X.astype(dtype), None, weights, epochs, batch_size, None)
    case.y = draw_targets(rng, case, n, outputs, output)
    case.optimizer = draw_optimizer(rng, draw_rate(rng, steps, epochs), dtype)
    if loss not in FUSED or any(d.normalization for d in hidden):
        # Gradients that would be 0 are roundings: so are the parameters they move, whose sign is
        # none.
        case.optimizer = replace(case.optimizer, l1=0.0)
    return case


def draw_targets(rng: np.random.Generator, case: Case, n: int, outputs: int, output: str) -> Any:
    """Draw targets that fit the loss; of regressions some that the outputs hit exactly."""
    dtype, loss = case.network["dtype"], case.loss
    if output == "softmax":
        if rng.random() < 0.7:
            return rng.integers(0, outputs, n)
        y = rng.random((n, outputs)).astype(dtype)
        return y / y.sum(axis=1, keepdims=True)
    if loss == "binary_cross_entropy":
        return rng.integers(0, 2, (n, outputs)).astype(dtype)
    if loss == "poisson":
        return rng.poisson(2.0, (n, outputs)).astype(dtype)
    y = rng.standard_normal((n, outputs)).astype(dtype)
    hit = rng.random(n) < (0.4 if rng.random() < 0.5 else 0.0)
    if loss == "mean_absolute_error":  # where nothing but 0 is added, so that no rounding decides
        hit &= (case.X == 0).all(axis=1) & (len(case.network["layers"]) == 2)
    y[hit] = network(case).predict(case.X)[hit]
    return y


def draw_optimizer(rng: np.random.Generator, rate: Any, dtype: str) -> Any:
    """Draw an optimizer with penalties and clipping."""
    pick = lambda *options: options[rng.integers(len(options))]  # noqa: E731
    shared = {
        "l1": pick(0.0, 0.0, 1e-3),
        "l2": pick(0.0, 0.0, 0.1),
        "clip_value": pick(None, None, 0.05),
        "clip_norm": pick(None, None, 0.1, 10.0),
        "decay_biases": pick(True, True, False),
    }
    epsilon = pick(1e-8, 1e-3, 1e-2) if dtype == "float64" else 1e-3
    betas = {"beta_1": pick(0.9, 0.0), "beta_2": pick(0.999, 0.9), "epsilon": epsilon}
    momentum = pick(0.0, 0.9)
    return pick(
        fm.SGD(rate, momentum, nesterov=momentum > 0 and bool(pick(0, 1)), **shared),
        fm.Adam(rate, **betas, **shared),
        fm.AdamW(rate, **betas, **shared, weight_decay=pick(0.01, 0.0, 1.0)),
        fm.RMSprop(rate, pick(0.99, 0.5), epsilon, momentum, **shared),
    )


def network(case: Case) -> fm.Network:
    """Return the network of a case, its biases at 0."""
    return fm.Network(case.network["layers"], loss=case.loss, dtype=case.network["dtype"], seed=1)


def ours(case: Case) -> dict[str, Any]:
    """Train here; return what is compared."""
    net = network(case)
    history = net.fit(
        case.X, case.y, case.epochs, case.batch_size, case.optimizer,
        sample_weight=case.weights, shuffle=False,
    )  # fmt: skip
    return {
        "parameters": net.parameters.copy(),
        "statistics": net.statistics.copy(),
        "loss": np.array(history.loss),
        "rates": np.array(history.learning_rate),
        "predict": net.predict(case.X),
        "evaluate": net.evaluate(case.X, case.y, sample_weight=case.weights).loss,
    }


def theirs(case: Case, X: Any, factors: Any = 1.0) -> dict[str, Any]:
    """Train in PyTorch, from the first parameters times factors; return the same."""
    start = network(case)
    start.parameters *= factors
    model = start.to_torch()
    output = start.layers[-1].activation
    body = model[:-1] if output in ("softmax", "sigmoid", "exp") else model
    if case.loss not in FUSED and not isinstance(case.loss, fm.CrossEntropy):
        body = model
    features = torch.tensor(X)
    is_label = case.y.ndim == 1
    y = torch.tensor(case.y, dtype=None if is_label else features.dtype)
    weights = None if case.weights is None else torch.tensor(case.weights).to(features.dtype)
    parameters = list(model.parameters())
    decayed = [p for p in parameters if p.ndim == 2 or case.optimizer.decay_biases]
    rule = optimizer_of(case.optimizer, parameters, decayed)
    steps_per_epoch = -(-len(X) // case.batch_size)
    scheduler, per = schedule_of(case.optimizer.learning_rate, rule, case.epochs, steps_per_epoch)
    model.train()
    losses, rates = [], []
    for _ in range(case.epochs):
        total = whole = 0.0
        for first in range(0, len(X), case.batch_size):
            rows = slice(first, first + case.batch_size)
            w = torch.ones(len(features[rows])) if weights is None else weights[rows]
            rule.zero_grad()
            each = sample_losses(case.loss, body(features[rows]), y[rows])
            w = w.to(each.dtype)
            loss = (w * each).sum() / w.sum()
            loss.backward()
            clip(case.optimizer, parameters)
            add_penalties(case.optimizer, decayed)
            rates.append(rule.param_groups[0]["lr"])
            rule.step()
            if per == "step":
                scheduler.step()
            total += float((w * each).sum())
            whole += float(w.sum())
        losses.append(total / whole)
        if per == "epoch":
            scheduler.step()
        if per == "loss":
            scheduler.step(losses[-1])
    model.eval()
    trained = fm.from_torch(model, output=output, loss=case.loss)
    with torch.no_grad():
        w = torch.ones(len(X)) if weights is None else weights
        each = sample_losses(case.loss, body(torch.tensor(case.X)), y)
        evaluated = float((w.to(each.dtype) * each).sum() / w.sum())
        predicted = model(torch.tensor(case.X)).numpy()
    return {
        "parameters": trained.parameters.copy(),
        "statistics": trained.statistics.copy(),
        "loss": np.array(losses),
        "rates": np.array(rates[steps_per_epoch - 1 :: steps_per_epoch]),
        "predict": predicted,
        "evaluate": evaluated,
    }


def sample_losses(loss: Any, z: Any, y: Any) -> Any:
    """Return PyTorch's loss of each sample, a mean over the outputs but for cross-entropy."""
    if isinstance(loss, fm.CrossEntropy) or loss == "cross_entropy":
        smoothing = 0.0 if isinstance(loss, str) else loss.label_smoothing
        return functional.cross_entropy(z, y, reduction="none", label_smoothing=smoothing)
    if isinstance(loss, fm.Huber):
        each = functional.huber_loss(z, y, reduction="none", delta=loss.delta)
    else:
        each = {
            "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
            "poisson": functional.poisson_nll_loss,
            "mean_squared_error": functional.mse_loss,
            "mean_absolute_error": functional.l1_loss,
        }[loss](z, y, reduction="none")
    return each.mean(dim=1)


def clip(o: Any, parameters: list[Any]) -> None:
    """Clip the gradients as an optimizer of ours does: first their norm, then each."""
    if o.clip_norm:
        torch.nn.utils.clip_grad_norm_(parameters, o.clip_norm)
    if o.clip_value:
        torch.nn.utils.clip_grad_value_(parameters, o.clip_value)


def add_penalties(o: Any, parameters: list[Any]) -> None:
    """Add to the gradients, clipped already, what PyTorch's own optimizer has no argument for."""
    l2 = o.l2 if isinstance(o, fm.AdamW) else 0.0
    with torch.no_grad():
        for p in parameters:
            p.grad += o.l1 * p.sign() + l2 * p


def optimizer_of(o: Any, parameters: list[Any], decayed: list[Any]) -> Any:
    """Return PyTorch's optimizer for one of ours; only those `decayed` have penalties."""
    rate = o.base_rate
    spared = [p for p in parameters if not any(p is q for q in decayed)]
    decay = o.weight_decay if isinstance(o, fm.AdamW) else o.l2
    groups = [{"params": decayed, "weight_decay": decay}, {"params": spared, "weight_decay": 0.0}]
    if isinstance(o, fm.SGD):
        return torch.optim.SGD(groups, rate, o.momentum, nesterov=o.nesterov)
    if isinstance(o, fm.RMSprop):
        return torch.optim.RMSprop(groups, rate, o.rho, o.epsilon, momentum=o.momentum)
    kind = torch.optim.AdamW if isinstance(o, fm.AdamW) else torch.optim.Adam
    return kind(groups, rate, (o.beta_1, o.beta_2), o.epsilon)


def compare(seed: int) -> tuple[str, list[str]]:
    """Train a case with both; see `estimators.compare`."""
    case = draw(seed)
    eps = np.finfo(case.network["dtype"]).eps
    disturbed = case.X if case.X.any() else network(case).parameters
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], disturbed.shape)
    factors = (1 + DISTURBANCE * eps * signs).astype(case.X.dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a schedule of a single step
            want = theirs(case, case.X)
            moved = (
                theirs(case, case.X * factors) if case.X.any() else theirs(case, case.X, factors)
            )
    except ZeroDivisionError:
        return ONE_STEP_RISE, []
    try:
        got = ours(case)
    except fm.DivergenceError as error:
        if np.isfinite(want["loss"]).all():
            return "different", [str(case), f"DivergenceError: {error}"]
        return "same", []
    differences = []
    for name, expected in want.items():
        spread = np.abs(expected - moved[name]).max(initial=0.0)
        scale = max(1.0, np.abs(expected).max(initial=0.0))
        bound = 64 * spread + 512 * eps * scale * growth(case)
        apart = np.abs(got[name] - expected).max(initial=0.0)
        if not apart <= bound and not np.array_equal(got[name], expected, equal_nan=True):
            differences.append(
                f"{name}: {expected} but ours {got[name]}, {apart:.2g} > {bound:.2g}"
            )
    if not differences:
        return "same", []
    if any(np.abs(want[k] - moved[k]).max(initial=0.0) > 1e-3 for k in ("parameters", "loss")):
        return "decided by rounding", differences
    return "different", [str(case), *differences]


POINTS = (0.0, -0.0, 1e-30, -1e-30, -1e-310, 0.5, -0.5, 3.0, -3.0, 19.0, 25.0, -25.0, 90.0, -90.0)
"""Where activations and their slopes are compared: at 0, next to it, and far away."""


def compare_activation(name: str, dtype: str) -> list[str]:
    """Compare an activation and its slope with PyTorch's at `POINTS`."""
    z = torch.tensor(POINTS, dtype=getattr(torch, dtype), requires_grad=True)
    h = getattr(functional, name)(z)
    h.sum().backward()
    net = fm.Network([1, 1], output=name, loss="mean_squared_error", dtype=dtype)
    net.parameters = [1.0, 0.0]
    X = z.detach().numpy()[:, np.newaxis]
    got = {"h": net.predict(X)[:, 0], "slope": net.jacobian(X)[:, 0, 0]}
    differences = []
    for what, want in (("h", h.detach().numpy()), ("slope", z.grad.numpy())):
        # Units of the larger of 1 and z, as PyTorch's gelu adds 1 to what is nearly -1.
        bound = 8 * np.finfo(dtype).eps * np.maximum(1.0, np.abs(z.detach().numpy()))
        if name == "softplus":  # PyTorch's is z from 20 on: docs/guide/migration.md
            bound = np.where(np.array(POINTS) > 20, 2.1e-9, bound)
        off = ~(np.abs(got[what] - want) <= bound)
        differences += [
            f"{name} {what}({POINTS[i]}) is {want[i]} but ours {got[what][i]}"
            for i in np.flatnonzero(off)
        ]
    return differences


def growth(case: Case) -> float:
    """Return how much larger roundings may become: by an epsilon, or in a normalisation."""
    o = case.optimizer
    result = 1 + o.base_rate / o.epsilon if hasattr(o, "epsilon") else 1.0
    if any(isinstance(d, fm.Dense) and d.normalization for d in case.network["layers"]):
        result *= 1e5  # a deviation of 0 is sqrt(1e-5): what is next to it grows, forward and back
    return result
