"""Encoders and decoders: parameters by closed forms, shapes, steps and blocks against plain torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import SpaceError
from cambrian.spaces.branches.encoder_decoder.network import Dilated, Step
from cambrian.spaces.branches.encoder_decoder.space import PORTFOLIO, SKIPS, EncoderDecoder
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import Graphs
from cambrian.spaces.program.function_space import Shape

SPACE = EncoderDecoder()


def build(name: str, shape: Shape, **skeleton: int) -> nn.Module:
    return SPACE.build(SPACE.portfolio[name], shape, **skeleton)


def conv(channels: int, out: int, kernel: int = 3) -> int:
    """Parameters of a convolution without bias and its normalisation."""
    return kernel**2 * channels * out + 2 * out


def test_parameters_of_the_unet_and_the_linknet() -> None:
    """They follow from the papers' layers: two convolutions at each scale, an up-convolution that halves the
    channels, and two more on both states; of LinkNet's sums one on as many channels as the finer state."""
    shape, widths = Shape(3, 32, 32, 5, dense=True), (8, 16, 32, 64)
    down = sum(conv(a, b) + conv(b, b) for a, b in zip((3, *widths), widths))
    up = sum(conv(2 * c, c, 1) + conv(2 * c, c) + conv(c, c) for c in widths[:-1])
    head = 5 * 8 + 5
    assert sum(p.numel() for p in build("unet", shape, filters=8).parameters()) == down + up + head
    blocks = 2 * conv(8, 8) + sum(
        conv(c, 2 * c) + conv(2 * c, 2 * c) + conv(c, 2 * c, 1) for c in widths[:-1]
    )
    sums = sum(conv(2 * c, c, 1) + conv(c, c) for c in widths[:-1])
    linknet = build("linknet", shape, filters=8)
    assert sum(p.numel() for p in linknet.parameters()) == conv(3, 8) + blocks + sums + head


@pytest.mark.parametrize("name", PORTFOLIO)
@pytest.mark.parametrize(
    ("height", "width"), [(8, 8), (33, 21), pytest.param(160, 129, marks=pytest.mark.slow)]
)
def test_networks_answer_for_each_pixel(name: str, height: int, width: int) -> None:
    """Forward and backward passes give logits of the images' size and gradients, and for a task of one class
    an image their means."""
    shape = Shape(3, height, width, 4, dense=True)
    net = build(name, shape, filters=4)
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    logits = net(x)
    logits.square().sum().backward()
    assert logits.shape == (2, 4, height, width)
    assert all(p.grad is not None for p in net.parameters())
    single = build(name, Shape(3, height, width, 4), filters=4, stem_stride=1)
    whole = build(name, shape, filters=4, stem_stride=1)
    single.load_state_dict(whole.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(single(x), whole(x).mean((2, 3)))


def test_a_network_has_the_same_weights_at_every_resolution() -> None:
    """So that it goes on from those that it learned on smaller images."""
    for name in PORTFOLIO:
        shapes = [
            {k: v.shape for k, v in build(name, Shape(3, n, n, 5), stem_stride=1).state_dict().items()}
            for n in (4, 14, 32, 100)
        ]
        assert all(each == shapes[0] for each in shapes)


def test_random_networks_answer_for_each_pixel() -> None:
    for seed in range(12):
        net = SPACE.build(
            sample(SPACE, np.random.default_rng(seed)), Shape(1, 13, 10, 3, dense=True), filters=4
        )
        assert net(torch.zeros(2, 1, 13, 10)).shape == (2, 3, 13, 10)


def normalise(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """A convolution, its untrained normalisation in evaluation, and ReLU."""
    (conv,) = (m for m in layer.modules() if isinstance(m, nn.Conv2d))
    return F.relu(F.conv2d(x, conv.weight, padding=conv.padding) / (1 + 1e-5) ** 0.5)


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("convolutions", [0, 1, 2])
def test_a_step_up_merges_both_states(skip: str, convolutions: int) -> None:
    """Against plain functions of torch: each pixel of the coarse state, narrowed, stands for four; beside
    them the finer state, or added to it, or without it; where states are only concatenated, a pointwise
    convolution makes one of both."""
    torch.manual_seed(0)
    step, coarse, fine = (
        Step(8, 4, skip, convolutions).eval(),
        torch.randn(2, 8, 3, 5),
        torch.randn(2, 4, 6, 10),
    )
    x = normalise(coarse, step.narrow).repeat_interleave(2, 2).repeat_interleave(2, 3)
    x = {"concatenate": torch.cat([fine, x], 1), "add": fine + x, "none": x}[skip]
    assert len(step.layers) == convolutions + (skip == "concatenate" and not convolutions)
    for layer in step.layers:
        x = normalise(x, layer)
    torch.testing.assert_close(step(coarse, fine), x)


def test_dilated_scales_see_farther_at_the_same_resolution() -> None:
    """Two blocks of dilations 2 and 4 behind a 3x3 convolution: the image is not halved, and a pixel reads
    those up to 1 + 2 * 2 + 2 * 4 away; a block is the sum of its input and two convolutions with holes."""
    answers = {"scales": 1, "scale1/block": "dilated", "scale1/depth": 2, "scale1/width": 1.0}
    net = SPACE.build(Architecture(answers), Shape(1, 41, 41, 2, dense=True), filters=4).eval()
    x = torch.zeros(1, 1, 41, 41, requires_grad=True)
    net(x + 0.1)[0, 0, 20, 20].backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten().tolist()
    assert (rows[0], rows[-1]) == (20 - 13, 20 + 13)
    torch.manual_seed(0)
    block, y = Dilated(4, 2).eval(), torch.randn(2, 4, 9, 9)
    first, second = (m.weight for m in block.modules() if isinstance(m, nn.Conv2d))
    scale = (1 + 1e-5) ** 0.5
    inner = F.relu(F.conv2d(y, first, padding=2, dilation=2) / scale)
    torch.testing.assert_close(block(y), F.relu(F.conv2d(inner, second, padding=2, dilation=2) / scale + y))


def test_the_portfolio_belongs_to_the_space() -> None:
    """Each network is an architecture of it; a smaller space holds those that fit; all are different."""
    assert SPACE.know(HasPortfolio) is SPACE
    for architecture in SPACE.portfolio.values():
        assert replay(SPACE, architecture) == architecture
    assert len(set(SPACE.portfolio.values())) == len(PORTFOLIO)
    assert list(EncoderDecoder(scales=3).portfolio) == ["dilated"]
    assert "unet" not in EncoderDecoder(depth=1).portfolio


def test_the_graph_of_a_unet_is_a_u() -> None:
    """Down the scales, up again, and across at each but the coarsest."""
    known = SPACE.know(Graphs)
    assert known is not None
    graph = known.graph(SPACE.portfolio["unet"])
    down, up, across = (
        ((0, 1), (1, 2), (2, 3), (3, 4)),
        ((4, 5), (5, 6), (6, 7), (7, 8)),
        ((3, 5), (2, 6), (1, 7)),
    )
    assert set(graph.edges) == {*down, *up, *across}


@pytest.mark.parametrize("settings", [{"scales": 0}, {"scales": 7}, {"depth": 13}])
def test_wrong_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(SpaceError, match="space 'encoder-decoder'"):
        EncoderDecoder(**settings)
