"""How a folder of images is arranged: class folders, or parts of class folders, perhaps with others beside.

A part is recognised by its name and by the class folders in it. A folder called train that holds images
itself is a class beside other classes (bus, car, train); folders with other names of parts are never classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import DataError, UsageError, did_you_mean
from cambrian.tasks.examples import PARTS, TEST, TRAIN, VALIDATION
from cambrian.tasks.part_names import VEHICLE, part_of, says_evaluation
from cambrian.tasks.phrases import short
from cambrian.tasks.readers.listing import (
    Listing,
    count_images,
    count_loose,
    entries_of,
    holds_images,
    is_companion,
    show,
)

ORDERS = {1: (TRAIN,), 2: (TRAIN, TEST), 3: (TRAIN, VALIDATION, TEST)}
MEANINGS = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
OVERRIDE = "(parts=no makes every folder a class)"
REMEDY = "put the images of each class into a folder named after the class"


@dataclass(frozen=True)
class Arrangement:
    """The folder of class folders of each part (several where two folders say the same part), or none where
    the root's own `classes` are trained on. `notes` tell of guesses, and of folders that are passed over."""

    parts: tuple[tuple[int, Path], ...]
    classes: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def arrange(root: Path, listing: Listing, parts: str = "auto") -> Arrangement:
    """The arrangement of `root`; `parts` is "auto", "yes", "no" or the names of its part folders."""
    folders = listing.folders(root)
    if parts == "no":
        return Arrangement((), tuple(folders))
    # A name alone does not make a part: it takes class folders in it, or the user's word.
    named = guess_parts(folders) if parts in ("auto", "yes") else _read_parts(root, folders, parts)
    if parts == "yes" and not named:
        raise DataError(f"{show(root)}: parts=yes, but no folder is called train, val or test, nor similarly")
    auto = parts == "auto"
    others = [folder for folder in folders if folder not in named]
    with_classes = {folder: part for folder, part in named.items() if holds_classes(folder)}
    # The usual arrangement: a training part, and perhaps others.
    if TRAIN in with_classes.values() and not (auto and _is_vehicle(with_classes, others)):
        if auto:
            _check_beside(with_classes, others)
        return _parts(root, with_classes, [f for f in folders if f not in with_classes])
    # From here on no training part can be used. A folder that is called so, where parts are asked for or
    # others hold classes, was meant to be one.
    train = [folder for folder, part in named.items() if part == TRAIN]
    if train and (not auto or with_classes) and not any(folder in with_classes for folder in train):
        raise DataError(f"{show(train[0])}: {_without_classes(train[0])}: {REMEDY}")
    if with_classes and not train:
        return _classes_beside_parts(root, named, with_classes, others)
    return _classes(root, named, others)


def holds_classes(folder: Path) -> bool:
    """Whether there are images in the folders within."""
    return any(map(holds_images, Listing(folder).folders(folder)))


def parts_within(folder: Path) -> dict[Path, int]:
    """The parts of a class by their folders, where the class holds nothing else: cat/train and cat/test."""
    inner = [f for f in Listing(folder).folders(folder) if holds_images(f)]
    named = guess_parts(inner)
    whole = len(named) == len(inner) > 1 and TRAIN in named.values() and not count_loose(folder)
    return named if whole else {}


def enter(folder: Path) -> Path:
    """The folder that holds the class folders of a part wrapped as train/train/cat or train/images/cat."""
    while True:  # one folder deeper each time
        inner = [f for f in Listing(folder).folders(folder) if holds_images(f)]
        if len(inner) != 1 or not (part_of(inner[0].name) or inner[0].name.lower() in ("images", "data")):
            return folder
        if not holds_classes(inner[0]):
            return folder
        folder = inner[0]


def describe(folders: Sequence[Path]) -> str:
    """Their names, each with the number of images in it."""
    named = ", ".join(f"{_name(folder)} ({_content(folder)})" for folder in folders[:5])
    return named + (f" and {len(folders) - 5} more" if len(folders) > 5 else "")


def _content(folder: Path) -> str:
    count = count_images(folder)
    images = f"{count or 'no'} image{'s' * (count != 1)}"
    return (
        f"{images}, no class folders"
        if part_of(folder.name) and count and not holds_classes(folder)
        else images
    )


def _read_parts(root: Path, folders: Sequence[Path], parts: str) -> dict[Path, int]:
    """The parts that the user names: by the meaning of their names, else by their order."""
    names = [name.strip() for name in parts.split(",")]
    by_name = {folder.name: folder for folder in folders}
    for name in names:
        if name not in by_name:
            raise UsageError(
                f"parts={parts!r:.80}: expected auto, yes, no, or folders in {show(root)}, in which there is "
                f"no {name!r:.80}{did_you_mean(name, by_name)}"
            )
    # By meaning only if every name has one of its own: otherwise "fold1,fold2" goes by the order.
    meanings = [part_of(name) for name in names]
    if all(meanings) and len({m[0] for m in meanings if m}) == len(names):
        return {by_name[name]: m[0] for name, m in zip(names, meanings, strict=True) if m}
    if len(names) not in ORDERS:
        raise UsageError(
            f"parts={parts!r:.80}: expected train,test or train,validation,test, in this order, "
            "or auto, yes, no"
        )
    return {by_name[name]: part for name, part in zip(names, ORDERS[len(names)], strict=True)}


