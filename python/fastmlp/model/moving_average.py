"""`Network.averaged`: the moving average of the parameters, in the place of the parameters."""

from fastmlp.model.model import Model


def use_average(model: Model) -> None:
    """Replace the parameters and running averages of a model by their moving averages.

    Raises
    ------
    ValueError
        If there are none.
    """
    core = model.core
    _, parameters, statistics, _ = core.moving_average
    if parameters is None or statistics is None:
        raise ValueError("there is no moving average: fit(..., ema=0.999) keeps one")
    with core.assigning():
        core.parameters[...], core.statistics[...] = parameters, statistics
    core.set_moving_average(0.0, None, None, 0)
    core.set_optimizer_state(type(core.optimizer_state[0]).SGD, None, None, 0)
