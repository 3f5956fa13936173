"""Rows of a table as features: what is found, said, encoded and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from scipy.stats import norm, rankdata
from sklearn.datasets import load_iris

from cambrian.errors import DataError
from cambrian.tasks import Task, load, read_rows
from cambrian.tasks.tables.features import Column, encode, fit_column, fit_columns, read_columns

ROWS = 60
RNG = np.random.default_rng(3)
AGES = [str(round(age, 1)) for age in RNG.normal(40, 12, ROWS)]
AGES[5] = AGES[9] = ""
SEXES = ["f" if n % 3 else "m" for n in range(ROWS)]
GRADES = [str(n % 4) for n in range(ROWS)]
TARGET = ["yes" if n % 3 else "no" for n in range(ROWS)]
HEADER = "id,age,sex,name,grade,bought"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    names = [f"customer {n}" for n in range(ROWS)]
    rows = zip(range(1, ROWS + 1), AGES, SEXES, names, GRADES, TARGET, strict=True)
    path = tmp_path / "shop.csv"
    path.write_text("\n".join([HEADER, *(",".join(map(str, row)) for row in rows)]))
    return path


def said(task: Task, words: str) -> bool:
    return any(words in sentence for sentence in task.warnings)


def test_a_table_is_read_by_its_target(table: Path) -> None:
    """Each kind of column is found, the rest is named; a row is an image of one pixel."""
    task = load(table, target="bought")
    assert task.labels == ("no", "yes")
    assert task.inputs.shape == (ROWS, 1, 1, 5)  # age and its gap, two sexes, the grade
    assert [column["name"] for column in task.columns] == ["age", "sex", "grade"]
    assert said(task, "'id'")
    assert said(task, "'name'")
    assert said(task, "'bought') is learned from 3 columns: 2 of numbers, 1 of categories")
    kept = task.inputs[:, 0, 0]
    assert kept[:, 1].tolist() == [float(age == "") for age in AGES]
    assert kept[:, 2].tolist() == [float(sex == "f") for sex in SEXES]
    assert kept[:, 4].tolist() == [float(grade) for grade in GRADES]
    assert "5 features of 3 columns" in repr(task)


def test_options_override(table: Path) -> None:
    task = load(table, target="bought", categories="grade", ignore="age,id")
    assert [(c["name"], len(c.get("categories", ()))) for c in task.columns] == [("sex", 2), ("grade", 4)]
    kept = load(table, target="bought", ignore="none")
    assert kept.columns[0]["name"] == "id"
    assert load(table, target=2).labels == ("f", "m")


def test_counters_are_left_out_unless_none_is_named(table: Path) -> None:
    """Whatever else is left out."""
    for ignore, names in (
        (None, ["age", "sex", "grade"]),
        ("name", ["age", "sex", "grade"]),
        ("age,none", ["id", "sex", "grade"]),
    ):
        task = load(table, target="bought", ignore=ignore)
        assert [column["name"] for column in task.columns] == names
        assert said(task, "'id') counts or identifies the rows and is not used: ignore=none keeps it") == (
            "id" not in names
        )


def test_names_that_are_alike(tmp_path: Path) -> None:
    """Columns are told apart by capitals, those of one name by a number, as pandas gives; whoever is meant by
    a name that several have is not guessed."""
    path = tmp_path / "t.csv"
    cells = [[str(n % 5), str(n % 7), str(n % 3), str(n % 4), "ab"[n % 2]] for n in range(ROWS)]
    path.write_text("\n".join(map(",".join, [["A", "a", "x", "x", "Y"], *cells])))
    task = load(path, target="y")
    assert [column["name"] for column in task.columns] == ["A", "a", "x", "x.1"]
    assert task.inputs[:, 0, 0].tolist() == [list(map(float, row[:4])) for row in cells]
    assert said(task, "columns have the same name as others and are called 'x.1' here")
    assert np.array_equal(read_rows(path, task.columns), task.inputs)
    assert [c["name"] for c in load(path, target="Y", ignore="a").columns] == ["A", "x", "x.1"]
    refused(path, r"'x' may be column 2 \('x'\) or column 3 \('x'\): give", target="Y", ignore="x")
    capitals = tmp_path / "c.csv"
    capitals.write_text("\n".join(map(",".join, [["ID", "Id", "x", "z", "Y"], *cells])))
    refused(capitals, r"'id' may be column 0 \('ID'\) or column 1 \('Id'\)", target="id")
    with pytest.raises(DataError, match="several columns are called '1': give each a name of its own"):
        read_rows({1: [1, 2], "1": [1, 2]}, task.columns)


def test_columns_are_those_of_the_training_rows(tmp_path: Path) -> None:
    """Where a column says which these are: quantiles, medians, categories, and what is left out."""
    path = tmp_path / "t.csv"
    parts = ["train", "train", "val", "test"]
    rows = [
        [str(n), "ab"[n // 4 % 2] if n % 4 < 2 else "c", str(n % 4 // 2), parts[n % 4], "yn"[n // 4 % 2]]
        for n in range(4 * ROWS, 8 * ROWS)
    ]
    path.write_text("\n".join(map(",".join, [["size", "kind", "later", "split", "y"], *rows])))
    task = load(path, target="y")
    known = np.array([float(row[0]) for row in rows if row[3] == "train"])
    assert [column["name"] for column in task.columns] == ["size", "kind"]
    assert task.columns[0]["knots"][-1] == known.max()
    assert task.columns[0]["fill"] == np.median(known)
    assert task.columns[1]["categories"] == ("a", "b")
    assert not task.inputs[task.test, 0, 0, 1:].any()


def test_columns_know_nothing_of_the_rows_that_are_carved_out(tmp_path: Path) -> None:
    """Other cells in the validation and the test part change no column, in memory and in a file. A word among
    numbers there makes categories of them, whichever is drawn."""
    numbers = [float(n) for n in RNG.permutation(ROWS)]
    kinds = ["ab"[n % 2] for n in range(ROWS)]
    task = load(({"x": numbers, "kind": kinds}, np.arange(ROWS) % 2), features=True)
    known = np.array(numbers)[task.train]
    assert task.columns[0]["knots"][-1] == known.max()
    assert task.columns[0]["fill"] == np.median(known)
    carved = [*task.validation, *task.test]
    for i in carved:
        numbers[i], kinds[i] = 1e6, "c"
    again = load(({"x": numbers, "kind": kinds}, np.arange(ROWS) % 2), features=True)
    assert again.columns == task.columns
    path = tmp_path / "t.csv"
    for i in (task.train[0], carved[0]):
        cells = [str(n % 9) for n in range(ROWS)]
        cells[i] = "many"
        rows = [f"{cell},{n % 2}" for n, cell in enumerate(cells)]
        path.write_text("\n".join(["x,y", *rows]))
        columns = load(path, target="y").columns
        assert len(columns[0]["categories"]) == 9 + (i in task.train)


def test_a_box_that_is_ticked_or_not(tmp_path: Path) -> None:
    """One word and gaps are one feature."""
    path = tmp_path / "t.csv"
    rows = [["x" * (n % 3 == 0), str(n % 5), "ab"[n % 2]] for n in range(ROWS)]
    path.write_text("\n".join(map(",".join, [["member", "size", "y"], *rows])))
    task = load(path, target="y")
    assert task.columns[0] == {"name": "member", "categories": ("x",)}
    assert task.inputs[:, 0, 0, 0].tolist() == [float(n % 3 == 0) for n in range(ROWS)]


def test_columns_that_are_not_used_have_a_reason(tmp_path: Path) -> None:
    """A sentence for each: the columns of one value, those of dates, and those of other words."""
    columns = {
        "built": [f"{n % 28 + 1}.{n % 12 + 1}.2026" for n in range(ROWS)],
        "seen": [f"2026-11-{n % 28 + 1:02} 1{n % 10}:30" for n in range(ROWS)],
        "about": [f"house {n}" for n in range(ROWS)],
        "unit": ["m"] * ROWS,
        "none": [""] * ROWS,
        "one": [[1, "1.0"][n % 2] for n in range(ROWS)],
    }
    table = columns | {"age": AGES}
    task = load((table, TARGET), features=True)
    for words in (
        "1 column is not used, 'none': no value",
        "2 columns are not used, 'unit', 'one': a single value",
        "2 columns are not used, 'built', 'seen': dates",
        "1 column is not used, 'about': words that hardly repeat",
    ):
        assert said(task, words)
    refused(
        (columns, TARGET),
        "to learn from: 'built', 'seen': dates.*; 'about': words that hardly repeat; 'unit', 'one': a",
        features=True,
    )


def test_missing_values_are_counted(tmp_path: Path) -> None:
    """In columns of numbers and in those of categories, with what stands there; a box that is not
    ticked is not missing."""
    path = tmp_path / "t.csv"
    rows = [[str(n) * (n % 6 > 0), "x" * (n % 3 > 0), "abc?"[n % 4], "yn"[n % 2]] for n in range(ROWS)]
    path.write_text("\n".join(map(",".join, [["area", "member", "town", "y"], *rows])))
    empty, unknown = -(-ROWS // 6), ROWS // 4
    task = load(path, target="y")
    assert said(
        task, f"no number in {empty} cells, of 'area' ({empty}): the column's median stands there, and one"
    )
    assert said(
        task, f"no category in {unknown} cells, of 'town' ({unknown}): none of the categories holds there"
    )
    assert not said(task, "member")


def test_prepared_tasks_keep_the_columns(table: Path, tmp_path: Path) -> None:
    task = load(table, target="bought")
    task.save(tmp_path / "task")
    assert read_columns(Task.open(tmp_path / "task").columns) == read_columns(task.columns)


@pytest.mark.parametrize("kind", ["path", "columns", "array"])
def test_rows_to_be_predicted_are_encoded_like_those_of_the_training(table: Path, kind: str) -> None:
    task = load(table, target="bought")
    source: Any = table
    if kind != "path":
        source = {"sex": SEXES, "age": AGES, "grade": [int(g) for g in GRADES], "unknown": TARGET}
    if kind == "array":  # columns without names are numbered
        numbers = RNG.normal(size=(ROWS, 3))
        task, source = load((numbers, np.arange(ROWS) % 2), features=True), numbers
    assert np.array_equal(read_rows(source, task.columns), task.inputs)


def test_arrays_and_parts() -> None:
    """The columns are fitted to the training part alone."""
    data = load_iris()
    assert load(data, features=True).channels == 4
    half = load(
        ((data.data[::2], data.target[::2]), (data.data[1::2] + 100, data.target[1::2])), features=True
    )
    assert half.columns[0]["knots"][-1] == data.data[::2, 0].max()
    assert len(half.test) == 75


@given(st.sets(st.integers(-(10**6), 10**6), min_size=20, max_size=80).map(list))
def test_numbers_become_normal_scores(values: list[int]) -> None:
    """At the quantiles that are kept: the scores of the ranks, as scipy gives them; the order stays."""
    column = fit_column("x", [repr(v) for v in values])
    assert column is not None
    encoded = encode([column], {"x": values}, "here")[:, 0]
    order = np.argsort(values)
    assert (np.diff(encoded[order]) >= 0).all()
    ranks = (rankdata(values) - 0.5) / len(values)
    assert np.abs(norm.cdf(encoded) - ranks).max() < 1 / 32 + 1 / len(values)


@given(st.lists(st.sampled_from(["a", "b", "c", "", "NA", "?"]), min_size=8, max_size=40))
def test_categories_are_one_hot(cells: list[str]) -> None:
    """One 1 in each row, none where the value is missing or was never seen; a single word with gaps is a box
    that is ticked or not."""
    known = sorted({cell for cell in cells if cell in "abc" and cell})
    column = fit_column("x", cells)
    if not known or set(cells) == {*known[:1]}:
        assert column is None
        return
    assert column == Column("x", tuple(known))
    encoded = encode([column], {"x": [*cells, "new"]}, "here")
    expected = [[float(cell == word) for word in known] for cell in [*cells, "new"]]
    assert encoded.tolist() == expected


def test_numbers_as_people_write_them() -> None:
    column = fit_column("x", ["1,5", "2.5", "1e1", " 7 ", "n/a"])
    assert column == Column("x", fill=4.75, flagged=True)
    table = {"x": ["3,5", None, float("nan")]}
    assert encode([column], table, "here").tolist() == [[3.5, 0], [4.75, 1], [4.75, 1]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target": "bougt"}, "no column 'bougt'; did you mean 'bought'"),
        (
            {"target": "bought", "shape": "1x2"},
            "shape= is for a table of pixels, and this is read as a table of",
        ),
        ({"target": "bought", "size": 8}, "rows of a table are not images, and have no size"),
        ({"target": "bought", "categories": "grde"}, "no column 'grde'; did you mean 'grade'"),
        ({"target": "age"}, "there is no label: write one, or remove the row"),
        ({"categories": "grade"}, "or name the column to learn with target="),
        ({}, "name the column to learn with target=NAME"),
    ],
)
def test_what_cannot_be_read_is_refused(table: Path, settings: dict[str, Any], sentence: str) -> None:
    refused(table, sentence, **settings)


def test_rows_that_do_not_fit_are_refused(table: Path) -> None:
    columns = load(table, target="bought").columns
    with pytest.raises(DataError, match="no column 'age'"):
        read_rows({"sex": SEXES}, columns)
    with pytest.raises(DataError, match="'old' in column 'age' is not a number"):
        read_rows({"sex": ["f"], "age": ["old"], "grade": ["1"]}, columns)
    with pytest.raises(DataError, match="expected rows of a table"):
        read_rows("photo.png", columns)
    with pytest.raises(DataError, match="no column to learn from"):
        fit_columns({"x": ["1"] * 9}, "here")
    refused((np.zeros((4, 2)), [0, 1, 0]), "4 rows but 3 labels", features=True)


@pytest.mark.parametrize("name", ["customer_id", "CustomerID", "order id", "ID", "uid"])
def test_a_column_that_identifies_the_rows_is_left_out(tmp_path: Path, name: str) -> None:
    """Also where it begins anywhere and some rows stand twice: their order may give the label away."""
    rows = [f"{100_000 + 7 * n},{n % 5},{'no' if n < ROWS // 2 else 'yes'}" for n in range(ROWS)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"{name},x,y", *rows, *rows[:4]]))
    task = load(path, target="y")
    assert [column["name"] for column in task.columns] == ["x"]
    assert said(task, "identifies the rows and is not used: ignore=none keeps it")
    assert len(load(path, target="y", ignore="none").columns) == 2


@pytest.mark.parametrize("name", ["paid", "grid", "humidity", "Android"])
def test_numbers_that_only_end_like_an_identifier_are_learned_from(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{100_000 + 7 * n},{n % 5},{'no' if n % 2 else 'yes'}" for n in range(ROWS)]
    path.write_text("\n".join([f"{name},x,y", *rows]))
    assert [column["name"] for column in load(path, target="y").columns] == [name, "x"]
