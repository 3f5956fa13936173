"""The controller of Zoph & Le, "Neural Architecture Search with Reinforcement Learning" (ICLR 2017,
Sec. 3.1), as later of NASNet (Zoph et al. 2018): an LSTM that reads, at each decision, what was
decided before, and a softmax of its own for every decision.

A policy is a value. What it has not met before has parameters too, drawn from a stream named after
it, so that the order in which questions turn up changes nothing. Softmaxes start from the space's own
weights: a policy that has learned nothing samples almost as random search does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture, Walkable
from cambrian.policies.decisions import Before, Choose, Decision, Walk, sample_by
from cambrian.policies.lstm import Floats, Layer, Tape, advance, backward, blank, forward, product
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.strategies.settings import check_settings, check_weights

Parameters = Mapping[str, Floats]
Slope = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""The gradient of what is to be maximised by the log-probabilities [n] and entropies [n] of n walks, from
those."""

ILLEGAL = -1e9
"""The logit of an option that is not legal: its probability is exactly 0."""


@dataclass(frozen=True, eq=False)
class Policy:
    """`rows` numbers the options met so far from 1; row 0 is what is read at the start. "embedding" and
    "weight" are [rows, hidden], "bias" is [rows]; "below0", "past0" and "gates0" are the lowest layer
    (see `lstm.Layer`). `first` and `second` are Adam's moments after `updates` steps."""

    seed: int
    layers: int
    hidden: int
    bound: float  # initial weights are uniform in [-bound, bound]
    rows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    first: Parameters = field(default_factory=dict)
    second: Parameters = field(default_factory=dict)
    updates: int = 0

    def lstm(self) -> list[Layer]:
        p = self.parameters
        return [(p[f"below{k}"], p[f"past{k}"], p[f"gates{k}"]) for k in range(self.layers)]


@dataclass(frozen=True)
class Read:
    """Walks as the policy sees them. `rows` of the options [n, steps, options] and the logarithms of
    their probabilities `logs`, `taken` [n, steps]; rows read `before` each step [n, steps], and what the
    LSTM said to them, `said` [n, steps, hidden]."""

    rows: NDArray[np.int64]
    taken: NDArray[np.int64]
    before: NDArray[np.int64]
    logs: Floats
    said: Floats
    tapes: list[Tape]

    def log_probability(self) -> Floats:
        """[n]: the sum over the decisions."""
        chosen: Floats = np.take_along_axis(self.logs, self.taken[:, :, None], 2).sum(axis=(1, 2))
        return chosen

    def entropies(self) -> Floats:
        """[n, steps], of the softmaxes met."""
        found: Floats = -(np.exp(self.logs) * self.logs).sum(axis=2)
        return found


def check(strategy: Any) -> None:
    """Raises UsageError for settings of REINFORCE or PPO that no controller can have."""
    check_settings(
        strategy,
        lr=Span(0, 1, above=True),
        decay=Span(0, 1, below=True),
        batch=Span(1, whole=True),
        layers=Span(1, 100, whole=True),
        hidden=Span(1, 1000, whole=True),
        bound=Span(0, 10, above=True),
        bins=Span(1, 1000, whole=True),
    )
    layers, hidden = strategy.layers, strategy.hidden
    check_weights(strategy, 8 * layers * hidden**2, f"{layers} layers of {hidden} units")


def start(seed: int, layers: int, hidden: int, bound: float) -> Policy:
    shapes: dict[str, tuple[int, ...]] = {"embedding": (1, hidden), "weight": (1, hidden), "bias": (1,)}
    for k in range(layers):
        shapes |= {f"{name}{k}": (hidden, 4 * hidden) for name in ("below", "past")}
        shapes |= {f"gates{k}": (4 * hidden,)}
    rng = stream(seed, "controller")
    drawn = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    zero = {name: np.zeros(shape) for name, shape in shapes.items()}
    return Policy(seed, layers, hidden, bound, {}, drawn, zero, zero)


def add_rows(policy: Policy, decisions: Sequence[Decision]) -> Policy:
    """The policy with rows for all options of `decisions`."""
    wanted = dict.fromkeys((d.path, o) for d in decisions for o in d.options)
    new = [key for key in wanted if key not in policy.rows]
    if not new:
        return policy
    drawn = np.stack([_row(policy, *key) for key in new])  # [new, 2 * hidden + 1]
    embedding, weight, bias = np.split(drawn, [policy.hidden, 2 * policy.hidden], axis=1)
    rows = {"embedding": embedding, "weight": weight, "bias": bias[:, 0]}
    zeros = {name: np.zeros_like(a) for name, a in rows.items()}
    known = len(policy.rows) + 1
    return replace(
        policy,
        rows={**policy.rows, **{key: known + i for i, key in enumerate(new)}},
        parameters=_append_rows(policy.parameters, rows),
        first=_append_rows(policy.first, zeros),
        second=_append_rows(policy.second, zeros),
    )


