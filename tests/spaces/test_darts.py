"""DARTS's space: two edges a node, each with one of seven operations."""

import pytest

from cambrian.architecture import Architecture, questions, replay
from cambrian.errors import IllegalArchitecture
from cambrian.randomness import stream
from cambrian.spaces.cells.darts import DARTS, OPERATIONS
from cambrian.spaces.published import find_published

V2 = find_published("darts-v2").architecture
GENOTYPE = {  # quark0/darts: operation and state of each edge, two a node
    "normal": "sep3x3 0 sep3x3 1 sep3x3 0 sep3x3 1 sep3x3 1 skip 0 skip 0 dilsep3x3 2",
    "reduction": "max3x3 0 max3x3 1 skip 2 max3x3 1 max3x3 0 skip 2 skip 2 max3x3 1",
}


def test_the_paper_s_number_of_cells():
    """The product of k (k + 1) / 2 * 7^2 over four nodes, about 10^9, and its square, 10^18 (Sec. 3.1.1)."""
    assert DARTS().form.size(4) == 1 * 3 * 6 * 10 * 7**8 == 1_037_664_180
    assert DARTS().size(8) == 1_037_664_180**2


def test_two_different_states_and_two_operations_a_node():
    """The two inputs are one question, of all states before; operations are seven."""
    asked = questions(DARTS(), V2)
    assert len(asked) == 1 + 2 * 4 * 3
    inputs = [c for c in asked if c.path.endswith("inputs")]
    assert [(len(c.options), c.least, c.most) for c in inputs] == [(n, 2, 2) for n in (2, 3, 4, 5)] * 2
    assert {c.options for c in asked if "operation" in c.path} == {OPERATIONS}
    twice = {**V2, "normal/node2/inputs": ("previous", "previous")}
    with pytest.raises(IllegalArchitecture, match="normal/node2/inputs"):
        replay(DARTS(), twice)


def test_the_released_genotype_edge_for_edge():
    """Of every node the set of (state, operation), and all four nodes concatenated."""
    space = DARTS()
    for (kind, text), cell, wiring in zip(GENOTYPE.items(), space.cells(V2), space.wirings(V2), strict=True):
        words = text.split()
        edges = list(zip(words[::2], map(int, words[1::2]), strict=True))
        for b, (i1, i2, o1, o2) in enumerate(cell):
            own = {(space.operations[o1], i1), (space.operations[o2], i2)}
            assert own == set(edges[2 * b : 2 * b + 2]), kind
        assert wiring.output == (2, 3, 4, 5)


def test_one_node_has_49_cells():
    """It can read nothing but both inputs: 7^2."""
    pool = DARTS().pair.grow([], stream(0))
    assert len(pool) == 49
    assert all(
        pool.architecture(i)["normal/node1/inputs"] == ("previous-previous", "previous") for i in range(49)
    )


def test_an_edge_may_be_none_where_the_space_says_so():
    """The paper's eighth, which its derived cells leave out."""
    whole = DARTS(operations=(*OPERATIONS, "none"))
    edited = Architecture({**V2, "normal/node1/operation1": "none"})
    assert replay(whole, edited) == edited
    with pytest.raises(IllegalArchitecture, match="none"):
        replay(DARTS(), edited)
