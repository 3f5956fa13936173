"""Further rows of a table are read as those of the training, and tables in memory as those of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from cambrian.cli.export import predict
from cambrian.errors import DataError
from cambrian.exports import predict as exported
from cambrian.search.delivery.prediction import read_pixels
from cambrian.tasks import Task, load, read_rows, read_texts
from cambrian.tasks.tables.table_form import TableForm, read_form

ROWS = 60
RNG = np.random.default_rng(4)
X = RNG.normal(size=(ROWS, 3)).round(3)
Y = np.arange(ROWS) % 2
WORDS = [f"{n} words, and {7 * n}" for n in range(ROWS)]


def write(path: Path, columns: dict[str, Any], separator: str = ",", header: bool = True) -> Path:
    """Cells are quoted, as they may hold the separator."""
    rows = [list(columns)] * header + [list(row) for row in zip(*columns.values(), strict=True)]
    path.write_text("".join(separator.join(f'"{cell}"' for cell in row) + "\n" for row in rows))
    return path


def saved(task: Task, place: Path) -> Task:
    """The task as a run directory has it: what is known of its table has to be there, too."""
    task.save(place)
    return Task.open(place)


@pytest.mark.parametrize(
    ("names", "options"),
    [
        ("ab", {}),
        (["2019", "2020"], {"header": "yes"}),
        ("ab", {"header": "no", "target": -1}),
        ("ab", {"separator": "^"}),
        ("ab", {"separator": "tab"}),
    ],
)
def test_files_are_read_in_one_form(names: Any, options: dict[str, Any], tmp_path: Path) -> None:
    """With and without the target, and with other rows: the inputs are those of the training."""
    separator = {"tab": "\t"}.get(options.get("separator", ""), options.get("separator", ","))
    form = {"separator": separator, "header": options.get("header") != "no"}
    features = dict(zip(names, X.T[:2], strict=True))
    path = write(tmp_path / "t.csv", features | {"y": Y}, **form)
    task = saved(load(path, **{"target": "y", **options}), tmp_path / "task")
    for further in (path, write(tmp_path / "n.csv", features, **form)):
        assert np.array_equal(read_pixels(task, further), task.inputs)


def test_a_single_column_is_a_table(tmp_path: Path) -> None:
    """Of numbers, and of texts, where there is no target beside it; what is learned from still needs one."""
    task = load(write(tmp_path / "t.csv", {"a": X[:, 0], "y": Y}), target="y")
    new = write(tmp_path / "n.csv", {"a": X[:, 0]})
    assert np.array_equal(read_rows(new, task.columns, task.rendering), task.inputs)
    assert np.array_equal(read_rows(new, task.columns), task.inputs)  # of an earlier version's record
    for header in (True, False):
        told = {} if header else {"header": "no"}
        path = write(tmp_path / "w.csv", {"said": WORDS, "y": Y}, header=header)
        texts = load(path, target=1, **told)
        _, inputs = read_texts([write(tmp_path / "v.csv", {"said": WORDS}, header=header)], texts.rendering)
        assert np.array_equal(inputs, texts.inputs)
    refused(new, "one column only", target="a")
    refused(new, "one column only")


@pytest.mark.parametrize("target", [0, 1, 2, "0,2"])
def test_columns_without_names_keep_their_places(target: Any, tmp_path: Path) -> None:
    """Rows may leave out what is to be predicted, wherever it stands; of another width they are refused, not
    read one place off."""
    places = [int(place) for place in str(target).split(",")]
    columns = {str(n): Y if n in places else X[:, n] for n in range(3)}
    path = write(tmp_path / "t.csv", columns, header=False)
    task = saved(load(path, target=target, header="no"), tmp_path / "task")
    left = [n for n in range(3) if n not in places]
    further = [path, write(tmp_path / "n.csv", {str(n): X[:, n] for n in left}, header=False), X[:, left]]
    for source in further:
        assert np.array_equal(read_rows(source, task.columns, task.rendering), task.inputs)
    for width in {1, 2, 3, 4} - {3, len(left)}:
        says = f"there are {width}: expected 3, as in the training, or {len(left)} without"
        with pytest.raises(DataError, match=says):
            read_rows(np.ones((5, width)), task.columns, task.rendering)


TOWNS = {"area": X[:, 0], "town": ["AB"[n % 2] for n in range(ROWS)]}


def test_words_among_numbers_are_named_with_their_line(tmp_path: Path) -> None:
    """Of a file, as an editor counts lines; of a table in memory the number of the row, from 1; in rows to be
    predicted and in a test part alike. So are numbers that can be read in two ways."""
    task = load(write(tmp_path / "t.csv", TOWNS | {"price": X[:, 1]}), target="price")
    for cell, says in (("big", "'big' in column 'area' is not a number"), ("3,108", "may be 3108 or 3.108")):
        new = {"area": ["1", "2\n", cell], "town": ["A", "", "B"]}
        with pytest.raises(DataError, match=f"n.csv, line 5: .*{says}"):
            read_rows(write(tmp_path / "n.csv", new), task.columns, task.rendering)
        with pytest.raises(DataError, match=f"the rows, row 3: .*{says}"):
            read_rows(new, task.columns, task.rendering)
    parts = {"split": ["train"] * 50 + ["test"] * 10, "area": [*X[:58, 0], "big", "1"]}
    parts |= {"rooms": X[:, 2], "price": X[:, 1]}
    refused(write(tmp_path / "p.csv", parts), "p, line 60: 'big' in column 'area'", target="price")


def test_words_that_training_never_saw_are_counted(tmp_path: Path) -> None:
    """Once for each column, in rows to be predicted and in a test part, without those that are missing."""
    task = load(write(tmp_path / "t.csv", TOWNS | {"price": X[:, 1]}), target="price")
    new = {"area": X[:4, 0], "town": ["A", "C", "", "D"]}
    says = "n.csv: 2 of 4 rows have words in column 'town' that training never saw, such as 'C'"
    with pytest.warns(UserWarning, match=says) as caught:
        rows = read_rows(write(tmp_path / "n.csv", new), task.columns, task.rendering)
    assert len(caught) == 1
    assert rows[:, 0, 0, 1:].tolist() == [[1, 0], [0, 0], [0, 0], [0, 0]]
    tables = {"train": (TOWNS, X[:, 1]), "test": (new, X[:4, 1])}
    warned = load(tables, features=True).warnings
    assert any("2 of 64 rows have words in column 'town'" in sentence for sentence in warned)


def test_arrays_keep_their_width() -> None:
    task = load((X, Y), features=True)
    assert np.array_equal(read_rows(X, task.columns, task.rendering), task.inputs)
    with pytest.raises(DataError, match="there are 4: expected 3, as in the training"):
        read_rows(np.ones((5, 4)), task.columns, task.rendering)


def test_the_command_says_what_training_never_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line on standard error, beside the file of predictions, whose column has the target's name."""
    task = load(write(tmp_path / "t.csv", TOWNS | {"price": X[:, 1]}), target="price")
    monkeypatch.setattr(exported, "model_facts", lambda place: json.loads(json.dumps(task.summary())))
    monkeypatch.setattr(exported, "predict", lambda place, images: images[:, 0, 0, :1].astype(float))
    new = write(tmp_path / "n.csv", {"area": [1, 2], "town": ["A", "C"]})
    predict(tmp_path, [new], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().startswith(f"file,price\n{new}:1,")
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"note: {new}: 1 of 2 rows have words in column 'town'")


