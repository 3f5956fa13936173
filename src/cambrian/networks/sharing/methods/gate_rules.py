"""The parts in which gradient methods differ: how logits become mixtures, and how they are learned.

A method gives `Rules` to the one `GateStep`. Each part has a default, DARTS's in its first-order form (Liu et
al. 2019), and a method replaces those that its paper changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.hypergradient import Bilevel, first_order
from cambrian.networks.sharing.mixing import Mixture, Weighted

Logits = Mapping[str, Tensor]
"""float[options] by site."""

Mixtures = dict[str, Mixture]


@dataclass(frozen=True)
class Progress:
    """The position in a training of `epochs` epochs: `epoch` from 0. `learning` is True in the pass that
    learns the gates, False in that of the weights."""

    epoch: int
    epochs: int
    learning: bool = True

    @property
    def share(self) -> float:
        """From 0 in the first epoch to 1 in the last one."""
        return min(1.0, self.epoch / max(1, self.epochs - 1))


Relax = Callable[[Logits, Progress], Mixtures]
Penalty = Callable[[Logits, Progress], Tensor]


def mix_softmax(logits: Logits, progress: Progress) -> Mixtures:
    """Every candidate, weighted by the softmax of its site's logits (Liu et al., Eq. 2)."""
    return {site: Weighted(logit.softmax(0)) for site, logit in logits.items()}


def softmax_of(logit: Tensor) -> Tensor:
    return logit.softmax(0)


def renormalise(before: Logits, logits: Logits) -> None:
    """Leave the logits as the optimiser made them."""


@dataclass(frozen=True)
class Rules:
    """`relax` makes mixtures of the logits, `probabilities` the numbers by which options are compared, and
    `penalty` is added to the loss of the gates. `gradient` is that of the gates at a step. With `one_level`
    gates and weights learn from the same batch of the training part, in one pass. `settle` changes logits
    after a step, given those before it. `edges`: the weights of edges that are added are learned too.
    `soft`: mixtures of all candidates fit into memory, so that the curvature can be watched. `start` is the
    logits' first value."""

    relax: Relax = mix_softmax
    probabilities: Callable[[Tensor], Tensor] = softmax_of
    penalty: Penalty | None = None
    gradient: Callable[[Bilevel], list[Tensor]] = first_order
    settle: Callable[[Logits, Logits], None] = renormalise
    one_level: bool = False
    edges: bool = False
    soft: bool = True
    start: float = 0.0


def draw_gumbel(logit: Tensor) -> Tensor:
    """Gumbel noise in the shape of the logit."""
    # -log of an exponential: positive with certainty, where -log(-log(u)) may be infinite.
    return -torch.empty_like(logit).exponential_().log()
