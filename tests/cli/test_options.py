"""Options that would do nothing are refused by their names, and all others change something."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.errors import UsageError

VALUES = {
    "--metric": "balanced-accuracy",
    "--space": "no-such-space",
    "--limit": "params=1M",
    "--timeout": "5m",
    "--read": "rgb",
    "--device": "cpu",
    "--engine": "processes",
    "--ray-address": "auto",
}
"""Values of options that are neither flags nor numbers; a number is 3."""

PROGRESSIVE = ("--strategy", "progressive", "--depth", "n")
HONOURED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "--benchmark": (("--benchmark", "TABLE:other"), ()),
    "--budget": (("--budget", "4"), ()),
    "--run": (("--run", "elsewhere"), ()),
    "--minimize": (("--minimize",), ()),
    "--objectives": (("--objectives", "value,-other"), ()),
    "--choose": (("--choose", "value<5"), ("--objectives", "value,-other")),
    "--strategy": (("--strategy", "hill-climbing"), ()),
    "--seed": (("--seed", "7"), ()),
    "--questions": (("--questions", "n,a,b,other"), ()),
    "--depth": (("--depth", "n"), ()),
    "--replicates": (("--replicates", "mean"), ()),
    "--surrogate": (("--surrogate", "ridge"), PROGRESSIVE),
    "--levels": (("--levels", "1"), PROGRESSIVE),
    "--keep": (("--keep", "1"), PROGRESSIVE),
    "--log": (("--log", "tensorboard"), ()),
    "--begin-with": (("--begin-with", "EARLIER"), ()),
    "--json": (("--json",), ()),
}
"""The options that a search on a table reads, each with the options that it needs beside it."""


def options() -> list[Any]:
    """All parameters of `cambrian search`, as the application has them."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return [p for p in commands["search"].params if p.name != "help"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One or two operations with two metrics: 12 rows."""
    kinds = ("conv", "pool", "none")
    rows: list[tuple[Any, ...]] = [(1, a, "", i, 9 - i) for i, a in enumerate(kinds)]
    for i, a in enumerate(kinds):
        rows += [(2, a, b, 3 * i + j + 0.5, (i * 7 + j * 5) % 11) for j, b in enumerate(kinds)]
    path = tmp_path / "small.csv"
    lines = [",".join(map(str, row)) for row in [("n", "a", "b", "value", "other"), *rows]]
    path.write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return path


def search(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["search", *arguments])


def course(table: Path, place: str, *arguments: str) -> dict[str, Any]:
    """All that a search left behind: the text, the settings of the run, and its trials."""
    from cambrian.search.result import Result

    usual = ("--benchmark", str(table), "--budget", "6", "--run", place)
    if "EARLIER" in arguments:
        search("--benchmark", str(table), "--budget", "3", "--seed", "5", "--run", "EARLIER")
    done = search(*usual, *(a.replace("TABLE", str(table)) for a in arguments))
    assert done.exit_code == 0, done.output + repr(done.exception)
    place = arguments[arguments.index("--run") + 1] if "--run" in arguments else place
    result = Result.open(Path(place))
    return {
        "place": place if "--run" in arguments else "",
        "chosen": [t.number for t in result.chosen],
        "logs": sorted(folder.name for folder in Path(place).iterdir() if folder.is_dir()),
        "json": done.stdout.lstrip().startswith("{"),
        "settings": json.dumps(result.facts["settings"], sort_keys=True),
        "trials": [(dict(t.architecture), t.value) for t in result.trials],
    }


def test_the_same_options_leave_the_same_behind(table: Path) -> None:
    """So that a difference below is the option's."""
    assert course(table, "once") == course(table, "again")


def value_of(option: Any) -> list[str]:
    if option.param_type_name == "argument":
        return ["digits"]
    name = option.opts[0]
    return [name] if option.is_flag else [name, VALUES.get(name, "3")]


@pytest.mark.parametrize("option", options(), ids=lambda option: option.opts[0])
def test_each_option_beside_benchmark_is_honoured_or_refused(table: Path, option: Any) -> None:
    """Of all options that the command has, whichever they are: one that a search on a table reads leaves
    another run behind, and any other is refused in a sentence with its name."""
    name = option.opts[0]
    if name in HONOURED:
        arguments, beside = HONOURED[name]
        assert course(table, "with", *beside, *arguments) != course(table, "without", *beside)
        return
    refused = search("--benchmark", str(table), *value_of(option))
    written = name if name.startswith("-") else name.upper()
    assert isinstance(refused.exception, UsageError), refused.output
    # More may be said after it, as another value that it would take.
    assert str(refused.exception).startswith(
        f"{written} is for training networks, which --benchmark does not build: leave it out"
    )
    assert not (table.parent / "runs").exists()