def sample(policy: Policy, space: Walkable, rng: np.random.Generator, bins: int) -> Architecture:
    """An architecture drawn from the policy, walks that the space rejects being drawn again."""
    return sample_by(space, lambda: _chooser(policy, rng), rng, bins)


def read(policy: Policy, walks: Sequence[Walk]) -> Read:
    """What the policy says to each decision of `walks`; it must know them."""
    rows, prior, taken = _table(policy, walks)
    here = np.take_along_axis(rows, taken[:, :, None], 2)[:, :, 0]
    before = np.concatenate([np.zeros_like(here[:, :1]), here[:, :-1]], axis=1)
    p = policy.parameters
    said, tapes = forward(policy.lstm(), p["embedding"][before])
    logits = product("ntkh,nth->ntk", p["weight"][rows], said) + p["bias"][rows] + prior
    return Read(rows, taken, before, _log_softmax(logits), said, tapes)


def gradient(policy: Policy, found: Read, by_log: Floats, by_entropy: Floats) -> dict[str, Floats]:
    """By each parameter, from that by the walks' log-probabilities [n] and summed entropies [n]."""
    p, chance = policy.parameters, np.exp(found.logs)
    logits = -by_log[:, None, None] * chance
    beyond = found.taken[:, :, None] == np.arange(chance.shape[2])
    logits += by_log[:, None, None] * beyond
    logits -= by_entropy[:, None, None] * chance * (found.logs + found.entropies()[:, :, None])
    slope = {name: np.zeros_like(p[name]) for name in ("embedding", "weight", "bias")}
    np.add.at(slope["bias"], found.rows, logits)
    np.add.at(slope["weight"], found.rows, logits[..., None] * found.said[:, :, None])
    said = product("ntk,ntkh->nth", logits, p["weight"][found.rows])
    inputs, layers = backward(policy.lstm(), found.tapes, said)
    np.add.at(slope["embedding"], found.before, inputs)
    for k, (below, past, gates) in enumerate(layers):
        slope |= {f"below{k}": below, f"past{k}": past, f"gates{k}": gates}
    return slope


def ascend(policy: Policy, walks: Sequence[Walk], slope: Slope, lr: float) -> Policy:
    """One step of Adam (Kingma & Ba 2015, Algorithm 1) uphill."""
    policy = add_rows(policy, [decision for walk in walks for decision, _ in walk])
    found = read(policy, walks)
    steepest = gradient(policy, found, *slope(found.log_probability(), found.entropies().sum(axis=1)))
    n = policy.updates + 1
    first = {name: 0.9 * m + 0.1 * steepest[name] for name, m in policy.first.items()}
    second = {name: 0.999 * v + 0.001 * steepest[name] ** 2 for name, v in policy.second.items()}
    moved = {
        name: p + lr * first[name] / (1 - 0.9**n) / (np.sqrt(second[name] / (1 - 0.999**n)) + 1e-8)
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
    memory, last = blank(policy.layers, 1, policy.hidden), 0

    def choose(decision: Decision, before: Before) -> int:
        nonlocal policy, memory, last
        policy = add_rows(policy, [decision])
        p = policy.parameters
        h, memory = advance(policy.lstm(), p["embedding"][last : last + 1], memory)
        rows = [policy.rows[decision.path, option] for option in decision.options]
        logits = product("kh,h->k", p["weight"][rows], h[0]) + p["bias"][rows] + _prior(decision)
        cumulative = np.exp(_log_softmax(logits)).cumsum()
        taken = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        last = rows[taken]
        return taken

    return choose


def _table(policy: Policy, walks: Sequence[Walk]) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Rows [n, steps, options], logarithms of weights [n, steps, options], what was taken [n, steps].
    Beyond the end of a walk there is one option, which adds nothing to any sum."""
    options = max((len(d.options) for walk in walks for d, _ in walk), default=1)
    shape = (len(walks), max(map(len, walks)), options)
    rows, taken = np.zeros(shape, dtype=np.int64), np.zeros(shape[:2], dtype=np.int64)
    prior = np.full(shape, ILLEGAL)
    prior[:, :, 0] = 0.0
    for n, walk in enumerate(walks):
        for t, (decision, i) in enumerate(walk):
            k = len(decision.options)
            rows[n, t, :k] = [policy.rows[decision.path, option] for option in decision.options]
            prior[n, t, :k] = _prior(decision)
            taken[n, t] = i
    return rows, prior, taken


def _prior(decision: Decision) -> Floats:
    total = sum(decision.weights)
    return np.array([math.log(w / total) if w > 0 else ILLEGAL for w in decision.weights])


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found
