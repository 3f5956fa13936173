"""A ledger followed while it grows: what a `Follower` has is what `Ledger.read` reads at that moment."""

from __future__ import annotations

import os
import shutil
import threading
import time

import msgspec
import pytest

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.outcome import Crashed, Done, Fidelity, Trial
from cambrian.search.ledger.follower import Follower
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock, held_since
from cambrian.search.ledger.rows import Row
from report_cases import cells

CELLS = cells(12)


def make_row(number, cached=None, state="running", kind="trial"):
    trial = Trial(number, CELLS[number], Fidelity(), kind=kind, cached=cached)
    return Row(trial, str(number), state, 1, number, claimed=1000.0 + number)


def read_whole(path):
    ledger = Ledger.read(path)
    try:
        return ledger.rows(), ledger.facts(), ledger.events()
    finally:
        ledger.close()


def test_it_has_after_each_commit_what_a_whole_reading_has(tmp_path):
    """Rows claimed, ended, repeated, begun again, facts that change, events, rows of the final stage."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path)
    follower = Follower(path)
    steps = [
        lambda: ledger.remember(settings={"a": 1}, budget={"trials": 3}),
        lambda: ledger.record(claimed=[make_row(0), make_row(1)]),
        lambda: ledger.record([(0, 1, Done(0.5), 1.0)], [make_row(2), make_row(3, cached=1, state="cached")]),
        lambda: ledger.record(again=[1]),
        lambda: ledger.record([(1, 2, Crashed("no"), 2.0), (2, 1, Done(0.7), 3.0)]),
        lambda: ledger.note("stop", reason="over"),
        lambda: ledger.remember(budget={"trials": 30}),
        lambda: ledger.record(claimed=[make_row(0, kind="final")]),
        lambda: ledger.record([(make_row(0, kind="final").name, 1, Done(0.9), 4.0)]),
        lambda: ledger.note("late", state="done"),
    ]
    for step in steps:
        step()
        follower.look()
        assert (follower.rows, follower.facts, follower.events) == read_whole(path)
    ledger.close()


def test_it_reads_each_row_once_and_those_that_ran_again(tmp_path):
    """Twelve rows, ended one by one: a look reads the one that has ended and the one that was claimed."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path)
    follower = Follower(path)
    ledger.record(claimed=[make_row(0)])
    follower.look()
    for number in range(1, 12):
        ledger.record([(number - 1, 1, Done(0.1), 1.0)], [make_row(number)])
        before = follower.reads
        follower.look()
        assert follower.reads - before == 2
    ledger.close()


def test_an_unchanged_ledger_is_not_read(tmp_path, monkeypatch):
    """Two seconds after the last commit the files alone say that there is nothing new."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path)
    ledger.record(claimed=[make_row(0)])
    ledger.close()
    os.utime(path, (1000, 1000))
    follower = Follower(path)
    assert follower.look()
    monkeypatch.setattr(Follower, "_read_changes", lambda _: pytest.fail("read again"))
    assert not follower.look()


def test_another_ledger_in_its_place_is_read_anew(tmp_path):
    """A run that was deleted is refused as one that is not there; one begun in its place has its own rows."""
    path = tmp_path / "run" / "ledger.sqlite"
    follower = Follower(path)
    with pytest.raises(RunError, match="is not a run directory"):
        follower.look()
    for count in (3, 1):
        path.parent.mkdir()
        ledger = Ledger.create(path)
        ledger.record(claimed=[make_row(n) for n in range(count)])
        ledger.close()
        assert follower.look()
        assert [row.trial.number for row in follower.rows] == list(range(count))
        shutil.rmtree(path.parent)
        with pytest.raises(RunError):
            follower.look()


def test_a_flipped_bit_is_noticed_in_a_new_row_too(tmp_path):
    """The checksum guards each row that is read later as it does in a whole reading."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path)
    follower = Follower(path)
    ledger.record(claimed=[make_row(0)])
    follower.look()
    ledger.record(claimed=[make_row(1)])
    ledger._db.execute("UPDATE trial SET knew = 7 WHERE number = 1")
    with pytest.raises(LedgerCorrupt, match="row 1 does not match its checksum"):
        follower.look()
    ledger.close()


def test_one_who_asks_for_the_lock_does_not_keep_a_search_from_it(tmp_path, monkeypatch):
    """`held_since` has the lock for an instant; a search that begins then tries again."""
    import fcntl

    Lock(tmp_path).release()
    assert held_since(tmp_path) is None
    asking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr("cambrian.search.ledger.lock.time.sleep", lambda _: os.close(asking))
    Lock(tmp_path).release()


def test_a_writer_does_not_notice_twenty_looks_a_second(tmp_path):
    """A hundred commits while another thread looks on: none fails, and the last look has all of them."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path)
    follower, stop, looks = Follower(path), threading.Event(), []

    def look_on():
        while not stop.wait(0.05):
            follower.look()
            looks.append([row.trial.number for row in follower.rows])

    reader = threading.Thread(target=look_on)
    reader.start()
    try:
        for number in range(100):
            ledger.record(
                claimed=[msgspec.structs.replace(make_row(0), trial=Trial(number, CELLS[0], Fidelity()))]
            )
            time.sleep(0.005)
    finally:
        stop.set()
        reader.join()
    follower.look()
    assert len(looks) > 3
    assert all(seen == list(range(len(seen))) for seen in looks)
    assert follower.rows == read_whole(path)[0]
    ledger.close()
