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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cambrian.architecture import Architecture, Walkable
from cambrian.predictors.neural import one_thread
from cambrian.randomness import stream
from cambrian.strategies.decisions import Before, Choose, Decision, Walk, sample_by

Parameters = Mapping[str, Tensor]
Objective = Callable[[Tensor, Tensor], Tensor]
"""(log-probabilities [n], entropies [n]) of n walks -> what is to be maximised."""

ILLEGAL = -1e9
"""The logit of an option that is not legal: its probability is exactly 0."""

BY_OPTION = ("embedding", "weight", "bias")
"""The parameters with a row for every option of every decision; row 0 is what is read at the start."""


@dataclass(frozen=True, eq=False)
class Policy:
    """`rows` numbers the options met so far. Parameters are float64: "embedding" and "weight"
    [rows, hidden], "bias" [rows], and of every layer "input" and "hidden" [4 * hidden, hidden] and
    "gates" [4 * hidden] (input, forget, cell, output). `first` and `second`
    are Adam's moments of them after `updates` steps."""

    seed: int
    layers: int
    hidden: int
    bound: float  # initial weights are uniform in [-bound, bound]
    rows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    first: Parameters = field(default_factory=dict)
    second: Parameters = field(default_factory=dict)
    updates: int = 0


def start(seed: int, layers: int, hidden: int, bound: float) -> Policy:
    shapes: dict[str, tuple[int, ...]] = {"embedding": (1, hidden), "weight": (1, hidden), "bias": (1,)}
    for layer in range(layers):
        shapes |= {f"input{layer}": (4 * hidden, hidden), f"hidden{layer}": (4 * hidden, hidden)}
        shapes |= {f"gates{layer}": (4 * hidden,)}
    rng = stream(seed, "controller")
    drawn = {name: torch.from_numpy(rng.uniform(-bound, bound, shape)) for name, shape in shapes.items()}
    zero = {name: torch.zeros_like(t) for name, t in drawn.items()}
    return Policy(seed, layers, hidden, bound, {}, drawn, zero, zero)


def knowing(policy: Policy, decisions: Sequence[Decision]) -> Policy:
    """The policy with rows for all options of `decisions`."""
    wanted = dict.fromkeys((d.path, o) for d in decisions for o in d.options)
    new = [key for key in wanted if key not in policy.rows]
    if not new:
        return policy
    drawn = np.stack([_row(policy, *key) for key in new])  # [new, 2 * hidden + 1]
    embedding, weight, bias = np.split(drawn, [policy.hidden, 2 * policy.hidden], axis=1)
    rows = {name: torch.from_numpy(a) for name, a in zip(BY_OPTION, (embedding, weight, bias[:, 0]))}
    zeros = {name: torch.zeros_like(t) for name, t in rows.items()}
    known = len(policy.rows) + 1
    return replace(
        policy,
        rows={**policy.rows, **{key: known + i for i, key in enumerate(new)}},
        parameters=_longer(policy.parameters, rows),
        first=_longer(policy.first, zeros),
        second=_longer(policy.second, zeros),
    )


def sample(policy: Policy, space: Walkable, rng: np.random.Generator, bins: int) -> Architecture:
    """An architecture drawn from the policy, walks that the space rejects being drawn again."""
    with torch.no_grad(), one_thread():
        return sample_by(space, lambda: _chooser(policy, rng), rng, bins)


def judge(policy: Policy, walks: Sequence[Walk]) -> tuple[Tensor, Tensor]:
    """Log-probability [n] of each walk, the sum over its decisions, and the sum of the entropies [n]
    of the softmaxes it met."""
    policy = knowing(policy, [d for walk in walks for d, _ in walk])
    with torch.no_grad(), one_thread():
        return _judge(policy, policy.parameters, walks)


def gradient(policy: Policy, walks: Sequence[Walk], objective: Objective) -> dict[str, Tensor]:
    """Of `objective` by each parameter, for a policy that knows the walks' decisions."""
    parameters = {name: t.detach().clone().requires_grad_() for name, t in policy.parameters.items()}
    with one_thread():
        value = objective(*_judge(policy, parameters, walks))
        return dict(zip(parameters, torch.autograd.grad(value, list(parameters.values()))))


