"""The micro space of ENAS: the paper's questions, and the arc of the released script."""

from math import factorial

from cambrian.architecture import questions
from cambrian.spaces.cells.enas_micro import OPERATIONS, ENASMicro
from cambrian.spaces.published import find_published

ENAS = find_published("enas").architecture
SCRIPT = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1 1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"


def test_the_released_arc_number_for_number():
    """Four numbers a node (input, operation, input, operation), the normal cell first."""
    numbers = [n for cell in ENASMicro().cells(ENAS) for i1, i2, o1, o2 in cell for n in (i1, o1, i2, o2)]
    assert " ".join(map(str, numbers)) == SCRIPT


def test_two_inputs_and_two_of_five_operations_a_node():
    """Twice five nodes of four questions; node i reads any of the i + 1 before it."""
    asked = questions(ENASMicro(), ENAS)
    assert len(asked) == 1 + 2 * 5 * 4
    assert [c.options for c in asked if "operation" in c.path] == [OPERATIONS] * 20
    inputs = [len(c.options) for c in asked if "input" in c.path]
    assert inputs == [n for b in range(2, 7) for n in (b, b)] * 2


def test_ordered_cells_by_hand():
    """(6!)^2 ways to read and 5^10 to choose operations in each cell."""
    assert ENASMicro().size(10) == (factorial(6) ** 2 * 5**10) ** 2


def test_loose_ends_of_the_released_arc():
    """All five nodes of the normal cell, and of the reduction cell all but the second, which is read."""
    assert [w.output for w in ENASMicro().wirings(ENAS)] == [(2, 3, 4, 5, 6), (2, 4, 5, 6)]
