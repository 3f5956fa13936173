"""Binary gates: Cai, Zhu & Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and
Hardware" (ICLR 2019, arXiv 1812.00332), Sec. 3.2: one path is in memory at a time, in the two-path form or
with the gradients of all gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from cambrian.errors import UsageError
from cambrian.networks.measure import MEASURES
from cambrian.networks.sharing.methods.cost_step import CostStep, Priced
from cambrian.networks.sharing.methods.expected_cost import measure_costs
from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules, renormalise
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Binary
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import POSITIVE, SHARE, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class ProxylessNAS(GateSettings):
    """Weights learn on one path, drawn by the probabilities. With `paths` 2, gates learn on two that are
    drawn without repetition, and the probabilities of all others stay as they are (Sec. 3.2.1); with `paths`
    0 all gates learn, and in the backward pass the candidates are run one by one.

    `cost` is a measure, such as latency or macs, whose expectation is a part of the gates' loss (Sec. 3.3;
    "": none): `cost_weight` times its distance from `target`, in shares of that (0: the expectation at the
    start), is added to the loss or, with `form` "mul", the loss is multiplied by a power of its logarithm."""

    gate_rate: Annotated[float, POSITIVE] = 1e-3
    gate_momentum: Annotated[float, SHARE] = 0.0
    gate_decay: Annotated[float, Span(0)] = 0.0
    paths: int = 2
    cost: str = ""
    cost_weight: Annotated[float, Span(0)] = 0.1
    target: Annotated[float, Span(0)] = 0.0
    form: str = "add"

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'proxylessnas'")
        if self.cost:
            MEASURES.make(self.cost)  # raises UnknownName
        if self.form not in ("add", "mul"):
            raise UsageError(f"supernet method 'proxylessnas': form is add or mul, got {self.form!r}")
        if self.paths not in (0, 2):
            raise UsageError(f"supernet method 'proxylessnas': paths is 2 or 0 (all), got {self.paths!r}")

    def relax(self, pairs: dict[str, Sequence[int]], logits: Logits, progress: Progress) -> Mixtures:
        """Mixtures of sampled paths; `pairs` takes the paths that are compared."""
        if not progress.learning:
            return {site: sample_path(logit) for site, logit in logits.items()}
        draw = sample_two if self.paths else sample_all
        mixtures = {site: draw(logit) for site, logit in logits.items()}
        pairs |= {site: mixture.compared for site, mixture in mixtures.items()}
        return dict(mixtures)

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        pairs: dict[str, Sequence[int]] = {}
        settle = partial(keep_others, pairs) if self.paths else renormalise
        rules = Rules(partial(self.relax, pairs), settle=settle, soft=False, scales=True)
        if self.cost:
            batch = validation.batch(0, 0)[0][:1]
            costs = measure_costs(supernet, batch, self.cost)
            priced = Priced(costs, self.cost_weight, self.target, self.form)
            return CostStep(self, rules, priced, supernet, recipe, validation)
        return GateStep(self, rules, supernet, recipe, validation)


def sample_path(logit: Tensor) -> Binary:
    probabilities = logit.detach().softmax(0)
    return Binary(probabilities, int(torch.multinomial(probabilities, 1)), ())


def sample_all(logit: Tensor) -> Binary:
    """One path, compared with all candidates."""
    probabilities = logit.softmax(0)
    return Binary(probabilities, int(torch.multinomial(probabilities.detach(), 1)), range(len(logit)))


def sample_two(logit: Tensor) -> Binary:
    """One of two paths, compared with both: their probabilities are those of a choice between the two. The
    path of a site that has no other one is compared with nothing."""
    two = torch.multinomial(logit.detach().softmax(0), min(2, len(logit))).sort().values
    pair = logit[two].softmax(0)
    chosen = int(two[torch.multinomial(pair.detach(), 1)])
    weights = torch.zeros_like(logit).scatter(0, two, pair)
    return Binary(weights, chosen, two.tolist())


def keep_others(pairs: Mapping[str, Sequence[int]], before: Logits, logits: Logits) -> None:
    """Shift the logits that were compared so that the sum of their exponentials is as before, and with it the
    probability of every other option, but for what a cost has changed of that."""
    for site, logit in logits.items():
        pair = list(pairs[site])
        gained = logit[pair].logsumexp(0) - before[site][pair].logsumexp(0)
        logit[pair] -= gained
