"""Train one network on several ranks: ``mpiexec -n 2 python -m mpi4py examples/mpi.py``.

Needs ``pip install 'fastmlp[mpi]' mpich scikit-learn``, or another MPI than MPICH.
"""

import numpy as np
from mpi4py import MPI
from sklearn.datasets import load_digits

import fastmlp as fm


def main() -> None:
    """Train on the digits, a part of them on each rank; rank 0 prints the accuracy."""
    comm = MPI.COMM_WORLD
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    train, test = slice(comm.rank, 1400, comm.size), slice(1400, None)
    net = fm.Network([64, 64, 10], seed=1)
    net.fit(X[train], y[train], epochs=30, optimizer=fm.Adam(0.003), comm=comm)
    if comm.rank == 0:
        accuracy = net.evaluate(X[test], y[test]).accuracy
        print(f"{comm.size} ranks, accuracy on {len(y[test])} other digits: {accuracy:.3f}")


if __name__ == "__main__":
    main()
