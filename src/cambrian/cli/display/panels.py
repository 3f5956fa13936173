"""Help in groups: the options of a command, and the commands, under the headings of their panels. Plain text,
and not the boxes of rich, whose import would take longer than all else that the help needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

Function = TypeVar("Function", bound=Callable[..., Any])

FIND, USE, LOOK, COMPARE, MACHINE = (
    "Find a network",
    "Use it",
    "Look",
    "Compare strategies",
    "This machine",
)
"""Panels of commands, in the order of the help."""


class PanelCommand(TyperCommand):
    """A command whose options stand under the headings of their panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


class PanelGroup(TyperGroup):
    """A program whose commands stand under the headings of their panels, each with its first sentence."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(_panel_of(c, MACHINE), (name, _first_sentence(c))) for name, c in commands]
        order = (FIND, USE, LOOK, COMPARE, MACHINE)
        _write_sections(sorted(rows, key=lambda row: order.index(row[0])), formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


class App(typer.Typer):
    """A typer application whose commands have panels."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        return super().command(name, **{"cls": PanelCommand, **settings})


def _write_options(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:
    rows = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
        if record is not None:
            rows.append((_panel_of(parameter, usual), record))
    _write_sections(rows, formatter)


def _write_sections(rows: Iterable[tuple[str, tuple[str, str]]], formatter: Any) -> None:
    """The rows by panel, in the order in which panels first appear, options without one last."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for panel, row in rows:
        panels.setdefault(panel, []).append(row)
    for panel in sorted(panels, key=lambda name: name == "Options"):
        with formatter.section(panel):
            formatter.write_dl(panels[panel])


def _write_examples(text: str | None, formatter: Any) -> None:
    """The examples, a line each: a paragraph would run them together."""
    if text:
        with formatter.section("Examples" if "\n" in text else "Example"):
            for line in text.splitlines():
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def _panel_of(item: Any, usual: str) -> str:
    return str(getattr(item, "rich_help_panel", None) or usual)


def _first_sentence(command: Any) -> str:
    sentence, stop, _ = " ".join((command.help or "").split()).partition(". ")
    return sentence + stop.strip()
