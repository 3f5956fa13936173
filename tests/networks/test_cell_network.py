"""Networks of cells against published figures, and laws that hold for every cell."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cells import PNASNET5, cells

from cambrian.errors import Unbuildable, UnknownName, UsageError
from cambrian.networks.drop_path import set_drop_path
from cambrian.networks.measure.sizes import params
from cambrian.networks.sharing.reading import Own
from cambrian.networks.skeletons.cell import Limits, Wiring, cell_of, drop_paths, output_blocks, wire
from cambrian.networks.skeletons.cell_network import cell_network, pair_network, reduction_cells
from cambrian.networks.skeletons.defaults import FAMILIES
from chance import assert_share
from reseeding import SHIFT

modest = settings(max_examples=10, deadline=None)


def small(blocks=PNASNET5, channels=3, **more):
    """A network of few weights, in training mode."""
    return cell_network(blocks, channels, 10, **{"skeleton": "small", "filters": 4, "cells": 3, **more})


@pytest.mark.parametrize(
    ("expected", "classes", "skeleton"),
    [
        (86_057_668, 1000, {"skeleton": "imagenet-large"}),
        (86_061_989, 1001, {"skeleton": "imagenet-large"}),
        (5_064_487, 1000, {"skeleton": "imagenet-mobile"}),
        (3_159_994, 10, {"skeleton": "cifar"}),
        (3_176_602, 10, {"skeleton": "cifar", "stem": 3 * 48}),
        (550_306, 10, {"skeleton": "cifar", "filters": 24, "cells": 6}),
        (555_154, 10, {"skeleton": "cifar", "filters": 24, "cells": 6, "stem": 3 * 24}),
    ],
)
def test_pnasnet5_has_the_published_number_of_parameters(expected, classes, skeleton):
    """86.1M on ImageNet (large), 5.1M (mobile), 3.2M on CIFAR-10: arXiv 1712.00559, Tables 3 to 5. The
    auxiliary head is not among them."""
    with torch.device("meta"):
        assert params(cell_network(PNASNET5, 3, classes, auxiliary=True, **skeleton)) == expected


@modest
@given(cells(), st.integers(1, 4), st.sampled_from([8, 28, 32]), st.sampled_from(["all", "unused"]))
def test_every_cell_gives_logits_at_every_size(blocks, count, size, output):
    """Any cell, one to four times, from 8x8 up: one row of finite logits for an image."""
    network = small(blocks, cells=count, filters=2, output=output).eval()
    logits = network(torch.randn(2, 3, size, size))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


@modest
@given(cells(), st.integers(1, 4), st.sampled_from(["all", "unused"]), st.booleans())
def test_the_gradient_reaches_every_parameter(blocks, count, output, auxiliary):
    """No weight is made that nothing reads, even by cells that skip the previous cell."""
    network = small(blocks, cells=count, output=output, auxiliary=auxiliary)
    outputs = network(torch.randn(4, 3, 8, 8))
    sum(o.square().sum() for o in (outputs if auxiliary else [outputs])).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@modest
@given(cells(), st.integers(1, 5), st.sampled_from([8, 9, 15]))
def test_reduction_cells_halve_and_double(blocks, count, size):
    """After each strided cell the maps have half the height and width and twice the filters."""
    network = small(blocks, cells=count).eval()
    seen = {}
    for t, cell in zip(network.places, network.cells, strict=True):
        cell.register_forward_hook(lambda m, i, o, t=t: seen.update({t: o.shape}))
    network(torch.randn(1, 3, size, size))
    for t, shape in seen.items():
        halvings = sum(s <= t for s in reduction_cells(count))
        assert shape[1] == 4 * 2**halvings * len(blocks)
        assert shape[2] == shape[3] == -(-size // 2**halvings)


def test_only_operations_on_a_cells_inputs_stride():
    """In a strided cell block 2 reads block 1, which has been halved before."""
    cell = cell_of(wire(((1, "sep3x3", 0, "max3x3"), (2, "sep3x3", 1, "sep3x3"))), (4, 4), 4, stride=2)
    strides = [path[1].stride[0] for path in (cell.first[0], cell.first[1], cell.second[1])]
    assert strides == [2, 1, 2]


def test_the_three_n_cells_of_the_paper():
    """The cells after N and after 2N stride: 3N in all, which is what reproduces 3.2M."""
    for n in range(1, 7):
        assert reduction_cells(3 * n) == {n, 2 * n}


@pytest.mark.parametrize(
    ("skeleton", "size", "sides"),
    [("imagenet-large", 331, [83, 42, 42, 21, 11]), ("imagenet-mobile", 224, [56, 28, 28, 14, 7])],
)
def test_the_imagenet_skeletons_halve_as_the_released_code(skeleton, size, sides):
    """Two strided stem cells, then three stages: sides of the maps, from the released code's padding."""
    with torch.device("meta"):
        network = cell_network(((1, "max3x3", 0, "identity"),), 3, 5, skeleton=skeleton, filters=8).eval()
    seen = []
    for cell in network.cells:
        cell.register_forward_hook(lambda m, i, o: seen.append(o.shape[-1]))
    network(torch.empty(1, 3, size, size, device="meta"))
    assert list(dict.fromkeys(seen)) == list(dict.fromkeys(sides))
    assert seen[:2] == sides[:2]


