"""What the ledger records, and when it refuses."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mock_search
from cambrian.architecture import Architecture
from cambrian.errors import LedgerCorrupt, RunBusy, RunError
from cambrian.estimators.function import Function
from cambrian.outcome import Artifact, Crashed, Done, Fidelity, Infeasible, Point, Trial
from cambrian.search.engines.engine import Assignment, Report
from cambrian.search.engines.serial import Serial
from cambrian.search.ledger import lock
from cambrian.search.ledger.keys import trial_name
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.run_directory import at_work
from cambrian.search.search import Search


def row(number: int, state: str = "running", **more: object) -> Row:
    return Row(Trial(number, Architecture({"a": number}), Fidelity(), **more), f"key {number}", state, 1, 0)


@pytest.fixture
def ledger(tmp_path):
    found = Ledger.create(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def test_a_late_report_changes_nothing_and_is_kept(ledger):
    """An outcome under an old attempt, or of a trial that has one, is an event; a current one is recorded."""
    ledger.record(claimed=[row(0)])
    ledger.record(again=[0])
    assert ledger.record([(0, 1, Done(0.1), 1.0)]) == [False]
    assert ledger.rows()[0].state == "running"
    assert ledger.record([(0, 2, Done(0.2), 2.0)]) == [True]
    assert ledger.record([(0, 2, Done(0.3), 3.0)]) == [False]
    ledger.record(again=[0])
    (found,) = ledger.rows()
    assert (found.state, found.attempt, found.elapsed, found.trial.outcome) == ("done", 2, 2.0, Done(0.2))
    late = [value for _, _, value in ledger.events("late")]
    assert [(e["attempt"], e["state"]) for e in late] == [(1, "running"), (2, "done")]


def test_a_commit_is_all_or_nothing(ledger):
    """A claim that cannot be made takes the outcome in the same commit with it."""
    ledger.record(claimed=[row(0), row(1)])
    with pytest.raises(LedgerCorrupt, match="UNIQUE"):
        ledger.record([(0, 1, Done(0.1), 1.0)], claimed=[row(1)])
    assert [r.state for r in ledger.rows()] == ["running", "running"]


def test_a_missing_row_is_damage(ledger):
    """Numbers have no gaps, neither the search's nor the final stage's."""
    final = row(0)
    final = msgspec.structs.replace(final, trial=msgspec.structs.replace(final.trial, kind="final"))
    ledger.record(claimed=[row(0), final])
    assert [r.name for r in ledger.rows()] == ["0", "final-0"]
    ledger.record(claimed=[row(2)])
    with pytest.raises(LedgerCorrupt, match=r"row 1 is missing.*doctor --repair"):
        ledger.rows()
    with pytest.raises(LedgerCorrupt, match="no row 1"):
        ledger.record([(1, 1, Done(0.1), 1.0)])


def test_a_repeat_has_the_outcome_it_repeats(ledger):
    """Filled in when read, stored once."""
    ledger.record(claimed=[row(0), row(1, "cached", cached=0)])
    assert ledger.rows()[1].trial.outcome is None
    ledger.record([(0, 1, Done(0.5), 1.0)])
    assert ledger.rows()[1].trial.outcome == Done(0.5)
    assert ledger.row(1).trial.outcome is None


finite = st.floats(allow_nan=False, allow_infinity=False)
printable = st.text(st.characters(exclude_categories=["Cs"]))
points = st.lists(st.builds(Point, st.integers(1, 99), st.dictionaries(printable, finite), finite)).map(tuple)
artifacts = st.builds(Artifact, printable, st.integers(0, 2**53), printable)
outcomes = st.one_of(
    st.builds(
        Done,
        finite,
        st.dictionaries(printable, finite),
        points,
        finite,
        st.booleans(),
        st.dictionaries(
            printable, st.builds(Artifact, printable, st.integers(0, 2**53), printable), max_size=2
        ),
    ),
    st.builds(
        Infeasible,
        st.sampled_from(["nan", "oom", "timeout"]),
        printable,
        points,
        finite,
        st.dictionaries(printable, finite, max_size=2),
    ),
    st.builds(Crashed, printable, printable, finite),
)


@given(st.lists(outcomes, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_recorded_is_read(found, data):
    """Any outcomes, in any order, and any facts and events."""
    ledger = Ledger.create(None)
    ledger.record(claimed=[row(n) for n in range(len(found))])
    for number in data.draw(st.permutations(range(len(found)))):
        assert ledger.record([(number, 1, found[number], 0.5)]) == [True]
    assert [r.trial.outcome for r in ledger.rows()] == found
    facts = data.draw(st.dictionaries(st.sampled_from("abc"), st.none() | finite | printable))
    ledger.remember(**facts)
    ledger.note("x", **facts)
    assert ledger.facts() == facts
    assert [value for _, _, value in ledger.events()] == [facts]
    copy = Ledger.create(None)
    copy.restore(ledger.rows(), ledger.events())
    assert copy.rows() == ledger.rows()
    assert copy.events() == ledger.events()
    ledger.close()
    copy.close()


def test_contents_leave_out_clocks_and_attempts_and_nothing_else(ledger):
    """Two runs of a search agree; a value, a point or what a proposal knew tell them apart."""

    def made(outcome, knew=0, attempts=1):
        other = Ledger.create(None)
        other.record(claimed=[msgspec.structs.replace(row(0), knew=knew, thinking=0.1 * attempts)])
        for _ in range(attempts - 1):
            other.record(again=[0])
        other.record([(0, attempts, outcome, 9.0 * attempts)])
        try:
            return other.contents()
        finally:
            other.close()

    first = Done(0.5, curve=(Point(1, {"loss": 2.0}, 1.0),), seconds=1.0)
    same = Done(0.5, curve=(Point(1, {"loss": 2.0}, 7.0),), seconds=9.0)
    assert made(first) == made(same, attempts=3)
    for other in (Done(0.6), Done(0.5), Done(0.5, curve=(Point(1, {"loss": 3.0}),)), Infeasible("nan")):
        assert made(first) != made(other)
    assert made(first) != made(first, knew=1)


def test_looking_on_disturbs_nobody(ledger, tmp_path):
    """A reader sees every commit, cannot write, and a writer goes on beside it."""
    reader = Ledger.read(tmp_path / "ledger.sqlite")
    ledger.record(claimed=[row(0)])
    assert len(reader.rows()) == 1
    with pytest.raises(RunError, match="readonly"):
        reader.note("x")
    ledger.record([(0, 1, Done(0.1), 1.0)])
    assert reader.rows()[0].state == "done"
    reader.close()


def test_a_directory_nobody_may_write_to_can_be_read(tmp_path):
    """A finished run that was made read-only: its ledger is read; a search in it is refused at once."""
    run = tmp_path / "run"
    mock_search.search(trials=3, delay=0.0).run(run)
    for path in (run, *run.parents):
        if path.is_relative_to(tempfile.gettempdir()) and path != Path(tempfile.gettempdir()):
            path.chmod(0o755)
    for path in run.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    run.chmod(0o555)
    code = """
