"""Gradient descent of several networks at once: the optimisers of `cambrian.networks.training.descent` on
flat tensors, with a rate, a bound on the gradient and a state for each network alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.networks.population.packing import Flat
from cambrian.networks.training.recipe import Recipe

BETA, EPSILON = 0.999, 1e-8
"""Of AdamW, the second decay rate and the smallest denominator, as in torch."""


class PopulationDescent:
    """The optimiser that the recipe names, over the weights of `lanes` networks."""

    def __init__(self, flats: Sequence[Flat], lanes: int, recipe: Recipe) -> None:
        self._flats, self._lanes, self._recipe = flats, lanes, recipe
        self._steps = 0
        names = ("exp_avg", "exp_avg_sq") if recipe.optimiser == "adamw" else ("momentum",)
        self._moments = [{name: torch.zeros_like(flat.weights) for name in names} for flat in flats]

    @torch.no_grad()
    def descend(self, rates: Sequence[float]) -> None:
        """Take one step against the present gradients, each lane at its rate, and set them to zero."""
        if self._recipe.gradient_clip:
            self._clip_gradients()
        self._steps += 1
        take = self._step_adamw if self._recipe.optimiser == "adamw" else self._step_sgd
        for flat, moments in zip(self._flats, self._moments, strict=True):
            take(flat, moments, self._rate(flat, rates))
            flat.gradients.zero_()

    def state(self) -> dict[str, Tensor]:
        moments = enumerate(self._moments)
        steps = {"steps": torch.tensor(self._steps)}
        return steps | {f"{i}.{name}": value for i, named in moments for name, value in named.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        self._steps = int(tensors["steps"])
        for i, named in enumerate(self._moments):
            for name, moment in named.items():
                moment.copy_(tensors[f"{i}.{name}"])

    def _rate(self, flat: Flat, rates: Sequence[float]) -> Tensor | float:
        """The rate of each number, or of all."""
        if len(set(rates)) == 1:
            return rates[0]
        return torch.tensor(rates, device=flat.weights.device, dtype=flat.weights.dtype)[flat.lanes]

    def _clip_gradients(self) -> None:
        """Scale the gradient of each lane whose norm is too large, as `clip_grad_norm_` does."""
        clip = self._recipe.gradient_clip
        first = self._flats[0].weights
        squares = torch.zeros(self._lanes, device=first.device, dtype=first.dtype)
        for flat in self._flats:
            norms = torch.stack(torch._foreach_norm(flat.views(flat.gradients)))
            squares.index_add_(0, flat.member_lanes, norms.square())
        factors = (clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for flat in self._flats:
            flat.gradients.mul_(factors[flat.lanes])

    def _step_sgd(self, flat: Flat, moments: dict[str, Tensor], rate: Tensor | float) -> None:
        """Nesterov's momentum (Sutskever et al. 2013) in the form of `torch.optim.SGD`."""
        gradient, momentum = flat.gradients, self._recipe.momentum
        if flat.decays and self._recipe.weight_decay:
            gradient.add_(flat.weights, alpha=self._recipe.weight_decay)
        if momentum:
            buffer = moments["momentum"].mul_(momentum).add_(gradient)
            gradient.add_(buffer, alpha=momentum)
        flat.weights.sub_(gradient.mul_(rate))

    def _step_adamw(self, flat: Flat, moments: dict[str, Tensor], rate: Tensor | float) -> None:
        """AdamW (Loshchilov & Hutter 2019, Algorithm 2) in the form of `torch.optim.AdamW`."""
        beta = self._recipe.momentum
        decay = self._recipe.weight_decay if flat.decays else 0.0
        flat.weights.mul_(1 - rate * decay)
        mean = moments["exp_avg"].lerp_(flat.gradients, 1 - beta)
        square = moments["exp_avg_sq"].mul_(BETA).addcmul_(flat.gradients, flat.gradients, value=1 - BETA)
        corrections = 1 - beta**self._steps, 1 - BETA**self._steps
        denominator = (square / corrections[1]).sqrt_().add_(EPSILON)
        flat.weights.sub_(mean / denominator * (rate / corrections[0]))
