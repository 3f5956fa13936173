"""The speed of a race's favourite, and the precision in which it is trained."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from cambrian.errors import Unread
from cambrian.networks.training import precision
from cambrian.search.planning import precisions
from cambrian.search.planning.plan import Plan, plan
from cambrian.search.planning.race.speed import Favourite, Speed, measure_favourite
from cambrian.search.planning.speed import measure_speeds
from cambrian.spaces import SPACES
from cambrian.tasks import load
from cambrian.testing import toy_task
from remembered import fix_race_speed, measure_here

COMPARE = Favourite.compare_precisions


@pytest.fixture
def favourite(monkeypatch: pytest.MonkeyPatch) -> Favourite:
    """Of a millisecond for each image, on a machine that may compute in bfloat16."""
    measure_here(monkeypatch)
    fix_race_speed(monkeypatch, lambda *arguments: 1e-3)
    monkeypatch.setattr(precision, "has_half_precision", lambda: True)
    space = SPACES.make("stages")
    return Favourite(toy_task(images=8), space, space.portfolio["resnet"], {}, "cpu")


def compare(monkeypatch: pytest.MonkeyPatch, gain: float) -> None:
    monkeypatch.setattr(Favourite, "compare_precisions", lambda favourite, resolution: gain)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [(1.6, Speed(1e-3 / 1.6, 1e-3 / 1.6, 1e-3 / 1.6, "bfloat16", 1.6)), (1.05, Speed(1e-3, 1e-3, 1e-3))],
)
def test_the_faster_precision_is_taken(
    gain: float, expected: Speed, favourite: Favourite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 where it is so by more than the noise of measuring; then all speeds are those in it."""
    compare(monkeypatch, gain)
    assert measure_favourite(favourite, 16, 32, None, 1, 2.0) == expected


def test_what_is_named_or_has_no_kernels_is_not_compared(
    favourite: Favourite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A precision that somebody names is taken; a GPU has its own, and other processors have none."""
    monkeypatch.setattr(Favourite, "compare_precisions", lambda *arguments: pytest.fail("compared"))
    assert measure_favourite(favourite, 16, 32, "float32", 1, 2.0).precision == "float32"
    assert measure_favourite(replace(favourite, device="cuda"), 16, 32, None, 1, 2.0).precision == "auto"
    monkeypatch.setattr(precision, "has_half_precision", lambda: False)
    assert measure_favourite(favourite, 16, 32, None, 1, 2.0).precision == "auto"


@pytest.mark.parametrize(("network", "expected"), [("resnet", 2.0), ("mobilenet", 1.0)])
def test_what_is_trained_in_32_bits_gains_nothing(
    network: str, expected: float, favourite: Favourite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Depthwise convolutions are not trained in bfloat16, whatever two measurements of the same would say."""
    seconds = {"float32": 2e-3, "bfloat16": 1e-3}
    speeds: Any = lambda network, shape, device, dense, asked: [seconds[each] for each in asked]  # noqa: E731
    monkeypatch.setattr(precisions, "measure_speeds", speeds)
    monkeypatch.setattr(Favourite, "compare_precisions", COMPARE)
    one = replace(favourite, architecture=favourite.space.portfolio[network])
    assert one.compare_precisions(None) == expected


def test_precisions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, so that what else runs on the machine slows both; the first of each warms up."""
    taken = []

    def note(device: torch.device, precision: str) -> nullcontext[None]:
        taken.append(precision)
        return nullcontext()

    monkeypatch.setattr(precision, "half_precision", note)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    speeds = measure_speeds(network, (1, 4, 4), "cpu", False, ["float32", "bfloat16"])
    assert len(taken) >= 4
    assert taken == ["float32", "bfloat16"] * (len(taken) // 2)
    assert len(speeds) == 2


def plan_race_of(entrants: Any, wanted: str) -> Plan:
    changes = {"entrants": entrants}
    return plan(load("digits"), "2h", workers=1, device="cpu", recipe={"precision": wanted}, changes=changes)


def test_a_precision_is_said_of_those_that_have_it(
    favourite: Favourite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And refused where none has it, by a race as by other plans."""
    rows = dict(plan_race_of(None, "bfloat16").rows)
    assert "mobilenet" in rows["strategy"]
    assert rows["machine"].endswith(" and mobilenet in 32 bits")
    assert "resnet" not in rows["machine"]
    assert "in 32 bits" not in dict(plan_race_of(None, "float32").rows)["machine"]
    with pytest.raises(Unread, match=r"precision is bfloat16 for networks of dense .* mobilenet is none"):
        plan_race_of("mobilenet", "bfloat16")
    searched: Any = {"strategy": "random", "workers": 1, "device": "cpu", "recipe": {"precision": "bfloat16"}}
    with pytest.raises(Unread, match="none of 8 drawn from pnas is one"):
        plan(load("digits"), 4, space="pnas", **searched)
    assert plan(load("digits"), 4, space="nasbench201", **searched).search.estimator.precision == "bfloat16"


def test_both_trainings_of_a_race_have_the_precision(
    favourite: Favourite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the plan says so."""
    compare(monkeypatch, 1.5)
    planned = plan(load("digits"), "2m", workers=1, device="cpu")
    recipes = [planned.search.estimator, planned.search.estimators["final"]]
    assert [recipe.precision for recipe in recipes] == ["bfloat16"] * 2
    assert "training in bfloat16, 1.5 times as fast" in dict(planned.rows)["machine"]
    named = plan(load("digits"), "2m", workers=1, device="cpu", recipe={"precision": "float32"})
    assert named.search.estimator.precision == "float32"
