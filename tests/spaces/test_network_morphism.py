"""The space of network morphisms: the first network, moves that only enlarge, and a forward by hand."""

from __future__ import annotations

import pytest
import torch
from branch_graphs import parameters
from torch.nn import functional as F

from cambrian.architecture import completions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.networks.morphisms.morphism import inherit_function
from cambrian.randomness import stream
from cambrian.spaces.branches.layered import split
from cambrian.spaces.branches.network_morphism.space import NetworkMorphism
from cambrian.spaces.knowledge import Morphs, Moves
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.evolution.tournament import trivial

SHAPE = Shape(2, 8, 8, 3)


def grown(space, *layers):
    """The architecture of these layers, 3x3 and narrow where nothing else is said."""
    answers, pools = {"layers": len(layers)}, 0
    for n, layer in enumerate(layers, 1):
        full = {"kernel": 3, "width": 1} | layer
        full |= {"pool": layer.get("pool", False)} if pools < 2 else {}
        full |= {"skips": layer.get("skips", ())} if n > 2 else {}
        pools += full.get("pool", False)
        answers |= {f"layer{n}/{k}": v for k, v in full.items()}
    return replay(space, answers)


POOL = {"pool": True}


def test_the_first_network_is_the_papers():
    """Convolution, pooling, convolution, pooling, convolution: the first answer to every question."""
    space = NetworkMorphism()
    first = trivial(space, 0)
    assert first == grown(space, POOL, POOL, {})
    assert space.graph(first).labels == ("input", *["conv3x3 x1 pool"] * 2, "conv3x3 x1", "output")


def test_small_spaces_are_counted():
    """Three layers of 2 x 4 kinds with 0 to 2 poolings, the third with a skip (of two kinds) or not."""
    space = NetworkMorphism(3)
    patterns = 2**3 - 1  # all three pooled is one too many
    assert (
        sum(1 for _ in completions(space, {"layer1/kernel": 3, "layer1/width": 1})) * 8 == 8**3 * patterns * 3
    )


def test_a_network_written_by_hand():
    """A skip concatenated and two added, each pooled to what the layer before gives."""
    space = NetworkMorphism()
    torch.manual_seed(0)
    layers = ({"width": 2} | POOL, POOL, {"skips": (1,), "combine": "concat"})
    last = {"width": 4, "skips": (1, 2), "combine": "sum"}
    network = space.build(grown(space, *layers, last), SHAPE, filters=4).eval()
    one, two, three, four = network[0].nodes
    x = torch.randn(2, 2, 8, 8)
    first = one(x)
    second = two(first)
    assert (first.shape[1:], second.shape[1:]) == ((8, 4, 4), (4, 2, 2))
    pooled = F.max_pool2d(first, 2)
    third = three.operation(torch.cat([second, pooled], 1))
    wide = [F.pad(y, (0, 0, 0, 0, 0, 4)) for y in (third, second)]
    fourth = four.operation(wide[0] + wide[1] + pooled)
    torch.testing.assert_close(network(x), network[-1](F.adaptive_avg_pool2d(fourth, 1).flatten(1)))


def test_images_of_one_pixel_are_not_pooled_away():
    """The poolings of the first network at 1x1, 3x1 and 2x5 pixels."""
    space = NetworkMorphism()
    for size in ((1, 1), (3, 1), (2, 5)):
        network = space.build(grown(space, POOL, POOL, {"skips": (1,), "combine": "sum"}), Shape(2, *size, 3))
        assert network.eval()(torch.zeros(2, 2, *size)).shape == (2, 3)


def ways(space, kind, architecture, draws=150):
    moved = (space.know(Moves).move(kind, architecture, stream(n, "ways", kind)) for n in range(draws))
    return {a for a in moved if a is not None}


def test_morphisms_are_the_papers():
    """From one network of three layers each leads to every network it may, and to no other."""
    space = NetworkMorphism(4)
    a, b, c = {"width": 2} | POOL, {"width": 8, "kernel": 5} | POOL, {"skips": (1,), "combine": "sum"}
    start = grown(space, a, b, c)
    deeper = [(a, {"width": 2, "kernel": k}, b, {"skips": (1,), "combine": "sum"}) for k in (3, 5)] + [
        (a, b, {"width": 8, "kernel": k}, c) for k in (3, 5)
    ]
    deeper += [(a, b, c, {"kernel": k}) for k in (3, 5)]
    assert ways(space, "deepen", start) == {grown(space, *rows) for rows in deeper}
    wider = [(a | {"width": 4}, b, c), (a, b, c | {"width": 2})]
    assert ways(space, "widen", start) == {grown(space, *rows) for rows in wider}
    assert ways(space, "skip-sum", start) == ways(space, "skip-concat", start) == set()
    longer = grown(space, a, b, c, {})
    for how in ("sum", "concat"):
        added = [(a, b, c, {"skips": (s,), "combine": how}) for s in (1, 2)]
        assert ways(space, f"skip-{how}", longer) == {grown(space, *rows) for rows in added}


