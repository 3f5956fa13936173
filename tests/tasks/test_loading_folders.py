"""Folders of anything: `load` gives a task, or raises one of our errors."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made_cases import cases
from PIL import Image

from cambrian.errors import CambrianError
from cambrian.tasks import Task, load

PARTS = ["train", "Train", "training_set", "val", "dev", "eval", "test", "Test-Set", "train2017", "seg_train"]
LEFT = [".git", "__MACOSX", "lost+found", "@eaDir", "notes", "sample", "images"]
ODD = ["Ünïcode 🦋", "a b", "x\ny", "bytes\udcff", "123", "trains"]
FOLDERS = st.sampled_from([*"ab", "cat", "dog", *PARTS, "seg_test", *LEFT, *ODD])
ENDINGS = st.sampled_from([".png", ".PNG", ".jpg", ".jfif", ".tif", "", ".txt", ".gif", ".001", ".bak"])
MODES = st.sampled_from(["L", "RGB", "RGBA", "LA", "P", "1", "I;16", "I;16B", "I", "F", "CMYK", "tRNS"])
SIZES = st.sampled_from([(4, 4), (4, 4), (4, 4), (5, 3), (1, 7), (1, 1)])


def encode(mode: str, size: tuple[int, int], seed: int) -> bytes:
    """An image file of noise."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    if mode in ("I;16", "I;16B", "I", "F"):
        dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
        Image.fromarray(rng.integers(0, 4096, size).astype(dtype)).save(file, "TIFF")
    elif mode == "tRNS":
        image = Image.fromarray(rng.integers(0, 9, size, dtype=np.uint8))
        image.save(file, "PNG", transparency=int(seed % 9))
    else:
        noise = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
        image = Image.fromarray(noise).convert("RGB" if mode == "CMYK" else mode)
        image.convert(mode).save(file, "TIFF" if mode == "CMYK" else "PNG")
    return file.getvalue()


IMAGES = st.builds(encode, MODES, SIZES, st.integers(0, 50))
CONTENTS = st.one_of(
    IMAGES,
    IMAGES,
    IMAGES.map(lambda held: held[: len(held) // 2]),
    st.binary(max_size=40),
)
FILES = st.dictionaries(st.tuples(st.sampled_from("uvwxyé"), ENDINGS), CONTENTS, max_size=4)
TREES = st.recursive(
    FILES,
    lambda inner: (
        st.dictionaries(FOLDERS, inner, min_size=1, max_size=4)
        | st.tuples(st.dictionaries(FOLDERS, inner, max_size=3), FILES).map(
            lambda pair: {**pair[0], **pair[1]}
        )
    ),
    max_leaves=10,
)
GOOD = st.builds(
    lambda mode, size, seed: {
        (f"{i}", ".png" if mode != "CMYK" else ".tif"): encode(mode, size, seed + i) for i in range(6)
    },
    MODES,
    SIZES,
    st.integers(0, 50),
)
CLASSES = st.dictionaries(FOLDERS, GOOD, min_size=2, max_size=4)
LIKELY = st.one_of(
    CLASSES,
    st.dictionaries(FOLDERS, st.one_of(CLASSES, GOOD, FILES), min_size=1, max_size=4),
    st.builds(lambda classes, tree: {**classes, **tree}, CLASSES, TREES),
)
LINKS = st.lists(st.sampled_from(["loop", "up", "out", "nowhere", "file.png"]), max_size=1)


def write(folder: Path, tree: dict) -> None:
    folder.mkdir(exist_ok=True)
    for name, held in tree.items():
        if isinstance(held, bytes):
            (folder / "".join(name)).write_bytes(held)
        else:
            write(folder / name, held)


def link(root: Path, name: str) -> None:
    """A link to itself, upwards, out of the folder, or to nothing."""
    targets = {"loop": "loop", "up": ".", "out": "/usr", "nowhere": "no such file", "file.png": "/etc/passwd"}
    os.symlink(targets[name], root / name)


@cases(500)
@given(st.one_of(LIKELY, LIKELY, TREES), LINKS, st.sampled_from([None, None, 3]))
def test_folders_of_anything(tree, links, size) -> None:
    """A task that is whole, or one line that says what is wrong; all sentences can be printed."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "data"
        write(root, tree)
        for name in links:
            link(root, name)
        task, refusal = attempt(root, size)
    for sentence in (refusal, *(task.warnings if task else ())):
        assert "\n" not in sentence
        sentence.encode()
    if task:
        check(task)


def attempt(root: Path, size: int | None) -> tuple[Task | None, str]:
    try:
        return load(root, size=size), ""
    except CambrianError as error:
        return None, str(error)


def check(task: Task) -> None:
    """All images have a class, and every class an image."""
    assert task.inputs.dtype == np.uint8
    assert len(task.inputs) == len(task.targets) == sum(task.sizes.values())
    assert set(task.targets.tolist()) == set(range(task.classes))
