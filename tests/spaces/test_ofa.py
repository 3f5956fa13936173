"""Once-for-all networks: elastic units against written-out ones, and the order of channels."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from shared_reading import INPUTS, TASK, draw, share
from torch.nn import functional as F

from cambrian.architecture import Architecture, sample
from cambrian.networks.measure.sizes import params
from cambrian.networks.sharing.elastic import Elastic, OrdersChannels
from cambrian.networks.sharing.kernels import KernelMatrices
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.recipe import Recipe
from cambrian.randomness import stream
from cambrian.spaces.chains.ofa.network import InvertedUnit, Unit
from cambrian.spaces.chains.ofa.space import OFA
from cambrian.spaces.program.function_space import Shape

SPACE = OFA(widths=(8, 16), depths=(1, 2))
SKELETON: dict[str, Any] = {"stem": 8, "features": 8, "width": 1.0}


def shuffle_matrices(supernet: torch.nn.Module) -> None:
    """Matrices that are not the identity."""
    for module in supernet.modules():
        if isinstance(module, KernelMatrices):
            for matrix in module.parameters():
                torch.nn.init.normal_(matrix, std=0.3)


def test_small_kernels_go_through_the_matrices() -> None:
    """The middle of 7x7 through 25x25, and the middle of that through 9x9, in double precision."""
    torch.manual_seed(0)
    matrices = KernelMatrices((3, 5, 7)).double()
    for matrix in matrices.parameters():
        torch.nn.init.normal_(matrix)
    kernel = torch.randn(4, 1, 7, 7, dtype=torch.double)
    for channel in range(4):
        five = matrices.matrices["7to5"] @ kernel[channel, 0, 1:6, 1:6].reshape(25)
        three = matrices.matrices["5to3"] @ five.view(5, 5)[1:4, 1:4].reshape(9)
        torch.testing.assert_close(matrices.shrink(kernel, 5)[channel, 0], five.view(5, 5))
        torch.testing.assert_close(matrices.shrink(kernel, 3)[channel, 0], three.view(3, 3))


def test_matrices_begin_as_the_identity() -> None:
    """A small kernel is then exactly the middle of the large one."""
    kernel = torch.randn(6, 1, 7, 7)
    assert torch.equal(KernelMatrices((3, 5, 7)).shrink(kernel, 3), kernel[..., 2:5, 2:5])


@pytest.mark.parametrize("n", range(4))
def test_an_extracted_network_is_the_supernets_path(n: int) -> None:
    """Bit for bit, with learned matrices, in evaluation and in training; it has no matrices of its own."""
    supernet = share(SPACE, sample(SPACE, stream(4, "start", 0)), **SKELETON)
    shuffle_matrices(supernet)
    architecture = draw(SPACE, supernet, n)
    own = SPACE.build(architecture, TASK, **SKELETON)
    own.load_state_dict(supernet.weights(architecture))
    supernet.choose(architecture)
    for training in (False, True):
        assert torch.equal(supernet.train(training)(INPUTS), own.train(training)(INPUTS))
    left = supernet.weights(architecture)
    assert all(torch.equal(left[name], value) for name, value in own.state_dict().items())
    assert not any("matrices" in name for name in own.state_dict())


def test_gradients_reach_kernels_and_matrices() -> None:
    """Of a unit with a 5x5 kernel: those of its own network by the chain rule through the matrix."""
    torch.manual_seed(0)
    make = partial(InvertedUnit, 4, Unit(4, 1, True, True))
    elastic = Elastic(make, (6, 7), lambda plan: plan, None, (3, 5, 7)).double()
    shuffle_matrices(elastic)
    own = make((6, 5)).double()
    elastic.choose((6, 5))
    full, wanted = elastic.full.state_dict(), own.state_dict()
    kernel = full["depthwise.0.weight"]
    assert elastic.kernels is not None
    shrunk = elastic.kernels.shrink(kernel, 5).detach()
    own.load_state_dict({n: shrunk if n == "depthwise.0.weight" else full[n] for n in wanted})
    x = torch.randn(2, 4, 8, 8, dtype=torch.double)
    for network in (elastic, own):
        network(x).square().sum().backward()
    gradient = own.depthwise[0].weight.grad.flatten(2)  # [24, 1, 25]
    matrix = elastic.kernels.matrices["7to5"]
    middle = kernel[..., 1:6, 1:6].flatten(2)
    torch.testing.assert_close(matrix.grad, torch.einsum("coi,coj->ij", gradient, middle))
    expected = F.pad((gradient @ matrix.detach()).view(24, 1, 5, 5), (1, 1, 1, 1))
    torch.testing.assert_close(elastic.full.depthwise[0].weight.grad, expected)
    assert elastic.kernels.matrices["5to3"].grad is None


@pytest.mark.parametrize("squeeze", [False, True])
def test_sorted_channels_compute_the_same(squeeze: bool) -> None:
    """The unit's function stays, and a narrow unit keeps those that the last convolution weighs the most;
    momenta move with their weights."""
    torch.manual_seed(0)
    unit = InvertedUnit(4, Unit(4, 1, True, squeeze), (6, 5)).double()
    assert isinstance(unit, OrdersChannels)
    descent = Descent(list(unit.parameters()), Recipe(gradient_clip=0.0))
    x = torch.randn(8, 4, 6, 6, dtype=torch.double)
    unit(x).square().mean().backward()
    descent.descend(0.1)
    unit.eval()
    before = unit(x)
    buffer = descent.momenta()[0]
    assert buffer is not None
    momentum, weight = buffer.clone(), unit.expand[0].weight.clone()
    order = unit.project[0].weight.abs().sum((0, 2, 3)).argsort(descending=True)
    descent.reorder(unit.order_channels())
    torch.testing.assert_close(unit(x), before)
    importance = unit.project[0].weight.abs().sum((0, 2, 3))
    assert torch.equal(importance, importance.sort(descending=True).values)
    assert torch.equal(buffer, momentum[order])
    assert torch.equal(unit.expand[0].weight, weight[order])


def round_to_eights(wanted: float) -> int:
    """`make_divisible` of the released code."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


