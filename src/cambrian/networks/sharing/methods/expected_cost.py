"""The expected cost of an architecture that gates stand for, as a part of their loss: Cai, Zhu & Han,
"ProxylessNAS" (ICLR 2019, arXiv 1812.00332), Sec. 3.3. Each candidate is measured once, alone and on the
device, and the expectation is the sum over all sites of the costs weighted by the probabilities, which has a
gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.networks.measure import MEASURES
from cambrian.networks.sharing.methods.gate_rules import Logits, Progress
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork

MICROSECONDS = 1e6
"""Of times: the logarithm of a cost has to be above 0."""


Candidate = tuple[str, int, nn.Module]
"""The gate of a fork, the index of an option, and a module of it."""


@dataclass(frozen=True)
class ExpectedCost:
    """`costs` are float[options] by site, each the sum over the cells that the site stands for."""

    costs: dict[str, Tensor]
    weight: float
    target: float

    def expect(self, logits: Logits) -> Tensor:
        """The expected cost []."""
        parts = [
            (logits[site].softmax(0) * cost).sum() for site, cost in self.costs.items() if site in logits
        ]
        return torch.stack(parts).sum()

    def penalise(self, logits: Logits, progress: Progress) -> Tensor:
        """weight (E - target) / target, which is added to the loss (the released "add#linear")."""
        return self.weight * (self.expect(logits) - self.target) / self.target

    def penalise_logarithm(self, logits: Logits, progress: Progress) -> Tensor:
        """weight log E, which is added to the loss (SNAS)."""
        return self.weight * self.expect(logits).clamp_min(1.0).log()

    def scale(self, logits: Logits) -> Tensor:
        """.2 (log E / log target)^.3, by which the loss is multiplied (the released "mul#log")."""
        logs = self.expect(logits).clamp_min(1.0 + 1e-6).log() / max(
            1e-6, torch.tensor(self.target).log().item()
        )
        return 0.2 * logs**0.3


def measure_costs(supernet: Supernet, batch: Tensor, measure: str) -> dict[str, Tensor]:
    """The costs of all candidates of the supernet's sites, on an input of the batch's shape."""
    device = str(batch.device)
    taken = MEASURES.make(measure)
    unit = MICROSECONDS if taken.unit == "s" else 1.0
    costs: dict[str, Tensor] = {}
    for fork in _list_forks(supernet):
        costs.setdefault(fork.gate, torch.zeros(len(fork.mixable), device=batch.device))
    for (gate, i, candidate), shape in _record_shapes(supernet, batch).items():
        inputs = torch.rand(taken.images, *shape[1:], device=batch.device)
        costs[gate][i] += unit * taken(candidate, inputs, device)
    return costs


def _record_shapes(supernet: Supernet, batch: Tensor) -> dict[Candidate, torch.Size]:
    """The shape of the input of each candidate that computes, in a forward of all of them."""
    shapes: dict[Candidate, torch.Size] = {}
    hooks = []
    # By the candidate: the two operands of a sum of edges are forks of the same ones, which run once.
    forks = _list_forks(supernet)
    for candidate in dict.fromkeys((f.gate, i, module) for f in forks for i, module in enumerate(f.mixable)):

        def note(_: nn.Module, inputs: tuple[Any, ...], candidate: Candidate = candidate) -> None:
            shapes[candidate] = inputs[0].shape

        hooks.append(candidate[2].register_forward_pre_hook(note))
    training = supernet.training
    try:
        supernet.eval()
        supernet.choose(supernet.whole)
        supernet.mix(
            {n: Weighted(torch.ones(s.options, device=batch.device)) for n, s in supernet.sites.items()}
        )
        with torch.no_grad():
            supernet(batch)
    finally:
        supernet.train(training)
        for hook in hooks:
            hook.remove()
    return shapes


def _list_forks(supernet: Supernet) -> list[Fork]:
    sites: Mapping[str, Any] = supernet.sites
    return [
        m for m in supernet.modules() if isinstance(m, Fork) and m.gate in sites and not sites[m.gate].edges
    ]
