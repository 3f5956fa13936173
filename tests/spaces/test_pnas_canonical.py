"""The canonical form of cells against brute force: every renaming of the blocks, tried one by one."""

import numpy as np
import pytest
from brute_cells import all_cells, bottom_up, brute, renamed
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.spaces.cells.isomorphism import canonical_cell, canonical_codes, code_base, first_of_each
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS


@st.composite
def cells(draw, operations=2, most=5):
    """A cell; few operations make twins likely."""

    def block(b):
        return st.tuples(*[st.integers(0, b)] * 2, *[st.integers(0, operations - 1)] * 2)

    return tuple(draw(block(b)) for b in range(1, draw(st.integers(1, most)) + 1))


@pytest.mark.parametrize(
    ("operations", "blocks", "unique"),
    [(2, 1, 10), (2, 2, 165), (2, 3, 3840), pytest.param(3, 3, 37303, marks=pytest.mark.slow), (8, 1, 136)],
)
def test_as_many_forms_as_brute_force_finds_cells(operations, blocks, unique):
    """Forms and brute-force classes are as many as published, and one is a function of the other."""
    every = list(all_cells(blocks, operations))
    classes = [brute(cell) for cell in every]
    forms = [canonical_cell(cell, operations) for cell in every]
    assert len(set(classes)) == len(set(forms)) == len(set(zip(classes, forms))) == unique


def test_a_bottom_up_hash_merges_a_block_used_twice_with_two_equal_blocks():
    """The toy space has 3,840 cells of three blocks where a bottom-up hash sees 3,810."""
    assert len({bottom_up(cell) for cell in all_cells(3, 2)}) == 3810
    twins = [(0, 0, 0, 0)] * 2
    shared, apart = (*twins, (2, 2, 0, 0)), (*twins, (2, 3, 0, 0))
    assert bottom_up(shared) == bottom_up(apart)
    assert brute(shared) != brute(apart)
    assert canonical_cell(shared, 2) != canonical_cell(apart, 2)


@pytest.mark.parametrize("operations", [1, 2])
def test_exact_on_cells_of_five_blocks_full_of_twins(operations):
    """On random cells of five blocks the forms part them just as brute force does."""
    rng = np.random.default_rng(operations)
    tokens = np.stack(
        [rng.integers(0, [min(b, 3)] * 2 + [operations] * 2, size=(500, 4)) for b in range(2, 7)],
        axis=1,
    )
    classes = [brute([tuple(block) for block in cell]) for cell in tokens.tolist()]
    forms = [tuple(row) for row in canonical_codes(tokens, operations).tolist()]
    assert len(set(classes)) == len(set(forms)) == len(set(zip(classes, forms)))
    assert 1 < len(set(classes)) < 500


@given(cells(), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_renaming_changes_nothing(cell, seed):
    """Blocks in another order and operands swapped give the same form, hence the same canonical text."""
    other = renamed(cell, np.random.default_rng(seed))
    assert canonical_cell(cell, 2) == canonical_cell(other, 2)
    space = PNAS(operations=OPERATIONS[:2])
    assert space.canonical(space.architecture(cell)) == space.canonical(space.architecture(other))


@given(cells(operations=1, most=4), cells(operations=1, most=4))
@settings(max_examples=200, deadline=None)
def test_equal_text_means_isomorphic(one, other):
    """Texts are equal exactly where brute force finds an isomorphism."""
    space = PNAS(operations=OPERATIONS[:1])
    texts = [space.canonical(space.architecture(cell)) for cell in (one, other)]
    assert (texts[0] == texts[1]) == (brute(one) == brute(other))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_arrays_and_single_cells_agree(blocks, operations, seed):
    """`canonical_codes` is `canonical_cell`, packed; its rows ascend, which growth relies on."""
    rng = np.random.default_rng(seed)
    tokens = np.stack(
        [rng.integers(0, [b, b, operations, operations], size=(20, 4)) for b in range(2, blocks + 2)], axis=1
    )
    base = code_base(blocks, operations)
    codes = canonical_codes(tokens, operations)
    singly = [canonical_cell([tuple(b) for b in cell], operations) for cell in tokens.tolist()]
    assert codes.tolist() == [[p * base + q for p, q in form] for form in singly]
    assert (np.diff(codes, axis=1) >= 0).all()


def test_a_cell_of_many_equal_blocks_is_quick():
    """Twins nobody reads are not tried in every order: 12 factorial would never end."""
    cell = [(0, 1, 0, 0)] * 12
    assert canonical_cell(cell, 1) == ((1, 0),) * 12
    assert (canonical_codes(np.array([cell]), 1) == code_base(12, 1)).all()


@given(st.integers(1, 6), st.sampled_from([3, 3136, 2**40]), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_first_of_each_finds_first_occurrences(columns, below, seed):
    """As a dictionary would, also where a row does not fit into one machine word."""
    rows = np.random.default_rng(seed).choice([0, 1, below - 1], size=(60, columns))
    first = {}
    for i, row in enumerate(rows.tolist()):
        first.setdefault(tuple(row), i)
    assert first_of_each(rows, below).tolist() == sorted(first.values())
