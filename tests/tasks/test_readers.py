"""Every format gives back the pixels and labels that were written, against arrays made by the test."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cambrian.errors import DataError
from cambrian.tasks import READERS, TASKS, Task, load
from cambrian.tasks.readers.csv import Csv
from cambrian.tasks.readers.folder import Folder
from cambrian.tasks.readers.idx import LABELS, FashionMnist
from cambrian.tasks.readers.npz import Npz
from published_tables import table

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 6, 6, 1), dtype=np.uint8)
RGB = RNG.integers(0, 256, (24, 6, 6, 3), dtype=np.uint8)
CLASSES = np.arange(24) % 3  # 0, 1, 2, 0, ...
MORE, MORE_CLASSES = RNG.integers(0, 256, (9, 6, 6, 1), dtype=np.uint8), np.arange(9) % 3


def same(task: Task, inputs: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]) -> None:
    """The task holds exactly these images with these labels, in whatever order."""
    found = sorted((task.inputs[i].tobytes(), task.labels[task.targets[i]]) for i in range(len(task.inputs)))
    assert found == sorted((x.tobytes(), labels[y]) for x, y in zip(inputs, targets, strict=True))
    assert task.inputs.shape[1:] == inputs.shape[1:]
    assert sum(task.sizes.values()) == len(inputs)


def write_folder(root: Path, inputs: np.ndarray, targets: np.ndarray, names: tuple[str, ...]) -> Path:
    """Lossless class folders."""
    for i, (image, target) in enumerate(zip(inputs, targets, strict=True)):
        folder = root / names[target]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(folder / f"{i}.png")
    return root


def idx(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_digits() -> None:
    """The digits are scikit-learn's, 0..16 brought to 0..255; the mean is that of the training part."""
    task = load("digits")
    raw = load_digits()
    same(task, np.rint(raw.images * 255 / 16)[..., None].astype(np.uint8), raw.target, tuple("0123456789"))
    trained = task.inputs[task.train] / 255
    assert task.mean == pytest.approx(trained.mean((0, 1, 2)))
    assert task.std == pytest.approx(trained.std((0, 1, 2)))


@pytest.mark.parametrize("inputs", [GREY, RGB], ids=["grey", "rgb"])
def test_folder(tmp_path, inputs) -> None:
    """A folder of class folders; what is hidden or no image is passed over, nesting is followed."""
    root = write_folder(tmp_path / "pets", inputs, CLASSES, ("ant", "bee", "cat/siamese"))
    (root / "ant" / "notes.txt").write_text("no image")
    (root / ".DS_Store").write_bytes(b"\0")
    task = load(root)
    same(task, inputs, CLASSES, ("ant", "bee", "cat"))
    assert task.name == "pets"
    assert task.labels == ("ant", "bee", "cat")


def test_folder_with_parts(tmp_path) -> None:
    """train/ and test/ are the parts, and the test split is exactly the test folder."""
    write_folder(tmp_path / "train", GREY, CLASSES, ("a", "b", "c"))
    write_folder(tmp_path / "test", MORE, MORE_CLASSES, ("a", "b", "c"))
    task = load(str(tmp_path))
    assert task.sizes == {"train": 19, "validation": 5, "test": 9}
    assert sorted(x.tobytes() for x in task.inputs[task.test]) == sorted(x.tobytes() for x in MORE)


def test_a_class_may_be_called_train(tmp_path) -> None:
    """Vehicles: `train` among other classes is a class."""
    task = load(write_folder(tmp_path, GREY, CLASSES, ("car", "plane", "train")))
    assert task.labels == ("car", "plane", "train")


@pytest.mark.parametrize("name", ["日本 🦋 <script>", "x" * 250, "CON", "a\nb"])
def test_any_class_name(tmp_path, name) -> None:
    """Whatever a file system allows is a label, and survives being saved."""
    task = load(write_folder(tmp_path / "d", GREY, CLASSES, ("b", "c", name)))
    task.save(tmp_path / "task")
    assert set(Task.open(tmp_path / "task").labels) == {"b", "c", name}


