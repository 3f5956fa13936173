"""Networks of tree cells (Cai et al., ICML 2018, Sec. 3): three stages of cells, each a 3x3 convolution and a
tree behind it.

Every layer ends in a ReLU, and means, halves and poolings keep what is not negative: so that a new layer,
whose weights are an identity, passes its input on (Net2DeeperNet, Chen et al. 2016)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from cambrian.errors import Unbuildable
from cambrian.networks.operations import average_pool, conv_bn, max_pool
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.hierarchies.tree_cells.trees import OPERATIONS, find_node, read_merges
from cambrian.spaces.knowledge import Tree

STAGES = 3
KERNELS = {"sep3x3": 3, "sep5x5": 5, "sep7x7": 7}


def network(
    read: Reading[Tree],
    channels: int,
    side: int,
    classes: int,
    *,
    filters: int = 16,
    cells: int = 1,
) -> nn.Module:
    """`cells` per stage, of `filters` channels in the first one and twice as many in each later one. Takes
    float[n, channels, h, w] of which `side` is the shorter, gives float[n, classes]; an image of one pixel is
    not halved."""
    check_numbers(COUNT, filters=filters, cells=cells)
    layers: list[nn.Module] = []
    for stage in range(STAGES):
        out = filters * 2**stage
        for cell in range(cells):
            halves = stage > 0 and cell == 0 and side > 1
            layers.append(convolve(channels, out, 3, 2 if halves else 1))
            layers.append(make_branch(read, read.value(read_merges), out))
            channels, side = out, -(-side // 2) if halves else side
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def convolve(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_bn(channels, out, kernel, stride, kernel // 2), nn.ReLU())


def separable(kernel: int, channels: int) -> nn.Sequential:
    depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
    return nn.Sequential(depthwise, *conv_bn(channels, channels), nn.ReLU())


def make_operation(name: str, channels: int) -> nn.Module:
    """(n, channels, h, w) -> the same."""
    if name in KERNELS:
        return separable(KERNELS[name], channels)
    if name == "conv1x1":
        return convolve(channels, channels, 1)
    pools = {"avg3x3": lambda: average_pool(1), "max3x3": lambda: max_pool(3, 1)}
    return pools[name]() if name in pools else nn.Identity()


def make_node(read: Reading[Tree], node: Tree, channels: int) -> nn.Module:
    """The tree below a node of so many channels; an identity for a leaf."""
    if not node.branches:
        return nn.Identity()
    if not node.merge.startswith("concat"):
        return Mean(nn.ModuleList(make_branch(read, branch, channels) for branch in node.branches))
    if channels < len(node.branches):
        raise Unbuildable(
            f"{node.path}merge: {channels} channels cannot be split into {len(node.branches)}: give more"
            " filters"
        )
    sizes = [channels - channels // 2, channels // 2]
    halves = (make_branch(read, branch, size) for branch, size in zip(node.branches, sizes, strict=True))
    return Concatenation(nn.ModuleList(halves), sizes)


def make_branch(read: Reading[Tree], node: Tree, channels: int) -> nn.Sequential:
    """The operation that leads to the node, and what is below it."""
    makers = {name: partial(make_operation, name, channels) for name in OPERATIONS}
    path = node.path
    operation = read.fork(lambda tree: find_node(tree, path).operation, makers, f"{path}operation")
    return nn.Sequential(operation, make_node(read, node, channels))


class Mean(nn.Module):
    """Replication and addition, divided by the number of branches: (n, c, h, w) -> the same."""

    def __init__(self, branches: nn.ModuleList) -> None:
        super().__init__()
        self.branches = branches

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([branch(x) for branch in self.branches]).mean(0)


class Concatenation(nn.Module):
    """Split and concatenation, in parts of `sizes` channels: (n, c, h, w) -> the same."""

    def __init__(self, branches: nn.ModuleList, sizes: list[int]) -> None:
        super().__init__()
        self.branches, self.sizes = branches, sizes

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.sizes, dim=1)
        return torch.cat([branch(part) for branch, part in zip(self.branches, parts, strict=True)], 1)
