"""A picture of each kind for `docs/pictures.md`: `python -m cambrian.testing.gallery docs/pictures`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cambrian.architecture import mutate, sample
from cambrian.outcome import Fidelity, Trial
from cambrian.pictures.draw import Drawing, draw, family_tree
from cambrian.randomness import stream
from cambrian.spaces.branches.anchor_points.space import AnchorPoints
from cambrian.spaces.cells.darts import DARTS
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.hierarchies.hierarchical.space import Hierarchical
from cambrian.spaces.published import find_published, find_published_in
from cambrian.spaces.sequences.autoformer.space import AutoFormer
from cambrian.spaces.sequences.recurrent.darts_rnn import DARTS_V2, DARTSRNN
from cambrian.testing.play import smooth


def pictures() -> Iterator[tuple[str, Drawing]]:
    """The pictures with the names of their files."""
    # Published architectures where a space has one: readers can compare with the paper's figure.
    chain, branches = find_published("proxylessnas-mobile"), AnchorPoints(combine="sum")
    yield "chain", draw(chain.space, chain.architecture)
    yield "branches", draw(branches, branches.resnet(2))
    darts = find_published_in(DARTS())
    yield "cells", draw(DARTS(), darts["darts-v2"])
    hierarchy = Hierarchical(motifs=(3,), nodes=(3, 4))
    yield "hierarchy", draw(hierarchy, sample(hierarchy, stream(9, "gallery")))
    transformer = AutoFormer()
    yield "transformer", draw(transformer, transformer.architecture(48, [(3, 4), (4, 3), (2, 4), (3, 2)]))
    recurrent = DARTSRNN()
    yield "recurrent", draw(recurrent, recurrent.architecture(DARTS_V2))
    yield "difference", draw(DARTS(), darts["darts-v2"], before=darts["darts-v1"])
    yield "family", family_tree(evolve(100))


def evolve(count: int) -> list[Trial]:
    """Trials of ageing evolution on made-up values: each after the tenth is a child of the best of five of
    the last thirty."""
    # Not a real search: a release must not redraw the picture because a strategy changed.
    space, trials = PNAS(), list[Trial]()
    for n in range(count):
        rng = stream(0, "gallery", n)
        if n < 10:
            trial = Trial(n, sample(space, rng), Fidelity())
        else:
            drawn = rng.choice(len(trials[-30:]), 5)
            best = max((trials[-30:][i] for i in drawn), key=lambda t: t.value or 0.0)
            trial = Trial(n, mutate(space, best.architecture, rng), Fidelity(), parent=best.number)
        trials.append(msgspec.structs.replace(trial, outcome=smooth(trial)))
    return trials


if __name__ == "__main__":
    for name, drawing in pictures():
        drawing.save(Path(sys.argv[1]) / f"{name}.svg")
