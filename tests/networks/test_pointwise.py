"""Strided 1x1 convolutions in two steps: the same numbers, and backward passes that no process dies of."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from cambrian.architecture import sample
from cambrian.networks.operations import OPERATIONS
from cambrian.networks.pointwise import (
    StridedPointwise,
    avoid_strided_pointwise,
    conv2d,
    is_strided_pointwise,
    memory_format,
    quicken_pointwise,
)
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape
from commands import forked
from tiers import slow_but, slow_for

BACKWARD = """
import sys
import torch
from cambrian.networks.operations import OPERATIONS
from cambrian.networks.pointwise import avoid_strided_pointwise
torch.set_num_threads(1)
name, stride = sys.argv[1], int(sys.argv[2])
for channels in (2, 4, 8):
    for side in (56, 64, 112):
        layer = OPERATIONS[name](channels, 8, stride) if name in OPERATIONS else torch.nn.Conv2d(
            channels, 8, 1, stride)
        avoid_strided_pointwise(layer)
        layer.to(memory_format=torch.channels_last)
        x = torch.rand(4, channels, side, side).contiguous(memory_format=torch.channels_last)
        for _ in range(3):
            layer(x.requires_grad_()).square().mean().backward()
print("lives")
"""


@pytest.mark.parametrize("stride", [(1, 2), (2, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 2)])
def test_two_steps_are_the_convolution(stride, groups, size) -> None:
    """Against torch's own, in results and gradients, for every parity and with groups; it has the same
    parameters under the same names."""
    ours = conv2d(4, 6, 1, stride, groups=groups).double()
    theirs = nn.Conv2d(4, 6, 1, stride, groups=groups).double()
    assert isinstance(ours, StridedPointwise)
    theirs.load_state_dict(ours.state_dict())
    one, other = (torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0)).double() for _ in "ab")
    results = [layer(x.requires_grad_()) for layer, x in ((ours, one), (theirs, other))]
    torch.testing.assert_close(*results)
    for result in results:
        result.square().sum().backward()
    torch.testing.assert_close(one.grad, other.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_only_what_strides_is_done_in_two_steps() -> None:
    """Other convolutions are torch's own."""
    for kernel, stride, padding in ((1, 1, 0), ((1, 1), (1, 1), 0), (3, 2, 1), ((1, 3), 2, 0), (1, 2, 1)):
        assert type(conv2d(3, 4, kernel, stride, padding)) is nn.Conv2d


@pytest.mark.parametrize("stride", slow_but((2,), [1, 2]))
@pytest.mark.parametrize(
    "name",
    slow_but(
        ("sep3x3", "identity", "max3x3", "conv1x1", "bottleneck1x7-7x1", "skip", "dilsep3x3", "plain"),
        [*OPERATIONS, "plain"],
    ),
)
def test_no_backward_pass_ends_the_process(name, stride) -> None:
    """Each operation, and a user's plain 1x1 convolution once mended, trains on images of 56 to 112 pixels
    and 2 to 8 channels, channels last, in a process of its own."""
    done = forked().run(name, stride, code=BACKWARD)
    assert (done.returncode, done.stdout) == (0, b"lives\n"), done.stderr[-300:]


@pytest.mark.parametrize("name", slow_for(("darts", "nasnet", "amoebanet"), SPACES.names()))
def test_no_network_of_ours_holds_a_plain_one(name) -> None:
    """Of four architectures drawn from each space, none has a strided 1x1 convolution in one step."""
    space = SPACES.make(name)
    for n in range(4):
        architecture = sample(space, stream(0, "pointwise", n))
        try:
            with torch.device("meta"):
                network = space.build(architecture, Shape(3, 32, 32, 10))
        except Exception as error:  # spaces of sequences and the like take no images
            pytest.skip(f"{error}")
        plain = [m for m in network.modules() if is_strided_pointwise(m) and type(m) is nn.Conv2d]
        assert not plain


class Odd(nn.Module):
    """Holds a 1x1 filter and uses it as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(4, 2, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.filter, stride=2)


class Standardised(nn.Conv2d):
    """Its own way of convolving."""

    def _conv_forward(self, x, weight, bias):
        return F.conv2d(x, weight - weight.mean(), bias, self.stride)


def test_users_convolutions_are_mended_in_place() -> None:
    """Plain, parametrised and shared ones, within anything; names, weights and numbers stay, and a copy of
    the network is its own."""
    shared = nn.Conv2d(4, 4, 1, 2)
    parametrised = parametrizations.weight_norm(nn.Conv2d(2, 4, 1, stride=(1, 2)))
    network = nn.Sequential(parametrised, shared, nn.ModuleDict({"again": shared})["again"])
    x = torch.randn(2, 2, 16, 32)
    names, expected = list(network.state_dict()), network(x)
    avoid_strided_pointwise(network)
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(x), expected)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        shared.weight.zero_()
        shared.bias.zero_()
    assert not network(x).any()
    torch.testing.assert_close(twin(x), expected)


def test_what_cannot_be_read_is_trained_contiguous() -> None:
    """Filters of 1x1 in modules of the user's own: with which stride they are used nobody can tell."""
    for odd in (Odd(), nn.Sequential(Odd()), Standardised(2, 4, 1, 2)):
        assert memory_format(odd) is torch.contiguous_format
    ordinary = nn.Sequential(nn.Conv2d(2, 4, 1, 2), nn.Conv2d(4, 4, 1, groups=4), nn.Conv2d(4, 4, 3))
    for known in (ordinary, OPERATIONS["skip"](4, 4, 2)):
        assert memory_format(known) is torch.channels_last


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (1, 5), (1, 1)])
def test_a_product_of_matrices_is_the_convolution(bias, size) -> None:
    """In results, gradients and second derivatives against torch's own, in double precision."""
    own = nn.Conv2d(6, 4, 1, bias=bias).double().to(memory_format=torch.channels_last)
    quick = copy.deepcopy(own)
    quicken_pointwise(quick)
    calls = []
    quick.register_forward_hook(lambda *_: calls.append(1))
    images = torch.randn(3, 6, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    found = []
    for layer in (own, quick):
        x = images.clone(memory_format=torch.preserve_format).requires_grad_()
        inputs = (x, *layer.parameters())
        y = layer(x)
        first = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), inputs)
        found.append((y, *first, *second))
    assert calls == [1]
    assert found[1][0].is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-12)


def test_only_training_on_channels_last_multiplies_matrices() -> None:
    """Elsewhere it is torch's convolution, bit for bit, as are convolutions that are no plain 1x1 ones."""
    torch.manual_seed(0)
    layers = {"plain": nn.Conv2d(16, 16, 1), "wide": nn.Conv2d(16, 16, 3), "strided": nn.Conv2d(16, 16, 1, 2)}
    layers |= {"groups": nn.Conv2d(16, 16, 1, groups=2), "padded": nn.Conv2d(16, 16, 1, padding=1)}
    network = nn.ModuleDict(layers)
    quicken_pointwise(network)
    assert [n for n, m in network.items() if "_conv_forward" in vars(m)] == ["plain"]
    plain, x = network["plain"], torch.randn(2, 16, 8, 8)
    assert torch.equal(plain(x), F.conv2d(x, plain.weight, plain.bias))
    last = x.contiguous(memory_format=torch.channels_last)
    assert plain(last).grad_fn.name() == "PermuteBackward0"
    assert torch.equal(plain.eval()(last), F.conv2d(last, plain.weight, plain.bias))
