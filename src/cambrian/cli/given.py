"""The options that the user gave: one that the command would not read is refused by its name."""

from __future__ import annotations

from collections.abc import Collection

import typer

from cambrian.errors import UsageError


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
    """Refuse all that was given but the parameters `read`. Raises UsageError with every name, and the reason
    why they would do nothing."""
    others = [written for name, written in list_given(context).items() if name not in read]
    refuse(others, reason)


def refuse_these(context: typer.Context, unread: Collection[str], reason: str) -> None:
    """Refuse the parameters `unread` where they were given, as `refuse_others` does."""
    refuse([written for name, written in list_given(context).items() if name in unread], reason)


def refuse(options: list[str], reason: str) -> None:
    """Raise UsageError with the names of the options, if there are any, and the reason."""
    if options:
        verb, pronoun = ("is", "it") if len(options) == 1 else ("are", "them")
        raise UsageError(f"{join_words(options)} {verb} {reason}: leave {pronoun} out")


def join_words(words: list[str]) -> str:
    """The words with commas, and an "and" before the last.

    >>> join_words(["--space", "--epochs", "--workers"])
    '--space, --epochs and --workers'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
