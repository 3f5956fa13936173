"""Growth of PNAS cells against published counts, brute force, and the rule of what grows from what."""

import time

import numpy as np
import pytest
from brute_cells import all_cells, brute
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import replay, sample
from cambrian.errors import SpaceError
from cambrian.spaces.cells.block_growth import child_codes, new_blocks
from cambrian.spaces.cells.isomorphism import canonical_codes, code_base
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS


def everything(pool):
    return [pool.architecture(i) for i in range(len(pool))]


def rng(seed=0):
    return np.random.default_rng(seed)


def cells_of(space, architectures):
    return [brute(space.cell(a)) for a in architectures]


def random_parents(space, blocks, count, seed=0):
    """`count` cells of that many blocks, drawn without regard to sameness."""
    draws = rng(seed)
    wide = PNAS(blocks=blocks, operations=space.operations)
    return [replay(wide, {"blocks": blocks}, lambda choice: choice.draw(draws)) for _ in range(count)]


def test_the_published_counts_of_the_first_two_levels():
    """136 cells of one block; of their 40,800 children 31,620 are distinct cells."""
    space = PNAS()
    first = space.grow((), rng())
    assert (len(first), first.complete, set(first.parent.tolist())) == (136, True, {-1})
    second = space.grow(everything(first), rng())
    assert (second.before, len(second), second.complete) == (40_800, 31_620, True)


@pytest.mark.parametrize(("operations", "counts"), [(2, [10, 165, 3840]), (3, [21, 735, 37303])])
def test_growing_everything_reaches_every_cell_once(operations, counts):
    """Level by level from all parents, the pools hold each cell of brute force exactly once."""
    space = PNAS(blocks=3, operations=OPERATIONS[:operations])
    parents = []
    for level, count in enumerate(counts, 1):
        pool = space.grow(parents, rng())
        assert len(pool) == count
        if count < 10_000:
            parents = everything(pool)
            found = cells_of(space, parents)
            assert len(set(found)) == count
            assert set(found) == {brute(cell) for cell in all_cells(level, operations)}


@pytest.mark.parametrize(
    ("level", "before"), [(3, 135_168), pytest.param(4, 209_920, marks=pytest.mark.slow), (5, 301_056)]
)
def test_children_of_256_parents(level, before):
    """As many as published before deduplication; after it none is there twice, in well under a second
    of one core."""
    space = PNAS()
    parents = random_parents(space, level - 1, 256)
    start = time.process_time()
    pool = space.grow(parents, rng())
    assert time.process_time() - start < 1.0
    assert (pool.before, pool.complete) == (before, True)
    cells = np.concatenate([space.tokens(parents)[pool.parent], pool.step[:, None]], axis=1)
    packed = canonical_codes(cells, 8) @ (code_base(level, 8) ** 2) ** np.arange(level)  # below 2**59
    assert len(np.unique(packed)) == len(pool)


@pytest.mark.parametrize("operations", [1, 2])
def test_the_first_of_equal_children_is_kept(operations):
    """Pairs of parent and block in order, each dropped that brute force has seen before."""
    space = PNAS(operations=OPERATIONS[:operations])
    parents = random_parents(space, 3, 6)
    blocks = new_blocks(5, operations).tolist()
    seen, expected = set(), []
    for i, parent in enumerate(parents):
        for block in blocks:
            form = brute([*space.cell(parent), tuple(block)])
            if form not in seen:
                seen.add(form)
                expected.append((i, block))
    pool = space.grow(parents, rng())
    assert list(zip(pool.parent.tolist(), pool.step.tolist())) == expected
    assert pool.before == len(parents) * len(blocks)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_codes_from_parents_are_the_codes(level, operations, seed):
    """The short cut through the parents' forms gives what canonicalising every child does."""
    space = PNAS(operations=OPERATIONS[:operations])
    parents = random_parents(space, level - 1, 20, seed) if level > 1 else []
    cells = space.tokens(parents) if parents else np.empty((1, 0, 4), np.int64)
    blocks = new_blocks(level + 1, operations)
    parent, block = np.divmod(np.arange(len(cells) * len(blocks)), len(blocks))
    children = np.concatenate([cells[parent], blocks[block][:, None]], axis=1)
    assert (
        child_codes(cells, parent, blocks[block], operations) == canonical_codes(children, operations)
    ).all()


@given(st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_child_agrees_with_its_parent_on_all_but_the_level(level, seed):
    """On every path of the parent but "blocks"; it is legal, one level up, and ends in its step."""
    space = PNAS()
    parents = random_parents(space, level, 3, seed)
    pool = space.grow(parents, rng())
    for i in rng(seed).integers(len(pool), size=10):
        child, parent = pool.architecture(i), parents[pool.parent[i]]
        assert {**parent, "blocks": level + 1} == {path: child[path] for path in parent}
        assert replay(space, child) == child
        assert space.level(child) == level + 1
        assert space.tokens([child])[0, -1].tolist() == pool.step[i].tolist()


def test_beyond_the_cap_a_seeded_sample():
    """Exactly as many as asked for, distinct, from the whole pool, and the same for the same seed."""
    space = PNAS(operations=OPERATIONS[:3])
    parents = random_parents(space, 2, 40)
    whole = space.grow(parents, rng())
    pool = space.grow(parents, rng(1), cap=500)
    assert (len(pool), pool.complete, pool.before) == (500, False, whole.before)
    assert everything(pool) == everything(space.grow(parents, rng(1), cap=500))
    assert everything(pool) != everything(space.grow(parents, rng(2), cap=500))
    forms = cells_of(space, everything(pool))
    assert len(set(forms)) == 500
    assert set(forms) <= set(cells_of(space, everything(whole)))
    assert len(set(pool.parent.tolist())) > 30


def test_a_cap_that_is_not_reached_changes_nothing():
    """Fewer distinct children than the cap, although more before deduplication: all of them."""
    space = PNAS(operations=OPERATIONS[:1])
    parents = random_parents(space, 2, 30)
    whole = space.grow(parents, rng())
    assert len(whole) < 100 < whole.before
    pool = space.grow(parents, rng(), cap=100)
    assert pool.complete
    assert everything(pool) == everything(whole)


def test_the_last_level_has_no_children_and_mixed_levels_are_refused():
    """Nothing grows beyond B; parents of two levels are a mistake that is named."""
    space = PNAS(blocks=2)
    top = space.grow(random_parents(space, 2, 3), rng())
    assert (len(top), top.before, top.complete) == (0, 0, True)
    with pytest.raises(SpaceError, match="one level"):
        space.grow([*random_parents(space, 1, 1), sample(space, rng())], rng())
