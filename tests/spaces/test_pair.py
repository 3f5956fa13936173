"""What spaces of a normal and a reduction cell have in common, against brute force and by hand."""

import inspect
import itertools
import json
import math

import numpy as np
import pytest
import torch
from brute_cells import all_cells, brute, renamed
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture, completions, questions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.networks.sharing.reading import Own
from cambrian.networks.skeletons.cell import Limits, Wiring, cell_of
from cambrian.networks.skeletons.cell_network import pair_network
from cambrian.networks.skeletons.defaults import NASNET
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.cells.amoebanet import AmoebaNet
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.enas_micro import ENASMicro
from cambrian.spaces.cells.nasnet import NASNet
from cambrian.spaces.cells.pair_cells import blocks_of
from cambrian.spaces.cells.skeleton import SETTINGS
from cambrian.spaces.program.function_space import Shape

SPACES_OF_PAIRS = [NASNet(), AmoebaNet(), ENASMicro(), DARTS()]
TWO = ("sep3x3", "identity")
KEPT = NASNet(2, ("sep3x3",), also=("normal/block1", "reduction/previous"))
any_space = pytest.mark.parametrize("space", SPACES_OF_PAIRS, ids=lambda s: type(s).__name__)


def rng(*names):
    return stream(0, "pair", *names)


def everything(pool):
    return [pool.architecture(i) for i in range(len(pool))]


def levels_of(space, most):
    """Every level up to `most`, each grown from the whole one before."""
    pools, parents = [], []
    for _ in range(most):
        pools.append(space.pair.grow(parents, rng()))
        parents = everything(pools[-1])
    return pools


def classes(space, architectures):
    """By brute force over all renamings, what the space keeps set apart."""
    marks = [
        {int(name.rpartition("block")[2]) for name in space.also if name.startswith(f"{kind}/block")}
        for kind in ("normal", "reduction")
    ]
    found = []
    for architecture in architectures:
        pair = []
        for cell, marked in zip(space.cells(architecture), marks, strict=True):
            apart = [100 * (b in marked) for b in range(1, len(cell) + 1)]
            pair.append(brute([(i, j, o + m, p + m) for (i, j, o, p), m in zip(cell, apart, strict=True)]))
        found.append(tuple(pair))
    return found


def test_growing_in_turn_finds_as_many_pairs_as_brute_force_finds_cells():
    """10 and 165 cells of one and of two blocks with two operations, so 10, 100, 1,650 and 27,225 pairs."""
    pools = levels_of(AmoebaNet(2, ("sep3x3", "identity")), 4)
    assert [len(p) for p in pools] == [10, 10 * 10, 165 * 10, 165 * 165]
    assert all(p.complete for p in pools)


def test_136_cells_of_one_block_make_18496_pairs():
    """The eight operations of AmoebaNet are as many as PNAS's."""
    assert [len(p) for p in levels_of(AmoebaNet(), 2)] == [136, 136 * 136]


@pytest.mark.parametrize(
    "space", [NASNet(1, TWO), KEPT, ENASMicro(2, ("skip",)), DARTS(2, ("skip", "none"))], ids=repr
)
def test_canonical_texts_are_the_classes_of_brute_force_and_growth_finds_each_once(space):
    """Over every ordered pair of up to three blocks: a text for each class of isomorphic pairs, a class for
    each text, and one child of growth for each."""
    for level, pool in zip(space.pair.levels[:3], levels_of(space, 3), strict=False):
        every = list(completions(space, {"blocks": level}))
        assert len(every) == space.size(level)
        forms, texts = classes(space, every), [space.pair.canonical(a) for a in every]
        assert len(set(forms)) == len(set(texts)) == len(set(zip(forms, texts, strict=True)))
        grown = [space.pair.canonical(a) for a in everything(pool)]
        assert len(set(grown)) == len(grown)
        assert set(grown) == set(texts)


