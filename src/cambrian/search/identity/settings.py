"""The settings of a search as its run remembers them: written when it begins, read when it is resumed."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Answer, Choice, describe_question
from cambrian.errors import Rejected, RunError
from cambrian.estimators.tabular import read_content
from cambrian.problem import Objective
from cambrian.randomness import stream
from cambrian.search.engines import ENGINES
from cambrian.search.identity.program_code import VERSION, code_parts
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.search.loop.order import NUMBER
from cambrian.search.parts.components import identity_of, spec_of, specs_of
from cambrian.search.parts.devices import check_device
from cambrian.search.parts.direction import objective_name
from cambrian.search.parts.engine_choice import make_engine
from cambrian.search.planning.budget import Budget
from cambrian.spaces.space import Space, fingerprint

if TYPE_CHECKING:
    from cambrian.search.search import Search


@cache
def versions() -> dict[str, str]:
    """The versions and the machine on which figures depend."""
    # From the packages' metadata, since importing torch for its version would take a second.
    from importlib.metadata import version

    packages = {p: version(p) for p in ("cambrian", "torch", "numpy", "scipy")}
    return {
        **packages,
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def describe_settings(search: Search) -> dict[str, Any]:
    """All that must be the same when a run is resumed, as JSON."""
    return {
        "space": describe_component("space", search.space),
        "questions": questions(search.space),
        "fingerprint": fingerprint(search.space),
        "code": code_of(search.space, search.strategy, search.estimator),
        "strategy": describe_component("strategy", search.strategy),
        "estimator": describe_component("estimator", search.estimator),
        "task": describe_data(search.task),
        "fidelity": msgspec.to_builtins(search.fidelity),
        "limits": search.limits,
        "seed": search.seed,
        "lag": search.lag,
        **_describe_newer(search),
    }


def _describe_newer(search: Search) -> dict[str, Any]:
    """The settings that older runs do not have. Those at their defaults are left out, so that an older run
    still agrees with the same search."""
    others = {name: spec for name, spec in specs_of(search.estimators).items() if name}
    newer = {
        "minimize": search.minimize,
        "estimators": others,
        "objectives": [msgspec.to_builtins(o) for o in search.more_objectives],
        "order": "" if search.order == NUMBER else search.order,
        "reference": search.reference,
        "table": read_content(search.estimator),
        "begins": {name: begun.to_json() for name, begun in search.begins.items()},
    }
    # A reference of 0 is a value; every other default is empty or False.
    return {name: value for name, value in newer.items() if value or (name == "reference" and value == 0.0)}


def describe_component(kind: str, component: Any) -> dict[str, Any]:
    """Its spec, or for one without a name, its identity."""
    return spec_of(kind, component) or {"unnamed": identity_of(component)}


def describe_data(task: Any) -> dict[str, str] | None:
    """The name and the digest of a task."""
    return None if task is None else {"name": task.name, "digest": task.digest}


def questions(space: Space, walks: int = 16) -> dict[str, Any]:
    """The questions of the space on seeded walks, by path, from which a changed space shows how it
    changed."""
    descriptions: dict[str, Any] = {}

    for n in range(walks):
        rng = stream(0, "questions", n)

        def decide(choice: Choice, rng: Any = rng) -> Answer:
            asked = describe_question(choice)
            descriptions.setdefault(asked.pop("path"), asked)
            return choice.draw(rng)

        with suppress(Rejected):
            space.walk(decide)
    return descriptions


def code_of(*components: object) -> dict[str, Any]:
    """Hashes of the user's own code in the components, by which an edit is noticed."""
    parts: dict[str, str] = {}
    for each in components:
        parts |= code_parts(each)
    return {"python": VERSION, "parts": parts}


def read_objectives(settings: Mapping[str, Any], task: Any) -> tuple[Objective, ...]:
    """All objectives of the run with these settings, the values first."""
    name = objective_name(settings.get("estimator", {}), task)
    first = Objective(name, settings.get("minimize", False), settings.get("reference"))
    return (first, *msgspec.convert(settings.get("objectives", []), list[Objective]))


