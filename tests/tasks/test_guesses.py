"""What arrays and labels do not say is guessed: rightly for what people have, said, and overridden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refused

from cambrian.tasks import load
from cambrian.tasks.targets.labels import read_labels

RNG = np.random.default_rng(3)
Y = np.arange(24) % 2


def holds(task: Any, images: np.ndarray) -> None:
    """The task has these images [n, h, w, c], in any order."""
    assert task.inputs.shape == images.shape
    assert sorted(x.tobytes() for x in task.inputs) == sorted(x.tobytes() for x in images)


def said(task: Any, words: str) -> bool:
    """Whether a sentence for the user holds these words."""
    return any(words in sentence for sentence in task.warnings)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13, 40])
@pytest.mark.parametrize("sides", [(32, 32), (24, 24), (50, 64)])
def test_the_axis_of_the_channels(channels: int, sides: tuple[int, int]) -> None:
    """Bands first or last are the same images: equal sides are the image, else the smaller end the bands."""
    images = RNG.random((24, *sides, channels), dtype=np.float32)
    holds(load((images, Y)), images)
    holds(load((images.transpose(0, 3, 1, 2), Y)), images)
    unusual = channels not in (1, 3, 4)
    assert said(load((images, Y)), f"taken as {channels} channels of {sides[0]} x {sides[1]}") == unusual


@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 3, 3), (3, 40, 3), (5, 5, 5), (4, 9, 9)])
def test_the_layout_is_said_where_it_is_open_and_can_be_given(shape: tuple[int, ...]) -> None:
    """Equal ends tell nothing: last is taken, and said; the option gives either without a sentence."""
    images = RNG.random((24, *shape), dtype=np.float32)
    if shape[0] == shape[2]:
        holds(load((images, Y)), images)
        assert said(load((images, Y)), "give layout=channels-first")
    for layout, expected in (("channels-last", images), ("channels-first", images.transpose(0, 2, 3, 1))):
        task = load((images, Y), layout=layout)
        holds(task, expected)
        assert not task.warnings


def test_tensors_have_their_channels_first_where_the_shape_does_not_tell() -> None:
    """By torch's convention; where it does tell, the shape decides for tensors, too."""
    torch = pytest.importorskip("torch")
    open_, last = RNG.random((24, 3, 3, 3), dtype=np.float32), RNG.random((24, 6, 6, 3), dtype=np.float32)
    holds(load((torch.from_numpy(open_), torch.from_numpy(Y))), open_.transpose(0, 2, 3, 1))
    holds(load([(torch.from_numpy(x), int(y)) for x, y in zip(open_, Y)]), open_.transpose(0, 2, 3, 1))
    holds(load((torch.from_numpy(last), torch.from_numpy(Y))), last)


def test_rows_of_pixels() -> None:
    """784 and 64 values are square images, 3,072 have three colours one after the other; all is said."""
    grey = RNG.integers(0, 256, (24, 28, 28, 1), dtype=np.uint8)
    for flat in (grey.reshape(24, -1), grey.reshape(24, 1, -1), grey.reshape(24, -1, 1)):
        holds(load((flat, Y)), grey)
        assert said(load((flat, Y)), "784 values are taken as grey images of 28 x 28")
    normal = RNG.normal(size=(24, 784)).astype(np.float32)
    holds(load((normal, Y)), normal.reshape(24, 28, 28, 1))
    colour = RNG.random((24, 32, 32, 3), dtype=np.float32)
    holds(load((colour.transpose(0, 3, 1, 2).reshape(24, -1), Y)), colour)
    holds(load((colour.reshape(24, -1), Y), layout="channels-last"), colour)
    holds(load((colour.reshape(24, -1), Y), shape="32x32x3"), colour)


@pytest.mark.parametrize("columns", [1, 4, 9, 13, 16, 30, 64, 100, 512, 1024])
def test_tables_are_not_images(tmp_path: Path, columns: int) -> None:
    """Measured features are never pictures, whatever their number; `shape` overrides."""
    table = RNG.normal(size=(24, columns))
    refused((table, Y), f"rows of {columns} values look like a table of features, .* shape=HEIGHTxWIDTH")
    np.savez(tmp_path / "d.npz", x=table, y=Y)
    holds(load(tmp_path / "d.npz", shape=f"1x{columns}"), table.astype(np.float32).reshape(24, 1, columns, 1))


@pytest.mark.parametrize(
    ("shape", "sentence"), [("7", "expected HEIGHTxWIDTH"), ("5x5", "16 values per image do")]
)
def test_a_shape_that_cannot_be(shape: str, sentence: str) -> None:
    """One that is not written as such, and one that the values do not fill."""
    refused((RNG.random((24, 16)), Y), sentence, shape=shape)


