"""Sizes of a network that can be counted without weights: `params` and `macs` together."""

from __future__ import annotations

from contextlib import suppress

from torch import nn

from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.macs import macs
from cambrian.networks.measure.params import params

__all__ = ["Uncountable", "macs", "params", "sizes"]


def sizes(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, float]:
    """`params`, and `macs` for one image of (channels, height, width) where these can be counted."""
    counts = {"params": float(params(network))}
    with suppress(Uncountable):
        counts["macs"] = float(macs(network, shape))
    return counts
