"""Chains of mobile bottlenecks: published networks to the parameter, sizes, what is one function."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from cambrian.architecture import completions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.networks.measure.sizes import macs, params
from cambrian.networks.sharing.reading import Own
from cambrian.randomness import stream
from cambrian.spaces.chains.mobile.network import Layer, network
from cambrian.spaces.chains.mobile.space import REFERENCES, MnasNet, ProxylessNAS
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.published import find_published

IMAGENET = Shape(3, 224, 224, 1000)
# Parameters: torchvision's table of models (MobileNetV2, MnasNet-B1), that of osmr/imgclsmob (all but
# MobileNetV2). Millions of multiply-adds: the papers', which print 300 of MobileNetV2.
SIZES = {
    "mobilenet-v2": (3_504_872, 300),
    "mnasnet-a1": (3_887_038, 312),
    "mnasnet-b1": (4_383_312, 315),
    "proxylessnas-gpu": (7_119_848, 465),
    "proxylessnas-mobile": (4_080_512, 320),
}


def drafted(name, task=IMAGENET):
    """The named network, without memory."""
    entry = find_published(name)
    with torch.device("meta"):
        return entry.space.build(entry.architecture, task, **entry.skeleton)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name):
    """Parameters exactly, multiply-adds to the million that is printed."""
    parameters, millions = SIZES[name]
    draft = drafted(name)
    assert params(draft) == parameters
    assert abs(macs(draft, (3, 224, 224)) / 1e6 - millions) < 1


def test_sizes_of_the_spaces():
    """Six firsts of six kinds and fifteen layers of seven; 432 kinds of block, and 10^13 networks of five
    (MnasNet, Sec. 4.1)."""
    assert ProxylessNAS().size() == 6**6 * 7**15
    assert MnasNet().kinds() == 432
    assert 1e13 < 432**5 < 2e13
    assert MnasNet.paper().know(Grows).levels == (7,)


def test_a_small_space_is_enumerated():
    """The chains of every level, and the networks they are: those of the last level, each with what is
    nothing in front or behind."""
    space = ProxylessNAS(widths=(8, 16), depths=(2, 1))
    chains = list(completions(space, {}))
    assert len(chains) == 6 + 6 * 7 + 6 * 7 * 6
    every = [c for c in chains if space.know(Grows).level(c) == 3]
    assert len(every) == space.size()
    assert {space.canonical(c) for c in chains} == {space.canonical(c) for c in every}


def test_where_nothing_is_makes_no_difference():
    """Of all chains of a stage of three, equal texts have the same modules, others have not."""
    space = ProxylessNAS(widths=(8,), depths=(3,))
    built = {}
    kinds = ("skip", "mb3_k3", "mb6_k5")
    for first, *rest in product(kinds[1:], kinds, kinds):
        answers = {"layers": 3, "layer1": first, "layer2": rest[0], "layer3": rest[1]}
        chain = replay(space, answers)
        with torch.device("meta"):
            shown = str(space.build(chain, Shape(1, 8, 8, 2), features=8))
        assert built.setdefault(space.canonical(chain), shown) == shown
    assert len(set(built.values())) == len(built) == 2 * (1 + 2 + 4)


def test_the_reference_is_what_is_not_decided():
    """One block decided as MobileNetV2's first: MobileNetV2."""
    space, whole = MnasNet(), find_published("mobilenet-v2").architecture
    first = {"blocks": 1, **{p: a for p, a in whole.items() if p.startswith("block1/")}}
    assert space.canonical(replay(space, first)) == space.canonical(whole)


def test_filters_and_layers_are_relative():
    """Three quarters of the third block's 32, one layer less than three."""
    whole = {**find_published("mobilenet-v2").architecture, "block3/filters": 0.75, "block3/layers": -1}
    rows = [row for row in MnasNet().layers(replay(MnasNet(), whole)) if row[0] == "block3"]
    assert [(out, stride) for _, _, out, stride in rows] == [(24, 2), (24, 1)]
    gone = {**whole, "block7/layers": -1}
    assert not [row for row in MnasNet().layers(replay(MnasNet(), gone)) if row[0] == "block7"]


