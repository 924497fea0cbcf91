"""JAX: one `jit` of `lax.scan` over the epoch, the parameters given away to it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cases import LEARNING_RATE, OPTIMIZERS, Array, Problem

DISTRIBUTION = "jax"
Parameters = list[tuple[Any, Any]]


def outputs_of(parameters: Parameters, x: Any) -> Any:
    """Return the outputs before softmax."""
    for w, b in parameters[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = parameters[-1]
    return x @ w + b


def squared_error(parameters: Parameters, x: Any, y: Any) -> Any:
    """Return the mean over batch and outputs."""
    return jnp.mean((outputs_of(parameters, x) - y) ** 2)


def cross_entropy(parameters: Parameters, x: Any, y: Any) -> Any:
    """Return the mean over the batch."""
    logs = jax.nn.log_softmax(outputs_of(parameters, x))
    return -jnp.mean(jnp.take_along_axis(logs, y[:, None], axis=1))


@partial(jax.jit, static_argnames="loss", donate_argnums=0)
def run_epoch(parameters: Parameters, x: Any, y: Any, loss: Any) -> Parameters:
    """Train on the batches x (steps, B, features) and y (steps, B, ...)."""

    def step(parameters: Parameters, batch: tuple[Any, Any]) -> tuple[Parameters, None]:
        gradients = jax.grad(loss)(parameters, *batch)
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradients), None

    return jax.lax.scan(step, parameters, (x, y))[0]


def first_parameters(problem: Problem) -> Parameters:
    """Return the problem's weights as JAX arrays."""
    pairs = zip(problem.weights, problem.biases, strict=True)
    return [(jnp.array(w), jnp.array(b)) for w, b in pairs]


class Trainer:
    """The compiled epoch, called epoch by epoch."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        del n_threads  # bound by the processors this process may use
        case = problem.case
        self.loss = squared_error if case.regression else cross_entropy
        self.x = jnp.array(problem.X.reshape(case.steps, case.batch, -1))
        y = problem.y if case.regression else problem.y.astype(np.int32)
        self.y = jnp.array(y.reshape(case.steps, case.batch, *y.shape[1:]))
        self.parameters = first_parameters(problem)

    def run(self, epochs: int) -> None:
        """Train."""
        for _ in range(epochs):
            self.parameters = run_epoch(self.parameters, self.x, self.y, self.loss)
        jax.block_until_ready(self.parameters)

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return [np.asarray(w) for w, _ in self.parameters]


class GpuTrainer(Trainer):
    """The same on a GPU, with JAX's default precision."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        if jax.default_backend() == "cpu":
            raise RuntimeError("JAX has no GPU here")
        super().__init__(problem, n_threads)


@partial(jax.jit, static_argnames=("loss", "optimizer"), donate_argnums=(0, 1))
def run_optax_epoch(
    parameters: Parameters, state: Any, x: Any, y: Any, loss: Any, optimizer: Any
) -> tuple[Parameters, Any]:
    """Train as `run_epoch` does, by an optimizer of optax and its state."""

    def step(carry: tuple[Parameters, Any], batch: tuple[Any, Any]) -> tuple[Any, None]:
        parameters, state = carry
        gradients = jax.grad(loss)(parameters, *batch)
        updates, state = optimizer.update(gradients, state, parameters)
        return (jax.tree.map(jnp.add, parameters, updates), state), None

    return jax.lax.scan(step, (parameters, state), (x, y))[0]


class OptaxTrainer(Trainer):
    """The compiled epoch, with the step of optax."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.optimizer = make_optimizer(problem.optimizer)
        self.state = self.optimizer.init(self.parameters)

    def run(self, epochs: int) -> None:
        """Train."""
        for _ in range(epochs):
            self.parameters, self.state = run_optax_epoch(
                self.parameters, self.state, self.x, self.y, self.loss, self.optimizer
            )
        jax.block_until_ready(self.parameters)


def make_optimizer(name: str) -> Any:
    """Return the optimizer of that name in `cases`."""
    import optax  # noqa: PLC0415  (the other races do without)

    rate = OPTIMIZERS[name]
    match name:
        case "Adam":
            return optax.adam(rate)
        case "AdamW":
            return optax.adamw(rate, weight_decay=0.01)
        case "RMSprop":
            return optax.rmsprop(rate, decay=0.99, eps_in_sqrt=False)
    return optax.sgd(rate, None if name == "SGD" else 0.9, nesterov=name == "Nesterov")
