"""Transparency, more than 8 bits, orientation, constant images: seen as a viewer shows them, and said."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin
from refusals import refused

from cambrian.errors import CambrianError, UsageError
from cambrian.tasks import Task, load, read_images

RNG = np.random.default_rng(7)
SQUARE = np.zeros((12, 8, 8), np.uint8)  # opacity: a square at another place in each
for number in range(12):
    SQUARE[number, 1 + number % 4 : 4 + number % 4, number // 4 : 5 + number // 4] = 255


def write(folder: Path, images: list[Image.Image], ending: str = "png", **how: object) -> Path:
    """Two classes of them, in turns."""
    for i, image in enumerate(images):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        image.save(folder / "ab"[i % 2] / f"{i:02}.{ending}", **how)
    return folder


def read(folder: Path, **options: object) -> Task:
    return load(folder, **options)


def drawings(mode: str, ink: tuple[int, ...]) -> list[Image.Image]:
    """The squares in one colour, the picture in the transparency alone."""
    images = []
    for alpha in SQUARE:
        flat = Image.new("RGBA", (8, 8), (*ink, 0))
        flat.putalpha(Image.fromarray(alpha))
        images.append(flat.convert(mode) if mode != "P" else palette(alpha, ink))
    return images


def palette(alpha: np.ndarray, ink: tuple[int, ...]) -> Image.Image:
    image = Image.fromarray((alpha > 0).astype(np.uint8)).convert("P")
    image.putpalette([*ink, *ink])
    image.info["transparency"] = 0
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (90, 255), (240, 0)])
def test_drawings_in_the_alpha_channel(tmp_path, mode, ink, ground) -> None:
    """Ink on white, light ink on black: what is opaque has the ink's colour, all else the ground's."""
    task = load(write(tmp_path, drawings(mode, (ink,) * 3)))
    order = np.concatenate([np.arange(0, 12, 2), np.arange(1, 12, 2)])
    expected = np.where(SQUARE[order] == 255, ink, ground)
    assert (task.inputs == expected[..., None]).all()
    assert task.rendering["background"] == [ground] * 3
    name = {255: "white", 0: "black"}[ground]
    assert f"12 images are transparent in places, and are laid on {name}" in "\n".join(task.warnings)


def test_yellow_is_seen_on_white(tmp_path) -> None:
    """Colours count, not only how light they are."""
    assert load(write(tmp_path, drawings("RGBA", (255, 255, 0)))).rendering["background"] == [255] * 3


def test_black_and_white_drawings_together(tmp_path) -> None:
    """One ground for all, on which both are seen."""
    task = load(write(tmp_path, drawings("RGBA", (0,) * 3)[:6] + drawings("RGBA", (255,) * 3)[6:]))
    assert task.rendering["background"] == [128] * 3
    assert set(np.unique(task.inputs)) == {0, 128, 255}


def test_half_transparent_pixels_are_mixed(tmp_path) -> None:
    """Opacity a of colour c on white is a c + (1 - a) 255, to the rounding of 8 bits."""
    rgba = RNG.integers(0, 256, (12, 5, 6, 4), dtype=np.uint8)
    task = load(write(tmp_path, [Image.fromarray(image) for image in rgba]))
    share = rgba[..., 3:] / 255
    mixed = (share * rgba[..., :3] + (1 - share) * 255)[[*range(0, 12, 2), *range(1, 12, 2)]]
    assert np.abs(task.inputs - mixed).max() <= 1


def test_a_colour_that_stands_for_transparency(tmp_path) -> None:
    """The tRNS chunk of a grey PNG: pixels of that level are the ground."""
    images = [Image.fromarray(a // 255 * 40 + 10) for a in SQUARE]
    task = load(write(tmp_path, images, transparency=10))
    assert set(np.unique(task.inputs)) == {50, 255}
    assert task.channels == 1


@pytest.mark.parametrize(
    ("background", "pixels"),
    [("black", {0}), ("none", {0}), ("#0000ff", {0, 255}), ("grey", {0, 128}), ("red", {0, 255})],
)
def test_background_is_an_option(tmp_path, background, pixels) -> None:
    """Any colour, or none, which drops transparency; black on black is refused, and so is nonsense."""
    write(tmp_path, drawings("RGBA", (0, 0, 0)))
    if pixels == {0}:
        with pytest.raises(CambrianError, match="all 12 images hold the same value"):
            read(tmp_path, background=background)
    else:
        assert set(np.unique(read(tmp_path, background=background).inputs)) == pixels
    with pytest.raises(UsageError, match="background='blurple': not a colour"):
        read(tmp_path, background="blurple")


def test_opaque_alpha_is_not_mentioned(tmp_path) -> None:
    """An alpha channel that is opaque throughout changes nothing; a transparent one is dropped."""
    colours = RNG.integers(0, 256, (12, 5, 6, 3), dtype=np.uint8)
    for name, opacity in (("opaque", 255), ("clear", 0)):
        images = [np.dstack([c, np.full((5, 6), opacity, np.uint8)]) for c in colours]
        task = load(write(tmp_path / name, [Image.fromarray(image) for image in images]))
        assert (np.sort(task.inputs.ravel()) == np.sort(colours.ravel())).all()
        assert bool(task.warnings) == (name == "clear")


WIDE = {"little": "<u2", "big": ">u2", "whole": "<i4"}


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("top", [255, 4095, 65535, 1000])
def test_grey_levels_survive(tmp_path, kind, top) -> None:
    """16-bit grey is scaled from its lowest and highest level, the same in all images, whatever the file says
    of its bytes: (level - lowest) / (highest - lowest) of 255, rounded."""
    levels = RNG.integers(0, top + 1, (12, 20, 20))
    images = [Image.fromarray(image.astype(WIDE[kind])) for image in levels]
    task = load(write(tmp_path, images, "tif"))
    low, high = levels.min(), levels.max()
    expected = np.rint((levels - low) / (high - low) * 255)[[*range(0, 12, 2), *range(1, 12, 2)]]
    assert (task.inputs[..., 0] == expected).all()
    assert len(np.unique(task.inputs)) > 200
    assert task.rendering["levels"] == [low, high]
    assert f"12 images have 16 bits a value, {low} to {high}" in "\n".join(task.warnings)


def test_hot_pixels_do_not_squeeze_the_rest(tmp_path) -> None:
    """One pixel of a thousand that is far brighter is clipped, and that is said."""
    levels = RNG.integers(100, 1100, (12, 40, 40)).astype(np.uint16)
    levels[:, 3, 3] = 65535
    task = load(write(tmp_path, [Image.fromarray(image) for image in levels]))
    assert len(np.unique(task.inputs)) > 200
    assert "what lies beyond is clipped" in "\n".join(task.warnings)
    assert len(np.unique(read(tmp_path, levels="0-65535").inputs)) < 10
    with pytest.raises(UsageError, match="expected the lowest and the highest grey level"):
        read(tmp_path, levels="5-5")


def test_wide_images_among_others(tmp_path) -> None:
    """Beside images of 8 bits white is white: 8-bit data in 16-bit files stay as they are."""
    levels = RNG.integers(0, 200, (12, 6, 6), dtype=np.uint8)
    images = [Image.fromarray(a.astype(np.uint16) if i < 6 else a) for i, a in enumerate(levels)]
    task = load(write(tmp_path, images))
    assert (np.sort(task.inputs.ravel()) == np.sort(levels.ravel())).all()


@pytest.mark.parametrize("kind", ["transparent", "wide"])
def test_prediction_is_prepared_as_training_was(tmp_path, kind) -> None:
    """`read_images` with a task's rendering gives the task's inputs, and it survives being saved."""
    if kind == "wide":
        images = [Image.fromarray(a) for a in RNG.integers(0, 900, (12, 8, 8)).astype(np.uint16)]
    else:
        images = drawings("RGBA", (255, 255, 255))
    load(write(tmp_path / "in", images)).save(tmp_path / "task")
    task = Task.open(tmp_path / "task")
    files = sorted((tmp_path / "in").rglob("*.png"))
    size = (task.channels, task.height, task.width)
    assert (read_images(files, *size, task.rendering) == task.inputs).all()
    assert (read_images(files, *size) != task.inputs).any()
    with pytest.raises(CambrianError, match="how images are rendered is damaged"):
        read_images(files, *size, {"levels": ["a"]})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("where", ["exif", "xmp", "tiff"])
def test_orientation_anywhere(tmp_path, where, orientation) -> None:
    """EXIF, XMP and TIFF tags turn an image as Pillow's exif_transpose does, its size included."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    packet = f'<rdf:Description xmlns:tiff="x" tiff:Orientation="{orientation}"/>'.encode()
    how = {"exif": {"exif": exif}, "xmp": {"xmp": packet}, "tiff": {"tiffinfo": {274: orientation}}}[where]
    ending = {"exif": "png", "xmp": "jpg", "tiff": "tif"}[where]
    images = [Image.fromarray(a) for a in RNG.integers(0, 256, (12, 10, 16, 3), dtype=np.uint8)]
    task = load(write(tmp_path, images, ending, **how))
    for file, pixels in zip(sorted(tmp_path.rglob(f"*.{ending}")), task.inputs, strict=True):
        with Image.open(file) as image:
            assert (np.asarray(ImageOps.exif_transpose(image)) == pixels).all()


