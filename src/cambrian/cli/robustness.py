"""`robustness`: what a run's network still gets right on images that are made harder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.cli.display.panels import LOOK
from cambrian.cli.options.numbers import count

if TYPE_CHECKING:
    from cambrian.reports.robustness import Robustness


@app.command(
    rich_help_panel=LOOK,
    epilog="cambrian robustness runs/images-1\n"
    "cambrian robustness runs/images-1 --images 200 --steps 50 --restarts 5",
)
def robustness(
    run: Run,
    images: Annotated[int | None, count("Use so many images of the test part.")] = None,
    kinds: Annotated[
        str | None,
        typer.Option(help="Corruptions, as fog,jpeg [default: all 15].", metavar="NAMES", show_default=False),
    ] = None,
    eps: Annotated[
        float, typer.Option(help="The attack's largest change of a number, of a range of 0 to 1.")
    ] = 8 / 255,
    steps: Annotated[int, typer.Option(help="Steps of the attack.")] = 20,
    step: Annotated[float, typer.Option(help="The change of a step.")] = 2 / 255,
    restarts: Annotated[int, typer.Option(help="Attacks of each image, of which the worst counts.")] = 1,
    seed: Annotated[int, count("The same seed gives the same images.", least=0)] = 0,
    as_json: Json = False,
) -> None:
    """Test the trained network on corrupted and on attacked test images."""
    from rich.console import Console

    from cambrian.cli.display.counting import show_steps
    from cambrian.reports.robustness import robustness as measure
    from cambrian.search.result import Result

    names = [name.strip() for name in (kinds or "").split(",") if name.strip()]
    with show_steps(Console(stderr=True)) as show:
        measured = measure(
            Result.open(run),
            kinds=names,
            images=images,
            eps=eps,
            steps=steps,
            step=step,
            restarts=restarts,
            seed=seed,
            watch=show,
        )
    give(measured) if as_json else _show(measured)


def _show(measured: Robustness) -> None:
    width = max(map(len, measured.corrupted))
    say(f"{'severity':{width}}       1      2      3      4      5   mean")
    for kind, numbers in measured.corrupted.items():
        cells = "".join(f"{100 * number:7.1f}" for number in (*numbers, sum(numbers) / len(numbers)))
        say(f"{kind:{width}} {cells}")
    attack = measured.attack
    words = f"eps {attack['eps']:.4g}, {attack['steps']:.0f} steps of {attack['step']:.4g}"
    say(f"accuracy as they are: {100 * measured.clean:.2f} % of {measured.images:,} test images")
    say(f"mean corruption accuracy: {100 * measured.mean:.2f} %, seed {measured.seed}")
    say(f"under attack (PGD, {words}, restarts {attack['restarts']:.0f}): {100 * measured.attacked:.2f} %")
