"""Cells are shared: one network of all their answers, equal to each architecture's own bit for bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from shared_reading import INPUTS, TASK, draw, expect_own_networks, share

from cambrian.architecture import sample
from cambrian.networks.sharing.switches import Fork
from cambrian.randomness import stream
from cambrian.spaces.cells.amoebanet import AmoebaNet
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.enas_micro import ENASMicro
from cambrian.spaces.cells.nasbench101.space import NASBench101
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.nasnet import NASNet
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.space import Space
from tiers import slow_but, slow_for

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "pnas": (PNAS(blocks=3), {"filters": 4}),
    "pnas of loose ends": (PNAS(blocks=3, output="unused"), {"filters": 4}),
    "nasnet": (NASNet(blocks=2), {"filters": 2}),
    "nasnet that keeps states": (NASNet(2, also=("normal/previous", "reduction/block1")), {"filters": 2}),
    "amoebanet": (AmoebaNet(blocks=2), {"filters": 4}),
    "enas-micro": (ENASMicro(nodes=3), {"filters": 4}),
    "darts": (DARTS(nodes=3), {"filters": 4}),
    "nasbench101": (NASBench101(), {"filters": 8}),
    "nasbench101 of seven vertices": (NASBench101(vertices=7), {"filters": 7}),
    "nasbench201": (NASBench201(), {"filters": 4}),
}


@pytest.mark.parametrize(
    "name",
    slow_for(
        (
            "amoebanet",
            "nasnet",
            "pnas",
            "pnas of loose ends",
            "nasnet that keeps states",
            "enas-micro",
            "nasbench101 of seven vertices",
        ),
        SPACES,
    ),
)
def test_a_shared_cell_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures; no question is outer."""
    space, skeleton = SPACES[name]
    assert share(space, sample(space, stream(0, "cells")), **skeleton).outer == {}
    expect_own_networks(space, **skeleton)


@pytest.mark.parametrize("name", slow_but(("darts",), ["pnas", "nasnet", "enas-micro", "darts"]))
def test_paths_are_dropped_and_the_auxiliary_head_speaks_as_in_the_own_network(name: str) -> None:
    """In training, with the same chance, on a skeleton whose input cells stride: both heads' logits."""
    space, _ = SPACES[name]
    skeleton = {"skeleton": "cifar", "filters": 2, "cells": 4, "auxiliary": True, "drop_path": 0.4}
    supernet = share(space, sample(space, stream(0, "cells")), **skeleton)
    for n in range(4):
        architecture = draw(space, supernet, n)
        own = space.build(architecture, TASK, **skeleton)
        own.load_state_dict(supernet.weights(architecture))
        supernet.choose(architecture)
        outputs = []
        for network in (supernet, own):
            torch.manual_seed(7)
            outputs.append(network.train()(INPUTS))
        assert all(map(torch.equal, *outputs)), architecture


def test_the_skeletons_of_imagenet_are_shared_too() -> None:
    """Whose first cell reads the stem as it is."""
    space = AmoebaNet(blocks=1)
    skeleton = {"skeleton": "imagenet-mobile", "filters": 8, "cells": 2, "dropout": 0.0}
    expect_own_networks(space, 4, **skeleton)


def test_a_node_of_darts_has_fourteen_edges() -> None:
    """An operation on a state has one set of weights, whichever operand of the node it is."""
    supernet = share(DARTS(), sample(DARTS(), stream(0, "cells")), filters=2, cells=1)
    forks = [m for m in supernet.modules() if isinstance(m, Fork) and m.options == DARTS().operations]
    edges = {tuple(map(id, fork.candidates)) for fork in forks}
    assert (len(forks), len(edges)) == (28, 14)


def test_a_block_of_pnas_may_read_one_state_twice() -> None:
    """Through weights of its own for each operand."""
    space = PNAS(blocks=1, operations=("sep3x3",))
    architecture = space.architecture([(1, 1, 0, 0)])
    supernet = share(space, architecture, filters=2, cells=1)
    weights = supernet.weights(architecture)
    first, second = weights["cells.0.first.0.1.weight"], weights["cells.0.second.0.1.weight"]
    assert first.data_ptr() != second.data_ptr()
    assert not torch.equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pnas", "darts"])
def test_the_largest_supernets_fit_into_four_gibibytes(name: str) -> None:
    """PNAS's five blocks with eight operations on all inputs, and DARTS's fourteen edges: built, and trained
    for a step as one architecture and for one as the mixture of all, in a process of its own. Of PNAS that
    takes 1.9 GiB, of DARTS 1.3 (with 16 filters 3.5 and 2.2), most of it activations of the mixture."""
    command = [sys.executable, str(Path(__file__).with_name("stepped_supernet.py")), name, "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    built, chosen, mixed = map(float, done.stdout.split())
    assert built <= chosen <= mixed < 4
    assert chosen < 1


def test_states_and_operations_are_mixed() -> None:
    """A block is the weighted sum over the states that it may read of the weighted sum of all operations on
    them, by hand."""
    space = PNAS(blocks=1, operations=("max3x3", "avg3x3", "identity"))
    architecture = space.architecture([(0, 1, 2, 2)])
    supernet = share(space, architecture, filters=2, cells=1).eval()
    supernet.choose(architecture)
    inputs, operations = torch.tensor([0.3, 0.7]), torch.tensor([0.2, 0.3, 0.5])
    supernet.mix({"block1/input1": inputs, "block1/operation1": operations})
    cell = supernet.network.cells[0]
    states = [fit(supernet.network.stem(INPUTS)) for fit in cell.fit.values()]
    mixed = [
        w * sum(v * op(s) for v, op in zip(operations, fork.candidates, strict=True))
        for w, fork, s in zip(inputs, cell.first[0].candidates, states, strict=True)
    ]
    first = supernet.network.stem(INPUTS)
    torch.testing.assert_close(cell(first, first), sum(mixed) + states[1])
