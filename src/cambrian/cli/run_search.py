"""One search from its first trial to the summary at its end, for every command that runs one."""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cambrian.cli.app import give, say, say_stopped
from cambrian.errors import CambrianError, NothingSucceeded

if TYPE_CHECKING:
    from cambrian.search.result import Result
    from cambrian.search.search import Search


def run_search(
    search: Search,
    place: Path,
    expected: dict[Any, int],
    as_json: bool,
    architecture: Any = None,
    logs: list[str] | None = None,
) -> None:
    """Run, with a display on standard error, and as `logs` say also for other programs; on Ctrl-C say how to
    go on."""
    from rich.console import Console

    from cambrian.cli.display.live import watch_search
    from cambrian.cli.display.summary import summarise
    from cambrian.loggers.opening import open_loggers
    from cambrian.search.display.shares import find_shares

    # All of it on standard error: standard output is for the summary, or for JSON.
    console = Console(stderr=True)
    print_line = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    for sentence in (search.notice, *(search.task.warnings if search.task else ())):
        if sentence:
            print_line(f"note: {sentence}")
    print_line(f"run: {place}")
    try:
        # Read back from a ledger, levels are JSON's keys, hence strings.
        counts = {int(k): v for k, v in expected.items()}
        shown = watch_search(console, counts, find_shares(search))
        with shown as display, open_loggers(display, logs or [], place) as watch:
            if architecture is not None:
                result = search.train(architecture, place, watch)
            else:
                result = search.run(place, watch)
    except NothingSucceeded as error:
        _fail(str(error), error.result, as_json)
    except KeyboardInterrupt:
        say_stopped(_describe_stop(place), print_line, as_json)
        raise
    # A run without a single success is a failure of the command, though its directory is whole.
    if all(t.value is None for t in result.trials + result.finals):
        _fail("no trial succeeded: none was ended within the budget", result, as_json)
    if search.final is not None and result.winner is None:
        if not as_json:
            summarise(result)
        _fail(
            "no network could be trained in the final stage; see the failures: cambrian report"
            f" {shlex.quote(str(place))}",
            result,
            as_json,
        )
    summarise(result, as_json)


def _describe_stop(place: Path) -> str:
    """How to go on after Ctrl-C."""
    from cambrian.search.ledger.run_directory import read_begun

    early = ""
    with suppress(CambrianError):  # what is wrong with the run is said when it goes on
        facts = read_begun(place)
        if facts is None:
            return "stopped before the search began: give the same command again"
        if facts.get("final") is not None:
            early = "; a smaller --budget there ends it with the best so far"
    return f"stopped{early}; go on with: cambrian resume {shlex.quote(str(place))}"


def _fail(sentence: str, result: Result, as_json: bool) -> NoReturn:
    """End with exit code 1; with --json the document also holds the summary of the run."""
    from cambrian.cli.display.summary import facts

    say(sentence, to_json=True)
    if as_json:
        give({"error": "Failed", "message": sentence, **facts(result)})
    raise typer.Exit(1)
