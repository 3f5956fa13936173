"""Gates over the options of each fork: Liu et al., "DARTS: Differentiable Architecture Search" (ICLR 2019),
Algorithm 1 in its first-order form. In turns, the gates descend the loss on validation batches, and the
weights the loss on training batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import HeadsLoss, Moment, Step
from cambrian.settings import POSITIVE, SHARE, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Softmax:
    """The gates start at 0 and learn by Adam (the paper's settings: 3e-4, betas .5 and .999, decay 1e-3).
    Shared questions that are not forks of modules, such as the wiring, are drawn anew for each step."""

    learning_rate: Annotated[float, POSITIVE] = 3e-4
    momentum: Annotated[float, SHARE] = 0.5
    weight_decay: Annotated[float, Span(0)] = 1e-3

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'softmax'")

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return SoftmaxStep(self, supernet, recipe, draw, validation)


class SoftmaxStep:
    def __init__(
        self, method: Softmax, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream
    ) -> None:
        self._supernet, self._recipe, self._draw, self._validation = supernet, recipe, draw, validation
        self._rate = method.learning_rate
        self._loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        device = next(supernet.parameters()).device
        self._gates = {p: nn.Parameter(torch.zeros(n, device=device)) for p, n in forks_of(supernet).items()}
        # Adam's decay is part of the gradient in the paper; decoupled, as here, it differs in size only.
        by_adam = replace(
            recipe,
            optimiser="adamw",
            learning_rate=method.learning_rate,
            momentum=method.momentum,
            weight_decay=method.weight_decay,
            gradient_clip=0.0,
        )
        self._by_gates = Descent(list(self._gates.values()), by_adam)
        self._by_weights = Descent([p for p in supernet.parameters() if p.requires_grad], recipe)

    @property
    def prefix(self) -> bool:
        return self._recipe.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        # The draw decides the questions without gates; the mixtures below replace its choice at the forks.
        self._supernet.choose(self._draw(moment.done))
        step = moment.step % self._validation.steps
        # Gates first, then weights, as in Algorithm 1. The validation part may have fewer batches than the
        # training part, and then begins again within an epoch.
        self._descend(*self._validation.batch(moment.epoch, step), moment, self._by_gates, self._rate)
        rate = self._recipe.rate(moment.done, moment.length, moment.steps_per_epoch)
        return self._descend(inputs, targets, moment, self._by_weights, rate)

    def _descend(
        self, inputs: Tensor, targets: Tensor, moment: Moment, descent: Descent, rate: float
    ) -> Tensor:
        self._supernet.mix({path: gate.softmax(0) for path, gate in self._gates.items()})
        loss = self._loss(self._supernet, inputs, targets, moment)
        torch.autograd.backward(loss)
        descent.descend(rate)
        for parameter in (*self._by_gates.parameters, *self._by_weights.parameters):
            parameter.grad = None  # also of the half that this descent does not move
        return loss.detach()

    def gates(self) -> dict[str, list[float]]:
        """The probability of each option, by question."""
        return {path: gate.detach().softmax(0).tolist() for path, gate in self._gates.items()}

    def state(self) -> dict[str, Tensor]:
        weights = {f"weights.{k}": v for k, v in self._by_weights.state().items()}
        moments = {f"moments.{k}": v for k, v in self._by_gates.state().items()}
        return weights | moments | {f"gate.{path}": gate.detach() for path, gate in self._gates.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for begin, descent in (("weights.", self._by_weights), ("moments.", self._by_gates)):
            descent.restore({k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)})
        with torch.no_grad():
            for path, gate in self._gates.items():
                gate.copy_(tensors[f"gate.{path}"])


def forks_of(supernet: Supernet) -> dict[str, int]:
    """The shared questions that are answered by forks of modules only, with their numbers of options."""
    answering: dict[str, list[nn.Module]] = {path: [] for path in supernet.choices}
    for module in supernet.modules():
        if getattr(module, "path", None) in answering:
            answering[module.path].append(module)  # type: ignore[index]
    # A question that also decides other parts cannot be mixed: those need one answer.
    return {
        path: len(switches[0].options)  # type: ignore[arg-type]
        for path, switches in answering.items()
        if switches and all(isinstance(switch, Fork) for switch in switches)
    }