def test_several_are_refused_in_one_sentence(table: Path) -> None:
    """With all their names, and before anything is read."""
    refused = search("--benchmark", str(table), "--space", "no-such-space", "--epochs", "7", "--workers", "9")
    assert str(refused.exception) == (
        "--space, --epochs and --workers are for training networks, which --benchmark does not build: leave"
        " them out"
    )


@pytest.mark.parametrize("name", ["--surrogate", "--levels", "--keep"])
def test_settings_of_another_strategy_are_refused(table: Path, name: str) -> None:
    """Settings that only progressive search reads are refused beside another."""
    value = "ridge" if name == "--surrogate" else "3"
    refused = search("--benchmark", str(table), "--strategy", "random", name, value)
    assert f"{name} is for --strategy progressive, and the strategy is random" in str(refused.exception)


def test_a_surrogate_is_a_setting_of_other_strategies(table: Path) -> None:
    """Beside one that has such a setting, the refusal says how it is written there."""
    refused = search("--benchmark", str(table), "--strategy", "bayes", "--surrogate", "ridge")
    assert str(refused.exception) == (
        "--surrogate is for --strategy progressive, and bayes takes a surrogate as 'bayes(surrogate=ridge)':"
        " leave it out"
    )


@pytest.mark.parametrize("name", ["--questions", "--depth", "--replicates"])
def test_options_of_tables_need_one(name: str) -> None:
    """They are refused without --benchmark, and beside a published table, whose questions are known."""
    value = "mean" if name == "--replicates" else "a"
    assert f"{name} is for --benchmark with a table" in str(search(name, value).exception)
    published = search("--benchmark", "planted", name, value)
    assert f"{name} is for a file of your own" in str(published.exception)


LIVE = ["--space", "--epochs", "--filters", "--cells", "--limit", "--size", "--device"]


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("beside", [("--benchmark", "planted"), ("--run", "nowhere")])
def test_compare_refuses_options_of_live_training(name: str, beside: tuple[str, str]) -> None:
    """Beside a table, and where a comparison goes on."""
    value = {"--space": "pnas", "--device": "cpu"}.get(name, "3")
    refused = CliRunner().invoke(app, ["compare", *beside, name, value])
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception).startswith(f"{name} is for ")


def test_compare_refuses_a_cost_of_live_training() -> None:
    """Its times are measured."""
    refused = CliRunner().invoke(app, ["compare", "--task", "digits", "--cost", "3"])
    assert str(refused.exception).startswith("--cost is for --benchmark")


@pytest.mark.parametrize("name", ["--questions", "--depth", "--replicates"])
@pytest.mark.parametrize("beside", [("--task", "digits"), ("--run", "nowhere"), ("--benchmark", "planted")])
def test_compare_refuses_options_of_own_tables(name: str, beside: tuple[str, str]) -> None:
    """Beside training, where a comparison goes on, and beside a published table."""
    value = "mean" if name == "--replicates" else "a"
    refused = CliRunner().invoke(app, ["compare", *beside, name, value])
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception).startswith(f"{name} is for ")


def test_compare_reads_a_table_as_it_is_told(table: Path) -> None:
    """A column that would be a metric is a question; the comparison is gone on with by its directory alone,
    with the same questions."""
    settings = ("--strategies", "hill-climbing", "--seeds", "2", "--budget", "4", "--workers", "1")
    columns = ("--questions", "n,a,b,other", "--depth", "n")
    begun = CliRunner().invoke(
        app, ["compare", "--benchmark", str(table), *columns, *settings, "--run", "compared"]
    )
    assert begun.exit_code == 0, begun.output + repr(begun.exception)
    asked = json.loads((Path("compared") / "comparison.json").read_text())
    assert asked["contest"]["space"]["arguments"]["questions"] == ["n", "a", "b", "other"]
    again = CliRunner().invoke(app, ["compare", "--run", "compared", "--workers", "1"])
    assert again.exit_code == 0, again.output + repr(again.exception)


@pytest.mark.skipif(not os.environ.get("CAMBRIAN_DATA"), reason="needs published tables: set CAMBRIAN_DATA")
def test_compare_refuses_a_cost_beside_times() -> None:
    """A table with times of its own would not read it."""
    from cambrian.cli.benchmark_search import TableOptions
    from cambrian.cli.compare import _table

    with pytest.raises(UsageError, match="--cost is for tables without times, and nb101 has them"):
        _table(TableOptions("nb101", None, None, None, None), 10, 3.0)
