"""Decisions by perturbation: Wang et al., "Rethinking Architecture Selection in Differentiable NAS"
(DARTS-PT, ICLR 2021, arXiv 2108.04392), Sec. 4: after DARTS's training one site after the other is decided,
for the option without which the supernet's validation accuracy is lowest, and the supernet is tuned in
between. The size of a gate says little about the strength of its operation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cambrian.errors import UsageError
from cambrian.networks.heads import first_head
from cambrian.networks.sharing.methods.gate_rules import Rules, follow_schedule
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.norms import score_by_batch
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.training.step import Moment
from cambrian.settings import COUNT, check_settings, check_truths

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step

EDGES = 2
"""Edges that a node keeps."""
ORDER = -(1 << 36)
"""The number of the random stream by which the next site is drawn."""


@dataclass(frozen=True)
class DARTSPT(GateSettings):
    """The last of the `epochs` are the decisions', one site every `tuning` epochs, at a tenth of the rate;
    where these are more than half of all, several sites are decided at a time. With `blank` gates never
    learn: all candidates weigh alike until they are decided."""

    tuning: Annotated[int, COUNT] = 1
    blank: bool = False

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'darts-pt'")
        check_truths(blank=self.blank)

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        if recipe.score == "best":
            raise UsageError(
                "operations are decided in the last epochs, and may be undecided in the best one: take"
                ' score="last", or another method than darts-pt'
            )
        return DARTSPTStep(self, supernet, recipe, draw, validation)


@dataclass(frozen=True)
class Decisions:
    """`rounds` of them, `tuning` epochs apart, the last one an epoch before the end of `epochs`, in each of
    which `sites` sites are decided."""

    epochs: int
    tuning: int
    rounds: int
    sites: int

    @staticmethod
    def plan(epochs: int, tuning: int, sites: int) -> Decisions:
        """
        >>> Decisions.plan(76, 5, 6).first, Decisions.plan(76, 5, 6).rounds
        (50, 6)
        >>> Decisions.plan(12, 5, 6)
        Decisions(epochs=12, tuning=5, rounds=2, sites=3)
        """
        rounds = max(1, min(sites, 1 + (epochs // 2 - 1) // tuning))
        return Decisions(epochs, tuning, rounds, -(-sites // rounds))

    @property
    def first(self) -> int:
        """The epoch of the first one."""
        return self.epochs - 1 - self.tuning * (self.rounds - 1)

    def fall_on(self, epoch: int) -> bool:
        since = epoch - self.first
        return since >= 0 and since % self.tuning == 0


class DARTSPTStep:
    """DARTS's step, with decisions at the beginning of epochs."""

    def __init__(
        self, method: DARTSPT, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream
    ) -> None:
        self._supernet, self._draw, self._validation = supernet, draw, validation
        self._decisions = Decisions.plan(method.epochs, method.tuning, len(list_decided(supernet)))
        # The schedule's end is the search's; the decisions go on at a tenth of its peak (the released code).
        searched = max(1, self._decisions.first)
        frozen = method.epochs if method.blank else method.frozen
        settings = replace(method, epochs=searched, frozen=frozen)
        self._inner = GateStep(settings, Rules(find_rate=self._find_rate), supernet, recipe, validation)

    @property
    def prefix(self) -> bool:
        return self._inner.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        if moment.step == 0 and self._decisions.fall_on(moment.epoch):
            rng = self._draw.stream(ORDER + moment.epoch)
            for _ in range(self._decisions.sites):
                undecided = list_undecided(self._supernet, self._inner.kept)
                if undecided:
                    self._decide(undecided[int(rng.integers(len(undecided)))])
        return self._inner.take(inputs, targets, moment)

    def gates(self) -> dict[str, list[float]]:
        return self._inner.gates()

    def data(self) -> dict[str, Any]:
        return self._inner.data()

    def state(self) -> dict[str, Tensor]:
        return self._inner.state()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._inner.restore(tensors)

    def measure_extra(self) -> float:
        """The seconds of all decisions, by one of their scores."""
        sites = list_decided(self._supernet)
        site = self._supernet.sites[sites[0]]
        kept = torch.ones(site.options, dtype=torch.bool, device=next(self._supernet.parameters()).device)
        began = time.perf_counter()
        self._score(sites[0], kept, 0)
        scores = sum(self._supernet.sites[name].options for name in sites)
        return scores * (time.perf_counter() - began)

    def _find_rate(self, recipe: Recipe, moment: Moment, epochs: int) -> float:
        if moment.epoch < self._decisions.first:
            return follow_schedule(recipe, moment, epochs)
        return recipe.learning_rate / 10

    def _decide(self, name: str) -> None:
        """Keep the option without which the accuracy is lowest; of edges, drop the one whose absence hurts
        least until two are left."""
        site = self._supernet.sites[name]
        kept = torch.ones(site.options, dtype=torch.bool, device=next(self._supernet.parameters()).device)
        if site.edges:
            while kept.sum() > EDGES:
                scores = {i: self._score(name, kept, i) for i in kept.nonzero().flatten().tolist()}
                kept[max(scores, key=lambda i: scores[i])] = False
        else:
            scores = {i: self._score(name, kept, i) for i in list_choices(self._supernet, name)}
            best = min(scores, key=lambda i: scores[i])
            kept = torch.arange(site.options, device=kept.device) == best
        self._inner.kept[name] = kept

    def _score(self, name: str, kept: Tensor, without: int) -> tuple[float, float]:
        """The validation accuracy of the mixture without that option, whose share goes to no other one, with
        the statistics of each batch (the paper's training mode); and minus the loss (the released code's
        other criterion), which decides among options of the same accuracy, as many have on few images."""
        mixtures = self._inner.make_mixtures()
        weights = getattr(mixtures[name], "weights", kept.float()).detach().clone()
        weights[without] = 0
        self._supernet.choose(self._supernet.whole)
        self._supernet.mix(mixtures | {name: Weighted(weights)})
        self._supernet.eval()
        hits, loss, total = 0, 0.0, 0
        with torch.no_grad(), score_by_batch(self._supernet):
            for step in range(self._validation.steps):
                inputs, targets = self._validation.batch(0, step)
                logits = first_head(self._supernet(inputs)).float()
                hits += int((logits.argmax(1) == targets).sum())
                loss += float(F.cross_entropy(logits, targets, reduction="sum"))
                total += len(targets)
        self._supernet.train()
        return hits / total, -loss / total


def list_decided(supernet: Supernet) -> list[str]:
    """All sites that are decided in the end."""
    return [name for name, site in supernet.sites.items() if not site.edges or site.options > EDGES]


def list_undecided(supernet: Supernet, kept: Mapping[str, Tensor]) -> list[str]:
    """The sites to be decided next: operations first, then the nodes with more edges than they keep."""
    left = [name for name in list_decided(supernet) if name not in kept]
    return [name for name in left if not supernet.sites[name].edges] or left


def list_choices(supernet: Supernet, name: str) -> list[int]:
    """The options that a site can be decided for: where edges are dropped later, none is dropped here."""
    site = supernet.sites[name]
    without = site.nothing if any(other.edges for other in supernet.sites.values()) else None
    return [i for i in range(site.options) if i != without]
