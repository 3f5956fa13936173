"""Each option of `cambrian search` changes the search that it plans, or is refused by its name."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.codec import encode
from cambrian.errors import UsageError
from cambrian.search.engines import ENGINES
from remembered import plan_at_once

SMALL = ("--budget", "9", "--strategy", "random", "--space", "tiny-chain")
KINDS = {
    "race": ("digits", "--budget", "3m"),
    "preset": ("digits", *SMALL),
    "measured": ("digits", *SMALL, "--estimator", "naswot"),
    "front": ("digits", "--budget", "9", "--space", "tiny-chain", "--objectives", "accuracy,params"),
    "serial": ("digits", *SMALL, "--engine", "serial"),
    "rows": ("rows.csv", "--budget", "2m", "--target", "label"),
}
"""A search of each kind of plan, and others that leave options unread, with the options that make them."""
DEAR = ("measured", "front", "serial", "rows")
VALUES = {
    "data": ("OTHER",),
    "--budget": ("--budget", "7m"),
    "--space": ("--space", "nasbench201"),
    "--strategy": ("--strategy", "evolution"),
    "--surrogate": ("--surrogate", "ridge"),
    "--metric": ("--metric", "balanced-accuracy"),
    "--limit": ("--limit", "params=1M"),
    "--timeout": ("--timeout", "5m"),
    "--entrants": ("--entrants", "resnet"),
    "--read": ("--read", "rgb=1"),
    "--run": ("--run", "elsewhere"),
    "--replicates": ("--replicates", "mean"),
    "--memory": ("--memory", "8"),
    "--max-params": ("--max-params", "1e6"),
    "--max-macs": ("--max-macs", "1e6"),
    "--learning-rate": ("--learning-rate", "0.01"),
    "--weight-decay": ("--weight-decay", "0.01"),
    "--optimiser": ("--optimiser", "sgd"),
    "--images": ("--images", "60"),
    "--size": ("--size", "16"),
    "--levels": ("--levels", "2"),
    "--seed": ("--seed", "7"),
    "--estimator": ("--estimator", "naswot"),
    "--log": ("--log", "tensorboard"),
    "--objectives": ("--objectives", "accuracy,params"),
    "--choose": ("--choose", "accuracy>1%"),
    "--engine": ("--engine", "processes(threads=2)"),
    "--target": ("--target", "a"),
    "--ray-address": ("--engine", "ray", "--ray-address", "auto"),
}
"""Values that differ from those that a plan chooses; of the other numbers 3 does."""
ELSEWHERE = {
    "--benchmark": "test_options.py",
    "--model": "test_model_option.py",
    "--pretrained": "tests/search/test_pretrained.py",
    "--begin-with": "tests/search/test_begin_with.py",
    "--by-hand": "a second search, after this one",
    "--json": "the form of the summary, not the search",
    "--device": "a machine without a GPU has one",
}
"""Options that no plan shows, and where they are shown."""


@functools.cache
def list_options() -> list[Any]:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return [p for p in commands["search"].params if p.name != "help" and p.opts[0] not in ELSEWHERE]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The function that plans with these arguments and describes all that the search would be; nothing is
    trained, and the machine's speed is always the same."""
    monkeypatch.chdir(tmp_path)
    plan_at_once(monkeypatch)
    seen: list[str] = []

    def describe(search: Any, place: Path, expected: Any, as_json: bool, logs: Any = None) -> None:
        facts = {
            "place": re.sub(r"-\d+$", "", str(place)),  # each call claims the next number
            "settings": search.settings(),
            "final": search.final,
            "budget": search.budget,
            "logs": logs,
            "choose": search.choose,
            "engine": [ENGINES.spec(search.engine), search.engine.slots, search.timeout, search.memory],
        }
        seen.append(json.dumps(json.loads(encode(facts)), sort_keys=True))

    monkeypatch.setattr("cambrian.cli.search.run_search", describe)

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["search", *arguments])
        if done.exception is not None:
            raise done.exception
        return seen[-1]

    return call


def write(option: Any) -> tuple[str, ...]:
    name = option.opts[0]
    return VALUES.get(name, (name,) if getattr(option, "is_flag", False) else (name, "3"))


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in DEAR)) for k in KINDS])
def test_each_option_is_read_or_refused(planned: Any, kind: str, tmp_path: Path) -> None:
    """Of all options that the command has, whichever they are: one that leaves the search as it was without
    it must have been refused in a sentence with its name."""
    (tmp_path / "other.csv").write_text("label," + ",".join(f"p{i}" for i in range(64)) + "\n" + OTHER)
    (tmp_path / "rows.csv").write_text("label,a,b\n" + ROWS)
    data, *beside = KINDS[kind]
    usual = planned(data, *beside)
    silent = []
    for option in list_options():
        written = write(option)
        if set(written) <= set(beside):
            continue  # it is given already; with another value it would be the last that counts
        place = () if option.param_type_name == "argument" else (data,)
        arguments = tuple("other.csv" if a == "OTHER" else a for a in written)
        try:
            changed = planned(*place, *beside, *arguments) != usual
        except UsageError as error:
            changed = any(name in str(error) for name in (option.name, option.opts[0].lstrip("-")))
        silent += [] if changed else [option.opts[0]]
    assert silent == []


ROWS = "\n".join(f"{'xy'[n % 2]},{n * 7 % 13},{n * 5 % 11}" for n in range(80)) + "\n"
OTHER = "\n".join(f"{n % 2}," + ",".join(str((n * 7 + i) % 17) for i in range(64)) for n in range(80)) + "\n"
