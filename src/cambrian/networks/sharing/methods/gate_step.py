"""The step of gradient methods: in turns, gates descend the loss on batches of the validation part, and
weights on those of the training part (Liu et al. 2019, Algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.course import Course, find_largest_eigenvalue
from cambrian.networks.sharing.methods.forks import fix_scales
from cambrian.networks.sharing.methods.gate_checks import Connection, check_mixtures
from cambrian.networks.sharing.methods.gate_rules import (
    Logits,
    Progress,
    Rules,
    check_recipe,
    clip_gradients,
    keep_shares,
    mix_softmax,
)
from cambrian.networks.sharing.methods.hypergradient import Bilevel, held_fixed
from cambrian.networks.sharing.mixing import Mixture, Summed, Weighted
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import HeadsLoss, Moment
from cambrian.settings import COUNT, POSITIVE, SHARE, Span

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


WATCHED = 4
"""Batches of the validation part whose loss is recorded after an epoch, where gates learn from others."""


@dataclass(frozen=True)
class GateSettings:
    """Settings of all gradient methods. `epochs` is the length of the whole training, over which schedules
    extend: a shorter one is its beginning. Gates learn by Adam at `gate_rate`, with the betas `gate_momentum`
    and .999 and `gate_decay` as part of the gradient, after `frozen` epochs in which the weights learn alone,
    in one step of `every`; their gradient is clipped to the norm `gate_clip` (0: not clipped).
    The rate is for some hundreds of steps; the papers' rates, which are lower, are for ten thousands.
    `curvature` is the number of Lanczos's iterations after each epoch (0: the eigenvalue is not watched)."""

    epochs: Annotated[int, COUNT] = 25
    gate_rate: Annotated[float, POSITIVE] = 0.01
    gate_momentum: Annotated[float, SHARE] = 0.5
    gate_decay: Annotated[float, Span(0)] = 1e-3
    gate_clip: Annotated[float, Span(0)] = 0.0
    frozen: Annotated[int, Span(0)] = 0
    every: Annotated[int, COUNT] = 1
    curvature: Annotated[int, Span(0, 100)] = 5


