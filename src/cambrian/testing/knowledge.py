"""The promises of spaces that know more of themselves: Grows, Encodes, Canonical, Moves, Graphs."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from cambrian.architecture import Architecture, mutate, questions, replay, sample
from cambrian.choices import Integer, Real
from cambrian.neighbourhood import neighbours
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Canonical, Encodes, Graphs, Grows, Moves, Pool, Settles, know
from cambrian.testing.cases import SpaceCase
from cambrian.testing.suite import applies, expect, know_or_skip

LOOKED_AT = 200  # children of a pool that are examined one by one: pools may hold thousands


def check_levels_ascend(case: SpaceCase) -> None:
    """Levels are distinct and ascend, and every sample is at one of them."""
    space = _grows(case)
    levels = tuple(space.levels)
    expect(levels and levels == tuple(sorted(set(levels))), f"levels {levels} do not ascend")
    for architecture in case.samples:
        expect(space.level(architecture) in levels, f"level {space.level(architecture)} is not in {levels}")


def check_growth_goes_one_level_up(case: SpaceCase) -> None:
    """Children are legal, at the level above their parents', first ones at the first."""
    space = _grows(case)
    for level, (_parents, pool) in zip(space.levels, case.pools, strict=False):
        for i in _some(pool):
            child = pool.architecture(i)
            expect(replay(case.space, child) == child, f"the child {child!r} is not legal")
            expect(space.level(child) == level, f"a child is at level {space.level(child)}, not {level}")


def check_children_keep_what_their_parents_are(case: SpaceCase) -> None:
    """A child agrees with its parent on every path of the parent's but the level's, or on those that the
    space calls `list_settled`."""
    _grows(case)
    settles = know(case.space, Settles)
    for parents, pool in case.pools:
        expect(tuple(pool.parents) == tuple(parents), "a pool holds other parents than it was grown from")
        for i in _some(pool):
            number = int(pool.parent[i])
            expect((number == -1) == (not parents), f"child {i} has parent {number} of {len(parents)}")
            if parents:
                child, parent = pool.architecture(i), parents[number]
                kept = tuple(parent) if settles is None else settles.list_settled(parent)
                changed = [p for p in kept if p not in child or child[p] != parent[p]]
                # The level itself is an answer, the only one that growing may change.
                free = 1 if settles is None else 0
                expect(len(changed) <= free, f"a child differs from its parent in {changed}")


def check_children_are_distinct(case: SpaceCase) -> None:
    """No two children of a pool are the same architecture, nor the same function (where growing gives their
    closing answers anew, this holds at the last level only)."""
    space, names = _grows(case), know(case.space, Canonical)
    for level, (_parents, pool) in zip(space.levels, case.pools, strict=False):
        unfinished = know(case.space, Settles) is not None and level != space.levels[-1]
        children = [pool.architecture(i) for i in _some(pool)]
        expect(len(set(children)) == len(children), "a pool holds a child twice")
        if names is not None and not unfinished:
            texts = {names.canonical(c) for c in children}
            expect(len(texts) == len(children), "a pool holds two children that are the same function")


def check_growth_misses_nothing(case: SpaceCase) -> None:
    """A complete pool of the first level holds every architecture of it that sampling finds, and one
    grown from the whole first level everything of the second."""
    space = _grows(case)
    draws = [sample(case.space, stream(3, "conformance", n)) for n in range(100)]
    # Completeness goes level by level: a level grown from a part of the one before may lack architectures.
    before = 0
    for level, (parents, pool) in zip(space.levels[:2], case.pools, strict=False):
        if not pool.complete or len(parents) < before:
            break
        before = len(pool)
        children = [pool.architecture(i) for i in range(len(pool))]
        for draw in (d for d in draws if space.level(d) == level):
            expect(any(case.same(draw, child) for child in children), f"growth never reaches {draw!r}")


def check_growth_depends_on_the_seed_alone(case: SpaceCase) -> None:
    """The same parents and generator give the same children, in the same order."""
    space = _grows(case)
    for parents, pool in case.pools[:2]:
        again = space.grow(parents, stream(1, "grow"), cap=case.cap)
        same = len(again) == len(pool) and (again.parent == pool.parent).all()
        expect(same and (again.step == pool.step).all(), "growing twice gives other children")
        expect(all(again.architecture(i) == pool.architecture(i) for i in _some(pool)), "other children")


