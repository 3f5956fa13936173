"""`--objectives`: which names it takes, the strategy that follows, and the front at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.cli.options.objectives import read_objectives
from cambrian.errors import CambrianError
from cambrian.problem import Objective
from cambrian.recommendation import dominates

PARAMS, LATENCY = Objective("params", minimize=True), Objective("latency(threads=2)", minimize=True)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two questions of four answers, an accuracy and milliseconds: 16 rows."""
    rows = [(a, b, (5 * a + 3 * b) % 16, a + b) for a in range(4) for b in range(4)]
    path = tmp_path / "small.csv"
    lines = [",".join(map(str, row)) for row in [("op1", "op2", "accuracy", "ms"), *rows]]
    path.write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return path


def search(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["search", *arguments])


def test_metrics_of_an_own_function_have_any_name() -> None:
    """The value's name comes first, since it says which of the metrics the value is."""
    assert read_objectives("params,-regret,accuracy", "accuracy", own=True) == [
        Objective("accuracy"),
        PARAMS,
        Objective("regret", minimize=True),
    ]
    assert read_objectives("rmse", "rmse", own=True) == [Objective("rmse", minimize=True)]
    with pytest.raises(CambrianError, match="names no objective besides accuracy"):
        read_objectives("", "accuracy", own=True)


def test_names_of_measures_with_settings() -> None:
    """The value's own name is left out, wherever it stands; a comma within brackets divides nothing."""
    assert read_objectives("params, accuracy,latency(threads=2)", "accuracy") == [PARAMS, LATENCY]
    assert read_objectives(None, "accuracy") == []
    assert read_objectives("+ms", "accuracy", ["ms"]) == [Objective("ms")]
    bounded = [Objective("accuracy", reference=0.5), Objective("params", True, 1e6)]
    assert read_objectives("accuracy>50%,params<1M", "accuracy") == bounded


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("accuracy,latancy", "unknown objective 'latancy'; did you mean 'latency'"),
        ("accuracy", "names no objective besides accuracy: add one, as accuracy,params"),
        ("accuracy>.5", "names no objective besides accuracy: add one, as accuracy,params"),
        ("accuracy,latancy<5ms", "unknown objective 'latancy'; did you mean 'latency'"),
        ("params,-params", "names params twice: give each once"),
        ("accuracy,zen", "say whether lower is better: '-zen' or '\\+zen'"),
    ],
)
def test_mistakes_are_named(text: str, sentence: str) -> None:
    with pytest.raises(CambrianError, match=sentence):
        read_objectives(text, "accuracy")


def test_a_search_on_a_table_ends_with_the_front(table: Path) -> None:
    """All 16 rows are seen, so that the front is the exact one; nsga2 is the strategy."""
    usual = ("--benchmark", str(table), "--questions", "op1,op2", "--budget", "80", "--run", "run")
    done = search(*usual, "--objectives", "accuracy,-ms", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    front = {(record["value"], -record["metrics"]["ms"]) for record in summary["front"]}
    points = {(float((5 * a + 3 * b) % 16), -float(a + b)) for a in range(4) for b in range(4)}
    assert front == {p for p in points if not any(dominates(q, p) for q in points)}
    again = CliRunner().invoke(app, ["resume", "run", "--budget", "81"])
    assert f"front: {len(front)} trials" in again.stdout


def test_the_chosen_row_and_the_hypervolume_are_said(table: Path) -> None:
    """Of a table nothing is trained: the summary names the row that keeps the conditions."""
    usual = ("--benchmark", str(table), "--questions", "op1,op2", "--budget", "80", "--run", "run")
    done = search(*usual, "--objectives", "accuracy>0,ms<7", "--choose", "ms<3", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    points = {(float((5 * a + 3 * b) % 16), float(a + b)) for a in range(4) for b in range(4)}
    front = [(v, m) for v, m in points if not any(dominates((w, -n), (v, -m)) for w, n in points)]
    assert summary["reference"] == [0.0, 7.0]
    # The area above (0, 7), by its unit squares.
    covered = {(x, y) for v, m in front for x in range(int(v)) for y in range(int(m), 7)}
    assert summary["hypervolume"] == len(covered)
    chosen = {record["number"]: record for record in summary["front"]}[summary["chosen"][0]]
    assert chosen["value"] == max(v for v, m in points if m < 3)
    shown = CliRunner().invoke(app, ["resume", "run", "--budget", "81", "--choose", "ms<1"])
    assert f"hypervolume of the front: {len(covered)}, from accuracy 0, ms 7" in shown.stdout
    refused = CliRunner().invoke(app, ["resume", "run", "--budget", "82", "--choose", "ms<0"])
    assert "the nearest, trial" in refused.output + str(refused.exception)


def test_a_column_that_the_table_lacks_is_named(table: Path) -> None:
    done = search("--benchmark", str(table), "--questions", "op1,op2", "--objectives", "accuracy,mss")
    assert done.exit_code != 0
    assert "unknown objective 'mss'; did you mean 'ms'" in done.output + str(done.exception)


def test_a_search_on_data_is_planned_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan gets the objectives, and no strategy where none is named, which it then chooses."""
    given: dict[str, Any] = {}

    def plan(task: Any, budget: Any, **settings: Any) -> None:
        given.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("cambrian.search.planning.plan.plan", plan)
    search("digits", "--objectives", "accuracy,params,latency(threads=2)")
    assert given["objectives"] == [PARAMS, LATENCY]
    assert given["strategy"] is None
