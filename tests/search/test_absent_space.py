"""A run whose space cannot be loaded by a name: what its ledger has is shown, its networks need the space."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import cambrian
import cambrian.cli.commands
from cambrian.cli.app import app
from cambrian.errors import RunChanged, RunError, UsageError
from cambrian.search.loop.final import Final
from cambrian.spaces.space import Space
from cambrian.watching.run_view import RunReader


def make_space(*widths: int) -> Space:
    """A space that was defined within a function, as one of a script or a notebook is without a name."""

    @cambrian.space
    def net(pick: Any, task: Any) -> nn.Module:
        width = pick("width", list(widths))
        last = nn.Linear(width, task.classes, bias=pick("bias", [True, False]))
        return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), last)

    return net


def search(space: Any) -> cambrian.Search:
    fidelity = cambrian.Fidelity(1)
    final = Final(fidelity, top=1, baselines=())
    task = cambrian.load("digits", limit=120)
    return cambrian.Search(space, "random", "train", task, 2, fidelity=fidelity, final=final)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> cambrian.Result:
    """The result in the process that has the space."""
    return search(make_space(8, 16)).run(tmp_path_factory.mktemp("absent") / "run", quiet=True)


def invoke(*arguments: object) -> str:
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False).stdout


def test_what_the_ledger_has_is_read_without_the_space(begun: cambrian.Result) -> None:
    """Status, doctor and the page of `watch` as if the space were there; the report says what it lacks."""
    run = begun.directory
    opened = cambrian.Result.open(run)
    assert [t.value for t in opened.recommended] == [t.value for t in begun.recommended]
    assert opened.winner == begun.winner
    status = json.loads(invoke("status", run, "--json"))
    assert status["winner"]["architecture"] == dict(begun.winner.architecture)
    said = invoke("status", run)
    assert "on test; the space of" in said
    assert "cambrian export" not in said
    assert json.loads(invoke("doctor", run, "--json"))["run"] == {"trials": 2, "ledger": "whole"}
    view = RunReader(run).read()
    assert view.story.task["name"] == "digits"
    assert len(view.story.trials) == len(begun.rows)
    invoke("report", run)
    page = (run / "report.html").read_text()
    assert "could not be run on the test images: the space of" in page
    assert "width: " in page


def test_an_architecture_is_drawn_as_its_answers(begun: cambrian.Result) -> None:
    """That is what there is of it without the space, and the command says so."""
    done = CliRunner().invoke(app, ["draw", str(begun.directory)], catch_exceptions=False)
    answers = begun.winner.architecture
    assert done.stdout == f"width: {answers['width']}\nbias: {answers['bias']}\n"
    assert "has no name by which it could be loaded" in done.stderr
    changes = json.loads(invoke("draw", begun.directory, "--trial", 0, "--trial", 1, "--json"))
    first, second = (t.architecture for t in begun.trials)
    assert {c["path"] for c in changes} == {p for p in first if first[p] != second[p]}


def test_a_network_needs_the_space(begun: cambrian.Result, tmp_path: Path) -> None:
    """The sentence says how to give it."""
    opened = cambrian.Result.open(begun.directory)
    for take in (opened.model, lambda: opened.export(tmp_path / "out"), lambda: cambrian.robustness(opened)):
        with pytest.raises(
            RunError, match=r"give the space: cambrian\.Result\.open\('.*run', space=\.\.\.\)"
        ):
            take()
    for command in (("export", begun.directory, tmp_path / "out"), ("train", begun.directory, "digits")):
        with pytest.raises(RunError, match=r"give the space: .* in a program of yours; for commands,"):
            invoke(*command)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("clean_is_forked")
def test_the_space_that_is_given_gives_the_network(begun: cambrian.Result, tmp_path: Path) -> None:
    """The very outputs of the network that was trained; its predictions and its export too."""
    opened = cambrian.Result.open(begun.directory, space=make_space(8, 16))
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(opened.model()(images), begun.model()(images))
    some = opened.task.inputs[opened.task.test[:5]]
    assert (opened.predict(some).probabilities == begun.predict(some).probabilities).all()
    assert (opened.export(tmp_path / "out") / "network.py").exists()


def test_another_space_is_refused(begun: cambrian.Result) -> None:
    """By the questions that the ledger recorded, which are named; what is not a space as everywhere."""
    with pytest.raises(RunChanged, match=r"other questions than the given one: they differ in width$"):
        cambrian.Result.open(begun.directory, space=make_space(8, 32))
    with pytest.raises(RunChanged, match=r"differ in bias, block1/input1"):
        cambrian.Result.open(begun.directory, space="pnas")
    with pytest.raises(UsageError, match=r"write @cambrian\.space above it"):
        cambrian.Result.open(begun.directory, space=make_space)


def test_a_module_that_is_not_where_this_process_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason of the import comes first, and the space can be given then as well."""
    module = ModuleType("elsewhere_net")
    space = make_space(8, 16)
    space.function.__module__, space.function.__qualname__ = "elsewhere_net", "net"  # type: ignore[attr-defined]
    module.net = space  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "elsewhere_net", module)
        begun = search("elsewhere_net:net").run(tmp_path / "run", quiet=True)
    opened = cambrian.Result.open(tmp_path / "run")
    assert len(opened.trials) == 2
    with pytest.raises(RunError, match=r"No module named 'elsewhere_net'.*; or give the space: "):
        opened.model()
    given = cambrian.Result.open(tmp_path / "run", space=space)
    assert all(map(torch.equal, given.model().parameters(), begun.model().parameters()))
