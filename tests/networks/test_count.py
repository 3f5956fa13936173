"""Counting against formulas by hand and against PyTorch's own counter."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cells import PNASNET5, cells
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cambrian.networks.measure.macs import without_steps
from cambrian.networks.measure.operation_totals import count_operations
from cambrian.networks.measure.sizes import Uncountable, macs, params, sizes
from cambrian.networks.skeletons.cell_network import cell_network


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 10 * 12 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 3, stride=2), (3, 11, 11), 5 * 5 * 8 * 3 * 9),
        (nn.Conv2d(8, 8, (1, 7), padding=(0, 3), groups=8, bias=False), (8, 5, 5), 25 * 8 * 7),
        (nn.ConvTranspose2d(4, 6, 3), (4, 5, 5), 25 * 4 * 6 * 9),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2), 12 * 5),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2)), (3, 4, 4), 0),
    ],
)
def test_multiply_accumulates_by_hand(layer, shape, expected):
    """Results times the size of one filter, and nothing for bias, normalisation or pooling."""
    assert macs(layer, shape) == expected


@settings(max_examples=6, deadline=None)
@given(cells(), st.integers(1, 3), st.sampled_from([8, 9, 28]))
def test_multiply_accumulates_of_any_cell_are_half_of_torchs_flops(blocks, count, size):
    """PyTorch's FlopCounterMode counts two operations where we count one multiply-accumulate."""
    network = cell_network(blocks, 3, 10, skeleton="small", filters=4, cells=count).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(1, 3, size, size))
    assert 2 * macs(network, (3, size, size)) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("skeleton", "size", "published"), [("imagenet-mobile", 224, 588e6), ("imagenet-large", 331, 25.0e9)]
)
def test_pnasnet5_costs_what_was_published(skeleton, size, published):
    """arXiv 1712.00559, Tables 4 and 5, within half a per cent: padding and what counts differ by so much."""
    with torch.device("meta"):
        network = cell_network(PNASNET5, 3, 1000, skeleton=skeleton)
    assert macs(network, (3, size, size)) == pytest.approx(published, rel=0.005)


def test_counting_leaves_the_network_as_it_was():
    """Modes, hooks, weights and running statistics are untouched; the auxiliary head does not count."""
    network = cell_network(PNASNET5, 1, 10, skeleton="small", filters=4, cells=2, auxiliary=True)
    network.cells[0].eval()
    modes = [m.training for m in network.modules()]
    before = {k: v.clone() for k, v in network.state_dict().items()}
    plain = cell_network(PNASNET5, 1, 10, skeleton="small", filters=4, cells=2)
    assert macs(network, (1, 8, 8)) == macs(plain, (1, 8, 8))
    assert params(network) == params(plain) == sum(p.numel() for p in plain.parameters())
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks or "forward" in vars(m) for m in network.modules())


def test_counting_a_network_that_does_not_fit_leaves_it_as_it_was():
    """The error is PyTorch's own, and neither hooks nor a changed mode stay behind."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(7, 2))
    with pytest.raises(RuntimeError, match="144"):
        macs(network, (3, 8, 8))
    assert network.training
    assert not any(m._forward_hooks or "forward" in vars(m) for m in network.modules())


class Looks(nn.Module):
    """Looks at the numbers it is given, in one of the ways there are."""

    def __init__(self, how):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.how = how

    def forward(self, inputs):
        self.how(inputs)
        return self.layer(inputs.flatten(1))


@pytest.mark.parametrize(
    "how",
    [
        lambda x: x.mean().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.nonzero(),
        lambda x: x + torch.zeros(1, 1, 2, 2),
    ],
)
def test_what_looks_at_numbers_has_parameters_and_no_count(how):
    """Whatever PyTorch says of it, it is told apart from shapes that do not fit; the network is usable."""
    network = Looks(how)
    with pytest.raises(Uncountable, match="numbers"):
        macs(network, (1, 2, 2))
    assert sizes(network, (1, 2, 2)) == {"params": 10.0}
    assert network(torch.zeros(1, 1, 2, 2)).shape == (1, 2)


class Tokens(nn.Module):
    """The pixels of an image as the steps of a sequence, read by a layer."""

    def __init__(self, layer, read):
        super().__init__()
        self.layer, self.read = layer, read

    def forward(self, x):
        return self.read(self.layer, x.flatten(2).transpose(1, 2))


ATTENTION = {"embed_dim": 8, "num_heads": 2, "batch_first": True}


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    ("layer", "read", "expected"),
    [
        (nn.MultiheadAttention(**ATTENTION), lambda m, x: m(x, x, x)[0], 4 * 4 * 64),
        (nn.MultiheadAttention(**ATTENTION), lambda m, x: m(query=x[:, :1], key=x, value=x)[0], 2 * 5 * 64),
        (
            nn.MultiheadAttention(**ATTENTION, kdim=3, vdim=5),
            lambda m, x: m(x, x[..., :3], x[..., :5])[0],
            4 * 8 * (8 + 3 + 5 + 8),
        ),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), lambda m, x: m(x), 4 * 8 * (4 * 8 + 2 * 16)),
        (nn.Bilinear(8, 8, 5), lambda m, x: m(x, x), 4 * 5 * 64),
    ],
)
def test_layers_that_compute_linear_maps_of_their_own_are_counted(layer, read, expected, computed):
    """The four projections of attention at four steps, of one query, and of keys and values of other widths;
    a transformer's layer, which torch would run as one kernel; a bilinear layer. All but the transformer's
    feed-forward part counted nothing, and that nothing in a real run."""
    network = Tokens(layer, read)
    assert macs(network, (8, 2, 2), computed) == expected
    assert count_operations(network, (8, 2, 2))["macs"] == expected


def test_parameters_are_trainable_ones_counted_once():
    """Frozen weights do not count, shared ones count once."""
    layer = nn.Linear(4, 4)
    assert params(nn.Sequential(layer, layer)) == 20
    layer.bias.requires_grad_(False)
    assert params(layer) == 16


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # torch's own, of a run without oneDNN
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(
    "settings", [{}, {"batch_first": True}, {"bidirectional": True, "num_layers": 2}, {"proj_size": 3}]
)
@pytest.mark.parametrize("shape", [(5, 2, 6), (5, 6)])
def test_recurrent_layers_are_counted_by_their_shapes_alone(
    kind: Any, settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    """What stands in for a run has the shapes of torch's results, and goes afterwards."""
    if "proj_size" in settings and kind is not nn.LSTM:
        settings = {}
    layer, images = kind(6, 4, **settings), torch.randn(shape)
    own = layer(images)
    with without_steps(layer):
        found = layer(images)
        with pytest.raises((RuntimeError, ValueError)):
            layer(torch.randn(*shape[:-1], 5))
    flat = [(own[0], *own[1]), (found[0], *found[1])] if kind is nn.LSTM else [own, found]
    assert [x.shape for x in flat[0]] == [x.shape for x in flat[1]]
    assert torch.equal(layer(images)[0], own[0])
