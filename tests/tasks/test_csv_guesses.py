"""A CSV as people write them: the label, the parts, header and files are found, said, and overridden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from cambrian.tasks import load

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (30, 36), dtype=np.uint8)
REMEDY = r"name the column to learn with target=NAME \(--target NAME\): the columns are"
Y = np.arange(30) % 3
ROWS = [list(map(str, row)) for row in PIXELS]


def write(path: Path, rows: list[list[str]], separator: str = ",") -> Path:
    path.write_text("\n".join(map(separator.join, rows)))
    return path


def holds(task: Any, labels: tuple[str, ...] = ("0", "1", "2")) -> None:
    """The task is the thirty images of 6 x 6 with their labels."""
    found = {x.tobytes(): task.labels[y] for x, y in zip(task.inputs, task.targets, strict=True)}
    assert found == {x.tobytes(): labels[y] for x, y in zip(PIXELS, Y, strict=True)}
    assert task.inputs.shape == (30, 6, 6, 1)


def said(task: Any, words: str) -> bool:
    return any(words in sentence for sentence in task.warnings)


NAMES: dict[str, Callable[[int], str]] = {
    "px": lambda i: f"px{i}",
    "1x1": lambda i: f"{i // 6}x{i % 6}",
    "0": str,
}
PLACES = {"first": 0, "last": 36, "middle": 20}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ", "])
@pytest.mark.parametrize("label", ["label", "Class", "digit", "what it is"])
@pytest.mark.parametrize("place", PLACES)
def test_a_named_label_anywhere(tmp_path: Path, separator: str, label: str, place: str) -> None:
    """By its name, or as the only column that is not numbered like the others."""
    rows = [[*r[: PLACES[place]], str(y), *r[PLACES[place] :]] for r, y in zip(ROWS, Y, strict=True)]
    names = [f"px{i}" for i in range(36)]
    names.insert(PLACES[place], label)
    holds(load(write(tmp_path / "d.csv", [names, *rows], separator)))


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("index", [None, 0, 1])
@pytest.mark.parametrize("place", ["first", "last"])
def test_no_header(tmp_path: Path, place: str, index: int | None, words: bool) -> None:
    """First or last, numbers or words, with a column that counts or without: found and said."""
    labels = [f"c{y}" if words else str(y) for y in Y]
    rows = [[y, *r] if place == "first" else [*r, y] for r, y in zip(ROWS, labels, strict=True)]
    if index is not None:
        rows = [[str(i + index), *row] for i, row in enumerate(rows)]
    task = load(write(tmp_path / "d.csv", rows))
    holds(task, ("c0", "c1", "c2") if words else ("0", "1", "2"))
    assert said(task, "is taken as the label: label= names another")
    assert index is None or said(task, "column 0 counts the rows and is not used: ignore=none")


def test_counters_are_no_pixels_whatever_else_is_left_out(tmp_path: Path) -> None:
    """By their name or by counting; `none` among the names keeps them."""
    for name in ("id", "what"):
        rows = [[str(i), "7", str(y), *row] for i, (row, y) in enumerate(zip(ROWS, Y, strict=True))]
        header = [name, "other", "label", *(f"px{i}" for i in range(36))]
        path = write(tmp_path / "d.csv", [header, *rows])
        holds(load(path, ignore="other"))
    refused(path, "37 values", ignore="none,other")


def test_black_and_white_with_the_label_last(tmp_path: Path) -> None:
    """Where pixels are 0 and 1, the column unlike its neighbour is the label."""
    drawn = RNG.integers(0, 2, (60, 36))
    rows = [[*map(str, image), str(i % 3)] for i, image in enumerate(drawn)]
    task = load(write(tmp_path / "d.csv", rows))
    assert task.labels == ("0", "1", "2")
    assert load(tmp_path / "d.csv", label=0).labels == ("0", "1")


@pytest.mark.parametrize("start", [[], ["label"], ["", "label"]])
def test_a_header_that_counts(tmp_path: Path, start: list[str]) -> None:
    """As pandas writes for columns without names: no image, and said; the option takes it as one."""
    rows = [
        [*([str(i)] if "" in start else []), str(y), *r] for i, (r, y) in enumerate(zip(ROWS, Y, strict=True))
    ]
    header = [*start, *map(str, range(36 if start else 37))]
    path = write(tmp_path / "d.csv", [header, *rows])
    holds(load(path))
    assert said(load(path), "the first row, which counts up, is taken as a header")
    if not start:
        assert sum(load(path, header="no", label=0).sizes.values()) == 31


def test_labels_keep_what_is_written(tmp_path: Path) -> None:
    """Leading zeros, signs and underscores are names; 1.0 is 1; spaces around do not count."""
    for cells, labels in (
        (["01", "02", "10"], ("01", "02", "10")),
        (["-1", "+1"], ("-1", "1")),
        (["1.0", "2.0"], ("1", "2")),
        (["1_0", "10"], ("10", "1_0")),
        ([" cat", "cat ", "dog"], ("cat", "dog")),
        (["A", "7"], ("7", "A")),
    ):
        rows = [[cells[i % len(cells)], *row] for i, row in enumerate(ROWS)]
        assert load(write(tmp_path / "d.csv", rows)).labels == labels


def test_a_row_of_pixels_in_one_cell(tmp_path: Path) -> None:
    """As FER-2013 has them, with its column of parts."""
    usage = ["Training", "Training", "Training", "PublicTest", "PrivateTest"]
    rows = [[str(y), " ".join(r), usage[i // 3 % 5]] for i, (r, y) in enumerate(zip(ROWS, Y, strict=True))]
    task = load(write(tmp_path / "d.csv", [["emotion", "pixels", "Usage"], *rows]))
    holds(task)
    assert task.sizes == {"train": 18, "validation": 6, "test": 6}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty files in a folder beside the CSV."""
    (tmp_path / "train").mkdir()
    for i, image in enumerate(PIXELS):
        Image.fromarray(image.reshape(6, 6)).save(tmp_path / "train" / f"p{i}.png")
    return tmp_path


