"""The cells of a table: points and commas, missing labels, large numbers, the ways to write a number."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from refusals import refused

from cambrian.errors import DataError
from cambrian.tasks import Task, load, read_rows
from cambrian.tasks.tables.cells import Mark, find_marks, find_wrong, read_numbers
from cambrian.tasks.tables.features import Column, encode, fit_column, read_columns

ROWS = 40
TARGET = [("yes", "no")[n % 2] for n in range(ROWS)]
RNG = np.random.default_rng(7)
WEIGHTS = [f"{weight:.2f}" for weight in RNG.uniform(0, 1, ROWS)]


def write(path: Path, separator: str = ",", **columns: Any) -> Path:
    """A CSV with these columns; cells are in quotes, as those with commas must be."""
    quoted = ([f'"{cell}"' for cell in cells] for cells in columns.values())
    rows = [list(columns), *zip(*quoted, strict=True)]
    path.write_text("\n".join(separator.join(row) for row in rows))
    return path


class Frame:
    """A table with named columns, as pandas has."""

    def __init__(self, **columns: Any) -> None:
        self.columns, self._cells = list(columns), columns
        self.shape = (ROWS, len(columns))

    def __getitem__(self, name: str) -> Any:
        return self._cells[name]

    def to_numpy(self) -> Any:
        return np.array(list(self._cells.values()), object).T


def said(task: Task, words: str) -> bool:
    return any(words in sentence for sentence in task.warnings)


def repeat(*cells: str) -> list[str]:
    return [cells[n % len(cells)] for n in range(ROWS)]


@pytest.mark.parametrize(
    ("cells", "others", "separator", "mark", "number", "words"),
    [
        (("3,108", "922"), ("7", "8"), ",", "point", 3108, "read as 3108: decimal=comma takes it as 3.108"),
        (("3,108", "922"), ("7", "8"), ";", "point", 3108, "read as 3108: decimal=comma takes it as 3.108"),
        (("3,108", "2,500"), ("7", "8"), ",", "point", 3108, "read as 3108: decimal=comma"),
        (
            ("3,108", "922"),
            ("1,5", "2"),
            ";",
            "comma",
            3.108,
            "as 3.108: decimal=point takes it as 3108",
        ),
        (("3,108", "2,500"), ("1.5", "2"), ";", "point", 3108, "read as 3108: decimal=comma"),
        (("3,108", "922.5"), ("7", "8"), ";", "point", 3108, "read as 3108"),
        (("1,234,567.5", "922"), ("7", "8"), ",", "point", 1234567.5, "read as 1234567.5"),
        (("1.234,5", "2,25"), ("7", "8"), ";", "comma", 1234.5, "read as 1234.5"),
        (("1.038", "960"), ("1,5", "2"), ";", "comma", 1038, "read as 1038: decimal=point takes it as 1.038"),
        (("1.038", "960"), ("1.5", "2"), ";", "", 1.038, "read as 1.038: decimal=comma takes it as 1038"),
        (("1.038", "960"), ("7", "8"), ",", "", 1.038, None),
        (("1.038", "0.960"), ("7", "8"), ";", "", 1.038, None),
        (("1.038", "9600"), ("7", "8"), ";", "", 1.038, "read as 1.038"),
        (("1,5", "2,25"), ("7", "8"), ";", "comma", 1.5, None),
        (("1,5", "2.25"), ("7", "8"), ",", "mixed", 1.5, None),
    ],
)
def test_points_and_commas(
    cells: tuple[str, ...],
    others: tuple[str, ...],
    separator: str,
    mark: Mark,
    number: float,
    words: str | None,
) -> None:
    """By the column's cells, by the other columns, or by a rule that is said."""
    marks, notes = find_marks({"x": cells, "other": others}, "here", separator)
    assert marks["x"] == mark
    numbers = read_numbers(cells, mark)
    assert numbers is not None
    assert numbers[0] == number
    assert len(notes) == (words is not None)
    assert words is None or words in notes[0]


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (("3,108", "2,500"), ";"),
        (("3,108", "12345"), ";"),
        (("1.038", "960"), ";"),
        (("3,108", "1.038"), ","),
    ],
)
def test_numbers_of_which_nothing_says_how_they_are_read(
    cells: tuple[str, ...], separator: str, tmp_path: Path
) -> None:
    """They are refused with the option that settles it, and read by it."""
    path = write(tmp_path / "t.csv", separator, x=repeat(*cells), y=TARGET)
    refused(path, "in column 'x' may be .* or .*: say which with decimal=point or decimal=comma", target="y")
    for decimal, sign in (("point", ","), ("comma", ".")):
        task = load(path, target="y", decimal=decimal)
        plain = [float(cell.replace(sign, "").replace(",", ".")) for cell in cells]
        assert task.inputs[:2, 0, 0, 0].tolist() == pytest.approx(plain)
    refused(
        path,
        "decimal= is for a table of features .* or name the column to learn with target=",
        decimal="comma",
    )


