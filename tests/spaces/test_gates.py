"""Spaces know the gates of their supernets, and the architectures that these stand for."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from shared_reading import INPUTS, TASK

import living
from cambrian.architecture import Architecture, sample
from cambrian.estimators.gate_course import show_sites
from cambrian.networks.sharing.methods.gate_step import complete
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.cells.amoebanet import AmoebaNet
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.edge_cells import PATHS
from cambrian.spaces.cells.edges import live_edges
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.chains.mobile.space import ProxylessNAS
from cambrian.spaces.knowledge import Mixes, Shares
from cambrian.spaces.sharing import outer
from cambrian.spaces.space import Space
from cambrian.testing import SPACE, SpaceCase, mixtures
from reseeding import default_rng

CASES: dict[str, tuple[Space, dict[str, Any]]] = {
    "darts": (DARTS(nodes=2), {"filters": 2, "cells": 3}),
    "darts with none": (DARTS(2, ("sep3x3", "skip", "none")), {"filters": 2, "cells": 3}),
    "pnas": (PNAS(blocks=2), {"filters": 2, "cells": 3}),
    "amoebanet": (AmoebaNet(blocks=2), {"filters": 2, "cells": 3}),
    "proxylessnas": (ProxylessNAS((8, 8), (2, 1)), {"width": 0.5, "features": 8}),
    "a program": (living.forked, {}),
}


def mixed_supernet(space: Space, **skeleton: Any) -> tuple[Supernet, Mixes, dict[str, Any]]:
    """The supernet in evaluation mode, as the deepest architecture."""
    shares, mixes = space.know(Shares), space.know(Mixes)
    assert shares is not None
    assert mixes is not None
    fixed = outer(space, sample(space, stream(1, "outer")))
    torch.manual_seed(0)
    supernet = shares.share(fixed, TASK, **skeleton)
    show_sites(space, supernet)
    supernet.choose(supernet.whole)
    return supernet.eval(), mixes, fixed


@pytest.mark.parametrize("name", CASES)
def test_the_suite_passes(name: str) -> None:
    """Sites are those of the forks, gates lead to legal architectures, and mixed by ones and zeros the
    supernet is that architecture: of forms that the registered spaces do not have."""
    space, skeleton = CASES[name]
    assert SPACE.violations(SpaceCase(space, TASK, skeleton), [c.__name__ for c in mixtures.CHECKS]) == []


def test_a_node_of_darts_adds_fourteen_edges_of_eight_operations() -> None:
    """Two sites of edges would not do: there are 14 in each cell, and mixed each of them runs once."""
    space = DARTS()
    supernet, mixes, _ = mixed_supernet(space, filters=2, cells=1)
    sites = mixes.list_sites({})
    edges = [s for name, s in sites.items() if name.startswith("normal/") and not s.edges]
    assert [len(s.options) for s in edges] == [8] * 14
    runs: list[int] = []
    for fork in {id(m): m for m in supernet.modules() if isinstance(m, Fork) and m.gate in sites}.values():
        if not sites[fork.gate].edges:
            fork.candidates[0].register_forward_hook(lambda *_: runs.append(1))
    there = {k: s for k, s in supernet.sites.items() if not s.edges}
    weights = {k: Weighted(torch.full((s.options,), 0.1)) for k, s in there.items()}
    supernet.mix(complete(weights, supernet))
    supernet(INPUTS)
    # Both operands' forks hold the same modules, each of which was given two hooks.
    assert len(runs) == 14 * 2


def test_darts_keeps_the_two_strongest_edges() -> None:
    """By the largest weight of an operation, no connection aside (Liu et al., Sec. 2.4); by hand."""
    space = DARTS(nodes=2, operations=("sep3x3", "skip"))
    mixes = space.know(Mixes)
    assert mixes is not None
    edge = {
        "node1/inputs/previous-previous": [0.2, 0.1, 0.7],
        "node1/inputs/previous": [0.3, 0.4, 0.3],
        "node2/inputs/previous-previous": [0.5, 0.3, 0.2],
        "node2/inputs/previous": [0.1, 0.4, 0.5],
        "node2/inputs/node1": [0.2, 0.45, 0.35],
    }
    gates = {f"{kind}/{name}": gate for kind in ("normal", "reduction") for name, gate in edge.items()}
    cell = [(0, 1, 0, 1), (0, 2, 0, 1)]
    assert mixes.derive(gates, {}) == space.architecture(cell, cell)


def test_weights_of_edges_count_where_they_are_learned() -> None:
    """The same gates, with the weight of an edge that was left out above."""
    space = DARTS(nodes=1, operations=("sep3x3", "skip"))
    mixes = space.know(Mixes)
    assert mixes is not None
    gates = {f"{k}/node1/inputs/{s}": [0.2, 0.5, 0.3] for k in ("normal", "reduction") for s in ("previous",)}
    gates |= {f"{k}/node1/inputs/previous-previous": [0.4, 0.3, 0.3] for k in ("normal", "reduction")}
    gates |= {f"{k}/node1/inputs": [0.9, 0.1] for k in ("normal", "reduction")}
    assert mixes.derive(gates, {}) == space.architecture([(0, 1, 0, 1)], [(0, 1, 0, 1)])


def test_an_operand_of_pnas_takes_the_largest_product() -> None:
    """State and operation together: .6 of .5 is less than .4 of .9."""
    space = PNAS(blocks=1, operations=("max3x3", "avg3x3"))
    mixes = space.know(Mixes)
    assert mixes is not None
    gates = {f"block1/input{n}": [0.6, 0.4] for n in "12"}
    gates |= {f"block1/input{n}/previous-previous": [0.5, 0.5] for n in "12"}
    gates |= {"block1/input1/previous": [0.1, 0.9], "block1/input2/previous": [0.6, 0.4]}
    assert mixes.derive(gates, {}) == space.architecture([(1, 0, 1, 0)])


@pytest.mark.parametrize(
    ("space", "architecture", "count", "operations"),
    [
        (NASBench201(), NASBench201().architecture((1, 0, 1, 3, 1, 1)), 4, 6),
        (DARTS(2), DARTS(2).architecture([(0, 1, 6, 6), (0, 2, 6, 0)], [(0, 1, 6, 6)] * 2), 3, 4),
    ],
)
def test_skips_are_counted(space: Space, architecture: Architecture, count: int, operations: int) -> None:
    """Of DARTS in the normal cell alone."""
    mixes = space.know(Mixes)
    assert mixes is not None
    skips = mixes.count_skips(architecture)
    assert (skips.count, skips.operations) == (count, operations)


def test_spaces_that_cannot_be_mixed_are_refused_in_a_sentence() -> None:
    """Spaces whose questions are not all forks do not say that they mix."""
    mixing = {name for name in SPACES.names() if SPACES.make(name).know(Mixes) is not None}
    assert {"nasbench201", "darts", "pnas", "amoebanet", "enas-micro", "macro", "proxylessnas"} == mixing


@pytest.mark.statistical
def test_a_derived_cell_of_edges_computes_something() -> None:
    """Oracle: of all 15,625 cells that have a way from the input to the output, none is more probable, under
    gates that favour none. The argmax alone has no way in 63 of 100 such draws, and where it has one it is
    what is derived. The last line fails for an unlucky seed once in 90 million."""
    space, rng = NASBench201(), default_rng(0)
    mixes = space.know(Mixes)
    assert mixes is not None
    every = list(product(range(5), repeat=6))
    with_way = np.array([code for code in every if live_edges(code)])
    lost = 0
    for _ in range(40):
        tables = rng.dirichlet([1.5, 1, 1, 1, 1], size=6) + np.array([0.3, 0, 0, 0, 0])
        gates = {path: table.tolist() for path, table in zip(PATHS, tables, strict=True)}
        derived = space.codes(mixes.derive(gates, {}))
        chances = np.log(tables)[np.arange(6), with_way].sum(1)
        assert np.log(tables)[np.arange(6), list(derived)].sum() == pytest.approx(chances.max())
        assert live_edges(derived)
        strongest = tuple(tables.argmax(1).tolist())
        lost += not live_edges(strongest)
        assert derived == strongest or not live_edges(strongest)
    assert 5 <= lost < 40
