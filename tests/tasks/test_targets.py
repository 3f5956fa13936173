"""Targets that are not one class an example: the guess, the override, the refusals, and the task of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refused

from cambrian.errors import DataError
from cambrian.goal import CLASSES, Goal
from cambrian.tasks import Task, load
from cambrian.tasks.targets.number_scale import find_near
from cambrian.tasks.targets.reading import DISTINCT, is_measured

RNG = np.random.default_rng(5)
ROWS = 80
NUMBERS = RNG.normal(size=(ROWS, 3)).round(4)
PRICES = (300 + 50 * NUMBERS[:, 0]).round(2)
SKIES = [("sun", "sun;rain", "rain;wind", "wind", "")[n % 5] for n in range(ROWS)]


def write_csv(path: Path, **columns: Any) -> Path:
    """A table of NUMBERS and further columns."""
    named = {f"x{n}": NUMBERS[:, n] for n in range(3)} | columns
    rows = zip(*named.values(), strict=True)
    path.write_text("\n".join([",".join(named), *(",".join(map(str, row)) for row in rows)]))
    return path


def test_numbers_are_guessed_and_said(tmp_path: Path) -> None:
    """A column with fractions is predicted as numbers, standardised over the training part alone, and the
    task keeps its goal on disk."""
    task = load(write_csv(tmp_path / "houses.csv", price=PRICES), target="price")
    assert task.goal.kind == "numbers"
    assert task.metric == "r2"
    assert task.labels == ("price",)
    assert task.classes == 1
    assert np.allclose(task.targets, PRICES)
    assert task.goal.mean == pytest.approx(PRICES[task.train].mean())
    assert task.goal.std == pytest.approx(PRICES[task.train].std())
    assert any("'price' is predicted as numbers: goal=classes" in note for note in task.warnings)
    task.save(tmp_path / "task")
    again = Task.open(tmp_path / "task")
    assert again.goal == task.goal
    assert again.targets.dtype == np.float64
    assert "numbers (price)" in repr(again)


@pytest.mark.parametrize(
    ("values", "measured"),
    [
        (np.arange(DISTINCT + 1), True),
        (np.arange(DISTINCT), False),
        ([0.5, 1.5], True),
        ([1.0, 2.0], False),
        ([f"{n:03}" for n in range(90)], False),
        (["a", "b"], False),
        ([1.5, float("nan")], False),
    ],
)
def test_the_rule_of_numbers(values: Any, measured: bool) -> None:
    """Fractions, or more whole numbers than DISTINCT; names of digits that begin with zeros are names."""
    assert is_measured(values) == measured


def test_goals_override_the_guess(tmp_path: Path) -> None:
    """Grades are classes unless they are said to be numbers; ages are numbers unless said to be classes."""
    grades = np.arange(ROWS) % 4
    path = write_csv(tmp_path / "grades.csv", grade=grades)
    assert load(path, target="grade").goal == CLASSES
    assert load(path, target="grade", goal="numbers").goal.kind == "numbers"
    ages = write_csv(tmp_path / "ages.csv", age=np.arange(ROWS) // 2)
    assert load(ages, target="age").goal.kind == "numbers"
    refused(ages, "class '0' has only 2 training rows", target="age", goal="classes")


@pytest.mark.parametrize("first", [2**53, -(2**60), 2**64 - 3])
def test_long_numbers_are_classes_as_they_are_written(first: int, tmp_path: Path) -> None:
    """Floats do not hold all of them: one was called no integer, and two could be one class."""
    names = [first, first + 1, first + 2]
    task = load(write_csv(tmp_path / "t.csv", who=[names[n % 3] for n in range(ROWS)]), target="who")
    assert set(task.labels) == set(map(str, names))


def test_images_have_numbers(tmp_path: Path) -> None:
    """Fractions beside images are refused as labels, with the way to predict them."""
    images = RNG.random((ROWS, 6, 6)).astype(np.float32)
    refused((images, PRICES), "label .* is not an integer.*goal=numbers")
    task = load((images, PRICES), goal="numbers", metric="mae")
    assert task.goal.kind == "numbers"
    assert task.metric == "mae"
    assert task.inputs.shape == (ROWS, 6, 6, 1)


@pytest.mark.parametrize(
    ("column", "sentence", "settings"),
    [
        ({"y": ["1.5", "two"] * 40}, "'two' is not a number: write numbers", {"goal": "numbers"}),
        ({"y": ["2.5"] * ROWS}, "all numbers to predict are 2.5", {}),
        ({"y": ["1.5", ""] * 40}, "line 3: there is no label", {}),
        ({"y": ["a", "a"] * 40}, "expected two labels or more", {"goal": "labels"}),
        ({"y": ["a", "b"] * 40}, "goal=heads is for several columns", {"goal": "heads"}),
    ],
)
def test_targets_that_do_not_fit(column: Any, sentence: str, settings: Any, tmp_path: Path) -> None:
    """A sentence for each, before anything is trained."""
    refused(write_csv(tmp_path / "t.csv", **column), sentence, target="y", **settings)


@pytest.mark.parametrize(
    ("values", "sentence", "goal"),
    [
        (np.array([True, 2.5, 3.5, 1.0], object), "'True' is not a number: write numbers", "numbers"),
        ([2.5, [1.0, 2.0], 3.5, 1.0], "one number per example to predict, got lists of several", "numbers"),
        ([2.5, np.array([1.0, 2.0]), 3.5, 1.0], "several labels a row", None),
        (["x", 10**5000, "x", 2], "some labels are strings and some are numbers", None),
        (np.arange(4) % 2, "rows of 0 and 1, or lists of labels, got '0'", "labels"),
        ([1e300, -2e300, 1e300, 0.5], "-2e.300 to 1e.300, are too large or too small", "numbers"),
        ([1e-300, 2e-300, 1e-300, 0.0], "are too large or too small", "numbers"),
    ],
)
def test_odd_values_in_memory(values: Any, sentence: str, goal: Any) -> None:
    """Values of Python that no file has are refused as those of a file are."""
    refused((np.arange(8.0).reshape(4, 2), values), sentence, features=True, goal=goal)


def test_cells_of_several_labels(tmp_path: Path) -> None:
    """Cells with a sign between labels that repeat are rows of 0 and 1; an empty set is refused as a missing
    label in a CSV, and is a row of zeros in memory."""
    skies = [sky or "sun" for sky in SKIES]
    task = load(write_csv(tmp_path / "sky.csv", sky=skies), target="sky")
    assert task.goal == Goal("labels")
    assert task.labels == ("rain", "sun", "wind")
    assert task.targets[:4].tolist() == [[0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]]
    assert task.metric == "mean-average-precision"
    of_memory = load(
        (NUMBERS, [sky.split(";") if sky else [] for sky in SKIES]), features=True, goal="labels"
    )
    assert of_memory.targets[4].tolist() == [0, 0, 0]
    marks = load((NUMBERS, of_memory.targets), features=True, goal="labels")
    assert (marks.targets == of_memory.targets).all()


class Items:
    """A data set of torch's kind: an image and a row of 0 and 1 each."""

    def __init__(self, images: Any, rows: Any) -> None:
        self.images, self.rows = images, rows

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        if i >= len(self):
            raise IndexError(i)
        return self.images[i], self.rows[i]


