"""Options override what readers guess: which there are, and one sentence for each that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cambrian.cli.options.data import load_task
from cambrian.errors import UsageError
from cambrian.tasks import load
from cambrian.tasks.readers.csv import Csv
from cambrian.tasks.reading import options_of, parse_options, with_options


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve images of 2 x 2 with labels in two columns."""
    rows = [f"{i % 2},{i},0,1,2,{i % 3}" for i in range(12)]
    (tmp_path / "d.csv").write_text("\n".join(["kind,p0,p1,p2,p3,digit", *rows]))
    return tmp_path / "d.csv"


def test_an_option_changes_the_reader() -> None:
    """Its field is replaced; where the data are is not an option."""
    assert with_options(Csv("d.csv"), {"label": "digit"}) == Csv("d.csv", label="digit")
    assert "label" in options_of(Csv("d.csv"))
    assert "path" not in options_of(Csv("d.csv"))


def test_an_unknown_option() -> None:
    """The sentence names the reader, what it has and the nearest name; settings of `load` are near, too."""
    with pytest.raises(UsageError, match=r"'csv' does not have the option 'lable'; did you mean 'label'"):
        with_options(Csv("d.csv"), {"lable": "digit"})
    with pytest.raises(UsageError, match=r"does not have the option 'sizes'; did you mean 'size'"):
        load((np.zeros((4, 4, 4)), [0, 1, 0, 1]), sizes=3)
    with pytest.raises(UsageError, match="'digits' is read without options"):
        with_options(load_reader("digits"), {"label": "digit"})


def load_reader(name: str):
    from cambrian.tasks.loading import reader_of

    return reader_of(name)


@pytest.mark.parametrize("text", ["label", "=digit", "label=", ""])
def test_an_option_that_is_not_written_as_one(text: str) -> None:
    """Neither a name alone nor a value alone."""
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        parse_options([text])


def test_options_on_the_command_line(table: Path) -> None:
    """The same data, read as told; one given twice is refused."""
    with pytest.raises(UsageError, match="'label' is given twice"):
        load_task(str(table), "accuracy", None, None, 0, ["label=kind", "label=digit"])
