"""The cells of SpikeNAS-Bench: those of NAS-Bench-201 under other names, without networks."""

from __future__ import annotations

import pytest

from cambrian.errors import Unbuildable
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.spikenas import SpikingCells
from cambrian.spaces.program.function_space import Shape
from cambrian.testing.cases import SpaceCase
from cambrian.testing.knowledge import CHECKS

CASE = SpaceCase(SpikingCells())
WITHOUT_NETWORKS = [c for c in CHECKS if "tells_functions_apart" not in c.__name__]


@pytest.mark.parametrize("check", WITHOUT_NETWORKS)
def test_growth_and_tokens_keep_their_contract(check):
    """All that the suite asks of a space but its networks."""
    check(CASE)


def test_every_operation_has_weights():
    """Two spiking convolutions on one input are two; in NAS-Bench-201 two poolings are one."""
    twice, once = (4, 4, 0, 0, 1, 1), (4, 0, 1, 0, 1, 1)
    for space, same in ((SpikingCells(), False), (NASBench201(), True)):
        texts = {space.cells.canonical(space.architecture(codes)) for codes in (twice, once)}
        assert (len(texts) == 1) == same


def test_nothing_is_built():
    """A sentence says that they are looked up."""
    with pytest.raises(Unbuildable, match="looked up in SpikeNAS-Bench, not built"):
        SpikingCells().build(CASE.samples[0], Shape())