def ascend(policy: Policy, walks: Sequence[Walk], objective: Objective, lr: float) -> Policy:
    """One step of Adam (Kingma & Ba 2015, Algorithm 1) up the gradient of `objective`."""
    policy = knowing(policy, [d for walk in walks for d, _ in walk])
    slope = gradient(policy, walks, objective)
    n = policy.updates + 1
    size = lr * math.sqrt(1 - 0.999**n) / (1 - 0.9**n)
    first = {name: 0.9 * m + 0.1 * slope[name] for name, m in policy.first.items()}
    second = {name: 0.999 * v + 0.001 * slope[name] ** 2 for name, v in policy.second.items()}
    moved = {
        name: p + size * first[name] / (second[name].sqrt() + 1e-8) for name, p in policy.parameters.items()
    }
    return replace(policy, parameters=moved, first=first, second=second, updates=n)


def _row(policy: Policy, path: str, option: str) -> NDArray[np.float64]:
    rng = stream(policy.seed, "controller", path, option)
    return rng.uniform(-policy.bound, policy.bound, 2 * policy.hidden + 1)


def _longer(parameters: Parameters, rows: Parameters) -> Parameters:
    return {name: torch.cat([t, rows[name]]) if name in rows else t for name, t in parameters.items()}


def _chooser(policy: Policy, rng: np.random.Generator) -> Choose:
    """Draws the decisions of one walk from the policy, one after the other."""
    memory, read = _blank(policy, 1), 0

    def choose(decision: Decision, before: Before) -> int:
        nonlocal policy, memory, read
        policy = knowing(policy, [decision])
        p = policy.parameters
        h, memory = _read(policy, p, p["embedding"][read].view(1, 1, -1), memory)
        rows = [policy.rows[decision.path, option] for option in decision.options]
        logits = p["weight"][rows] @ h[0, 0] + p["bias"][rows] + torch.tensor(_prior(decision))
        cumulative = logits.softmax(0).cumsum(0).numpy()
        taken = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        read = rows[taken]
        return taken

    return choose


def _judge(policy: Policy, p: Parameters, walks: Sequence[Walk]) -> tuple[Tensor, Tensor]:
    rows, prior, taken = _table(policy, walks)
    here = rows.gather(2, taken[:, :, None])[:, :, 0]  # [n, steps]: the row of what was taken
    before = torch.cat([torch.zeros_like(here[:, :1]), here[:, :-1]], dim=1)
    h, _ = _read(policy, p, p["embedding"][before], _blank(policy, len(walks)))
    logits = torch.einsum("ntkh,nth->ntk", p["weight"][rows], h) + p["bias"][rows] + prior
    logs = logits.log_softmax(2)
    entropy = -(logs.exp() * logs).sum(dim=(1, 2))
    return logs.gather(2, taken[:, :, None]).sum(dim=(1, 2)), entropy


def _table(policy: Policy, walks: Sequence[Walk]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [n, steps, options], logarithms of weights [n, steps, options], what was taken [n, steps].
    Beyond the end of a walk there is one option, which adds nothing to any sum."""
    steps = max(map(len, walks))
    options = max(len(d.options) for walk in walks for d, _ in walk)
    rows = np.zeros((len(walks), steps, options), dtype=np.int64)
    prior = np.full((len(walks), steps, options), ILLEGAL)
    prior[:, :, 0] = 0.0
    taken = np.zeros((len(walks), steps), dtype=np.int64)
    for n, walk in enumerate(walks):
        for t, (decision, i) in enumerate(walk):
            k = len(decision.options)
            rows[n, t, :k] = [policy.rows[decision.path, option] for option in decision.options]
            prior[n, t, :k] = _prior(decision)
            taken[n, t] = i
    return torch.from_numpy(rows), torch.from_numpy(prior), torch.from_numpy(taken)


def _prior(decision: Decision) -> NDArray[np.float64]:
    total = sum(decision.weights)
    return np.array([math.log(w / total) if w > 0 else ILLEGAL for w in decision.weights])


Memory = tuple[Tensor, Tensor]
"""Hidden and cell state [layers, n, hidden]."""


def _blank(policy: Policy, n: int) -> Memory:
    zero = torch.zeros(policy.layers, n, policy.hidden, dtype=torch.float64)
    return zero, zero


def _read(policy: Policy, p: Parameters, x: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """What the last layer says [n, steps, hidden] on reading `x` [n, steps, hidden], and the memory
    after it."""
    none = torch.zeros(4 * policy.hidden, dtype=torch.float64)  # torch has a second bias per layer
    weights = [
        t
        for layer in range(policy.layers)
        for t in (p[f"input{layer}"], p[f"hidden{layer}"], p[f"gates{layer}"], none)
    ]
    # has biases, layers, dropout, training, bidirectional, batch first
    out, h, c = torch.lstm(x, memory, weights, True, policy.layers, 0.0, False, False, True)
    return out, (h, c)
