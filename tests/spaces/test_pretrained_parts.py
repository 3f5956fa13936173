"""Parts that are loaded, however a program comes by them: every network has their weights, also after drafts,
and a search says which they are."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cambrian
from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.estimators.build import build_network
from cambrian.estimators.job import Job
from cambrian.reports.report_file import report
from cambrian.search.loop.final import Final
from cambrian.search.parts.pretrained import find_pretrained
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Pick, Signature, Space

TASK = Shape(channels=1, height=8, width=8, classes=3)
ANSWERS = Architecture({"width": 4})


def make_part() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(2), nn.Flatten())


torch.manual_seed(0)
LOADED = make_part()
CACHE: dict[str, nn.Module] = {}


def load_part() -> nn.Module:
    part = make_part()
    part.load_state_dict(LOADED.state_dict())
    return part


def move_part() -> nn.Module:
    return load_part().to("cpu")


def assign_part() -> nn.Module:
    part = make_part()
    part.load_state_dict(LOADED.state_dict(), assign=True)
    return part


@functools.cache
def cache_part() -> nn.Module:
    return load_part()


@functools.cache
def cache_copied() -> nn.Module:
    return load_part()


@functools.cache
def cache_state() -> Mapping[str, Any]:
    return load_part().state_dict()


def load_cached() -> nn.Module:
    part = make_part()
    part.load_state_dict(cache_state())
    return part


def keep_part() -> nn.Module:
    if "part" not in CACHE:
        CACHE["part"] = load_part()
    return CACHE["part"]


PARTS: dict[str, Callable[[], nn.Module]] = {
    "loaded": load_part,
    "moved": move_part,
    "assigned": assign_part,
    "made before": lambda: LOADED,
    "cached": cache_part,
    "cached and copied": lambda: copy.deepcopy(cache_copied()),
    "cached weights": load_cached,
    "in a dictionary": keep_part,
}


def make_network(part: nn.Module, width: int, classes: int) -> nn.Module:
    return nn.Sequential(part, nn.Linear(16, width), nn.ReLU(), nn.Linear(width, classes))


class Own(Space):
    """A space written as a class."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        self.make_part = make

    def program(self, pick: Pick) -> object:
        return pick("width", [4, 8])

    def build(self, architecture: Architecture, task: Signature, **skeleton: Any) -> nn.Module:
        return make_network(self.make_part(), int(architecture["width"]), task.classes)


def program(make: Callable[[], nn.Module], late: bool) -> Space:
    """A program that makes its part in its body, or late, in what it returns."""

    def body(pick: Any, task: Any) -> Any:
        width = pick("width", [4, 8])
        network = lambda: make_network(make(), width, task.classes)  # noqa: E731
        return network if late else network()

    return cambrian.space(task=TASK)(body)


WAYS: dict[str, Callable[[Callable[[], nn.Module]], Space]] = {
    "a body": lambda make: program(make, late=False),
    "a builder": lambda make: program(make, late=True),
    "a class": Own,
}


@pytest.fixture(autouse=True)
def _empty_caches() -> None:
    CACHE.clear()
    for cache in (cache_part, cache_copied, cache_state):
        cache.cache_clear()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PARTS)
def test_a_loaded_part_is_kept(name: str, way: str) -> None:
    """After a draft, without a warning, a network has the loaded weights, and no draft has spoilt a cache."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        space = WAYS[way](PARTS[name])
        draft_network(space, ANSWERS, TASK, {})
        network = space.build(ANSWERS, TASK)
    state = network.state_dict()
    assert all(torch.equal(state[f"0.{k}"], v) for k, v in LOADED.state_dict().items())
    assert all(p.device.type == "cpu" for p in network.parameters())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PARTS)
def test_training_changes_no_other_network(name: str, way: str) -> None:
    """The weights with which the next trial begins are the loaded ones, whatever this one did to its own."""
    task = cambrian.load("digits", limit=120)
    job = Job.of(WAYS[way](PARTS[name]), ANSWERS, task=task)
    draft_network(job.space, ANSWERS, task, {})  # as a search does before its first trial
    for _ in range(2):
        network = build_network(job)
        assert isinstance(network, nn.Module)
        state = network.state_dict()
        assert all(torch.equal(state[f"0.{k}"], v) for k, v in LOADED.state_dict().items())
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PARTS)
def test_pretrained_parts_are_found(name: str, way: str) -> None:
    """The loaded part with its 40 + 8 parameters, and no fresh layer."""
    parts = find_pretrained(WAYS[way](PARTS[name]), ANSWERS, TASK, cambrian.Fidelity())
    assert parts == {"0 (Sequential)": 48}


def test_fresh_networks_have_none() -> None:
    """Zeros and ones that every fresh normalisation begins with are not taken for loaded weights."""
    for way in WAYS.values():
        assert find_pretrained(way(make_part), ANSWERS, TASK, cambrian.Fidelity()) == {}


def test_a_search_with_a_pretrained_part(tmp_path: Path) -> None:
    """It trains and delivers a network, and its report says what was kept."""
    task = cambrian.load("digits", limit=120)
    final = Final(cambrian.Fidelity(1), top=1, baselines=())
    search = cambrian.Search(Own(load_cached), "random", "train", task, budget=2, final=final)
    result = search.run(tmp_path / "run")
    assert result.winner is not None
    page = report(result, tmp_path / "report.html").read_text()
    assert "0 (Sequential), 48 parameters kept" in page
    assert "Trained from your pretrained parts, all else from scratch" in page


def test_a_refused_setting_leaves_no_hook() -> None:
    """A hook that stayed would hold every parameter that is made in this process from then on."""
    from torch.nn.modules import module

    before = len(module._global_parameter_registration_hooks)
    with pytest.raises(UsageError, match="no_such_setting"):
        program(make_part, late=True).build(ANSWERS, TASK, no_such_setting=1)
    assert len(module._global_parameter_registration_hooks) == before
