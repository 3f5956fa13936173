"""The image files that a CSV names: relative to its folder and within it, with or without their ending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cambrian.errors import DataError
from cambrian.tasks.examples import PARTS, TRAIN
from cambrian.tasks.images.decoding import SUFFIXES
from cambrian.tasks.phrases import list_names

USUAL = (".jpg", ".png", ".jpeg")
ENDINGS = tuple(e for ending in (*USUAL, *sorted(SUFFIXES - {*USUAL})) for e in (ending, ending.upper()))


def find_files(path: Path, cells: Sequence[str], remedy: str) -> tuple[list[Path], tuple[str, ...]]:
    """The file of each cell, and a sentence if files lie elsewhere than the CSV says. Raises DataError that
    names the first cell without a file and counts the others; with the `remedy` for texts where these are."""
    finder = Finder(path.parent)
    files, missing = [], []
    for cell in cells:
        file = finder.find(cell)
        if file is None:
            missing.append(cell)
        else:
            _check_inside(path, cell, file)
            files.append(file)
    if missing:
        raise DataError(_missing(path, missing, remedy if not files else None))
    return files, finder.remark(path)


def are_files(path: Path, cells: Sequence[str]) -> bool:
    """Whether any of the cells names an image file that is there."""
    finder = Finder(path.parent)
    return any(finder.find(cell) is not None for cell in cells)


class Finder:
    """Finds files as they are written, with slashes for backslashes, with an ending, or in a folder beside
    the CSV; the way that found one is tried first for the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The training folder first, since most rows are for training.
        inner = sorted(_folders(folder), key=lambda f: (PARTS.get(f.name.lower()) != TRAIN, f.name))
        self.ways = [(f, ending) for f in (folder, *inner) for ending in ("", *ENDINGS)]
        self.found: Counter[tuple[Path, str]] = Counter()

    def find(self, cell: str) -> Path | None:
        if not cell:
            return None
        for name in dict.fromkeys((cell, cell.replace("\\", "/"))):
            for way in self.ways:
                file = way[0] / f"{name}{way[1]}"
                if _is_file(file):
                    self._remember(way)
                    return file
        return None

    def remark(self, path: Path) -> tuple[str, ...]:
        """Says in which folders files were found that are not written there."""
        beside = {folder.name: n for (folder, _), n in self.found.items() if folder != self.folder}
        if not beside:
            return ()
        return (
            f"{path}: {sum(beside.values())} images are found in {list_names(list(beside))} beside the CSV",
        )

    def _remember(self, way: tuple[Path, str]) -> None:
        self.found[way] += 1
        if way[1] and self.ways[1] != way:  # the way without an ending stays first
            self.ways.remove(way)
            self.ways.insert(1, way)


def _check_inside(path: Path, cell: str, file: Path) -> None:
    # Resolved, since `..` and links lead out without showing it.
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise DataError(
            f"{path}: {cell!r:.200} leads out of {path.parent}: copy the images in, and give paths"
            " relative to it"
        )


def _missing(path: Path, missing: Sequence[str], remedy: str | None) -> str:
    """The sentence about cells that name no file; with a `remedy` for texts where none does."""
    more = f" (and {len(missing) - 1} more that are missing)" if len(missing) > 1 else ""
    first = missing[0]
    wordy = sum(len(cell.split()) > 2 for cell in missing)
    if remedy and 2 * wordy > len(missing):  # sentences rather than paths
        return f"{path}: no image file {first!r:.200}{more}: of texts, {remedy}"
    ending = "" if Path(first).suffix else ", nor with an ending such as .jpg or .png"
    return (
        f"{path}: no image file {first!r:.200}{more}{ending}: give paths relative to {path.parent}, or name "
        "their column with image="
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or a zero in it
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."]
    except OSError:
        return []
