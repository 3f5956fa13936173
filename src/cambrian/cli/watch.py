"""`watch`: a run in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from cambrian.cli.app import Run, app, say
from cambrian.cli.display.panels import LOOK
from cambrian.cli.options.numbers import count


@app.command(
    rich_help_panel=LOOK, epilog="cambrian watch runs/images-1\ncambrian watch runs/images-1 --port 8000"
)
def watch(
    run: Run,
    port: Annotated[int, count("The port of this machine [default: any that is free].", least=0)] = 0,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address and open no browser.")
    ] = False,
) -> None:
    """Show a run in a browser, while it works or after.

    The page follows the run as its trials end. It is served to this machine alone, to whoever has the token
    in the address that is printed; from another machine, ssh -L PORT:127.0.0.1:PORT leads to it."""
    from cambrian.watching.server import has_browser, serve

    def announce(address: str) -> None:
        if not run.exists():
            say(f"{run} is not there yet: the page waits for it")
        say(f"watching {run}, until Ctrl-C: {address}")
        if not no_open and has_browser():
            import webbrowser

            webbrowser.open(address)

    serve(run, port, announce)
