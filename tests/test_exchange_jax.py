"""Flax and Equinox: what a model computes is read from its program, and networks come back."""

from typing import Any

import numpy as np
import pytest

import fastmlp as fm

jax = pytest.importorskip("jax")
linen = pytest.importorskip("flax.linen")
nnx = pytest.importorskip("flax.nnx")
eqx = pytest.importorskip("equinox")
jnp = jax.numpy

from fastmlp.exchange.jax_activations import function_of  # noqa: E402
from fastmlp.layers import ACTIVATIONS  # noqa: E402

X = np.random.default_rng(0).standard_normal((9, 5)).astype(np.float32)
NAMES = [name for name in ACTIVATIONS if name not in ("identity", "softmax")]
WRITTEN_OTHERWISE: dict[str, tuple[Any, Any]] = {
    "leaky": (lambda x: jax.nn.leaky_relu(x, 0.25), fm.LeakyReLU(0.25)),
    "elu": (lambda x: jax.nn.elu(x, 0.5), fm.ELU(0.5)),
    "celu": (jax.nn.celu, "elu"),
    "gelu": (jax.nn.gelu, "gelu_tanh"),
    "silu": (lambda x: x * jax.nn.sigmoid(x), "silu"),
}


class Model(linen.Module):
    """Two dense layers and what is before, between and after them."""

    between: Any
    after: Any = staticmethod(lambda x: x)
    before: Any = staticmethod(lambda x: x)

    @linen.compact
    def __call__(self, x: Any) -> Any:
        x = linen.Dense(6, bias_init=linen.initializers.normal())(self.before(x))
        return self.after(linen.Dense(3, use_bias=False)(self.between(x)))


def read(model: Any, **settings: Any) -> fm.Network:
    """Read a model of linen with random variables, and compare."""
    variables = model.init(jax.random.key(1), X)
    variables = jax.tree.map(lambda leaf: leaf + 0.25, variables)
    net = fm.from_flax(model, variables, **settings)
    np.testing.assert_allclose(net.predict(X), model.apply(variables, X), atol=2e-6)
    return net


@pytest.mark.parametrize("name", NAMES)
def test_activations_are_read(name):
    assert read(Model(function_of(name))).layers[0].activation == name


@pytest.mark.parametrize("name", WRITTEN_OTHERWISE)
def test_other_ways_to_write_them_are_read(name):
    function, activation = WRITTEN_OTHERWISE[name]
    assert read(Model(function)).layers[0].activation == activation


OTHERS = {
    "layer normalization": Model(lambda x: jax.nn.relu(linen.LayerNorm()(x))),
    "after an activation": Model(lambda x: linen.LayerNorm(epsilon=1e-5)(jnp.tanh(x))),
    "of deviations": Model(lambda x: linen.LayerNorm(use_fast_variance=False)(jnp.tanh(x))),
    "without parameters": Model(linen.LayerNorm(use_bias=False)),
    "batch normalization": Model(
        lambda x: jax.nn.relu(linen.BatchNorm(use_running_average=True)(x))
    ),
    "softmax": Model(jax.nn.relu, jax.nn.softmax),
    "dropout": Model(lambda x: linen.Dropout(0.5, deterministic=True)(jax.nn.relu(x))),
    "scales": Model(
        jax.nn.relu, lambda x: 2.0 * x + 1.0, lambda x: (x - 0.5) / jnp.arange(1.0, 6.0)
    ),
    "remat": linen.remat(Model)(jax.nn.relu),
}


@pytest.mark.parametrize("name", OTHERS)
def test_layers_are_read(name):
    read(OTHERS[name])


def test_log_softmax_becomes_softmax():
    model = Model(jax.nn.relu, jax.nn.log_softmax)
    variables = model.init(jax.random.key(1), X)
    net = fm.from_flax(model, variables, output="softmax")
    np.testing.assert_allclose(net.predict(X), np.exp(model.apply(variables, X)), atol=1e-6)


def _lowest(x: Any) -> Any:
    """Return bounds of the nodes, 0 but for the first."""
    return jnp.zeros(x.shape, x.dtype) - jnp.eye(6, dtype=x.dtype)[0]


