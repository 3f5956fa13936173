"""Whatever is given to `load`, it is a task whose arrays fit together, or one sentence of ours: never an
exception of another library, nor a warning."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_cases import cases
from PIL import Image

from cambrian.errors import CambrianError
from cambrian.tasks import Task, load


def check(source: Any, **options: Any) -> None:
    """A whole task, or a short sentence on one line."""
    try:
        task = load(source, **options)
    except CambrianError as error:
        sentence = str(error)
    else:
        check_task(task)
        sentence = ""
    assert "\n" not in sentence
    assert len(sentence) < 900


def check_task(task: Task) -> None:
    """Its arrays fit together."""
    assert task.inputs.ndim == 4
    assert task.inputs.dtype in (np.uint8, np.float32)
    assert len(task.inputs) == len(task.targets) == sum(task.sizes.values())
    assert set(np.unique(task.targets)) == set(range(task.classes))
    assert all(isinstance(label, str) for label in task.labels)
    assert all("\n" not in sentence for sentence in task.warnings)


DTYPES = ["?", "u1", "i1", "i2", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "U3", "S3", "M8[s]", "m8[s]", "O"]
SIDES = st.integers(0, 6) | st.sampled_from([13, 25, 28])


def values_of(dtype: str) -> st.SearchStrategy[Any] | None:
    """Objects of all kinds for arrays of objects, what hypothesis knows else."""
    return OBJECTS if dtype == "O" else None


OBJECTS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(0, 2)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from(["a", "b", (), [], {}, {1}, object, np.nan, np.float32(1), np.datetime64("NaT"), 1j])
)


def mostly(usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`other` once in four times."""
    return st.integers(0, 3).flatmap(lambda n: usual if n else other)


@st.composite
def good_images(draw: Any, first: st.SearchStrategy[int]) -> Any:
    """What might be images: whole numbers or fractions, two or three axes or a row each."""
    shapes = [
        (4, 4),
        (1, 3, 5),
        (3, 4, 4),
        (4, 5, 3),
        (5, 5, 5),
        (25,),
        (192,),
        (13, 6, 6),
        (4,),
        (1, 25),
        (6, 2),
    ]
    shape = (draw(first), *draw(st.sampled_from(shapes)))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    kind = draw(st.sampled_from(["u1", "i8", "f2", "f4", "f8", "?", "O"]))
    return (rng.random(shape) * (1 if kind[0] == "f" else 255)).astype(kind)


@st.composite
def arrays(draw: Any, first: st.SearchStrategy[int], most: int = 4) -> Any:
    """An array of any type, up to `most` axes behind the first."""
    if draw(st.booleans()):
        return draw(good_images(first))
    dtype = draw(st.sampled_from(DTYPES))
    shape = (draw(first), *draw(st.lists(SIDES, max_size=most)))
    filled = draw(st.booleans())
    if filled or np.prod(shape) > 2000:
        seed = np.random.default_rng(draw(st.integers(0, 9)))
        with np.errstate(all="ignore"):
            return (seed.random(shape) * draw(st.sampled_from([1, 3, 255, 1e5]))).astype(dtype)
    return draw(hnp.arrays(dtype, shape, elements=values_of(dtype), fill=st.nothing()))


ROWS = st.sampled_from([0, 1, 2, 12, 20, 20])
GOOD_LABELS = (
    st.just(np.arange(20) % 2)
    | st.just(np.array(["cat", "dog"])[np.arange(20) % 2])
    | st.just(np.eye(3)[np.arange(20) % 3])
    | st.sampled_from([-1, 0.0, 7]).map(lambda low: low + np.arange(20) % 3)
)
LABELS = (
    GOOD_LABELS
    | arrays(ROWS, most=2)
    | st.lists(OBJECTS, max_size=20)
    | st.lists(st.lists(OBJECTS, max_size=3), max_size=20)
    | OBJECTS
)
LAYOUTS = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["channels-first", "channels-last", "x", 3]),
        "shape": st.sampled_from(["2x2", "5x5x1", "0x3", "x", "99999x99999", 7]),
        "column": st.integers(-4, 4),
        "size": st.integers(-1, 9),
        "limit": st.integers(0, 30),
    },
)


@cases(500)
@given(
    images=arrays(st.sampled_from([20, 20, 20, 12, 1, 0])),
    labels=mostly(GOOD_LABELS, LABELS),
    options=mostly(st.just({}), LAYOUTS),
)
def test_arrays(images: Any, labels: Any, options: dict[str, Any]) -> None:
    """Arrays of all types and shapes, with NaN, with labels of all kinds, of equal number or not."""
    with suppress(TypeError):  # labels without a length
        labels = labels[: len(images)] if len(labels) > len(images) else labels
    check((images, labels), **options)


@cases(150)
@given(
    images=arrays(st.just(12)),
    names=st.none()
    | st.lists(st.text(max_size=3), max_size=4)
    | st.dictionaries(st.integers(0, 3), st.text()),
    offset=st.integers(-1, 2),
)
def test_archives(tmp_path_factory: pytest.TempPathFactory, images: Any, names: Any, offset: int) -> None:
    """The same arrays from an archive, with names of classes that fit or do not."""
    path = tmp_path_factory.mktemp("npz") / "d.npz"
    held = {"x": images, "y": np.arange(12) % 3 + offset}
    with suppress(UnicodeEncodeError):  # what numpy does not save
        np.savez(path, **held, **({} if names is None else {"classes": np.array(names)}))
        check(path)


class Items:
    """A map-style data set of whatever it is given."""

    def __init__(self, items: list[Any], classes: Any) -> None:
        self.items, self.classes = items, classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


