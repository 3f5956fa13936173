"""Statistics of batch normalisation that are measured for one network of a supernet."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cambrian.architecture import sample
from cambrian.networks.sharing.norms import measure_statistics, score_by_batch
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sharing import outer

TASK = Shape(channels=2, height=8, width=8, classes=3)
SKELETONS: dict[str, dict[str, Any]] = {
    "nasbench201": {"filters": 4, "cells": 1},
    "cgp": {"width": 0.05},
    "macro": {"filters": 4},
    "enas-macro": {"filters": 4},
}


def draw_batches(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(6, 2, 8, 8, generator=generator) for _ in range(count)]


def share(name: str) -> Any:
    """A space, a random architecture of it and the supernet that holds it."""
    space = SPACES.make(name)
    architecture = sample(space, stream(3, "statistics"))
    torch.manual_seed(0)
    shares = space.know(Shares)
    assert shares is not None
    return space, architecture, shares.share(outer(space, architecture), TASK, **SKELETONS[name])


@pytest.mark.parametrize("name", SKELETONS)
def test_measured_statistics_are_those_of_the_network_alone(name: str) -> None:
    """Of the architecture's own network with the same weights, on the same images; slices of larger
    normalisations too. Statistics that are not the network's own may be any."""
    space, architecture, supernet = share(name)
    batches = draw_batches(3)
    supernet.choose(architecture)
    own = space.build(architecture, TASK, **SKELETONS[name])
    own.load_state_dict(supernet.weights(architecture))
    measure_statistics(supernet, batches)
    measure_statistics(own, batches)
    measured = supernet.weights(architecture)
    names = [k for k in own.state_dict() if k.endswith(("running_mean", "running_var"))]
    assert names
    assert any(not torch.equal(measured[k], torch.zeros_like(measured[k])) for k in names)
    for key in names:
        assert torch.equal(measured[key], own.state_dict()[key]), key
    supernet.eval()
    own.eval()
    with torch.no_grad():
        assert torch.equal(supernet(batches[0]), own(batches[0]))


@pytest.mark.parametrize("name", SKELETONS)
def test_scores_by_batch_are_those_of_training_mode(name: str) -> None:
    """Without dropout, and the running statistics are left as they were."""
    _, architecture, supernet = share(name)
    supernet.choose(architecture)
    (batch,) = draw_batches(1)
    before = {k: v.clone() for k, v in supernet.state_dict().items()}
    with torch.no_grad(), score_by_batch(supernet):
        by_batch = supernet.eval()(batch)
    assert all(torch.equal(v, before[k]) for k, v in supernet.state_dict().items())
    for module in supernet.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        trained = supernet.train()(batch)
    trained = trained[0] if isinstance(trained, tuple) else trained
    torch.testing.assert_close(by_batch, trained)


def test_measured_statistics_are_means_over_batches() -> None:
    """Of the batches' means and of their unbiased variances, each batch weighing the same."""
    norm = nn.BatchNorm2d(2)
    batches = draw_batches(4)
    measure_statistics(norm, batches)
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches])
    variances = torch.stack([batch.transpose(0, 1).flatten(1).var(1) for batch in batches])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    torch.testing.assert_close(norm.running_var, variances.mean(0))
    assert norm.momentum == 0.1
