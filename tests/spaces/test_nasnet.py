"""NASNet's space: the paper's questions, and cells that no other space has."""

from cambrian.architecture import questions, sample
from cambrian.randomness import stream
from cambrian.spaces.cells.nasnet import OPERATIONS, NASNet
from cambrian.spaces.published import find_published

NASNET_A = find_published("nasnet-a").architecture


def test_a_pair_is_fifty_predictions():
    """Two cells of five blocks, each of two inputs, two operations and a combiner (Sec. 3.1): the softmaxes
    of the paper's controller, and the question how many blocks there are."""
    asked = questions(NASNet(), NASNET_A)
    assert len(asked) == 1 + 2 * 5 * 5
    assert [c.path for c in asked[1:6]] == [
        "normal/block1/input1",
        "normal/block1/operation1",
        "normal/block1/input2",
        "normal/block1/operation2",
        "normal/block1/combiner",
    ]
    assert len(asked[2].options) == len(OPERATIONS) == 13
    assert asked[5].options == ("add", "concat")


def test_sizes_by_hand():
    """(b + 1)^2 inputs, 13^2 operations and 2 combiners for block b; without concatenation half of them."""
    assert [NASNet().size(n) for n in (1, 2)] == [4 * 169 * 2, (4 * 169 * 2) ** 2]
    assert NASNet().size(3) == NASNet().size(2) * 9 * 169 * 2
    assert NASNet(combiners=("add",)).size(10) * 2**10 == NASNet().size(10)


def test_one_block_has_702_cells():
    """Unordered pairs of 26 operands, for either combiner."""
    pool = NASNet().pair.grow([], stream(0))
    assert len(pool) == 2 * 26 * 27 // 2 == 702


def test_the_combiner_is_part_of_an_operations_token():
    """Both operations of a block that concatenates come after the 13 that are added."""
    space = NASNet()
    for n in range(20):
        architecture = sample(space, stream(n, "tokens"))
        normal, _ = space.cells(architecture)
        for b, (_, _, o1, o2) in enumerate(normal, 1):
            concat = architecture[f"normal/block{b}/combiner"] == "concat"
            assert (o1 >= 13) == (o2 >= 13) == concat


def test_the_released_outputs_of_nasnet_a():
    """Five blocks and the older input in a normal cell, four blocks in a reduction cell: 6 and 4 times the
    filters, of which 4,032 = 6 * 4 * 168 has its name; by the rule of the paper alone 5 and 3."""
    released = NASNet(also=("normal/previous-previous", "reduction/block2"))
    assert [w.width(1) for w in released.wirings(NASNET_A)] == [6, 4]
    assert [w.width(1) for w in NASNet().wirings(NASNET_A)] == [5, 3]
    assert released.wirings(NASNET_A)[0].width(4 * 168) == 4032


def test_blocks_that_concatenate_are_twice_as_wide():
    """And whatever reads them takes twice the channels."""
    space = NASNet(1, ("sep3x3", "identity"))
    architecture = space.architecture([(0, 1, 2, 2)], [(0, 1, 3, 3)])
    normal, reduction = space.wirings(architecture)
    assert (normal.width(8), reduction.width(8)) == (16, 16)
    assert normal.blocks == ((0, "sep3x3", 1, "sep3x3"),)
