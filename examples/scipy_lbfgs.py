"""Hand a network to an optimizer of SciPy: L-BFGS on the whole data set.

`Network.objective` gives the loss and its gradient as a function of one flat vector, which is the
form scipy.optimize asks for. Needs scipy.
"""

import numpy as np
from scipy.optimize import minimize

import fastmlp as fm


def main() -> None:
    """Fit a curve through noisy points and print the loss before and after."""
    rng = np.random.default_rng(0)
    x = np.linspace(-3.0, 3.0, 200)
    y = np.sin(2.0 * x) + 0.1 * rng.standard_normal(200)
    X, target = x.reshape(-1, 1), y.reshape(-1, 1)

    # Line searches compare nearly equal losses, which needs float64.
    net = fm.Network([1, 20, 1], activation="tanh", output="identity", seed=0, dtype="float64")
    print(f"before: loss {net.evaluate(X, target).loss:.4f}")

    result = minimize(
        net.objective(X, target),
        net.parameters.copy(),  # a copy, as the network's own vector moves with every call
        jac=True,  # the function returns (loss, gradient)
        method="L-BFGS-B",
        options={"maxiter": 500},
    )
    net.parameters = result.x
    print(f"after:  loss {net.evaluate(X, target).loss:.4f} in {result.nit} iterations")


if __name__ == "__main__":
    main()
