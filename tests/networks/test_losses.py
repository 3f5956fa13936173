"""Losses against closed forms and torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cambrian.networks.training import losses, recipe
from cambrian.networks.training.losses import CrossEntropy, Distillation, SquaredError, make_loss
from cambrian.networks.training.recipe import Recipe


def some_logits(seed: int = 0) -> torch.Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TARGETS = torch.tensor([0, 1, 2, 3, 3, 1, 0])


def test_every_name_of_a_recipe_has_a_loss() -> None:
    """The recipe, which knows no torch, names just those that there are, and hands on its smoothing."""
    assert set(recipe.LOSSES) == set(losses.LOSSES)
    assert make_loss(Recipe(label_smoothing=0.1)) == CrossEntropy(0.1)
    assert make_loss(Recipe(loss="squared-error")) == SquaredError(0.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_labels_by_hand(smoothing: float) -> None:
    """Cross-entropy and squared distance to (1 - s) on the class and s / 4 on each of the four."""
    logits = some_logits()
    smooth = torch.full((7, 4), smoothing / 4, dtype=torch.float64)
    smooth[torch.arange(7), TARGETS] += 1 - smoothing
    entropy = -(smooth * logits.log_softmax(1)).sum() / 7
    assert CrossEntropy(smoothing)(logits, TARGETS).item() == pytest.approx(entropy.item())
    squared = sum(float(((a - b) ** 2).sum()) for a, b in zip(logits, smooth, strict=True)) / 7
    assert SquaredError(smoothing)(logits, TARGETS).item() == pytest.approx(squared)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_a_divergence_up_to_the_teachers_entropy(temperature: float) -> None:
    """Oracle: torch's Kullback-Leibler divergence, whose gradient is the same; none goes to the teacher."""
    student, teacher = some_logits(0).requires_grad_(), some_logits(1).requires_grad_()
    loss = Distillation(temperature)(student, teacher)
    (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
    divergence = F.kl_div(
        (student / temperature).log_softmax(1),
        (teacher.detach() / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    (oracle,) = torch.autograd.grad(temperature**2 * divergence, student)
    assert torch.allclose(gradient, oracle)
    assert torch.autograd.grad(loss, teacher, allow_unused=True) == (None,)
    probabilities = (teacher / temperature).softmax(1)
    entropy = -(probabilities * probabilities.log()).sum(1).mean()
    assert loss.item() == pytest.approx(temperature**2 * (divergence + entropy).item())
