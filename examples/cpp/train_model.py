"""Train a network in Python for load_model.cpp, and print the outputs it must find, bit for bit.

python train_model.py MODEL && load_model MODEL
"""

import sys

import numpy as np

import fastmlp as fm

rng = np.random.default_rng(1)
X = rng.uniform(-1, 1, (4000, 2)).astype(np.float32)
y = (np.square(X).sum(axis=1) < 0.5).astype(np.int32)

net = fm.Network([2, 32, 2], seed=1)
net.fit(X, y, epochs=30, optimizer=fm.SGD(learning_rate=0.2))
net.save(sys.argv[1] if len(sys.argv) > 1 else "circle.safetensors")

rows = (np.arange(40, dtype=np.float32) % 17 / 8 - 1).reshape(20, 2)
for outputs in net.predict(rows):
    print(*(float(value).hex() for value in outputs))
