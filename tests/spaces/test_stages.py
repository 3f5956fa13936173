"""Stages of blocks: parameters by closed forms, shapes, blocks against plain torch, equal networks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cambrian.architecture import Architecture, replay
from cambrian.errors import SpaceError
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.chains.stages.network import KINDS
from cambrian.spaces.chains.stages.space import BLOCKS, PORTFOLIO, Stages
from cambrian.spaces.program.function_space import Shape

SPACE = Stages()


def build(name: str, shape: Shape, **skeleton: int) -> nn.Module:
    return SPACE.build(SPACE.portfolio[name], shape, **skeleton)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(channels: int, out: int, kernel: int = 3) -> int:
    """Parameters of a convolution without bias and its normalisation."""
    return kernel**2 * channels * out + 2 * out


def test_parameters_of_the_small_resnet_the_cnn_and_resnet9() -> None:
    """They follow from the papers' layers, with the channels of a first stage of 16 (64 for ResNet-9)."""
    shape = Shape(3, 32, 32, 10)
    blocks = 2 * conv(16, 16)
    blocks += sum(conv(c, 2 * c) + conv(2 * c, 2 * c) + conv(c, 2 * c, 1) for c in (16, 32))
    assert count(build("resnet", shape)) == conv(3, 16) + blocks + 650
    layers = conv(3, 16) + conv(16, 32) + conv(32, 64) + conv(64, 128)
    assert count(build("cnn", shape)) == layers + 1290
    pairs = 2 * conv(128, 128) + 2 * conv(512, 512)
    nine = conv(3, 64) + conv(64, 128) + conv(128, 256) + conv(256, 512) + pairs + 5130
    assert count(build("resnet9", shape, filters=64)) == nine


def test_resnet9_has_nine_layers_and_ends_with_four_by_four() -> None:
    """Eight 3x3 convolutions and a linear layer; the head pools over 4x4 of a 32x32 image."""
    net = build("resnet9", Shape(3, 32, 32, 10), filters=4)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == 9
    sides: list[torch.Size] = []
    pool = next(m for m in net.modules() if isinstance(m, nn.AdaptiveAvgPool2d))
    pool.register_forward_hook(lambda _module, inputs, _output: sides.append(inputs[0].shape))
    net(torch.zeros(2, 3, 32, 32))
    assert sides == [(2, 32, 4, 4)]


@pytest.mark.parametrize("name", PORTFOLIO)
@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 28), (3, 32), (5, 33), (3, 224)])
def test_networks_fit_images_of_any_size(name: str, channels: int, side: int) -> None:
    """Forward and backward passes give logits and gradients."""
    net = build(name, Shape(channels, side, side, 7), filters=4)
    logits = net(torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0)))
    logits.sum().backward()
    assert logits.shape == (2, 7)
    assert all(p.grad is not None for p in net.parameters())


def test_a_network_has_the_same_weights_at_every_resolution() -> None:
    """So that it goes on from those that it learned on smaller images: names and shapes agree from 8 to 64
    pixels, and where the stem's stride is said also beyond."""
    for name in PORTFOLIO:
        shapes = [
            {k: v.shape for k, v in build(name, Shape(3, n, n, 5), stem_stride=1).state_dict().items()}
            for n in (8, 14, 32, 100)
        ]
        assert all(each == shapes[0] for each in shapes)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("halves", [True, False])
def test_stages_halve_the_image_without_strided_pointwise_convolutions(kind: str, halves: bool) -> None:
    """Three blocks of each kind take 8 channels to 12, and an image of 8 pixels to 4."""
    stage = nn.Sequential(*KINDS[kind](8, 12, 3, 3, halves))
    assert stage(torch.zeros(2, 8, 8, 8)).shape == (2, 12, *(4, 4) * halves, *(8, 8) * (not halves))
    convs = [m for m in stage.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.stride == (1, 1) or m.kernel_size != (1, 1) for m in convs)


Function = Callable[[torch.Tensor, list[nn.Conv2d]], torch.Tensor]


