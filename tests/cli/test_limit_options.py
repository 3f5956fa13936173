"""`--limit` on the command line: measures with amounts, and still how many images are kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import cambrian
from cambrian.cli import main
from cambrian.cli.options.limits import read_limits
from cambrian.errors import UsageError
from commands import run_command
from tiers import slow_but


def test_numbers_are_images_and_the_rest_limits() -> None:
    """In any order; the options that limit sizes are limits like the others."""
    found = read_limits(["latency=5ms", "2000", "memory=1.5GiB"], params=1e6, macs=None)
    assert found == (2000, {"latency": 0.005, "memory": 1.5 * 2**30, "params": 1e6})
    assert read_limits([]) == (None, {})
    for wrong in (["5", "6"], ["0"], ["-5"], ["1.5"], ["2e3"], ["9" * 30], ["²"], ["fast"]):
        with pytest.raises(UsageError, match="--limit"):
            read_limits(wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "latncy=5ms"], "unknown limit 'latncy'; did you mean 'latency'?"),
        (["--limit", "latency=5"], "expected a number above 0 with a unit"),
        (["--limit", "latency=5MB"], "such as 5ms or 0.2s"),
        (["--limit", "memory=5ms"], "such as 200MB or 1.5GiB"),
        (["--limit", "params=many"], "such as 300000, 300K or 1.5M"),
        (["--limit", "params=0"], "above 0"),
        (["--limit", "latency(thread=2)=5ms"], "did you mean 'threads'?"),
        (["--limit", "fast"], "--limit must be MEASURE=AMOUNT, such as latency=5ms"),
        (["--limit", "params=1M", "--max-params", "10"], "params is limited twice"),
        (["--limit", "nowhere.py:f=5"], "cannot load measure"),
        (["--limit", "params=1M", "--benchmark", "none"], "which --benchmark does not build"),
    ],
)
def test_wrong_limits_are_one_sentence(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 before the data are read: those named here do not exist."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cambrian", "search", "nowhere", *options])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert words in said
    assert len(said.splitlines()) == 1


def test_a_limited_search(tmp_path: Path) -> None:
    """The plan says the limits and how latency is measured; every network's outcome has the number. Those
    over another limit are not trained, which is said with the amount it was missed by."""
    quick = ["--strategy=random", "--space=tiny-chain", "--epochs=1", "--final-epochs=1"]
    quick += ["--workers=1", "--limit=300", "--budget=1"]
    command = ["search", "digits", *quick]
    done = run_command(*command, "--limit=latency=100s", "--limit=memory=1GB", "--run=kept", place=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "latency at most 100 s (median of 50 forwards of 1 image on cpu, 1 thread" in done.stdout
    missed = run_command(*command, "--limit=latency=1ns", "--json", "--run=missed", place=tmp_path)
    assert missed.returncode == 1
    assert "where at most 1 ns is allowed" in json.loads(missed.stdout)["message"]


QUICK = ("--strategy=random", "--space=tiny-chain", "--epochs=1", "--final-epochs=1", "--workers=1")
ALL = {
    "params": ("10M", "1"),
    "macs": ("1G", "1"),
    "memory": ("1GB", "1B"),
    "latency": ("100s", "1ns"),
    "latency(runtime=exported)": ("100s", "1ns"),
    "latency(runtime=onnxruntime)": ("100s", "1ns"),
    "mine:modules": ("1000", "1"),
}
"""Each kind of limit, with an amount that every network keeps and one that none keeps."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a measure of the user's own."""
    (tmp_path / "mine.py").write_text(
        "def modules(network, batch, device):\n    return len(list(network.modules()))\n"
    )
    return tmp_path


@pytest.mark.slow
def test_networks_within_every_limit_are_trained(place: Path) -> None:
    """All at once: sizes, memory, latency as it is written, exported and in ONNX Runtime, and a function of
    the user's; each outcome has the numbers."""
    limits = [f"--limit={name}={wide}" for name, (wide, _) in ALL.items()]
    done = run_command(
        "search", "digits", *QUICK, "--limit=300", "--budget=1", *limits, "--run=all", place=place
    )
    assert done.returncode == 0, done.stderr
    result = cambrian.Result.open(place / "all")
    for trial in (*result.trials, result.winner):
        assert trial is not None
        assert ALL.keys() <= trial.outcome.metrics.keys()
        assert trial.outcome.curve


@pytest.mark.parametrize("name", slow_but(("params", "mine:modules"), ALL))
def test_nothing_over_a_limit_is_trained(name: str, place: Path) -> None:
    """Each network ends at the limit, with how much it is over it, and no epoch of it was trained."""
    limit = f"--limit={name}={ALL[name][1]}"
    done = run_command(
        "search", "digits", *QUICK, "--limit=300", "--budget=2", limit, "--run=none", place=place
    )
    assert done.returncode == 1
    assert "where at most 1" in done.stderr
    result = cambrian.Result.open(place / "none")
    assert [(t.outcome.reason, t.outcome.curve) for t in result.trials] == [("limit", ())] * 2
    assert not result.finals