@pytest.mark.parametrize(
    "form", ["train/p{}.png", "train\\p{}.png", "train/p{}", "p{}", "p{}.png", "./train/p{}.png"]
)
@pytest.mark.parametrize("header", [True, False])
def test_names_of_files(photos: Path, form: str, header: bool) -> None:
    """With slashes or backslashes, with or without folder and ending."""
    rows = [[form.format(i), f"c{y}"] for i, y in enumerate(Y)]
    path = write(photos / "d.csv", [["id", "breed"]] * header + rows)
    holds(load(path), ("c0", "c1", "c2"))
    assert said(load(path), "30 images are found in 'train' beside the CSV") == form.startswith("p")


@pytest.mark.parametrize("name", ["split", "Set", "part", "anything"])
def test_parts(photos: Path, name: str) -> None:
    """A column of parts is used and said, under any name; `split=none` draws anew."""
    parts = ["train", "train", "train", "Validation", "test"]
    rows = [[f"train/p{i}.png", f"c{y}", parts[i // 3 % 5]] for i, y in enumerate(Y)]
    path = write(photos / "d.csv", [["path", "label", name], *rows])
    task = load(path)
    tested = {x.tobytes() for x in task.inputs[task.test]}
    assert tested == {PIXELS[i].tobytes() for i in range(30) if i // 3 % 5 == 4}
    assert said(task, "says what is for training, validation and testing")
    drawn = load(path, split="none", label="label")
    assert drawn.sizes["test"] == 6
    assert {x.tobytes() for x in drawn.inputs[drawn.test]} != tested


def test_what_is_not_used_is_said(photos: Path) -> None:
    """Other columns are named; missing files are counted; two labels of one file are said."""
    rows = [[f"train/p{i}.png", f"c{y}", f"x{i}", "7"] for i, y in enumerate(Y)]
    path = write(photos / "d.csv", [["path", "kind", "place", "age"], *rows])
    task = load(path)
    holds(task, ("c0", "c1", "c2"))
    assert said(task, "2 columns not used, 'place', 'age'")
    twice = write(photos / "e.csv", [["path", "label"], *(r[:2] for r in rows), ["train/p0.png", "c1"]])
    assert said(load(twice), "1 images have several labels, such as 'train/p0.png'")
    gone = [["path", "label"], *(r[:2] for r in rows), ["no.png", "c1"], ["nor.png", "c2"]]
    refused(write(photos / "f.csv", gone), "no image file 'no.png' .and 1 more that are missing.")
    prose = [["text", "mood"], ["how well it sails", "good"], ["no wind at all", "bad"]]
    refused(write(photos / "h.csv", prose), f"of texts, {REMEDY} 'text', 'mood'$")
    refused(
        write(photos / "g.csv", [["id", "label"], ["no", "a"], ["nor", "b"]]), "nor with an ending such as"
    )


def test_features_and_texts_without_a_target(tmp_path: Path) -> None:
    """Whatever a table without images lacks, the option that names the column to learn is said with the names
    of the columns."""
    short = [["name", "age"], ["Ann", "3"], ["Bo", "4"]]
    counting = [["n", "y"], *([str(i), "ab"[i % 2]] for i in range(8))]
    pairs = [["x", "y"], ["1", "2"], ["3", "5"]]
    gap = [["x", "y", "z"], ["1", "2", "a"], ["", "3", "b"]]
    gaps = [["p", "q", "z"], ["1", "2", "a"], ["", "3", "b"]]
    numbers = [["x", "y", "z"], ["1", "2", "a"], ["4", "3", "b"], ["6", "3", "a"]]
    for rows in (short, counting, pairs, gap, gaps, numbers):
        refused(write(tmp_path / "t.csv", rows), f"{REMEDY} {', '.join(map(repr, rows[0]))}$")
    refused(write(tmp_path / "t.csv", numbers), f"categories= .* {REMEDY} 'x', 'y', 'z'$", categories="x")


def test_options_that_cannot_be(tmp_path: Path) -> None:
    """One sentence with what there is."""
    path = write(tmp_path / "d.csv", [[str(y), *r] for r, y in zip(ROWS, Y, strict=True)])
    refused(path, "no column 'kind': there is no header: give its number, 0 to 36", label="kind")
    refused(path, "separator='ab': expected one character, or one of tab", separator="ab")
    holds(load(path, label="0", ignore="none", separator="comma", header="no"))


def test_a_sign_within_quotes_separates_nothing(tmp_path: Path) -> None:
    """A column "Name; First" and cells like it have a semicolon each, as the rows have commas."""
    rows = [['"Name; First"', "age", "churned"]]
    rows += [[f'"Smith ""S""; Ann{i}"', str(20 + 7 * i % 50), "yes" if i % 2 else "no"] for i in range(40)]
    task = load(write(tmp_path / "people.csv", rows), target="churned")
    assert task.labels == ("no", "yes")
    assert [column["name"] for column in task.columns] == ["age"]


def test_another_separator_is_named_where_it_would_give_the_column(tmp_path: Path) -> None:
    """Both signs occur equally often, and the semicolon is taken: decimals may have commas."""
    rows = [["age", "region;code", "churned"]]
    rows += [[str(20 + 7 * i % 50), f"A;{i % 3}", "yes" if i % 2 else "no"] for i in range(40)]
    path = write(tmp_path / "regions.csv", rows)
    refused(path, "stands in the name 'code,churned', .* at ';': separator=comma", target="churned")
    assert load(path, target="churned", separator="comma").labels == ("no", "yes")