@pytest.mark.parametrize(
    ("side", "last", "kept"), [(224, 7, 5), (64, 4, 4), (32, 4, 3), (28, 4, 3), (8, 4, 1), (3, 3, 0)]
)
def test_strides_that_do_not_fit_are_dropped(side, last, kept):
    """The last map has at least 4 pixels where the image has; the last strides are kept."""
    net = drafted("mobilenet-v2", Shape(3, side, side, 10))
    strides = [m.stride[0] for m in net.modules() if isinstance(m, torch.nn.Conv2d) and m.stride[0] > 1]
    assert len(strides) == kept
    sizes = []
    pool = next(m for m in net.modules() if isinstance(m, torch.nn.AdaptiveAvgPool2d))
    pool.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape[2:])))
    net.eval()(torch.empty(1, 3, side, side, device="meta"))
    assert sizes == [(last, last)]


@pytest.mark.parametrize("operation", ["mb6", "mb3", "sep", "conv"])
@pytest.mark.parametrize("beside", ["", "_pool", "_plain"])
def test_what_lies_beside_a_layer(operation, beside):
    """With its last normalisation at zero a layer is what lies beside it."""
    name = f"{operation}_k5_se{beside}"
    net = network(Own([Layer("block1", name, 8)]), (3, 6, 2), stem=8, features=8, activation="relu").eval()
    layer = net[3]
    body = layer if beside == "_plain" else layer.path
    norm = [m for m in body.modules() if isinstance(m, torch.nn.BatchNorm2d)][-1]
    torch.nn.init.zeros_(norm.weight)
    torch.nn.init.zeros_(norm.bias)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = {"": x, "_pool": torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)}
    assert torch.equal(layer(x), expected.get(beside, torch.zeros_like(x)))


def test_a_reading_is_asked_for_every_layer():
    """One of one's own gets, of each, the path of its question and the candidates, which it may make."""
    asked = []

    class Told(Own):
        def layers(self, of, makers, path="", nothing=()):
            asked.append((path, of(self._plan), [*nothing, *makers]))
            return super().layers(of, makers, path, nothing)

    layers = [Layer("a", "sep_k3", 8), Layer("b", "mb6_k5", 16, 2, ("skip", "mb3_k3", "mb6_k5"))]
    net = network(Told(layers), (1, 16, 2), width=0.5, features=8)
    assert asked == [("a", "sep_k3", ["sep_k3"]), ("b", "mb6_k5", ["skip", "mb3_k3", "mb6_k5"])]
    assert net(torch.zeros(2, 1, 16, 16)).shape == (2, 2)


@pytest.mark.parametrize("space", [ProxylessNAS(), *map(MnasNet, REFERENCES)], ids=str)
def test_sampled_networks_fit_small_images(space):
    """Of 8 and of 28 pixels."""
    for n, side in enumerate((8, 28)):
        with torch.device("meta"):
            net = space.build(sample(space, stream(n, "mobile")), Shape(1, side, side, 4), width=0.5)
        assert net.eval()(torch.empty(2, 1, side, side, device="meta")).shape == (2, 4)


def test_mistakes_are_told():
    """In a sentence each."""
    architecture = find_published("mobilenet-v2").architecture
    with pytest.raises(SpaceError, match="as many widths as depths"):
        ProxylessNAS(widths=(8,))
    with pytest.raises(UnknownName, match="did you mean 'mnasnet-a1'"):
        MnasNet("mnasnet-a")
    with pytest.raises(SpaceError, match="least is 1 to 7, got 8"):
        MnasNet(least=8)
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        MnasNet().build(architecture, IMAGENET, widht=2)
    with pytest.raises(UnknownName, match="valid: relu, relu6"):
        MnasNet().build(architecture, IMAGENET, activation="relu7")
    with pytest.raises(UsageError, match="width is above 0, got -1"):
        MnasNet().build(architecture, IMAGENET, width=-1)