def check_growth_keeps_the_cap(case: SpaceCase) -> None:
    """Beyond a cap there are `cap` children, drawn from the generator, and the pool says so."""
    space = _grows(case)
    parents, pool = next(((p, q) for p, q in reversed(case.pools) if len(q) > 4), ([], None))
    applies(pool is not None, "no level of this space has more than four children")
    # Three of five or more, six times: by chance all are the same set once in 10^5, and seeds are fixed.
    few = [space.grow(parents, stream(n, "grow"), cap=3) for n in range(6)]
    expect(all(len(p) <= 3 for p in few), f"at a cap of 3 there are {max(map(len, few))} children")
    expect(not any(p.complete for p in few), "a capped pool says that it is complete")
    drawn = {frozenset(p.architecture(i) for i in range(len(p))) for p in few}
    expect(len(drawn) > 1, "a capped pool is the same whatever the seed")


def check_pools_are_arrays(case: SpaceCase) -> None:
    """`parent` int[n], `step` int[n, slots], and not more children than before deduplication."""
    _grows(case)
    for _parents, pool in case.pools:
        n = len(pool)
        expect(pool.parent.shape == (n,) and pool.parent.dtype.kind == "i", "`parent` is not int[n]")
        expect(pool.step.ndim == 2 and len(pool.step) == n, "`step` is not [n, slots]")
        expect(pool.before >= n, f"{pool.before} children before deduplication, {n} after")


def check_steps_continue_their_parents_tokens(case: SpaceCase) -> None:
    """A child's tokens are its parent's and, as one row more, its step."""
    _grows(case)
    space = _encodes(case)
    for parents, pool in case.pools:
        for i in _some(pool)[:20]:
            own = _rows(space.tokens([pool.architecture(i)])[0])
            expect((own[-1] == pool.step[i]).all(), f"child {i} has step {pool.step[i]}, tokens {own[-1]}")
            if parents:
                before = _rows(space.tokens([parents[int(pool.parent[i])]])[0])
                expect(
                    len(before) == len(own) - 1, f"child {i} has {len(own)} rows, its parent {len(before)}"
                )
                expect((own[:-1] == before).all(), f"child {i} has other tokens than its parent")


def check_tokens_are_in_their_vocabulary(case: SpaceCase) -> None:
    """int[n, steps, slots], each token below its slot's vocabulary; -1 in whole rows at the end only."""
    space = _encodes(case)
    tokens = space.tokens(case.samples)
    shape = (len(case.samples), tokens.shape[1], len(space.slots))
    expect(tokens.shape == shape and tokens.dtype == np.int64, f"tokens are {tokens.dtype}{tokens.shape}")
    sizes = np.array([space.vocabulary[slot] for slot in space.slots])
    expect((tokens < sizes).all() and (tokens >= -1).all(), "a token is outside its slot's vocabulary")
    absent = tokens == -1
    expect((absent.all(axis=2) == absent.any(axis=2)).all(), "a row is padded in part")
    expect((np.diff(absent[:, :, 0].astype(int), axis=1) >= 0).all(), "padding comes before a token")
    expect(not absent.all(axis=(1, 2)).any(), "an architecture has no tokens")


def check_tokens_do_not_depend_on_the_company(case: SpaceCase) -> None:
    """Encoded alone an architecture has the tokens it has among others, padding aside."""
    space = _encodes(case)
    for architecture, among in zip(case.samples, space.tokens(case.samples), strict=True):
        alone = _rows(space.tokens([architecture])[0])
        expect(np.array_equal(alone, _rows(among)), f"{architecture!r} has other tokens when alone")


def check_tokens_tell_architectures_apart(case: SpaceCase) -> None:
    """Architectures that are not the same function have other tokens (real and wide whole-number questions
    aside)."""
    # Neighbours too: an answer that tokens leave out shows only where all others are the same.
    space = _encodes(case)
    near = [
        a for n, s in enumerate(case.samples[:5]) for a in neighbours(case.space, s, stream(2, "n", n), 8)
    ]
    discrete = [a for a in {*case.samples, *near} if not _continuous(case, a)]
    applies(discrete, "every architecture answers a real question")
    first: dict[bytes, Architecture] = {}
    for architecture, tokens in zip(discrete, space.tokens(discrete), strict=True):
        other = first.setdefault(tokens.tobytes(), architecture)
        expect(case.same(other, architecture), f"{other!r} and {architecture!r} have the same tokens")


