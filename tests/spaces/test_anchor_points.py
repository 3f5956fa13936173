"""Anchor points: the size of the paper's space, its 15-layer network, and ResNet and DenseNet inside it."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from branch_graphs import least_text, parameters
from torch import nn
from torch.nn import functional as F

from cambrian.architecture import completions, questions, replay, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.branches.anchor_points.space import AnchorPoints
from cambrian.spaces.branches.layered import split
from cambrian.spaces.knowledge import Moves
from cambrian.spaces.program.function_space import Shape

SHAPE = Shape(3, 8, 8, 4)


def size(space, depth):
    """The product of the numbers of answers, which do not depend on each other."""
    rng = stream(0, "size")
    asked = questions(space, replay(space, {"layers": depth}, lambda c: c.draw(rng)))
    total = 1
    for choice in asked[1:]:
        total *= choice.size
    return total


def test_the_papers_space_has_its_size():
    """(4 x 4 x 4)^15 kinds of layers and 2^(15 x 14 / 2) patterns of skips."""
    assert size(AnchorPoints.paper(), 15) == 4 ** (3 * 15) * 2 ** (15 * 14 // 2)
    assert size(AnchorPoints.paper(strides=True), 15) == 4 ** (3 * 15) * 3**15 * 2 ** (15 * 14 // 2)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_small_spaces_are_counted(layers):
    """2^(L(L-1)/2) patterns of skips with one kind of layer, 2^L times as many with two."""
    one = AnchorPoints(layers, layers, heights=(3,), widths=(3,), filters=(4,))
    assert sum(1 for _ in completions(one, {})) == 2 ** (layers * (layers - 1) // 2)
    two = AnchorPoints(layers, layers, heights=(1, 3), widths=(3,), filters=(4,))
    assert sum(1 for _ in completions(two, {})) == 2 ** (layers + layers * (layers - 1) // 2)


def test_equal_graphs_are_those_of_some_numbering():
    """All 128 networks of three layers of two kinds (64 patterns of answers each): the same by canonical
    text exactly where brute force says so."""
    space = AnchorPoints(3, 3, heights=(1, 3), widths=(3,), filters=(4,))
    pairs = set()
    for architecture in completions(space, {}):
        graph = space.graph(architecture)
        inputs = [[a for a, b in graph.edges if b == n] for n in range(len(graph.labels))]
        pairs.add((space.canonical(architecture), least_text(graph.labels, inputs)))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert len(pairs) < 64


def published(space):
    """The 15 layers of the paper's Fig. 7, by height, width, filters and what they read."""
    rows = [
        (3, 3, 36, ()),
        (3, 3, 48, (1,)),
        (3, 3, 36, (1, 2)),
        (5, 5, 36, (1, 2, 3)),
        (3, 7, 48, (3, 4)),
        (7, 7, 48, (2, 3, 4, 5)),
        (7, 7, 48, (2, 3, 4, 5, 6)),
        (7, 3, 36, (1, 6, 7)),
        (7, 1, 36, (1, 5, 6, 8)),
        (7, 7, 36, (1, 3, 4, 5, 6, 7, 8, 9)),
        (5, 7, 36, (1, 2, 5, 6, 7, 8, 9, 10)),
        (7, 7, 48, (1, 2, 3, 4, 6, 11)),
        (7, 5, 48, (1, 3, 6, 7, 8, 9, 10, 11, 12)),
        (7, 5, 48, (3, 7, 12, 13)),
        (7, 5, 48, (6, 7, 11, 12, 13, 14)),
    ]
    answers = {"layers": 15}
    for n, row in enumerate(rows, 1):
        names = ("height", "width", "filters") + (("reads",) if n > 1 else ())
        answers |= {f"layer{n}/{name}": a for name, a in zip(names, row, strict=False)}
    return replay(space, answers)


