"""SIGINT, SIGTERM and SIGHUP through the command line: a clean stop, and the command that goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

import mock_search
import mocks
from cambrian import cli
from cambrian.errors import RunError
from mock_search import contents, finished

CLI = "import sys; sys.argv[0] = 'cambrian'; from cambrian.cli import main; main()"


def cambrian(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", CLI, *map(str, arguments)],
        env=mock_search.environment(),
        stdout=-1,
        stderr=-1,
        text=True,
    )


def at_work(run, engine):
    """`cambrian resume` on a run of ten trials with a budget that will not end, once it has gone on."""
    mock_search.search(engine=engine, trials=10, delay=0.02).run(run)
    process = cambrian("resume", run, "--budget", 100_000)
    end = time.monotonic() + 60
    while len(finished(run)) < 14 and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "engine"),
    [
        (signal.SIGINT, "processes"),
        (signal.SIGTERM, "serial"),
        pytest.param(signal.SIGINT, "serial", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "processes", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, "processes", marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_cleanly(number, engine, tmp_path):
    """Within seconds, with the exit code shells expect, the command that goes on, no traceback and no
    process left; and the run goes on to the undisturbed end."""
    run = tmp_path / "run"
    with at_work(run, engine) as process:
        family = mocks.descendants(process.pid)
        assert bool(family) == (engine == "processes")
        process.send_signal(number)
        started = time.monotonic()
        _, said = process.communicate(timeout=20)
    assert time.monotonic() - started < 5.0
    assert process.returncode == 128 + number
    assert f"cambrian resume {run}" in said.replace("\n", "")
    assert "Traceback" not in said
    assert mocks.gone(family, within=3.0)
    trials = len(contents(run)) + 5
    mock_search.search(trials=trials, delay=0.02).run(run)
    mock_search.search(trials=trials, delay=0.02).run(tmp_path / "undisturbed")
    assert contents(run) == contents(tmp_path / "undisturbed")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals do not hang up here")
@pytest.mark.parametrize(
    ("before", "broken", "code"),
    [(signal.SIG_DFL, False, 129), (signal.SIG_DFL, True, 129), (signal.SIG_IGN, False, 0)],
)
def test_a_terminal_that_goes_away_stops_as_cleanly(monkeypatch, before, broken, code):
    """Also where nothing can be written to it any more; after `nohup` the command goes on. It was a kill,
    which counts against the trials under way."""

    def work(standalone_mode):
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        except KeyboardInterrupt:
            if broken:
                raise OSError(errno.EIO, "Input/output error") from None
            raise
        return 0

    monkeypatch.setattr(cli, "app", work)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, before)
    try:
        assert cli._perform(None).code == code
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_a_second_signal_does_not_wait(tmp_path):
    """Ctrl-C twice ends within a second or so, whatever the first was doing."""
    with at_work(tmp_path / "run", "processes") as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.communicate(timeout=20)
    assert time.monotonic() - started < 3.0
    assert process.returncode in (130, -signal.SIGINT)


def test_a_search_that_only_fails_has_an_exit_code(tmp_path):
    """One traceback, and not a zero."""
    code = (
        "from cambrian.estimators.function import Function\n"
        "from cambrian.search.search import Search\n"
        "import sys\n"
        "Search('tiny-chain', 'random', Function('mocks:exception', builds=False), budget=1).run(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, tmp_path / "run"]
    ended = subprocess.run(command, env=mock_search.environment(), capture_output=True, text=True)
    assert "no trial succeeded; the first of 1: ValueError: deliberate" in ended.stderr
    with cambrian("resume", tmp_path / "run", "--budget", 1000) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said.count("Traceback (most recent call last)") == 1
    assert "ValueError: deliberate" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_search_of_digits_is_interrupted(number, tmp_path):
    """The command as people run it: stopped while cells train on two processes, resumed by the command it
    printed, it ends with the ledger and the weights of the undisturbed."""
    options = "--strategy random --budget 6 --limit 400 --epochs 1 --final-epochs 2 --workers 2"
    options += " --final-filters 8 --final-cells 1"
    for run in ("undisturbed", "run"):
        with cambrian("search", "digits", *options.split(), "--run", tmp_path / run) as process:
            if run == "run":
                end = time.monotonic() + 200
                while not searched(tmp_path / run) and time.monotonic() < end:
                    time.sleep(0.1)
                process.send_signal(number)
            _, said = process.communicate(timeout=250)
        assert process.returncode == (128 + number if run == "run" else 0), said
    assert f"cambrian resume {tmp_path / 'run'}" in said.replace("\n", "")
    with cambrian("resume", tmp_path / "run") as process:
        _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert (
        mock_search.first_difference(contents(tmp_path / "run"), contents(tmp_path / "undisturbed")) is None
    )
    # Weights are named by their hashes, so that equal names are equal weights.
    names = [{p.name for p in (tmp_path / run / "artifacts").iterdir()} for run in ("run", "undisturbed")]
    assert names[0] == names[1]
    assert len(names[0]) > 1
    assert not mock_search.damaged_artifacts(tmp_path / "run")


def searched(run):
    """Whether a trial has ended in `run`, which may not be there yet."""
    try:
        return len(finished(run)) >= 1
    except RunError:
        return False
