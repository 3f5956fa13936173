"""Cells for the tests of networks: any cell, and the published one."""

from hypothesis import strategies as st

from cambrian.networks.operations import OPERATIONS

PNASNET5 = (
    (0, "sep5x5", 0, "max3x3"),
    (1, "sep7x7", 1, "max3x3"),
    (1, "sep5x5", 1, "sep3x3"),
    (4, "sep3x3", 1, "max3x3"),
    (0, "sep3x3", 1, "identity"),
)


@st.composite
def cells(draw, most=5):
    """Any cell of one to `most` blocks."""
    op = st.sampled_from(list(OPERATIONS))
    inputs = [st.integers(0, k + 1) for k in range(draw(st.integers(1, most)))]
    return tuple((draw(i), draw(op), draw(i), draw(op)) for i in inputs)