import os, sys
from pathlib import Path
from cambrian.errors import RunError
from cambrian.search.ledger.run_directory import at_work
from cambrian.search.ledger.ledger import Ledger
place = Path(sys.argv[1])
if os.geteuid() == 0:  # whom no permission stops
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(len(Ledger.read(place / "ledger.sqlite").rows()))
try:
    with at_work(place):
        print("at work")
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, run], capture_output=True, text=True)
    run.chmod(0o755)
    assert done.stdout.splitlines() == ["3", f"cannot write in {run}: Permission denied"], done.stderr


def test_a_deleted_ledger_is_missed(ledger, tmp_path):
    """Writing into a file nobody can find any more, or into another's, is an error at the first commit."""
    ledger.record(claimed=[row(0)])
    (tmp_path / "ledger.sqlite").rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"ledger\.sqlite is gone: it was deleted or replaced"):
        ledger.record([(0, 1, Done(0.1), 1.0)])
    shutil.copy(tmp_path / "elsewhere", tmp_path / "ledger.sqlite")
    with pytest.raises(RunError, match="is gone"):
        ledger.note("x")


def test_what_is_no_ledger_is_refused(tmp_path):
    """Another file, an empty file, another version: one sentence, naming the file."""
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(RunError, match=r"not a run directory: it holds no ledger\.sqlite"):
        Ledger.open(path)
    for content in (b"", b"hello" * 1000):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"ledger\.sqlite .*doctor --repair"):
            Ledger.open(path)
    path.unlink()
    Ledger.create(path).close()
    with pytest.raises(RunError, match="exists already"):
        Ledger.create(path)


