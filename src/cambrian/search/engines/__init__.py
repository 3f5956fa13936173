"""Engines by name."""

from cambrian.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "serial": "cambrian.search.engines.serial:Serial",
        "processes": "cambrian.search.engines.processes:Processes",
        "ray": "cambrian.search.engines.ray:Ray",
    },
)
