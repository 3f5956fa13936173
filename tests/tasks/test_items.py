"""Data sets in memory, of whatever form their items are: taken, said where guessed, or one sentence."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from cambrian.errors import DataError
from cambrian.tasks import load
from cambrian.tasks.readers.items import READ_AGAIN

RNG = np.random.default_rng(8)
IMAGES = RNG.integers(0, 256, (24, 6, 6, 3), dtype=np.uint8)
Y = np.arange(24) % 2
Pair = namedtuple("Pair", "weight picture kind")


def holds(task: Any, images: np.ndarray = IMAGES) -> None:
    """The task has these images and the two classes in turn."""
    found = {x.tobytes(): y for x, y in zip(task.inputs, task.targets, strict=True)}
    assert found == {x.tobytes(): y for x, y in zip(images, Y, strict=True)}


def said(task: Any, words: str) -> bool:
    return any(words in sentence for sentence in task.warnings)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (lambda x, y: (x, y), None),
        (lambda x, y: [x, y], None),
        (lambda x, y: (x.tolist(), y), None),
        (lambda x, y: (Image.fromarray(x), y), None),
        (lambda x, y: (x, np.eye(2)[y]), "one-hot"),
        (lambda x, y: (x, np.array([y])), None),
        (lambda x, y: (x, y, 7), "number 0 is taken as the image and number 1 as the label"),
        (lambda x, y: (f"id{y}", x, y), "number 1 is taken as the image and number 0 as the label"),
        (lambda x, y: (x, x[..., 0], y), "number 0 is taken as the image and number 2 as the label"),
        (lambda x, y: {"image": x, "label": y}, None),
        (lambda x, y: {"pixel_values": x[None], "labels": y}, None),
        (
            lambda x, y: {"img": Image.fromarray(x), "fine_label": y, "coarse_label": 0},
            "left out is 'coarse_label'",
        ),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_items(item: Any, sentence: str | None, parts: int) -> None:
    """Pairs, triples and dictionaries of arrays, lists and pictures; a data set, or one for each part."""
    items = [item(x, int(y)) for x, y in zip(IMAGES, Y)]
    task = load(items if parts == 1 else (items[:16], items[16:]))
    holds(task)
    assert parts == 1 or task.sizes["test"] == 8
    assert task.warnings == () if sentence is None else said(task, sentence)


def test_options_name_the_values() -> None:
    """By key, by position, by the name of a tuple's field; what is not there is one sentence."""
    pairs = [Pair(0.5, x, int(y)) for x, y in zip(IMAGES, Y)]
    holds(load(pairs, image="picture", label="kind"))
    holds(load(pairs, image=1, label=-1))
    holds(load(pairs, image="1", label="2"))
    refused(pairs, "label=3: expected a position from 0 to 2", label=3)
    held = [{"photo": x, "species": int(y)} for x, y in zip(IMAGES, Y)]
    holds(load(held, image="photo", label="species"))
    refused(held, "hold 'photo', 'species', but no image: name it with image=KEY")
    refused(held, "but no label 'kind': name it with label=KEY", image="photo", label="kind")


def test_images_of_several_sizes() -> None:
    """They are scaled to one, which is said; grey ones among colour images are made such, and counted."""
    several = [x[: 4 + i % 3] for i, x in enumerate(IMAGES)]
    task = load((several, Y))
    assert said(task, "24 images have 3 sizes, from 6 x 4 pixels (data: image 0) to 6 x 6 (data: image 23)")
    assert np.array_equal(task.inputs, load((several, Y), size=5).inputs)
    masks = [x[..., 0] % 3 for x in IMAGES]
    refused((several, np.array(masks)), "but all masks are of one size: bring each image", goal="pixels")
    refused((several, [m[: 4 + i % 3] for i, m in enumerate(masks)]), "masks are of several", goal="pixels")
    assert load((several, Y), size=4).inputs.shape == (24, 4, 4, 3)
    first = [x.transpose(2, 0, 1) for x in several]
    assert np.array_equal(load((first, Y), size=4).inputs, load((several, Y), size=4).inputs)
    mixed = [*IMAGES[:23], IMAGES[23, ..., 0]]
    assert said(load((mixed, Y)), "1 of 24 images are grey among colour images and were made RGB")
    refused(([*IMAGES[:23], IMAGES[23, ..., :2]], Y), "image 23 has 2 channels where others have 3")
    refused(([*IMAGES[:23], IMAGES[23] / 255], Y), "some images are of integers and some of floats")


