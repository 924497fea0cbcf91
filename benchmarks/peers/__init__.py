"""One module per library, each with the same words.

A module names its `DISTRIBUTION` and has any of these classes:

- `Trainer(problem, n_threads)`: `run(epochs)` trains by plain SGD, samples in order, and returns
  when the weights are there; `weights()` gives the weight matrices, shape (K, N).
- `Predictor(problem, n_threads)`: `run(calls)` computes the outputs of `problem.X` that many times;
  `outputs()` gives them. Hidden layers are relu, the output is linear.
"""
