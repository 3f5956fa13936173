"""Each command that a document shows is one that the program or the script reads: its options, and the names
of spaces, strategies, estimators, measures and benchmarks in it. No command is run."""

from __future__ import annotations

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.audits.shortcuts import read_shortcut
from cambrian.benchmarks import BENCHMARKS
from cambrian.cli.app import app
from cambrian.cli.audited import AUTO
from cambrian.cli.options.estimators import read_estimator
from cambrian.estimators.limits import read_limits
from cambrian.outcome import Fidelity
from cambrian.search.parts.components import component
from cambrian.spaces import SPACES
from cambrian.spec_text import parts

ROOT = Path(__file__).parent.parent
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (
        *(
            ROOT / name
            for name in ("README.md", "CONTRIBUTING.md", "RESULTS.md", "benchmarks/rows/README.md")
        ),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "src").rglob("README.md")),
    )
]

HELP = ["--help", *sorted(f"{name} --help" for name in typer.main.get_command(app).commands)]  # type: ignore[attr-defined]
"""The examples below the help of each command are shown, too."""


def read_page(page: str) -> str:
    """The text of a document; the examples of a help, as a code block."""
    if not page.endswith("--help"):
        return (ROOT / page).read_text()
    name = page.removesuffix("--help").strip()
    command = parsers()[name] if name else typer.main.get_command(app)
    return f"```\n{command.epilog or ''}\n```"


def find_commands(text: str, program: str) -> list[list[str]]:
    """The words of each command of a program: the lines of code blocks, and code within sentences."""
    shown = [
        line
        for language, code in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL)
        if not language
        for line in code.replace("\\\n", " ").splitlines()
    ]
    shown += re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    commands = [command for line in shown for command in re.split(r"[;|] ", " ".join(line.split()))]
    return [
        shlex.split(command, comments=True)
        for command in (re.sub(r"^(time|[A-Z_]+=\S+) ", "", command) for command in commands)
        if command.startswith(f"{program} ") and '"import ' not in command
    ]


@cache
def parsers() -> dict[str, Any]:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands


def read_line(words: list[str]) -> dict[str, Any]:
    """The options of a command of `cambrian`. A sentence may name a command without its arguments."""
    name, arguments = words[1], words[2:]
    if name.startswith("-"):
        return {}
    assert name in parsers(), f"no command {name}"
    if not arguments or arguments == ["..."]:
        return {}
    options: dict[str, Any] = parsers()[name].make_context(name, list(arguments)).params
    return options


def check_component(kind: str) -> Callable[[str], object]:
    return lambda text: component(kind, text)


def check_limit(text: str) -> object:
    name, _, amount = text.rpartition("=")
    return text.isdigit() or "table=" in text or read_limits({name: amount})  # digits: `audit`'s, of images


def check_shortcut(text: str) -> object:
    return read_shortcut(text, Fidelity(20), SPACES.make("pnas"))


def check_benchmark(text: str) -> object:
    return Path(text.partition(":")[0]).suffix or BENCHMARKS.names().index(text)


READERS: dict[str, Callable[[str], object]] = {
    "space": check_component("space"),
    "strategy": check_component("strategy"),
    "strategies": check_component("strategy"),
    "surrogate": check_component("predictor"),
    "estimator": lambda text: text == AUTO or read_estimator(text),
    "truth": check_shortcut,
    "shortcuts": check_shortcut,
    "limit": check_limit,
    "benchmark": check_benchmark,
}
"""How the names in the value of an option are read, by the option's parameter."""


def list_values(given: object) -> Iterable[str]:
    """The texts in the value of an option, several of which may be separated by commas; none of them is a
    function or a class of the reader's own."""
    texts = given if isinstance(given, list | tuple) else [given]
    return [each for text in texts for each in parts(str(text)) if not re.match(r"\w+:\w|mine", each)]


@pytest.mark.parametrize("page", [*PAGES, *HELP])
def test_a_command_that_is_shown_is_one(page: str) -> None:
    """Its options are the command's, and what they name is there."""
    for words in find_commands(read_page(page), "cambrian"):
        for option, given in read_line(words).items():
            if option in READERS and given:
                for text in list_values(given):
                    READERS[option](text)


class Parsed(Exception):
    """The script has read its arguments."""


@pytest.mark.parametrize("page", PAGES)
def test_a_script_that_is_shown_takes_its_arguments(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is there, and reads what stands behind it; a module can be found."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for words in find_commands(read_page(page), "python"):
        if words[1] == "-m":
            assert importlib.util.find_spec(words[2]), words
            continue
        script = ROOT / words[1]
        assert script.exists(), words
        if words[1].startswith("benchmarks/") and "parse_args" in script.read_text():
            monkeypatch.setattr(sys, "argv", words[1:])
            with pytest.raises(Parsed):
                runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("page", PAGES)
def test_a_test_that_is_shown_is_there(page: str) -> None:
    """Each file or folder behind `pytest`, each target behind `make`; each file of tests and benchmarks."""
    text = read_page(page)
    named = set(re.findall(r"(?<![\w/.])(?:tests|benchmarks|src|docs)/[\w/.-]*\w", text))
    named = {name for name in named if not name.endswith(".npz")}
    assert {name for name in named if not (ROOT / name).exists()} == set()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", text)) <= targets