def test_objects_that_hold_arrays() -> None:
    """Arrays of Python objects, columns of a table, pictures in a list, and dictionaries of arrays."""

    class Column:
        """As of pandas or polars."""

        shape = (24,)

        def to_numpy(self) -> np.ndarray:
            return np.array(["cat", "dog"], object)[Y]

    boxed = np.empty(24, object)
    boxed[:] = list(IMAGES)
    holds(load((boxed, Column())))
    assert load((boxed, Column())).labels == ("cat", "dog")
    holds(load(([Image.fromarray(x) for x in IMAGES], Y.tolist())))
    holds(load([IMAGES, Y]))
    holds(load({"x_train": IMAGES[:16], "y_train": Y[:16], "x_test": IMAGES[16:], "y_test": Y[16:]}))
    holds(load({"train": (IMAGES[:16], Y[:16]), "test": list(zip(IMAGES[16:], Y[16:]))}))


def test_data_sets_of_scikit_learn() -> None:
    """A `Bunch` has the same images twice: those with two axes are taken."""
    from sklearn.datasets import load_digits, load_iris

    task = load(load_digits())
    assert (task.height, task.width, task.classes) == (8, 8, 10)
    refused(load_iris(), "rows of 4 values look like a table of features")
    refused(load_iris().data, "'ndarray' is one array or table: give two arrays")


def test_what_torch_has() -> None:
    """Subsets, joined data sets and loaders are data sets; the names of the classes are found inside."""
    data = pytest.importorskip("torch.utils.data")
    import torch

    planes = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())
    whole = data.TensorDataset(planes, torch.from_numpy(Y))
    whole.classes = ["ant", "bee"]
    halves = [data.Subset(whole, range(12)), data.Subset(whole, range(12, 24))]
    for source in (whole, data.ConcatDataset(halves), data.DataLoader(whole, batch_size=7), tuple(halves)):
        holds(load(source))
        assert load(source).labels == ("ant", "bee")
    assert said(load(data.DataLoader(whole)), "the data set of the DataLoader is read, not its batches")
    holds(load(data.TensorDataset(planes, torch.from_numpy(Y), torch.ones(24, 5))))
    hot = torch.nn.functional.one_hot(torch.from_numpy(Y))
    holds(load(data.TensorDataset(planes, hot)))
    half = load((planes.bfloat16(), torch.from_numpy(Y)))
    assert half.inputs.dtype == np.float32

    class Stream(data.IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Any:
            return iter(whole)

    refused(Stream(), "cannot use 'Stream' as a data set, since it has no length: give a path")


class Changing:
    """Items that are flipped at every second read of one, as by a coin, once `changes` are reads enough."""

    def __init__(self, images: np.ndarray, changes: bool = True) -> None:
        self.images, self.reads, self.changes = images, [0] * len(images), changes

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        self.reads[i] += 1
        image = self.images[i]
        return (image[:, ::-1] if self.changes and self.reads[i] % 2 == 0 else image), int(Y[i])


def test_items_that_differ_at_each_read_are_told() -> None:
    """Random transforms happen once: what is learned is what was read first, and a sentence says so. Only
    a few items are read again."""
    source = Changing(IMAGES)
    assert said(load(source), "Changing: items differ at each read: random transforms are applied once")
    assert sum(source.reads) <= len(IMAGES) + 1 + READ_AGAIN
    assert load(Changing(IMAGES, changes=False)).warnings == ()
    pair = (Changing(IMAGES[:16]), Changing(IMAGES[16:]))
    assert sum("differ at each read" in sentence for sentence in load(pair).warnings) == 1
    missing = np.where(IMAGES > 250, np.nan, IMAGES.astype(np.float32))
    with pytest.raises(DataError) as refusal:  # a value that is no number is the same at the second read
        load(Changing(missing, changes=False))
    assert "differ at each read" not in str(refusal.value)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "cannot use 'NoneType' as a data set"),
        (b"digits", "cannot use 'bytes' as a data set"),
        (range(9), "cannot use 'range' as a data set"),
        ([(IMAGES[0],)], r"it has 1 values|several labels|table"),
        ([("a.png", 1), ("b.png", 0), ("c.png", 1)], "item 0 of list .* its image is 'str'"),
        (
            (["a.png", "b.png"], [0, 1]),
            "if these are paths of image files, write them and the labels to a CSV",
        ),
        ("", "the path of the data is empty"),
        ("~nobody_at_all/data", "there is no such home: write the whole path"),
        ("a\0b", "no data set"),
        ("x" * 5000, "no data set"),
        ({"a": IMAGES}, "the dictionary: no images and labels among its arrays"),
    ],
)
def test_what_is_no_data_set(source: Any, sentence: str) -> None:
    """One sentence that says what would be one."""
    from cambrian.errors import DataError

    with pytest.raises(DataError, match=sentence):
        load(source)
