"""Gradient descent: an optimiser of some parameters, with gradient clipping and a state by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from cambrian.networks.training.muon import Muon
from cambrian.networks.training.recipe import Recipe

MOMENTS = {
    "sgd": ("momentum_buffer",),
    "muon": ("momentum_buffer",),
    "adamw": ("step", "exp_avg", "exp_avg_sq"),
}
"""The moments of a parameter under each optimiser."""


class Descent:
    """The optimiser that the recipe names, over `parameters`. A step that learns two kinds of parameters,
    such as weights and gates, has two of these."""

    def __init__(self, parameters: list[nn.Parameter], recipe: Recipe) -> None:
        self.parameters = parameters
        self._clip = recipe.gradient_clip
        self._optimiser = make_optimiser(parameters, recipe)
        self._first_decays = [group["weight_decay"] for group in self._optimiser.param_groups]

    def descend(self, rate: float) -> None:
        """Take one step against the present gradients, and delete them."""
        if self._clip:
            # By the norm over all parameters, which keeps the gradient's direction.
            nn.utils.clip_grad_norm_(self.parameters, self._clip)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._begin_momentum()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def scale_decay(self, factor: float) -> None:
        """Let the weights decay by `factor` times as much as the recipe says, from now on."""
        for group, decay in zip(self._optimiser.param_groups, self._first_decays, strict=True):
            group["weight_decay"] = factor * decay

    def momenta(self) -> list[Tensor | None]:
        """The momentum of each parameter under SGD, None where it has not begun."""
        return [self._optimiser.state.get(p, {}).get("momentum_buffer") for p in self.parameters]

    @property
    def decays(self) -> list[float]:
        """The weight decay of each parameter."""
        groups = self._optimiser.param_groups
        decays = {id(p): float(group["weight_decay"]) for group in groups for p in group["params"]}
        return [decays[id(p)] for p in self.parameters]

    @property
    def momentum(self) -> float:
        """Nesterov's momentum of SGD; 0 of an optimiser that has another kind."""
        return float(self._optimiser.param_groups[0].get("momentum", 0.0))

    @torch.no_grad()
    def reorder(self, moves: Iterable[tuple[Tensor, int, Tensor]]) -> None:
        """Reorder each tensor along its dimension by these indices, and the moments of parameters alike."""
        for tensor, dim, order in moves:
            moments = self._optimiser.state.get(tensor, {}).values()
            for each in (tensor, *(m for m in moments if m.shape == tensor.shape)):
                each.copy_(each.index_select(dim, order))

    def state(self) -> dict[str, Tensor]:
        """The optimiser's moments, by the parameter's index and the moment's name."""
        return {
            f"{i}.{name}": value
            for i, parameter in enumerate(self.parameters)
            for name, value in self._optimiser.state.get(parameter, {}).items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load the moments that `state` returned, each in the memory layout of its parameter."""
        self._optimiser.state.clear()
        for key, value in tensors.items():
            i, name = key.split(".", 1)
            parameter = self.parameters[int(i)]
            # Fused kernels walk through memory, and assume that parameter and moment have the same layout.
            like = parameter.detach() if value.shape == parameter.shape else value.to(parameter.device)
            moment = torch.empty_like(like, dtype=value.dtype).copy_(value)
            self._optimiser.state[parameter][name] = moment

    def _begin_momentum(self) -> None:
        """Create zero momenta for parameters that get their first gradient later than others, as those of
        paths that did not run before."""
        # The fused SGD takes either all momenta or none.
        state = self._optimiser.state
        if not state or not isinstance(self._optimiser, torch.optim.SGD):
            return
        for parameter in self.parameters:
            if parameter.grad is not None and parameter not in state:
                state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def keep_moments(moments: Mapping[str, Tensor], optimiser: str) -> dict[str, Tensor]:
    """Those of the moments, by "index.name", that are this optimiser's: none of another kind's."""
    return {key: m for key, m in moments.items() if key.split(".", 1)[1] in MOMENTS[optimiser]}


def make_optimiser(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser that the recipe names. Biases and normalisation do not decay (He et al. 2019, Sec.
    3.1)."""
    if recipe.optimiser == "muon":
        return Muon(parameters, recipe.learning_rate, recipe.momentum, recipe.weight_decay)
    # These are the parameters of one dimension.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True
    )
