"""Plans in tests: the same networks, planned again and again, are counted once, and their speed is given."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import Any, TypeVar

import pytest
from sklearn.datasets import load_digits

from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.race.speed import Favourite
from cambrian.search.planning.supernet import plan as supernet_plan
from cambrian.search.planning.supernet.speed import Measured

T = TypeVar("T")


def remember(function: Callable[..., T], key: Callable[..., Hashable]) -> Callable[..., T]:
    """The function, called once for each `key` of its arguments, of which its result must be a function."""
    known: dict[Hashable, T] = {}

    @wraps(function)
    def call(*arguments: Any) -> T:
        name = key(*arguments)
        if name not in known:
            known[name] = function(*arguments)
        return known[name]

    return call


def shape_of(task: Any) -> tuple[int, int, int, int]:
    """All of a task that a network's size depends on."""
    return task.channels, task.height, task.width, task.classes


def _key_of_network(cost: Cost, architecture: Any, *skeleton: Any) -> Hashable:
    size = skeleton[0] if skeleton else cost._smallest
    return cost._space, shape_of(cost.task), architecture, repr(sorted(size.items()))


COUNTS = {name: remember(getattr(Cost, name), _key_of_network) for name in ("_count_macs", "_params")}


def measure_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans measure speeds in this process: to fork a child for a speed that the test itself says costs
    more than many a plan."""
    for place in ("preset.cost", "race.speed", "precisions"):
        name = f"cambrian.search.planning.{place}.call_each"
        monkeypatch.setattr(name, lambda functions, at_once, seconds: [each() for each in functions])


def fix_race_speed(monkeypatch: pytest.MonkeyPatch, measure: Callable[..., float]) -> None:
    """Let a race's favourite take so many seconds for an image, `measure(favourite, resolution, filters,
    precision)`, and gain nothing by another precision."""
    monkeypatch.setattr(Favourite, "measure", measure)
    monkeypatch.setattr(Favourite, "compare_precisions", lambda favourite, resolution: 1.0)


def fix_supernet_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a tenth of a millisecond be a supernet's time for an image, filter and cell, a tenth of a second
    that of a score, and a millisecond that of an image for a network alone."""

    def measure(task: Any, space: Any, strategy: Any, one_shot: Any, device: str, size: Any) -> Measured:
        return Measured(size, 1e-4 * size["filters"] * size.get("cells", 1), 0.1, 10**6, make=0.2)

    monkeypatch.setattr(supernet_plan, "measure_size", measure)
    monkeypatch.setattr(supernet_plan, "measure_alone", lambda task, space, device, network, size: 1e-3)


def fix_cost_speed(monkeypatch: pytest.MonkeyPatch, measure: Callable[..., float]) -> None:
    """Let the networks of a preset's plan take so many seconds for an image, `measure(cost, level, device)`,
    and gain nothing by another precision."""
    monkeypatch.setattr(Cost, "_measure_speed", measure)
    monkeypatch.setattr(Cost, "_compare_precisions", lambda cost, level: 1.0)


def remember_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans count the parameters and MACs of each network once in all tests."""
    for name, count in COUNTS.items():
        monkeypatch.setattr(Cost, name, count)


def pretend_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans name Ray, which is planned for and not used: it need not be installed."""
    monkeypatch.setattr("cambrian.search.engines.ray.import_ray", lambda: None)
    monkeypatch.setattr("cambrian.search.engines.ray.check_reach", lambda ray, address: None)


def plan_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every plan be made without measuring anything, at the same speed on every machine."""
    fix_cost_speed(monkeypatch, lambda self, level, device: 1e-5 * (level + 1))
    remember_costs(monkeypatch)
    measure_here(monkeypatch)
    fix_race_speed(monkeypatch, lambda *arguments: 1e-5)
    monkeypatch.setattr("cambrian.search.planning.race.plan.count_work", lambda *arguments: 1e6)
    monkeypatch.setattr("cambrian.search.planning.wording.estimate_size", lambda *arguments: 1.0)
    monkeypatch.setattr("sklearn.datasets.load_digits", cache(load_digits))
    pretend_ray(monkeypatch)
