"""The speed of a race's favourite, and the precision in which it is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cambrian.networks.training import precision
from cambrian.search.planning.plan import plan
from cambrian.search.planning.race_speed import Favourite, Speed, measure_favourite
from cambrian.spaces import SPACES
from cambrian.tasks import load
from cambrian.testing import toy_task
from remembered import fix_race_speed, measure_here


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
