"""A search that trains one network, and then for longer, leaving a checkpoint after nearly every step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity, Point
from cambrian.search.engines.processes import Processes
from cambrian.search.loop.final import Final
from cambrian.search.loop.watch import Watch
from cambrian.search.search import Search
from cambrian.spaces.cells.pnas import PNAS


class Telling(Watch):
    """Prints each point of a curve."""

    def on_point(self, number: int, point: Point) -> None:
        print(number, point.step, flush=True)


def search(engine: Any) -> Search:
    skeleton = {"filters": 4, "cells": 1}
    return Search(
        PNAS(blocks=1),
        "random",
        Train(checkpoint_seconds=0.01, batch_size=32),
        "digits",
        budget=1,
        engine=engine,
        fidelity=Fidelity(3, 0.3, skeleton=skeleton),
        final=Final(Fidelity(6, 0.5, skeleton=skeleton), top=1, baselines=()),
        device="cpu",  # a search that looks for a GPU imports torch
    )


if __name__ == "__main__":
    search(Processes(workers=1)).run(Path(sys.argv[1]), Telling())
    assert "torch" not in sys.modules