def test_an_export_reads_as_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own prediction has the form from `model.json`; one that an earlier version wrote has none."""
    path = write(tmp_path / "t.csv", {"1": X[:, 0], "2": Y, "3": X[:, 1]}, "^", header=False)
    task = load(path, target=1, separator="^", header="no")
    facts = json.loads(json.dumps(task.summary()))
    monkeypatch.setattr(exported, "model_facts", lambda place: facts)
    monkeypatch.setattr(exported, "predict", lambda place, images: images[:, 0, 0])
    new = write(tmp_path / "n.csv", {"1": X[:, 0], "3": X[:, 1]}, "^", header=False)
    assert len(exported.predict_files("out", [new])) == ROWS
    monkeypatch.setattr(exported, "_name_classes", lambda names, rows, facts: [rows])
    (rows,) = exported.predict_files("out", [new])
    assert np.array_equal(rows, task.inputs[:, 0, 0])
    facts["rendering"] = {}
    old = write(tmp_path / "old.csv", {"1": X[:, 0], "2": Y, "3": X[:, 1]}, header=False)
    (rows,) = exported.predict_files("out", [old])
    assert np.array_equal(rows, task.inputs[:, 0, 0])


@pytest.mark.parametrize(
    "record", [{"header": "maybe"}, {"width": "x"}, {"targets": [None]}, 7, {"width": -1, "targets": [0, 0]}]
)
def test_a_damaged_record_is_a_sentence(record: Any) -> None:
    """Exports are files from anywhere."""
    with pytest.raises(DataError):
        read_form({"table": record}).number(3, "here")
    with pytest.raises(DataError):
        TableForm(width=10**15, targets=(1,)).number(3, "here")


class Frame:
    """As much of pandas' DataFrame as is known of it; its items are its columns' names."""

    ndim = 2

    def __init__(self, **columns: Any) -> None:
        self.cells = {name: np.asarray(cells) for name, cells in columns.items()}
        self.columns = list(columns)
        self.shape = (len(self.to_numpy()), len(columns))

    def to_numpy(self) -> Any:
        return np.stack(list(self.cells.values()), 1)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.to_numpy()

    def __getitem__(self, name: str) -> Any:
        return self.cells[name]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Any:
        return iter(self.columns)


def test_labels_in_named_columns() -> None:
    """Each column is a label, or a classification, under its name, in one part or in two."""
    both = Frame(a=Y, b=1 - Y)
    task = load((X, both), features=True, goal="labels")
    assert task.labels == ("a", "b")
    assert np.array_equal(task.targets, both.to_numpy())
    assert load((X, both), features=True, goal="heads").labels == ("a=0", "a=1", "b=0", "b=1")
    assert load((X, Frame(y=Y)), features=True).labels == ("0", "1")
    for labels in (both, both.to_numpy()):
        halves = load(
            ((X[:30], labels_of(labels, 0)), (X[30:], labels_of(labels, 30))), features=True, goal="labels"
        )
        assert np.array_equal(halves.targets, both.to_numpy())
        assert len(halves.test) == 30
    refused(((X, both), (X, Frame(a=Y, c=Y))), "different columns", features=True, goal="labels")


def labels_of(labels: Any, first: int) -> Any:
    if isinstance(labels, Frame):
        return Frame(**{name: labels[name][first : first + 30] for name in labels.columns})
    return labels[first : first + 30]


def test_dictionaries_of_columns() -> None:
    """With their labels, as one table or as parts; columns of several lengths, and what is no column, are
    refused in a sentence."""
    table = {"g": X[:, 0], "h": X[:, 1]}
    task = load((table, Y), features=True)
    assert [column["name"] for column in task.columns] == ["g", "h"]
    assert len(load(((table, Y), ({"g": X[:9, 0], "h": X[:9, 1]}, Y[:9])), features=True).test) == 9
    refused(((table, Y), ({"g": X[:, 0]}, Y)), "part 1 does not have the column 'h'", features=True)
    refused((table, table), "a table of features needs its labels", features=True)
    refused(((Frame(**table), 5), (Frame(**table), Y)), "expected a label for each row", features=True)
    for wrong, says in (
        ({"g": [1.0, 2.0], "h": [1.0]}, "the column 'h' has 1 rows, and 'g' has 2"),
        ({"g": 1.0, "h": 2.0}, "the column 'g' is 'float': expected one value for each row"),
        ({"g": [[1, 2]], "h": [1]}, "the column 'g' has 'list' in row 1"),
        ({"g": np.ones((2, 2)), "h": [1, 2]}, "the column 'g' is 'ndarray'"),
        ([[1, 2], [1]], "the rows are not all as long"),
    ):
        with pytest.raises(DataError, match=says):
            read_rows(wrong, task.columns, task.rendering)


PIXELS = {f"p{n}": RNG.integers(0, 256, ROWS) for n in range(25)}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a table of pixels": ({"label": Y, **PIXELS}, {}),
    "a table of image files": ({"path": ["0.png", "1.png"] * 30, "label": Y}, {}),
    "a table of features": ({"a": X[:, 0], "b": X[:, 1], "y": Y}, {"target": "y"}),
    "a table of texts": ({"said": WORDS, "y": Y}, {"target": "y"}),
}
OPTIONS = {
    "label": (0, "pixels files"),
    "image": (0, "files"),
    "ignore": ("0", "pixels features texts"),
    "layout": ("channels-last", "pixels"),
    "shape": ("5x5", "pixels"),
    "categories": ("0", "features"),
    "decimal": ("point", "features texts"),
    "text": ("0", "texts"),
    "length": (4, "texts"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_options_that_are_not_read_are_refused(kind: str, tmp_path: Path) -> None:
    """By name, for each kind of table; those that are read have no such sentence."""
    columns, told = KINDS[kind]
    for n in range(2 if "files" in kind else 0):
        Image.fromarray(RNG.integers(0, 256, (2, 2), dtype=np.uint8)).save(tmp_path / f"{n}.png")
    path = write(tmp_path / "t.csv", columns)
    for name, (value, kinds) in OPTIONS.items():
        if (name == "text" and "target" in told) or (name == "image" and "pixels" in kind):
            continue  # makes it a table of texts, or of image files
        if kind.split()[-1] in kinds:
            with_option = told | {name: value}
            if name != "image" and name != "ignore":
                assert load(path, **with_option).sizes["test"]
        else:
            refused(
                path,
                f"{name}= is for .* and this is read as .*{kind}.*: leave it out",
                **told,
                **{name: value},
            )


def test_options_in_memory_that_are_not_read(tmp_path: Path) -> None:
    """Keys of items, of arrays; what is of images, of features."""
    images = np.arange(ROWS * 16, dtype=np.uint8).reshape(ROWS, 4, 4)
    refused((images, Y), "memory: label= is not read of arrays of images and labels", label=1)
    refused((X, Y), "memory: shape= is not read of a table of features", features=True, shape="1x3")


def test_a_column_of_parts_is_no_feature(tmp_path: Path) -> None:
    """With split=none it is left out with a sentence, unless it is what is to be learned; of pixels, too."""
    parts = np.array(["train", "test", "train"])[np.arange(ROWS) % 3]
    path = write(tmp_path / "t.csv", {"a": X[:, 0], "b": X[:, 1], "part": parts, "y": Y})
    task = load(path, target="y", split="none")
    assert [column["name"] for column in task.columns] == ["a", "b"]
    assert sum("'part') says the parts and is not used" in note for note in task.warnings) == 1
    assert load(path, target="part", split="none").labels == ("test", "train")
    pixels = write(tmp_path / "p.csv", {**PIXELS, "part": parts, "kind": Y})
    drawn = load(pixels, split="none", shape="5x5")
    assert drawn.labels == ("0", "1")
    assert drawn.sizes["test"] == 12
