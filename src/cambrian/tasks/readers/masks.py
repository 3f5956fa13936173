"""A folder of images and of masks that are called like them: images/cat.jpg and masks/cat.png, perhaps inside
train/, val/ and test/, or with these inside (images/train/cat.jpg and masks/train/cat.png)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cambrian.errors import DataError, UsageError
from cambrian.goal import IGNORED, Goal
from cambrian.tasks.examples import TRAIN, Decoded, Examples
from cambrian.tasks.images.decoding import decode_files
from cambrian.tasks.images.each_file import for_each
from cambrian.tasks.images.image_files import header
from cambrian.tasks.images.mask_files import read_mask, read_palette
from cambrian.tasks.images.masks import VALUES, find_ignored, resize_masks
from cambrian.tasks.limits import check_memory
from cambrian.tasks.phrases import list_names, short
from cambrian.tasks.readers.arrangement import guess_parts
from cambrian.tasks.readers.listing import Listing, holds_images, show

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES = ("images", "image", "imgs", "img")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentation", "segmentations")


class Pair(NamedTuple):
    """A folder of images and that of their masks, of one part."""

    part: int
    images: Path
    masks: Path


class Masked(NamedTuple):
    """An image, its mask, and its part."""

    image: Path
    mask: Path
    part: int


@dataclass(frozen=True)
class Masks:
    """`names` of the classes, in the order of the values of pixels. `ignore` is the value that is no class,
    "none", or "auto": 255, unless it is one of two values. `background` and `levels` are the images', see
    `Folder`."""

    path: str
    names: tuple[str, ...] | None = None
    ignore: str = "auto"
    background: str = "auto"
    levels: str | None = None

    def examples(self) -> Examples:
        root = Path(self.path)
        rows, notes = _match(root)
        counts = _count_values(rows)
        values, ignored = self._choose_classes(root, np.flatnonzero(counts.any(0)).tolist())
        if ignored is not None:
            _check_ignored(rows, counts, ignored)
            notes.append(
                f"{show(root.name)}: pixels of the value {ignored} are ignored (ignore=none: a class)"
            )
        numbers = np.full(VALUES, IGNORED, np.int64)
        numbers[values] = np.arange(len(values))
        facts = {"values": values, "palette": read_palette(rows[0].mask, show(rows[0].mask))}
        decode_images = decode_files(
            show(root.name),
            lambda i: rows[i].image,
            lambda i: show(rows[i].image),
            self.background,
            self.levels,
        )

        def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
            decoded = Decoded(*decode_images(indices, size))
            chosen = [rows[i] for i in indices.tolist()]
            masks = _draw_masks(show(root.name), chosen, numbers, decoded.inputs.shape[1:3])
            remarks = (*notes, *decoded.notes)
            return Decoded(decoded.inputs, remarks, {**decoded.rendering, "mask": facts}, (), masks)

        targets = np.zeros(len(rows), np.int64)  # the masks are decoded with their images
        parts = np.array([row.part for row in rows], np.int8)
        labels = tuple(self.names or map(str, values))
        return Examples(show(root.resolve().name), targets, labels, parts, decode, Goal("pixels"))

    def _choose_classes(self, root: Path, present: list[int]) -> tuple[list[int], int | None]:
        """The values that are classes, and the one that is ignored."""
        ignored = find_ignored(present) if self.ignore == "auto" else _read_ignored(self.ignore)
        if self.ignore != "auto" and ignored is not None and ignored not in present:
            raise DataError(
                f"{show(root)}: no pixel of the masks has the value {ignored}, which is to be ignored: they"
                f" have {list_names(list(map(str, present)))}"
            )
        values = [value for value in present if value != ignored]
        if len(values) < 2:
            raise DataError(
                f"{show(root)}: all pixels of the masks have the value {values[0] if values else ignored}:"
                " there is only one class, where at least two can be told apart"
            )
        if self.names is not None and len(self.names) != len(values):
            raise DataError(
                f"{show(root)}: {len(self.names)} names for the {len(values)} classes of the masks,"
                f" {list_names(list(map(str, values)))}: give one for each"
            )
        return values, ignored


def is_mask_folder(root: Path) -> bool:
    """Whether it holds a folder of images and one of masks, itself or in its parts."""
    return any(
        holds_images(pair.images) and (holds_images(pair.masks) or pair.masks.name.lower().startswith("mask"))
        for pair in _list_pairs(root)
    )


def _list_pairs(root: Path) -> Iterator[Pair]:
    listing = Listing(root)
    folders = listing.folders(root)
    images, masks = _find(folders, IMAGES), _find(folders, MASKS)
    if images is None or masks is None:
        for folder, part in guess_parts(folders).items():
            inner = Listing(folder).folders(folder)
            images, masks = _find(inner, IMAGES), _find(inner, MASKS)
            if images is not None and masks is not None:
                yield Pair(part, images, masks)
        return
    parts, others = guess_parts(listing.folders(images)), guess_parts(listing.folders(masks))
    if TRAIN not in parts.values():
        yield Pair(TRAIN, images, masks)
    for folder, part in parts.items() if TRAIN in parts.values() else ():
        yield Pair(part, folder, next((f for f, p in others.items() if p == part), masks / folder.name))


def _find(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    by_name = {folder.name.lower(): folder for folder in folders}
    return next((by_name[name] for name in names if name in by_name), None)


def _match(root: Path) -> tuple[list[Masked], list[str]]:
    """The images with their masks, and sentences about what is passed over."""
    rows: list[Masked] = []
    notes: list[str] = []
    listing = Listing(root)
    for pair in sorted(_list_pairs(root)):
        images = _name_files(listing, pair.images)
        masks = _name_files(listing, pair.masks) if pair.masks.is_dir() else {}
        if not masks and pair.part != TRAIN:  # the masks of a contest's test images are kept back
            notes.append(f"{show(pair.images)}: passed over, since there are no masks of these images")
            continue
        _check_match(pair, images, masks)
        rows += [Masked(images[name], masks[name], pair.part) for name in images]
        left = sorted(masks.keys() - images.keys())
        if left:
            notes.append(f"{show(pair.masks)}: passed over masks without an image: {list_names(left)}")
    return rows, [*notes, *listing.remark()]


def _name_files(listing: Listing, folder: Path) -> dict[str, Path]:
    """The images in the folder and in those within, by their path in it without the ending."""
    named: dict[str, Path] = {}
    for file in listing.images(folder):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in named:
            raise DataError(
                f"{show(file)}: {named[name].name} has the same name: remove or rename one of them"
            )
        named[name] = file
    return named


def _check_match(pair: Pair, images: dict[str, Path], masks: dict[str, Path]) -> None:
    if not masks:
        raise DataError(f"{show(pair.masks)}: the folder holds no masks: save one as a PNG for each image")
    missing = sorted(images.keys() - masks.keys())
    if images and len(missing) == len(images):
        image, mask = (short(show(files[min(files)].name)) for files in (images, masks))
        raise DataError(
            f"{show(pair.masks)}: no mask is called like an image: the first image is {image}, the first mask"
            f" {mask}: call each mask like its image"
        )
    if missing:
        more = f" (and {len(missing) - 1} more images have none)" if len(missing) > 1 else ""
        raise DataError(
            f"{show(images[missing[0]])}: there is no mask {short(show(missing[0]) + '.png')} in"
            f" {show(pair.masks)}{more}: add it, or remove the image"
        )


def _count_values(rows: Sequence[Masked]) -> NDArray[np.int64]:
    """Int64 [images, 256]: the pixels of each value. Raises DataError for a mask of another size than its
    image."""

    def count(row: int) -> NDArray[np.int64]:
        image, mask, _ = rows[row]
        values, of_image = read_mask(mask, show(mask)), header(image, show(image))
        height, width = values.shape
        if (height, width) != (of_image.height, of_image.width):
            raise DataError(
                f"{show(mask)}: {width} x {height} pixels, but its image {show(image)} has {of_image.width} x"
                f" {of_image.height}: make both of one size"
            )
        return np.bincount(values.ravel(), minlength=VALUES)

    return np.stack(for_each(count, [show(row.mask) for row in rows], "masks"))


def _check_ignored(rows: Sequence[Masked], counts: NDArray[np.int64], ignored: int) -> None:
    empty = np.flatnonzero(counts[:, ignored] == counts.sum(1))
    if len(empty):
        raise DataError(
            f"{show(rows[empty[0]].mask)}: all of its pixels are ignored (of the value {ignored}), so that it"
            " says nothing: remove it and its image"
        )


def _draw_masks(
    name: str, rows: Sequence[Masked], numbers: NDArray[np.int64], shape: Sequence[int]
) -> NDArray[np.int64]:
    """Int64 [n, height, width] of classes, and of IGNORED."""
    height, width = shape
    check_memory(name, len(rows) * height * width * numbers.itemsize)
    masks = np.empty((len(rows), height, width), np.int64)

    def fill(row: int) -> None:
        values = read_mask(rows[row].mask, show(rows[row].mask))
        masks[row] = numbers[resize_masks(values[None], height, width)[0]]

    for_each(fill, [show(row.mask) for row in rows], "masks")
    return masks


def _read_ignored(text: str) -> int | None:
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit() and int(text) < VALUES):
        raise UsageError(f"ignore={text!r:.40}: expected a value from 0 to 255, none or auto")
    return int(text)