def test_leftovers_of_another_ledger_are_not_taken_for_its_own(tmp_path):
    """A -wal without its file belongs to nobody: a ledger made beside it starts empty."""
    path = tmp_path / "ledger.sqlite"
    old = Ledger.create(path)
    old.record(claimed=[row(0)])
    shutil.copy(f"{path}-wal", tmp_path / "wal")
    old.close()
    path.unlink()
    os.replace(tmp_path / "wal", f"{path}-wal")
    new = Ledger.create(path)
    assert new.rows() == []
    new.close()


def test_one_process_at_a_time(tmp_path):
    """Of six processes that open a run at once, one gets it and the others are told who has it."""
    code = """
import sys, time
from pathlib import Path
from cambrian.errors import RunBusy
from cambrian.search.ledger.run_directory import at_work
sys.stdin.readline()
try:
    with at_work(Path(sys.argv[1])):
        print("mine", flush=True)
        sys.stdin.readline()
except RunBusy as error:
    print(error, flush=True)
"""
    crowd = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=-1, stdout=-1, text=True)
        for _ in range(6)
    ]
    for process in crowd:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.stdout.readline().strip() for process in crowd]
    (winner,) = [process for process, text in zip(crowd, said) if text == "mine"]
    for process, text in zip(crowd, said):
        assert process is winner or f"(pid {winner.pid}) is at work in {tmp_path}" in text
    for process in crowd:
        process.communicate("done\n")
    Lock(tmp_path).release()