def test_numbers_in_memory_of_which_nothing_says_how_they_are_read() -> None:
    table = Frame(x=repeat("3,108", "2,500"))
    refused((table, TARGET), r"'3,108' in column 'x' may be 3108 or 3\.108: write one", features=True)


def test_rows_to_be_predicted_are_read_as_those_of_the_training(tmp_path: Path) -> None:
    """By what the columns recorded; where they did not have commas, 3,108 is refused, 1,5 and 1,234.5 are
    not; numbers of Python are numbers, whatever was written."""
    weights = write(tmp_path / "g.csv", ";", x=repeat("1,5", "2,25"), n=repeat("7", "8"), y=TARGET)
    german = load(weights, target="y").columns
    encoded = read_rows({"x": ["3,108", 1.125], "n": ["1.038", 7]}, german)[:, 0, 0]
    assert encoded.tolist() == [[pytest.approx(3.108), 1038], [1.125, 7]]
    prices = write(tmp_path / "e.csv", x=repeat("3,108", "922"), n=repeat("7", "8"), y=TARGET)
    english = load(prices, target="y").columns
    assert read_rows({"x": ["1,038"], "n": ["1,234"]}, english)[0, 0, 0].tolist() == [1038, 1234]
    plain = (Column("x"),)
    assert encode(plain, {"x": ["1,5", "2"]}, "here").tolist() == [[1.5], [2]]
    assert encode(plain, {"x": ["1,234.5", "3,108"]}, "here").tolist() == [[1234.5], [3108]]
    with pytest.raises(DataError, match=r"'3,108' in column 'x' may be 3108 or 3\.108: write one of these"):
        encode(plain, {"x": ["3,108"]}, "here")
    with pytest.raises(DataError, match=r"'1.234.567' in column 'x' is not a number"):
        encode(plain, {"x": ["2.5", "1.234.567"]}, "here")


def test_thousands_in_a_target(tmp_path: Path) -> None:
    """Prices in a file and in memory are the numbers that were meant."""
    prices = RNG.integers(100, 5000, ROWS)
    written = [f"{price:,}" for price in prices]
    task = load(write(tmp_path / "p.csv", size=WEIGHTS, price=written), target="price")
    assert task.targets.tolist() == prices.tolist()
    assert said(task, "in column 'price' is read as")
    memory = load((Frame(size=list(map(float, WEIGHTS))), written), features=True)
    assert memory.targets.tolist() == prices.tolist()
    assert said(memory, "in column 'target' is read as")


@pytest.mark.parametrize("word", ["NA", "?", "null", "-", "N/A", "none", "Null"])
def test_a_label_that_is_missing_among_numbers(word: str, tmp_path: Path) -> None:
    """Grades and measurements, in a file and in memory."""
    for numbers in (repeat("1", "2"), WEIGHTS):
        labels = [*numbers[:7], word, *numbers[8:]]
        path = write(tmp_path / "t.csv", x=WEIGHTS, y=labels)
        refused(path, "line 9: there is no label: write one, or remove the row", target="y")
        refused((Frame(x=list(map(float, WEIGHTS))), labels), "row 7 has no label", features=True)


def test_a_label_that_is_missing_among_words(tmp_path: Path) -> None:
    """`none` and - may be classes, which is said; other words for nothing are not."""
    path = write(tmp_path / "t.csv", x=WEIGHTS, y=repeat("+", "-"), z=repeat("mild", "none", "NA"))
    task = load(path, target="y", ignore="z")
    assert task.labels == ("+", "-")
    assert said(task, "'-' is taken as a class: leave its rows out if it means that they have none")
    refused(path, "line 4: there is no label: write one, or remove the row", target="z")
    images = (np.arange(ROWS * 16, dtype=np.uint8).reshape(ROWS, 4, 4), repeat("na", "ni"))
    assert load(images).labels == ("na", "ni")
    assert said(load(images), "'na' is taken as a class: leave its images out")


