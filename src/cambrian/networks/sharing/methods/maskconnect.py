"""Binary masks over the inputs of each module: Ahmed & Torresani, "MaskConnect: Connectivity Learning by
Gradient Descent" (ECCV 2018, arXiv 1807.11473), Sec. 3. Every input has a real-valued gate in [0, 1]; at each
step exactly K of them are drawn, each with a probability proportional to its gate, and the others are absent.
The gates learn from the same batch as the weights, by the gradients of the masks, and are clipped.

Two things differ. The paper's modules are given, and it learns which earlier ones each reads; in a cell, the
operation of an edge is chosen too, by a mask of which one is active. And a mask's gradient goes through the
share of its gate, not to the gate as it is: the inputs of a module compete, while few steps would otherwise
drive all that are of any use to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Masked
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import COUNT, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step

LEAST = 1e-6
"""The least share of a gate, so that K can be drawn where fewer are above 0."""


@dataclass(frozen=True)
class MaskConnect(GateSettings):
    """`fan_in` inputs of a module are active, the paper's K. The step of gates is Adam's, as that of the
    other methods, where the paper descends plainly."""

    gate_decay: Annotated[float, Span(0)] = 0.0
    fan_in: Annotated[int, COUNT] = 2

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'maskconnect'")

    def relax(self, active: Mapping[str, int], gates: Logits, progress: Progress) -> Mixtures:
        return {
            site: Masked(find_shares(gate), draw_active(gate, active[site])) for site, gate in gates.items()
        }

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        active = {
            name: min(self.fan_in, site.options) if site.edges else 1 for name, site in supernet.sites.items()
        }
        rules = Rules(
            partial(self.relax, active),
            find_shares,
            settle=clip,
            one_level=True,
            edges=True,
            soft=False,
            start=0.5,
            scales=True,
        )
        return GateStep(self, rules, supernet, recipe, validation)


def draw_active(gate: Tensor, count: int) -> tuple[int, ...]:
    """So many options without replacement, each draw in proportion to the gates that are left."""
    drawn = torch.multinomial(find_shares(gate.detach()), count)
    return tuple(drawn.sort().values.tolist())


def find_shares(gate: Tensor) -> Tensor:
    """The gates as probabilities."""
    raised = gate + LEAST
    return raised / raised.sum()


def clip(before: Logits, gates: Logits) -> None:
    """Keep the gates in [0, 1]."""
    for gate in gates.values():
        gate.clamp_(0.0, 1.0)
