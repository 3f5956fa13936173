"""Numbers on the command line that make no sense."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli import app, main
from cambrian.errors import UsageError
from cambrian.search.planning.budget import Budget

FIRST = {"train": ["pnasnet-5"], "draw": ["pnasnet-5"]}
"""What a command cannot be called without."""
ZERO_SAYS = ("--margin", "--augment-strength")
"""Options whose 0 means something: no margin, no augmentation."""
TIMES = {"--budget": ["0", "0s", "-1", "nan", "inf", "1e3", "9" * 400, f"{'9' * 400}s"]}
TIMES |= {"--timeout": ["0s", "-5s", "nan", "inf", "5", "5,5m"]}


def senseless() -> list[tuple[str, str, str]]:
    """Of every command every option that is a number, with values that cannot be meant."""
    found = []
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.callback.__name__
        for option, kind in get_type_hints(command.callback).items():
            flag = f"--{option.replace('_', '-')}"
            values = list(TIMES.get(flag, ())) if str in get_args(kind) else []
            if kind is int or {int, list[int]} & set(get_args(kind)):
                values = ["-1", "1.5", "nan", "inf", "9" * 30]
                values += ["0"] if flag not in ("--seed", "--trial") else []
            if float in get_args(kind):
                values = ["nan", "inf", "-inf", "-5", "1e999"] + (["0"] if flag not in ZERO_SAYS else [])
            found += [(name, flag, value) for value in values]
    return found


def test_all_numbers_are_known() -> None:
    """The list below is not empty because a library changed its names."""
    assert {(c, o) for c, o, _ in senseless()} >= {
        ("search", "--max-params"),
        ("search", "--memory"),
        ("search", "--budget"),
        ("search", "--timeout"),
        ("train", "--epochs"),
        ("compare", "--margin"),
        ("draw", "--trial"),
    }


@pytest.mark.parametrize(
    ("command", "option", "value"), [case for case in senseless() if case[0] != "resume"]
)
def test_refused_before_anything_runs(
    command: str,
    option: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence that has the option's value, exit code 2, and no data read: what is named
    here does not exist."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cambrian", command, *FIRST.get(command, []), f"{option}={value}"])
    if command == "search":
        sys.argv.append("nowhere")
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 2, said
    assert "nowhere" not in said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(("cambrian: ", "Error: "))
    assert not (tmp_path / "runs").exists()


@given(st.text(alphabet="0123456789.smhd, trialne-+\u0663", max_size=30))
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_budget_is_read_or_refused(text: str) -> None:
    """Nothing else, whatever is written; what is read is above zero and finite."""
    try:
        budget = Budget.parse(text)
    except UsageError:
        return
    assert budget.trials is not None or budget.seconds is not None
    assert all(0 < n <= 2**53 for n in (budget.trials, budget.seconds) if n is not None)