@any_space
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_renamed_blocks_and_swapped_operands_are_the_same_pair(space, seed):
    """Another legal order of both cells has the same canonical text, tokens of its own and answers that
    are legal, save that DARTS asks for a node's inputs in one order."""
    generator = np.random.default_rng(seed)
    one = sample(space, generator)
    cells = [renamed(cell, generator) for cell in space.cells(one)]
    if isinstance(space, DARTS):
        cells = [[(i, j, o, p) if i < j else (j, i, p, o) for i, j, o, p in cell] for cell in cells]
    other = space.architecture(*cells)
    assert replay(space, other) == other
    assert space.pair.canonical(other) == space.pair.canonical(one)
    assert space.cells(other) == tuple(map(list, cells))


@any_space
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_json_tokens_and_graph_hold_the_pair(space, seed):
    """An architecture survives JSON and strict replay; its rows alternate between the cells, and the
    graph has for each block two operations and what combines them, plus inputs and outputs."""
    one = sample(space, np.random.default_rng(seed))
    again = Architecture.from_json(json.loads(json.dumps(one.to_json())))
    assert replay(space, again) == one
    rows = space.pair.tokens([one])[0]
    cells = [[tuple(row[1:]) for row in rows.tolist() if row[0] == kind] for kind in (0, 1)]
    assert tuple(cells) == space.cells(one)
    assert rows[:, 0].tolist() == [n % 2 for n in range(space.pair.level(one))]
    graph = space.pair.graph(one)
    assert len(graph.labels) == 3 * space.pair.level(one) + 2 * 3
    fed = {to for _, to in graph.edges}
    assert [n for n in range(len(graph.labels)) if n not in fed] == [0, 1, *_second_inputs(graph)]


def _second_inputs(graph):
    return [n for n, label in enumerate(graph.labels) if label.startswith("reduction previous")]


@pytest.mark.parametrize("space", [NASNet(1, TWO), DARTS(2, ("skip",))], ids=repr)
def test_sampling_is_uniform_over_ordered_pairs(space):
    """The product of the answers' chances is one over the number of pairs, for each of them."""
    every = list(completions(space, {}))
    assert len(every) == sum(space.size(level) for level in space.pair.levels)
    for architecture in every:
        chance = 1.0
        for choice in questions(space, architecture):
            weights = getattr(choice, "weights", None)
            taken = list(choice.answers()).index(architecture[choice.path])
            chance *= weights[taken] / sum(weights) if weights else 1 / choice.size
        assert math.isclose(chance, 1 / len(every))


def test_growth_keeps_a_cap_and_refuses_mixed_levels():
    """A seeded sample of distinct pairs beyond the cap, none beyond the last level."""
    space = AmoebaNet(2)
    parents = everything(space.pair.grow([], rng()))[:20]
    pool = space.pair.grow(parents, rng(1), cap=50)
    assert (len(pool), pool.complete, pool.before) == (50, False, 20 * 136)
    assert len({space.pair.canonical(a) for a in everything(pool)}) == 50
    assert everything(pool) == everything(space.pair.grow(parents, rng(1), cap=50))
    top = next(a for n in range(99) if space.pair.level(a := sample(space, rng(n))) == 4)
    assert len(space.pair.grow([top], rng())) == 0
    with pytest.raises(SpaceError, match="one level"):
        space.pair.grow([parents[0], top], rng())


