"""The engine that `--engine` and `--ray-address` name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cambrian.cli.options.headings import MACHINE
from cambrian.cli.options.numbers import count
from cambrian.errors import UnknownName, UsageError
from cambrian.spec_text import split_call

Workers = Annotated[
    int | None,
    count("Train so many networks at a time [default: the cores, or the GPUs].", rich_help_panel=MACHINE),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME|NAME(setting=value, ...)",
        help="Where networks are trained: serial, processes of this machine, or ray, the machines of a Ray"
        " cluster, as 'ray(gpus=0.5)'.",
        show_default="processes, serial for a single worker",
        rich_help_panel=MACHINE,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="The Ray cluster that --engine ray joins; left out, it begins one on this machine.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=MACHINE)]
OtherDevice = Annotated[
    str | None,
    typer.Option(
        help="Go on on this device: auto, cpu or cuda. Refused where a limit or an objective was measured on"
        " another one.",
        show_default="that of the run",
        rich_help_panel=MACHINE,
    ),
]


def read_engine(
    engine: str | None, ray_address: str | None, begun: Mapping[str, Any] | None = None
) -> str | None:
    """The text that describes the engine, with the address among its settings; None leaves the choice open.
    An address alone is another one for the engine that a resumed run was `begun` on, a spec, if that is Ray.

    >>> read_engine("ray(gpus=0.5)", "auto")
    'ray(gpus=0.5, address="auto")'
    >>> read_engine(None, "auto", {"name": "ray", "arguments": {"workers": 3, "address": None}})
    'ray(workers=3, address="auto")'
    """
    from cambrian.search.engines import ENGINES

    if engine is None and ray_address is not None:
        engine = _write_ray(begun or {})
    name, inside = split_call(engine or "ray", "engine")
    if name not in ENGINES.names() and ":" not in name:
        raise UnknownName("engine", name, ENGINES.names())
    if ray_address is None:
        return engine
    if name != "ray":
        raise UsageError(
            f"--ray-address is for --engine ray, and the engine is {name}: leave one of them out"
        )
    settings = [*([inside] if inside else []), f"address={json.dumps(ray_address)}"]
    return f"ray({', '.join(settings)})"


def _write_ray(begun: Mapping[str, Any]) -> str:
    """The engine `ray` as a text, with all settings but the address that it has in the spec `begun`."""
    if begun.get("name") != "ray":
        return "ray"
    kept = {name: value for name, value in begun["arguments"].items() if name != "address"}
    return f"ray({', '.join(f'{name}={json.dumps(value)}' for name, value in kept.items())})"
