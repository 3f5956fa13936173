"""The space and the task of a run, as another process can have them: a space that was defined in a script or
a notebook has no name by which it could be loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import CambrianError, RunError
from cambrian.search.identity.agreement import same_questions
from cambrian.search.parts.components import fit_space
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class AbsentSpace(Space):
    """Stands for a space that cannot be loaded: its architectures are drawn as their answers, and whoever
    asks its questions or builds its networks gets a RunError with the `reason`. `name` is what the run calls
    it."""

    name: str
    reason: str

    def program(self, pick: Pick) -> NoReturn:
        raise RunError(self.reason)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> NoReturn:
        # Before the skeleton is checked, whose settings are not known here.
        raise RunError(self.reason)


def explain_absence(space: Space) -> str:
    """Why the space of a run could not be loaded; "" where it was."""
    return space.reason if type(space) is AbsentSpace else ""


def name_kind(space: Space) -> str:
    """The name of the space's class; of a space that could not be loaded, the one that its run has for it."""
    return space.name if type(space) is AbsentSpace else type(space).__name__


def open_components(place: Path, facts: Mapping[str, Any], given: Any = None) -> tuple[Space, Task | None]:
    """The space and the task of the run in `place`, whose ledger has these facts; `given` is the space where
    the user has it. Raises RunError for a run without settings, RunChanged for another space."""
    from cambrian.tasks.task import Task

    if "settings" not in facts:
        raise RunError(f"{place} was never started: begin it again")
    # A search's data may be elsewhere, as a table's are: then there is no task to open.
    task = Task.open(place / "task") if (place / "task" / "task.json").exists() else None
    if given is None:
        return _load_space(place, facts["settings"].get("space", {}), task), task
    space = fit_space(given, task)
    same_questions(facts["settings"], space, place)
    return space, task


def _load_space(place: Path, spec: Mapping[str, Any], task: Task | None) -> Space:
    way = f"give the space: cambrian.Result.open({str(place)!r}, space=...) in a program of yours"
    if "name" not in spec:
        reason = (
            f"the space of {place} has no name by which it could be loaded: {way}; for commands, put the"
            " space into a module, and search with --space MODULE:NAME"
        )
        return AbsentSpace(str(spec.get("unnamed", "")), reason)
    try:
        return fit_space(spec, task)
    except CambrianError as error:  # a module of the user's, which need not be where this process looks
        return AbsentSpace(spec["name"], f"{error}; or {way}")