def guess_parts(folders: Sequence[Path]) -> dict[Path, int]:
    """The folders whose names say parts. The rest of their names must be the same: seg_train, seg_test."""
    groups: dict[str, dict[Path, int]] = {}
    for folder in folders:
        meaning = part_of(folder.name)
        if meaning:
            groups.setdefault(meaning[1], {})[folder] = meaning[0]
    if "" in groups:  # plain names win: train beside train_station
        return _with_test(groups[""])
    # Longer names confirm each other, if one is for training and another is not: train_station alone is a
    # class.
    several = (group for group in groups.values() if TRAIN in group.values() and len({*group.values()}) > 1)
    return _with_test(next(several, {}))


def _with_test(group: dict[Path, int]) -> dict[Path, int]:
    """Make eval the test part where it stands beside dev."""
    validation = [folder for folder, part in group.items() if part == VALIDATION]
    judging = [folder for folder in validation if says_evaluation(folder.name)]
    # Without dev, eval stays the validation part, and a test part is carved out of the training part.
    if TEST in group.values() or len(judging) == len(validation):
        return group
    return group | dict.fromkeys(judging, TEST)


def _is_vehicle(with_classes: Mapping[Path, int], others: Sequence[Path]) -> bool:
    """Whether folders within train are kinds of trains, as others hold kinds of their own."""
    if len(with_classes) > 1 or next(iter(with_classes)).name.lower() != VEHICLE:
        return False
    # Parts of one data set hold the same classes; kinds of trains are not kinds of cats.
    kinds = [{f.name for f in Listing(o).folders(o)} for o in others if holds_classes(o)]
    train = {f.name for f in Listing(next(iter(with_classes))).folders(next(iter(with_classes)))}
    return len(kinds) > 1 and not any(names & train for names in kinds)


def _check_beside(parts: Mapping[Path, int], others: Sequence[Path]) -> None:
    """Raises DataError for an empty folder of unknown purpose: its images may have been lost."""
    empty = [folder for folder in others if not (is_companion(folder) or entries_of(folder))]
    names = sorted(parts, key=lambda folder: (parts[folder], folder.name))
    if empty:
        raise DataError(
            f"{show(empty[0])}: an empty folder beside the part{'s' * (len(parts) > 1)} "
            f"{', '.join(map(_name, names))}: remove it, or give parts=yes "
            "to pass over all that is no part"
        )


def _parts(root: Path, parts: Mapping[Path, int], beside: Sequence[Path]) -> Arrangement:
    ordered = sorted(parts.items(), key=lambda item: (item[1], item[0].name))
    notes: tuple[str, ...] = ()
    if beside:
        notes = (f"{_say_parts(root, parts)}; passed over beside them: {describe(beside)} {OVERRIDE}",)
    # Folders called just train, val and test need no sentence.
    elif any(PARTS.get(folder.name.lower()) != part for folder, part in parts.items()):
        notes = (f"{_say_parts(root, parts)} {OVERRIDE}",)
    return Arrangement(tuple((part, folder) for folder, part in ordered), (), notes)


def _say_parts(root: Path, parts: Mapping[Path, int]) -> str:
    ordered = sorted(parts.items(), key=lambda item: (item[1], item[0].name))
    names = [f"{_name(folder)} is the {MEANINGS[part]} part" for folder, part in ordered]
    return f"{show(root.name)}: {', '.join(names)}"


def _classes_beside_parts(
    root: Path, named: Mapping[Path, int], with_classes: Mapping[Path, int], others: Sequence[Path]
) -> Arrangement:
    """The root's own folders are the classes of the training part, where these are classes."""
    classes = [folder for folder in others if holds_images(folder)]
    if len(classes) < 2:
        raise DataError(
            f"{show(root)}: {' and '.join(map(_name, with_classes))} hold class folders, but there is no "
            "training part beside: call the folder of its class folders train"
        )
    beside = [f for f in (*named, *others) if f not in with_classes and f not in classes]
    arrangement = _parts(root, with_classes, beside)
    notes = arrangement.notes or (f"{_say_parts(root, with_classes)}, all else is trained on {OVERRIDE}",)
    return Arrangement(arrangement.parts, tuple(classes), notes)


def _classes(root: Path, named: Mapping[Path, int], others: Sequence[Path]) -> Arrangement:
    """The arrangement without parts: the folders are classes, except those that are called like a part."""
    # A test or val of images is never a class, but a train may be a vehicle beside a bus and a car.
    vehicles = [f for f in named if f.name.lower() == VEHICLE and others and holds_images(f)]
    beside = [f for f in named if f not in vehicles]
    classes = sorted((*others, *vehicles))
    full = [f for f in beside if holds_images(f)]
    if full and len([f for f in classes if holds_images(f)]) < 2:
        raise DataError(
            f"{show(full[0])}: {_without_classes(full[0])}, and it is called as a part of a data set: "
            f"{REMEDY}, or give parts=no if {_name(full[0])} is a class itself"
        )
    notes: tuple[str, ...] = ()
    if vehicles:
        notes += (
            f"{show(root.name)}: {_name(vehicles[0])} is taken for a class, as it holds images itself and "
            "lies beside other classes (parts=yes makes it the training part)",
        )
    if beside:
        notes += (
            f"{show(root.name)}: passed over what is called as a part of a data set: {describe(beside)} "
            f"{OVERRIDE}",
        )
    return Arrangement((), tuple(classes), notes)


def _without_classes(folder: Path) -> str:
    return "holds images but no class folders" if holds_images(folder) else "the folder is empty"


def _name(folder: Path) -> str:
    return short(show(folder.name))