@pytest.mark.parametrize(
    "values",
    [
        [-1, 1],
        [0, 255],
        [1, 3, 5],
        [10, 20],
        [True, False],
        [0.0, 2.0],
        ["a", "b"],
        ["01", "02", "10"],
        [-1.0, 1.0],
        [10**15, 3],
    ],
)
@pytest.mark.parametrize(
    "form", [np.array, list, lambda v: np.array(v, object), lambda v: np.array(v)[:, None]]
)
def test_distinct_values_are_classes(values: list[Any], form: Any) -> None:
    """As in scikit-learn's LabelEncoder: sorted values are the classes, named as they are written."""
    from sklearn.preprocessing import LabelEncoder

    given = [values[i % len(values)] for i in range(24)]
    classes = read_labels(form(given), "here")
    encoder = LabelEncoder().fit(np.array(given))
    assert classes.targets.tolist() == encoder.transform(np.array(given)).tolist()
    whole = [int(c) if isinstance(c, float) else c for c in encoder.classes_.tolist()]
    assert classes.labels == tuple(map(str, whole))


def test_labels_of_bytes() -> None:
    """UTF-8, or Latin-1 where it is not; bytes as Python objects, too."""
    for kind in ("S", object):
        assert read_labels(np.array([b"K\xe4fer", b"Kuh", "Bär".encode()], kind), "here").labels == (
            "Bär",
            "Kuh",
            "Käfer",
        )


@pytest.mark.parametrize("hot", [np.eye(3), np.eye(3, dtype=bool), np.eye(3, dtype=int).tolist()])
def test_one_hot_labels(hot: Any) -> None:
    """The column of the 1 is the class, and that is said."""
    classes = read_labels(np.asarray(hot)[np.arange(9) % 3], "here")
    assert classes.targets.tolist() == [0, 1, 2] * 3
    assert "one-hot" in classes.notes[0]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (RNG.integers(0, 2, (24, 3)), r"several labels an image \(3\)"),
        ([["a", "b"]] * 24, r"several labels an image \(2\)"),
        ([["a"], ["a", "b"]] * 12, r"several labels an image"),
        ([*"ab" * 11, "a", None], "image 23 has no label: label the images, or leave them out"),
        ([*"ab" * 11, "a", " "], "image 23 has no label"),
        ([0, float("nan")] * 12, "image 1 has no label, as do 11 more"),
        (["a", 1] * 12, "some labels are strings and some are numbers .'a' of image 0, 1 of image 1."),
        ([0.5, 1] * 12, "label 0.5 of image 0 is not an integer"),
        ([10**30, 1] * 12, "numbers that do not fit"),
        (np.arange(24), "24 different labels of 24 images look like numbers to be predicted"),
        (7, "is one array or table: give two arrays"),
    ],
)
def test_labels_that_are_none(labels: Any, sentence: str) -> None:
    """Several, missing, mixed, measured: one sentence each, with the image."""
    refused((RNG.random((24, 8, 8)), labels), sentence)


def test_a_column_of_several_labels() -> None:
    """`column` chooses it."""
    several = np.stack([Y, np.arange(24) % 3], axis=1)
    images = RNG.random((24, 8, 8))
    assert load((images, several), column=1).labels == ("0", "1", "2")
    assert load((images, several), column=-2).labels == ("0", "1")
    refused((images, several), "column=2, but there are 2 labels an image", column=2)


def test_names_of_classes() -> None:
    """Unused ones are left out and counted; labels that count from 1 are said; -1 and many classes, too."""
    assert read_labels(Y + 1, "here", ["N/A", "a", "b"]).labels == ("a", "b")
    assert "1 of 3 named classes have no image" in read_labels(Y + 1, "here", ["N/A", "a", "b"]).notes[0]
    one = read_labels(Y + 1, "here", ["a", "b"])
    assert one.labels == ("a", "b")
    assert "count from 1" in one.notes[0]
    assert "-1 is taken as a class" in read_labels([-1, 0, 1] * 4, "here").notes[0]
    assert "12 classes of 60 images" in read_labels(np.arange(60) % 12, "here").notes[0]
    assert not read_labels(np.arange(600) % 12, "here").notes


def test_archives_with_more_arrays(tmp_path: Path) -> None:
    """What is not used is named, and `images` and `labels` choose; names of classes may be bytes."""
    images, other = RNG.random((24, 8, 8, 1), dtype=np.float32), RNG.random((24, 9, 9, 1), dtype=np.float32)
    path = tmp_path / "d.npz"
    np.savez(
        path, x=images, y=Y, masks=other, kinds=np.arange(24) % 3, classes=np.array([b"K\xe4fer", b"Maus"])
    )
    holds(load(path), images)
    assert load(path).labels == ("Käfer", "Maus")
    assert said(load(path), "the arrays 'masks', 'kinds' are left out")
    task = load(path, images="masks", labels="kinds", names=["a", "b", "c"])
    holds(task, other)
    assert task.labels == ("a", "b", "c")
    refused(path, "no array 'mask'; did you mean 'masks'", images="mask", labels="y")
    refused(path, "give both images= and labels=", images="masks")
