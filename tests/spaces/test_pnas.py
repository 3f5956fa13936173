"""The PNAS space: its questions, their measure, its tokens, graphs and networks."""

import itertools
import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture, completions, questions, replay, sample
from cambrian.choices import OneOf
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName
from cambrian.spaces import SPACES
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS
from cambrian.spaces.published import find_published
from cambrian.spaces.space import Canonical, Encodes, Graphs, Grows

PNASNET_5 = find_published("pnasnet-5").architecture


@dataclass(frozen=True)
class Images:
    channels: int
    height: int
    width: int
    classes: int


def test_it_knows_everything_a_cell_can_know():
    """By its registered name it is a space with all four protocols, and its spec makes it again."""
    space = SPACES.make("pnas")
    assert all(isinstance(space, protocol) for protocol in (Grows, Canonical, Encodes, Graphs))
    other = PNAS(3, ("identity", "max3x3"), "unused")
    assert SPACES.make(json.loads(json.dumps(SPACES.spec(other)))) == other


def test_published_numbers_of_ordered_cells():
    """|B_b| is 256, 576, 1024, 1600, 2304; their product 556,627,761,561,600; one block: 256 walks."""
    space = PNAS()
    sizes = [space.size(b) for b in range(6)]
    assert [b // a for a, b in itertools.pairwise(sizes)] == [256, 576, 1024, 1600, 2304]
    assert sizes[5] == 556_627_761_561_600
    one_block = list(completions(PNAS(blocks=1), {}))
    assert len(one_block) == len(set(one_block)) == 256
    assert len({space.canonical(a) for a in one_block}) == 136


def test_sampling_is_uniform_over_ordered_cells():
    """The product of the answers' chances is one over the number of cells, for each of them."""
    space = PNAS(blocks=2, operations=OPERATIONS[:2])
    every = list(completions(space, {}))
    assert len(every) == space.size(1) + space.size(2) == 16 + 16 * 36
    for architecture in every:
        chance = 1.0
        for choice in questions(space, architecture):
            weights = choice.weights or (1.0,) * choice.size
            chance *= weights[choice.options.index(architecture[choice.path])] / sum(weights)
        assert math.isclose(chance, 1 / len(every))


def test_the_questions():
    """Paths and options as documented; the number of blocks is the complexity order."""
    asked = questions(PNAS(), PNASNET_5)
    assert [c.path for c in asked[:5]] == [
        "blocks", "block1/input1", "block1/operation1", "block1/input2", "block1/operation2",
    ]  # fmt: skip
    assert all(isinstance(c, OneOf) and c.depth == (c.path == "blocks") for c in asked)
    inputs = {c.path: c.options for c in asked}
    assert inputs["block1/input1"] == ("previous-previous", "previous")
    assert inputs["block4/input2"] == ("previous-previous", "previous", "block1", "block2", "block3")


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_json_and_tokens_round_trip(seed):
    """An architecture survives JSON and strict replay, and its tokens give it back."""
    space = PNAS()
    some = sample(space, np.random.default_rng(seed))
    assert replay(space, Architecture.from_json(json.loads(json.dumps(some.to_json())))) == some
    shallow = sample(PNAS(blocks=2), np.random.default_rng(seed))
    tokens = space.tokens([some, shallow])
    assert tokens.shape == (2, space.level(some), len(space.slots))
    for row, architecture in zip(tokens, [some, shallow]):
        level = space.level(architecture)
        assert space.architecture(row[:level].tolist()) == architecture
        assert (row[level:] == -1).all()
        for column, slot in zip(row[:level].T, space.slots):
            assert ((column >= 0) & (column < space.vocabulary[slot])).all()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"operations": ("sep3x3", "sep5x6")}, UnknownName, "did you mean 'sep5x5'"),
        ({"operations": ("sep3x3", "sep3x3")}, SpaceError, "distinct"),
        ({"operations": ()}, SpaceError, "at least one"),
        ({"blocks": 0}, SpaceError, "blocks is 1 to 20, got 0"),
        ({"output": "unusd"}, UnknownName, "did you mean 'unused'"),
    ],
)
def test_wrong_settings_are_refused(settings, error, words):
    """In one sentence, with the nearest valid name."""
    with pytest.raises(error, match=words):
        PNAS(**settings)


def test_a_block_cannot_read_itself():
    """An edited architecture with an input that does not exist yet is refused with its path."""
    edited = {**PNASNET_5, "block2/input1": "block2"}
    with pytest.raises(IllegalArchitecture, match="block2/input1"):
        replay(PNAS(), edited)
    with pytest.raises(IllegalArchitecture, match="block2/input1"):
        PNAS().build(Architecture(edited), Images(3, 8, 8, 10))


def test_the_graph_is_the_cell():
    """Two operands to every addition, each operand's source as answered; outputs by either rule."""
    for output, read in (("all", 5), ("unused", 4)):
        graph = PNAS(output=output).graph(PNASNET_5)
        sources = [[i for i, j in graph.edges if j == node] for node in range(len(graph.labels))]
        adds = [n for n, label in enumerate(graph.labels) if label == "add"]
        assert all(i < j for i, j in graph.edges)
        assert [len(s) for s in sources] == [0, 0, *[1, 1, 2] * 5, read]
        assert set(sources[-1]) == set(adds) - ({adds[2]} if output == "unused" else set())
        for b, add in enumerate(adds, 1):
            operands = [(graph.labels[n], sources[n][0]) for n in sources[add]]
            node = {"previous-previous": 0, "previous": 1} | {f"block{k}": a for k, a in enumerate(adds, 1)}
            assert operands == [
                (PNASNET_5[f"block{b}/operation{o}"], node[str(PNASNET_5[f"block{b}/input{o}"])])
                for o in "12"
            ]
            assert {graph.groups[n] for n in (*sources[add], add)} == {f"block {b}"}


def test_operations_are_those_that_can_be_built():
    """The space's names are the first names of the networks, in the same order."""
    from cambrian.networks import operations

    assert tuple(operations.OPERATIONS)[:8] == OPERATIONS


def test_published_network_sizes():
    """PNASNet-5's cell gives the released ImageNet network's parameters, and CIFAR-10's."""
    import torch

    from cambrian.networks.measure.sizes import params

    with torch.device("meta"):
        large = PNAS().build(PNASNET_5, Images(3, 331, 331, 1000), skeleton="imagenet-large")
        cifar = PNAS().build(PNASNET_5, Images(3, 32, 32, 10))
    assert params(large) == 86_057_668
    assert 3_160_000 - 10 <= params(cifar) <= 3_180_000


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (28, 28), (33, 40), (96, 96)])
def test_networks_for_images_of_every_size(size):
    """The default skeleton fits whatever the task's size, and gives a finite logit per class."""
    import torch

    torch.manual_seed(0)
    space = PNAS(blocks=2, output="unused")
    architecture = sample(space, np.random.default_rng(sum(size)))
    network = space.build(architecture, Images(1, *size, 7), filters=4, cells=3).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, 1, *size))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


def test_a_skeleton_setting_nobody_has_is_named():
    """With the nearest one that exists; the output rule is the space's and no skeleton's."""
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        PNAS().build(PNASNET_5, Images(3, 8, 8, 10), filtres=4)
    with pytest.raises(UnknownName, match="'output'"):
        PNAS().build(PNASNET_5, Images(3, 8, 8, 10), output="unused")
