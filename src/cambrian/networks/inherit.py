"""Initial weights that a child takes from its parent (Elsken et al. 2019, Sec. 4, "weight inheritance")."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from cambrian.errors import UnknownName
from cambrian.networks.checkpoint import load_tensors

MOVES = ("",)
"""Ways to inherit weights. "" copies each tensor whose name and shape agree, and leaves the others at their
random initial values."""


def inherit_weights(network: nn.Module, parent: Path, move: str = "") -> float:
    """Copy the parent's tensors into `network`, and return the share of its numbers that were inherited.
    Raises UnknownName for an unknown move, RunError where the file cannot be read."""
    if move not in MOVES:
        raise UnknownName("move", move, MOVES)
    tensors, _ = load_tensors(parent)
    own = network.state_dict()
    same = {name: t for name, t in tensors.items() if name in own and own[name].shape == t.shape}
    # A tensor of another shape, or without a counterpart in the parent, keeps the child's initial values.
    network.load_state_dict({**own, **same})
    inherited, total = (sum(t.numel() for t in tensors.values()) for tensors in (same, own))
    return float(inherited / max(1, total))
