"""What an audit advises a search: the shortcut by which it measures, in the audited space."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.audits.records import RESULT
from cambrian.errors import RunError, UsageError
from cambrian.outcome import Fidelity

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


class _Record(msgspec.Struct, frozen=True):
    """What is read of an audit's JSON."""

    settings: dict[str, Any]
    recommended: dict[str, Any] | None


class Advice(msgspec.Struct, frozen=True):
    """`estimator` is a name for `Search`, `changes` and `recipe` are those of `cambrian.plan`; `sentence`
    says where it comes from."""

    estimator: str
    changes: dict[str, Any]
    recipe: dict[str, Any]
    space: dict[str, Any]
    sentence: str


def find_advice(task: Task, place: Path | None = None, root: Path = Path("runs")) -> Advice:
    """The advice of the audit in `place`; without one, of the latest audit of these data in `root` that can
    be followed. Raises RunError where there is none, UsageError where none can be followed."""
    if place is not None:
        return _follow(place / RESULT, task)
    files = _list_audits(task, root)
    if not files:
        raise RunError(
            f"no audit of {task.name} is in {root}: begin one with cambrian audit, or name its directory"
            " with --audit"
        )
    refusals = []
    for file in files:
        try:
            return _follow(file, task)
        except UsageError as error:
            refusals.append(error)
    raise refusals[0]


def _follow(file: Path, task: Task) -> Advice:
    record = _read(file)
    audited = record.settings.get("data") or {}
    if audited.get("digest") != task.digest:
        raise UsageError(
            f"the audit in {file.parent} is of other data, or another part of them (--limit, --size, --seed):"
            " audit these, as cambrian audit DATA, or name another estimator"
        )
    chosen = record.recommended
    if chosen is None:
        raise UsageError(
            f"the audit in {file.parent} recommends no shortcut: leave out --estimator auto, so that networks"
            " are trained, or audit others"
        )
    if "space" not in record.settings:
        raise UsageError(f"the audit in {file.parent} is of a table, whose networks no search trains")
    return _read_advice(chosen, record.settings["space"], task, file.parent)


def _read_advice(chosen: Mapping[str, Any], space: dict[str, Any], task: Task, place: Path) -> Advice:
    estimator, arguments = chosen["estimator"]["name"], dict(chosen["estimator"]["arguments"])
    sentence = f"{chosen['label']}, Kendall {chosen['kendall']['value']:.2f} in the audit {place}"
    if estimator == "proxy":
        return Advice(arguments["measure"], {}, {}, space, sentence)
    fidelity = msgspec.convert(chosen["fidelity"], Fidelity)
    if estimator != "train" or fidelity.resolution is not None or fidelity.seconds is not None:
        raise UsageError(
            f"{sentence}, cannot be said by options of a search: give it in Python, as"
            f" Search(..., estimator={estimator!r}, fidelity=...)"
        )
    # The plan counts images, which a fraction of other data would not be.
    images = {} if fidelity.fraction == 1 else {"images": max(1, round(fidelity.fraction * len(task.train)))}
    return Advice(
        "train", {"epochs": fidelity.epochs, **images, **fidelity.skeleton}, arguments, space, sentence
    )


def has_audit(task: Task, root: Path = Path("runs")) -> bool:
    """Whether a finished audit of these data is in `root`."""
    return bool(_list_audits(task, root))


def _list_audits(task: Task, root: Path) -> list[Path]:
    """The files of the finished audits of these data, the latest first; not of those by a table, nor of one
    that cannot be read, which may be of other data."""
    found = []
    for file in root.glob(f"audit-*/{RESULT}"):
        with suppress(RunError):
            settings = _read(file).settings
            if (settings.get("data") or {}).get("digest") == task.digest and "space" in settings:
                found.append(file)
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def _read(file: Path) -> _Record:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Record)
    except FileNotFoundError:
        raise RunError(f"{file.parent} holds no finished audit: cambrian audit --run {file.parent}") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"cannot read {file}: {error}; audit again") from error
