"""Gradient searches on real trainings, from the first chunk of a supernet to what is derived from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import living
from cambrian.cli.inspect import draw
from cambrian.errors import UsageError
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity
from cambrian.reports.gate_courses import list_courses, list_derived, make_panels
from cambrian.reports.report_file import report
from cambrian.search.search import Search
from cambrian.spaces.cells.darts import DARTS
from cambrian.testing import toy_task
from cambrian.weights import Continue, Fresh, Shared

ONE_SHOT = OneShot(batch_size=16, paths=1, statistics_batches=1)
SMALL = (DARTS(nodes=1, operations=("sep3x3", "skip")), {"filters": 4, "cells": 2})


def search(space: Any, method: str, skeleton: dict[str, Any], **settings: Any) -> Search:
    return Search(
        space,
        {"name": method, "arguments": {"chunks": 2, **settings}},
        ONE_SHOT,
        toy_task(),
        10,
        seed=1,
        fidelity=Fidelity(2, skeleton=skeleton),
        estimators={"final": Train(batch_size=16)},
    )


@pytest.mark.parametrize(
    ("space", "method", "skeleton"), [(living.forked, "gdas", {}), (SMALL[0], "pc-darts", SMALL[1])]
)
def test_a_search_ends_in_an_architecture_trained_alone(
    space: Any, method: str, skeleton: dict[str, Any], tmp_path: Path
) -> None:
    """Two chunks, the second one going on from the first; a shared value, and an own one beside it."""
    result = search(space, method, skeleton).run(tmp_path / "run")
    first, second, shared, alone = result.trials
    assert (first.weights, second.weights) == (Fresh(), Continue(0))
    assert "anew" not in second.outcome.data
    assert len(second.outcome.data["course"]["loss"]) == 2
    assert SUPERNET in second.artifacts
    assert all(abs(sum(gate) - 1) < 1e-5 for gate in second.outcome.data["gates"].values())
    assert shared.weights == Shared(1)
    assert alone.architecture == shared.architecture
    assert alone.reason["shared"] == shared.value
    assert result.best.architecture == alone.architecture
    (course,) = list_courses(result.trials)
    panels = make_panels(result.space, course)
    assert panels.epochs == 2
    assert all("0" not in panels.name_options(site) for site in panels.course)
    assert list_derived(result.space, course)[-1][1] == ", ".join(map(str, alone.architecture.values()))
    page = report(result, tmp_path / "report.html").read_text()
    assert "probabilities of options, stacked, by epoch" in page
    draw(str(tmp_path / "run"), out=tmp_path / "gates.svg", over_time=True)
    assert "<animate" in (tmp_path / "gates.svg").read_text()
    with pytest.raises(UsageError, match="leave out the second name, --trial and --family"):
        draw(str(tmp_path / "run"), family=True, over_time=True)