def test_children_of_256_parents_are_found_in_a_second():
    """At the last level but one of NASNet, 1.6 million pairs of parent and block, half a million drawn."""
    import time

    space = NASNet()
    every = (a for n in itertools.count() if space.pair.level(a := sample(space, rng("top", n))) == 10)
    cells = [space.cells(a) for a in itertools.islice(every, 256)]
    parents = [space.architecture(normal, reduction[:4]) for normal, reduction in cells]
    start = time.process_time()
    pool = space.pair.grow(parents, rng(), cap=100_000)
    assert time.process_time() - start < 5
    assert (len(pool), pool.before) == (100_000, 256 * 2 * 78 * 79 // 2)


# Networks


def test_loose_ends_are_what_no_block_reads():
    """Inputs among them; states that are kept come on top; a cell without blocks passes both inputs on."""
    space = AmoebaNet(also=("normal/block1",))
    first = [(1, 1, 1, 1), (2, 1, 1, 1)]
    normal, reduction = space.wirings(space.architecture(first, [(0, 0, 1, 1)]))
    assert (normal.output, reduction.output) == ((0, 2, 3), (1, 2))
    _, empty = space.wirings(space.architecture([(0, 1, 1, 1)], []))
    assert empty == Wiring((), (0, 1))
    every = DARTS().wirings(DARTS().architecture([(0, 1, 6, 6), (1, 2, 6, 6)], [(0, 1, 6, 6)]))
    assert [w.output for w in every] == [(2, 3), (2,)]


def test_a_cell_computes_sums_concatenations_and_loose_ends():
    """Against the same written by hand, with pools and identities alone."""
    wiring = Wiring(((1, "max3x3", 1, "identity"), (2, "avg3x3", 1, "max3x3")), (0, 2, 3), frozenset({0}))
    assert (wiring.widths(4), wiring.width(4)) == ([4, 4, 8, 4], 16)
    cell = cell_of(wiring, (6, 5), 4).eval()
    one, other = torch.randn(2, 6, 6, 6), torch.randn(2, 5, 6, 6)
    h0, h1 = cell.fit["0"](one), cell.fit["1"](other)
    largest, smooth = cell.first[0], cell.first[1]
    both = torch.cat([largest(h1), h1], 1)
    expected = torch.cat([h0, both, smooth(both) + largest(h1)], 1)
    assert torch.equal(cell(one, other), expected)


@pytest.mark.parametrize("size", [1, 5, 8])
def test_a_strided_cell_without_blocks_halves_both_inputs(size):
    """Each in `filters` channels, through a factorized reduction; a one-pixel image stays one."""
    cell = cell_of(Wiring((), (0, 1)), (3, 5), 4, stride=2)
    given = torch.randn(2, 3, size, size), torch.randn(2, 5, size, size)
    assert cell(*given).shape == (2, 8, -(-size // 2), -(-size // 2))


@any_space
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1, 5, 8, 28]), auxiliary=st.booleans())
@settings(max_examples=6, deadline=None)
def test_networks_give_logits_at_every_size_and_learn_with_every_weight(space, seed, size, auxiliary):
    """Any pair, from one pixel up: finite logits, an auxiliary head's too, and a gradient for each weight."""
    architecture = sample(space, np.random.default_rng(seed))
    network = space.build(architecture, Shape(2, size, size, 3), filters=2, auxiliary=auxiliary)
    outputs = network(torch.randn(4, 2, size, size))
    outputs = outputs if auxiliary else (outputs,)
    sum(o.square().sum() for o in outputs).backward()
    assert all(o.shape == (4, 3) and o.isfinite().all() for o in outputs)
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@any_space
def test_the_reduction_cell_is_where_the_network_strides(space):
    """After one and two thirds of the cells, with twice the filters; all others are normal cells."""
    architecture = sample(space, rng("strides"))
    network = space.build(architecture, Shape(1, 8, 8, 2), filters=4, cells=8)
    normal, reduction = space.wirings(architecture)
    for t, cell in enumerate(network.cells):
        assert cell.wiring().output == (reduction if t in (2, 5) else normal).output
    sides = []
    for cell in network.cells:
        cell.register_forward_hook(lambda m, i, o: sides.append((o.shape[-1], o.shape[1])))
    network.eval()(torch.randn(1, 1, 8, 8))
    widths = [(reduction if t in (2, 5) else normal).width(4 << (t >= 2) + (t >= 5)) for t in range(8)]
    assert sides == list(zip([8, 8, 4, 4, 4, 2, 2, 2], widths, strict=True))


