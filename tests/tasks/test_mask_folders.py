"""Folders of images and masks: every arrangement gives the written pixels and classes back, and each mistake
is one sentence."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score

from cambrian.errors import DataError, UsageError
from cambrian.goal import IGNORED, Goal
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.tasks import Task, load
from cambrian.tasks.images.mask_files import draw_mask, read_mask
from cambrian.tasks.images.masks import resize_masks
from cambrian.tasks.targets.metrics import mean_iou

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (20, 6, 8, 3), dtype=np.uint8)
VALUES = RNG.choice(np.array([0, 3, 7, 255], np.uint8), (20, 6, 8))
COLOURS = [n // 3 for n in range(768)]


def save(array: np.ndarray, path: Path, palette: list[int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette:
        image.putpalette(palette)
    image.save(path)


def write(root: Path, images: str, masks: str, rows: range = range(20), palette: bool = True) -> Path:
    """The images and their masks in two folders of the root."""
    for i in rows:
        save(PICTURES[i], root / images / f"{i:02}.png")
        save(VALUES[i], root / masks / f"{i:02}.png", COLOURS if palette else None)
    return root


def check(task: Task, rows: range = range(20)) -> None:
    """The task holds these images with the classes of their pixels."""
    numbers = np.full(256, IGNORED)
    numbers[[0, 3, 7]] = 0, 1, 2
    wanted = sorted((PICTURES[i].tobytes(), numbers[VALUES[i]].tobytes()) for i in rows)
    assert (
        sorted((x.tobytes(), y.tobytes()) for x, y in zip(task.inputs, task.targets, strict=True)) == wanted
    )
    assert (task.labels, task.metric) == (("0", "3", "7"), "miou")


@pytest.mark.parametrize(
    ("images", "masks"), [("images", "masks"), ("imgs", "labels"), ("Images", "annotations")]
)
def test_images_beside_masks(tmp_path: Path, images: str, masks: str) -> None:
    """Grey masks and those with a palette are read alike; 255 is no class, and it is said."""
    task = load(write(tmp_path, images, masks, palette=masks == "masks"))
    check(task)
    assert task.sizes == {"train": 13, "validation": 3, "test": 4}
    assert any("255 are ignored" in note for note in task.warnings)


def test_parts(tmp_path: Path) -> None:
    """train/images as well as images/train, with the validation and the test part of the data set's own; test
    images without masks are passed over, since contests keep these back."""
    for root, forms in (("outer", "{}/images {}/masks"), ("inner", "images/{} masks/{}")):
        for part, rows in (("train", range(12)), ("val", range(12, 16)), ("test", range(16, 20))):
            write(tmp_path / root, *forms.format(part, part).split(), rows)
        task = load(tmp_path / root)
        check(task)
        assert task.sizes == {"train": 12, "validation": 4, "test": 4}
    for file in (tmp_path / "inner/masks/test").iterdir():
        file.unlink()
    kept_back = load(tmp_path / "inner")
    check(kept_back, range(16))
    assert any("no masks of these images" in note for note in kept_back.warnings)


def test_sizes(tmp_path: Path) -> None:
    """Images of several sizes are brought to one: a pixel of a mask has the class of the nearest one, as
    torch has it, so that no class appears between two others."""
    write(tmp_path, "images", "masks")
    save(PICTURES[0][:5, :5], tmp_path / "images" / "more.png")
    save(VALUES[0][:5, :5], tmp_path / "masks" / "more.png")
    chosen, task = load(tmp_path), load(tmp_path, size=4)
    assert "from 5 x 5 pixels" in " ".join(chosen.warnings)
    assert chosen.digest == load(tmp_path, size=chosen.height).digest
    assert task.inputs.shape[1:] == (*task.targets.shape[1:], 3) == (4, 4, 3)
    assert set(np.unique(task.targets)) == {IGNORED, 0, 1, 2}
    given = torch.from_numpy(VALUES)[:, None].float()
    for shape in ((4, 4), (9, 5), (6, 8)):
        nearest = torch.nn.functional.interpolate(given, shape, mode="nearest-exact")[:, 0]
        assert np.array_equal(resize_masks(VALUES, *shape), nearest.numpy())


def draw_two_bits() -> bytes:
    """A PNG of 4 x 1 pixels of two bits, 0 to 3 (PNG specification, 11.2)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + bytes([0b00011011])))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def test_few_bits_and_black_and_white(tmp_path: Path) -> None:
    """Greys of two bits are the classes 0 to 3, though Pillow shows 0, 85, 170 and 255; white is a class
    beside black; and a drawn mask is read back as it was."""
    (tmp_path / "grey.png").write_bytes(draw_two_bits())
    assert np.asarray(Image.open(tmp_path / "grey.png")).tolist() == [[0, 85, 170, 255]]
    assert read_mask(tmp_path / "grey.png", "grey").tolist() == [[0, 1, 2, 3]]
    for i in range(20):
        save(PICTURES[i], tmp_path / "data" / "images" / f"{i}.png")
        save((VALUES[i] > 3) * np.uint8(255), tmp_path / "data" / "masks" / f"{i}.png")
    task = load(tmp_path / "data", names="ground,thing")
    assert task.labels == ("ground", "thing")
    draw_mask(task.targets[0], task.rendering["mask"]).save(tmp_path / "drawn.png")
    drawn = read_mask(tmp_path / "drawn.png", "drawn")
    assert np.array_equal(drawn, task.targets[0] * 255)
    with pytest.raises(DataError, match="damaged"):
        draw_mask(task.targets[0], {"values": [0]})