REFUSED = {
    "a residual": (Model(lambda x: x + jnp.tanh(linen.Dense(6)(x))), "combines two layers"),
    "a mean of the batch": (
        Model(lambda x: x - x.mean(0)),
        "reduce_sum, only of all nodes of a row",
    ),
    "a sort": (Model(lambda x: jnp.sort(x, 1)), "the primitive sort"),
    "normalized rows": (Model(lambda x: x / x.sum(1, keepdims=True)), "primitive|known function"),
    "root mean squares": (Model(linen.RMSNorm()), "primitive|known function"),
    "a loop": (Model(lambda x: jax.lax.fori_loop(0, 2, lambda _, y: y * 2, x)), "primitive"),
    "a choice": (Model(lambda x: jnp.where(x > 1, x, 2 * x)), "the primitive gt, only .* and 0"),
    "several slopes": (
        Model(lambda x: jnp.where(x > 0, x, x * jnp.arange(6.0))),
        "a multiple from 0 on",
    ),
    "another relu": (Model(jax.jit(lambda x: jax.nn.relu(x - 1) * x)), "combines two layers"),
    "two results": (Model(jax.nn.relu, lambda x: (x, x)), "one array, got a tuple"),
    "a dict": (Model(jax.nn.relu, lambda x: {"y": x}), "one array, got a dict"),
    "squares": (
        Model(jnp.square),
        "primitive square: not a known function of the nodes",
    ),
    "a clamp of several": (
        Model(lambda x: jax.lax.clamp(_lowest(x), x, jnp.full(x.shape, 6, x.dtype))),
        "clamp, only from 0",
    ),
    "a mean of columns": (
        Model(lambda x: (x.T - x.T.mean(1)[:, None]).T),
        "all nodes",
    ),
    "a softmax over the batch": (Model(lambda x: jax.nn.softmax(x.T).T), "all nodes"),
    "a product with the rows": (Model(lambda x: x @ x.T @ x), "constant matrix"),
    "a convolution": (
        Model(lambda x: linen.Conv(2, (2,))(x[..., None]).reshape(len(x), -1)),
        "must stay a vector|primitive",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_computations_are_refused(name):
    model, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        fm.from_flax(model, model.init(jax.random.key(1), X))


def test_a_function_with_the_name_of_another_is_no_other():
    def relu(x: Any) -> Any:
        return jnp.tanh(x)

    assert read(Model(jax.jit(relu))).layers[0].activation == "tanh"


def test_modules_of_nnx_are_read_in_evaluation_mode():
    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.first = nnx.Linear(5, 6, rngs=rngs)
            self.normalization = nnx.BatchNorm(6, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.last = nnx.Linear(6, 3, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.last(self.dropout(jax.nn.gelu(self.normalization(self.first(x)))))

    model = Net(nnx.Rngs(0))
    model(X)  # in training mode, which moves the averages
    net = fm.from_flax(model)
    assert not model.dropout.deterministic
    model.eval()
    np.testing.assert_allclose(net.predict(X), model(X), atol=2e-6)


def test_models_of_equinox_are_read():
    keys = jax.random.split(jax.random.key(0), 3)
    mlp = eqx.nn.MLP(5, 3, 8, 2, jax.nn.gelu, jnp.exp, key=keys[0])
    net = fm.from_equinox(mlp)
    np.testing.assert_allclose(net.predict(X), jax.vmap(mlp)(X), atol=1e-6)
    assert [layer.activation for layer in net.layers] == ["gelu_tanh", "gelu_tanh", "exp"]
    layers = [
        *(eqx.nn.Linear(5, 8, key=keys[1]), eqx.nn.LayerNorm(8), eqx.nn.Lambda(jnp.tanh)),
        *(eqx.nn.Dropout(0.5), eqx.nn.Linear(8, 3, use_bias=False, key=keys[2])),
    ]
    net = fm.from_equinox(eqx.nn.Sequential(layers))
    expected = jax.vmap(eqx.nn.inference_mode(eqx.nn.Sequential(layers)))(X)
    np.testing.assert_allclose(net.predict(X), expected, atol=1e-6)
    scalar = eqx.nn.MLP(5, "scalar", 8, 1, key=keys[0])
    net = fm.from_equinox(scalar)
    np.testing.assert_allclose(net.predict(X)[:, 0], jax.vmap(scalar)(X), atol=1e-6)


NORMALIZED = {"layer normalization": eqx.nn.LayerNorm(8)}


@pytest.mark.parametrize(
    "between",
    ["relu", "relu6", fm.LeakyReLU(0.25), fm.ELU(0.5), "gelu_tanh", "mish", *NORMALIZED],
    ids=str,
)
def test_models_of_equinox_without_biases_are_read(between):
    keys = jax.random.split(jax.random.key(0), 2)
    layers = [
        eqx.nn.Linear(5, 8, use_bias=False, key=keys[0]),
        NORMALIZED.get(between) or eqx.nn.Lambda(function_of(between)),
        eqx.nn.Linear(8, 3, use_bias=False, key=keys[1]),
    ]
    model = eqx.nn.Sequential(layers)
    net = fm.from_equinox(model)
    np.testing.assert_allclose(net.predict(X), jax.vmap(model)(X), atol=2e-6)


@pytest.mark.parametrize("end", [jax.nn.softmax, jax.nn.log_softmax])
def test_products_from_the_left_are_read(end):
    class Products(eqx.Module):
        w: Any
        v: Any

        def __call__(self, x: Any) -> Any:
            return end(self.v.T @ jax.nn.relu(self.w.T @ x))

    keys = jax.random.split(jax.random.key(0), 2)
    model = Products(jax.random.normal(keys[0], (5, 8)), jax.random.normal(keys[1], (8, 3)))
    net = fm.from_equinox(model, output="softmax")
    expected = jax.vmap(model)(X)
    if end is jax.nn.log_softmax:
        expected = np.exp(expected)
    np.testing.assert_allclose(net.predict(X), expected, atol=2e-6)


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_prelu_with_one_slope_is_read(use_bias):
    settings = {"activation": eqx.nn.PReLU(0.25), "use_bias": use_bias}
    model = eqx.nn.MLP(5, 3, 8, 1, key=jax.random.key(0), **settings)
    net = fm.from_equinox(model)
    np.testing.assert_allclose(net.predict(X), jax.vmap(model)(X), atol=1e-6)
    assert net.layers[0].activation == fm.LeakyReLU(0.25)


def test_rows_that_come_last_are_refused():
    with pytest.raises(ValueError, match="rows along the first axis"):
        read(Model(jax.nn.relu, lambda x: x.T), verify=False)


NETWORKS = [
    [5, fm.Dense(6, "relu", "layer"), fm.Dense(4, "gelu"), 3],
    [5, fm.Dense(6, fm.LeakyReLU(0.25)), fm.Dense(4, fm.ELU(0.5), dropout=0.25), 3],
    [
        5,
        fm.Dense(6, "silu", fm.LayerNorm(1e-3, after_activation=True)),
        fm.Dense(4, "hardswish"),
        3,
    ],
    [5, fm.Dense(6, "gelu_tanh"), fm.Dense(4, "softplus"), fm.Dense(4, "mish"), 3],
]


@pytest.mark.parametrize("layers", NETWORKS)
@pytest.mark.parametrize("library", ["flax", "equinox"])
def test_networks_come_back(layers, library):
    net = fm.Network(layers, seed=1)
    net.adapt(X + 0.5)
    if library == "flax":
        model, variables = net.to_flax()
        predicted, again = model.apply(variables, X), fm.from_flax(model, variables)
    else:
        model = eqx.nn.inference_mode(net.to_equinox())
        predicted, again = jax.vmap(model)(X), fm.from_equinox(model)
    np.testing.assert_allclose(predicted, net.predict(X), atol=1e-6)
    assert (again.parameters == net.parameters).all()
    kinds = [(layer.activation, layer.normalization) for layer in net.layers]
    assert [(layer.activation, layer.normalization) for layer in again.layers] == kinds


def test_batch_normalization_goes_to_flax():
    net = fm.Network([5, fm.Dense(6, "relu", "batch"), 3], seed=1)
    net.running_means[0][...] = 0.5
    model, variables = net.to_flax()
    np.testing.assert_allclose(model.apply(variables, X), net.predict(X), atol=1e-6)
    with pytest.raises(ValueError, match="does not support batch normalization"):
        net.to_equinox()


@pytest.mark.parametrize("convert", ["to_flax", "to_equinox"])
def test_digits_are_not_lost(convert):
    net = fm.Network([5, 3], dtype="float64", seed=1)
    before = jax.config.jax_enable_x64
    try:
        jax.config.update("jax_enable_x64", False)
        with pytest.raises(ValueError, match="would round the float64 weights"):
            getattr(net, convert)()
        jax.config.update("jax_enable_x64", True)
        again = (
            fm.from_flax(*net.to_flax())
            if convert == "to_flax"
            else fm.from_equinox(net.to_equinox())
        )
        assert again.dtype == np.float64
        assert (again.parameters == net.parameters).all()
    finally:
        jax.config.update("jax_enable_x64", before)


def test_the_error_is_that_of_the_features_that_a_model_takes():
    model = Model(linen.BatchNorm(use_running_average=False))
    with pytest.raises(ValueError, match=r"rows of 5 features: ModifyScopeVariableError.*mean"):
        fm.from_flax(model, model.init(jax.random.key(1), X))
    key = jax.random.key(0)
    for settings in ({}, {"use_bias": False, "use_final_bias": False}):
        mlp = eqx.nn.MLP(5, 3, 8, 2, final_activation=jax.nn.softmax, key=key, **settings)
        with pytest.raises(ValueError, match=r"rows of 5 features: ValueError: axis -1 is out of"):
            fm.from_equinox(mlp)


def test_parameters_without_their_collection_are_refused():
    model = linen.Sequential([linen.Dense(6), linen.Dense(3)])
    variables = model.init(jax.random.key(1), X)
    with pytest.raises(ValueError, match=r"{'params': ...}, got the keys 'layers_0', 'layers_1'"):
        fm.from_flax(model, variables["params"])


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match=r"flax.linen or flax.nnx, got int"):
        fm.from_flax(3)
    with pytest.raises(TypeError, match="variables must be"):
        fm.from_flax(Model(jax.nn.relu))
    with pytest.raises(TypeError, match=r"equinox.Module of one sample, got int"):
        fm.from_equinox(3)
