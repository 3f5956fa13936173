"""The names that a user may give: listed with a line each, completed in a shell, said where one is unknown;
and help that is grouped and quick."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

import cambrian
import cambrian.cli.commands
from cambrian.benchmarks import BENCHMARKS
from cambrian.cli.app import app
from cambrian.cli.listing import KINDS
from cambrian.curves import CURVE_MODELS
from cambrian.descriptions import describe
from cambrian.errors import UnknownName, UsageError
from cambrian.networks.measure import MEASURES
from cambrian.networks.trained import TRAINED_METRICS
from cambrian.predictors import PREDICTORS
from cambrian.registry import Registry
from cambrian.spaces import SPACES
from cambrian.spaces.published import names
from cambrian.strategies import STRATEGIES
from cambrian.tasks.readers import TASKS

REGISTRIES: dict[str, Registry] = {
    "spaces": SPACES,
    "strategies": STRATEGIES,
    "benchmarks": BENCHMARKS,
    "predictors": PREDICTORS,
    "measures": MEASURES,
    "trained-metrics": TRAINED_METRICS,
    "curve-models": CURVE_MODELS,
}
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "100"})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_registered_name_has_a_line(kind: str) -> None:
    """A line for each name, which begins with it and goes on with a sentence."""
    lines = run("list", kind).splitlines()
    assert [line.split()[0] for line in lines] == REGISTRIES[kind].names()
    assert all(len(line.split()) > 4 for line in lines)


def test_networks_and_data() -> None:
    """Published networks with their source, and data sets and formats."""
    lines = run("list", "networks").splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all(re.search(r"\b20[0-9]{2}\b", line) for line in lines)
    data = run("list", "data")
    assert all(f"{name} " in data for name in TASKS.names())
    assert all(f"PATH ({name})" in data for name in ("folder", "npz", "csv", "idx"))


def test_names_as_json() -> None:
    """The same names, for programs."""
    listed = json.loads(run("list", "strategies", "--json"))
    assert [each["name"] for each in listed] == STRATEGIES.names()
    assert listed[0]["description"] == describe(STRATEGIES, STRATEGIES.names()[0])


def test_a_description_is_that_of_the_imported_docstring() -> None:
    """It is read from the file without importing it, and says the same."""
    component = STRATEGIES.get("random")
    document = " ".join((sys.modules[component.__module__].__doc__ or "").split())
    assert document.startswith(describe(STRATEGIES, "random"))


@pytest.mark.parametrize("registry", REGISTRIES.values())
def test_an_unknown_name_lists_all_there_are(registry: Registry) -> None:
    """Whatever it is like."""
    with pytest.raises(UnknownName) as caught:
        registry.get("zzz")
    assert all(name in str(caught.value) for name in registry.names())


def test_an_unknown_kind_of_names() -> None:
    """With the nearest one."""
    with pytest.raises(UnknownName, match=r"did you mean .spaces..*strategies"):
        CliRunner().invoke(app, ["list", "space"], catch_exceptions=False)


def test_without_a_kind_the_kinds_are_said() -> None:
    """Whoever has not seen the help learns what to ask for."""
    with pytest.raises(UsageError, match=r"one of .*spaces"):
        CliRunner().invoke(app, ["list"], catch_exceptions=False)


def test_the_version() -> None:
    """That of the installed package, on the command line and in Python."""
    assert run("--version").split() == ["cambrian", version("cambrian")]
    assert cambrian.__version__ == version("cambrian")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    """-h is --help, and ends with a command that begins with the program's name."""
    text = run(command, "-h")
    assert text == run(command, "--help")
    assert re.search(rf"^Examples?:\n  cambrian {command}", text, re.MULTILINE)


def test_help_is_grouped() -> None:
    """The panels of a search's options, each with its own."""
    text = run("search", "--help")
    panels = dict(re.findall(r"^(\S[^\n:]*):\n((?:  .*\n|\n(?=  ))+)", text, re.MULTILINE))
    belongs = {
        "Budget": "--budget",
        "What to search": "--space",
        "Data": "--metric",
        "Final network": "--final-epochs",
        "Limits": "--timeout",
        "Machine": "--workers",
        "The run": "--seed",
    }
    assert all(option in panels[panel] for panel, option in belongs.items())
    assert "--space" not in panels["Options"]
    assert set(re.findall(r"^  (\w+)  ", run("--help"), re.MULTILINE)) == set(COMMANDS)


def test_help_imports_little() -> None:
    """Neither torch nor numpy nor rich, each of which would make it late."""
    code = (
        "import sys; sys.argv = ['cambrian', *sys.argv[1:]]\n"
        "from cambrian.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print({'torch', 'numpy', 'rich'} & set(sys.modules))"
    )
    for arguments in (["--help"], ["search", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert done.stdout.endswith("set()\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("cambrian li", "list"),
        ("cambrian list sp", "spaces"),
        pytest.param("cambrian search --strategy evo", "evolution", marks=pytest.mark.slow),
        pytest.param("cambrian search --space nasbench2", "nasbench201", marks=pytest.mark.slow),
        ("cambrian search --benchmark spi", "spikenas"),
        ("cambrian train pnas", "pnasnet-5"),
    ],
)
def test_completion(words: str, completed: str) -> None:
    """As bash asks for it."""
    environment = {
        **os.environ,
        "_CAMBRIAN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "import sys; sys.argv = ['cambrian']; from cambrian.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [completed], done.stderr


def test_every_kind_is_listed() -> None:
    """No kind is without a test here."""
    assert set(KINDS) == {*REGISTRIES, "networks", "data"}
