"""AmoebaNet's space: the paper's operations, and the cell its evolution found."""

from cambrian.architecture import mutate, questions
from cambrian.randomness import stream
from cambrian.spaces.cells.amoebanet import OPERATIONS, AmoebaNet
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.published import find_published

AMOEBANET_A = find_published("amoebanet-a").architecture


def test_the_paper_s_forty_answers():
    """Two cells of five pairwise combinations, each two hidden states and two of eight operations."""
    asked = questions(AmoebaNet(), AMOEBANET_A)
    assert len(asked) == 1 + 2 * 5 * 4
    assert {len(c.options) for c in asked if "operation" in c.path} == {len(OPERATIONS)} == {8}


def test_as_many_pairs_as_pnas_has_cells_of_either_kind():
    """Inputs and operations are as many as PNAS's, so each of its 556,627,761,561,600 cells, twice."""
    assert AmoebaNet().size(10) == PNAS().size(5) ** 2


def test_the_paper_s_two_mutations_are_one_answer_each():
    """A hidden state or an operation changed (Methods, Fig. 2), nothing else but the number of blocks."""
    space = AmoebaNet()
    for n in range(50):
        child = mutate(space, AMOEBANET_A, stream(n, "mutation"))
        changed = [path for path in AMOEBANET_A if child.get(path) != AMOEBANET_A[path]]
        assert len(changed) == 1 or child["blocks"] != 10


def test_the_released_outputs_of_amoebanet_a():
    """Three blocks and the older input in a normal cell, all five in a reduction cell; by the rule three."""
    released = AmoebaNet(also=("normal/previous-previous", "reduction/block1", "reduction/block3"))
    assert [w.output for w in released.wirings(AMOEBANET_A)] == [(0, 3, 4, 6), (2, 3, 4, 5, 6)]
    assert [w.output for w in AmoebaNet().wirings(AMOEBANET_A)] == [(3, 4, 6), (3, 5, 6)]