class GateStep:
    """Learns the weights of `supernet` by `recipe` and the logits of its sites by `rules`."""

    def __init__(
        self,
        settings: GateSettings,
        rules: Rules,
        supernet: Supernet,
        recipe: Recipe,
        validation: BatchStream,
    ) -> None:
        check_recipe(recipe, rules, settings.epochs)
        if not supernet.sites:
            raise UsageError("the space cannot be mixed: it does not say where its supernet has gates")
        self._settings, self._rules = settings, rules
        self._supernet, self._recipe, self._validation = supernet, recipe, validation
        self._loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        self._logits = make_logits(supernet, rules)
        self._connection = Connection(list(self._logits.values()))
        self.kept: dict[str, Tensor] = {}  # bool[options] of sites whose other options were dropped
        self._course = Course({site: len(logit) for site, logit in self._logits.items()})
        by_adam = replace(
            recipe,
            optimiser="adamw",
            learning_rate=settings.gate_rate,
            momentum=settings.gate_momentum,
            weight_decay=0.0,
            gradient_clip=0.0,
        )
        self._by_gates = Descent(list(self._logits.values()), by_adam)
        self._by_weights = Descent([p for p in supernet.parameters() if p.requires_grad], recipe)
        if not rules.scales:
            fix_scales(supernet)

    @property
    def logits(self) -> Logits:
        return {site: logit.detach() for site, logit in self._logits.items()}

    @property
    def prefix(self) -> bool:
        """Whether a longer training begins with this one: schedules go by the method's own `epochs`."""
        return self._recipe.first_resolution == 1 or self._recipe.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        if moment.step == 0:
            self.kept |= self._rules.drop(self._probabilities(), moment.epoch)
        progress = Progress(moment.epoch, self._settings.epochs, kept=self.kept)
        rate = self._rules.find_rate(self._recipe, moment, self._settings.epochs)
        self._follow_share(moment)
        self._supernet.choose(self._supernet.whole)
        if self._rules.one_level:
            loss = self._learn_together(inputs, targets, moment, progress, rate)
        else:
            if self._learns_gates(moment):
                self._learn_gates(inputs, targets, moment, progress, rate)
            loss = self._learn_weights(inputs, targets, moment, progress, rate)
        if moment.step == moment.steps_per_epoch - 1:
            if self._rules.one_level:
                self._watch(moment, progress)
            self._course.close_epoch(self._probabilities(), self._find_curvature(moment))
        return loss

    def _follow_share(self, moment: Moment) -> None:
        """Let the operations see the channels of this epoch. At its beginning they may be widened."""
        find = self._rules.find_share
        if find is None:
            return
        present, before = find(moment.epoch), find(max(0, moment.epoch - 1))
        if moment.step == 0 and present < before:
            # Seeded from the device's generator, which is seeded by the step.
            device = next(self._supernet.parameters()).device
            generator = torch.Generator().manual_seed(int(torch.randint(2**31, (), device=device)))
            self._by_weights.reorder(self._supernet.list_widening(before, generator))
        self._supernet.narrow(present)

    def _learns_gates(self, moment: Moment) -> bool:
        resting = moment.epoch < self._settings.frozen or self._rules.rests(moment.epoch)
        return not resting and moment.step % self._settings.every == 0

    def _learn_gates(
        self, inputs: Tensor, targets: Tensor, moment: Moment, progress: Progress, rate: float
    ) -> None:
        held = self._validation.batch(*divmod(moment.done, self._validation.steps))
        level = Bilevel(
            list(self._logits.values()),
            self._by_weights.parameters,
            lambda: self._lose(*held, moment, progress, watched=True),
            lambda: self._lose(inputs, targets, moment, progress),
            rate,
            self._by_weights.momenta(),
            self._by_weights.momentum,
            self._by_weights.decays,
            nesterov=True,
        )
        self._move_gates(self._rules.gradient(level))

    def _learn_weights(
        self, inputs: Tensor, targets: Tensor, moment: Moment, progress: Progress, rate: float
    ) -> Tensor:
        # Detached: this pass computes no gradients of gates.
        fixed = {site: logit.detach() for site, logit in self._logits.items()}
        self._mix(fixed, replace(progress, learning=False))
        loss = self._loss(self._supernet, inputs, targets, moment)
        torch.autograd.backward(loss)
        self._by_weights.descend(rate)
        return loss.detach()

    def _learn_together(
        self, inputs: Tensor, targets: Tensor, moment: Moment, progress: Progress, rate: float
    ) -> Tensor:
        loss = self._lose(inputs, targets, moment, progress)
        torch.autograd.backward(loss)
        gradients = [torch.zeros_like(g) if g.grad is None else g.grad for g in self._logits.values()]
        self._by_weights.descend(rate)
        if self._learns_gates(moment):
            self._move_gates(gradients)
        for logit in self._logits.values():
            logit.grad = None
        return loss.detach()

    def _watch(self, moment: Moment, progress: Progress) -> None:
        """Record the loss on a few batches of the validation part, from which these gates do not learn."""
        with torch.no_grad():
            for n in range(WATCHED):
                self._mix(self.logits, replace(progress, learning=False))
                held = self._validation.batch(*divmod(moment.done + n, self._validation.steps))
                self._course.add_loss(float(self._loss(self._supernet, *held, moment)))

    def _lose(
        self, inputs: Tensor, targets: Tensor, moment: Moment, progress: Progress, watched: bool = False
    ) -> Tensor:
        """The loss of the gates' pass, with the penalty."""
        self._mix(self._logits, progress)
        loss = self._loss(self._supernet, inputs, targets, moment)
        self._connection.check(loss)
        if watched:
            self._course.add_loss(float(loss.detach()))
        if self._rules.scale is not None:
            loss = loss * self._rules.scale(self._logits)
        return loss if self._rules.penalty is None else loss + self._rules.penalty(self._logits, progress)

    def _mix(self, logits: Logits, progress: Progress) -> None:
        mixtures = self._rules.relax(logits, progress)
        check_mixtures(mixtures, self._supernet, self._logits)
        self._supernet.mix(complete(mixtures, self._supernet, self.kept))

    def _move_gates(self, gradients: list[Tensor]) -> None:
        before = {site: logit.detach().clone() for site, logit in self._logits.items()}
        clipped = clip_gradients(gradients, self._settings.gate_clip)
        for logit, gradient in zip(self._logits.values(), clipped, strict=True):
            # Adam's decay is part of the gradient in the papers, and is scaled with it.
            logit.grad = gradient.detach() + self._settings.gate_decay * logit.detach()
        self._by_gates.descend(self._settings.gate_rate)
        with torch.no_grad():
            self._rules.settle(before, self._logits)

    def _find_curvature(self, moment: Moment) -> float:
        """The largest eigenvalue of the validation loss's Hessian, of the mixture of all candidates."""
        if not self._settings.curvature or not self._rules.soft:
            return math.nan
        held = self._validation.batch(*divmod(moment.done, self._validation.steps))

        def lose() -> Tensor:
            progress = Progress(moment.epoch, self._settings.epochs, kept=self.kept)
            self._supernet.mix(complete(mix_softmax(self._logits, progress), self._supernet, self.kept))
            return self._loss(self._supernet, *held, moment)

        with held_fixed(self._by_weights.parameters):
            return find_largest_eigenvalue(lose, list(self._logits.values()), self._settings.curvature)

    def make_mixtures(self) -> dict[str, Mixture]:
        """The softmax mixtures of all sites, by the present gates."""
        mixed = mix_softmax(self._logits, Progress(0, self._settings.epochs, kept=self.kept))
        return complete(mixed, self._supernet, self.kept)

    def _probabilities(self) -> dict[str, Tensor]:
        find = self._rules.probabilities
        return {site: keep_shares(find(g.detach()), self.kept.get(site)) for site, g in self._logits.items()}

    def gates(self) -> dict[str, list[float]]:
        """The probability of each option, by site; of edges that were dropped, the shares of the others."""
        edges = {
            s: keep_shares(torch.ones(len(k)), k.cpu()) for s, k in self.kept.items() if s not in self._logits
        }
        return {site: p.tolist() for site, p in {**self._probabilities(), **edges}.items()}

    def data(self) -> dict[str, Any]:
        """The course of the gates, for the outcome."""
        return {"course": self._course.describe()}

    def state(self) -> dict[str, Tensor]:
        weights = {f"weights.{k}": v for k, v in self._by_weights.state().items()}
        moments = {f"moments.{k}": v for k, v in self._by_gates.state().items()}
        course = {f"course.{k}": v for k, v in self._course.state().items()}
        kept = {f"kept.{k}": v for k, v in self.kept.items()}
        gates = {f"gate.{p}": g.detach() for p, g in self._logits.items()}
        present = torch.tensor(self._supernet.present_share)
        shares = {} if self._rules.find_share is None else {"share": present}
        return weights | moments | course | kept | gates | shares

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._by_weights.restore(_select(tensors, "weights."))
        self._by_gates.restore(_select(tensors, "moments."))
        self._course.restore(_select(tensors, "course."))
        # A part that takes no step would else leave these weights as those of another share.
        if "share" in tensors:
            self._supernet.narrow(int(tensors["share"]))
        device = next(iter(self._logits.values())).device
        self.kept |= {site: kept.to(device) for site, kept in _select(tensors, "kept.").items()}
        with torch.no_grad():
            for site, logit in self._logits.items():
                logit.copy_(tensors[f"gate.{site}"])


def make_logits(supernet: Supernet, rules: Rules) -> dict[str, nn.Parameter]:
    """The logits of every site that the method learns, all alike at the start."""
    device = next(supernet.parameters()).device
    sites = {name: site for name, site in supernet.sites.items() if rules.edges or not site.edges}
    return {
        name: nn.Parameter(torch.full((site.options,), rules.start, device=device))
        for name, site in sites.items()
    }


def complete(
    mixtures: Mapping[str, Mixture], supernet: Supernet, kept: Mapping[str, Tensor] = {}
) -> dict[str, Mixture]:
    """The mixtures of all sites: edges that have no weights are added, but for those that were dropped."""
    added: dict[str, Mixture] = {
        name: Weighted(kept[name].float()) if name in kept else Summed()
        for name, site in supernet.sites.items()
        if site.edges
    }
    return added | dict(mixtures)


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
