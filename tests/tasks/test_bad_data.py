"""Data that cannot be used: one sentence with the place and the remedy, quickly, and nothing is executed."""

from __future__ import annotations

import gzip
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cambrian.errors import DataError, UsageError
from cambrian.tasks import limits, load, read_images

RNG = np.random.default_rng(1)
X, Y = RNG.integers(0, 256, (12, 4, 4), dtype=np.uint8), np.arange(12) % 2


def refused(source: object, sentence: str, **settings: object) -> None:
    """Loading raises DataError: one line that matches, within five seconds."""
    started = time.perf_counter()
    with pytest.raises(DataError, match=sentence) as caught:
        load(source, **settings)  # type: ignore[arg-type]
    assert time.perf_counter() - started < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


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


def test_one_class(tmp_path) -> None:
    """One class only; a folder too high up is told of the one meant."""
    folder(tmp_path / "images")
    refused(tmp_path, "only one class folder, 'images'.*did you mean .*images")
    refused((X, np.zeros(12, int)), "only one class, '0'")


def test_test_part_alone(tmp_path) -> None:
    """IDX files to be judged by, but none to learn from."""
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(X))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(Y.astype(np.uint8)))
    refused(tmp_path, "there is a test part but no train-images-idx3-ubyte file")


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
    """The odd one is named with the setting that mends it, which does mend it."""
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(folder(tmp_path) / "bee" / "odd.png")
    refused(tmp_path, r"odd\.png: 9 x 5 pixels, but 4 x 4 in .*0\.png: .* with size=4 \(--size 4\)")
    assert load(tmp_path, size=4).inputs.shape == (13, 4, 4, 3)


