"""Gradients that are infinite, where clipping keeps the parameters finite."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

FEATURE, WEIGHT = {"float32": 1e-8, "float64": 1e-20}, {"float32": 1e24, "float64": 1e170}
"""The output's delta times this weight is infinite, while the loss is not."""

OPTIMIZERS = {
    "SGD": {"clip_value": 0.1},
    "SGD with momentum": {"clip_value": 0.1, "momentum": 0.9},
    "Adam": {"clip_value": 0.1},
    "RMSprop": {"clip_value": 0.1},
}


def network(of, features, dtype):
    net = of.Network([features, 1, 1], output="identity", seed=0, dtype=dtype)
    values = np.array([*[1.0] * features, 0, WEIGHT[dtype], 0])
    net.parameters = values if of is fm else values.tolist()
    return net


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
@pytest.mark.parametrize("features", [1, 3, 16, 17])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loss_is_that_of_the_reference(name, features, batch, dtype):
    X, y = np.full((7, features), FEATURE[dtype]), np.zeros((7, 1))
    losses = []
    for of in (fm, reference):
        rule = getattr(of, name.split()[0])(1e-30, **OPTIMIZERS[name])
        data = (X, y) if of is fm else (X.tolist(), y.tolist())
        losses.append(network(of, features, dtype).fit(*data, 2, batch, rule, shuffle=False).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("features", [1, 3, 16, 17])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_side_by_side_is_as_alone(name, features, dtype):
    rule = getattr(fm, name.split()[0])(1e-30, **OPTIMIZERS[name])
    X, y = np.full((7, features), FEATURE[dtype]), np.zeros((7, 1))
    many, own = [network(fm, features, dtype) for _ in range(16)], network(fm, features, dtype)
    fm.train_many(many, X, y, 2, 2, rule, shuffle=False)
    own.fit(X, y, 2, 2, rule, shuffle=False)
    np.testing.assert_array_equal(many[0].parameters, own.parameters)