def test_the_papers_network_has_its_size():
    """4.2 million parameters (Table 1, without strides or pooling)."""
    space = AnchorPoints.paper()
    with torch.device("meta"):
        network = space.build(published(space), Shape(3, 32, 32, 10))
    assert round(parameters(network) / 1e6, 1) == 4.2
    kernels = [m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(kernels) == 15
    assert sum(kernels) == 4_199_868


def convolutions(network):
    return [m for m in network.modules() if isinstance(m, nn.Sequential) and isinstance(m[0], nn.Conv2d)]


@pytest.mark.parametrize("combine", ["sum", "either"])
def test_a_residual_network_is_one_of_them(combine):
    """x becomes x + b(a(x)), block after block, written by hand with the same layers."""
    space = AnchorPoints(layers=8, combine=combine, filters=(8,))
    torch.manual_seed(0)
    network = space.build(space.resnet(blocks=3, filters=8), SHAPE).eval()
    first, *blocks, last = convolutions(network)
    assert len(blocks) == 6
    images = torch.randn(2, 3, 8, 8)
    x = first(images)
    for a, b in zip(blocks[::2], blocks[1::2], strict=True):
        x = x + b(a(x))
    by_hand = network[-1](F.adaptive_avg_pool2d(last(x), 1).flatten(1))
    torch.testing.assert_close(network(images), by_hand)


@pytest.mark.parametrize("combine", ["concat", "either"])
def test_a_densely_connected_network_is_one_of_them(combine):
    """x becomes [x, layer(x)], layer after layer, written by hand with the same layers."""
    space = AnchorPoints(layers=6, combine=combine, filters=(8,))
    torch.manual_seed(0)
    network = space.build(space.densenet(layers=6, filters=8), SHAPE).eval()
    first, *layers, last = convolutions(network)
    assert [layer[0].in_channels for layer in layers] == [8, 16, 24, 32]
    images = torch.randn(2, 3, 8, 8)
    x = first(images)
    for layer in layers:
        x = torch.cat([x, layer(x)], 1)
    by_hand = network[-1](F.adaptive_avg_pool2d(last(x), 1).flatten(1))
    torch.testing.assert_close(network(images), by_hand)


def test_unread_layers_go_to_the_classifier_and_small_images_are_padded():
    """Two layers on the image, the second strided: its zeros around, the first beside it."""
    space = AnchorPoints(2, filters=(4,), heights=(1,), widths=(1,), strides=(1, 2))
    answers = {f"layer{n}/{k}": v for n in (1, 2) for k, v in {"height": 1, "width": 1, "filters": 4}.items()}
    answers |= {"layers": 2, "layer1/stride": 1, "layer2/stride": 2, "layer2/reads": ()}
    network = space.build(replay(space, answers), Shape(3, 5, 5, 4)).eval()
    images = torch.randn(2, 3, 5, 5)
    one, two = convolutions(network)
    assert two(images).shape == (2, 4, 3, 3)
    by_hand = torch.cat([one(images).mean((2, 3)), two(images).sum((2, 3)) / 25], 1)
    torch.testing.assert_close(network(images), network[-1](by_hand))


def reading(architecture):
    """(a layer's own answers, what it reads) of every layer, the image for those that read none."""
    layers = split(architecture)
    return [((a["height"], a["width"], a["filters"]), set(a.get("reads", ())) or {0}) for a in layers]


def test_moves_keep_who_reads_whom():
    """A layer inserted, deleted or doubled, against the same edit of a graph whose nodes have names."""
    space = AnchorPoints(5, 1)
    done = {"insert": 0, "delete": 0, "duplicate": 0}
    for n in range(150):
        before = sample(space, stream(n, "before"))
        for kind in done:
            after = space.know(Moves).move(kind, before, stream(n, kind))
            if after is None:
                assert before["layers"] == (1 if kind == "delete" else 5)
                continue
            assert replay(space, after) == after
            assert any(_is_edit(kind, at, reading(before), reading(after)) for at in range(6)), (
                before,
                after,
            )
            done[kind] += 1
    assert min(done.values()) > 50


def _is_edit(kind, at, before, after):
    """Whether `after` is `before` with its layer at index `at` so edited."""
    if at >= len(before) + (kind == "insert"):
        return False
    names = list(range(1, len(before) + 1))  # a layer's name is its number before
    if kind == "delete":
        gone = before[at][1]
        order = [n for n in names if n != at + 1]
        wanted = {
            n: (before[n - 1][1] - {at + 1}) | (gone if at + 1 in before[n - 1][1] else set()) for n in order
        }
        wanted = {n: (r - {0}) or {0} for n, r in wanted.items()}
    else:
        order = [*names[: at + (kind == "duplicate")], "new", *names[at + (kind == "duplicate") :]]
        wanted = {n: before[n - 1][1] for n in names}
    place = {name: n for n, name in enumerate(order, 1)} | {0: 0}
    for name in order:
        answers, reads = after[place[name] - 1]
        if name == "new" and kind == "insert":
            continue
        source = before[at] if name == "new" else before[name - 1]
        if answers != source[0] or reads != {
            place[s] for s in (source[1] if name == "new" else wanted[name])
        }:
            return False
    return True


def test_mistakes_are_named():
    """Settings, special cases of the other kind, kernels that the space does not have."""
    with pytest.raises(SpaceError, match="least is 1 to 2, got 3"):
        AnchorPoints(layers=2, least=3)
    with pytest.raises(UnknownName, match="did you mean 'concat'"):
        AnchorPoints(combine="concatenate")
    with pytest.raises(SpaceError, match="needs combine='sum'"):
        AnchorPoints().resnet(1)
    with pytest.raises(IllegalArchitecture, match="height"):
        AnchorPoints(heights=(1,)).densenet(2)
    some = next(islice(completions(AnchorPoints(), {}), 1))
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        AnchorPoints().build(some, SHAPE, widht=2)
    with pytest.raises(UsageError, match="above 0"):
        AnchorPoints().build(some, SHAPE, width=0)
