"""The options that the user gave: one that the command would not read is refused by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import typer

from cambrian.errors import Unread


def list_given(context: typer.Context) -> dict[str, str]:
    """The options and arguments on the command line, as they are written there, by the parameter's name."""
    given = {}
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        # By its name: typer may bring a click of its own, whose sources are another class.
        if source is not None and source.name == "COMMANDLINE":
            off = context.params.get(str(param.name)) is False and param.secondary_opts
            argument = param.param_type_name == "argument"
            given[str(param.name)] = str(param.name).upper() if argument else (off or param.opts)[0]
    return given


def refuse_others(context: typer.Context, read: Collection[str], reason: str) -> None:
    """Refuse all that was given but the parameters `read`. Raises Unread with every name, and the reason
    why they would do nothing."""
    others = [written for name, written in list_given(context).items() if name not in read]
    refuse(others, reason)


def refuse_these(context: typer.Context, unread: Collection[str], reason: str) -> None:
    """Refuse the parameters `unread` where they were given, as `refuse_others` does."""
    refuse([written for name, written in list_given(context).items() if name in unread], reason)


def refuse(options: list[str], reason: str) -> None:
    """Raise Unread with the names of the options, if there are any, and the reason."""
    if options:
        raise Unread(options, reason)


@contextmanager
def name_options(context: typer.Context, **written_as: str) -> Iterator[None]:
    """Settings that are found to do nothing are named as they are written on the command line, or, where no
    option has the setting's name, as `written_as` says."""
    try:
        yield
    except Unread as error:
        written = written_as | list_given(context)
        raise Unread([written.get(name, name) for name in error.names], error.reason) from error