def test_the_cell_computes_the_graph_it_was_given():
    """A cell of identities and pools against the same sums written by hand."""
    blocks = ((1, "max3x3", 0, "identity"), (2, "avg3x3", 1, "identity"), (3, "max3x3", 2, "identity"))
    cell = cell_of(wire(blocks), (4, 4), 4).eval()
    one, other = torch.randn(2, 2, 4, 6, 6)
    h0, h1 = cell.fit["0"](one), cell.fit["1"](other)
    average, largest = cell.first[1], cell.first[0]
    b1 = largest(h1) + h0
    b2 = average(b1) + h1
    b3 = largest(b2) + b1
    assert torch.equal(cell(one, other), torch.cat([b1, b2, b3], 1))


@modest
@given(cells())
def test_unused_outputs_are_those_no_block_reads(blocks):
    """The rule against its definition, and what it leaves of PNASNet-5's five blocks."""
    read = {i - 2 for one, _, other, _ in blocks for i in (one, other)}
    unused = output_blocks(blocks, "unused")
    assert set(unused) == set(range(len(blocks))) - read
    assert output_blocks(blocks, "all") == tuple(range(len(blocks)))
    assert output_blocks(PNASNET5, "unused") == (0, 1, 3, 4)


@pytest.mark.parametrize("channels", [1, 3])
def test_evaluation_is_deterministic_and_training_forward_is_not(channels):
    """Drop-path and dropout act in training alone; greyscale images work."""
    network = small(channels=channels, drop_path=0.5, dropout=0.5)
    x = torch.randn(8, channels, 8, 8)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_initial_weights_are_a_function_of_the_seed():
    """Built twice under a seed: equal; under another: not."""
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(torch.cat([p.flatten() for p in small().parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.statistical
def test_dropping_keeps_the_expectation_and_drops_whole_examples():
    """Each example is 0 or 1 / keep throughout, and three of ten are 0: their mean is 1 in expectation."""
    torch.manual_seed(SHIFT)
    result = drop_paths(torch.ones(20_000, 1, 2, 2), 0.3)
    assert_share(int((result[:, 0, 0, 0] == 0).sum()), 20_000, 0.3, unlike=[0.25, 0.35])
    assert torch.allclose(result.unique(), torch.tensor([0.0, 1 / 0.7]))
    assert (result.flatten(1) == result[:, :1, 0, 0]).all()


def test_each_path_is_dropped_on_its_own_and_the_identity_never():
    """At a rate near one hardly a pooled path is left, and the identity comes through as it is."""
    cell = cell_of(wire(((1, "max3x3", 1, "identity"),)), (1, 1), 1)
    cell.drop_path = 0.999
    torch.manual_seed(0)
    x = torch.randn(64, 1, 4, 4)
    assert torch.equal(cell(x, x), cell.fit["1"](x))


@pytest.mark.parametrize(
    ("operation", "darts", "dropped"),
    [("identity", False, False), ("skip", False, False), ("skip", True, True), ("max3x3", False, True)],
)
def test_an_identity_that_projects_is_dropped_by_darts_alone(operation, darts, dropped):
    """Where it has a stride: the released NASNet, PNASNet and AmoebaNet drop all but "none", ENAS its first
    four operations, DARTS all but a module `Identity`, and so a factorized reduction."""
    limits = Limits(distinct=darts)
    cell = cell_of(wire(((0, operation, 1, operation),)), (2, 2), 2, stride=2, limits=limits)
    x = torch.randn(64, 2, 4, 4)
    whole = cell(x, x)
    cell.drop_path = 0.999
    torch.manual_seed(0)
    assert torch.equal(cell(x, x), whole) != dropped


def test_an_input_that_passes_to_the_output_is_reduced_as_it_is():
    """Without a ReLU, as `_combine_unused_states` of the released NASNet and AmoebaNet and `_fixed_combine`
    of ENAS: its negative numbers are not lost, and the output's readers begin with one."""
    cell = cell_of(Wiring(((1, "max3x3", 1, "max3x3"),), (0, 2)), (2, 2), 2, stride=2).eval()
    x = torch.randn(2, 2, 4, 4)
    end, fitted = cell.ends["0"], cell.fit["0"](x)
    assert (fitted < 0).any()
    halves = [conv(fitted[:, :, k:, k:]) for k, conv in enumerate((end.even, end.odd))]
    torch.testing.assert_close(cell(x, x)[:, :2], end.norm(torch.cat(halves, 1)))


def pair_of(family, **more):
    """A network of six cells of that family's CIFAR-10 skeleton, in training mode."""
    cell = wire(((0, "sep3x3", 1, "sep3x3"),))
    settings = {"filters": 4, "cells": 6, **more}
    return pair_network(Own((cell, cell)), 3, 10, FAMILIES[family], **settings)


@pytest.mark.parametrize(("family", "watched", "last"), [("nasnet", 3, 1 / 6), ("darts", 4, 1)])
def test_the_skeleton_of_darts_differs_from_nasnets(family, watched, last):
    """As released (tensorflow/models, slim/nets/nasnet; quark0/darts, cnn/model.py): NASNet's auxiliary head
    reads the cell before the last reduction, its rates of dropping rise with the depth, and a ReLU comes
    before the last pooling; DARTS's head reads that reduction, its rates are the same, there is no ReLU."""
    network = pair_of(family, auxiliary=True, drop_path=0.6)
    assert network.watched == watched
    assert network.cells[0].drop_path == pytest.approx(0.6 * last)
    assert network.cells[-1].drop_path == pytest.approx(0.6)
    network.eval()
    outputs = []
    network.cells[-1].register_forward_hook(lambda module, inputs, output: outputs.append(output))
    logits = network(torch.randn(4, 3, 8, 8))
    seen = outputs[0] if family == "darts" else outputs[0].relu()
    assert (outputs[0] < 0).any()
    torch.testing.assert_close(logits, network.linear(seen.mean((2, 3))))


def test_drop_path_grows_with_depth_and_with_progress():
    """The last cell has the rate itself, cell t of T its t / T, and progress scales all of them."""
    network = small(drop_path=0.6)
    assert [c.drop_path for c in network.cells] == pytest.approx([0.2, 0.4, 0.6])
    network.drop_path_progress = 0.5
    assert [c.drop_path for c in network.cells] == pytest.approx([0.1, 0.2, 0.3])
    set_drop_path(torch.nn.Sequential(network), 0.3)
    assert [c.drop_path for c in network.cells] == pytest.approx([0.1, 0.2, 0.3])
    set_drop_path(torch.nn.Linear(1, 1), 0.5)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_auxiliary_head_speaks_in_training_only(count):
    """(logits, auxiliary logits) in training, logits in evaluation, read before the last strided cell."""
    network = small(cells=count, auxiliary=True)
    x = torch.randn(4, 3, 8, 8)
    logits, auxiliary = network(x)
    assert logits.shape == auxiliary.shape == (4, 10)
    assert network.eval()(x).shape == (4, 10)
    assert network.watched == max(0, max(reduction_cells(count), default=1) - 1)


def test_it_exports_and_the_program_gives_the_same_logits():
    """torch.export in evaluation mode, with any number of images."""
    network = small(auxiliary=True, drop_path=0.2).eval()
    dynamic = ({0: torch.export.Dim("images", min=1, max=64)},)
    program = torch.export.export(network, (torch.randn(2, 3, 9, 9),), dynamic_shapes=dynamic).module()
    x = torch.randn(5, 3, 9, 9)
    assert torch.allclose(program(x), network(x), atol=1e-6)


def test_channels_last_goes_through_unbroken():
    """A network in channels_last keeps every map so: one NCHW map costs a copy at each convolution."""
    network = small().to(memory_format=torch.channels_last)
    broken = []

    def check(module, inputs, output):
        if output.dim() == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            broken.append(module)

    for module in network.modules():
        module.register_forward_hook(check)
    network(torch.randn(4, 3, 8, 8).to(memory_format=torch.channels_last))
    assert broken == []


def test_a_strided_stem_and_the_dropout_before_the_linear_layer():
    """`stem_stride` halves all maps, `dropout` reaches the layer, ImageNet's is one half."""
    network = small(stem_stride=2, dropout=0.25).eval()
    assert network.stem(torch.randn(1, 3, 28, 28)).shape[-1] == 14
    assert network.dropout.p == 0.25
    with torch.device("meta"):
        assert cell_network(PNASNET5, 3, 5, skeleton="imagenet-mobile").dropout.p == 0.5


@pytest.mark.parametrize(
    ("error", "words", "blocks", "more"),
    [
        (UnknownName, "did you mean 'sep3x3'", ((0, "sep3x4", 1, "identity"),), {}),
        (UnknownName, "output rule", PNASNET5, {"output": "every"}),
        (UnknownName, "did you mean 'cifar'", PNASNET5, {"skeleton": "cifar10"}),
        (Unbuildable, "block1: input 2 does not exist, expected 0..1", ((2, "sep3x3", 1, "identity"),), {}),
        (Unbuildable, "at least one block", (), {}),
        (UsageError, "cells is at least 1, got 0", PNASNET5, {"cells": 0}),
        (UsageError, "below 1, got 1", PNASNET5, {"drop_path": 1.0}),
        (UsageError, "at least 4, got 3", PNASNET5, {"skeleton": "imagenet-large", "filters": 3}),
    ],
)
def test_what_cannot_be_built_is_said_in_one_sentence(error, words, blocks, more):
    """The wrong part and what would have been right are in the message."""
    with pytest.raises(error, match=words):
        cell_network(blocks, 3, 10, **more)
