"""A hypernetwork that generates the weights of memory banks (Brock et al. 2018)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import gate_cases
from cambrian.architecture import sample
from cambrian.errors import SpaceError
from cambrian.estimators import supernets
from cambrian.estimators.job import Job
from cambrian.networks.sharing.methods.smash import GeneratedLoss
from cambrian.networks.training.step import Moment
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.spaces.branches.memory_banks.space import MemoryBanks
from cambrian.weights import Shared

SPACE = MemoryBanks(layers=3, banks=3)
SKELETON = {"filters": 4}


def make_step() -> tuple[Any, Any]:
    return gate_cases.make_step(gate_cases.make_job("smash", space=SPACE, skeleton=SKELETON))


def test_the_map_of_a_residual_and_a_dense_network() -> None:
    """By hand: where layers read, where they write, and which operation they have."""
    read, write, conv3x3, *others = SPACE.map_banks(SPACE.resnet(2))
    assert read == write == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert conv3x3 == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert others == [[[0, 0, 0]] * 3] * 3
    read, write, *_ = SPACE.map_banks(SPACE.densenet())
    assert (read, write) == ([[1, 0, 0], [1, 1, 0], [0] * 3], [[0, 1, 0], [0, 0, 1], [0] * 3])


def test_generated_weights_are_a_function_of_the_architecture() -> None:
    """Every filter of a layer has norm 1 over the banks that it reads, and nothing for others; the same
    architecture has the same weights, and another one has others, also in a layer that both have."""
    supernet, _ = make_step()
    dense, other = SPACE.densenet(), SPACE.densenet("dil5x5")
    weights = supernet.hypernetwork(dense)
    assert weights.shape == (3, 4, 3 * 4)
    torch.testing.assert_close(weights[:2].norm(dim=2), torch.ones(2, 4))
    assert not weights[0, :, 4:].any()
    assert not weights[2].any()
    assert torch.equal(weights, supernet.hypernetwork(dense))
    assert (weights[0] - supernet.hypernetwork(other)[0]).abs().max() > 1e-3


def test_a_choice_writes_the_weights_of_a_plain_network() -> None:
    """The supernet's forward is that of the architecture's own network with the weights that it reads off,
    after other choices too."""
    supernet, _ = make_step()
    supernet.eval()
    x = torch.randn(2, 2, 8, 8)
    for architecture in (SPACE.resnet(3), SPACE.densenet(), SPACE.resnet(3)):
        supernet.choose(architecture)
        own = SPACE.build(architecture, gate_cases.TASK, **SKELETON).eval()
        own.load_state_dict(supernet.weights(architecture))
        assert torch.equal(supernet(x), own(x))


def test_the_gradient_of_a_step_is_that_through_the_generated_weights() -> None:
    """Of the loss of the drawn architecture; against a central difference along a random direction, in
    float64. The convolutions' own weights are outputs, and do not learn."""
    supernet, _ = make_step()
    supernet.double()
    architecture = SPACE.densenet()
    inputs, targets = torch.randn(4, 2, 8, 8, dtype=torch.float64), torch.randint(3, (4,))
    # HeadsLoss computes in 32 bits, too few for a difference.
    plain: Any = lambda network, x, y, moment: F.cross_entropy(network(x), y)  # noqa: E731
    draw: Any = lambda number: architecture  # noqa: E731
    objective = GeneratedLoss(plain, draw)
    parameters = list(supernet.hypernetwork.parameters())

    def lose() -> torch.Tensor:
        return objective(supernet, inputs, targets, Moment(0, 0, 1, 1))

    slopes = torch.autograd.grad(lose(), parameters)
    directions = [torch.randn_like(p) for p in parameters]
    values = []
    with torch.no_grad():
        for step in (1e-5, -2e-5):
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += step * direction
            values.append(lose())
    difference = (values[0] - values[1]) / 2e-5
    expected = sum((s * d).sum() for s, d in zip(slopes, directions, strict=True))
    torch.testing.assert_close(difference, expected, rtol=1e-5, atol=1e-8)
    assert not any(c.weight.requires_grad for _, c in supernet.hypernetwork._places)


def test_steps_lower_the_loss_of_generated_weights() -> None:
    """Sixty steps on one batch, with a fixed seed."""
    _, step = make_step()
    torch.manual_seed(0)
    inputs, targets = torch.randn(8, 2, 8, 8), torch.randint(3, (8,))
    losses = [float(step.take(inputs, targets, Moment(0, n, 100, 100))) for n in range(60)]
    assert sum(losses[-15:]) < 0.8 * sum(losses[:15])


def test_children_are_scored_with_the_trained_hypernetwork(tmp_path: Any) -> None:
    """A supernet that is loaded has the hypernetwork of its file, and its children the weights that the
    trained one generates, one after the other."""
    job = gate_cases.make_job("smash", space=SPACE, skeleton=SKELETON, keep=tmp_path)
    gate_cases.train(job)
    loaded = []
    for seed in (0, 1):
        child = sample(SPACE, stream(seed, "child"))
        artifacts = {supernets.SUPERNET: tmp_path / supernets.SUPERNET}
        scoring = Job.of(
            SPACE, child, Fidelity(1, skeleton=SKELETON), job.task, weights=Shared(0), artifacts=artifacts
        )
        held = supernets.load_supernet(scoring, gate_cases.TASK, "measured")
        held.supernet.choose(child)
        loaded.append(held.supernet)
        row, convolution = held.supernet.hypernetwork._places[0]
        expected = held.supernet.hypernetwork(child)[row].view_as(convolution.weight)
        assert torch.equal(convolution.weight, expected)
    assert loaded[0] is loaded[1]


def test_a_space_without_banks_is_refused() -> None:
    with pytest.raises(SpaceError, match="does not map architectures to memory banks"):
        gate_cases.make_step(gate_cases.make_job("smash"))