def test_rows_of_labels_are_read_wherever_they_stand() -> None:
    """Rows of 0 and 1 are labels each in one array, in those of two parts, in lists and in the items of a
    data set; lists of labels of one length are labels by name."""
    images = RNG.integers(0, 256, (ROWS, 6, 6, 1)).astype(np.uint8)
    rows = RNG.integers(0, 2, (ROWS, 4))
    halves = ((images[:50], rows[:50]), (images[50:], rows[50:]))
    for source in ((images, rows), halves, (images, rows.tolist()), Items(images, rows)):
        task = load(source, goal="labels")
        assert task.labels == ("0", "1", "2", "3")
        assert np.array_equal(task.targets, rows)
    table = load((NUMBERS, rows.tolist()), features=True, goal="labels")
    assert np.array_equal(table.targets, rows)
    named = load(
        (NUMBERS, [("a", "b", "c")[n % 2 : n % 2 + 2] for n in range(ROWS)]), features=True, goal="labels"
    )
    assert named.labels == ("a", "b", "c")


def test_a_part_without_a_label_is_refused() -> None:
    """Its precision is not a number, so that no network could be chosen."""
    rows = np.zeros((ROWS, 3), np.int64)
    rows[0, 0] = 1
    refused((NUMBERS, rows), "none of the .* rows has a label: give more", features=True, goal="labels")


