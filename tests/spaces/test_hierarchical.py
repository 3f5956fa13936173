"""Motifs of motifs: that they are one flat graph, which of them are one function, where evolution begins."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture, mutate, sample
from cambrian.errors import Rejected, SpaceError, UnknownName
from cambrian.networks.sharing.reading import Own
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.spaces.graphs.canonical import canonical_graph
from cambrian.spaces.hierarchies.hierarchical.motifs import flatten, live, motif_text
from cambrian.spaces.hierarchies.hierarchical.network import Edges, Motif, Width, network, plan_of
from cambrian.spaces.hierarchies.hierarchical.space import Hierarchical
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.evolution.tournament import HierarchicalTournament, trivial
from cambrian.strategies.strategy import Evaluate
from chance import assert_alike
from reseeding import stream

SPACE = Hierarchical()
SMALL = Hierarchical(motifs=(2,), nodes=(3, 3))
DEEP = Hierarchical(motifs=(2, 2), nodes=(3, 3, 3))


def runs(space, seed):
    """A cell of the space, drawn."""
    return space.cell(sample(space, stream(seed, "hierarchical")))


def by_hand(motif, x, place=()):
    """What a motif of motifs makes of the terms [x], where concatenating is joining lists, operations are
    words and every operation has the name of its place: the definition of Sec. 2.1 and 2.2, recursively."""
    nodes = {1: x}
    for source, to, operation, like in motif:
        here = (*place, (source, to))
        if isinstance(operation, tuple):
            made = by_hand(operation, nodes[source], here)
        else:
            made = [(operation, here, bool(like), tuple(nodes[source]))]
        nodes[to] = nodes.get(to, []) + made
    return nodes[motif[-1][1]]


@pytest.mark.parametrize("space", [SPACE, SMALL, DEEP, Hierarchical(motifs=(), nodes=(5,))], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_composition_is_the_flat_graph(space, seed):
    """Flattened, a motif of motifs reads and joins the same, and its graph is the same wiring."""
    cell = runs(space, seed)
    flat, _ = flatten(cell)
    assert all(isinstance(operation, str) for _, _, operation, _ in flat)

    def bare(terms):
        return [(operation, like, bare(read)) if read else "x" for operation, _, like, read in terms]

    start = [("x", (), False, ())]
    assert bare(by_hand(cell, start)) == bare(by_hand(flat, start))
    architecture = sample(space, stream(seed, "hierarchical"))
    graph = space.graph(architecture)
    assert graph.labels[1:-1] == tuple(operation for _, _, operation, _ in flat)
    ends = {n: edge[1] for n, edge in enumerate(flat, 1)} | {0: 1}
    starts = {n: edge[0] for n, edge in enumerate(flat, 1)} | {len(flat) + 1: flat[-1][1]}
    assert set(graph.edges) == {(a, b) for a in ends for b in starts if ends[a] == starts[b]}


@pytest.mark.parametrize("space", [SPACE, DEEP], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_flat_networks_compute_the_same(space, seed):
    """A network of the flattened graph with the weights of the hierarchical one gives its outputs, bit for
    bit."""
    cell = runs(space, seed)
    flat, _ = flatten(cell)
    plans = [plan_of(motif) for motif in (cell, flat)]
    makes = [Edges(Own(plan), lambda plan: plan, form, Width(3), 4) for plan, form in plans]
    one, other = (Motif(make).eval() for make in makes)
    weights = [m for m in one.modules() if not list(m.children())]
    for mine, theirs in zip(weights, (m for m in other.modules() if not list(m.children())), strict=True):
        theirs.load_state_dict(mine.state_dict())
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    assert makes[0].gives().count(plans[0][0]) == makes[1].gives().count(plans[1][0])
    assert torch.equal(one(x), other(x))


def same_by_brute_force(one, other):
    """Whether some renaming of flat edges maps one on the other, for graphs without identities, pooling
    and depthwise convolutions: all edges are atoms, and nodes are what arrives at them."""
    one, other = flatten(one)[0], flatten(other)[0]
    if sorted(e[2] for e in one) != sorted(e[2] for e in other):
        return False

    def wiring(edges):
        arriving = {e[1]: [n for n, f in enumerate(edges) if f[1] == e[1]] for e in edges}
        return [set(arriving.get(e[0], ())) for e in edges], set(arriving[edges[-1][1]])

    (reads, ends), (their_reads, their_ends) = wiring(one), wiring(other)
    return any(
        all(
            one[n][2] == other[m][2] and {order[a] for a in reads[n]} == their_reads[m]
            for n, m in enumerate(order)
        )
        and {order[a] for a in ends} == their_ends
        for order in permutations(range(len(one)))
    )


def test_texts_of_convolutions_against_brute_force():
    """All motifs of four nodes and two kinds of convolution (3^6): two have the same text exactly where
    some renaming of operations maps one on the other."""
    ends = [(a, b) for b in (2, 3, 4) for a in range(1, b)]
    found = {}
    for names in product(("none", "conv1x1", "sep3x3"), repeat=6):
        motif = live([(*e, n, 0) for e, n in zip(ends, names, strict=True)], 4)
        if motif:
            found.setdefault(motif_text(motif), set()).add(motif)
    first = [next(iter(motifs)) for motifs in found.values()]
    for motifs, representative in zip(found.values(), first, strict=True):
        assert all(same_by_brute_force(representative, motif) for motif in motifs)
    assert not any(same_by_brute_force(a, b) for n, a in enumerate(first) for b in first[:n])


def test_texts_see_through_identities_and_distribute():
    """An identity is what it reads; pooling and depthwise convolutions of a concatenation are those of its
    parts; pooled twice is pooled once and read twice, but two convolutions are two."""

    def text(*edges):
        return motif_text(tuple((a, b, name, 0) for a, b, name in edges))

    conv, dw, pool, same = "conv1x1", "dw3x3", "max3x3", "identity"
    assert text((1, 2, conv), (2, 3, same)) == text((1, 2, conv)) == text((1, 2, same), (2, 3, conv))
    for op in (dw, pool):
        joined = text((1, 2, conv), (1, 3, conv), (2, 3, same), (3, 4, op))
        assert joined == text((1, 2, conv), (1, 3, conv), (2, 4, op), (3, 4, op))
    assert text((1, 2, pool), (2, 3, same), (2, 3, same)) == text((1, 2, same), (1, 3, pool), (2, 3, pool))
    assert text((1, 2, conv), (2, 3, same), (2, 3, same)) != text((1, 2, same), (1, 3, conv), (2, 3, conv))
    assert text((1, 2, conv), (2, 3, dw)) != text((1, 2, dw), (2, 3, conv))


@st.composite
def graphs(draw):
    """A labelled graph with up to six nodes, and a renaming of them."""
    n = draw(st.integers(1, 6))
    labels = draw(st.lists(st.sampled_from("ab"), min_size=n, max_size=n))
    pairs = [(a, b) for a in range(n) for b in range(a)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    edges = {pair: draw(st.integers(1, 2)) for pair in chosen}
    return labels, edges, draw(st.permutations(range(n)))


def renamed(labels, edges, order):
    back = sorted(range(len(order)), key=lambda n: order[n])
    return [labels[n] for n in back], {(order[a], order[b]): times for (a, b), times in edges.items()}


def text_of(labels, edges):
    """Of a graph given by how often each edge is there."""
    inputs = [[] for _ in labels]
    for (source, node), times in edges.items():
        inputs[node] += [source] * times
    return canonical_graph(labels, inputs)


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs())
def test_canonical_graphs_are_exact(one, other):
    """Renamed, a graph has the same form; two graphs have the same form only where all renamings of the
    one include the other."""
    labels, edges, order = one
    text = text_of(labels, edges)
    assert text_of(*renamed(labels, edges, order)) == text
    theirs = (list(other[0]), other[1])
    isomorphic = len(labels) == len(theirs[0]) and any(
        renamed(labels, edges, p) == theirs for p in permutations(range(len(labels)))
    )
    assert (text_of(*theirs) == text) == isomorphic


def test_regular_graphs_are_told_apart():
    """Where refinement alone is blind: two cycles of three, and one of six; two of five are still fast."""
    six = {(n, (n + 1) % 6): 1 for n in range(6)}
    threes = {(n, n // 3 * 3 + (n + 1) % 3): 1 for n in range(6)}
    assert text_of("a" * 6, six) != text_of("a" * 6, threes)
    many = {(n, n // 5 * 5 + (n + 1) % 5): 1 for n in range(30)}
    order = stream(0, "cycles").permutation(30).tolist()
    assert text_of("a" * 30, many) == text_of(*renamed("a" * 30, many, order))


def test_published_sizes():
    """Six motifs of four nodes and a cell of five, six primitives and none: 7^(36 + 10)."""
    assert Hierarchical.paper().size() == 7 ** (6 * 6 + 10)
    assert Hierarchical.paper().know(Grows).levels == (5,)
    assert len(sample(Hierarchical.paper(), stream(0))) == 46 + 1
    assert Hierarchical(motifs=(), nodes=(11,)).size() == 7**55


def test_evolution_begins_with_a_chain_of_identities():
    """The first answers; the cell is four of the first motif, whose convolutions alone have weights."""
    space = Hierarchical.paper()
    first = trivial(space, 0)
    motif = ("identity", "identity", "identity", "conv1x1")
    assert space.graph(first).labels == ("input", *motif, *motif, *motif, *motif, "output")
    assert space.canonical(first).count("conv1x1") == 4
    assert first["level2/motif3/node3/from1"] == "none"


@pytest.mark.statistical
def test_many_mutations_come_to_the_measure():
    """After sixty mutations of the chain of identities an answer is as often what it is as in samples; after
    one it is not."""
    space = Hierarchical(motifs=(1,), nodes=(3, 2))

    def mutated(n, times):
        child, rng = trivial(space, 0), stream(n, "mutations")
        for _ in range(times):
            child = mutate(space, child, rng)
        return child

    def count(architectures):
        drawn = Counter(a["level2/motif1/node2/from1"] for a in architectures)
        return [drawn[o] for o in (*space.primitives, "none")]

    drawn = count(sample(space, stream(n, "measure")) for n in range(800))
    assert_alike(count(mutated(n, 60) for n in range(80)), drawn)
    with pytest.raises(AssertionError):
        assert_alike(count(mutated(n, 1) for n in range(80)), drawn)


def test_what_no_operation_reaches_is_rejected():
    """A cell of nones, or of a motif that is none."""
    for wrong in ({"cell/node2/from1": "none"}, {"level2/motif1/node2/from1": "none"}):
        answers = {**trivial(SMALL, 0), **wrong}
        with pytest.raises(Rejected, match="nothing reaches"):
            SMALL.walk(lambda choice, answers=answers: answers[choice.path])


def test_the_hierarchical_tournament_runs_on_it():
    """Twenty trials on a made-up accuracy: mutants of the chain of identities, then children of the best
    of them, and better ones."""
    strategy = HierarchicalTournament(initial=8, mutations=20, share=0.5)
    space = Hierarchical.paper()

    def accuracy(architecture):
        return sum(label in ("sep3x3", "conv1x1") for label in space.graph(architecture).labels) / 100

    state, trials = strategy.start(Problem(space)), []
    for n in range(20):
        proposal = strategy.propose(state, [], stream(0, "propose", n))
        assert isinstance(proposal, Evaluate)
        outcome = Done(accuracy(proposal.architecture))
        trials.append(Trial(n, proposal.architecture, Fidelity(), outcome=outcome, parent=proposal.parent))
        state = strategy.learn(state, trials[-1])
    assert all(t.parent is None for t in trials[:8])
    for trial in trials[8:]:
        parent = trials[trial.parent].architecture
        assert sum(parent[p] != trial.architecture[p] for p in parent) == 1
    assert max(t.value for t in trials[8:]) > max(t.value for t in trials[:8])


@pytest.mark.parametrize("side", [1, 2, 8, 28])
def test_images_are_halved_as_far_as_they_go(side):
    """Twice, but never below one pixel; filters double at every stage."""
    plan, form = plan_of(runs(SPACE, 1))
    net = network(Own(plan), form, 1, side, 3, filters=4, cells=2).eval()
    sizes = []
    pool = next(m for m in net if isinstance(m, torch.nn.AdaptiveAvgPool2d))
    pool.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[2]))
    assert net(torch.zeros(2, 1, side, side)).shape == (2, 3)
    assert sizes == [max(1, -(-side // 4))]


def test_a_reading_is_asked_for_the_operations():
    """For every primitive that is alive, under the path of its question."""
    asked = []

    class Told(Own):
        def fork(self, of, makers, path=""):
            asked.append((path, of(self._plan)))
            return super().fork(of, makers, path)

    architecture = trivial(SMALL, 0)
    SMALL.make(Told(SMALL.plan(architecture)), Shape(1, 8, 8, 2), filters=2)
    primitives = [name for _, name in asked if name in (*SMALL.primitives, "conv1x1")]
    assert len(primitives) == 3 * len(flatten(SMALL.cell(architecture))[0])
    assert asked[:2] == [("cell/node2/from1", "motif1"), ("level2/motif1/node2/from1", "identity")]


def test_mistakes_are_told():
    """In a sentence each."""
    with pytest.raises(SpaceError, match="as many numbers of nodes as of motifs"):
        Hierarchical(motifs=(6, 1))
    with pytest.raises(SpaceError, match="got 6"):
        Hierarchical(least=6)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        SPACE.build(Architecture(trivial(SPACE, 0)), Shape(), filter=4)