@pytest.mark.parametrize(("depth", "expand", "kernel"), [(2, 3, 3), (4, 6, 7), (3, 4, 5)])
def test_the_released_networks_number_of_parameters(depth: int, expand: int, kernel: int) -> None:
    """Layer by layer as mit-han-lab/once-for-all builds them (ofa_mbv3.py): squeezes in eights, and between
    the pooling and the classifier a layer from 960 to 1,280 without bias or normalisation."""
    stages = [(24, False), (40, True), (80, False), (112, True), (160, True)]
    total = (27 * 16 + 32) + (9 * 16 + 32 + 16 * 16 + 32)  # the stem, and the first block, not expanded
    before = 16
    for out, squeezed in stages:
        for _ in range(depth):
            wide = before * expand
            total += before * wide + 2 * wide + kernel**2 * wide + 2 * wide + wide * out + 2 * out
            middle = round_to_eights(wide // 4)
            total += (2 * wide * middle + middle + wide) if squeezed else 0
            before = out
    total += 160 * 960 + 2 * 960 + 960 * 1280 + 1280 * 1000 + 1000
    answers: dict[str, Any] = {}
    for s in range(1, 6):
        answers[f"stage{s}/depth"] = depth
        for u in range(1, depth + 1):
            answers |= {f"stage{s}/unit{u}/kernel": kernel, f"stage{s}/unit{u}/expand": expand}
    with torch.device("meta"):
        network = OFA.paper().build(Architecture(answers), Shape(3, 224, 224, 1000))
    assert params(network) == total


def test_the_papers_space_has_its_size() -> None:
    """((3 * 3)^2 + (3 * 3)^3 + (3 * 3)^4)^5, about 2e19 networks (Sec. 3.1)."""
    space = OFA.paper()
    units = len(space.kernels) * len(space.expansions)
    assert sum(units**depth for depth in space.depths) ** len(space.widths) == pytest.approx(2e19, rel=0.1)
