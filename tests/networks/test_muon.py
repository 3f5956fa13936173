"""Muon, against its formula by a singular value decomposition, and torch's SGD for all that is no filter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cambrian.networks.training.descent import Descent
from cambrian.networks.training.muon import (
    BETA,
    COEFFICIENTS,
    FILTER_RATE,
    ITERATIONS,
    SMALL,
    is_filter,
    orthogonalise,
)
from cambrian.networks.training.recipe import Recipe

RECIPE = Recipe(optimiser="muon", gradient_clip=0.0, weight_decay=0.01)


def by_singular_values(matrix: torch.Tensor) -> torch.Tensor:
    """The same with the polynomial of the singular values, one after the other."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = s / (matrix.norm() + 1e-7)
    for _ in range(ITERATIONS):
        s = sum(c * s**k for c, k in zip(COEFFICIENTS, (1, 3, 5), strict=True))
    return (u * s) @ v


@pytest.mark.parametrize("shape", [(8, 8), (5, 40), (40, 5), (1, 9)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    """The vectors stay; the values of a random matrix are between a third and 1.3 afterwards."""
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix += 0.5 * torch.eye(*shape, dtype=torch.float64) * matrix.norm() / min(shape) ** 0.5
    found = orthogonalise(matrix)
    assert torch.allclose(found, by_singular_values(matrix), atol=1e-12)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.33
    assert values.max() < 1.3


def test_steps_are_the_formulas() -> None:
    """Three steps with other gradients each: filters, of which two are alike, turn and keep their norms, the
    first filters and the head go as by torch's SGD, biases do not decay."""
    torch.manual_seed(0)
    shapes = [
        (6, 5, 3, 3),
        (4, 3, 3, 3),
        (6, 1, 3, 3),
        (10, 6),
        (6,),
        (7, 5, 3, 1),
        (1, 5, 4),
        (3, 8, 4),
        (1, 8, 2, 2),
        (6, 5, 3, 3),
    ]
    ours = [nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in shapes]
    assert [is_filter(p) for p in ours] == [n in (0, 5, 9) for n in range(10)]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    begun = [p.detach().norm() for p in ours]
    plain = [p for p in theirs if not is_filter(p)]
    groups = [{"params": [p for p in plain if p.ndim > 1], "weight_decay": 0.01}]
    groups += [{"params": [p for p in plain if p.ndim == 1], "weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    descent, momenta = Descent(ours, RECIPE), [torch.zeros_like(p) for p in theirs]
    for _ in range(3):
        for mine, other, momentum, norm in zip(ours, theirs, momenta, begun, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
            if not is_filter(other):
                continue
            momentum.mul_(BETA).add_(mine.grad, alpha=1 - BETA)
            ahead = (1 - BETA) * mine.grad + BETA * momentum
            step = by_singular_values(ahead.flatten(1)).view_as(ahead)
            moved = other.detach() / norm * len(other) ** 0.5 - FILTER_RATE * 0.1 * step
            other.data.copy_(moved / moved.norm() * norm)
        descent.descend(0.1)
        sgd.step()
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-9)


def test_a_filter_of_zeros_begins_to_move() -> None:
    """As that of a new branch; one without a gradient stays."""
    parameters = [nn.Parameter(torch.zeros(4, 4, 3, 3)), nn.Parameter(torch.ones(4, 4, 1, 1))]
    parameters[0].grad = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    descent = Descent(parameters, RECIPE)
    descent.descend(0.1)
    assert 0 < parameters[0].norm() < 0.1
    assert torch.equal(parameters[1], torch.ones(4, 4, 1, 1))


def test_filters_that_begin_at_zero_grow_before_they_keep_their_norm() -> None:
    """Even where the first steps are a warm-up's small ones; those of usual norm keep it from the start."""
    generator = torch.Generator().manual_seed(0)
    new = nn.Parameter(torch.zeros(4, 4, 3, 3))
    usual = nn.Parameter(torch.randn(4, 4, 3, 3, generator=generator) / 6)
    begun, descent = usual.detach().norm(), Descent([new, usual], RECIPE)
    for number in range(40):
        for parameter in (new, usual):
            parameter.grad = torch.ones_like(parameter) + torch.randn(4, 4, 3, 3, generator=generator)
        descent.descend(0.001 if number < 5 else 0.1)
    assert SMALL <= new.detach().norm() / 2 < 3 * SMALL
    assert torch.allclose(usual.detach().norm(), begun, rtol=1e-5)


def test_the_share_of_a_rate_of_zero_is_zero() -> None:
    """A step at the end of a schedule changes nothing, to the last bit but one."""
    parameter = nn.Parameter(torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(0)))
    before = parameter.detach().clone()
    parameter.grad = torch.ones_like(parameter)
    Descent([parameter], replace(RECIPE, learning_rate=1.0)).descend(0.0)
    assert torch.allclose(parameter, before, rtol=3e-7)


def test_the_parts_of_an_elastic_filter_that_did_not_run_stay() -> None:
    """Bit for bit: a narrower network has the first channels, and its part moves as a filter of that size."""
    generator = torch.Generator().manual_seed(0)
    whole = nn.Parameter(torch.randn(8, 8, 3, 3, generator=generator, dtype=torch.float64))
    part = nn.Parameter(whole.detach()[:6, :5].clone())
    before, norm = whole.detach().clone(), part.detach().norm()
    ratio = before.norm() / 8**0.5 / (norm / 6**0.5)
    gradient = torch.randn(6, 5, 3, 3, generator=generator, dtype=torch.float64)
    whole.grad, part.grad = torch.zeros_like(whole), gradient
    whole.grad[:6, :5] = gradient
    recipe = replace(RECIPE, learning_rate=0.1)
    Descent([whole], recipe).descend(0.1)
    # The rate goes by the norm per output, of the whole filter.
    Descent([part], recipe).descend(0.1 * ratio.item())
    idle = torch.ones_like(before, dtype=torch.bool)
    idle[:6, :5] = False
    assert torch.equal(whole.detach()[idle], before[idle])
    assert not torch.allclose(part, before[:6, :5], rtol=1e-3)
    torch.testing.assert_close(whole.detach()[:6, :5], part.detach(), rtol=1e-9, atol=0)
