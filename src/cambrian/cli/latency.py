"""`latency`: a few networks measured on a device, and a table that predicts the latency of all others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.app import Json, app, give, say
from cambrian.cli.display.panels import MACHINE
from cambrian.cli.listing import complete
from cambrian.cli.options.data import Data, Read, Size, Target, load_task
from cambrian.cli.options.engines import Device
from cambrian.cli.options.numbers import count
from cambrian.cli.options.run import Seed
from cambrian.errors import UsageError


@app.command(
    rich_help_panel=MACHINE,
    epilog="cambrian latency path/to/images --space nasbench201 --out phone.json\n"
    'cambrian search path/to/images --limit "predicted_latency(table=phone.json)=5ms"',
)
def latency(
    data: Data = "digits",
    space: Annotated[
        str, typer.Option(help="The space of the networks.", autocompletion=complete("spaces"))
    ] = "pnas",
    measurements: Annotated[int, count("Random networks to measure.", least=5)] = 20,
    measure: Annotated[
        str,
        typer.Option(help="What is measured: latency(threads=2), or a function of yours, module:function."),
    ] = "latency",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("latency.json"),
    filters: Annotated[int | None, count("Filters of the first cells.")] = None,
    cells: Annotated[int | None, count("Cells in all.")] = None,
    size: Size = None,
    read: Read = None,
    target: Target = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a few networks here and predict the latency of all others of a space from their operations."""
    import msgspec

    from cambrian.files import check_target, write_file
    from cambrian.search.latency.latency_sample import measure_sample
    from cambrian.search.parts.components import space_for
    from cambrian.search.parts.devices import choose_device
    from cambrian.spaces import SPACES

    check_target(out)
    task = load_task(data, None, None, size, seed, read, target)
    skeleton = {k: v for k, v in {"filters": filters, "cells": cells}.items() if v is not None}
    place = space_for(SPACES.parse(space), task)
    table = measure_sample(place, task, measurements, measure, choose_device(device), seed, skeleton)
    try:
        write_file(out, msgspec.json.format(msgspec.json.encode(table)))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
    if as_json:
        give(table)
        return
    say(
        f"{table.measurements} networks of {space} measured by {measure} on {table.device}; each predicted"
        f" from the others: rank correlation {table.rank_correlation:.2f}"
    )
    say(f'wrote {out}: use it as --limit "predicted_latency(table={out})=5ms", or among --objectives')
