"""Command lines that are wrong at random: a sentence and exit code 2, and never a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli import main
from cambrian.cli.app import app
from remembered import plan_at_once
from reseeding import seeded

LINES = int(os.environ.get("CAMBRIAN_LINES", "10000"))
RIGHT = {
    "--budget": ["5m", "40", "40 trials, 2h"],
    "--space": ["nasbench201", "tiny-chain", "darts"],
    "--strategy": ["random", "evolution", "progressive", "asha", "tpe"],
    "--surrogate": ["ridge"],
    "--estimator": ["train", "naswot"],
    "--metric": ["balanced-accuracy"],
    "--objectives": ["accuracy,params"],
    "--choose": ["accuracy>90%"],
    "--limit": ["params=1M", "macs=2e6"],
    "--timeout": ["5m"],
    "--entrants": ["resnet"],
    "--read": ["rgb=1"],
    "--log": ["tensorboard"],
    "--device": ["cpu"],
    "--engine": ["serial", "processes(threads=2)"],
    "--ray-address": ["auto"],
    "--replicates": ["mean"],
    "--learning-rate": ["0.01"],
    "--size": ["16"],
}
"""Values that options take; of the others a number is one."""
WRONG = [
    "",
    "nan",
    "-1",
    "1e999",
    "9" * 40,
    "\u00e9\U0001f9ec",
    "a=b=c",
    "(",
    "x(y=",
    "none",
    "../..",
    "\x00",
    "1,,2",
]


def find_options(command: str) -> list[Any]:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return [p for p in commands[command].params if p.opts[0].startswith("--") and p.name != "help"]


def spoil(text: str, rng: Any) -> str:
    """The text with a letter more, less, another, or two exchanged; or something else altogether."""
    place, letter = rng.randrange(len(text) + 1), rng.choice("ax0-=,(. \"'%")
    kind = rng.randrange(5)
    if kind == 0 or not text:
        return text[:place] + letter + text[place:]
    if kind == 1:
        return text[:place] + text[place + 1 :]
    if kind == 2:
        return text[:place] + letter + text[place + 1 :]
    if kind == 3:
        return text[place:] + text[:place]
    return str(rng.choice(WRONG))


def write_line(rng: Any) -> list[str]:
    """A search with up to four options, of which some are spoilt, as may be their values and the data."""
    line = ["search", "digits"]
    for option in rng.sample(find_options("search"), rng.randrange(1, 5)):
        name = option.opts[0]
        words = [name] if getattr(option, "is_flag", False) else [name, rng.choice(RIGHT.get(name, ["3"]))]
        line += [spoil(word, rng) if rng.random() < 0.3 else word for word in words]
    if rng.random() < 0.1:
        line[1] = spoil(line[1], rng)
    if rng.random() < 0.05:
        line[0] = spoil(line[0], rng)
    # A zero byte cannot be in an argument of a process.
    return [word.replace("\x00", "") for word in line]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command as far as its search, which is planned and not run; gives the exit code and all that
    it said on standard error."""
    monkeypatch.chdir(tmp_path)
    plan_at_once(monkeypatch)
    for place in ("search", "benchmark_search", "train", "by_hand"):
        module = sys.modules.get(f"cambrian.cli.{place}")
        for name in ("run_search", "train_by_hand"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *arguments, **settings: None)

    def run(line: list[str]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cambrian", *line])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.slow
def test_wrong_lines_are_refused_in_a_sentence(call: Any) -> None:
    """Each line is planned or refused; more than a quarter are refused. Exit code 3 is that of a file of
    weights that cannot be read."""
    rng, refused = seeded(0), 0
    for _ in range(LINES):
        line = write_line(rng)
        code, said = call(line)
        assert code in (0, 2) or (code == 3 and "--pretrained" in line), (line, said)
        assert "Traceback" not in said, (line, said)
        if code != 0:
            refused += 1
            assert said.splitlines()[-1].startswith(("cambrian: ", "Error: ")), (line, said)
    assert refused > LINES / 4