def test_odd_numbers_of_labels_and_masks() -> None:
    """Whole numbers of 16 bits are labels; masks of a single value are refused."""
    images = RNG.integers(0, 256, (ROWS, 6, 6, 1)).astype(np.uint8)
    assert load((images, (np.arange(ROWS) % 3).astype(np.float16))).labels == ("0", "1", "2")
    refused((images, np.full((ROWS, 6, 6), 255)), "all masks hold 255 alone", goal="pixels")


def test_a_few_numbers_far_out_do_not_set_the_scale() -> None:
    """It is that of the others to the last bit, on either side and wherever they lie, and they are named;
    without them, and with a heavy tail, it is that of all, and nothing is said."""
    rng = np.random.default_rng(0)
    rows, numbers = rng.normal(size=(300, 2)), 50 + 20 * rng.normal(size=300)
    for far, said in (
        ({}, ""),
        ({7: 1e9}, r"1 of 300 numbers to predict lies far beyond the others, which .*: 1e\+09\. Networks"),
        (
            {7: -1e9, 8: 1e6, 9: 1e5},
            r"3 of 300 numbers to predict lie .*: -1e\+09, 1e\+06, 100000\. Networks",
        ),
        ({n: 1e9 for n in range(30)}, ""),  # a tenth is no mistake
    ):
        given = numbers.copy()
        given[list(far)] = list(far.values())
        task = load((rows, given), features=True, goal="numbers")
        known = task.targets[task.train]
        known = known[np.abs(known) < 1e4] if said else known
        assert (task.goal.mean, task.goal.std) == (known.mean(), known.std())
        told = [sentence for sentence in task.warnings if "far beyond" in sentence]
        assert len(told) == bool(said)
        assert not said or re.search(said, told[0])
    skewed = load((rows, np.exp(2 * rng.normal(size=300))), features=True, goal="numbers")
    assert skewed.goal.std == skewed.targets[skewed.train].std()
    numbers[3] = 1e36
    with pytest.raises(DataError, match=r"1e\+36\. Nothing can be learned beside it: leave such rows out"):
        load((rows, numbers), features=True, goal="numbers")


def test_several_columns(tmp_path: Path) -> None:
    """Columns of 0 and 1 are labels, others a classification each; one that is not there is named."""
    sizes, colours = (
        [("s", "m", "l")[n % 3] for n in range(ROWS)],
        [("red", "blue")[n % 2] for n in range(ROWS)],
    )
    path = write_csv(
        tmp_path / "s.csv", size=sizes, colour=colours, a=np.arange(ROWS) % 2, b=np.arange(ROWS) // 40
    )
    marks = load(path, target="a,b")
    assert marks.goal == Goal("labels")
    assert marks.labels == ("a", "b")
    task = load(path, target="size,colour")
    assert task.goal == Goal("heads", heads=(("size", 3), ("colour", 2)))
    assert task.labels == ("size=l", "size=m", "size=s", "colour=blue", "colour=red")
    assert task.targets[0].tolist() == [2, 1]
    assert task.metric == "mean-accuracy"
    assert load(path, target="a,b", goal="heads").goal.heads == (("a", 2), ("b", 2))
    refused(path, "no column 'colur'", target="size,colur")
    refused(path, "goal=numbers is for one target, got 2", target="size,colour", goal="numbers")
    refused(path, "'size' is not of 0 and 1 alone", target="size,colour", goal="labels")


def test_numbers_far_below_are_found_as_those_far_above() -> None:
    """Shares from 0 to 1 too: one of 0 beside a thousand of about .99 ruled the scale, as one of 1 beside a
    thousand of about .01 did not."""
    shares = np.append(np.random.default_rng(0).normal(0.01, 0.001, 1000), 1.0)
    for numbers in (shares, 1 - shares, -shares, shares - 1, 1e9 * shares):
        assert np.flatnonzero(~find_near(numbers)).tolist() == [1000]
    assert find_near(np.zeros(3)).all()


def test_several_measured_numbers_are_refused_with_a_way(tmp_path: Path) -> None:
    """Not by asking for goal=numbers, which is for one target."""
    path = write_csv(tmp_path / "t.csv", power=PRICES, heat=PRICES + 0.5)
    refused(path, "'power' is of numbers with fractions, .* by a search of its own", target="power,heat")
    both = np.stack([PRICES, PRICES], 1)
    refused((RNG.random((ROWS, 3)), both), "MultiOutputRegressor", features=True, goal="numbers")