def test_constant_images(tmp_path) -> None:
    """All of one value, or all the same: refused. A few of one colour: counted."""
    write(tmp_path / "flat", [Image.new("L", (4, 4), 7)] * 12)
    refused(tmp_path / "flat", "all 12 images hold the same value everywhere")
    noise = RNG.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    write(tmp_path / "same", [Image.fromarray(noise[0])] * 12)
    refused(tmp_path / "same", "all 12 images are the same")
    noise[:3] = np.arange(3)[:, None, None, None] + 1
    task = load(write(tmp_path / "few", [Image.fromarray(image) for image in noise]))
    assert "3 of 12 images hold a single colour" in "\n".join(task.warnings)


def png_of_16_bits(values: np.ndarray) -> bytes:
    """What Pillow reads but does not write: grey, grey with alpha, RGB and RGBA by the number of channels."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        for kind, held in parts
    )


def tiff_of_16_bits(values: np.ndarray, order: str) -> bytes:
    """RGB in one strip, behind its ten tags."""
    height, width, _ = values.shape
    bits = 8 + 2 + 10 * 12 + 4
    short, long = f"{order}HHIHH", f"{order}HHII"
    tags = [struct.pack(short, tag, 3, 1, n, 0) for tag, n in ((256, width), (257, height))]
    tags += [struct.pack(long, 258, 3, 3, bits)]
    tags += [struct.pack(short, tag, 3, 1, n, 0) for tag, n in ((259, 1), (262, 2))]
    tags += [struct.pack(long, 273, 4, 1, bits + 6)]
    tags += [struct.pack(short, tag, 3, 1, n, 0) for tag, n in ((277, 3), (278, height))]
    tags += [struct.pack(long, 279, 4, 1, 2 * values.size), struct.pack(short, 284, 3, 1, 1, 0)]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    depths = struct.pack(f"{order}3H", 16, 16, 16)
    return start + b"".join(tags) + bytes(4) + depths + values.astype(f"{order}u2").tobytes()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_a_colour(tmp_path, channels) -> None:
    """All 16 bits of PNGs count, of colours and beside opacity, too: levels are scaled from the lowest to the
    highest of the data set, and the lower byte is not lost."""
    values = RNG.integers(0, 3000, (12, 6, 7, channels))
    if channels in (2, 4):
        values[..., -1] = 65535
    for i, image in enumerate(values):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[i % 2] / f"{i:02}.png").write_bytes(png_of_16_bits(image))
    seen = values[..., : 3 if channels > 2 else 1]
    low, high = seen.min(), seen.max()
    task = load(tmp_path)
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    assert (task.inputs == np.rint((seen - low) / (high - low) * 255)[order]).all()
    assert f"12 images have 16 bits a value, {low} to {high}" in "\n".join(task.warnings)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_a_colour_in_tiff(tmp_path, order) -> None:
    """In either order of bytes."""
    values = RNG.integers(0, 3000, (12, 6, 7, 3))
    for i, image in enumerate(values):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[i % 2] / f"{i:02}.tif").write_bytes(tiff_of_16_bits(image, order))
    task = load(tmp_path, levels="0-3000")
    assert (task.inputs == np.rint(values / 3000 * 255)[[*range(0, 12, 2), *range(1, 12, 2)]]).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_orientation_behind_the_pixels_and_in_xmp_of_tiff(tmp_path, ending) -> None:
    """Tools append XMP to a PNG; in a TIFF it may stand beside the tags."""
    packet = '<rdf:Description xmlns:tiff="x" tiff:Orientation="6"/>'
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet)
    pixels = RNG.integers(0, 256, (12, 10, 16, 3), dtype=np.uint8)
    how = {"pnginfo": text} if ending == "png" else {"tiffinfo": {700: packet.encode()}}
    write(tmp_path, [Image.fromarray(a) for a in pixels], ending, **how)
    for file in tmp_path.rglob("*.png"):
        held = file.read_bytes()
        start = held.index(b"iTXt") - 4
        end = start + 12 + int.from_bytes(held[start : start + 4], "big")
        file.write_bytes(held[:start] + held[end:-12] + held[start:end] + held[-12:])
    expected = np.stack([np.rot90(a, -1) for a in pixels])[[*range(0, 12, 2), *range(1, 12, 2)]]
    assert (load(tmp_path).inputs == expected).all()
