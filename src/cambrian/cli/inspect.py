"""`status`, `report`, `draw`: what only looks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.cli.numbers import count
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.pictures.draw import Drawing


@app.command()
def status(run: Run, as_json: Json = False) -> None:
    """How far a run is, while it works or after; never disturbs it."""
    from cambrian.cli.summary import facts
    from cambrian.search.result import Result

    found = facts(Result.open(run))
    if as_json:
        give(found)
        return
    best, quoted = found["best"], shlex.quote(str(run))
    say(f"{found['trials']} trials, {found['running']} running, {found['failed']} failed")
    if best is not None:
        lower = ", lower is better" if found["objective"]["minimize"] else ""
        say(f"best {best['value']:.4f} (trial {best['number']}){lower}")
    if found["winner"] is not None:
        say(f"final network: {found['winner']['value']:.4f} on test; cambrian export {quoted} OUT")
    else:
        say(f"{found['stopped'] or 'not finished'}; go on with: cambrian resume {quoted}")


@app.command()
def report(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="Where to write it [default: RUN/report.html].")] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML file of what was asked, tried, found and why."""
    from cambrian.reports import report_file
    from cambrian.search.result import Result

    result = Result.open(run)
    if not (run / "table1.json").exists():
        say("fitting the paper's four surrogates to the run, once: about a minute", to_json=True)
    path = report_file.report(result, out)
    give({"report": path}) if as_json else say(f"wrote {path}")


@app.command()
def draw(
    what: Annotated[str, typer.Argument(help="A run directory, a published name, or a JSON file.")],
    other: Annotated[str | None, typer.Argument(help="A second one: draw what differs.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file ending in .svg or .png.")] = None,
    trial: Annotated[
        list[int] | None, count("Number of the trial [default: the best]; two: what differs.", least=0)
    ] = None,
    family: Annotated[bool, typer.Option("--family", help="Who descends from whom in a run.")] = False,
    as_json: Json = False,
) -> None:
    """Draw an architecture, what two differ in, or a run's family tree: in the terminal, or as a picture."""
    drawing, facts = _family(what, other, trial) if family else _draw(what, other, trial or [])
    if out is not None:
        say(f"wrote {drawing.save(out)}", to_json=as_json)
    if as_json:
        give(facts)
    elif out is None:
        say(str(drawing))


def _draw(what: str, other: str | None, numbers: list[int]) -> tuple[Drawing, Any]:
    """The picture and its facts: an architecture, or with a second one the list of what differs."""
    from cambrian.pictures.difference import changes
    from cambrian.pictures.draw import draw

    runs = [name for name in (what, other) if name is not None and Path(name).is_dir()]
    if len(numbers) == 2 and other is None:
        other, runs = what, runs * 2
    if len(numbers) > len(runs):
        raise UsageError(f"{len(numbers)} trials for {len(runs)} run directories: give one --trial for each")
    given = iter(numbers)
    chosen = [_choose(name, next(given, None)) for name in (what, other) if name is not None]
    if len(chosen) == 1:
        return draw(*chosen[0]), chosen[0][1]
    (space, old), (_, new) = chosen
    if type(space) is not type(chosen[1][0]):
        names = " and ".join(type(s).__name__ for s, _ in chosen)
        raise UsageError(f"only architectures of one space can be compared, got those of {names}")
    differing = [{"path": e.path, "kind": e.kind, "old": e.old, "new": e.new} for e in changes(old, new)]
    return draw(space, new, before=old), differing


def _family(what: str, other: str | None, numbers: list[int] | None) -> tuple[Drawing, Any]:
    from cambrian.pictures.draw import family_tree
    from cambrian.search.result import Result

    if other is not None or numbers:
        raise UsageError("--family draws the whole of one run: leave out the second name and --trial")
    result = Result.open(what)
    winner = result.winner.architecture if result.winner is not None else None
    facts = [{"trial": t.number, "parent": t.parent, "value": t.value} for t in result.trials]
    return family_tree(result.trials, winner), facts


def _choose(what: str, number: int | None) -> tuple[Any, Any]:
    from cambrian.cli.architectures import architecture_of
    from cambrian.search.result import Result

    if not Path(what).is_dir():
        entry = architecture_of(what)
        return entry.space, entry.architecture
    result = Result.open(what)
    if number is not None:
        found = next((t for t in result.trials + result.finals if t.number == number), None)
        if found is None:
            raise UsageError(f"{what} has no trial {number}: it has {len(result.trials)}, from 0")
    else:
        found = result.winner or result.best
        if found is None:
            raise UsageError(f"no trial of {what} has succeeded yet: nothing to draw")
    return result.space, found.architecture
