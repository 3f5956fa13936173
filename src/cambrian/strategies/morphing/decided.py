"""Decisions of a meta-controller: drawn once, and read again to learn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Take = Callable[[NDArray[np.float64]], int]
"""The index that is taken, by the probabilities."""


class Decided:
    """The decisions of one pass: the indices `taken`, their log-probability and the entropy."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.taken: list[int] = []
        self.log_probability = self.entropy = torch.zeros((), dtype=torch.float64)

    def choose(self, logits: Tensor) -> int:
        """An index, by a softmax over `logits` [n]."""
        logs = logits.log_softmax(0)
        index = self._take(logs.detach().exp().numpy())
        self.log_probability = self.log_probability + logs[index]
        self.entropy = self.entropy - (logs.exp() * logs).sum()
        self.taken.append(index)
        return index

    def accept(self, logit: Tensor) -> bool:
        """Yes or no, by a sigmoid."""
        return bool(self.choose(torch.stack([torch.zeros_like(logit), logit])))


def draw_by(rng: np.random.Generator) -> Take:
    """Takes at random."""

    def take(chances: NDArray[np.float64]) -> int:
        cumulative = chances.cumsum()
        return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))

    return take


def repeat(taken: Sequence[int]) -> Take:
    """Takes what was taken before."""
    indices = iter(taken)
    return lambda chances: next(indices)
