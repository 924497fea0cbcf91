"""Learn from a stream: one step per sample as it comes, while the world changes.

A sensor's reading depends on two settings in a way the network must find out. Half way through
the stream the sensor is mounted upside down. The network never stops learning, and follows.
"""

import numpy as np

import fastmlp as fm

SAMPLES = 20_000


def main() -> None:
    """Print the mean squared error of the predictions as the stream is read."""
    rng = np.random.default_rng(0)
    settings = rng.uniform(-1.0, 1.0, (SAMPLES, 2)).astype(np.float32)
    readings = np.sin(3.0 * settings[:, 0]) * settings[:, 1]
    readings[SAMPLES // 2 :] *= -1.0

    net = fm.Network([2, 32, 1], activation="tanh", output="identity", seed=0)
    errors = np.empty(SAMPLES)
    for t in range(SAMPLES):
        prediction = net.forward(settings[t : t + 1])
        errors[t] = (prediction[0, 0] - readings[t]) ** 2
        net.backward(readings[t : t + 1])  # now the truth is known: learn from it
        net.update(learning_rate=0.05)

    for start in range(0, SAMPLES, 2_000):
        mean = errors[start : start + 2_000].mean()
        print(f"samples from {start:6,}: mean squared error {mean:.4f}")


if __name__ == "__main__":
    main()
