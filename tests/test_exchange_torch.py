"""PyTorch: modules to a network and back, memory that both have, and what its exporters write."""

import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.layers import ACTIVATIONS

torch = pytest.importorskip("torch")
nn = torch.nn


def forward(model: Any, X: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(model.eval()(torch.from_numpy(X)))


def network(activation: str, dtype: str) -> fm.Network:
    hidden = {"softmax": "relu", "exp": "tanh"}.get(activation, activation)
    net = fm.Network([5, fm.Dense(23, hidden), fm.Dense(4, activation)], seed=3, dtype=dtype)
    for biases in net.biases:
        biases[:] = np.linspace(-0.5, 0.5, biases.size)
    return net


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_torch_predicts_the_same(activation, share, dtype, rng, rounding_bound):
    net = network(activation, dtype)
    model = net.to_torch(share=share)
    X = rng.standard_normal((50, 5)).astype(dtype)
    assert (np.abs(forward(model, X) - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_torch(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalization_and_dropout(kind, share, dtype, rng, rounding_bound, random_parts):
    layers = [5, fm.Dense(23, "tanh", kind, 0.3), fm.Dense(7, "identity", kind), 4]
    net = random_parts(fm.Network(layers, seed=3, dtype=dtype))
    model = net.to_torch(share=share)
    X = rng.standard_normal((30, 5)).astype(dtype)
    assert (np.abs(forward(model, X) - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_torch(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


WITH_NUMBERS = [
    fm.Dense(23, fm.LeakyReLU(0.2), fm.BatchNorm(1e-3, 0.01)),
    fm.Dense(23, fm.ELU(0.7), fm.LayerNorm(1e-6)),
    fm.Dense(23, "gelu_tanh", fm.BatchNorm(1e-3, after_activation=True), 0.3),
    fm.Dense(23, fm.LeakyReLU(1.5), fm.LayerNorm(after_activation=True)),
]


@pytest.mark.parametrize("layer", WITH_NUMBERS, ids=repr)
def test_parameters(layer, dtype, rng, rounding_bound, random_parts):
    net = random_parts(fm.Network([5, layer, layer, 4], seed=3, dtype=dtype))
    model = net.to_torch()
    X = rng.standard_normal((30, 5)).astype(dtype)
    assert (np.abs(forward(model, X) - net.predict(X)) <= rounding_bound(net, X)).all()
    again = fm.from_torch(model)
    assert again.layers == net.layers
    assert np.array_equal(again.parameters, net.parameters)
    assert np.array_equal(again.statistics, net.statistics)


def test_dropout_before_relu_is_dropout_after_it():
    net = fm.from_torch(
        nn.Sequential(nn.Linear(5, 20), nn.Dropout(0.3), nn.ReLU(), nn.Linear(20, 2))
    )
    assert net.layers[0] == fm.Dense(20, "relu", dropout=0.3)


def test_shared_weights_are_one_memory(blobs):
    X, y = blobs
    net = fm.Network([4, 20, 3], seed=1)
    model = net.to_torch(share=True)
    net.fit(X, y, epochs=2)
    assert np.array_equal(model[0].weight.detach().numpy().T, net.weights[0])
    before = net.parameters.copy()
    loss = nn.functional.cross_entropy(model[:-1](torch.from_numpy(X)), torch.from_numpy(y))
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not np.array_equal(net.parameters, before)
    del net  # the memory stays valid while torch uses it
    assert torch.isfinite(model(torch.from_numpy(X))).all()


def test_copied_weights_are_not(blobs):
    net = fm.Network([4, 20, 3], seed=1)
    model = net.to_torch()
    assert all(tensor.is_contiguous() for tensor in model.state_dict().values())
    before = model[0].weight.clone()
    net.fit(*blobs, epochs=1)
    assert torch.equal(model[0].weight, before)


def trained(*modules: Any) -> Any:
    """Return modules with statistics and scales that are not 0 and 1."""
    model = nn.Sequential(*modules)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.dtype.is_floating_point:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.25)
    return model.eval()


MODELS = {
    "logits": lambda: trained(nn.Linear(5, 3)),
    "no bias": lambda: trained(nn.Linear(5, 3, bias=False), nn.Tanh()),
    "nested": lambda: trained(
        nn.Flatten(), nn.Sequential(nn.Linear(5, 20), nn.ReLU()), nn.Identity(), nn.Linear(20, 2)
    ),
    "batch normalization": lambda: trained(
        nn.BatchNorm1d(5), nn.Linear(5, 20), nn.BatchNorm1d(20), nn.ReLU(),
        nn.BatchNorm1d(20, affine=False), nn.Linear(20, 3), nn.Softmax(1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_modules_become_a_network(name, rng):
    model = MODELS[name]()
    X = rng.standard_normal((50, 5)).astype(np.float32)
    expected = forward(model, X)
    tolerance = 64 * np.finfo(np.float32).eps * np.abs(expected).max()  # sums of up to 21 terms
    assert np.abs(fm.from_torch(model).predict(X) - expected).max() <= tolerance


def test_wrong_kinds_are_refused():
    with pytest.raises(TypeError, match="got list"):
        fm.from_torch([nn.Linear(5, 3)])
    with pytest.raises(TypeError, match="share must be True"):
        fm.Network([2, 1], output="sigmoid").to_torch(share="yes")


class Functional(nn.Module):
    """As people write modules, with `view` and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 20), nn.BatchNorm1d(20), nn.Linear(20, 2)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Any) -> Any:
        x = x.view(x.size(0), -1)
        x = self.dropout(torch.tanh(self.norm(self.first(x))))
        return torch.sigmoid(self.last(x))


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("name", ["functional", *MODELS])
def test_what_its_exporters_write(name, dynamo, rng, tmp_path):
    pytest.importorskip("onnx")
    if dynamo:
        pytest.importorskip("onnxscript")
    model = Functional().eval() if name == "functional" else MODELS[name]()
    X = rng.standard_normal((50, 5)).astype(np.float32)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch") if dynamo else {0: "batch"}
        settings = (
            {"dynamo": True, "dynamic_shapes": ({0: batch},), "verbose": False}
            if dynamo
            else {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": batch}}
        )
        torch.onnx.export(model, (torch.from_numpy(X),), path, **settings)
    expected = forward(model, X)
    tolerance = 64 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
    assert np.abs(fm.from_onnx(path).predict(X) - expected).max() <= tolerance


def with_heads(dtype: str, rng: Any) -> fm.Network:
    """Return a network of heads of all activations, with names that modules cannot have."""
    heads = {f"a.{name}": fm.Head(2 + i % 2, name) for i, name in enumerate(ACTIVATIONS)}
    heads["trainable?"] = fm.Head(1, fm.LeakyReLU(0.3), fm.Quantile(0.9), weight=0.5)
    net = fm.Network([5, fm.Dense(9, "tanh", "batch"), fm.Heads(**heads)], seed=3, dtype=dtype)
    net.adapt(rng.standard_normal((30, 5)) * 50 + 3)
    return net


@pytest.mark.parametrize("share", [False, True])
def test_heads(share, dtype, rng, rounding_bound):
    net = with_heads(dtype, rng)
    model = net.to_torch(share=share)
    X = rng.standard_normal((40, 5)) * 50 + 3
    outputs = forward(model, X)
    assert (np.abs(outputs - net.predict(X)) <= rounding_bound(net, X)).all()
    parts = model[-1].split(torch.from_numpy(outputs))
    assert all(map(np.array_equal, parts, net.split(outputs)))
    again = fm.from_torch(model)
    assert again.layers == net.layers
    assert again.loss.heads == net.loss.heads
    assert again.predict(X).tobytes() == net.predict(X).tobytes()
    net.trainable = False
    model = net.to_torch()
    assert fm.from_torch(model).layers[-1].trainable


def test_heads_that_were_changed_are_refused(rng):
    for change, message in (
        (lambda last: last.activations.__setitem__(0, nn.Tanh()), "on: in row 0"),
        (lambda last: last.activations.append(nn.Tanh()), "ValueError: zip"),
    ):
        model = with_heads("float32", rng).to_torch()
        change(model[-1])
        with pytest.raises(ValueError, match=message):
            fm.from_torch(model)
    model = with_heads("float32", rng).to_torch()
    for refused, message in (
        (nn.Sequential(*model, nn.Tanh()), "an activation must follow a dense layer"),
        (nn.Sequential(*model, nn.LayerNorm(model[-2].out_features)), "not with a normalization"),
        (nn.Sequential(nn.Linear(5, 3), model[-1]), "expects split_sizes to sum exactly to 3"),
        (nn.Sequential(*model, nn.Linear(model[-2].out_features, 2)), "must be the last layer"),
        (nn.Sequential(*model[:-1], nn.Tanh(), model[-1]), "heads must follow a dense layer"),
    ):
        with pytest.raises(ValueError, match=message):
            fm.from_torch(refused)
    with pytest.raises(ValueError, match="each head has its own activation"):
        fm.from_torch(model, output="softmax")
    with pytest.raises(ValueError, match="each of them has its own"):
        fm.from_torch(model, loss="huber")