@pytest.mark.parametrize(
    "numbers", [[1.7e9 + step for step in (0, 10, 20, 30, 60)], range(20240101, 20240108), [1e39, 2e39, 4e39]]
)
def test_few_large_numbers_stay_apart(numbers: Any, tmp_path: Path) -> None:
    """Float32 would make one of them. An export, which has the columns as JSON, gives the same to the bit, as
    does interpolation in NumPy alone, of which its text speaks."""
    cells = repeat(*(repr(number) for number in numbers))
    task = load(write(tmp_path / "t.csv", when=cells, y=TARGET), target="y", ignore="none")
    values = np.array(cells, np.float64)
    distinct = np.unique(values)
    expected = (values - np.median(values[task.train])) / (distinct[-1] - distinct[0])
    assert np.abs(task.inputs[:, 0, 0, 0] - expected).max() < 1e-6
    assert len(np.unique(task.inputs)) == len(distinct)
    columns = json.loads(json.dumps(task.columns))
    assert np.array_equal(read_rows({"when": cells}, columns), task.inputs)
    alone = np.interp(values, columns[0]["knots"], columns[0]["scores"]).astype(np.float32)
    assert np.array_equal(alone, task.inputs[:, 0, 0, 0])


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=10, unique=True))
@settings(max_examples=50, deadline=None)
def test_few_numbers_keep_their_distances(values: list[float]) -> None:
    """To a thousandth of what lies between their ends, whatever they are."""
    ends = min(values), max(values)
    assume(ends[1] - ends[0] > 1e-300)
    column = fit_column("x", values)
    assert column is not None
    encoded = encode([column], {"x": values}, "here")[:, 0].astype(np.float64)
    assert np.isfinite(encoded).all()
    low, high = encoded[values.index(ends[0])], encoded[values.index(ends[1])]
    shares = (np.array(values) - ends[0]) / (ends[1] - ends[0])
    assert np.abs((encoded - low) / (high - low) - shares).max() < 4e-3


def test_columns_of_older_runs_are_read() -> None:
    """What was recorded before columns named what begins their decimals."""
    facts = [{"name": "x", "fill": 4.75, "flagged": True}, {"name": "grade", "categories": ["1.0", "2"]}]
    table = {"x": ["3,5", None, "2.5"], "grade": ["1.0", 1.0, "2.0"]}
    encoded = encode(read_columns(facts), table, "here")
    assert encoded.tolist() == [[3.5, 0, 1, 0], [4.75, 1, 1, 0], [2.5, 0, 0, 1]]


def test_categories_that_are_numbers(tmp_path: Path) -> None:
    """The same rows have the same features from a file and from floats; 007, and versions beside words, stay
    as they are written."""
    grades = [1.0, 2.0, 2.5]
    cells = repeat("1.0", "2.0", "2.50")
    path = write(tmp_path / "t.csv", grade=cells, y=TARGET)
    of_file = load(path, target="y", categories="grade")
    floats = Frame(grade=np.array([grades[n % 3] for n in range(ROWS)]))
    of_memory = load((floats, TARGET), features=True, categories="grade")
    assert of_file.columns == of_memory.columns
    assert of_file.columns[0]["categories"] == ("1", "2", "2.5")
    assert np.array_equal(of_file.inputs, of_memory.inputs)
    assert np.array_equal(read_rows(floats, of_file.columns), of_file.inputs)
    assert np.array_equal(read_rows({"grade": cells}, of_memory.columns), of_file.inputs)
    assert fit_column("x", repeat("007", "7"), category=True) == Column("x", ("007", "7"))
    assert fit_column("x", repeat("1.0", "1.10", "beta")) == Column("x", ("1.0", "1.10", "beta"))


@pytest.mark.parametrize("written", [list, lambda cells: np.array(cells, object)])
def test_the_cell_that_is_no_number_is_named(written: Any) -> None:
    """Whatever cells stand together: a column that is not one of numbers has a cell by which it is not, and
    an error names it. A truth value beside numbers had none, and ended in a StopIteration."""
    odd = ["1.5", "1,5", "12,34", "1,234.5", "1.234,5", "1,234,567", "1e5", "x", "½", "", None]
    odd += [True, 1, 2.5, 10**400, 10**5000, 1j, float("inf")]
    columns = [
        written(list(cells))
        for cells in itertools.product(odd, repeat=3)
        if not {type(cell) for cell in cells} <= {int, float, bool}
    ]
    wrong = [column for column in columns if read_numbers(column) is None]
    assert len(wrong) > 1000
    assert all(0 <= find_wrong(column) < 3 for column in wrong)
    with pytest.raises(
        DataError, match="the rows, row 2: 'True' in column 'x' is not a number: mend the row"
    ):
        encode((Column("x"),), {"x": written(["2.5", True])}, "the rows")