def branched(space, architecture, draws=60):
    morphing = space.know(Morphs)
    children = (morphing.morph("branch", architecture, stream(n, "branched")) for n in range(draws))
    return {a for a in children if a is not None}


def test_branches_are_layers_beside_others():
    """Layers that neither pool, nor read a sum, nor are the first or the last: their like reads the same
    outputs, and the next one joins both, in the way in which it joins what it reads. None is added that
    another sum reads."""
    space = NetworkMorphism()
    concat, add = ({"combine": how} for how in ("concat", "sum"))
    a, b, c, d = POOL, {"width": 2, "kernel": 5}, {"width": 4, "skips": (1,)} | concat, {}
    beside_b, beside_c = b | {"skips": (1,)} | concat, c | {"skips": (1, 2)}
    assert branched(space, grown(space, a, b, c, d)) == {
        grown(space, a, b, beside_b, c | {"skips": (1, 2)}, d),
        grown(space, a, b, c, beside_c, d | {"skips": (3,)} | concat),
        grown(space, a, b, c, beside_c, d | {"skips": (3,)} | add),
    }
    # The last layer adds b: it moves on to it where c has a branch, and forbids that b is added.
    last = {"skips": (2,)} | add
    assert branched(space, grown(space, a, b, d, last)) == {
        grown(space, a, b, beside_b, d | {"skips": (2,)} | concat, last),
        grown(space, a, b, d, d | {"skips": (2,)} | concat, {"skips": (2, 3)} | add),
    }
    assert not branched(NetworkMorphism(4), grown(space, a, b, c, d))
    assert not branched(space, grown(space, POOL, POOL, {}))


def test_added_branches_begin_with_a_part_of_the_sum():
    """Both have a share of the layer's normalisation, and the new one has no weights for the layer that it is
    beside, whose output comes first among its channels."""
    space, a, b = NetworkMorphism(), POOL, {"width": 2}
    parent = space.build(grown(space, a, b, {}), SHAPE, filters=4)
    twin = b | {"skips": (1,), "combine": "concat"}
    child = space.build(grown(space, a, b, twin, {"skips": (2,), "combine": "sum"}), SHAPE, filters=4)
    assert inherit_function(child, parent, (2, 8, 8)).exact
    old, one, two = parent[0].nodes[1], child[0].nodes[1], child[0].nodes[2].operation
    torch.testing.assert_close(one[1].weight + two[1].weight, old[1].weight)
    assert one[1].weight.min() > 0.3
    assert torch.equal(two[0].weight[:, 8:], old[0].weight)
    assert not two[0].weight[:, :8].any()


def test_morphisms_enlarge():
    """Never fewer weights, and more layers, channels or skips, until nothing can be added."""
    space = NetworkMorphism(5)
    for n in range(6):
        architecture = trivial(space, 0)
        sizes = [parameters(space.build(architecture, SHAPE, filters=2))]
        for step in range(6):
            kind = space.know(Moves).moves[int(stream(n, step).integers(4))]
            architecture = space.know(Moves).move(kind, architecture, stream(n, step, "move")) or architecture
            sizes.append(parameters(space.build(architecture, SHAPE, filters=2)))
        assert sizes == sorted(sizes)
        assert sizes[-1] > sizes[0]
    full = {"width": 8, "kernel": 3}
    largest = grown(NetworkMorphism(3), full | POOL, full | POOL, full | {"skips": (1,), "combine": "sum"})
    assert not any(ways(NetworkMorphism(3), kind, largest, 5) for kind in space.know(Moves).moves)
    assert split(largest)[2]["skips"] == (1,)


def test_mistakes_are_named():
    """Settings and skeletons."""
    with pytest.raises(SpaceError, match="layers is 3 to 30"):
        NetworkMorphism(2)
    some = sample(NetworkMorphism(), stream(0))
    with pytest.raises(UsageError, match="at least 1"):
        NetworkMorphism().build(some, SHAPE, filters=0)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        NetworkMorphism().build(some, SHAPE, filter=2)
