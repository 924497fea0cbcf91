"""PyTorch: modules and `torch.optim.SGD` as its tutorials do, and a step compiled as a whole."""

from typing import Any

import torch
from torch.nn import functional

from cases import LEARNING_RATE, OPTIMIZERS, Array, Problem

DISTRIBUTION = "torch"


def make_model(problem: Problem) -> torch.nn.Sequential:
    """Return linear and relu modules with the problem's weights."""
    modules: list[torch.nn.Module] = []
    for weights, biases in zip(problem.weights, problem.biases, strict=True):
        linear = torch.nn.Linear(*weights.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights.T))
            linear.bias.copy_(torch.from_numpy(biases))
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def make_optimizer(name: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of that name in `cases`; but RMSprop all have a fused step."""
    parameters, rate = list(model.parameters()), OPTIMIZERS[name]
    match name:
        case "Adam":
            return torch.optim.Adam(parameters, lr=rate, fused=True)
        case "AdamW":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, fused=True)
        case "RMSprop":
            return torch.optim.RMSprop(parameters, lr=rate, alpha=0.99)
    momentum = 0.0 if name == "SGD" else 0.9
    return torch.optim.SGD(
        parameters, lr=rate, momentum=momentum, nesterov=name == "Nesterov", fused=True
    )


class Trainer:
    """Eager: forward, backward, the optimizer's fused step."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        regression = problem.case.regression
        self.loss = functional.mse_loss if regression else functional.cross_entropy
        batch = problem.case.batch
        self.batches = list(
            zip(
                torch.from_numpy(problem.X).split(batch),
                torch.from_numpy(problem.y).split(batch),
                strict=True,
            )
        )
        self.model = make_model(problem)
        self.prepare(problem)

    def prepare(self, problem: Problem) -> None:
        """Make the optimizer."""
        self.optimizer = make_optimizer(problem.optimizer, self.model)

    def run(self, epochs: int) -> None:
        """Train."""
        for _ in range(epochs):
            for x, y in self.batches:
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(self.model(x), y).backward()
                self.optimizer.step()

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return [p.detach().numpy().T for p in self.model.parameters() if p.ndim == 2]


class GpuTrainer(Trainer):
    """The same on a GPU."""

    def prepare(self, problem: Problem) -> None:
        """Move model and batches."""
        if not torch.cuda.is_available():
            raise RuntimeError("PyTorch has no GPU here")
        self.model.to("cuda")
        self.batches = [(x.to("cuda"), y.to("cuda")) for x, y in self.batches]
        super().prepare(problem)

    def run(self, epochs: int) -> None:
        """Train."""
        super().run(epochs)
        torch.cuda.synchronize()

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return [p.detach().cpu().numpy().T for p in self.model.parameters() if p.ndim == 2]


class CompiledTrainer(Trainer):
    """`torch.compile` of one function: loss, gradients and the change of the weights."""

    def prepare(self, problem: Problem) -> None:
        """Compile the step."""
        del problem  # it is for SGD
        names = [name for name, _ in self.model.named_parameters()]
        self.parameters = [p.detach().clone() for p in self.model.parameters()]

        def loss(parameters: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            named = dict(zip(names, parameters, strict=True))
            return self.loss(torch.func.functional_call(self.model, named, (x,)), y)

        def step(parameters: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> None:
            for parameter, gradient in zip(
                parameters, torch.func.grad(loss)(parameters, x, y), strict=True
            ):
                parameter.sub_(gradient, alpha=LEARNING_RATE)

        self.step: Any = torch.compile(step, dynamic=False, fullgraph=True)

    def run(self, epochs: int) -> None:
        """Train."""
        with torch.no_grad():
            for _ in range(epochs):
                for x, y in self.batches:
                    self.step(self.parameters, x, y)

    def weights(self) -> list[Array]:
        """Return the weight matrices."""
        return [p.numpy().T for p in self.parameters if p.ndim == 2]


class Predictor:
    """The modules in inference mode."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        self.x = torch.from_numpy(problem.X)
        self.model = make_model(problem).eval()

    def run(self, calls: int) -> None:
        """Predict."""
        model, x = self.model, self.x
        with torch.inference_mode():
            for _ in range(calls):
                model(x)

    def outputs(self) -> Array:
        """Return the outputs."""
        with torch.inference_mode():
            return self.model(self.x).numpy()


class CompiledPredictor(Predictor):
    """The modules through `torch.compile`."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.model = torch.compile(self.model, dynamic=False)
