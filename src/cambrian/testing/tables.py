"""The tables of all components, as `docs/components.md` shows them:
`python -m cambrian.testing.tables > docs/components.md`.

They come from the registries and from each file's own docstring, so that a component is in them as soon as
its registry has its line.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from cambrian.curves import CURVE_MODELS
from cambrian.descriptions import first_sentence
from cambrian.estimators import ESTIMATORS
from cambrian.networks.measure import MEASURES
from cambrian.networks.sharing.methods import SUPERNET_METHODS
from cambrian.networks.trained import TRAINED_METRICS
from cambrian.predictors import PREDICTORS
from cambrian.registry import Registry
from cambrian.search.engines import ENGINES
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.testing.markdown import write_table

REGISTRIES: dict[str, Registry] = {
    "Spaces": SPACES,
    "Strategies": STRATEGIES,
    "Estimators": ESTIMATORS,
    "Predictors": PREDICTORS,
    "Curve models": CURVE_MODELS,
    "Engines": ENGINES,
    "Measures": MEASURES,
    "Metrics of trained networks": TRAINED_METRICS,
    "Ways to train a supernet": SUPERNET_METHODS,
}

TRAITS = {"deviates": "says how unsure it is", "builds": "builds networks", "delivers": "leaves one trained"}
"""Attributes of components in a table's words."""

HEAD = """# Components

Made by `python -m cambrian.testing.tables > docs/components.md`; a test holds it to be current. A component
of yours needs no line here: `module:Class` names it, on the command line and in Python, and one line in the
registry of its kind gives it a short name. [matrix.md](matrix.md) says which strategies work on which spaces.
"""


def page() -> str:
    """The whole document, in Markdown."""
    parts = [f"## {title}\n\n{list_components(registry)}\n" for title, registry in REGISTRIES.items()]
    return "\n".join([HEAD, *parts])


def list_components(registry: Registry) -> str:
    """A row for each name: its place, its file's sentence with the paper, the class's sentence with the
    settings, and its needs."""
    rows = [_describe(registry, name) for name in registry.names()]
    return write_table(["name", "place", "what it is, and whose", "settings, in a line", "needs"], rows)


def _describe(registry: Registry, name: str) -> list[str]:
    component = registry.get(name)
    module, _, attribute = registry.target(name).partition(":")
    cls = component if isinstance(component, type) else type(component)
    written = (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # by `dataclass`, where nobody wrote one
    return [
        f"`{name}`",
        f"`{module.removeprefix('cambrian.')}:{attribute}`",
        _in_cell(sys.modules[module].__doc__),
        "; ".join(filter(None, [_list_changes(component), _in_cell(None if written else cls.__doc__)])),
        ", ".join(_list_needs(registry, component)),
    ]


def _list_needs(registry: Registry, component: Any) -> list[str]:
    """The knowledge of spaces that it needs, and its traits. A strategy's needs may depend on its settings:
    these are of the defaults."""
    needs = getattr(component, "needs", ())
    # A property on the class is not a tuple: its value is an object's.
    if not isinstance(needs, tuple):
        component = component()
        needs = component.needs
    traits = [words for name, words in TRAITS.items() if getattr(component, name, False) is True]
    return [*(need.__name__ for need in needs), *traits]


def _list_changes(component: Any) -> str:
    """The settings of a name that stands for a class with other settings than its defaults."""
    if isinstance(component, type):
        return ""
    settings = {f.name: (f.default, getattr(component, f.name)) for f in dataclasses.fields(component)}
    kept = {name: value for name, (default, value) in settings.items() if default is not dataclasses.MISSING}
    return ", ".join(f"`{name}={value}`" for name, value in kept.items() if value != settings[name][0])


def _in_cell(text: str | None) -> str:
    """The first sentence; a bar would end the table's cell."""
    return first_sentence(text).replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
