"""What a search is made of: components from names, names from components, and whether a run that is
resumed is the run that was started."""

from __future__ import annotations

import os
import platform
import sys
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from inspect import isroutine
from pathlib import Path
from typing import Any, cast

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, describe_question
from cambrian.codec import encode
from cambrian.errors import CambrianError, Rejected, RunChanged, RunError, UsageError
from cambrian.problem import Objective
from cambrian.randomness import stream
from cambrian.search.planning.budget import Budget
from cambrian.search.program_code import VERSION, code_parts, edited
from cambrian.spaces.knowledge import Encodes, Grows, know
from cambrian.spaces.space import Space

LEDGER = "ledger.sqlite"


@cache
def versions() -> dict[str, str]:
    """What the figures depend on; packages that are not imported are named all the same."""
    from importlib.metadata import version

    found = {p: version(p) for p in ("cambrian", "torch", "numpy", "scipy")}
    return {
        **found,
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def component(kind: str, given: Any) -> Any:
    if isinstance(given, str | Mapping):
        return registry(kind).make(given)
    if kind == "space":
        _check_space(given)
    if callable(given) and kind == "estimator" and not hasattr(given, "run"):
        from cambrian.estimators.function import Function

        return Function(given)
    return given


def _check_space(given: Any) -> None:
    """Raise UsageError for what is nearly a space."""
    name = getattr(given, "__name__", type(given).__name__)
    if isinstance(given, type):
        raise UsageError(f"a space is an object, got the class {name}: give {name}(...)")
    if not (callable(getattr(given, "walk", None)) and callable(getattr(given, "build", None))):
        mend = ": write @cambrian.space above it" if isroutine(given) else ""
        raise UsageError(f"a space asks questions and builds networks, got {name}, which is none{mend}")


def space_for(given: Any, task: Any) -> Space:
    """The space of that name or description, whose questions are those for the task's images, where there
    is a task."""
    found: Any = component("space", given)
    fit = getattr(found, "for_task", None)  # a space of one's own need not have it
    fitted: Space = found if fit is None or task is None else fit(task)
    return fitted


def registry(kind: str) -> Any:
    from cambrian.estimators import ESTIMATORS
    from cambrian.spaces import SPACES
    from cambrian.strategies import STRATEGIES

    return {"space": SPACES, "strategy": STRATEGIES, "estimator": ESTIMATORS}[kind]


FEW = 300
"""Trials up to which Bayesian optimisation is the usual strategy: measured in RESULTS.md."""


def usual(space: Space, trials: int | None) -> str:
    """The strategy of a search that names none."""
    grows = know(space, Grows) is not None and know(space, Encodes) is not None
    return "progressive" if grows and (trials is None or trials > FEW) else "bayes"


def spec_of(kind: str, component: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = registry(kind).spec(component)
    return found


def identity_of(component: Any) -> str:
    """What tells a component that has no name from another: its type, and of a function the code."""
    function: Any = getattr(component, "function", None)
    code = getattr(function, "__code__", None)
    if code is None:
        return type(component).__qualname__
    text = repr((code.co_code, code.co_names, [c for c in code.co_consts if not hasattr(c, "co_code")]))
    return f"{function.__qualname__} {zlib.crc32(text.encode()):08x}"


def task_of(given: Any) -> Any:
    """A task made by hand gets the digest that `load` gives, so that other data are noticed."""
    if given is None:
        return None
    from cambrian.tasks import load
    from cambrian.tasks.statistics import digest
    from cambrian.tasks.task import Task

    if not isinstance(given, Task):
        return load(given)
    return given if given.digest else replace(given, digest=digest(given))


def published_architectures(space: Space) -> dict[str, Architecture]:
    """By name, those that this space holds."""
    from cambrian.spaces.published import published_in

    return published_in(space)


def remedy(need: str) -> str:
    return {
        "Grows": "ask for a depth with pick.depth, or use a strategy such as random",
        "Encodes": "give it tokens, or use a strategy such as random",
    }.get(need, "choose another space or another strategy")


def questions(space: Space, walks: int = 16) -> dict[str, Any]:
    """What the space asks on seeded walks, by path: so that a changed space can be told how it changed."""
    found: dict[str, Any] = {}

    for n in range(walks):
        rng = stream(0, "questions", n)

        def decide(choice: Choice, rng: Any = rng) -> Answer:
            asked = describe_question(choice)
            found.setdefault(asked.pop("path"), asked)
            return choice.draw(rng)

        with suppress(Rejected):
            space.walk(decide)
    return found


def same_settings(old: dict[str, Any], new: dict[str, Any], path: Path | None) -> None:
    """Raises RunChanged with what differs."""
    old, new = dict(old), dict(new)
    changes = _edits(old.pop("code", None), new.pop("code", None)) if old["space"] == new["space"] else []
    if old["space"] != new["space"]:  # then the questions are others, of course
        old, new = ({k: v for k, v in s.items() if k not in _QUESTIONS} for s in (old, new))
    named = [kind for kind in ("space", "strategy", "estimator") if old.get(kind)]
    old |= {kind: _with_new_fields(kind, old[kind]) for kind in named}
    changes += _differences(old, new, "")
    if changes:
        more = f" and {len(changes) - 8} more" if len(changes) > 8 else ""
        raise RunChanged(
            f"{path.parent if path else 'the run'} was started with other settings:"
            f" {'; '.join(changes[:8])}{more}. Give the same settings, or another run directory"
        )


def _with_new_fields(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The spec of a component as it would be written now: settings that it did not have when the run was
    begun have their defaults."""
    if "name" not in spec:
        return spec
    try:
        made = spec_of(kind, component(kind, spec))
    except CambrianError:
        return spec
    return spec if made is None else cast("dict[str, Any]", msgspec.json.decode(encode(made)))


def code_of(*components: object) -> dict[str, Any]:
    """What tells the user's own code that components are made of from what it is after an edit."""
    parts: dict[str, str] = {}
    for each in components:
        parts |= code_parts(each)
    return {"python": VERSION, "parts": parts}


def _edits(old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[str]:
    """A phrase for code that was edited; none where that cannot be told, as by another version of Python."""
    if old is None or new is None or old["python"] != new["python"]:
        return []
    names = edited(old["parts"], new["parts"])
    return [f"the code of {listed_names(names)} was edited"] if names else []


def listed_names(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


_QUESTIONS = ("questions", "fingerprint", "code")
_SAID = {
    "fingerprint": "the space's program asks other questions than it did",
    "task.digest": "the data or their split are others",
}


def _differences(old: Any, new: Any, where: str) -> list[str]:
    if old == new:
        return []
    if where in _SAID:
        return [_SAID[where]]
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            phrase
            for k in sorted({*old, *new})
            for phrase in _differences(old.get(k), new.get(k), f"{where}.{k}" if where else k)
        ]
    return [f"{where} was {_brief(old)}, now {_brief(new)}"]


def _brief(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def resume_search(search: Any, directory: Path, budget: Any) -> Any:
    """A `search` object with what the run in `directory` remembers."""
    from cambrian.outcome import Fidelity
    from cambrian.search.ledger.ledger import Ledger
    from cambrian.search.loop.final_stage import Final
    from cambrian.tasks.task import Task

    ledger = Ledger.read(directory / LEDGER)
    facts = ledger.facts()
    ledger.close()
    if "settings" not in facts:
        raise RunError(f"{directory} was never started: nothing to resume")
    parts = {kind: facts["settings"][kind] for kind in ("space", "strategy", "estimator")}
    for kind, spec in parts.items():
        if "name" not in spec:
            raise RunError(
                f"the {kind} of {directory} has no name it could be loaded by: continue the run from"
                " the program that began it"
            )
    engine = facts["engine"]
    return search(
        **parts,
        task=Task.open(directory / "task") if facts["settings"]["task"] else None,
        budget=budget if budget is not None else msgspec.convert(facts["budget"], Budget),
        seed=facts["settings"]["seed"],
        workers=engine["workers"],
        lag=facts["settings"]["lag"],
        fidelity=msgspec.convert(facts["settings"]["fidelity"], Fidelity),
        final=msgspec.convert(facts["final"], Final | None),
        limits=facts["settings"]["limits"],
        timeout=engine["timeout"],
        memory=engine["memory"],
        device=facts["device"],
        minimize=facts["settings"].get("minimize", False),
        estimators=facts["settings"].get("estimators"),
        objectives=msgspec.convert(facts["settings"].get("objectives", []), list[Objective]),
        order=facts["settings"].get("order", "number"),
    )
