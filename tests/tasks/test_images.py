"""Decoding: every kind of file becomes the 8-bit pixels one would expect, in training and prediction."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cambrian.errors import DataError
from cambrian.tasks import load, read_images

RAMP = (np.arange(64 * 48).reshape(48, 64) % 256).astype(np.uint8)  # wider than high


def test_eight_bit_grey_and_colour(tmp_path) -> None:
    """Grey stays as it is, becomes three equal channels for a colour network, and colour becomes luma."""
    Image.fromarray(RAMP).save(tmp_path / "grey.png")
    assert (read_images([tmp_path / "grey.png"], 1, 48, 64)[0, ..., 0] == RAMP).all()
    colour = read_images([str(tmp_path / "grey.png")], 3, 48, 64)
    assert (colour == RAMP[None, ..., None]).all()
    rgb = np.stack([RAMP, RAMP.T.reshape(48, 64), 255 - RAMP], axis=2)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    luma = rgb @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(read_images([tmp_path / "rgb.png"], 1, 48, 64)[0, ..., 0] - luma).max() <= 1


def test_sixteen_bit_grey_is_scaled(tmp_path) -> None:
    """16 bits are divided by 257, not clipped at 255."""
    wide = (RAMP.astype(np.uint16) * 257)[:32]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_images([tmp_path / "wide.png"], 1, 32, 64)[0, ..., 0] == RAMP[:32]).all()
    assert (read_images([tmp_path / "wide.png"], 3, 32, 64)[0, ..., 2] == RAMP[:32]).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_other_modes_are_pillows_conversion(tmp_path, mode) -> None:
    """Bilevel, palette, transparency, CMYK: the same as Pillow's conversion to RGB."""
    image = Image.fromarray(np.stack([RAMP, RAMP // 2, 255 - RAMP], axis=2)).convert(mode)
    path = tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr") else "x.png")
    image.save(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert (read_images([path], 3, 48, 64)[0] == expected).all()


def test_orientation(tmp_path) -> None:
    """A photograph taken upright is upright, and its size is that of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    for label, fill in (("a", 0), ("b", 1)):
        (tmp_path / label).mkdir()
        for i in range(4):
            Image.fromarray(np.roll(RAMP, 5 * i + fill, 1)).save(tmp_path / label / f"{i}.png", exif=exif)
    Image.fromarray(RAMP).save(tmp_path / "turned.png", exif=exif)
    assert (read_images([tmp_path / "turned.png"], 1, 64, 48)[0, ..., 0] == np.rot90(RAMP, -1)).all()
    (tmp_path / "turned.png").unlink()
    task = load(tmp_path)
    assert (task.height, task.width) == (64, 48)


def test_prediction_sees_what_training_saw(tmp_path) -> None:
    """The inputs that `read_images` makes of the training files are the task's, JPEG shrinking included."""
    photograph = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(4):
            big = Image.fromarray(np.roll(photograph, i + ord(label), 0)).resize((300, 225))
            big.save(tmp_path / label / f"{i}.jpg", quality=90)
    task = load(tmp_path, size=16)
    again = read_images(sorted(tmp_path.rglob("*.jpg")), task.channels, task.height, task.width)
    assert (again == task.inputs).all()
    plain = Image.open(tmp_path / "a" / "0.jpg").resize((16, 16), Image.Resampling.BILINEAR)
    assert np.abs(task.inputs[0].astype(int) - np.asarray(plain)).mean() < 4


def test_grey_among_colour(tmp_path) -> None:
    """A few grey images among colour ones are converted, and one sentence says so."""
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(4):
            Image.fromarray(np.dstack([RAMP, RAMP + np.uint8(i), RAMP])).save(tmp_path / label / f"{i}.png")
    assert load(tmp_path).channels == 3
    Image.fromarray(RAMP).save(tmp_path / "b" / "odd.png")
    task = load(tmp_path)
    assert task.channels == 3
    assert [w for w in task.warnings if "1 of 9 images are grey" in w and "odd.png" in w]


def test_wrong_files_for_prediction(tmp_path) -> None:
    """What cannot be read is named."""
    with pytest.raises(DataError, match=r"nowhere\.png: no such image file"):
        read_images([tmp_path / "nowhere.png"], 3, 8, 8)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text\.png: .*not an image of a known format"):
        read_images([tmp_path / "text.png"], 3, 8, 8)
    with pytest.raises(DataError, match="1 or 3 channels, but 5"):
        read_images([], 5, 8, 8)
