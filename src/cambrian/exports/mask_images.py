"""The predicted classes of pixels as PNG files, which are called like the images and have their sizes."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.files import make_folder, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def list_mask_files(images: Sequence[Path], folder: Path) -> list[Path]:
    """The file of each image's mask within `folder`, below the folders that the images do not have in common.
    Raises UsageError where two images would have the same, or a file is there already: it may be an image
    that is still to be read, or a mask that somebody drew."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"masks are written into a folder, and {folder} is a file: name a folder")
    parents = [image.absolute().parent for image in images]
    common = Path(os.path.commonpath(parents)) if parents else Path()
    files: dict[Path, Path] = {}
    for image, parent in zip(images, parents, strict=True):
        file = folder / parent.relative_to(common) / f"{image.stem}.png"
        if file in files:
            raise UsageError(f"{files[file]} and {image} would have the same mask {file}: rename one of them")
        if os.path.lexists(file):
            raise UsageError(f"the mask of {image} would be written over {file}: name another folder")
        files[file] = image
    return list(files)


def write_mask(classes: NDArray[np.int64], path: Path, image: Path, facts: Mapping[str, Any]) -> None:
    """Write the classes int64 [height, width] of pixels in the size of the file `image`; `facts` are those of
    the masks of the training."""
    from cambrian.tasks.images.image_files import header
    from cambrian.tasks.images.mask_files import draw_mask
    from cambrian.tasks.images.masks import resize_masks

    size = header(image, str(image))
    data = io.BytesIO()
    draw_mask(resize_masks(classes[None], size.height, size.width)[0], facts).save(data, "PNG")
    try:
        make_folder(path.parent)
        write_file(path, data.getvalue())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
