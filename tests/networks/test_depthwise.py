"""Gradients of depthwise convolutions by fast kernels, against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cambrian.networks.depthwise import quicken_depthwise

CASES = [(3, 2, 1), (5, 2, 1), (5, 1, 1), (7, 1, 1), (3, 2, 2), (5, 2, 2), (5, 3, 1), (7, 3, 3)]


@pytest.mark.parametrize(("kernel", "dilation", "stride"), CASES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("side", [(8, 8), (7, 9)])
def test_gradients_are_those_of_torch(kernel, dilation, stride, layout, side):
    """Of the image and of the filters, in float64 within 1e-12, for every kernel that is replaced, for sizes
    that the dilation divides and others; the output is bit for bit the same."""
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, kernel, stride, dilation * (kernel // 2), dilation, 4, bias=kernel == 3).double()
    x = torch.randn(3, 4, *side, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    y = conv(x)
    g = torch.randn_like(y)
    inputs = [x, *conv.parameters()]
    expected = torch.autograd.grad(y, inputs, g)
    quicken_depthwise(conv)
    assert "_conv_forward" in vars(conv)
    quick = conv(x)
    torch.testing.assert_close(quick, y, rtol=0, atol=0)
    for one, other in zip(torch.autograd.grad(quick, inputs, g), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "dilation", "stride"), [(3, 2, 1), (5, 1, 1), (3, 2, 2)])
def test_second_derivatives_are_right(kernel, dilation, stride):
    """By finite differences: the curvature of gates is the derivative of these gradients."""
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 2, kernel, stride, dilation * (kernel // 2), dilation, 2, bias=False).double()
    quicken_depthwise(conv)
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)

    def run(x, weight):
        return conv._conv_forward(x, weight, None)

    assert torch.autograd.gradgradcheck(run, (x, conv.weight))


def test_only_what_is_slow_is_replaced():
    """Other convolutions, classes of a user's own and evaluation compute as they did."""

    class Own(nn.Conv2d):
        pass

    kept = [
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 8, 5, padding=2, groups=4),
        nn.Conv2d(4, 4, 5, groups=4),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 5, 2, padding=2, groups=4),
        nn.Conv2d(4, 4, 4, padding=2, groups=4),
        nn.Conv2d(4, 4, 5, padding=2, groups=4, padding_mode="circular"),
        Own(4, 4, 5, padding=2, groups=4),
    ]
    network = nn.ModuleList(kept)
    quicken_depthwise(network)
    assert not any("_conv_forward" in vars(module) for module in kept)
    conv = nn.Conv2d(4, 4, 5, padding=2, groups=4)
    quicken_depthwise(conv)
    assert conv.eval()(torch.randn(2, 4, 6, 6)).grad_fn.name() == "ConvolutionBackward0"


def test_a_copy_and_a_saved_network_compute_with_their_own_weights(tmp_path):
    """The function stands on the module: copied and pickled, it is the copy's."""
    torch.manual_seed(0)
    conv, x = nn.Conv2d(4, 4, 5, padding=2, groups=4), torch.randn(2, 4, 6, 6)
    quicken_depthwise(conv)
    torch.save(conv, tmp_path / "conv.pt")
    for other in (copy.deepcopy(conv), torch.load(tmp_path / "conv.pt", weights_only=False)):
        torch.testing.assert_close(other(x), conv(x), rtol=0, atol=0)
        with torch.no_grad():
            other.weight.zero_()
            other.bias.zero_()
        assert not other(x).any()


def test_derivatives_by_torch_func_are_torchs_own():
    """A user's function may take them of a network in training."""
    torch.manual_seed(0)
    conv, x = nn.Conv2d(4, 4, 5, padding=2, groups=4), torch.randn(2, 4, 6, 6)
    expected = torch.autograd.grad(conv(x).square().sum(), conv.weight)[0]
    quicken_depthwise(conv)

    def lose(weight):
        return torch.func.functional_call(conv, {"weight": weight}, x).square().sum()

    found = torch.func.grad(lose)(conv.weight.detach())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (3, 2)])
def test_a_backward_pass_under_autocast_has_the_types_of_the_forward_pass(kernel, dilation):
    """As torch's own, whose gradients are the same under autocast and not."""
    torch.manual_seed(0)
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(4, 4, kernel, padding=padding, dilation=dilation, groups=4)
    quicken_depthwise(conv)
    x = torch.randn(2, 4, 9, 9, requires_grad=True)
    found = []
    for enabled in (False, True):
        y = conv(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(torch.autograd.grad(y, [x, conv.weight, conv.bias], torch.ones_like(y)))
    for mixed, plain in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(mixed, plain, rtol=0, atol=0)
