"""Archives, IDX and CSV files that cannot be used: one sentence, quickly, and nothing is executed."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import X, Y, refused

from cambrian.errors import DataError
from cambrian.tasks import limits, load, read_images
from cambrian.tasks.readers.csv_text import _rows
from reseeding import default_rng


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
    for i in range(12):
        folder = tmp_path / "images" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[i]).save(folder / f"{i}.png")
    refused(tmp_path / "images", "in memory")


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


def test_test_part_alone(tmp_path) -> None:
    """IDX files to be judged by, but none to learn from."""
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(X))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(Y.astype(np.uint8)))
    refused(tmp_path, "there is a test part but no train-images-idx3-ubyte file")


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
        (f"0,{ROW}\n", "only one class|look like a table"),
        (f"0,{ROW}\n1,{ROW}\n1,2,3\n", "line 3: 3 columns where 17 are expected: mend or remove the row"),
        ("0,1,2,3,4\n1,1,nan,3,4\n", "line 2: 'nan' is not a finite number"),
        ("0,1,2,3,4\n1,1,1e300,3,4\n", "line 2: '1e300' is not a finite number"),
        ("0,1,2,3,4\n1,1,,3,4\n", "line 2: '' is not a number"),
        ("0,1,2,3,4\n1,1,x y,3,4\n", "line 2: 'x y' is not a number"),
        ("label,p,p,p,p\n0,1,2,3,999\n1,1,2,3,4\n", "rows of 4 values look like a table of features"),
        ("0,1,2,3\n1,1,2,3\n", "rows of 3 values look like a table of features"),
        ("label,p,p\n0,1,2\n,1,2\n", "line 3: there is no label: write one, or remove the row"),
        ("label,p\n0,1 2 3 4\n1,1 2 3\n", "line 3: 3 pixels where 4 are expected"),
        ("label;p;p\n0;0,5;1\n1;0,5;1\n", "line 2: '0,5' is not a number: write decimal commas as points"),
        (
            "label,split,p\n" + "0,train,1\n" * 600 + "1,what,2\n",
            "line 602: 'what' in column 1 .'split'. is no",
        ),
        ("0\n1\n", "there is one column only"),
        ("y,p,p,p,p\n0,1,2,3,4\n1.5,1,2,3,4\n", "look like a table of features"),
        (
            "path,label\na.png,x\nb.png,y\n",
            r"no image file 'a\.png' .and 1 more that are missing.: give paths relative to",
        ),
        ("0,1,\x00\n", "cannot be read as UTF-8 CSV|look like a table"),
    ],
)
def test_bad_csv(tmp_path, text, sentence) -> None:
    """The line is named."""
    (tmp_path / "d.csv").write_text(text)
    refused(tmp_path / "d.csv", sentence)


@pytest.mark.parametrize("way", ["../secret.png", "inside/../../secret.png", "{root}/secret.png", "link.png"])
def test_csv_paths_stay_in_its_folder(tmp_path, way) -> None:
    """Upwards, absolute, or through a link: what is read lies where the user pointed to."""
    (tmp_path / "data" / "inside").mkdir(parents=True)
    for place in (tmp_path / "secret.png", tmp_path / "data" / "a.png", tmp_path / "data" / "b.png"):
        Image.fromarray(X[0]).save(place)
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    path = tmp_path / "data" / "d.csv"
    path.write_text(f"path,label\na.png,x\nb.png,y\n{way.format(root=tmp_path)},x\n")
    refused(path, r"png' leads out of .*data: copy the images in")


def test_csv_in_another_encoding(tmp_path) -> None:
    """UTF-16 is refused with the remedy."""
    (tmp_path / "d.csv").write_text("label,p\n0,1\n", encoding="utf-16")
    refused(tmp_path / "d.csv", "cannot be read as UTF-8 CSV")


def test_csv_that_is_not_there(tmp_path) -> None:
    """An export predicts rows of a file that nobody has looked for before: it is not to be saved again."""
    with pytest.raises(DataError, match=r"nowhere.csv: cannot be read: No such file or directory$"):
        list(_rows(tmp_path / "nowhere.csv", None))


def damaged(held: bytes, rng: np.random.Generator) -> bytes:
    """One to twenty bytes changed, most of them near the beginning, sometimes the end cut off."""
    out = np.frombuffer(held, np.uint8).copy()
    for _ in range(rng.integers(1, 20)):
        out[rng.integers(0, min(len(out), rng.choice([20, 100, len(out)])))] = rng.integers(256)
    return out.tobytes()[: rng.integers(len(out)) if rng.random() < 0.2 else None]


def test_another_version_of_zip(tmp_path) -> None:
    """One changed byte of the directory, that zipfile answers with an error of a kind of its own."""
    np.savez_compressed(tmp_path / "d.npz", x=X, y=Y)
    whole = bytearray((tmp_path / "d.npz").read_bytes())
    whole[whole.index(b"PK\x01\x02") + 6] = 240  # the version that is needed to extract
    (tmp_path / "d.npz").write_bytes(whole)
    refused(tmp_path / "d.npz", "not a whole .npz archive .zip file version 24")


@pytest.mark.damage
@pytest.mark.parametrize("name", ["d.npz", "d.csv", "i.png", "i.jpg", "i.gif", "i.webp", "i.tif", "i.bmp"])
def test_damage_anywhere(tmp_path, name) -> None:
    """Sixty seeded ways to damage a file: it is read, or refused in one short sentence, never a crash."""
    path, rng = tmp_path / name, default_rng(3)
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