def resume_search(
    search: Any,
    directory: Path,
    budget: Any,
    choose: str | None = None,
    engine: Any = None,
    own: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> Any:
    """A `search` object with the settings of the run in `directory`; `choose` names another network than
    its own conditions did, `engine` another engine, `device` another device. `own` are components,
    as "space", for those of the run that have no name. Raises RunError for a run that never began, or with
    another component that has no name, UsageError for another kind of device where measures were taken on
    the one before."""
    from cambrian.outcome import Fidelity
    from cambrian.search.ledger.store import ROOM
    from cambrian.search.loop.attempts import ATTEMPTS
    from cambrian.search.loop.final import Final
    from cambrian.tasks.task import Task

    ledger = Ledger.read(directory / LEDGER)
    facts = ledger.facts()
    ledger.close()
    if "settings" not in facts:
        raise RunError(f"{directory} was never started: nothing to resume")
    parts = {kind: facts["settings"][kind] for kind in ("space", "strategy", "estimator")}
    given = {kind: each for kind, each in (own or {}).items() if each is not None}
    for component in _list_nameless(facts["settings"]):
        if component not in given:
            raise RunError(explain_resuming(str(directory), facts))
        parts[component] = given[component]
    begun = facts["engine"]
    resumed = _choose_engine(begun, engine)
    task = Task.open(directory / "task") if facts["settings"]["task"] else None
    resumed_search = search(
        **parts,
        task=task,
        budget=budget if budget is not None else msgspec.convert(facts["budget"], Budget),
        seed=facts["settings"]["seed"],
        engine=resumed,
        workers=begun["workers"] if resumed is None else None,
        lag=facts["settings"]["lag"],
        fidelity=msgspec.convert(facts["settings"]["fidelity"], Fidelity),
        final=msgspec.convert(facts["final"], Final | None),
        limits=facts["settings"]["limits"],
        timeout=begun["timeout"],
        memory=begun["memory"],
        attempts=begun.get("attempts", ATTEMPTS),
        room=begun.get("room", ROOM),
        device=device or facts["device"],
        # Older runs do not have these: their defaults then (see `_describe_newer`).
        minimize=facts["settings"].get("minimize", False),
        estimators=facts["settings"].get("estimators"),
        objectives=read_objectives(facts["settings"], task),
        choose=choose or facts.get("choose"),
        order=facts["settings"].get("order", "number"),
        begin_with=facts["settings"].get("begins"),
    )
    check_device(resumed_search, facts["device"], directory)
    return resumed_search


def explain_resuming(place: str, facts: Mapping[str, Any]) -> str:
    """How the run with these facts goes on: by a command, which has `place` as a shell takes it, or where a
    component has no name that one could load it by, in the program that began it."""
    nameless = _list_nameless(facts["settings"])
    if not nameless:
        return f"go on with: cambrian resume {place}"
    return (
        f"the {nameless[0]} of {place} has no name it could be loaded by: continue the run from the program"
        " that began it"
    )


def _list_nameless(settings: Mapping[str, Any]) -> list[str]:
    """The components that only the program of the user's has, as "space" or "estimator 'cheap'"."""
    parts = {kind: settings.get(kind) for kind in ("space", "strategy", "estimator")}
    others = {f"estimator {name!r}": spec for name, spec in settings.get("estimators", {}).items()}
    return [kind for kind, spec in (parts | others).items() if not spec or "name" not in spec]


def _choose_engine(begun: Mapping[str, Any], engine: Any) -> Any:
    """The engine of a resumed run: the named one, where its text says no other with as many workers, else the
    one that it was begun on. None for an older run, which follows from the number of workers."""
    if isinstance(engine, str):
        return make_engine(engine, usual=begun["workers"])
    if engine is not None or "on" not in begun:
        return engine
    return ENGINES.make(begun["on"])