def test_a_reading_is_asked_for_each_operation_under_its_path():
    """Once per operation of every cell, with the question's path and the name; channels and strides follow
    from where it is."""
    asked = []

    class Told(Own):
        def fork(self, of, makers, path="", *more, **settings):
            if path:
                asked.append((path, of(self._plan)))
            return super().fork(of, makers, path, *more, **settings)

    normal = Wiring(((0, "sep3x3", 1, "skip"),), (2,))
    reduction = Wiring(((1, "max3x3", 1, "sep5x5"), (2, "avg3x3", 0, "identity")), (3,))
    limits = tuple(Limits(path=f"{kind}/block{{}}/operation{{}}") for kind in ("normal", "reduction"))
    network = pair_network(Told((normal, reduction)), 3, 2, NASNET, limits, filters=4, cells=2)
    assert asked == [
        ("normal/block1/operation1", "sep3x3"),
        ("normal/block1/operation2", "skip"),
        ("reduction/block1/operation1", "max3x3"),
        ("reduction/block2/operation1", "avg3x3"),
        ("reduction/block1/operation2", "sep5x5"),
        ("reduction/block2/operation2", "identity"),
    ]
    operations = [(w, [*c.first, *c.second]) for w, c in zip((4, 8), network.cells, strict=True)]
    shapes = [[m(torch.zeros(2, w, 8, 8)).shape[1:] for m in made] for w, made in operations]
    assert shapes == [[(4, 8, 8)] * 2, [(8, 4, 4), (8, 8, 8), (8, 4, 4), (8, 4, 4)]]


def test_a_pair_with_every_kind_of_wiring_is_exported():
    """Concatenating blocks, kept states and a reduction cell that passes an input on, for any number of
    images: the exported program gives the same logits."""
    space = NASNet(2, ("max3x3", "identity", "sep3x3"), also=("normal/previous",))
    architecture = space.architecture([(0, 1, 3, 4), (2, 1, 1, 0)], [(1, 1, 5, 3)])
    assert [w.output for w in space.wirings(architecture)] == [(1, 3), (0, 2)]
    network = space.build(architecture, Shape(2, 6, 6, 3), filters=2, cells=2).eval()
    sizes = ({0: torch.export.Dim("images", min=1, max=64)},)
    program = torch.export.export(network, (torch.randn(2, 2, 6, 6),), dynamic_shapes=sizes).module()
    images = torch.randn(5, 2, 6, 6)
    assert torch.allclose(program(images), network(images), atol=1e-6)


def test_the_settings_of_a_skeleton_are_those_of_the_network():
    """All that `pair_network` takes by name."""
    taken = inspect.signature(pair_network).parameters.values()
    assert {p.name for p in taken if p.kind is p.KEYWORD_ONLY} == set(SETTINGS)


@any_space
def test_a_search_loop_knows_it_by_name(space):
    """Its spec, through JSON, makes it again."""
    assert SPACES.make(json.loads(json.dumps(SPACES.spec(space)))) == space


@pytest.mark.parametrize(
    ("error", "words", "make"),
    [
        (UnknownName, "did you mean 'sep3x3'", lambda: NASNet(operations=("sep3x4",))),
        (UnknownName, "did you mean 'skip'", lambda: DARTS(operations=("skipp",))),
        (UnknownName, "did you mean 'normal/block2'", lambda: AmoebaNet(also=("norml/block2",))),
        (SpaceError, "nodes is 1 to 20, got 0", lambda: ENASMicro(0)),
        (SpaceError, "distinct", lambda: AmoebaNet(operations=("sep3x3", "sep3x3"))),
        (SpaceError, "combiners are", lambda: NASNet(combiners=("concat",))),
    ],
)
def test_settings_that_make_no_space_are_refused_in_a_sentence(error, words, make):
    """What was wrong, and the nearest that is right."""
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("error", "words", "skeleton"),
    [
        (UnknownName, "did you mean 'filters'", {"filter": 3}),
        (UnknownName, "did you mean 'search'", {"skeleton": "searching"}),
        (UsageError, "filters is at least 2, got 1", {"filters": 1}),
        (UnknownName, "skeleton setting", {"make": 1}),
    ],
)
def test_skeletons_that_make_no_network_are_refused_in_a_sentence(error, words, skeleton):
    """As those of PNAS are; the maker of operations is no setting of a user's."""
    with pytest.raises(error, match=words):
        DARTS().build(sample(DARTS(), rng()), Shape(), **skeleton)


def test_the_cells_take_turns():
    """The normal cell has as many blocks as the reduction cell, or one more."""
    assert [blocks_of(n) for n in range(1, 6)] == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]
    assert len(list(all_cells(1, 8))) == AmoebaNet().form.new(0).shape[0] == 136
