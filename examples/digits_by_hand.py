"""Learn handwritten digits with the three steps of the equations, written out.

Needs scikit-learn for the images: pip install 'fastmlp[demo]'
"""

import numpy as np
from sklearn.datasets import load_digits

import fastmlp as fm


def main() -> None:
    """Train a 64-64-10 network and print its loss and accuracy."""
    images, labels = load_digits(return_X_y=True)
    X = ((images - images.mean(axis=0)) / images.std()).astype(np.float32)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))  # the images come writer by writer: mix them before the split
    train, test = rows[:1400], rows[1400:]
    X_train, y_train = X[train], labels[train]

    net = fm.Network([64, 64, 10], activation="relu", output="softmax", seed=0)
    for epoch in range(1, 21):
        order = rng.permutation(len(X_train))
        losses = []
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            net.forward(X_train[batch])  # nodes of every layer, equation (1.2)
            losses.append(net.backward(y_train[batch]))  # deltas and gradients, (2.8) to (2.12)
            net.update(learning_rate=0.1)  # one step against the gradients, (2.13) and (2.14)
        if epoch % 5 == 0:
            print(f"epoch {epoch:2}: loss {np.mean(losses):.4f}")

    # Every array of the equations can be looked at, without a copy.
    print(f"weights {net.weights[0].shape}, their gradients {net.weight_gradients[0].shape}")
    print(f"nodes {[nodes.shape for nodes in net.nodes]}")
    loss, accuracy = net.evaluate(X[test], labels[test])
    print(f"test: loss {loss:.4f}, accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
