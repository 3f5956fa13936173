"""The engine that `--engine` and `--ray-address` name."""

from __future__ import annotations

import json

from cambrian.errors import UnknownName, UsageError
from cambrian.registry import split_call


def read_engine(engine: str | None, ray_address: str | None) -> str | None:
    """The text that describes the engine, with the address among its settings; None leaves the choice open.

    >>> read_engine("ray(gpus=0.5)", "auto")
    'ray(gpus=0.5, address="auto")'
    """
    from cambrian.search.engines import ENGINES

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
