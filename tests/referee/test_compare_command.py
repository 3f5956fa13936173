"""`cambrian compare` as a person meets it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cambrian.search.result import Result
from commands import run_command

TOY = ["compare", "--benchmark", "referee_cases:toy", "--budget", "20", "--workers", "2"]


def cambrian(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    environment.pop("CAMBRIAN_DATA", None)
    done = run_command(*arguments, environment=environment)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def test_a_benchmark(tmp_path: Path) -> None:
    """A table, sentences and files; again as JSON, by the directory alone, without playing anything anew."""
    done = cambrian(
        *TOY, "--strategies", "evolution(population=5, sample=3)", "--seeds", 6, "--run", tmp_path
    )
    for text in (
        "20 evaluations, 6 seeds",
        "evolution(population=5",
        "random",
        "comparison.html",
        "told apart",
    ):
        assert text in done.stdout, done.stdout
    assert f"run: {tmp_path}" in done.stderr
    lines = (tmp_path / "lines.jsonl").read_bytes()
    facts = json.loads(cambrian("compare", "--run", tmp_path, "--json").stdout)
    assert (tmp_path / "lines.jsonl").read_bytes() == lines
    assert {row["strategy"] for row in facts["standings"]} == {"evolution(population=5, sample=3)", "random"}
    assert facts["verdict"] == json.loads((tmp_path / "comparison.json").read_text())["verdict"]


@pytest.mark.slow
def test_live_training(tmp_path: Path) -> None:
    """Two strategies on digits: real networks, in percent, over seconds too; strategies that
    begin with the same architectures have them trained once."""
    arguments = [
        "--task",
        "digits",
        "--limit",
        200,
        "--epochs",
        1,
        "--filters",
        4,
        "--cells",
        1,
        "--space",
        "pnas",
    ]
    arguments += [
        "--strategies",
        "evolution(population=2)",
        "--seeds",
        1,
        "--budget",
        2,
        "--workers",
        2,
        "--run",
        tmp_path,
    ]
    facts = json.loads(cambrian("compare", *arguments, "--json").stdout)
    assert facts["unit"] == "validation accuracy, %"
    # Evolution begins as random search does. Over seconds the two may differ: by what each took to think.
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    first, second = (line["incumbents"] for _, line in lines)
    assert first == second
    assert len(list((tmp_path / "outcomes").iterdir())) == 2
    for name in ("evolution-population=2-0", "random-0"):
        assert json.loads(cambrian("status", tmp_path / "runs" / name, "--json").stdout)["trials"] == 2


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    table = tmp_path / "houses.csv"
    rows = [f"{n % 7},{n % 5},{(n % 7) * 2 + n % 5 + n / 1000}" for n in range(100)]
    table.write_text("\n".join(["rooms,floor,price", *rows]))
    return table


@pytest.mark.slow
def test_rows_of_a_table(houses: Path, tmp_path: Path) -> None:
    """By the metric that is asked for, of which lower is better."""
    data = ["--task", houses, "--target", "price", "--read", "ignore=floor", "--metric", "rmse"]
    amounts = ["--space", "tabular", "--epochs", 1, "--budget", 4, "--seeds", 1, "--strategies", "tournament"]
    arguments = [*data, *amounts, "--workers", 1, "--run", tmp_path / "run", "--json"]
    facts = json.loads(cambrian("compare", *arguments).stdout)
    assert facts["unit"] == "validation rmse"
    columns = json.loads((tmp_path / "run/task/task.json").read_text())["columns"]
    assert [column["name"] for column in columns] == ["rooms"]
    values = [t.value for t in Result.open(tmp_path / "run/runs/random-0").trials if t.value is not None]
    lines = [json.loads(line)[1] for line in (tmp_path / "run/lines.jsonl").read_text().splitlines()]
    ends = {line["strategy"]: line["incumbents"][-1][2] for line in lines}
    assert ends["random"] == min(values) < max(values)


@pytest.mark.parametrize("command", [["compare", "--task"], ["audit"]])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--target", "prize"], "no column 'prize'; did you mean 'price'?"),
        (["--target", "price", "--metric", "rsme"], "did you mean 'rmse'?"),
        (["--target", "price", "--read", "labl=a"], "did you mean 'label'?"),
    ],
)
def test_data_are_read_as_asked(command: list[str], options: list[str], sentence: str, houses: Path) -> None:
    assert sentence in cambrian(*command, houses, *options, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--benchmark", "nb201-cifar-10"], "did you mean 'nb201-cifar10'?"),
        (["--benchmark", "nb201-cifar10"], "CAMBRIAN_DATA"),
        (["--benchmark", "referee_cases:toy", "--strategies", "evolutoin"], "did you mean 'evolution'?"),
        (
            ["--benchmark", "referee_cases:toy", "--strategies", "evolution(sampel=3)"],
            "did you mean 'sample'?",
        ),
        (
            ["--benchmark", "referee_cases:toy", "--seeds", "0"],
            "--seeds is 1 to 2^53",
        ),
        (["--benchmark", "referee_cases:toy", "--strategies", ""], "nothing to compare: name a strategy"),
        (
            ["--benchmark", "referee_cases:toy", "--margin", "nan"],
            "--margin is at least 0",
        ),
        (
            ["--benchmark", "referee_cases:toy", "--cost", "-1"],
            "--cost is above 0",
        ),
        (["--benchmark", "referee_cases:toy", "--task", "digits"], "not both"),
        (["--seeds", "9"], "--seeds changes what is compared"),
        ([], "give --benchmark NAME, --task DATA, or --run"),
    ],
)
def test_mistakes(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """One sentence on standard error, exit code 2, and no directory is left."""
    place = ["--run", str(tmp_path / "run")] if arguments else []
    done = cambrian("compare", *arguments, *place, code=2)
    assert sentence in done.stderr
    assert not any(
        line.startswith("run: ") for line in done.stderr.splitlines()
    )  # nothing is there to go on with
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