def check_canonical_is_a_function_of_the_answers(case: SpaceCase) -> None:
    """The canonical text does not depend on the order of the answers, nor on their way through JSON."""
    space = _canonical(case)
    for architecture in case.samples:
        text = space.canonical(architecture)
        expect(isinstance(text, str), f"canonical text is a {type(text).__name__}")
        # Equal architectures may list their answers in any order.
        turned = Architecture(dict(reversed(list(architecture.items()))))
        expect(space.canonical(turned) == text, f"in another order {architecture!r} has another text")


def check_canonical_tells_functions_apart(case: SpaceCase) -> None:
    """Architectures of one canonical text have as many parameters, and not all have the same text."""
    from cambrian.testing.networks import parameters

    space = _canonical(case)
    mutants = [mutate(case.space, s, stream(2, "m", n)) for n, s in enumerate(case.samples)]
    architectures = {*case.samples, *mutants}
    texts = {space.canonical(a) for a in architectures}
    expect(len(texts) > 1, "all architectures have the same canonical text")
    # The number of parameters is a property of the function; three pairs, since each builds two networks.
    pairs = ((a, b) for a, b in combinations(architectures, 2) if case.same(a, b))
    for (one, other), _ in zip(pairs, range(3), strict=False):
        expect(parameters(case, one) == parameters(case, other), f"{one!r} and {other!r} are not the same")


def check_moves_are_legal(case: SpaceCase) -> None:
    """A move of every kind leads to an architecture of the space or nowhere, and to the same one with the
    same random numbers; each kind leads somewhere from some sample."""
    space = know_or_skip(case.space, Moves, "the space has no moves")
    for kind in space.moves:
        children = [_move(case, space, kind, a, n) for n, a in enumerate(case.samples)]
        expect(any(child is not None for child in children), f"no sample can be moved by {kind!r}")


def _move(
    case: SpaceCase, space: Moves, kind: str, architecture: Architecture, n: int
) -> Architecture | None:
    one, other = (space.move(kind, architecture, stream(1, "move", kind, n)) for _ in range(2))
    expect(one == other, f"the move {kind!r} depends on more than what it draws")
    expect(one is None or replay(case.space, one) == one, f"the move {kind!r} leads to what is not legal")
    return one


def check_graphs_are_acyclic(case: SpaceCase) -> None:
    """Nodes are in a topological order, edges lie between them and are distinct; the graph is the same each
    time."""
    space = know_or_skip(case.space, Graphs, "the space does not know its graphs")
    for architecture in case.samples:
        graph = space.graph(architecture)
        nodes = len(graph.labels)
        expect(all(0 <= a < b < nodes for a, b in graph.edges), f"edges {graph.edges} of {nodes} nodes")
        expect(len(set(graph.edges)) == len(graph.edges), "an edge is there twice")
        expect(len(graph.groups) in (0, nodes), f"{len(graph.groups)} groups for {nodes} nodes")
        expect(space.graph(architecture) == graph, "the same architecture has another graph")


def _some(pool: Pool) -> list[int]:
    return list(range(0, len(pool), max(1, len(pool) // LOOKED_AT)))


def _rows(tokens: np.ndarray) -> np.ndarray:
    return tokens[(tokens >= 0).all(axis=1)]


def _continuous(case: SpaceCase, architecture: Architecture) -> bool:
    # A token holds one of a vocabulary: tokens of wide ranges are bins, which two numbers may share.
    asked = questions(case.space, architecture)
    return any(isinstance(c, Real) or (isinstance(c, Integer) and c.size > 64) for c in asked)


def _grows(case: SpaceCase) -> Grows:
    return know_or_skip(case.space, Grows, "the space has no complexity order")


def _encodes(case: SpaceCase) -> Encodes:
    return know_or_skip(case.space, Encodes, "the space has no tokens")


def _canonical(case: SpaceCase) -> Canonical:
    return know_or_skip(case.space, Canonical, "the space does not know which architectures are the same")


CHECKS = (
    check_levels_ascend,
    check_growth_goes_one_level_up,
    check_children_keep_what_their_parents_are,
    check_children_are_distinct,
    check_growth_misses_nothing,
    check_growth_depends_on_the_seed_alone,
    check_growth_keeps_the_cap,
    check_pools_are_arrays,
    check_steps_continue_their_parents_tokens,
    check_tokens_are_in_their_vocabulary,
    check_tokens_do_not_depend_on_the_company,
    check_tokens_tell_architectures_apart,
    check_canonical_is_a_function_of_the_answers,
    check_canonical_tells_functions_apart,
    check_moves_are_legal,
    check_graphs_are_acyclic,
)
