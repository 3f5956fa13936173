"""The progress of a run, as `status` says it: by its rows, its plan, its budget and who holds its lock."""

import re
import subprocess
import sys

import msgspec
import pytest

from cambrian.cli.display.output import as_json
from cambrian.cli.display.resumed import explain_standstill
from cambrian.cli.display.status import status_lines
from cambrian.cli.display.summary import facts
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.search.display.progress import read_progress
from cambrian.search.ledger.lock import Lock, held_since
from cambrian.search.ledger.rows import Row
from cambrian.search.planning.budget import Budget
from cambrian.search.result import Result
from cambrian.spaces.cells.pnas import PNAS
from report_cases import cells

FINAL = {"fidelity": {}, "top": 2, "baselines": ["random"]}


def run_of(directory, ended, open_rows=0, budget=None, final=FINAL, events=(), expected=None):
    """Trials of two seconds each; every third one is of the second level."""
    rows = []
    for n, cell in enumerate(cells(ended + open_rows)):
        outcome = Done(n / 100, seconds=2.0) if n < ended else None
        trial = Trial(n, cell, Fidelity(), reason={"level": 1 + n % 3 // 2}, outcome=outcome)
        state = "done" if outcome else "running"
        rows.append(
            Row(trial, str(n), state, 1, 0, elapsed=2.0 * n + 2 if outcome else None, claimed=1000.0 + 2 * n)
        )
    known = {"settings": {}, "budget": msgspec.to_builtins(Budget.parse(budget)), "final": final}
    if expected:
        known["expected"] = expected
    return Result(PNAS(), None, rows, known, list(events), directory)


def budget_of(text):
    return msgspec.to_builtins(Budget.parse(text))


def test_a_running_search_says_its_share_its_level_and_its_time(tmp_path):
    """By seconds: those of the ledger and those since; by trials: at the pace so far; by whichever ends
    first."""
    lock = Lock(tmp_path)
    since = held_since(tmp_path)
    try:
        run = run_of(tmp_path, 6, 2, "100s", expected={"1": 8, "2": 4})
        progress = read_progress(run, now=since + 8)
        # Twelve seconds were recorded by earlier sessions: this one began after the last row.
        assert (progress.state, progress.stage) == ("running", "search")
        assert progress.elapsed == pytest.approx(20)
        assert progress.left == pytest.approx(80)
        # 6 of 12 trials and of 2 + 1 + 1 final trainings are more than 20 of 100 seconds.
        assert progress.share == pytest.approx(6 / 16)
        assert (progress.level, progress.levels, progress.level_trials, progress.level_planned) == (
            1,
            2,
            4,
            8,
        )
        by_trials = read_progress(run_of(tmp_path, 6, 2, "30", None), now=since + 3)
        assert by_trials.share == pytest.approx(6 / 30)
        assert by_trials.left == pytest.approx(15 / 6 * 24)
        lines = list(status_lines(facts(run), "RUN", "resume it"))
        assert lines[0].startswith("running: search, 38 % done, ")
        assert "level 1 of 2: 4 of 8 trained" in lines
        assert not any("resume" in line for line in lines)
    finally:
        lock.release()


def test_a_final_stage_with_more_time_has_its_own_end(tmp_path):
    """Thirty of sixty seconds are left where another network was given them."""
    lock = Lock(tmp_path)
    since = held_since(tmp_path)
    try:
        for events, left in (([], 0.0), ([(1.0, "extended", {"seconds": 60.0})], 30.0)):
            progress = read_progress(run_of(tmp_path, 15, 0, "20s", events=events), now=since)
            assert progress.left == pytest.approx(left)
            assert progress.share == pytest.approx(30 / 60 if events else 0.99)
    finally:
        lock.release()


def test_the_final_stage_has_its_name(tmp_path):
    """Once the search has stopped under the present budget, and not when a larger one continues it."""
    stop = (1.0, "stop", {"reason": "enough", "budget": budget_of("9"), "failing": False})
    assert read_progress(run_of(tmp_path, 9, 0, "9", events=[stop])).stage == "final"
    assert read_progress(run_of(tmp_path, 9, 0, "12", events=[stop])).stage == "search"


@pytest.mark.parametrize(("budget", "state"), [("9", "finished"), ("12", "interrupted")])
def test_a_search_in_a_table_is_finished_when_it_stops(tmp_path, budget, state):
    """It trains no network: no resume and no export are advertised; text and JSON say the same."""
    stop = (
        1.0,
        "stop",
        {"reason": "the budget of 9 trials is spent", "budget": budget_of("9"), "failing": False},
    )
    run = run_of(tmp_path, 9, 0, budget, final=None, events=[stop])
    known = facts(run)
    lines = "\n".join(status_lines(known, "RUN", "resume it"))
    assert known["progress"].state == state
    assert f'"state": "{state}"' in as_json(known)
    assert lines.startswith(state)
    assert "1 trial," in "\n".join(status_lines({**known, "trials": 1}, "RUN", "resume it"))
    assert "export" not in lines
    assert ("resume" in lines) == (state == "interrupted")


def test_status_counts_as_the_search_does(tmp_path):
    """Trials that have ended, and a share of right answers in percent."""
    end = {"winner": 3, "budget": budget_of("9")}
    run = run_of(tmp_path, 8, 1, "9", final=None, events=[(1.0, "stop", {"reason": "r", **end})])
    ended = sum(trial.outcome is not None for trial in run.trials)
    assert ended < len(run.trials)
    lines = "\n".join(status_lines(facts(run), "RUN", "resume it", shares=(True, True)))
    assert f"{ended} trials, 0 running" in lines
    assert re.search(r"best \d+\.\d\d % \(trial \d+\)", lines)


def test_status_says_why_trials_failed(tmp_path):
    """On the line that counts them, by the facts that `--json` gives."""
    run = run_of(tmp_path, 2, 0, "9", final=None)
    known = facts(run)
    assert "2 trials, 0 running, 0 failed" in status_lines(known, "RUN", "resume it")
    outcome = Infeasible("unbuildable", "layer '2' cannot take [2, 8, 6, 6]")
    rows = [
        msgspec.structs.replace(r, trial=msgspec.structs.replace(r.trial, outcome=outcome)) for r in run.rows
    ]
    known = facts(Result(PNAS(), None, rows, run.facts, [], tmp_path))
    assert [f["count"] for f in known["failures"]] == [known["failed"]] == [2]
    line = "2 trials, 0 running, 2 failed: 2 unbuildable (trial 0: layer '2' cannot take [2, 8, 6, 6])"
    assert line in status_lines(known, "RUN", "resume it")


def test_rows_that_a_deadline_left_open_are_not_at_work(tmp_path):
    """A finished run says that nothing is running, though its ledger has open rows."""
    end = {"winner": 3, "budget": budget_of("9")}
    run = run_of(tmp_path, 8, 1, "9", final=None, events=[(1.0, "stop", {"reason": "r", **end})])
    assert facts(run)["running"] == 0
    assert facts(run)["progress"].share == 1.0


def test_a_lock_is_seen_and_its_end_too(tmp_path):
    """Of another process, of a dead one, of a directory without a lock."""
    assert held_since(tmp_path) is None
    code = "import sys; from pathlib import Path; from cambrian.search.ledger.lock import Lock\n"
    code += "lock = Lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    assert held_since(tmp_path) == (tmp_path / "lock").stat().st_mtime
    holder.communicate(b"")
    assert held_since(tmp_path) is None
    (tmp_path / "lock").write_text("no number")
    assert held_since(tmp_path) is None


def test_a_resumed_run_that_does_nothing_says_why(tmp_path):
    """A budget that is no larger, one whose time is spent, a strategy that has ended; silence where it went
    on."""

    def pair(old, new, reason, more=0):
        stop = {"reason": reason, "failing": False}
        before = run_of(tmp_path, 6, 0, old, None, [(1.0, "stop", stop | {"budget": budget_of(old)})])
        after = run_of(tmp_path, 6 + more, 0, new, None, [(1.0, "stop", stop | {"budget": budget_of(new)})])
        return explain_standstill(before, after)

    assert pair("6", "6", "the budget of 6 trials is spent").endswith(
        "the run had its budget of 6 trials; give a larger one than that"
    )
    assert pair("6", "9", "the strategy has ended") == "nothing more was measured: the strategy has ended"
    assert "give more than 1m" in pair("10s", "12s", "the budget of 12s is spent")
    assert pair("6", "9", "the budget of 9 trials is spent", more=3) == ""
