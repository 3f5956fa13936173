"""`list`: the names there are, one line each."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from cambrian.cli.app import Json, app, give, say
from cambrian.cli.display.panels import LOOK
from cambrian.errors import UnknownName, UsageError
from cambrian.registry import Registry

Lines = list[tuple[str, str]]


def list_spaces() -> Lines:
    from cambrian.spaces import SPACES

    return _describe_all(SPACES)


def list_strategies() -> Lines:
    from cambrian.strategies import STRATEGIES

    return _describe_all(STRATEGIES)


def list_benchmarks() -> Lines:
    from cambrian.benchmarks import BENCHMARKS

    return _describe_all(BENCHMARKS)


def list_predictors() -> Lines:
    from cambrian.predictors import PREDICTORS

    return _describe_all(PREDICTORS)


def list_measures() -> Lines:
    from cambrian.networks.measure import MEASURES

    return _describe_all(MEASURES)


def list_trained_metrics() -> Lines:
    from cambrian.networks.trained import TRAINED_METRICS

    return _describe_all(TRAINED_METRICS)


def list_curve_models() -> Lines:
    from cambrian.curves import CURVE_MODELS

    return _describe_all(CURVE_MODELS)


def list_networks() -> Lines:
    """The published architectures, with their sources."""
    from cambrian.spaces.published import find_published, names

    return [(name, find_published(name).source) for name in names()]


def list_data() -> Lines:
    """The data sets known by name, and the formats of one's own."""
    from cambrian.tasks.readers import READERS, TASKS

    formats = [name for name in READERS.names() if name not in (*TASKS.names(), "memory")]
    known = _describe(READERS, TASKS.names())
    return [*known, *((f"PATH ({name})", text) for name, text in _describe(READERS, formats))]


KINDS: dict[str, Callable[[], Lines]] = {
    "spaces": list_spaces,
    "strategies": list_strategies,
    "networks": list_networks,
    "benchmarks": list_benchmarks,
    "data": list_data,
    "predictors": list_predictors,
    "measures": list_measures,
    "trained-metrics": list_trained_metrics,
    "curve-models": list_curve_models,
}


def complete(kind: str) -> Callable[[str], list[tuple[str, str]]]:
    """A function that completes a name of that kind in a shell."""
    return lambda incomplete: [line for line in KINDS[kind]() if line[0].startswith(incomplete)]


@app.command("list", rich_help_panel=LOOK, epilog="cambrian list strategies")
def list_names(
    kind: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(KINDS)}.",
            autocompletion=lambda incomplete: [k for k in KINDS if k.startswith(incomplete)],
            show_default=False,
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """List the names there are: spaces, strategies, networks, benchmarks, data."""
    if not kind:
        raise UsageError(f"name a kind of names, as cambrian list strategies: one of {', '.join(KINDS)}")
    if kind not in KINDS:
        raise UnknownName("kind of names", kind, KINDS)
    lines = KINDS[kind]()
    if as_json:
        give([{"name": name, "description": text} for name, text in lines])
        return
    width = max(len(name) for name, _ in lines)
    # A line of a terminal each; a pipe gets whole sentences.
    room = max(shutil.get_terminal_size().columns - width - 2, 30) if sys.stdout.isatty() else 10_000
    for name, text in lines:
        say(f"{name:{width}}  {textwrap.shorten(text, room, placeholder=' ...')}")


def _describe_all(registry: Registry) -> Lines:
    return _describe(registry, registry.names())


def _describe(registry: Registry, names: Iterable[str]) -> Lines:
    from cambrian.descriptions import describe

    return [(name, describe(registry, name)) for name in names]
