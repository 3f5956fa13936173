"""`status`, `report`, `draw`: what only looks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.errors import UsageError


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
        say(f"best {best['value']:.4f} (trial {best['number']})")
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
    from cambrian.search.result import Result

    if not (run / "table1.json").exists():
        say("fitting the paper's four surrogates to the run, once: about a minute", to_json=True)
    path = Result.open(run).report(out)
    give({"report": path}) if as_json else say(f"wrote {path}")


@app.command()
def draw(
    what: Annotated[str, typer.Argument(help="A run directory, a published name, or a JSON file.")],
    out: Annotated[Path | None, typer.Option(help="A file ending in .svg or .png.")] = None,
    trial: Annotated[int | None, typer.Option(help="Number of the trial [default: the best].")] = None,
    as_json: Json = False,
) -> None:
    """Draw an architecture: in the terminal, or as a picture."""
    from cambrian.delivery.draw import draw as drawing_of

    space, architecture = _chosen(what, trial)
    drawing = drawing_of(space, architecture)
    if out is not None:
        say(f"wrote {drawing.save(out)}", to_json=as_json)
    if as_json:
        give(architecture)
    elif out is None:
        say(str(drawing))


def _chosen(what: str, number: int | None) -> tuple[Any, Any]:
    from cambrian.cli.architectures import architecture_of
    from cambrian.search.result import Result

    if not Path(what).is_dir():
        return architecture_of(what)
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
