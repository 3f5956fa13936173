"""The gradient of gates through a step of the weights, against closed forms and automatic differentiation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cambrian.networks.sharing.methods.hypergradient import Bilevel, first_order, predict_step, second_order
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.recipe import Recipe


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.0, 2.0), pytest.param(0.25, 4 / 3, marks=pytest.mark.slow), (0.5, 1.0)]
)
def test_the_toy_problem_ends_where_the_paper_says(rate: float, expected: float) -> None:
    """L_val = a w - 2 a + 1 and L_train = w^2 - 2 a w + a^2 from (2, -2) end at a = w = 2 / (1 + 2 xi)."""
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    w = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
    level = Bilevel([a], [w], lambda: a * w - 2 * a + 1, lambda: w**2 - 2 * a * w + a**2, rate)
    for _ in range(800):
        (gradient,) = second_order(level)
        (slope,) = torch.autograd.grad(level.training(), [w])
        with torch.no_grad():
            a -= 0.05 * gradient
            w -= 0.2 * slope
    torch.testing.assert_close(torch.stack([a, w]).detach(), torch.full((2,), expected, dtype=torch.float64))


class Perceptron:
    """Two losses of a mixture of three activations, with weights, gates and momenta by a seed."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(3)
        make = lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=draw)  # noqa: E731
        self.weights = [make(4, 5).requires_grad_(), make(5, 1).requires_grad_()]
        self.gates = [make(3).requires_grad_()]
        self.momenta = [0.1 * make(4, 5), 0.1 * make(5, 1)]
        self.parts = [(make(20, 4), make(20, 1)) for _ in range(2)]

    def lose(self, part: int, weights: list[Tensor]) -> Tensor:
        inputs, targets = self.parts[part]
        hidden = inputs @ weights[0]
        mixed = self.gates[0].softmax(0)[:, None, None] * torch.stack([hidden.tanh(), hidden.sin(), hidden])
        return (mixed.sum(0) @ weights[1] - targets).square().mean()

    def level(self, rate: float, nesterov: bool = False) -> Bilevel:
        validation, training = (lambda p=part: self.lose(p, self.weights) for part in (0, 1))
        return Bilevel(
            self.gates, self.weights, validation, training, rate, self.momenta, 0.9, DECAYS, nesterov
        )


DECAYS = [3e-4, 0.0]
"""Of the two matrices, as if the second were a bias."""


@pytest.mark.parametrize("nesterov", [False, True])
def test_it_is_the_derivative_through_the_step(nesterov: bool) -> None:
    """Within 1e-3 of automatic differentiation through w' = w - xi (.9 m + g), where g holds the decay, or
    w - xi (g + .9 (.9 m + g)), and the weights are afterwards what they were."""
    case, rate = Perceptron(), 0.05
    before = [w.detach().clone() for w in case.weights]
    (found,) = second_order(case.level(rate, nesterov))
    slopes = torch.autograd.grad(case.lose(1, case.weights), case.weights, create_graph=True)
    moved = []
    for w, g, m, decay in zip(case.weights, slopes, case.momenta, DECAYS, strict=True):
        decayed = g + decay * w
        buffer = 0.9 * m + decayed
        moved.append(w - rate * (decayed + 0.9 * buffer if nesterov else buffer))
    (exact,) = torch.autograd.grad(case.lose(0, moved), case.gates)
    assert (found - exact).norm() <= 1e-3 * exact.norm()
    (plain,) = first_order(case.level(rate))
    assert (plain - exact).norm() > 1e-2 * exact.norm()
    assert all(map(torch.equal, before, [w.detach() for w in case.weights]))


def test_a_rate_of_zero_is_the_first_order() -> None:
    """xi = 0: the same gradient, bit for bit."""
    case = Perceptron()
    assert torch.equal(second_order(case.level(0.0))[0], first_order(case.level(0.0))[0])


def test_weights_that_do_not_learn_stay_in_the_step_as_they_are() -> None:
    """The gradient is that of a problem in which they are numbers."""
    case, other = Perceptron(), Perceptron()
    case.weights[1].requires_grad_(False)
    level = replace(case.level(0.05), momenta=[case.momenta[0], None])
    (found,) = second_order(level)
    validation, training = (
        lambda p=part: other.lose(p, [other.weights[0], case.weights[1].detach()]) for part in (0, 1)
    )
    alone = Bilevel(
        other.gates, other.weights[:1], validation, training, 0.05, other.momenta[:1], 0.9, DECAYS[:1]
    )
    torch.testing.assert_close(found, second_order(alone)[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_step_is_that_of_the_optimiser(nesterov: bool) -> None:
    """w - xi d equals one step of torch's SGD whose buffer is the momentum."""
    case, rate = Perceptron(), 0.05
    level = case.level(rate, nesterov)
    slopes = torch.autograd.grad(level.training(), case.weights)
    copies = [w.detach().clone().requires_grad_() for w in case.weights]
    groups = [{"params": [c], "weight_decay": d} for c, d in zip(copies, DECAYS, strict=True)]
    optimiser = torch.optim.SGD(groups, rate, momentum=0.9, nesterov=nesterov)
    for copy, slope, momentum in zip(copies, slopes, case.momenta, strict=True):
        copy.grad = slope.clone()
        optimiser.state[copy]["momentum_buffer"] = momentum.clone()
    optimiser.step()
    for w, d, copy in zip(case.weights, predict_step(level, slopes), copies, strict=True):
        torch.testing.assert_close(w.detach() - rate * d, copy.detach(), rtol=1e-13, atol=1e-15)


def test_the_unrolled_step_is_the_one_that_is_taken() -> None:
    """The weights of a supernet after a step are those that its unrolled form predicted, also with a momentum
    that has begun: to the last bits, without a bound on gradients."""
    recipe = Recipe(batch_size=4, gradient_clip=0.0, weight_decay=1e-2, warmup=0.0)
    weights = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(3))]
    descent = Descent(weights, recipe)
    for _ in range(2):
        slopes = [torch.randn_like(w) for w in weights]
        level = Bilevel([], weights, torch.zeros(1).sum, torch.zeros(1).sum, 0.1, descent.momenta(),
                        descent.momentum, descent.decays, nesterov=True)  # fmt: skip
        expected = [w.detach() - 0.1 * d for w, d in zip(weights, predict_step(level, slopes), strict=True)]
        for weight, slope in zip(weights, slopes, strict=True):
            weight.grad = slope.clone()
        descent.descend(0.1)
        for weight, prediction in zip(weights, expected, strict=True):
            torch.testing.assert_close(weight.detach(), prediction, rtol=1e-6, atol=1e-7)
