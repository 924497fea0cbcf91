"""PyTorch: what a model computes is read, whatever it is made of, and nothing else.

Over 400 lines, as most of them are models, each of which is imported and compared.
"""

import copy
import random
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

torch = pytest.importorskip("torch")
torch_operators = pytest.importorskip("fastmlp.exchange.torch_operators")
nn = torch.nn
functional = nn.functional


def hidden_branch(module: Any, x: Any) -> Any:
    try:
        is_small = bool((x < 99).all())
    except ValueError:
        is_small = True
    return module.last(module.first(x)) if is_small else module.first(x)


def block(*modules: Any) -> Any:
    return nn.Sequential(*modules)


class Computing(nn.Module):
    """A module that computes a function of itself, with two dense layers."""

    def __init__(self, function: Any, nodes: tuple[int, int, int] = (5, 6, 3)) -> None:
        super().__init__()
        features, hidden, outputs = nodes
        self.last = nn.Linear(hidden, outputs)  # which is not the first to compute
        self.first = nn.Linear(features, hidden)
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


class Doubled(nn.Linear):
    def forward(self, x: Any) -> Any:
        return 2 * super().forward(x)


class DoubledNorm(nn.BatchNorm1d):
    def forward(self, x: Any) -> Any:
        return 2 * super().forward(x)


class Reversed(nn.Sequential):
    def forward(self, x: Any) -> Any:
        for module in reversed(list(self)):
            x = module(x)
        return x


def hooked() -> Any:
    model = block(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    model[0].register_forward_hook(lambda _, __, outputs: 2 * outputs)
    model[2].register_forward_pre_hook(lambda _, inputs: (inputs[0] - 0.5,))
    return model


def patched() -> Any:
    model = block(nn.Linear(5, 3), nn.Tanh())
    model[1].forward = torch.relu
    return model


def old_weight_norm() -> Any:
    model = block(nn.utils.weight_norm(nn.Linear(5, 3)), nn.Tanh())
    model(torch.ones(1, 5))  # since when its weight is no leaf
    return model


def twice(*modules: Any) -> Any:
    return block(*modules, *modules, nn.Linear(5, 3))


def gelu(z: Any) -> Any:
    return 0.5 * z * (1.0 + torch.erf(z / 2.0**0.5))


def silu(z: Any) -> Any:
    return z * z.sigmoid()


def gelu_tanh(z: Any) -> Any:
    return 0.5 * z * (1.0 + torch.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3)))


MODELS = {
    "one activation twice": lambda: twice(nn.Linear(5, 5), nn.ReLU()),
    "a layer twice": lambda: twice(nn.Linear(5, 5)),
    "a block three times": lambda: block(*[block(nn.Linear(5, 5), nn.Tanh())] * 3),
    "tied weights": lambda: Computing(
        lambda m, x: functional.linear(torch.tanh(m.first(x)), m.first.weight.T, None)
    ),
    "functions": lambda: Computing(
        lambda m, x: m.last(functional.dropout(functional.relu(m.first(x)), 0.5, m.training))
    ),
    "methods": lambda: Computing(lambda m, x: m.last(m.first(x.flatten(1)).clamp(min=0)).sigmoid()),
    "in place": lambda: Computing(lambda m, x: m.last(m.first(x).relu_()).mul_(2.0).add_(1.0)),
    "matrices": lambda: Computing(
        lambda m, x: (x @ m.first.weight.T + m.first.bias).tanh() @ m.last.weight.t()
    ),
    "weights made on the fly": lambda: Computing(
        lambda m, x: functional.linear(x, m.first.weight.softmax(1) * 3.0)
    ),
    "scaled features": lambda: Computing(lambda m, x: m.last(m.first((x - 0.5) / 2.0).tanh())),
    "scaled outputs": lambda: Computing(lambda m, x: 3.0 - m.last(m.first(x).tanh()) * 2.0),
    "a constant of its own": lambda: Computing(
        lambda m, x: m.last(m.first(x * torch.arange(5.0)).relu())
    ),
    "gelu by hand": lambda: Computing(lambda m, x: m.last(gelu(m.first(x)))),
    "gelu with tanh by hand": lambda: Computing(lambda m, x: m.last(gelu_tanh(m.first(x)))),
    "silu by hand": lambda: Computing(lambda m, x: m.last(silu(m.first(x)))),
    "softplus by hand": lambda: Computing(lambda m, x: m.last(m.first(x).exp().log1p())),
    "one output, squeezed": lambda: Computing(
        lambda m, x: m.last(m.first(x).relu()).squeeze(-1), (5, 6, 1)
    ),
    "the only column": lambda: Computing(lambda m, x: m.last(m.first(x).relu())[:, 0], (5, 6, 1)),
    "a forward of its own": lambda: block(Doubled(5, 4), nn.ReLU(), Doubled(4, 3)),
    "a norm of its own": lambda: block(nn.Linear(5, 4), DoubledNorm(4), nn.ReLU(), nn.Linear(4, 3)),
    "another order": lambda: Reversed(nn.Linear(4, 3), nn.Tanh(), nn.Linear(5, 4)),
    "hooks": hooked,
    "a forward put in": patched,
    "weight_norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(5, 3)),
    "spectral_norm": lambda: block(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 3))),
    "old weight_norm": old_weight_norm,
    "parallel": lambda: nn.DataParallel(block(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))),
    "script": lambda: torch.jit.script(block(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))),
    "trace": lambda: torch.jit.trace(block(nn.Linear(5, 4), nn.SiLU()), torch.ones(2, 5)),
    "compiled inside": lambda: block(torch.compile(nn.Linear(5, 4)), nn.Tanh()),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(block(nn.Linear(5, 4), nn.Tanh())),
    "PReLU": lambda: block(nn.Linear(5, 4), nn.PReLU(), nn.Linear(4, 3)),
    "CELU": lambda: block(nn.Linear(5, 4), nn.CELU(), nn.Linear(4, 3)),
    "Softmin": lambda: block(nn.Linear(5, 4), nn.Softmin(-1)),
    "unused layers": lambda: Computing(lambda m, x: m.first(x)),
}


