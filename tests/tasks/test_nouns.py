"""Sentences call the examples of a data set what they are."""

from __future__ import annotations

import csv
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.errors import DataError, UsageError
from cambrian.tasks import load


def write_texts(root: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (root / label).mkdir(parents=True)
        for n in range(count):
            (root / label / f"{n}.txt").write_text(f"{label} says {'abcdefghij'[n % 10] * (n + 1)}")
    return root


def write_sounds(root: Path, counts: dict[str, int]) -> Path:
    rng = np.random.default_rng(1)
    for label, count in counts.items():
        (root / label).mkdir(parents=True)
        for n in range(count):
            with wave.open(str(root / label / f"{n}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(rng.integers(-9999, 9999, 4000).astype(np.int16).tobytes())
    return root


def write_rows(root: Path, counts: dict[str, int]) -> Path:
    root.mkdir()
    rng = np.random.default_rng(2)
    with (root / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("width", "height", "kind"))
        for label, count in counts.items():
            writer.writerows((*rng.normal(size=2).round(3), label) for _ in range(count))
    return root / "table.csv"


WRITERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "texts": (write_texts, {}),
    "sounds": (write_sounds, {}),
    "rows": (write_rows, {"target": "kind"}),
}


@pytest.mark.parametrize("noun", WRITERS)
def test_too_few_of_a_class(noun: str, tmp_path: Path) -> None:
    """One or two of them, and a limit that leaves too few."""
    from cambrian.tasks.loading import reader_of
    from cambrian.tasks.reading import with_options

    write, options = WRITERS[noun]

    def read(name: str, counts: dict[str, int]) -> Any:
        return with_options(reader_of(write(tmp_path / name, counts)), options)

    for count, words in ((1, f"only 1 training {noun[:-1]},"), (2, f"only 2 training {noun},")):
        with pytest.raises(DataError, match=f"class 'b' has {words} too few"):
            load(read(f"few{count}", {"a": 12, "b": count}))
    enough = read("enough", {"a": 12, "b": 12})
    with pytest.raises(DataError, match=f"a limit of 3 {noun} is too few for 2 classes"):
        load(enough, limit=3)
    with pytest.raises(UsageError, match=f"or a number of {noun} from 2 to"):
        load(enough, test=99)
    task = load(enough)
    assert task.noun == noun
    assert noun == "rows" or f" {noun} " in repr(task)


def test_the_same_text_twice_is_said_of_texts(tmp_path: Path) -> None:
    """A leak between the parts, and data that are all alike."""
    root = write_texts(tmp_path / "twice", {"a": 12, "b": 12})
    for file in root.glob("*/*.txt"):
        file.write_text(f"{file.parent.name} always")
    said = "\n".join(load(root).warnings)
    assert "test texts are also among the training texts" in said
    for file in root.glob("*/*.txt"):
        file.write_text("always")
    with pytest.raises(DataError, match="all 24 texts are the same"):
        load(root)


def test_a_label_of_a_row_is_not_an_image_s(tmp_path: Path) -> None:
    """Nor are the sentences about labels in memory."""
    from cambrian.tasks.targets.labels import read_labels

    with pytest.raises(DataError, match="row 1 has no label: label the rows, or leave them out"):
        read_labels(["a", None, "b"], "here", noun="rows")
    with pytest.raises(DataError, match="image 1 has no label: label the images, or leave them out"):
        read_labels(["a", None, "b"], "here")