def normalise(x: torch.Tensor, conv: nn.Conv2d) -> torch.Tensor:
    """A convolution and its untrained normalisation, in evaluation."""
    x = F.conv2d(x, conv.weight, None, conv.stride, conv.padding, 1, conv.groups)
    return x / (1 + 1e-5) ** 0.5


def chain(x: torch.Tensor, convs: list[nn.Conv2d], relus: str) -> torch.Tensor:
    for module, relu in zip(convs, relus, strict=True):
        x = normalise(x, module)
        x = F.relu(x) if relu == "r" else x
    return x


def separate(x: torch.Tensor, convs: list[nn.Conv2d]) -> torch.Tensor:
    """Depthwise without a normalisation of its own, pointwise with one, twice."""
    a, b, c, d = convs
    x = F.relu(normalise(F.conv2d(x, a.weight, None, 1, 1, 1, 8), b))
    return normalise(F.conv2d(x, c.weight, None, 1, 1, 1, 8), d)


@pytest.mark.parametrize(
    ("kind", "depth", "expected"),
    [
        ("plain", 1, lambda x, convs: chain(x, convs, "r")),
        ("residual", 1, lambda x, convs: F.relu(chain(x, convs, "r-") + x)),
        ("paired", 2, lambda x, convs: (y := chain(x, convs[:1], "r")) + chain(y, convs[1:], "rr")),
        ("bottleneck", 1, lambda x, convs: x + chain(x, convs, "rrr")),
        ("inverted", 1, lambda x, convs: x + chain(x, convs, "rr-")),
        ("fused", 1, lambda x, convs: x + chain(x, convs, "r-")),
        ("separable", 1, lambda x, convs: x + separate(x, convs)),
    ],
)
def test_blocks_compute_their_papers(kind: str, depth: int, expected: Function) -> None:
    """Against plain functions of torch, where shapes do not change."""
    torch.manual_seed(0)
    stage, x = nn.Sequential(*KINDS[kind](8, 8, depth, 3, False)).eval(), torch.randn(2, 8, 6, 6)
    convs = [m for m in stage.modules() if isinstance(m, nn.Conv2d)]
    torch.testing.assert_close(stage(x.clone()), expected(x, convs))


def test_a_residual_stage_projects_the_average() -> None:
    """The shortcut of a block with a stride averages 2x2 pixels before its 1x1 convolution (ResNet-D)."""
    torch.manual_seed(0)
    stage, x = nn.Sequential(*KINDS["residual"](4, 8, 1, 3, True)).eval(), torch.randn(2, 4, 6, 6)
    first, second, project = (m for m in stage.modules() if isinstance(m, nn.Conv2d))
    short = normalise(F.avg_pool2d(x, 2), project)
    torch.testing.assert_close(stage(x), F.relu(chain(x, [first, second], "r-") + short))


def test_the_portfolio_belongs_to_the_space() -> None:
    """Each network is an architecture of it; a smaller space holds those that fit."""
    known = SPACE.know(HasPortfolio)
    assert known is SPACE
    for architecture in SPACE.portfolio.values():
        assert replay(SPACE, architecture) == architecture
    assert list(Stages(stages=3).portfolio) == ["resnet"]
    assert "resnet-deep" not in Stages(depth=1).portfolio


def test_equal_networks_have_equal_keys() -> None:
    """In the first stage a pooled block is a residual one; in a later one it is not."""
    answers = dict(SPACE.portfolio["pyramid"])
    one = Architecture(answers)
    first = Architecture({**answers, "stage1/block": "residual"})
    second = Architecture({**answers, "stage2/block": "residual"})
    assert SPACE.canonical(one) == SPACE.canonical(first) != SPACE.canonical(second)
    task = SimpleNamespace(channels=3, height=16, width=16, classes=4)
    torch.manual_seed(0)
    networks = [SPACE.build(a, task, filters=4).eval() for a in (one, first)]
    weights = networks[0].state_dict().values()
    networks[1].load_state_dict(dict(zip(networks[1].state_dict(), weights, strict=True)))
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(networks[0](x), networks[1](x))


@pytest.mark.parametrize("settings", [{"stages": 0}, {"stages": 7}, {"depth": 13}])
def test_wrong_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(SpaceError, match="space 'stages'"):
        Stages(**settings)