IMAGE = arrays(st.sampled_from([1, 3, 4, 6]), most=2)
ITEM = (
    st.tuples(IMAGE, OBJECTS)
    | st.tuples(IMAGE, st.integers(0, 1), OBJECTS)
    | st.fixed_dictionaries({"image": IMAGE, "label": OBJECTS})
    | st.fixed_dictionaries({"img": IMAGE, "y": st.integers(0, 1), "id": OBJECTS})
    | OBJECTS
)
FORMS = [
    lambda image, label: (image, label),
    lambda image, label: (image, label, image[0]),
    lambda image, label: (label, image, "name"),
    lambda image, label: {"image": image, "label": label},
    lambda image, label: {"IMG": image, "target": np.eye(2)[label], "id": None},
    lambda image, label: [image.tolist(), [label]],
]
GOOD_ITEMS = st.builds(
    lambda images, form: [form(image, i % 2) for i, image in enumerate(images)],
    good_images(st.just(10)),
    st.sampled_from(FORMS),
)
SEVERAL = st.one_of(
    st.lists(ITEM, max_size=8),
    GOOD_ITEMS,
    st.tuples(GOOD_ITEMS, ITEM).map(lambda pair: [*pair[0], pair[1]]),
)


@cases(250)
@given(items=SEVERAL, classes=OBJECTS | st.lists(OBJECTS, max_size=4), option=OBJECTS, plain=st.booleans())
def test_data_sets(items: list[Any], classes: Any, option: Any, plain: bool) -> None:
    """Data sets and lists of items of all forms, mixed too, and options that may not fit."""
    check(items if plain else Items(items, classes))
    check(Items(items, classes), label=option)


@cases(150)
@given(images=st.lists(IMAGE, max_size=5), labels=LABELS, size=st.none() | st.integers(1, 6))
def test_lists_of_images(images: list[Any], labels: Any, size: int | None) -> None:
    """Images of several shapes and types in a list, and ten that could be images in two sizes."""
    check((images, labels), size=size)
    more = np.random.default_rng(0).random((10, 4, 6))
    check(([*images, *more], np.arange(len(images) + 10) % 2), size=size)


@cases(150)
@given(
    source=st.recursive(
        OBJECTS | IMAGE,
        lambda s: (
            st.lists(s, max_size=4)
            | st.tuples(s, s)
            | st.dictionaries(
                st.sampled_from(["train", "test", "x", "y", "images", "name", "arguments", "classes"]),
                s,
                max_size=4,
            )
        ),
    )
)
def test_anything(source: Any) -> None:
    """Lists, tuples and dictionaries of anything, and strings that are no path."""
    check(source)


WORDS = [
    "nan",
    "",
    " a ",
    "cat",
    "dog",
    "train",
    "test",
    "val",
    "a.png",
    "id",
    "label",
    "split",
    "pixel1",
    "ä",
]
ODD = ["0,5", '"x', '"0"', "\x00", "1_0", "1 2 3 4", "../a.png", "01", "1e9", "-1", "0.5"]
CELLS = st.sampled_from([*WORDS, *ODD, "0", "1", "2", "255"]) | st.text(max_size=4)


@st.composite
def texts(draw: Any) -> str:
    """A table of pixels or of names of files, some cells of which are others, with any separator."""
    separator = draw(st.sampled_from([",", ";", "\t", ", ", "|", " "]))
    rows = draw(st.sampled_from([0, 1, 2, 12, 12, 12]))
    columns: list[list[str]] = [
        [str(i * j % 255) for i in range(rows)] for j in draw(st.sampled_from([[1], range(25)]))
    ]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        kind = draw(st.lists(CELLS, min_size=1, max_size=3))
        columns.insert(draw(st.integers(-1, 2)), [kind[i % len(kind)] for i in range(rows)])
    labels = draw(st.sampled_from([["0", "1"], ["cat", "dog"], ["-1", "+1"], ["01", "02"]]))
    columns.insert(draw(st.sampled_from([0, -1, 1])), [labels[i % 2] for i in range(rows)])
    cells = [list(row) for row in zip(*columns, strict=True)]
    for row in draw(st.lists(st.sampled_from(cells), max_size=1)) if cells else []:
        row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
    header = draw(st.sampled_from([None, "names", "counting"]))
    if header:
        words = [draw(CELLS) if j < 3 else f"p{j}" for j in range(len(columns))]
        cells.insert(0, words if header == "names" else [str(j) for j in range(len(columns))])
    if cells and draw(st.integers(0, 9)) == 0:
        cells[-1].append("0")
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return draw(st.sampled_from(["", "", "\ufeff", "sep=;\n", "#"])) + end.join(map(separator.join, cells))


CSV_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from([0, -1, 9, "label", "cat", "1"]),
        "split": st.sampled_from([0, "none", "split"]),
        "image": st.sampled_from([0, "id", "a.png"]),
        "ignore": st.sampled_from(["none", "0", "0,1", "id", ","]),
        "header": st.sampled_from(["yes", "no", "maybe"]),
        "separator": st.sampled_from([";", "tab", "xy", "\n", '"', ""]),
        "shape": st.sampled_from(["1x3", "2x2", "5x5"]),
    },
)


@cases(450)
@given(text=mostly(texts(), st.text(max_size=60)), options=mostly(st.just({}), CSV_OPTIONS))
def test_csv_texts(tmp_path_factory: pytest.TempPathFactory, text: str, options: dict[str, Any]) -> None:
    """Tables, nearly tables, and any text at all."""
    path: Path = tmp_path_factory.mktemp("csv") / "d.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path.with_name("a.png"))
    check(path, **options)
