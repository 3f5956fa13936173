"""Folders of sounds and texts that are called as parts of the data: parts, or classes beside others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import refused
from test_sounds import tone, write_wav

from cambrian.tasks import Task, load
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION
from cambrian.tasks.readers.class_folders import ClassFolders
from cambrian.tasks.readers.folder import Scan

RNG = np.random.default_rng(2)
TREES: dict[str, dict[str, tuple[str, int]]] = {
    "parts": {
        "train/cat": ("cat", TRAIN),
        "train/dog": ("dog", TRAIN),
        "val/cat": ("cat", VALIDATION),
        "test/dog": ("dog", TEST),
    },
    "other names": {
        "training_set/cat": ("cat", TRAIN),
        "training_set/dog": ("dog", TRAIN),
        "test_set/cat": ("cat", TEST),
    },
    "a train beside": {"bus": ("bus", TRAIN), "car": ("car", TRAIN), "train": ("train", TRAIN)},
    "classes beside a part": {"cat": ("cat", TRAIN), "dog": ("dog", TRAIN), "test/cat": ("cat", TEST)},
    "kinds of trains": {
        "bus/red/a": ("bus", TRAIN),
        "car/fast/b": ("car", TRAIN),
        "train/express": ("train", TRAIN),
    },
    "wrapped": {
        "train/data/cat": ("cat", TRAIN),
        "train/data/dog": ("dog", TRAIN),
        "test/cat": ("cat", TEST),
    },
    "parts in classes": {
        "cat/train": ("cat", TRAIN),
        "cat/test": ("cat", TEST),
        "dog/train": ("dog", TRAIN),
        "dog/test": ("dog", TEST),
    },
    "train station": {"train station": ("train station", TRAIN), "bus": ("bus", TRAIN)},
    "deeper": {"cat/anna": ("cat", TRAIN), "cat/ben": ("cat", TRAIN), "dog/anna": ("dog", TRAIN)},
}
"""Folders of files, with the class and the part of each."""


def write(root: Path, folders: Sequence[str], count: int = 2) -> Path:
    """So many different texts in each folder."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for n in range(count):
            (root / folder / f"{n}.txt").write_text(f"{folder} {n} {'abcdefgh'[: n + 1]}")
    return root


def place(root: Path, by_name: bool = False) -> dict[str, tuple[str, int]]:
    """The class and the part by the folder of the files."""
    placed = ClassFolders(root, "texts", (".txt",), inner=True).place(by_name)
    rows = zip(placed.files, placed.classes, placed.parts, strict=True)
    return {file.parent.relative_to(root).as_posix(): (name, part) for file, name, part in rows}


@pytest.mark.parametrize("tree", TREES)
def test_folders_are_read_as_those_of_images(tree: str, tmp_path: Path) -> None:
    """Classes and parts are those that a person sees, and the reader of images gives the same."""
    wanted = TREES[tree]
    assert place(write(tmp_path / "texts", list(wanted))) == wanted
    for folder in wanted:
        path = tmp_path / "images" / folder
        path.mkdir(parents=True)
        Image.fromarray(RNG.integers(0, 256, (2, 2), dtype=np.uint8)).save(path / "0.png")
    scan = Scan(tmp_path / "images")
    scan.read("auto")
    rows = zip(scan.files, scan.classes, scan.marks, strict=True)
    images = {f.parent.relative_to(tmp_path / "images").as_posix(): (name, part) for f, name, part in rows}
    assert images == wanted


@pytest.mark.parametrize("name", ["train", "test", "dev", "Val"])
def test_a_word_that_names_a_part_is_a_class(name: str, tmp_path: Path) -> None:
    """Of texts and of sounds, beside other classes, and it is said."""

    def check(task: Task) -> None:
        assert sorted(task.labels) == sorted(["go", "stop", name])
        assert len(task.test) == 6
        assert any("taken for classes, though called as parts" in note for note in task.warnings)

    words = ["go", "stop", name]
    check(load(write(tmp_path / "texts", words, 10), test=0.2))
    for n, word in enumerate(words):
        for i in range(10):
            write_wav(tmp_path / "sounds" / word / f"{i}.wav", tone(200 * (n + 1) + 10 * i, 0.05))
    check(load(tmp_path / "sounds", test=0.2))


def test_what_lies_beside_parts(tmp_path: Path) -> None:
    """Folders beside the training part are passed over, and named; a part without class folders, too; where
    names say the classes, parts need no folders."""
    root = write(tmp_path / "a", ["train/cat", "train/dog", "noise", "test"], 9)
    task = load(root)
    assert task.labels == ("cat", "dog")
    assert sum(task.sizes.values()) == 18
    assert any("passed over beside the training part: 'noise', 'test'" in note for note in task.warnings)
    flat = write(tmp_path / "b", ["train", "test", "noise"])
    assert {folder: part for folder, (_, part) in place(flat, by_name=True).items()} == {
        "train": TRAIN,
        "test": TEST,
        "noise": TRAIN,
    }
    refused(write(tmp_path / "c", ["test/cat", "test/dog"], 9), "class 'cat' has no training text")
