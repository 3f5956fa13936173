"""Texts as images one pixel wide: characters, lengths, folders, columns of a CSV, and refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from cambrian.tasks import load, read_texts
from cambrian.tasks.texts import Script, clean, draw_texts, fit_script

WORDS = ["the ship sails", "a sail on the sea", "storms at sea", "the mast breaks", "men sing a song"]
NUMBERS = ["one and two", "three is odd", "count to four", "five of six", "seven or eight"]


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("abc \n", min_size=1, max_size=12), min_size=1, max_size=6))
def test_texts_can_be_read_back(texts: list[str]) -> None:
    """Each row has one lit channel, whose character is the text's; before a shorter text all is dark."""
    script = fit_script(["abc cb a", *texts], length=12)
    images = draw_texts(texts, script, "here")
    assert images.shape == (len(texts), 12, 1, len(script.characters) + 1)
    for image, text in zip(images, texts, strict=True):
        lit = image[:, 0] == 255
        assert (lit.sum(1) == (np.arange(12) >= 12 - len(clean(text)))).all()
        assert "".join(script.characters[row.argmax()] for row in lit if row.any()) == clean(text)


def test_the_script_keeps_the_commonest() -> None:
    """Characters by how often they occur, then in Unicode's order; others share the last channel, and the
    beginning of a longer text is read."""
    script = fit_script(["aab", "b c"], most=2)
    assert script == Script("ab", 3)
    lit = draw_texts(["cab!"], script, "here")[0, :, 0] == 255
    assert lit.argmax(1).tolist() == [2, 0, 1]
    assert fit_script(["x" * 900]).length == 256
    assert clean("e\u0301 \n\t x") == "\u00e9 x"


def test_a_folder_of_texts(tmp_path: Path) -> None:
    """Class folders; files beside them are counted; a text alone is read as it was among the others."""
    for name, texts in (("sea", WORDS), ("numbers", NUMBERS)):
        (tmp_path / name).mkdir()
        for n, text in enumerate(texts * 3):
            (tmp_path / name / f"{n}.txt").write_text(f"{text}\n{n}")
    (tmp_path / "README.txt").write_text("about")
    task = load(tmp_path)
    assert task.labels == ("numbers", "sea")
    assert task.inputs.dtype == np.uint8
    assert task.inputs.shape[2] == 1
    assert set(task.mean) == {0.0}
    assert set(task.std) == {1.0}
    assert any("passed over, since they are not texts: 1 .txt" in note for note in task.warnings)
    names, inputs = read_texts([tmp_path / "sea" / "2.txt"], task.rendering)
    assert names == [str(tmp_path / "sea" / "2.txt")]
    assert (task.inputs == inputs[0]).all(axis=(1, 2, 3)).any()
    assert load(tmp_path, length=5, characters=4).inputs.shape == (30, 5, 1, 5)
    (tmp_path / "sea" / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    refused(tmp_path, r"bad\.txt: not a text in UTF-8")


def test_the_script_is_that_of_the_training_texts(tmp_path: Path) -> None:
    """Neither characters nor lengths of the others are in it, of a column whose parts are carved out, and of
    a folder with a test part; an empty text is named by its file."""
    texts = [f"{text} {n}" for n, text in enumerate(WORDS * 6)]
    targets = [str(n % 2) for n in range(len(texts))]
    path = write_csv(tmp_path / "t.csv", ["text", "y"], list(map(list, zip(texts, targets, strict=True))))
    task = load(path, target="y", text="text")
    for i in (*task.validation, *task.test):
        texts[i] = "\u4e16\u754c" * 100
    write_csv(path, ["text", "y"], list(map(list, zip(texts, targets, strict=True))))
    again = load(path, target="y", text="text")
    assert again.rendering["text"] == task.rendering["text"]
    for n, text in enumerate([*WORDS * 6, *["\u4e16\u754c"] * 4]):
        folder = tmp_path / "f" / ("train" if n < 30 else "test") / targets[n % 30]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}.txt").write_text(text, encoding="utf-8")
    task = load(tmp_path / "f")
    assert len(task.test) == 4
    assert "\u4e16" not in task.rendering["text"]["characters"]
    (tmp_path / "f" / "train" / "0" / "2.txt").write_text(" ")
    refused(tmp_path / "f", "the text of .*2.txt is empty: write it")


def test_a_column_of_texts(tmp_path: Path) -> None:
    """The only other column, where its words hardly repeat, or the one that is named; rows of a further file
    are read from the column of that name."""
    rows = [
        [f"{text} {n}", kind]
        for n in range(4)
        for kind, many in (("s", WORDS), ("n", NUMBERS))
        for text in many
    ]
    path = write_csv(tmp_path / "t.csv", ["said", "kind"], rows)
    task = load(path, target="kind")
    assert task.rendering["text"]["column"] == "said"
    assert any("'kind') is learned from the texts of 'said'" in note for note in task.warnings)
    names, inputs = read_texts([path], task.rendering)
    assert names[0] == f"{path}:1"
    assert inputs.shape == (40, *task.inputs.shape[1:])
    more = write_csv(
        tmp_path / "m.csv", ["who", "said", "kind"], [[str(n % 3), *row] for n, row in enumerate(rows)]
    )
    assert "text" not in load(more, target="kind").rendering  # a table, of which the texts are left out
    assert load(more, target="kind", text="said", length=9).inputs.shape[1] == 9
    other = write_csv(tmp_path / "o.csv", ["a", "b"], [["x", "y"]])
    with pytest.raises(Exception, match="no column 'said', which held the texts in training"):
        read_texts([other], task.rendering)
    refused(more, "text= is for a table of texts, and .* or name the column to learn", text="said")
    refused(more, "text='kind' is a column that is not learned from", target="kind", text="kind")
    empty = write_csv(tmp_path / "e.csv", ["t", "y"], [["", "a"], *rows])
    refused(empty, "the text of line 2 is empty", target="y", text="t")
