"""The engine of a search: the one that is named, with so many workers, or the usual one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cambrian.errors import Unread, UsageError, did_you_mean
from cambrian.registry import name_of
from cambrian.search.engines import ENGINES
from cambrian.search.engines.engine import Engine
from cambrian.search.parts.components import spec_of
from cambrian.search.parts.devices import usual_workers
from cambrian.spec_text import read_arguments, split_call

OWN_PROCESS = "for trials in processes of their own"


def choose_engine(
    engine: Engine | str | None,
    workers: int | None,
    space: Any,
    estimators: Mapping[str, Any],
    *,
    memory: int | None = None,
    device: str = "cpu",
) -> tuple[Engine, str | None]:
    """The engine of that name, and a notice where it is another one than was asked for: components that
    another process cannot load by name run serially, of which the caller warns. Where none is named, it is
    `processes` for several workers, and for a bound on the `memory` of a trial, which this process could not
    keep; else `serial`. `space` may be left open (None) by whoever will take one of ours.
    Raises MissingExtra, UsageError, Unread for a number of workers or a bound that the engine does not
    have."""
    if engine is None:
        workers = workers or 1
        engine = "serial" if workers == 1 and memory is None else "processes"
    chosen = make_engine(engine, workers, usual_workers(device)) if isinstance(engine, str) else engine
    if not isinstance(chosen, Engine):
        raise UsageError(f"an engine is a name, such as 'ray(gpus=0.5)', or an Engine, got {chosen!r:.80}")
    _check_workers(chosen, workers, engine)
    if memory is not None and not chosen.bounds_memory:
        raise Unread(["memory"], f"{OWN_PROCESS}, and the engine {name_of(chosen)} gives them none")
    # A process loads components by name; an object of this one cannot be sent, since nothing is pickled.
    nameless = _find_nameless(space, estimators)
    if nameless is not None and chosen.elsewhere:
        reason = f"the {nameless} has no name another process could load it by"
        if memory is not None:
            raise Unread(["memory"], f"{OWN_PROCESS}, and {reason}")
        notice = f"{reason}, so the search runs serially: define it in a module to use several workers"
        return make_engine("serial"), notice
    chosen.require()
    return chosen, None


def make_engine(text: str, workers: int | None = None, usual: int | None = None) -> Engine:
    """The engine that a text describes, as `processes` or `ray(gpus=0.5)`. Where the text names no number of
    workers and the engine has one, it is `workers`, or else `usual`. Raises UsageError."""
    name, inside = split_call(text, "engine")
    settings = read_arguments(inside, "engine", text)
    entry = ENGINES.get(name)
    _check_engine(name, entry)
    count = workers or usual
    # Of an engine that a module holds ready-made its own number is the usual one.
    counted = "workers" in {field.name for field in dataclasses.fields(entry)}
    if counted and count is not None and (workers is not None or isinstance(entry, type)):
        settings = {"workers": count, **settings}
    engine: Engine = ENGINES.make({"name": name, "arguments": settings})
    return engine


def _check_engine(name: str, entry: Any) -> None:
    """Raise UsageError for what is no engine that settings can be given to."""
    kind = entry if isinstance(entry, type) else type(entry)
    if not issubclass(kind, Engine):
        called = getattr(entry, "__name__", kind.__name__)
        raise UsageError(
            f"{name!r} is no engine but {called!r}: an engine is a dataclass derived from"
            f" cambrian.search.engines.engine.Engine{did_you_mean(name, ENGINES.names())}"
        )
    if not dataclasses.is_dataclass(kind):
        raise UsageError(f"the engine {name!r} is no dataclass: write @dataclass(eq=False) above its class")


def _check_workers(engine: Engine, workers: int | None, said: Engine | str) -> None:
    """Raise Unread for another number of workers than the engine has."""
    if workers is None or workers == engine.slots:
        return
    name = said if isinstance(said, str) else name_of(engine)
    trials = "1 trial" if engine.slots == 1 else f"{engine.slots} trials"
    raise Unread(["workers"], f"{workers}, and the engine {name} runs {trials} at a time")


def _find_nameless(space: Any, estimators: Mapping[str, Any]) -> str | None:
    """The kind of the first component that no other process could load; a space that is left open has a
    name."""
    components = [] if space is None else [("space", space)]
    components += [("estimator", each) for each in estimators.values()]
    return next((kind for kind, each in components if spec_of(kind, each) is None), None)
