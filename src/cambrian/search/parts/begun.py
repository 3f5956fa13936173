"""The networks that a search begins with: named ones, or the best of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import IllegalArchitecture, UsageError
from cambrian.registry import name_of
from cambrian.spaces.knowledge import Begins, know, name_function
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.search.result import Result

BEST = 5
"""The networks of an earlier run that are measured again: further down, which are the best is chance."""


def read_begun(given: Any, space: Space) -> dict[str, Architecture]:
    """Architectures of `space` by the names that reports give them: of a Result or the directory of a run its
    winner and the best of its trials, BEST in all, as RUN/NUMBER; of a mapping the names are the user's; of a
    sequence "given 1" and so on; each once. Raises UsageError where a run has no network of this space,
    IllegalArchitecture for another architecture that is not of it."""
    if given is None:
        return {}
    if is_run(given):
        return _read_run(given, space)
    own = know(space, Begins)
    begun: dict[str, Architecture] = {}
    for name, answers in _name_given(given).items():
        if own is not None and name in own.begins:
            raise UsageError(
                f"begin_with: the space begins with a network {name!r} itself: give another name to yours"
            )
        try:
            fitting = replay(space, Architecture.from_json(dict(answers)))
        except IllegalArchitecture as error:
            raise IllegalArchitecture(
                f"begin_with: {name} is not of the space {name_of(space)}: {error}"
            ) from error
        if fitting not in begun.values():
            begun[name] = fitting
    return begun


def is_run(given: Any) -> bool:
    """Whether it is an earlier run, and not architectures."""
    from cambrian.search.result import Result

    return isinstance(given, str | os.PathLike | Result)


def describe_begun(given: Any) -> Any:
    """The path of the run, or the architectures by their names: to tell whether two searches begin alike."""
    if given is None:
        return None
    if is_run(given):
        return str(Path(getattr(given, "directory", given) or "").absolute())
    return {name: dict(answers) for name, answers in _name_given(given).items()}


def find_begun_space(given: Any) -> Any:
    """The spec of the space of an earlier run, in which the next search begins where nobody names another;
    None for architectures, and for a run whose space has no name by which it could be loaded."""
    if not is_run(given):
        return None
    spec = _open_run(given).facts["settings"]["space"]
    return spec if "name" in spec else None


def _open_run(given: Any) -> Result:
    from cambrian.search.result import result_of

    return result_of(given)


def _read_run(given: Any, space: Space) -> dict[str, Architecture]:
    result = _open_run(given)
    place = "the run" if result.directory is None else str(result.directory)
    winner = [] if result.winner is None else [result.winner]
    trials = [*winner, *result.recommended]
    if not trials:
        raise UsageError(f"no network of {place} has a value to begin with: name another run")
    begun: dict[str, Architecture] = {}
    met = set()
    for architecture in dict.fromkeys(trial.architecture for trial in trials):
        try:
            fitting = replay(space, architecture)
        except IllegalArchitecture:
            continue
        function = name_function(space, fitting)
        if function not in met:
            number = next((t.number for t in result.trials if t.architecture == architecture), "winner")
            begun[f"{Path(place).name}/{number}"] = fitting
            met.add(function)
        if len(begun) == BEST:
            break
    if not begun:
        raise UsageError(f"no network of {place}, {_describe_space(result, name_of(space))}")
    return begun


def _describe_space(result: Result, wanted: str) -> str:
    """The end of a sentence about a run's space, by its name: the space itself may not be loaded."""
    name = result.facts["settings"]["space"].get("name")
    if name is None:
        return (
            f"whose space has no name by which it could be loaded, is of the space {wanted}: give its space"
        )
    return f"a search of the space {name}, is of the space {wanted}: name its space, or leave the space out"


def _name_given(given: Any) -> dict[str, Mapping[str, Any]]:
    if isinstance(given, Architecture):
        given = [given]
    named = given if isinstance(given, Mapping) else None
    if named is None and isinstance(given, Iterable):
        named = {f"given {n}": each for n, each in enumerate(given, 1)}
    if named is None or not all(isinstance(each, Mapping) for each in named.values()):
        raise UsageError(
            "begin_with is a run, a sequence of architectures, or a mapping from names to architectures; got"
            f" {given!r:.80}"
        )
    return {str(name): each for name, each in named.items()}
