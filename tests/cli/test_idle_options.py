"""Options that would do nothing beside others are refused, each by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
import mocks
from cambrian.cli.app import app
from cambrian.errors import Unread
from cambrian.search.ledger.run_directory import at_work
from cambrian.search.planning.plan import plan
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.quick_audit import LABEL
from cambrian.search.search import Search
from cambrian.testing import toy_task
from remembered import pretend_ray

SMALL: dict[str, Any] = {"space": "tiny-chain", "strategy": "random", "workers": 1, "baselines": ()}


@pytest.mark.parametrize("name", ["epochs", "images"])
@pytest.mark.parametrize("estimator", ["naswot", "params"])
def test_a_search_without_trainings_has_no_length_of_them(name: str, estimator: str) -> None:
    """Networks are measured before training; the final training's epochs are another setting."""
    with pytest.raises(Unread, match=f"{name} is for searches that train networks, .* measures {estimator}"):
        plan(toy_task(), 3, estimator=estimator, changes={name: 3}, **SMALL)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--engine", "serial", "--workers", "4"), "--workers is 4, and the engine serial runs 1 trial at"),
        (("--engine", "serial", "--memory", "2"), "--memory is for trials in processes of their own, and"),
        (
            ("--engine", "ray(workers=8)", "--workers", "4"),
            r"--workers is 4, and the engine ray",
        ),
        (("--strategy", "spos", "--estimator", "auto"), "--estimator auto is for strategies that"),
        (
            ("--space", "tiny-chain", "--estimator", "naswot", "--epochs", "3"),
            "--epochs is for searches",
        ),
    ],
)
def test_a_search_names_them_as_they_are_written(
    options: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On the command line, before anything is measured or trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Cost, "_measure_speed", lambda *arguments: pytest.fail("measured"))
    pretend_ray(monkeypatch)
    refused = CliRunner().invoke(app, ["search", "digits", *options])
    assert isinstance(refused.exception, Unread), refused.output
    with pytest.raises(Unread, match=says):
        raise refused.exception


def test_who_asks_for_an_audit_reads_why_there_is_none() -> None:
    """A budget of trials pays for none."""
    rows = dict(plan(toy_task(), 3, audit=True, **SMALL).rows)
    assert "without a quick audit: the budget is not a time" in rows[LABEL]
    assert LABEL not in dict(plan(toy_task(), 3, **SMALL).rows)


@pytest.mark.parametrize(("name", "value"), [("--workers", "3"), ("--device", "cpu")])
def test_an_audit_of_a_table_needs_no_machine(name: str, value: str) -> None:
    """Its trainings are looked up; with data beside it, measures of networks are taken."""
    refused = CliRunner().invoke(app, ["audit", "--benchmark", "planted", name, value])
    assert isinstance(refused.exception, Unread)
    assert str(refused.exception).startswith(f"{name} is for live training")


def test_a_training_that_is_resumed_chooses_nothing(tmp_path: Path) -> None:
    """Its network was named."""
    search = Search(mocks.Toy(), "random", mocks.Mock(), budget=1)
    trial = search.run(tmp_path, quiet=True).trials[0]
    with at_work(tmp_path) as ledger:
        ledger.remember(train=trial.architecture.to_json())
    refused = CliRunner().invoke(app, ["resume", str(tmp_path), "--choose", "value>0"])
    assert isinstance(refused.exception, Unread)
    assert str(refused.exception).startswith("--choose is for a search, and this run trains one network")