def test_ignored_pixels_count_nowhere() -> None:
    """The loss and the mean IoU are those of the other pixels alone, against torch and scikit-learn; nothing
    is lost on a batch that has none."""
    rng = np.random.default_rng(1)
    masks, found = rng.integers(0, 3, (2, 4, 4)), rng.integers(0, 3, (2, 4, 4))
    unknown = rng.random(masks.shape) < 0.3
    holed = np.where(unknown, IGNORED, masks)
    wanted = jaccard_score(masks[~unknown], found[~unknown], average="macro")
    assert mean_iou(holed, found) == pytest.approx(wanted)
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    each = torch.nn.functional.cross_entropy(logits, torch.from_numpy(masks), reduction="none")
    loss = make_loss(Recipe(), Goal("pixels"))
    assert float(loss(logits, torch.from_numpy(holed))) == pytest.approx(
        float(each[~torch.from_numpy(unknown)].mean())
    )
    assert float(loss(logits, torch.full((2, 4, 4), IGNORED))) == 0


def remove_mask(root: Path) -> None:
    (root / "masks/03.png").unlink()


def cut_mask(root: Path) -> None:
    save(VALUES[3][:, :5], root / "masks/03.png")


def colour_mask(root: Path) -> None:
    save(PICTURES[3], root / "masks/03.png")


def flatten_masks(root: Path) -> None:
    for i in range(20):
        save(np.full((6, 8), 4, np.uint8), root / f"masks/{i:02}.png")


def rename_masks(root: Path) -> None:
    for i in range(20):
        (root / f"masks/{i:02}.png").rename(root / f"masks/mask{i:02}.png")


def save_as_jpeg(root: Path) -> None:
    (root / "masks/03.png").unlink()
    save(VALUES[3], root / "masks/03.jpg")


def ignore_all(root: Path) -> None:
    save(np.full((6, 8), 255, np.uint8), root / "masks/03.png")


def remove_masks(root: Path) -> None:
    for file in (root / "masks").iterdir():
        file.unlink()


def repeat_image(root: Path) -> None:
    save(PICTURES[3], root / "images/03.jpg")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_mask, r"images/03.png: there is no mask '03.png' in \S+/masks: add it, or remove the image"),
        (cut_mask, r"masks/03.png: 5 x 6 pixels, but its image \S+/03.png has 8 x 6: make both of one size"),
        (colour_mask, r"masks/03.png: a picture in colours, expected a mask whose pixels have the numbers"),
        (flatten_masks, r"all pixels of the masks have the value 4: there is only one class"),
        (
            rename_masks,
            r"no mask is called like an image: the first image is '00.png', the first mask 'mask00.png'",
        ),
        (save_as_jpeg, r"masks/03.jpg: JPEG does not keep the classes of pixels: save masks as PNG"),
        (ignore_all, r"masks/03.png: all of its pixels are ignored \(of the value 255\)"),
        (remove_masks, r"masks: the folder holds no masks: save one as a PNG for each image"),
        (repeat_image, r"images/03.png: 03.jpg has the same name: remove or rename one of them"),
    ],
)
def test_mistakes(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    """Each is one sentence that names the file."""
    spoil(write(tmp_path, "images", "masks"))
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_wrong_options(tmp_path: Path) -> None:
    """Names for other classes, and a value that no pixel can have; `ignore` chooses another one."""
    write(tmp_path, "images", "masks")
    with pytest.raises(
        DataError, match="2 names for the 3 classes of the masks, '0', '3', '7': give one for each"
    ):
        load(tmp_path, names="a,b")
    with pytest.raises(UsageError, match="ignore='300': expected a value from 0 to 255, none or auto"):
        load(tmp_path, ignore="300")
    with pytest.raises(DataError, match="no pixel of the masks has the value 200, which is to be ignored"):
        load(tmp_path, ignore="200")
    assert load(tmp_path, ignore="none").labels == ("0", "3", "7", "255")
    assert load(tmp_path, ignore="3").labels == ("0", "7", "255")


def test_detections_are_no_masks(tmp_path: Path) -> None:
    """Labels in text files, as detectors have them, do not make a folder of masks."""
    write(tmp_path, "images", "labels")
    for file in (tmp_path / "labels").iterdir():
        file.rename(file.with_suffix(".txt"))
        file.with_suffix(".txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(DataError, match="there is only one class folder"):
        load(tmp_path)