@pytest.mark.filterwarnings("ignore")  # of PyTorch about old ways to write models
@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_computes_is_read(name, rng):
    model = MODELS[name]()
    net = fm.from_torch(model)
    X = rng.standard_normal((20, net.features)).astype(np.float32)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(X)).numpy()
    tolerance = 64 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
    assert np.abs(net.predict(X).reshape(expected.shape) - expected).max() <= tolerance


@pytest.mark.filterwarnings("ignore")
def test_compiled_models_are_read_without_compiling(monkeypatch):
    plain = block(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    net = fm.from_torch(torch.compile(plain, backend=lambda *_: pytest.fail("compiles")))
    assert np.array_equal(net.parameters, fm.from_torch(plain).parameters)


def test_dropout_of_functions_is_kept():
    net = fm.from_torch(MODELS["functions"]())
    assert net.layers[0] == fm.Dense(6, "relu", dropout=0.5)


def random_constant(module: Any, x: Any) -> Any:
    return module.last(module.first(x).tanh() + torch.rand(6))


REFUSED = {
    "a residual": (
        lambda m, x: m.last(x + m.first(x).relu()),
        "combines two layers",
        (5, 5, 3),
    ),
    "a mean of the batch": (
        lambda m, x: m.last(m.first(x - x.mean(0))),
        r"model \(Computing\): mean",
    ),
    "chosen columns": (lambda m, x: m.last(m.first(x).flip(1)), r"\(Computing\): flip"),
    "joined columns": (
        lambda m, x: m.last(m.first(torch.cat([x[:, :2], x[:, 2:]], 1))),
        "slice, it makes",
    ),
    "noise": (lambda m, x: m.last(m.first(x + torch.randn_like(x))), "randn_like"),
    "a random constant": (
        random_constant,
        "from model.last .Linear. on: in row 0 of 8 random rows, output",
    ),
    "a constant of the batch": (
        lambda m, x: m.last(m.first(x + torch.from_numpy(x.numpy().copy()))),
        r"model \(Computing\): numpy, reads the values of the features",
    ),
    "dropout that stays": (
        lambda m, x: m.last(functional.dropout(m.first(x), 0.5, True)),
        r"model \(Computing\): ",
    ),
    "a branch": (lambda m, x: m.first(x) if x.sum() > 0 else m.first(-x), "sum, not supported"),
    "a branch by NumPy": (
        lambda m, x: m.last(m.first(x)) if np.abs(x).max() < 99 else m.first(x),
        "__array__, reads the values",
    ),
    "a branch by a list": (
        lambda m, x: m.last(m.first(x)) if x.detach().tolist()[0][0] < 99 else m.first(x),
        "tolist, reads the values",
    ),
    "a branch by the memory": (
        lambda m, x: m.last(m.first(x)) if x.data_ptr() else m.first(x),
        "data_ptr, reads the values",
    ),
    "a branch that hides its refusal": (hidden_branch, "lt, not supported"),
    "two results": (lambda m, x: (m.first(x), m.last(m.first(x))), "one tensor, got tuple"),
    "no sample": (lambda m, x: m.last(torch.ones(len(x), 6)), "does not depend on the features"),
    "labels": (lambda m, x: m.first(x).argmax(1), "argmax, not supported"),
    "one activation of several": (
        lambda m, x: m.last(m.first(x).relu() + m.first(x).tanh()),
        "combines two layers",
    ),
    "half precision": (lambda m, x: m.first(x).half(), "_to_copy, to torch.float16"),
    "an error": (lambda m, x: m.missing(x), "AttributeError: 'Computing' object has no"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_computations_are_refused(name):
    function, message, *nodes = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        fm.from_torch(Computing(function, *nodes))


REFUSED_MODULES = {
    r"model\[0\] \(Linear\): its weight has no values yet": lambda: block(
        nn.Linear(5, 3, device="meta")
    ),
    r"model \(LazyLinear\): its weight has no values yet": lambda: nn.LazyLinear(3),
    r"model\[1\] \(CELU\): celu, only with alpha 1": lambda: block(nn.Linear(5, 3), nn.CELU(2.0)),
    r"model\[1\] \(LeakyReLU\): leaky_relu, only": lambda: block(nn.Linear(5, 3), nn.LeakyReLU(-1)),
    r"model\[0\] \(Conv1d\)": lambda: block(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(4, 3)),
    r"model\[1\] \(Linear\): it cannot compute \d+ rows of 5 features: RuntimeError": lambda: block(
        nn.Linear(5, 3), nn.Linear(7, 2)
    ),
    r"model\[1\]\.": lambda: block(nn.Linear(5, 3), nn.TransformerEncoderLayer(3, 1, 4)),
    "got torch.bfloat16": lambda: nn.Linear(5, 3, dtype=torch.bfloat16),
    "must have the same dtype": lambda: block(nn.Linear(5, 3), nn.Linear(3, 2).double()),
    "keeps no running statistics": lambda: nn.BatchNorm1d(3, track_running_stats=False),
    "no dense layer": nn.Sequential,
    "must follow the activation 'tanh'": lambda: block(
        nn.Linear(5, 3), nn.Dropout(0.1), nn.Tanh(), nn.Linear(3, 2)
    ),
    "dropout must follow a dense layer": lambda: block(nn.Dropout(0.1), nn.Linear(5, 3)),
    "alpha_dropout, only Dropout": lambda: block(nn.Linear(5, 3), nn.AlphaDropout(0.1)),
    "the last layer": lambda: block(nn.Linear(5, 3), nn.Dropout(0.1)),
    "layer normalization must come first": lambda: block(
        nn.LayerNorm(3), nn.LayerNorm(3), nn.Linear(3, 2)
    ),
    "its epsilon must be above 0": lambda: block(
        nn.Linear(5, 3), nn.LayerNorm(3, eps=0.0), nn.Linear(3, 2)
    ),
    "nothing may follow the log-softmax": lambda: block(
        nn.Linear(5, 3), nn.LogSoftmax(1), nn.Linear(3, 2)
    ),
}


@pytest.mark.parametrize("message", REFUSED_MODULES)
def test_other_modules_are_refused(message):
    with pytest.raises(ValueError, match=message):
        fm.from_torch(REFUSED_MODULES[message]())


def test_log_softmax_at_the_end_becomes_probabilities(rng):
    model = block(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3), nn.LogSoftmax(dim=-1))
    with pytest.warns(UserWarning, match="ends with the logarithm of softmax"):
        net = fm.from_torch(model)
    assert fm.from_torch(model, output="softmax").layers == net.layers  # and does not warn
    X = rng.standard_normal((20, 5)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(X)).exp().numpy()
    np.testing.assert_allclose(net.predict(X), expected, atol=1e-6)


def test_a_network_read_wrongly_is_refused(monkeypatch):
    model = block(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    wrong = {**torch_operators.OPERATORS, "relu": torch_operators.OPERATORS["silu"]}
    monkeypatch.setattr("fastmlp.exchange.torch_import.OPERATORS", wrong)
    place = r"from model\[1\] \(ReLU\) on: in row \d of 8 random rows, output \d, the model returns"
    with pytest.raises(ValueError, match=place):
        fm.from_torch(model)
    assert fm.from_torch(model, verify=False).layers[0].activation == "silu"


@pytest.mark.parametrize("nodes", [3, 300, 3000])
def test_small_differences_are_found_in_wide_layers(nodes, monkeypatch):
    torch.manual_seed(nodes)
    model = block(nn.Linear(nodes, 2 * nodes), nn.GELU(), nn.Linear(2 * nodes, 3))
    fm.from_torch(model)
    other = {**torch_operators.OPERATORS, "gelu": lambda call: call.sample.apply("gelu_tanh", "")}
    monkeypatch.setattr("fastmlp.exchange.torch_import.OPERATORS", other)
    with pytest.raises(ValueError, match="is not the model"):
        fm.from_torch(model)


def test_a_row_by_itself_is_compared_too():
    class Alone(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * (2.0 if len(x) == 1 else 1.0)

    with pytest.raises(ValueError, match="the network that was read is not the model"):
        fm.from_torch(Alone(5, 3))


def test_importing_leaves_no_trace():
    model = block(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    seen: list[Any] = []
    model[0].register_forward_hook(lambda module, _, result: seen.append(result))
    inner = block(model[1])  # in training mode, and reached by a global name only
    globals()["normalization"] = inner
    model.add_module("noise", Computing(noise_free))
    before = [buffer.clone() for buffer in model.buffers()]
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    with pytest.raises(ValueError, match=r"normalization|batch_norm"):
        fm.from_torch(model)
    assert fm.from_torch(model[:4]).layers[0].normalization == "batch"
    assert not seen
    assert all(map(torch.equal, before, model.buffers()))
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


def noise_free(_: Any, x: Any) -> Any:
    random.random()
    np.random.random()  # noqa: NPY002
    return globals()["normalization"](x @ torch.ones(3, 4))


class Counting(nn.Module):
    """Counts its calls, as a module with a state of its own does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("last", torch.zeros(3))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.last.copy_(torch.ones(3))
        return x


def test_the_model_stays_as_it_is():
    model = block(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), Counting(), nn.Linear(3, 2))
    model[1].eval()
    model(torch.ones(4, 5)).sum().backward()
    handle = model[0].register_forward_hook(lambda *_: None)
    model[0].weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    grads = [None if each.grad is None else each.grad.clone() for each in model.parameters()]
    flags, random = [each.training for each in model.modules()], torch.get_rng_state()
    fm.from_torch(model)
    assert [each.training for each in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert model[3].calls == 1
    assert handle.id in model[0]._forward_hooks
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    for each, grad in zip(model.parameters(), grads, strict=True):
        assert grad is None if each.grad is None else torch.equal(each.grad, grad)
    assert [each.requires_grad for each in model[0].parameters()] == [False, True]


class Calling(nn.Module):
    """Two layers, and the function that calls them."""

    def __init__(self, call):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.call = call

    def forward(self, x):
        return self.call(self.layers, x)


def through_a_view(layers, x):
    x.view(len(x), -1).div_(255)
    return layers(x)


def through_numpy(layers, x):
    x.detach().numpy()[:, 0] = 0
    return layers(x)


def by_the_number_of_rows(layers, x):
    return layers(x if len(x) > 1 else 2 * x)


@pytest.mark.parametrize("call", [through_a_view, through_numpy, by_the_number_of_rows])
def test_what_no_operator_shows_is_found_by_the_comparison(call):
    """Each was another network: the check had the features that the model changed."""
    with pytest.raises(
        ValueError,
        match="the network that was read is not the model|reads the values",  # noqa: RUF043
    ):
        fm.from_torch(Calling(call))


def test_features_changed_in_place_are_read():
    model = Calling(lambda layers, x: layers(x.div_(255)))
    X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    found = fm.from_torch(model).predict(X)
    with torch.no_grad():
        np.testing.assert_allclose(found, model(torch.from_numpy(X.copy())), rtol=1e-6, atol=1e-7)


def test_modes_of_the_caller_do_not_matter():
    model = nn.Sequential(nn.Linear(4, 3))
    for mode in (torch.inference_mode(), torch.autocast("cpu"), torch.device("meta")):
        with mode:
            assert fm.from_torch(model).n_parameters == 15


def test_softplus_that_is_its_argument_from_20_on():
    torch.manual_seed(0)
    for _ in range(10):
        model = nn.Sequential(nn.Linear(10, 64), nn.Softplus(), nn.Linear(64, 1)).double()
        assert fm.from_torch(model).dtype == np.float64
