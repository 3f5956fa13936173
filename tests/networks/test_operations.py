"""The operations against their arithmetic: parameters by hand, shapes, what they compute."""

import pytest
import torch
from torch.nn import functional as F

from cambrian.networks.measure.sizes import params
from cambrian.networks.operations import OPERATIONS, FactorizedReduce


def separable(k, c, f):
    """Two depthwise convolutions, each with its pointwise one and a normalisation."""
    return k * k * c + c * f + 2 * f + k * k * f + f * f + 2 * f


def bottleneck(c, quarter, f):
    """Down to a quarter of the channels, 1x7 and 7x1 there, and up again."""
    return c * quarter + 2 * 7 * quarter**2 + quarter * f + 3 * 2 * quarter + 2 * f


PARAMETERS = {
    "sep3x3": lambda c, f, s: separable(3, c, f),
    "sep5x5": lambda c, f, s: separable(5, c, f),
    "sep7x7": lambda c, f, s: separable(7, c, f),
    "conv1x7-7x1": lambda c, f, s: 7 * c * f + 2 * f + 7 * f * f + 2 * f,
    "identity": lambda c, f, s: 0 if (c, s) == (f, 1) else c * f + 2 * f,
    "avg3x3": lambda c, f, s: 0 if c == f else c * f + 2 * f,
    "max3x3": lambda c, f, s: 0 if c == f else c * f + 2 * f,
    "dil3x3": lambda c, f, s: 9 * c * f + 2 * f,
    "max5x5": lambda c, f, s: 0 if c == f else c * f + 2 * f,
    "max7x7": lambda c, f, s: 0 if c == f else c * f + 2 * f,
    "conv1x1": lambda c, f, s: c * f + 2 * f,
    "conv3x3": lambda c, f, s: 9 * c * f + 2 * f,
    "conv1x3-3x1": lambda c, f, s: 3 * c * f + 2 * f + 3 * f * f + 2 * f,
    "bottleneck1x7-7x1": lambda c, f, s: bottleneck(c, f // 4, f),
    "skip": lambda c, f, s: 0 if (c, s) == (f, 1) else c * f + 2 * f,
    "dilsep3x3": lambda c, f, s: 9 * c + c * f + 2 * f,
    "dilsep5x5": lambda c, f, s: 25 * c + c * f + 2 * f,
    "none": lambda c, f, s: 0,
}


def test_the_eight_operations_in_the_papers_order():
    """Tokens of surrogates are positions in this order: it is part of what a run means."""
    expected = ("sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "identity", "avg3x3", "max3x3", "dil3x3")
    assert expected == tuple(OPERATIONS)[:8]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "out"), [(6, 6), (5, 8)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_parameters_and_shapes_by_hand(name, channels, out, stride):
    """Every operation has the parameters of its formula and gives ceil(n / stride) rows and columns."""
    operation = OPERATIONS[name](channels, out, stride)
    assert params(operation) == PARAMETERS[name](channels, out, stride)
    for height, width in [(8, 8), (7, 5), (1, 2)]:
        given = torch.randn(2, channels, height, width)
        before = given.clone()
        assert operation(given).shape == (2, out, -(-height // stride), -(-width // stride))
        assert torch.equal(given, before), "an operation changed what others read as well"


@pytest.mark.parametrize(("name", "side"), [("max3x3", 3), ("max5x5", 5), ("max7x7", 7)])
def test_maximum_pooling_takes_the_greatest_of_its_window(name, side):
    """Against the maximum of every window of the padded image, stride 2 starting in the corner."""
    x, half = torch.rand(1, 1, 9, 8), side // 2
    padded = F.pad(x, (half,) * 4, value=-1.0)
    expected = padded.unfold(2, side, 2).unfold(3, side, 2).amax((-2, -1))
    assert torch.equal(OPERATIONS[name](1, 1, 2)(x), expected)


def test_no_connection_is_zero_and_passes_no_gradient():
    """Whatever comes in; what made it has a gradient, of zeros."""
    x = torch.randn(2, 3, 5, 5, requires_grad=True)
    result = OPERATIONS["none"](3, 4, 2)(x)
    result.sum().backward()
    assert not result.any()
    assert not x.grad.any()


@pytest.mark.parametrize("name", sorted(n for n in OPERATIONS if "sep" in n or "conv" in n))
def test_convolutions_read_their_input_rectified(name):
    """ReLU-Conv-BN: what is negative makes no difference."""
    operation, given = OPERATIONS[name](4, 4, 1).eval(), torch.randn(2, 4, 8, 8)
    assert torch.equal(operation(given), operation(given.clamp(min=0)))


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("sep3x3", 2),
        ("sep5x5", 4),
        ("sep7x7", 6),
        ("dil3x3", 2),
        ("max3x3", 1),
        ("identity", 0),
        ("skip", 0),
        ("conv1x1", 0),
        ("conv3x3", 1),
        ("conv1x3-3x1", 1),
        ("dilsep3x3", 2),
        ("dilsep5x5", 4),
        ("max7x7", 3),
    ],
)
def test_the_field_a_result_depends_on(name, reach):
    """A separable convolution is applied twice, so k x k reads k - 1 to each side; dilated 3x3 reads 2."""
    operation = OPERATIONS[name](3, 3, 1).eval().double()
    for weight in operation.parameters():
        torch.nn.init.ones_(weight)  # nothing negative: no rectifier hides a pixel
    given = torch.rand(1, 3, 17, 17, dtype=torch.float64).requires_grad_()
    operation(given)[0, :, 8, 8].sum().backward()
    rows = given.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    if name.startswith("max"):
        assert 8 - reach <= rows.min() <= rows.max() <= 8 + reach
    else:
        assert (rows.min(), rows.max()) == (8 - reach, 8 + reach)


def test_average_pooling_leaves_the_border_out():
    """The average of a constant is that constant, in the corners too."""
    pooled = OPERATIONS["avg3x3"](2, 2, 1)(torch.full((1, 2, 4, 4), 3.0))
    assert torch.allclose(pooled, torch.full_like(pooled, 3.0))


def test_1x7_then_7x1_strides_each_axis_once():
    """1x7 halves the width, 7x1 the height."""
    convolutions = [m for m in OPERATIONS["conv1x7-7x1"](2, 2, 2) if isinstance(m, torch.nn.Conv2d)]
    assert [(m.kernel_size, m.stride) for m in convolutions] == [((1, 7), (1, 2)), ((7, 1), (2, 1))]


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 5), (1, 1), (4, 3)])
def test_factorized_reduction_reads_even_and_odd_pixels(height, width):
    """The halves of the result are 1x1 convolutions of x[0::2, 0::2] and x[1::2, 1::2], zero outside."""
    reduce = FactorizedReduce(3, 5).eval()
    x = torch.randn(2, 3, height, width)
    result = reduce(x)
    assert result.shape == (2, 5, -(-height // 2), -(-width // 2))
    padded = F.pad(x, (0, 1, 0, 1)).relu()
    even = F.conv2d(padded[:, :, 0:height:2, 0:width:2], reduce.even.weight)
    odd = F.conv2d(padded[:, :, 1::2, 1::2], reduce.odd.weight)
    assert torch.allclose(result, reduce.norm(torch.cat([even, odd], 1)), atol=1e-6)
