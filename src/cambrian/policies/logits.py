"""Bounds on the logits of a controller, so that it does not settle too early: Bello et al., "Neural
Combinatorial Optimization with Reinforcement Learning" (arXiv 1611.09940, App. A.2); and the share of options
that it is to take into subsets, such as skip connections: Pham et al., ENAS (ICML 2018, Sec. 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cambrian.policies.decisions import Decision
from cambrian.policies.forward_pass import Read
from cambrian.policies.lstm import Floats


@dataclass(frozen=True)
class Squash:
    """Logits are divided by `temperature`, and with `tanh` bounded: `tanh` times the hyperbolic tangent of
    them (0: not bounded). Between options with names, as operations are, the bound is `tanh` /
    `tanh_reduce`. The space's own weights are added after that."""

    temperature: float = 1.0
    tanh: float = 0.0
    tanh_reduce: float = 1.0

    def find_bound(self, decision: Decision) -> float:
        """The largest logit of a decision; 0 where it has no bound."""
        return self.tanh / self.tanh_reduce if decision.named else self.tanh

    def __call__(self, logits: Floats, bounds: Floats) -> tuple[Floats, Floats]:
        """The logits [..., options] within these bounds [...], and their derivatives by what they were.

        >>> squashed, slopes = Squash(5.0, 2.5)(np.array([5.0, 0.0]), np.array(2.5))
        >>> squashed.round(4).tolist(), slopes.round(4).tolist()
        ([1.904, 0.0], [0.21, 0.5])
        """
        cooled = logits / self.temperature
        if not self.tanh:
            return cooled, np.full_like(logits, 1 / self.temperature)
        bent = np.tanh(cooled)
        return bounds[..., None] * bent, bounds[..., None] * (1 - bent**2) / self.temperature


UNBOUNDED = Squash()


@dataclass(frozen=True)
class SkipShare:
    """`weight` times the divergence of the probabilities of each option of a subset, in and out, from
    `target` and 1 - `target`: the sum over the options, as the mean over a walk's subsets (the released
    code's `skip_penaltys`)."""

    target: float = 0.4
    weight: float = 0.0

    def find_slope(self, read: Read) -> Floats:
        """The gradient of minus the mean penalty of the walks, by the logits [n, steps, options]."""
        chance, distance = self._compare(read)
        # d KL / d logit_k = p_k (log (p_k / target_k) - KL).
        by_logit = chance * (distance - (chance * distance).sum(axis=2, keepdims=True))
        shares = read.members / np.maximum(1, read.subsets)[:, None]
        slope: Floats = -self.weight / len(shares) * shares[:, :, None] * by_logit
        return slope

    def _compare(self, read: Read) -> tuple[Floats, Floats]:
        """The probabilities, and how much their logarithms are above the target's, [n, steps, options]."""
        targets = np.full(read.logs.shape[2], 1.0)
        targets[:2] = (1 - self.target, self.target)[: len(targets)]
        return np.exp(read.logs), read.logs - np.log(targets)


FREE = SkipShare()
"""No share is wanted."""


def count_subsets(walk: tuple[tuple[Decision, int], ...]) -> tuple[NDArray[np.bool_], int]:
    """Which decisions [steps] are on an option of a subset, and the number of subsets with options."""
    members = np.array([decision.member for decision, _ in walk], dtype=bool)
    # The path of a member is that of its question with the option in brackets.
    return members, len({d.path.rpartition("[")[0] for d, _ in walk if d.member})
