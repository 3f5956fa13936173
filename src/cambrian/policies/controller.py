"""The controller of Zoph & Le, "Neural Architecture Search with Reinforcement Learning" (ICLR 2017,
Sec. 3.1), used again in NASNet (Zoph et al. 2018): an LSTM that reads the option taken at the previous
decision, with a separate softmax for each decision.

A policy is a value. An option that it has not seen before gets parameters from a stream named after the
option, so that the order of the questions changes nothing. Softmaxes start from the space's own
weights: an untrained policy samples almost as random search does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture, Walkable
from cambrian.policies.decisions import Before, Choose, Decision, Walk, sample_by
from cambrian.policies.forward_pass import Read
from cambrian.policies.logits import FREE, UNBOUNDED, SkipShare, Squash, count_subsets
from cambrian.policies.lstm import Floats, Layer, advance, backward, blank, forward, product
from cambrian.randomness import stream

Parameters = Mapping[str, Floats]
Slope = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""From the log-probabilities [n] and entropies [n] of n walks, the gradient of the objective by each of
them."""

ILLEGAL = -1e9
"""The logit of an illegal option, whose probability is then exactly 0. Not -inf, since 0 * inf is NaN in an
entropy."""


@dataclass(frozen=True, eq=False)
class Policy:
    """`rows` numbers the options seen so far from 1; row 0 is the input at the start of a walk. "embedding"
    and "weight" are [rows, hidden], "bias" is [rows]; "below0", "past0" and "gates0" are the lowest layer
    (see `lstm.Layer`). `first` and `second` are Adam's moments after `updates` steps. `squash` bounds
    logits."""

    seed: int
    layers: int
    hidden: int
    bound: float  # initial weights are uniform in [-bound, bound]
    rows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    first: Parameters = field(default_factory=dict)
    second: Parameters = field(default_factory=dict)
    updates: int = 0
    squash: Squash = UNBOUNDED

    def lstm(self) -> list[Layer]:
        p = self.parameters
        return [(p[f"below{k}"], p[f"past{k}"], p[f"gates{k}"]) for k in range(self.layers)]


def start(seed: int, layers: int, hidden: int, bound: float, squash: Squash = UNBOUNDED) -> Policy:
    shapes: dict[str, tuple[int, ...]] = {"embedding": (1, hidden), "weight": (1, hidden), "bias": (1,)}
    for k in range(layers):
        shapes |= {f"{name}{k}": (hidden, 4 * hidden) for name in ("below", "past")}
        shapes |= {f"gates{k}": (4 * hidden,)}
    rng = stream(seed, "controller")
    drawn = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    zero = {name: np.zeros(shape) for name, shape in shapes.items()}
    return Policy(seed, layers, hidden, bound, {}, drawn, zero, zero, squash=squash)


def add_rows(policy: Policy, decisions: Sequence[Decision]) -> Policy:
    """The policy with rows for all options of `decisions`."""
    # A dict for its order, which fixes the rows' numbers.
    wanted = dict.fromkeys((d.path, o) for d in decisions for o in d.options)
    new = [key for key in wanted if key not in policy.rows]
    if not new:
        return policy
    drawn = np.stack([_row(policy, *key) for key in new])  # [new, 2 * hidden + 1]
    embedding, weight, bias = np.split(drawn, [policy.hidden, 2 * policy.hidden], axis=1)
    rows = {"embedding": embedding, "weight": weight, "bias": bias[:, 0]}
    zeros = {name: np.zeros_like(a) for name, a in rows.items()}
    first_new = len(policy.rows) + 1  # row 0 is no option's
    return replace(
        policy,
        rows={**policy.rows, **{key: first_new + i for i, key in enumerate(new)}},
        parameters=_append_rows(policy.parameters, rows),
        first=_append_rows(policy.first, zeros),
        second=_append_rows(policy.second, zeros),
    )


def sample(policy: Policy, space: Walkable, rng: np.random.Generator, bins: int) -> Architecture:
    """An architecture drawn from the policy; walks that the space rejects are drawn again."""
    return sample_by(space, lambda: _chooser(policy, rng), rng, bins)


def read(policy: Policy, walks: Sequence[Walk]) -> Read:
    """The forward pass over `walks`, whose options must all have rows."""
    rows, prior, taken, bounds = _table(policy, walks)
    chosen = np.take_along_axis(rows, taken[:, :, None], 2)[:, :, 0]
    # Shifted by one: a step reads the option taken at the step before it, the first one reads row 0.
    before = np.concatenate([np.zeros_like(chosen[:, :1]), chosen[:, :-1]], axis=1)
    p = policy.parameters
    outputs, tapes = forward(policy.lstm(), p["embedding"][before])
    said = product("ntkh,nth->ntk", p["weight"][rows], outputs) + p["bias"][rows]
    logits, slopes = policy.squash(said, bounds)
    members, subsets = np.zeros(taken.shape, dtype=bool), np.zeros(len(walks), dtype=np.int64)
    for n, walk in enumerate(walks):
        members[n, : len(walk)], subsets[n] = count_subsets(walk)
    logs = _log_softmax(logits + prior)
    return Read(rows, taken, before, logs, outputs, tapes, slopes, members, subsets)


