"""Steps down a gradient: an optimiser of some parameters, its gradient clipped, its state by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cambrian.networks.training.recipe import Recipe


class Descent:
    """The optimiser that the recipe names, over `parameters`. A step that learns two kinds of parameters, as
    weights and gates, has two of them."""

    def __init__(self, parameters: list[nn.Parameter], recipe: Recipe) -> None:
        self.parameters = parameters
        self._clip = recipe.gradient_clip
        self._optimiser = make_optimiser(parameters, recipe)

    def descend(self, rate: float) -> None:
        """One step against the gradients that are there, which are then gone."""
        if self._clip:
            nn.utils.clip_grad_norm_(self.parameters, self._clip)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._begin_momentum()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """The optimiser's moments, by the parameter's place and their name."""
        return {
            f"{i}.{name}": value
            for i, parameter in enumerate(self.parameters)
            for name, value in self._optimiser.state.get(parameter, {}).items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up the moments that `state` gave, each copied into its parameter's layout: fused kernels walk
        through memory and take that for granted."""
        self._optimiser.state.clear()
        for key, value in tensors.items():
            i, name = key.split(".", 1)
            parameter = self.parameters[int(i)]
            like = parameter.detach() if value.shape == parameter.shape else value.to(parameter.device)
            moment = torch.empty_like(like, dtype=value.dtype).copy_(value)
            self._optimiser.state[parameter][name] = moment

    def _begin_momentum(self) -> None:
        """Zeros for parameters whose first gradient comes after others' (those of a path that was not run):
        the fused SGD takes either all momenta or none."""
        state = self._optimiser.state
        if not state or not isinstance(self._optimiser, torch.optim.SGD):
            return
        for parameter in self.parameters:
            if parameter.grad is not None and parameter not in state:
                state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def make_optimiser(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Biases and normalisation, the parameters of one dimension, do not decay."""
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
