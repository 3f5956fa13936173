"""The class and the part of sounds and texts, by the folders that they lie in.

A part is recognised as that of images (see `arrangement`): by its name and by the folders in it. A folder of
such a name that holds files itself is a class beside other classes (go, stop, train), and the part of all
its files where there are no classes beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cambrian.tasks.examples import PARTS, TRAIN
from cambrian.tasks.part_names import VEHICLE, part_of
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.arrangement import MEANINGS, guess_parts
from cambrian.tasks.readers.listing import show

Way = tuple[str, ...]
"""The folders from the root to a file."""


class Placed(NamedTuple):
    """The files that are used, the class folder of each (empty where it lies in none), its part, and
    sentences about guesses and about the folders that are passed over."""

    files: list[Path]
    classes: list[str]
    parts: list[int]
    notes: tuple[str, ...] = ()


def place_files(root: Path, files: Sequence[Path], kind: str, by_name: bool = False) -> Placed:
    """Place files of a `kind` (sounds, texts) within `root`; `by_name`: their classes are not folders, so
    that those called as parts are parts, whatever they hold."""
    ways = [file.relative_to(root).parts[:-1] for file in files]
    folders = _group(ways)
    named = _name_parts(folders)
    others = {name: inner for name, inner in folders.items() if name not in named}
    parts = named if by_name else _find_parts(folders, named, others)
    if TRAIN in parts.values() and not by_name:
        classes: Mapping[str, Sequence[Way]] = {}
    else:
        classes = {name: inner for name, inner in folders.items() if name not in parts}
    within = {} if by_name else _find_inner_parts(classes)
    depth = {name: _enter(folders[name]) for name in parts}
    placed = Placed([], [], [])
    for file, way in zip(files, ways, strict=True):
        top = way[0] if way else ""
        if top in parts:
            inner = way[1 + depth[top] :]
            place = (inner[0] if inner else "", parts[top])
        elif not way or top in classes:
            place = (top, within.get(way[:2], TRAIN))
        else:
            continue  # beside a training part
        placed.files.append(file)
        placed.classes.append(place[0])
        placed.parts.append(place[1])
    left = [] if by_name else [name for name in folders if name not in {*parts, *classes}]
    notes = _describe(show(root), kind, parts, [name for name in classes if name in named], left)
    return placed._replace(notes=notes + _describe_inner(show(root), within))


def _group(ways: Sequence[Way]) -> dict[str, list[Way]]:
    """The first folders on the ways, each with the rest of its files' ways."""
    folders: dict[str, list[Way]] = {}
    for way in ways:
        if way:
            folders.setdefault(way[0], []).append(way[1:])
    return folders


def _name_parts(folders: Mapping[str, Sequence[Way]]) -> dict[str, int]:
    """The folders whose names say parts."""
    return {folder.name: part for folder, part in guess_parts([Path(name) for name in folders]).items()}


def _find_parts(
    folders: Mapping[str, Sequence[Way]], named: Mapping[str, int], others: Mapping[str, Sequence[Way]]
) -> dict[str, int]:
    """Of the folders that are `named` as parts those that are."""
    holding = {
        name: part
        for name, part in named.items()
        if any(folders[name]) and (all(folders[name]) or not others)
    }
    if not holding and not others:
        return dict(named)  # whose files say their classes by their names
    return {} if _is_vehicle(folders, holding, others) else holding


def _is_vehicle(
    folders: Mapping[str, Sequence[Way]], holding: Mapping[str, int], others: Mapping[str, Sequence[Way]]
) -> bool:
    """Whether folders within train are kinds of trains, as several others hold kinds of their own."""
    if [name.lower() for name in holding] != [VEHICLE]:
        return False
    trains = set(_group(folders[next(iter(holding))]))
    kinds = [set(_group(inner)) for inner in others.values() if any(inner)]
    return len(kinds) > 1 and not any(names & trains for names in kinds)


def _find_inner_parts(classes: Mapping[str, Sequence[Way]]) -> dict[Way, int]:
    """The parts within the classes, as cat/train and cat/test, where every class holds nothing else."""
    inner: dict[Way, int] = {}
    for name, ways in classes.items():
        named = _name_parts(_group(ways))
        if not all(ways) or len(named) != len(_group(ways)) or len(named) < 2 or TRAIN not in named.values():
            return {}
        inner |= {(name, folder): part for folder, part in named.items()}
    return inner


def _enter(ways: Sequence[Way]) -> int:
    """How many folders deeper a part's classes lie: train/train/cat, train/data/cat."""
    inner = _group(ways)
    if len(inner) != 1 or not all(ways):
        return 0
    name, rest = next(iter(inner.items()))
    return 1 + _enter(rest) if any(rest) and (part_of(name) or name.lower() == "data") else 0


def _describe(
    root: str, kind: str, parts: Mapping[str, int], classes: Sequence[str], left: Sequence[str]
) -> tuple[str, ...]:
    notes = []
    # Folders called just train, val and test need no sentence.
    if any(PARTS.get(name.lower()) != part for name, part in parts.items()):
        said = [f"{show(name)!r:.60} is the {MEANINGS[part]} part" for name, part in sorted(parts.items())]
        notes.append(f"{root}: {', '.join(said)}")
    if classes:
        named = list_names(list(map(show, sorted(classes))))
        notes.append(
            f"{root}: taken for classes, though called as parts of the data, since they hold {kind}"
            f" themselves and lie beside other classes: {named}"
        )
    if left:
        named = list_names(list(map(show, sorted(left))))
        notes.append(f"{root}: passed over beside the training part: {named}")
    return tuple(notes)


def _describe_inner(root: str, within: Mapping[Way, int]) -> tuple[str, ...]:
    names = {way[1]: part for way, part in within.items()}
    said = [f"{show(name)!r:.60} is the {MEANINGS[part]} part" for name, part in sorted(names.items())]
    return (f"{root}: every class holds its own parts: {', '.join(said)}",) if said else ()
