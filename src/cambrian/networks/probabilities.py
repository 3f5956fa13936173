"""The probabilities that a network's logits stand for, by the goal of its task (see `cambrian.goal`)."""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.goal import Goal


def read_probabilities(logits: Tensor, goal: Goal) -> Tensor:
    """Float[n, outputs] to the same: a distribution over the classes, or over those of each head; of labels
    the probability of each alone. Of pixels and of characters at each place, [n, outputs, ...]."""
    if goal.kind == "labels":
        return logits.sigmoid()
    if goal.kind == "heads":
        return torch.cat([logits[:, part].softmax(1) for _, part in goal.parts], 1)
    return logits.softmax(1)
