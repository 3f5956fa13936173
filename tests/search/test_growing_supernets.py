"""The cost of a search whose stages train supernets of other depths."""

from __future__ import annotations

from typing import Any

import pytest

from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.search.planning.supernet import speed as supernet_speed
from cambrian.search.planning.supernet.speed import list_measured, measure_size
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies.one_shot.darts import DARTS
from cambrian.strategies.one_shot.p_darts import PDARTS
from cambrian.testing import toy_task

SPACE, TASK = NASBench201(), toy_task()
GROWING = PDARTS(keep=(3, 2), cells=(1, 3, 2), dropout=(0.0, 0.0, 0.0))


def test_every_depth_is_measured_with_as_many_options_as_it_has() -> None:
    """Those of later stages are drawn; a stage of the same skeleton as one before is cheaper than that."""
    first, second, third = list_measured(GROWING, Problem(SPACE, fidelity=Fidelity(30)))
    assert [r.fidelity.skeleton["cells"] for r in (first, second, third)] == [1, 3, 2]
    assert "kept" not in first.method["arguments"]
    for request, count in ((second, 3), (third, 2)):
        assert {len(left) for left in request.method["arguments"]["kept"].values()} == {count}
    for strategy in (DARTS(), PDARTS(keep=(3, 2))):
        assert len(list_measured(strategy, Problem(SPACE, fidelity=Fidelity(30)))) == 1


def test_memory_is_that_of_the_dearest_stage_and_time_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stage alone would promise a third of the memory that the second one takes."""

    def measure(one_shot: OneShot, job: Job) -> dict[str, Any]:
        cells = int(job.fidelity.skeleton["cells"])
        cost = dict.fromkeys(("step", "score", "make", "end", "extra"), float(cells))
        return cost | {"bytes": 100 * cells, "children": 10 * cells}

    monkeypatch.setattr(supernet_speed, "_measure_in_one_thread", measure)
    cost: Any = measure_size(TASK, SPACE, GROWING, OneShot(), "cpu", {"filters": 4})
    assert (cost.bytes, cost.children, cost.step, cost.score) == (300, 30, 2.0, 2.0)
