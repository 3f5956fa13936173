"""An architecture named on the command line: a published one, a JSON file, or the best of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import UsageError, did_you_mean
from cambrian.spaces.published import Published, find_published, names

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


def architecture_of(name: str, trial: int | None = None) -> Published:
    """Space, architecture and skeleton of a published name; of the `trial` of a run directory, or its best;
    or of a file: `{"space": ..., "answers": {...}}`, or the answers alone, which are then the PNAS space's.
    A file may come from anywhere, so that it may name cambrian's own spaces only: another one would be a
    module to import. Raises UsageError, and IllegalArchitecture where the space does not hold it."""
    if name in names():  # before files: ./NAME is the file or run of that name
        return find_published(name)
    if Path(name).is_dir():
        return _choose_trial(name, trial)
    entry = _read(Path(name))
    space = _own_space(entry.get("space", "pnas"), name)
    return Published(space, replay(space, Architecture.from_json(entry["answers"])), name)


def _choose_trial(run: str, number: int | None) -> Published:
    """The trial of that number, else the final network, once there is one, or the best trial."""
    from cambrian.search.result import Result

    result = Result.open(run)
    trial = result.winner or result.best
    if number is not None:
        trial = next((t for t in result.trials + result.finals if t.number == number), None)
        if trial is None:
            raise UsageError(f"{run} has no trial {number}: it has {len(result.trials)}, from 0")
    if trial is None:
        raise UsageError(f"no trial of {run} has succeeded yet: it has no architecture to take")
    return Published(result.space, trial.architecture, run, dict(trial.fidelity.skeleton))


def _read(file: Path) -> Mapping[str, Any]:
    if not file.exists():
        nearest = did_you_mean(str(file), names()) or ", such as pnasnet-5 or mobilenet-v2"
        raise UsageError(f"{str(file)!r} is neither a file, nor a run, nor a published architecture{nearest}")
    try:
        # -sig, since some editors write a byte order mark; RecursionError is of brackets by the thousand.
        entry = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read an architecture from {file}: {error}") from None
    if not isinstance(entry, dict):
        raise UsageError(f"{file} holds no architecture: expected an object with 'space' and 'answers'")
    return entry if "answers" in entry else {"space": "pnas", "answers": entry}


def _own_space(spec: Any, where: str) -> Space:
    from cambrian.spaces import SPACES

    name = spec.get("name") if isinstance(spec, Mapping) else str(spec).partition("(")[0].strip()
    # `module:function` would be imported, hence run.
    if isinstance(name, str) and ":" in name and name not in SPACES.names():
        raise UsageError(
            f"{where} names the space {name!r}, which is none of cambrian's own"
            f" ({', '.join(SPACES.names())}): a file may not have code imported, so use it from a program"
            " of your own"
        )
    inner = _find_inner(spec)
    if inner is not None:  # a space that holds another one, which is not imported either
        _own_space(inner, where)
    space: Space = SPACES.parse(spec) if isinstance(spec, str) else SPACES.make(spec)
    return space


def _find_inner(spec: Any) -> Any:
    """The space that stands among the settings of this one; None where none does."""
    from cambrian.spaces import SPACES

    if isinstance(spec, str):
        spec = SPACES.read(spec) if "space" in spec else {}
    arguments = spec.get("arguments") if isinstance(spec, Mapping) else None
    return arguments.get("space") if isinstance(arguments, Mapping) else None