@pytest.mark.parametrize(
    ("inputs", "targets", "sentence"),
    [
        (X, Y - 1, "label -1 of image 0 is negative"),
        (X, np.where(np.arange(12) == 3, 99, Y), "label 99 of image 3 is out of range"),
        (X, Y + 0.5, "label 0.5 of image 0 is not an integer"),
        (X, np.where(Y == 1, np.nan, 0.0), "label nan of image 1 is not an integer"),
        (X, np.eye(2)[Y], r"one-hot, give targets\.argmax\(1\)"),
        (X, Y[:-1], "12 images but 11 labels"),
        (np.where(X[2, 1, 3] == X, np.nan, X.astype(float)), Y, "holds nan at row .*: replace or remove"),
        (np.full((12, 4, 4), 1e300), Y, "image 0 holds 1e[+]300"),
        (X.astype(int) - 300, Y, "integer pixels must lie in 0 to 255"),
        (X.reshape(12, 16)[:, :15], Y, "15 values per image do not make a square"),
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
    refused((np.zeros((1_000_000, 1, 1), np.uint8), many), "999999 more classes too few")


def test_parts_that_differ() -> None:
    """Training and test images of different shapes, and a class that is only in the test part."""
    refused(((X, Y), (X[:, :3], Y)), "the parts differ")
    refused(((X, Y), (X, Y + 1)), "class '2' has no training image")


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (self.path,)


def test_pickles_are_refused(tmp_path) -> None:
    """An object array is refused by name, and nothing in it runs."""
    np.savez(tmp_path / "d.npz", x=np.array([Canary(tmp_path / "canary")] * 12), y=Y)
    refused(tmp_path / "d.npz", "array 'x' holds Python objects, which would have to be unpickled")
    assert not (tmp_path / "canary").exists()


def header(shape: tuple[int, ...]) -> bytes:
    """The head of an .npy file of uint8."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def test_zip_bomb(tmp_path, monkeypatch) -> None:
    """What claims to unpack to far more than images would is refused before it is unpacked."""
    monkeypatch.setattr(limits, "BOMB_BYTES", 2**20)
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((12, 512, 512), np.uint8), y=Y)
    refused(tmp_path / "d.npz", "claim to unpack to 3.0 MiB, which no images do")


def test_more_than_the_memory(tmp_path, monkeypatch) -> None:
    """What does not fit is refused before it is read, whatever the format."""
    monkeypatch.setattr(limits, "memory", lambda: 100)
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    refused(tmp_path / "d.npz", "in memory, of which .* can be used: give size= or limit=")
    refused(folder(tmp_path / "images"), "in memory")


@pytest.mark.parametrize("shape", [(2**62, 4), (12, 4, 4, 100)])
def test_an_array_that_announces_too_much(tmp_path, shape) -> None:
    """An .npy head that promises more than the member holds allocates nothing."""
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", header(shape) + X.tobytes())
        archive.writestr("y.npy", header((12,)) + Y.astype(np.uint8).tobytes())
    refused(tmp_path / "d.npz", r"x\.npy is not as long as it announces")


def test_damaged_archives(tmp_path) -> None:
    """No archive, half an archive, a member of noise, strange keys."""
    path = tmp_path / "d.npz"
    path.write_bytes(b"PK nothing")
    refused(path, r"d\.npz: not a whole \.npz archive")
    np.savez(path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, r"d\.npz: not a whole \.npz archive")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"noise")
        archive.writestr("y.npy", b"noise")
    refused(path, r"d\.npz: not a whole \.npz archive")
    np.savez(path, foo=X, bar=Y)
    refused(path, r"no images and labels among its arrays \(foo, bar\): call them x_train")


def test_jpeg_archive_with_wrong_offsets(tmp_path) -> None:
    """Offsets that leave the payload are found before anything is decoded."""
    held = {"header": X[0, 0], "payload": X.ravel(), "labels": Y}
    np.savez(tmp_path / "d.npz", **held, offsets=np.arange(13) * 1000)
    refused(tmp_path / "d.npz", "offsets do not rise within the 192 bytes")
    np.savez(tmp_path / "d.npz", **held, offsets=np.arange(12))
    refused(tmp_path / "d.npz", "expected one more offset than labels, got 12 and 12")
    np.savez(tmp_path / "d.npz", **held, offsets=np.arange(13))
    refused(tmp_path / "d.npz", r"d\.npz: image 0: a corrupt or truncated image")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (idx(X)[:-1], "truncated: 191 bytes where 192 are announced"),
        (b"\0\0\x0d\x03" + idx(X)[4:], "not an IDX file of unsigned bytes: it begins with 00 00 0d 03"),
        (b"", "begins with nothing"),
        (idx(X)[:9], "cannot be read"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**10, 2**10), "claim to unpack to"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_bad_idx(tmp_path, held, sentence, packed) -> None:
    """Truncated, of another type, empty, or announcing more than there is."""
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(Y.astype(np.uint8)))
    name = f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    (tmp_path / name).write_bytes(gzip.compress(held) if packed else held)
    refused(tmp_path, f"{name}: .*{sentence}")


def test_idx_damaged_gzip_and_missing_labels(tmp_path) -> None:
    """A gzip that ends early, and images without labels."""
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(X))[:-40])
    refused(tmp_path, "its labels are missing: expected train-labels-idx1-ubyte")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(Y.astype(np.uint8)))
    refused(tmp_path, "cannot be read")


ROW = ",".join(map(str, X[0].ravel()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there are no rows"),
        ("label,p0,p1,p2,p3\n", "there are no rows"),
        (f"0,{ROW}\n", "only one class"),
        (f"0,{ROW}\n1,{ROW}\n1,2,3\n", "line 3: 3 columns where 17 are expected: mend or remove the row"),
        ("0,1,2,3,4\n1,1,nan,3,4\n", "line 2: 'nan' is not a finite number"),
        ("0,1,2,3,4\n1,1,1e300,3,4\n", "line 2: '1e300' is not a finite number"),
        ("0,1,2,3,4\n1,1,,3,4\n", "line 2: '' is not a number"),
        ("0,1,2,3,4\n1,1,x y,3,4\n", "line 2: 'x y' is not a number"),
        ("0,1,2,3,999\n1,1,2,3,4\n", "integer pixels must lie in 0 to 255"),
        ("0,1,2,3\n1,1,2,3\n", "3 values per image do not make a square"),
        ("0\n1\n", "there is one column only"),
        ("0,1,2,3,4\n1.5,1,2,3,4\n", "label 1.5 of image 1 is not an integer"),
        ("path,label\na.png,x\nb.png,y\n", r"no image file 'a\.png': give paths relative to"),
        ("0,1,\x00\n", "cannot be read as UTF-8 CSV|is not a number"),
    ],
)
def test_bad_csv(tmp_path, text, sentence) -> None:
    """The line is named."""
    (tmp_path / "d.csv").write_text(text)
    refused(tmp_path / "d.csv", sentence)


def test_csv_in_another_encoding(tmp_path) -> None:
    """UTF-16 is refused with the remedy."""
    (tmp_path / "d.csv").write_text("label,p\n0,1\n", encoding="utf-16")
    refused(tmp_path / "d.csv", "cannot be read as UTF-8 CSV")


class Failing:
    """A data set whose fourth item raises, or is of another shape."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> object:
        if i == 3 and self.shape is None:
            raise KeyError("lost")
        return np.zeros((4, 4) if i != 3 else self.shape), i % 2  # type: ignore[arg-type]


def test_bad_datasets() -> None:
    """The item is named; what is no data set at all is told what would do."""
    refused(Failing(None), "item 3 of Failing cannot be had as .image, label.: KeyError")
    refused(Failing((5, 5)), r"item 3 of Failing has shape \[5, 5\], the first \[4, 4\]")
    refused([], "list is empty")
    refused(iter([]), "cannot use 'list_iterator' as a data set")
    refused(42, "cannot use 'int' as a data set")
    refused((X, Y, X, Y), "a tuple of 4 is no data set")


def damaged(held: bytes, rng: np.random.Generator) -> bytes:
    """One to twenty bytes changed, most of them near the beginning, sometimes the end cut off."""
    out = np.frombuffer(held, np.uint8).copy()
    for _ in range(rng.integers(1, 20)):
        out[rng.integers(0, min(len(out), rng.choice([20, 100, len(out)])))] = rng.integers(256)
    return out.tobytes()[: rng.integers(len(out)) if rng.random() < 0.2 else None]


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "i.png", "i.jpg", "i.gif", "i.webp", "i.tif", "i.bmp"])
def test_damage_anywhere(tmp_path, name) -> None:
    """Sixty seeded ways to damage a file: it is read, or refused in one short sentence, never a crash."""
    path, rng = tmp_path / name, np.random.default_rng(3)
    if name == "d.npz":
        np.savez_compressed(path, x=X, y=Y)
    elif name == "d.csv":
        path.write_text("".join(f"{y},{ROW}\n" for y in Y))
    else:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    whole, refusals = path.read_bytes(), []
    for _ in range(60):
        path.write_bytes(damaged(whole, rng))
        try:
            read_images([path], 3, 8, 8) if name.startswith("i.") else load(path)
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    for sentence in refusals:
        assert str(path) in sentence
        assert len(sentence) < len(str(path)) + 300
        assert "\n" not in sentence


@pytest.mark.parametrize("setting", ["limit", "size"])
def test_bad_settings(setting) -> None:
    """Zero images and zero pixels are refused."""
    with pytest.raises(UsageError, match=f"{setting}=0: expected a positive integer"):
        load("digits", **{setting: 0})


def test_large_folders_are_scanned_before_they_are_decoded(tmp_path, monkeypatch) -> None:
    """A mistake in the last header is found without decoding a single image."""
    from cambrian.tasks import images

    animated(folder(tmp_path) / "bee" / "z.gif")
    monkeypatch.setattr(images, "pixels", lambda *_, **__: pytest.fail("decoded too early"))
    refused(tmp_path, "animated")