def test_the_lock_goes_with_its_holder(tmp_path):
    """Held, it is refused within the process too; a killed holder's is free at once."""
    lock = Lock(tmp_path)
    with pytest.raises(RunBusy, match=r"^this process is at work in .* already"):
        Lock(tmp_path)
    lock.release()
    code = """
import os, sys
from pathlib import Path
from cambrian.search.ledger.lock import Lock
Lock(Path(sys.argv[1]))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == -9
    Lock(tmp_path).release()


def test_a_lock_that_lost_its_name_while_it_was_waited_for_is_no_lock(tmp_path, monkeypatch):
    """A run that never began removes its file, which another process has opened by then: that one locks the
    file that has the name, else a third would find no lock."""
    first, take = Lock(tmp_path), lock._take

    def take_late(file: int) -> None:
        monkeypatch.setattr(lock, "_take", take)
        first.remove()
        first.release()
        take(file)

    monkeypatch.setattr(lock, "_take", take_late)
    second = Lock(tmp_path)
    with pytest.raises(RunBusy):
        Lock(tmp_path)
    second.release()


class Witness(Serial):
    """Reads the ledger in `place` whenever it is given a trial; loses each second evaluation."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place, self.attempts, self.losing = place, [], True

    def submit(self, assignment: Assignment) -> None:
        ledger = Ledger.read(self.place / "ledger.sqlite")
        row = ledger.row(trial_name(assignment.trial))
        ledger.close()
        assert (row.state, row.attempt) == ("running", assignment.attempt)
        self.attempts.append(row.attempt)
        super().submit(assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        reports = super().wait(timeout)
        if any(report.last for report in reports):
            self.losing = not self.losing
        return [Report(r.number, r.attempt, lost="killed") if r.last and self.losing else r for r in reports]


def test_nothing_is_begun_before_its_row_is_on_the_disk(tmp_path):
    """Neither a trial nor the next attempt of one that was lost: a process that is killed later could not
    tell whose outcome comes, nor how often it was begun."""
    witness = Witness(tmp_path)
    function = Function(lambda architecture, fidelity: 0.5, builds=False)
    result = Search("tiny-chain", "random", function, budget=4, engine=witness).run(tmp_path, quiet=True)
    assert [trial.value for trial in result.trials] == [0.5] * 4
    assert witness.attempts[:4] == [1, 1, 2, 1]


def test_an_upgrade_that_is_killed_while_somebody_reads_loses_nothing(tmp_path):
    """What the old file had in its WAL is in the file before the WAL is removed; drafts of the killed upgrade
    are removed by the next process."""
    golden = Path(__file__).parents[1] / "golden" / "runs" / "function-finished" / "ledger.sqlite"
    path = Path(shutil.copyfile(golden, tmp_path / "ledger.sqlite"))
    code = f"""
import os, sqlite3
from pathlib import Path
from cambrian.codec import encode
from cambrian.search.ledger import database
from cambrian.search.ledger.ledger import Ledger

path, real = Path({str(path)!r}), os.replace
other = sqlite3.connect(path, isolation_level=None)
other.execute("PRAGMA journal_mode = WAL")
row = ("late", encode("fact").decode())
other.execute("INSERT INTO run VALUES (?, ?, ?)", (*row, database.checksum(row)))

def replace(source, target):
    if Path(target) == path:
        os._exit(9)
    real(source, target)

os.replace = replace
Ledger.open(path)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert not path.with_name("ledger.sqlite-wal").exists()
    (tmp_path / "..ledger.sqlite.1.part.1.part").write_bytes(b"")  # as a kill a moment earlier leaves it
    with at_work(tmp_path) as ledger:
        assert ledger.facts()["late"] == "fact"
    assert [file.name for file in tmp_path.glob("*part*")] == []


def test_what_is_too_long_for_sqlite_is_no_damage(ledger):
    """It says so, and the ledger goes on."""
    ledger._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    with pytest.raises(RunError, match="too big") as caught:
        ledger.note("long", text="x" * 20_000)
    assert not isinstance(caught.value, LedgerCorrupt)
    ledger.note("short")
    assert [name for _, name, _ in ledger.events()] == ["short"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_what_a_killed_search_has_forked_does_not_hold_its_lock(tmp_path):
    """A process that a trial started in the search's own process, as torch's data loaders, outlives a kill
    by some seconds, or for ever."""
    code = """
import os, sys, time
from pathlib import Path
from cambrian.search.ledger.lock import Lock
lock = Lock(Path(sys.argv[1]))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
    os._exit(0)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=-1, stdout=-1, text=True)
    orphan = int(process.stdout.readline())
    try:
        with pytest.raises(RunBusy):
            Lock(tmp_path)
        process.stdin.close()
        assert process.wait() == -9
        Lock(tmp_path).release()
    finally:
        os.kill(orphan, 9)
        process.stdout.close()


def test_a_lock_is_seen_whatever_number_its_holder_has_here(tmp_path):
    """A container has numbers of its own: that of a process at work in it may be nobody's here."""
    held = Lock(tmp_path)
    (tmp_path / "lock").write_text(f"{2**22 + 1}\n")  # beyond the numbers of Linux
    assert lock.held_since(tmp_path) is not None
    held.release()
    assert lock.held_since(tmp_path) is None