def gradient(
    policy: Policy, read: Read, by_log: Floats, by_entropy: Floats, skips: SkipShare = FREE
) -> dict[str, Floats]:
    """The gradient by each parameter, from that by the walks' log-probabilities [n] and summed entropies
    [n], and from that of minus the penalty of `skips`."""
    p, chance = policy.parameters, np.exp(read.logs)
    # The softmax's derivatives: d log p_i / d logit_k = [i = k] - p_k, and
    # d entropy / d logit_k = -p_k (log p_k + entropy).
    logits = -by_log[:, None, None] * chance
    is_taken = read.taken[:, :, None] == np.arange(chance.shape[2])
    logits += by_log[:, None, None] * is_taken
    logits -= by_entropy[:, None, None] * chance * (read.logs + read.entropies()[:, :, None])
    if skips.weight:
        logits += skips.find_slope(read)
    logits *= read.slopes
    slope = {name: np.zeros_like(p[name]) for name in ("embedding", "weight", "bias")}
    # add.at, not +=: a row that occurs several times gets the sum of its gradients.
    np.add.at(slope["bias"], read.rows, logits)
    np.add.at(slope["weight"], read.rows, logits[..., None] * read.outputs[:, :, None])
    outputs = product("ntk,ntkh->nth", logits, p["weight"][read.rows])
    inputs, layers = backward(policy.lstm(), read.tapes, outputs)
    np.add.at(slope["embedding"], read.before, inputs)
    for k, (below, past, gates) in enumerate(layers):
        slope |= {f"below{k}": below, f"past{k}": past, f"gates{k}": gates}
    return slope


def ascend(
    policy: Policy,
    walks: Sequence[Walk],
    slope: Slope,
    lr: float,
    skips: SkipShare = FREE,
    momentum: float = 0.9,
    epsilon: float = 1e-8,
) -> Policy:
    """One step of Adam (Kingma & Ba 2015, Algorithm 1) uphill, with the betas `momentum` and .999."""
    policy = add_rows(policy, [decision for walk in walks for decision, _ in walk])
    passed = read(policy, walks)
    by_log, by_entropy = slope(passed.log_probability(), passed.entropies().sum(axis=1))
    steepest = gradient(policy, passed, by_log, by_entropy, skips)
    n = policy.updates + 1
    rest = round(1 - momentum, 12)  # .1 beside .9, and not a bit less
    first = {name: momentum * m + rest * steepest[name] for name, m in policy.first.items()}
    second = {name: 0.999 * v + 0.001 * steepest[name] ** 2 for name, v in policy.second.items()}
    moved = {
        name: p + lr * first[name] / (1 - momentum**n) / (np.sqrt(second[name] / (1 - 0.999**n)) + epsilon)
        for name, p in policy.parameters.items()
    }
    return replace(policy, parameters=moved, first=first, second=second, updates=n)


def _row(policy: Policy, path: str, option: str) -> Floats:
    rng = stream(policy.seed, "controller", path, option)
    return rng.uniform(-policy.bound, policy.bound, 2 * policy.hidden + 1)


def _append_rows(parameters: Parameters, rows: Parameters) -> Parameters:
    return {name: np.concatenate([a, rows[name]]) if name in rows else a for name, a in parameters.items()}


def _chooser(policy: Policy, rng: np.random.Generator) -> Choose:
    """Draws the decisions of one walk from the policy, one after the other."""
    memory, last = blank(policy.layers, 1, policy.hidden), 0  # row 0 is read first

    def choose(decision: Decision, before: Before) -> int:
        nonlocal policy, memory, last
        # For this walk only: `learn` adds the same rows again, since they depend on their names alone.
        policy = add_rows(policy, [decision])
        p = policy.parameters
        h, memory = advance(policy.lstm(), p["embedding"][last : last + 1], memory)
        rows = [policy.rows[decision.path, option] for option in decision.options]
        said = product("kh,h->k", p["weight"][rows], h[0]) + p["bias"][rows]
        logits, _ = policy.squash(said, np.array(policy.squash.find_bound(decision)))
        cumulative = np.exp(_log_softmax(logits + _prior(decision))).cumsum()
        taken = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        last = rows[taken]
        return taken

    return choose


def _table(
    policy: Policy, walks: Sequence[Walk]
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64], Floats]:
    """The rows [n, steps, options], the logarithms of the space's weights [n, steps, options], the options
    taken [n, steps] and the bounds of logits [n, steps]. Steps beyond the end of a walk have one option,
    which adds nothing to any sum."""
    options = max((len(d.options) for walk in walks for d, _ in walk), default=1)
    shape = (len(walks), max(map(len, walks)), options)
    rows, taken = np.zeros(shape, dtype=np.int64), np.zeros(shape[:2], dtype=np.int64)
    bounds = np.zeros(shape[:2])
    prior = np.full(shape, ILLEGAL)
    prior[:, :, 0] = 0.0  # the padding's one option: probability 1, log-probability and entropy 0
    for n, walk in enumerate(walks):
        for t, (decision, i) in enumerate(walk):
            k = len(decision.options)
            rows[n, t, :k] = [policy.rows[decision.path, option] for option in decision.options]
            prior[n, t, :k] = _prior(decision)
            taken[n, t] = i
            bounds[n, t] = policy.squash.find_bound(decision)
    return rows, prior, taken, bounds


def _prior(decision: Decision) -> Floats:
    total = sum(decision.weights)
    return np.array([math.log(w / total) if w > 0 else ILLEGAL for w in decision.weights])


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)  # so that exp cannot overflow
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs
