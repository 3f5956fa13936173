"""Data that cannot be used: one sentence with the place and the remedy, quickly, and nothing is executed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import X, Y, refused

from cambrian.errors import UsageError
from cambrian.tasks import load

RNG = np.random.default_rng(1)


def folder(root: Path, size: tuple[int, int] = (4, 4)) -> Path:
    """Two good classes of six images."""
    for label in ("ant", "bee"):
        (root / label).mkdir(parents=True)
        for i in range(6):
            image = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / label / f"{i}.png")
    return root


def test_missing_path() -> None:
    """A misspelt name is answered with the nearest one."""
    refused("digts", "neither an existing path nor a known name; did you mean 'digits'")
    refused("fashion_mnist", "did you mean 'fashion-mnist'")
    refused("/no/such/folder", "neither an existing path")


def test_unknown_format(tmp_path) -> None:
    """A file of another kind is told what would do."""
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    refused(tmp_path / "data.parquet", r"data\.parquet: not a format that can be read: give a folder")


def test_empty_folder(tmp_path) -> None:
    """Nothing there, nothing but loose images, a class without images."""
    refused(tmp_path, "the folder is empty: put the images of each class")
    Image.fromarray(X[0]).save(tmp_path / "loose.png")
    refused(tmp_path, "holds images but no class folders")
    (tmp_path / "loose.png").unlink()
    (folder(tmp_path) / "cow").mkdir()
    refused(tmp_path, "cow: the class folder holds no images .* fill it or remove it")
    for name in ("1.heic", "2.HEIC"):  # photographs of a phone are not "nothing"
        (tmp_path / "cow" / name).write_bytes(b"\0\0\0\x18ftypheic")
    refused(tmp_path, r"cow: .*, but 2 \.heic: convert these, as to \.jpg, or remove the folder")


def test_one_class(tmp_path) -> None:
    """One class only; a folder too high up is told of the one meant."""
    folder(tmp_path / "images")
    refused(tmp_path, "only one class folder, 'images'.*did you mean .*images")
    refused((X, np.zeros(12, int)), "only one class, '0'")


def test_class_with_one_example(tmp_path) -> None:
    """It cannot be in every split."""
    folder(tmp_path)
    (tmp_path / "cow").mkdir()
    Image.fromarray(X[0]).save(tmp_path / "cow" / "only.png")
    refused(tmp_path, "class 'cow' has only 1 training image, too few")


def truncated(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:900])


def broken_png(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, "PNG")
    held = bytearray(path.read_bytes())
    held[held.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(held)


def animated(path: Path) -> None:
    frames = [Image.fromarray(x) for x in X[:3]]
    kind = {".gif": "GIF", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}[path.suffix]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])


def bomb(path: Path) -> None:
    """A small PNG that announces 50,000 x 50,000 pixels."""
    Image.new("1", (8, 8)).save(path, "PNG")
    held = path.read_bytes()
    announced = b"IHDR" + struct.pack(">II", 50_000, 50_000) + held[24:29]
    checksum = struct.pack(">I", zlib.crc32(announced))
    path.write_bytes(held[:12] + announced + checksum + held[33:])


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("z.jpg", truncated, r"z\.jpg: a corrupt or truncated image .*: replace or remove it"),
        ("z.png", broken_png, r"z\.png: a corrupt or truncated image"),
        ("z.png", lambda p: p.write_bytes(b""), r"z\.png: a corrupt .*not an image of a known format"),
        ("z.gif", animated, r"z\.gif: an animated or multi-page image \(GIF\): keep one frame"),
        ("z.png", animated, r"z\.png: an animated or multi-page image \(PNG\)"),
        ("z.webp", animated, r"z\.webp: an animated or multi-page image \(WEBP\)"),
        ("z.tif", animated, r"z\.tif: an animated or multi-page image \(TIFF\)"),
        ("z.png", bomb, r"z\.png: .*too big an image: scale it down"),
        ("z.tif", lambda p: Image.new("F", (4, 4)).save(p), r"z\.tif: an image of floats"),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"size": 4}], ids=["as it is", "resized"])
def test_bad_image(tmp_path, name, write, sentence, settings) -> None:
    """One bad image among good ones is named, whether or not images are resized."""
    write(folder(tmp_path, (64, 64)) / "bee" / name)
    refused(tmp_path, sentence, **settings)


def test_mixed_sizes(tmp_path) -> None:
    """All are scaled to the usual size, the odd one is named with the setting that chooses another size."""
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(folder(tmp_path) / "bee" / "odd.png")
    task = load(tmp_path)
    assert task.inputs.shape == (13, 4, 4, 3)
    sizes, scaled = task.warnings[0].split("): all are scaled to ")
    assert scaled == "4 x 4: size= (--size) chooses another side"
    assert "13 images have 2 sizes, from 4 x 4 pixels (" in sizes
    assert sizes.endswith("odd.png")
    assert load(tmp_path, size=4).warnings == task.warnings[1:]


@pytest.mark.parametrize(
    ("inputs", "targets", "sentence"),
    [
        (X, np.where(np.arange(12) == 3, 99, Y), "class '99' has only 1 training image"),
        (X, Y + 0.5, "label 0.5 of image 0 is not an integer"),
        (X, np.where(Y == 1, np.nan, 0.0), "image 1 has no label, as do 5 more"),
        (X, np.eye(2)[Y] / 2, r"several labels an image \(2\).*column=0.*targets\.argmax\(1\)"),
        (X, np.arange(12), "12 different labels of 12 images look like numbers to be predicted"),
        (X, Y[:-1], "12 images but 11 labels"),
        (np.where(X[2, 1, 3] == X, np.nan, X.astype(float)), Y, "holds nan at row .*: replace or remove"),
        (np.full((12, 4, 4), 1e300), Y, "image 0 holds 1e[+]300"),
        (X.astype(int) - 300, Y, "integer pixels must lie in 0 to 255"),
        (X.reshape(12, 16)[:, :15], Y, "rows of 15 values look like a table .* shape=HEIGHTxWIDTH"),
        (X.reshape(12, 16), Y, "rows of 16 values look like a table of features"),
        (RNG.normal(size=(12, 64)), Y, "rows of 64 values look like a table of features"),
        (X.transpose(1, 2, 0), Y, r"4 images but 12 labels: .* np\.moveaxis\(images, -1, 0\)"),
        (X[0, 0], Y[:4], r"expected images \[n, height, width, channels\]"),
        (X[:0], Y[:0], r"expected images \[n, height, width, channels\]"),
        (X.astype(str), Y, "expected images of integers or floats"),
        (X, np.array([object()] * 12), "expected labels that are integers or strings"),
    ],
)
def test_bad_arrays(tmp_path, inputs, targets, sentence) -> None:
    """The same sentence for arrays in memory and, where it can be saved, from a file."""
    refused((inputs, targets), sentence)
    if targets.dtype != object:
        np.savez(tmp_path / "d.npz", x=inputs, y=targets)
        refused(tmp_path / "d.npz", sentence)


def test_labels_beyond_the_names(tmp_path) -> None:
    """With named classes the range is known."""
    np.savez(tmp_path / "d.npz", x=X, y=Y * 2, classes=np.array(["a", "b"]))
    refused(tmp_path / "d.npz", "label 2 of image 1 is out of range for the 2 named classes: expected 0 to 1")


def test_a_million_classes() -> None:
    """As many classes as images is a mistake, and found at once."""
    many = np.arange(1_000_000)
    refused((np.zeros((1_000_000, 2, 2), np.uint8), many), "1000000 different labels of 1000000 images")
    words = np.arange(1_000).astype(str)
    refused((np.zeros((1_000, 2, 2), np.uint8), words), "999 more classes too few")


def test_parts_that_differ() -> None:
    """Images of different sizes are scaled, which is said; those of different types are refused, and so is a
    class that is only in the test part."""
    task = load(((X, Y), (X[:, :3], Y)))
    assert "4 x 3 pixels (data: image 0 of the test part) to 4 x 4" in task.warnings[0]
    assert (task.height, task.width, task.sizes["test"]) == (3, 3, 12)
    refused(((X, Y), (X / 255, Y)), "the parts differ: 1 channels of uint8 and 1 channels of float32")
    refused(((X, Y), (X, Y + 1)), "class '2' has no training image")


class Failing:
    """A data set whose fourth item raises, or is of another shape."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> object:
        if i == 3 and self.shape is None:
            raise KeyError("lost")
        return np.full((4, 4) if i != 3 else self.shape, float(i)), i % 2  # type: ignore[arg-type]


def test_bad_datasets() -> None:
    """The item is named; what is no data set at all is told what would do."""
    refused(Failing(None), "item 3 of Failing cannot be had as .image, label.: KeyError")
    assert "to 5 x 5 (Failing: image 3): all are scaled to 4 x 4" in load(Failing((5, 5))).warnings[0]
    refused([], "list is empty")
    refused(iter([]), "cannot use 'list_iterator' as a data set")
    refused(42, "cannot use 'int' as a data set")
    refused((X, Y, X, Y), "a tuple of 4 is not a data set")


@pytest.mark.parametrize("setting", ["limit", "size"])
def test_bad_settings(setting) -> None:
    """Zero images and zero pixels are refused."""
    with pytest.raises(UsageError, match=f"{setting}=0: expected a positive integer"):
        load("digits", **{setting: 0})
    with pytest.raises(UsageError, match=f"{setting}='8': expected a positive integer"):
        load("digits", **{setting: "8"})
    with pytest.raises(UsageError, match=r"seed=1\.5: expected a whole number"):
        load("digits", seed=1.5)  # type: ignore[arg-type]
    for other in ("test", "validation"):
        with pytest.raises(UsageError, match=f"{other}='x': expected a number"):
            load("digits", **{other: "x"})


def test_large_folders_are_scanned_before_they_are_decoded(tmp_path, monkeypatch) -> None:
    """A mistake in the last header is found without decoding a single image."""
    from cambrian.tasks.images import decoding

    animated(folder(tmp_path) / "bee" / "z.gif")
    monkeypatch.setattr(decoding, "pixels", lambda *_, **__: pytest.fail("decoded too early"))
    refused(tmp_path, "animated")