def test_links(tmp_path) -> None:
    """Links inside the folder are followed; those that lead out are refused, folders and files alike."""
    root = write_folder(tmp_path / "in", GREY, CLASSES, ("a", "b", "c"))
    (root / "a" / "again.png").symlink_to(root / "b" / "1.png")
    assert sum(load(root).sizes.values()) == 25
    outside = write_folder(tmp_path / "out", MORE, MORE_CLASSES, ("d", "e", "f"))
    (root / "d").symlink_to(outside / "d")
    with pytest.raises(DataError, match="leads out of the folder"):
        load(root)
    (root / "d").unlink()
    parts = write_folder(tmp_path / "parts" / "train", GREY, CLASSES, ("a", "b", "c")).parent
    (parts / "test").symlink_to(outside)
    with pytest.raises(DataError, match="test: a link that leads out"):
        load(parts)
    (root / "a" / "far.png").symlink_to(outside / "d" / "0.png")
    with pytest.raises(DataError, match=r"far\.png: a link that leads out"):
        load(root)


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_npz_with_parts(tmp_path, keys) -> None:
    """The keys of Keras and of MedMNIST (whose labels are [n, 1])."""
    held = (GREY[..., 0], CLASSES[:, None].astype(np.uint8), MORE[..., 0], MORE_CLASSES[:, None])
    np.savez(tmp_path / "d.npz", **dict(zip(keys, held, strict=True)))
    task = load(tmp_path / "d.npz")
    assert task.sizes["test"] == 9
    same(task, np.concatenate([GREY, MORE]), np.concatenate([CLASSES, MORE_CLASSES]), ("0", "1", "2"))


@pytest.mark.parametrize(
    "keys", [("inputs", "targets"), ("images", "labels"), ("X", "y"), ("arr_0", "arr_1")]
)
def test_npz_in_one_part(tmp_path, keys) -> None:
    """Arrays without parts, compressed or not, with names or as savez numbers them."""
    np.savez_compressed(tmp_path / "d.npz", **dict(zip(keys, (RGB, CLASSES), strict=True)))
    same(load(tmp_path / "d.npz"), RGB, CLASSES, ("0", "1", "2"))


def test_npz_names_its_classes(tmp_path) -> None:
    """A `classes` array of strings names the integers; strings may also be the labels themselves."""
    names = np.array(["ant", "bee", "cat"])
    np.savez(tmp_path / "d.npz", images=GREY, labels=CLASSES, classes=names)
    assert load(tmp_path / "d.npz").labels == ("ant", "bee", "cat")
    np.savez(tmp_path / "e.npz", images=GREY, labels=names[::-1][CLASSES])
    same(load(tmp_path / "e.npz"), GREY, CLASSES, ("cat", "bee", "ant"))


