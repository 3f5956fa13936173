"""Initial weights that a child takes from its parent (Elsken et al. 2019, Sec. 4, "weight inheritance")."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from cambrian.networks.checkpoint import load_tensors


def inherit_weights(network: nn.Module, parent: Path) -> float:
    """Copy each of the parent's tensors whose name and shape agree into `network`, and return the share of
    its numbers that were inherited. Raises RunError where the file cannot be read."""
    tensors, _ = load_tensors(parent)
    own = network.state_dict()
    same = {name: t for name, t in tensors.items() if name in own and own[name].shape == t.shape}
    # A tensor of another shape, or without a counterpart in the parent, keeps the child's initial values.
    network.load_state_dict({**own, **same})
    inherited, total = (sum(t.numel() for t in tensors.values()) for tensors in (same, own))
    return float(inherited / max(1, total))
