"""Tables in terminals that are narrower than their numbers."""

from __future__ import annotations

import pytest

from cambrian.cli.display.tables import make_table, print_table

HEADER = ("network", "test", "params", "seconds")
ROWS = [
    ["finalist (2.29 of 5 epochs)", "76.01 %", "80,770", "139,520"],
    ["random", "0.5", "1,234,567", "2.9"],
]


@pytest.mark.parametrize("columns", ["20", "33", "200"])
def test_no_cell_is_cut_off(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All numbers and names of columns are whole and on their lines; words may wrap."""
    monkeypatch.setenv("COLUMNS", columns)
    print_table(make_table("final stage, by roc-auc", HEADER, ROWS, left="network"))
    shown = capsys.readouterr().out
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert "76.01 %" in shown
    assert set(shown.split()) >= {*HEADER, *" ".join(cell for row in ROWS for cell in row).split()}