def write_jpegs(path: Path, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A JPEG-coded archive; returns what Pillow decodes."""
    streams = []
    for image in inputs:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=90)
        streams.append(buffer.getvalue())
    first, last = min(streams), max(streams)  # what these two share, all share
    shared = next(i for i in range(len(first)) if first[i] != last[i])
    tails = [s[shared:] for s in streams]
    np.savez(
        path,
        header=np.frombuffer(streams[0][:shared], np.uint8),
        payload=np.frombuffer(b"".join(tails), np.uint8),
        offsets=np.cumsum([0, *map(len, tails)]),
        labels=targets.astype(np.uint8),
    )
    return np.stack([np.asarray(Image.open(io.BytesIO(s))) for s in streams])


@pytest.mark.parametrize("target", [".", "toy_train.npz"], ids=["folder", "file"])
def test_jpeg_coded(tmp_path, target) -> None:
    """Training and test archives of JPEG streams with a shared header."""
    train = write_jpegs(tmp_path / "toy_train.npz", RGB, CLASSES)
    test = write_jpegs(tmp_path / "toy_test.npz", RGB[:9] // 2, MORE_CLASSES)
    task = load(tmp_path / target)
    same(task, np.concatenate([train, test]), np.concatenate([CLASSES, MORE_CLASSES]), ("0", "1", "2"))
    assert task.sizes["test"] == 9


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path, packed) -> None:
    """The four files of MNIST, plain or gzip."""
    files = {"train-images-idx3": GREY[..., 0], "train-labels-idx1": CLASSES.astype(np.uint8)}
    files |= {"t10k-images-idx3": MORE[..., 0], "t10k-labels-idx1": MORE_CLASSES.astype(np.uint8)}
    for name, array in files.items():
        held = idx(array)
        target = tmp_path / f"{name}-ubyte{'.gz' if packed else ''}"
        target.write_bytes(gzip.compress(held) if packed else held)
    task = load(tmp_path)
    same(task, np.concatenate([GREY, MORE]), np.concatenate([CLASSES, MORE_CLASSES]), ("0", "1", "2"))
    assert task.sizes["test"] == 9


def test_idx_of_several_data_sets(tmp_path) -> None:
    """EMNIST keeps many data sets in one folder and counts letters from one: a file says which is meant."""
    for name, array in (("letters", GREY), ("digits", MORE)):
        for part in ("train", "test"):
            stem = f"emnist-{name}-{part}"
            (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx(array[..., 0]))
            labels = (np.arange(len(array)) % 3 + 1).astype(np.uint8)
            (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(DataError, match="several data sets"):
        load(tmp_path)
    task = load(tmp_path / "emnist-letters-train-images-idx3-ubyte")
    assert task.labels == ("1", "2", "3")
    assert sum(task.sizes.values()) == 48


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "bom"])
def test_csv_of_pixels(tmp_path, header, start) -> None:
    """One row per image, with or without a header or byte order mark."""
    rows = [",".join(map(str, [y, *x.ravel()])) for x, y in zip(GREY, CLASSES, strict=True)]
    top = [",".join(["label", *(f"pixel{i}" for i in range(36))])] if header else []
    (tmp_path / "d.csv").write_text(start + "\n".join(top + rows) + "\n\n", encoding="utf-8")
    same(load(tmp_path / "d.csv"), GREY, CLASSES, ("0", "1", "2"))


def test_csv_with_a_named_label(tmp_path) -> None:
    """`Csv(path, label=...)` takes any column, whose cells may be names; floats stay floats."""
    inputs = RNG.random((12, 2, 2, 1)).astype(np.float32)
    rows = [f"{x[0]};{x[1]};{'ab'[i % 2]};{x[2]};{x[3]}" for i, x in enumerate(inputs.reshape(12, 4))]
    (tmp_path / "d.csv").write_text("\n".join(["p0;p1;kind;p2;p3", *rows]))
    task = load(tmp_path / "d.csv", label="kind", shape="2x2")
    same(task, inputs, np.arange(12) % 2, ("a", "b"))
    with pytest.raises(DataError, match="did you mean 'kind'"):
        load(Csv(str(tmp_path / "d.csv"), label="kinds"))


@pytest.mark.parametrize("header", [True, False])
def test_csv_of_paths(tmp_path, header) -> None:
    """A label and the path of an image file per row."""
    write_folder(tmp_path / "images", RGB, np.zeros(24, int), ("all",))
    rows = [f"images/all/{i}.png,{'abc'[y]}" for i, y in enumerate(CLASSES)]
    (tmp_path / "d.csv").write_text("\n".join((["file,label"] if header else []) + rows))
    same(load(tmp_path / "d.csv"), RGB, CLASSES, ("a", "b", "c"))


class Map:
    """A map-style data set, as torch has them, without torch."""

    classes = ("ant", "bee", "cat")

    def __init__(self, inputs: object, targets: object) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)  # type: ignore[arg-type]

    def __getitem__(self, i: int) -> tuple[object, object]:
        return self.inputs[i], self.targets[i]  # type: ignore[index]


def test_objects_in_memory() -> None:
    """Arrays, lists of items, data sets, and pairs of them."""
    everything = np.concatenate([GREY, MORE]), np.concatenate([CLASSES, MORE_CLASSES])
    numbers, names = ("0", "1", "2"), Map.classes
    same(load((GREY, CLASSES)), GREY, CLASSES, numbers)
    same(load((GREY[..., 0], CLASSES.tolist())), GREY, CLASSES, numbers)
    same(load(list(zip(GREY, CLASSES, strict=True))), GREY, CLASSES, numbers)
    same(load(Map(GREY, CLASSES)), GREY, CLASSES, names)
    same(load(Map([Image.fromarray(x) for x in RGB], CLASSES)), RGB, CLASSES, names)
    for pair in (((GREY, CLASSES), (MORE, MORE_CLASSES)), (Map(GREY, CLASSES), Map(MORE, MORE_CLASSES))):
        task = load(pair)
        same(task, *everything, names if isinstance(pair[0], Map) else numbers)
        assert task.sizes["test"] == 9


def test_torch_datasets() -> None:
    """Tensors are [channels, height, width]; a TensorDataset's labels are tensors too."""
    torch = pytest.importorskip("torch")
    planes = torch.from_numpy(RGB.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    data = torch.utils.data.TensorDataset(planes, torch.from_numpy(CLASSES))
    same(load(data), RGB.astype(np.float32) / 255, CLASSES, ("0", "1", "2"))
    same(load((planes, torch.from_numpy(CLASSES))), RGB.astype(np.float32) / 255, CLASSES, ("0", "1", "2"))


def test_channels_first_arrays() -> None:
    """[n, channels, height, width] is recognised by where the small axis is."""
    same(load((RGB.transpose(0, 3, 1, 2), CLASSES)), RGB, CLASSES, ("0", "1", "2"))


def test_readers_are_specs(tmp_path) -> None:
    """A reader with JSON settings comes back from its spec; what lives in memory has no spec."""
    write_folder(tmp_path, GREY, CLASSES, ("a", "b", "c"))
    spec = READERS.spec(Folder(str(tmp_path)))
    assert spec == {
        "name": "folder",
        "arguments": {"path": str(tmp_path), "parts": "auto", "background": "auto", "levels": None},
    }
    assert load(spec).digest == load(tmp_path).digest
    assert READERS.spec(READERS.get("memory")((GREY, CLASSES))) is None
    assert TASKS.names() == ["digits", "fashion-mnist"]


def test_size_is_pillows(tmp_path) -> None:
    """Resizing agrees with Pillow's own, for arrays and for files alike, integers and floats."""
    expected = np.stack(
        [np.asarray(Image.fromarray(x).resize((4, 4), Image.Resampling.BILINEAR)) for x in RGB]
    )
    same(load((RGB, CLASSES), size=4), expected, CLASSES, ("0", "1", "2"))
    root = write_folder(tmp_path, RGB, CLASSES, ("0", "1", "2"))
    same(load(root, size=4), expected, CLASSES, ("0", "1", "2"))
    floats = load((GREY.astype(np.float32), CLASSES), size=3)
    assert floats.inputs.dtype == np.float32
    assert floats.inputs.mean() == pytest.approx(GREY.mean(), rel=0.02)


def test_fashion_mnist() -> None:
    """The published sizes, and the published mean 0.2860 and deviation 0.3530 of the training part."""
    try:
        task = load("fashion-mnist", validation=10)
    except DataError as error:
        pytest.skip(str(error))
    assert task.sizes == {"train": 59_990, "validation": 10, "test": 10_000}
    assert task.mean == pytest.approx((0.2860,), abs=1e-4)
    assert task.std == pytest.approx((0.3530,), abs=1e-4)
    assert task.labels == LABELS
    assert np.bincount(task.targets[task.test]).tolist() == [1000] * 10


def test_fashion_mnist_absent(tmp_path) -> None:
    """Where the package is not installed, the sentence is the command."""
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        load(FashionMnist(str(tmp_path / "nowhere")))


def test_cifar10s_names_follow_from_the_file_alone(tmp_path) -> None:
    """A folder further up that is called so says nothing of what lies in it; the file's own name does."""
    folder = tmp_path / "cifar10_and_others"
    folder.mkdir()
    ten = np.arange(30) % 10
    write_jpegs(folder / "toys_train.npz", np.resize(RGB, (30, *RGB.shape[1:])), ten)
    write_jpegs(folder / "cifar10_train.npz", np.resize(RGB, (30, *RGB.shape[1:])), ten)
    assert Npz(str(folder / "toys_train.npz")).examples().labels == tuple("0123456789")
    assert Npz(str(folder / "cifar10_train.npz")).examples().labels[:2] == ("airplane", "automobile")


def test_cifar10() -> None:
    """The JPEG-coded CIFAR-10: official names, and near the published means (0.4914, 0.4822, 0.4465)."""
    found = Npz(str(table("cifar10_jpeg"))).examples()
    assert np.bincount(found.parts).tolist() == [50_000, 0, 10_000]
    assert np.bincount(found.targets).tolist() == [6_000] * 10
    assert (found.labels[0], found.labels[9]) == ("airplane", "truck")
    inputs, notes = found.decode(np.arange(2_000), None)
    assert inputs.shape == (2_000, 32, 32, 3)
    assert not notes
    assert (inputs / 255).mean((0, 1, 2)) == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.01)


def test_no_torch() -> None:
    """Loading a data set does not import torch."""
    code = "import sys; from cambrian.tasks import load; load('digits'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
