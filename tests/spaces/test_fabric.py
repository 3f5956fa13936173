"""Convolutional neural fabrics: edges against convolutions written out, sub-networks against chains, and
counts against an enumeration."""

from __future__ import annotations

from itertools import combinations, product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.branches.fabric.network import Edge, Sparse
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.branches.fabric.trellis import Node, Trellis
from cambrian.spaces.program.function_space import Shape

TASK = Shape(channels=2, height=8, width=8, classes=3)


def put_zeros(x: Tensor, side: int) -> Tensor:
    """(n, c, h, h) -> (n, c, side, side), the pixels at even places and zeros between them."""
    grown = torch.zeros(*x.shape[:2], side, side)
    grown[..., ::2, ::2] = x
    return grown


def test_an_edge_from_a_coarser_scale_puts_zeros_between_pixels() -> None:
    """And convolves the result, for even and odd sides (a transposed convolution has its kernel mirrored)."""
    torch.manual_seed(0)
    edge = Edge(3, 5, -1, 1)
    kernel = edge.conv.weight.transpose(0, 1).flip(2, 3)
    x = torch.randn(2, 3, 4, 4)
    for side in (7, 8):
        expected = F.conv2d(put_zeros(x, side), kernel, padding=1)
        torch.testing.assert_close(edge(x, (side, side)), expected, rtol=1e-5, atol=1e-5)


def test_a_sparse_edge_is_a_dense_one_with_a_band_of_weights() -> None:
    """Of each channel and its two neighbours; all other weights of the dense convolution are zero."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 8)
    for step, side in ((0, 8), (1, 4)):
        sparse = Sparse(4, step)
        weight = sparse.edge.conv.weight  # [4, 3, 3, 3]
        full = torch.zeros(4, 4, 3, 3)
        for channel, place in product(range(4), range(3)):
            if 0 <= channel + place - 1 < 4:
                full[channel, channel + place - 1] = weight[channel, place]
        expected = F.conv2d(x, full, stride=2 if step else 1, padding=1)
        torch.testing.assert_close(sparse(x, (side, side)), expected, rtol=1e-5, atol=1e-5)


def test_a_path_is_a_chain_of_convolutions() -> None:
    """The path that stays fine and then goes down is a plain sequence, with the same weights."""
    space = Fabric(layers=3, scales=2)
    path = {
        "layer3/scale1/inputs": ("finer",),
        "layer2/scale0/inputs": ("same",),
        "layer1/scale0/inputs": ("same",),
    }
    torch.manual_seed(0)
    network = space.build(space.cut(path), TASK, filters=4).eval()
    strides, channels = (1, 1, 1, 2), (2, 4, 4, 4, 4)
    layers: list[nn.Module] = []
    for before, after, stride in zip(channels[:-1], channels[1:], strides, strict=True):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    chain = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    chain.load_state_dict(dict(zip(chain.state_dict(), network.state_dict().values(), strict=True)))
    x = torch.randn(2, 2, 8, 8)
    assert torch.equal(network(x), chain(x))


def count_by_enumeration(trellis: Trellis) -> int:
    """The distinct networks of all inputs of all nodes, as sets of the edges that reach the output."""
    nodes = [n for n in trellis.list_nodes() if trellis.name_question(n)]
    options = []
    for node in nodes:
        inputs = tuple(trellis.list_inputs(node))
        options.append([c for k in range(1, len(inputs) + 1) for c in combinations(inputs, k)])
    found = set()
    for chosen in product(*options):
        live = trellis.find_live(dict(zip(nodes, chosen, strict=True)))
        found.add(frozenset((node, frozenset(inputs)) for node, inputs in live.items()))
    return len(found)


def test_each_sub_network_is_one_architecture() -> None:
    """As many architectures are drawn as an enumeration of all inputs of all nodes gives networks."""
    space = Fabric(layers=2, scales=2)
    drawn = {sample(space, stream(0, n)) for n in range(3000)}
    assert len(drawn) == count_by_enumeration(space.trellis)


def test_the_fabric_contains_every_node() -> None:
    space = Fabric(layers=3, scales=3)
    assert set(space.plan(space.find_all())) == set(space.trellis.list_nodes())
    assert len(space.plan(space.cut({"layer3/scale2/inputs": ("same",)}))) < 12


def test_the_papers_fabric_ends_at_one_pixel() -> None:
    """Six scales of an image of 32 pixels (Sec. 4.1)."""
    space = Fabric.paper()
    assert 32 >> (space.scales - 1) == 1
    assert space.trellis.last == Node(16, 5)
