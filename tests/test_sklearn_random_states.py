"""`random_state`: the draws are scikit-learn's, whatever drew from the same object before."""

import numpy as np
import pytest
import sklearn
from sklearn.utils import check_random_state

from fastmlp.sklearn import MLPClassifier
from fastmlp.sklearn.random_states import drawing

SEEDS = [0, 7, 2**32 - 1, np.int64(7), True]


def draws(random_state):
    """Draw numbers of several kinds, the last of which leaves another one for the next call."""
    order = np.arange(9)
    random_state.shuffle(order)
    return [
        *order,
        *random_state.uniform(size=3),
        random_state.randint(2**31),
        random_state.randn(),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_draws_are_those_of_check_random_state(seed):
    for _ in range(3):
        with drawing(seed) as random_state:
            assert draws(random_state) == draws(check_random_state(seed))


def test_two_at_once_do_not_disturb_each_other():
    with drawing(3) as first, drawing(3) as second:
        assert first is not second
        expected = draws(check_random_state(3))
        assert draws(second) == expected
        assert draws(first) == expected


def test_objects_and_the_state_of_all_are_lent_as_they_are():
    own = np.random.RandomState(5)
    with drawing(own) as random_state:
        assert random_state is own
    with drawing(None) as random_state:
        assert random_state is check_random_state(None)


@pytest.mark.parametrize("bad", [-1, 2**32, "seed", 0.5])
def test_others_are_refused_in_the_words_of_scikit_learn(bad):
    with pytest.raises(ValueError, match=r".") as expected:
        check_random_state(bad)
    with pytest.raises(ValueError, match=r".") as caught, drawing(bad):
        pass
    assert str(caught.value) == str(expected.value)
    with drawing(1) as random_state:  # what was refused left nothing behind
        assert draws(random_state) == draws(check_random_state(1))


def test_an_estimator_whose_seed_is_refused_does_not_change(rng):
    X, y = rng.standard_normal((30, 4)), rng.integers(0, 2, 30)
    model = MLPClassifier((3,), random_state=-1)
    before = dict(vars(model))
    with sklearn.config_context(skip_parameter_validation=True):
        for train in (model.fit, lambda *data: model.partial_fit(*data, classes=[0, 1])):
            with pytest.raises(ValueError, match="Seed"):
                train(X, y)
            assert vars(model) == before


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_fit_inside_a_fit_has_draws_of_its_own(rng):
    X, y = rng.standard_normal((30, 4)), rng.integers(0, 2, 30)

    def fitted(**options):
        return MLPClassifier((3,), random_state=2, max_iter=3, tol=0, **options).fit(X, y)

    inner = []
    outer = fitted(callbacks=lambda *_: inner.append(fitted()))
    for each in (outer, *inner):
        assert each.loss_curve_ == fitted().loss_curve_
