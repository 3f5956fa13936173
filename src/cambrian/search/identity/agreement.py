"""Whether a run that is resumed is the run that was begun, and in which settings it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from cambrian.codec import encode
from cambrian.errors import CambrianError, RunChanged
from cambrian.search.engines import ENGINES
from cambrian.search.engines.engine import Engine
from cambrian.search.identity.program_code import find_edits
from cambrian.search.identity.settings import questions, versions
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.parts.components import component, spec_of
from cambrian.spaces.space import Space, fingerprint

if TYPE_CHECKING:
    from cambrian.search.search import Search

# Facts that another space changes with it, so that they say nothing beside "space was A, now B".
_QUESTIONS = ("questions", "fingerprint", "code")
_SAID = {
    "fingerprint": "the space's program asks other questions than it did",
    "task.digest": "the data or their split are others",
    "table": "the table's file has changed",
}


def agree(search: Search, ledger: Ledger) -> dict[str, Any]:
    """Let the ledger be of a run with the settings of `search`, whose lag becomes the run's where it was left
    open. Returns the settings that the run was begun with. Raises RunChanged for a run with others."""
    facts = ledger.facts()
    begun: dict[str, Any] | None = facts.get("settings")
    if begun is not None:
        search.lag = begun["lag"] if search.lag_is_open else search.lag
        same_settings(begun, msgspec.json.decode(encode(search.settings())), ledger.path)
    # The settings as begun stay: keys of trials are made of them. All else is of the latest session.
    ledger.remember(
        settings=begun or search.settings(),
        budget=search.budget,
        final=search.final,
        **({} if search.choose is None else {"choose": search.choose}),
        engine={
            "workers": search.engine.slots,
            "timeout": search.timeout,
            "memory": search.memory,
            "attempts": search.attempts,
            "room": search.room,
            **_describe_engine(search.engine),
        },
        device=search.device,
        versions=versions(),
        planned=facts.get("planned", search.budget.trials),
        # Of an older run the first budget's seconds are not known: those of the one before this are.
        planned_seconds=facts.get("planned_seconds", _seconds(facts.get("budget"), search.budget.seconds)),
        **search.remarks,
    )
    return begun or {}


def _describe_engine(engine: Engine) -> dict[str, Any]:
    """The engine with its settings, which a resumed run looks for again."""
    spec = ENGINES.spec(engine)
    return {} if spec is None else {"on": spec}


def _seconds(budget: dict[str, Any] | None, otherwise: float | None) -> float | None:
    return otherwise if budget is None else budget.get("seconds")


def same_settings(old: dict[str, Any], new: dict[str, Any], path: Path | None) -> None:
    """Raises RunChanged, naming the settings that differ."""
    old, new = dict(old), dict(new)
    if "table" not in old:  # of an older run, whose file nobody knows
        new.pop("table", None)
    # Code is compared by its parts, and only of one space: of another one, all of it differs.
    changes = _edits(old.pop("code", None), new.pop("code", None)) if old["space"] == new["space"] else []
    if old["space"] != new["space"]:
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


def same_questions(begun: Mapping[str, Any], space: Space, place: Path) -> None:
    """Raises RunChanged, naming the questions that differ, where the run in `place`, begun with these
    settings, is not of a space with the questions of `space`."""
    if begun["fingerprint"] == fingerprint(space):
        return
    old, new = begun["questions"], msgspec.json.decode(encode(questions(space)))
    names = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
    what = f"they differ in {list_names(names)}" if names else "they are asked in other cases"
    raise RunChanged(f"{place} was searched in a space with other questions than the given one: {what}")


def _with_new_fields(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The spec of a component as it would be written now: settings that it did not have when the run was
    begun have their defaults."""
    if "name" not in spec:
        return spec
    # By making the component: only its constructor knows the defaults. One that cannot be made any more is
    # compared as it was written.
    try:
        present = spec_of(kind, component(kind, spec))
    except CambrianError:
        return spec
    return spec if present is None else cast("dict[str, Any]", msgspec.json.decode(encode(present)))


def _edits(old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[str]:
    """A phrase for code that was edited; none where another version of Python makes that uncertain."""
    if old is None or new is None or old["python"] != new["python"]:
        return []
    names = find_edits(old["parts"], new["parts"])
    return [f"the code of {list_names(names)} was edited"] if names else []


def list_names(names: Sequence[str], most: int = 4) -> str:
    """The first names in words, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _differences(old: Any, new: Any, where: str) -> list[str]:
    """A phrase for each leaf that differs, with its path `where`."""
    if old == new:
        return []
    if where in _SAID:
        gone = where == "table" and new is None
        return ["the table's file is not where it was" if gone else _SAID[where]]
    names = [_name(spec) for spec in (old, new)]
    if None not in names and names[0] != names[1]:
        # The settings of another component say nothing beside its name.
        return [f"{where} was {names[0]}, now {names[1]}"]
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            phrase
            for k in sorted({*old, *new})
            for phrase in _differences(old.get(k), new.get(k), f"{where}.{k}" if where else k)
        ]
    return [f"{where} was {_brief(old)}, now {_brief(new)}"]


def _name(spec: Any) -> str | None:
    """The name of the component that has this spec, or of one without a spec; None for all else."""
    if not isinstance(spec, dict) or not spec.keys() <= {"name", "arguments", "unnamed"}:
        return None
    return spec.get("name", spec.get("unnamed"))


def _brief(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
