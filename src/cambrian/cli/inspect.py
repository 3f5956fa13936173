"""`status`, `report`, `draw`: commands that read a run and never change its ledger."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.cli.display.panels import LOOK
from cambrian.cli.options.given import name_options
from cambrian.cli.options.numbers import count
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.pictures.draw import Drawing


@app.command(rich_help_panel=LOOK, epilog="cambrian status runs/images-1")
def status(run: Run, as_json: Json = False) -> None:
    """Show how far a run is, while it works or after."""
    from cambrian.cli.display.status import status_lines
    from cambrian.cli.display.summary import facts
    from cambrian.search.display.shares import find_shares
    from cambrian.search.display.tally import is_share
    from cambrian.search.identity.run_components import explain_absence
    from cambrian.search.identity.settings import explain_resuming
    from cambrian.search.result import Result

    result = Result.open(run)
    run_facts = facts(result)
    if as_json:
        give(run_facts)
        return
    # Without its space the network is not exported by a command, but in Python.
    place = shlex.quote(str(run))
    resume = explain_resuming(place, result.facts)
    names = find_shares(result)
    best, last = (t is not None and is_share(t, names) for t in (result.best, result.winner))
    for line in status_lines(run_facts, place, resume, explain_absence(result.space), (best, last)):
        say(line)


@app.command(rich_help_panel=LOOK, epilog="cambrian report runs/images-1")
def report(
    context: typer.Context,
    run: Run,
    out: Annotated[Path | None, typer.Option(help="The file to write [default: RUN/report.html].")] = None,
    surrogates: Annotated[
        bool,
        typer.Option("--surrogates", help="Fit the four surrogates of PNAS' Table 1 too: minutes, once."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write one HTML file with all of a run: settings, trials, results, and why."""
    from cambrian.reports import report_file
    from cambrian.reports.surrogate_ranks import can_rank
    from cambrian.search.result import Result

    result = Result.open(run)
    # Kept in the run: only the first such report takes long, and says so on standard error.
    if surrogates and can_rank(result) and not (run / "table1.json").exists():
        say("fitting the paper's four surrogates to the run, once: minutes", to_json=True)
    with name_options(context):
        path = report_file.report(result, out, surrogates=surrogates)
    give({"report": path}) if as_json else say(f"wrote {path}")


@app.command(rich_help_panel=LOOK, epilog="cambrian draw mobilenet-v2")
def draw(
    source: Annotated[str, typer.Argument(help="A run directory, a published name, or a JSON file.")],
    other: Annotated[str | None, typer.Argument(help="A second one: draw the difference.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file ending in .svg or .png.")] = None,
    trial: Annotated[
        list[int] | None, count("Number of the trial [default: the best]; two: their difference.", least=0)
    ] = None,
    family: Annotated[bool, typer.Option("--family", help="Draw who descends from whom in a run.")] = False,
    over_time: Annotated[
        bool,
        typer.Option("--over-time", help="Draw how the gates of a run's supernet moved: an SVG that moves."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw an architecture, the difference of two, a run's family tree, or its gates over time."""
    if over_time:
        _draw_gates(source, out, alone=other is None and not trial and not family, as_json=as_json)
        return
    drawing, facts = _family(source, other, trial) if family else _draw(source, other, trial or [])
    if out is not None:
        say(f"wrote {drawing.save(out)}", to_json=as_json)
    if as_json:
        give(facts)
    elif out is None:
        say(str(drawing))


def _draw_gates(source: str, out: Path | None, *, alone: bool, as_json: bool) -> None:
    """Write the moving picture of the last supernet's gates."""
    from cambrian.pictures.charts import WIDE
    from cambrian.pictures.gate_panels import draw_movie, save_picture
    from cambrian.reports.gate_courses import list_courses, make_panels
    from cambrian.search.result import Result

    if not alone:
        raise UsageError(
            "--over-time draws the gates of one run: leave out the second name, --trial and --family"
        )
    result = Result.open(source)
    courses = list_courses(result.trials)
    if not courses:
        raise UsageError(
            f"no supernet of {source} has learned gates over epochs: search with a strategy that has some, as"
            " --strategy darts"
        )
    panels = make_panels(result.space, courses[-1])
    target = Path(f"{Path(source).name}-gates.svg") if out is None else out
    path = save_picture(draw_movie(panels, WIDE), target)
    give({"picture": path, "epochs": panels.epochs}) if as_json else say(f"wrote {path}")


def _draw(source: str, other: str | None, numbers: list[int]) -> tuple[Drawing, Any]:
    """The picture and its facts: an architecture, or with a second one the list of differences."""
    from cambrian.cli.options.architectures import architecture_of
    from cambrian.pictures.difference import changes
    from cambrian.pictures.draw import draw
    from cambrian.search.identity.run_components import explain_absence, name_kind

    runs = [name for name in (source, other) if name is not None and Path(name).is_dir()]
    if len(numbers) == 2 and other is None:
        other, runs = source, runs * 2  # two trials of one run
    if len(numbers) > len(runs):
        raise UsageError(f"{len(numbers)} trials for {len(runs)} run directories: give one --trial for each")
    rest = iter(numbers)
    entries = [
        architecture_of(name, next(rest, None) if Path(name).is_dir() else None)
        for name in (source, other)
        if name is not None
    ]
    for reason in filter(None, dict.fromkeys(explain_absence(entry.space) for entry in entries)):
        # Another picture than the space may have, hence said.
        say(f"drawn as its answers: {reason}", to_json=True)
    chosen = [(entry.space, entry.architecture) for entry in entries]
    if len(chosen) == 1:
        return draw(*chosen[0]), chosen[0][1]
    (space, old), (_, new) = chosen
    # By the kind: two runs may differ in a setting, such as the largest number of blocks.
    kinds = [name_kind(s) for s, _ in chosen]
    if type(space) is not type(chosen[1][0]) or kinds[0] != kinds[1]:
        names = " and ".join(kinds)
        raise UsageError(f"only architectures of one space can be compared, got those of {names}")
    differences = [{"path": e.path, "kind": e.kind, "old": e.old, "new": e.new} for e in changes(old, new)]
    return draw(space, new, before=old), differences


def _family(source: str, other: str | None, numbers: list[int] | None) -> tuple[Drawing, Any]:
    from cambrian.pictures.draw import family_tree
    from cambrian.search.result import Result

    if other is not None or numbers:
        raise UsageError("--family draws the whole of one run: leave out the second name and --trial")
    result = Result.open(source)
    winner = result.winner.architecture if result.winner is not None else None
    facts = [{"trial": t.number, "parent": t.parent, "value": t.value} for t in result.trials]
    return family_tree(result.trials, winner), facts
