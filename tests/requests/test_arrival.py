"""Outcomes learned in the order in which they come."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

import living
import mocks
from cambrian.search.assembly import make_problem
from cambrian.search.engines.processes import Processes
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.repair import repair
from cambrian.search.ledger.rows import Row
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.testing.replay import check_replay
from cambrian.testing.suite import Violation

UNIT = 0.004


def promoting(workers: int = 2, trials: int = 40) -> Search:
    engine = Processes(workers=workers) if workers > 1 else None
    strategy = living.Promoting(trials=trials)
    return Search(mocks.Toy(), strategy, living.Sleeps(UNIT), budget=trials, seed=5, engine=engine)


def replayed(result: Result, strategy: Any = None) -> None:
    search = promoting(workers=1)
    check_replay(make_problem(search, 40), strategy or search.strategy, result.rows, "arrival")


def test_serially_it_is_the_order_of_numbers(tmp_path: Path) -> None:
    """With one worker trials end in the order in which they began."""
    result = promoting(workers=1).run(tmp_path / "run")
    assert [row.learned for row in result.rows if row.learned is not None] == list(range(40))
    assert any(t.reason["rung"] == 2 for t in result.trials)
    replayed(result)


def test_trials_are_learned_as_they_come(tmp_path: Path) -> None:
    """With two workers a short trial overtakes a long one; each row says at which place it was learned, and a
    strategy that is told so again proposes the same."""
    result = promoting().run(tmp_path / "run")
    places = [row.learned for row in result.rows]
    assert sorted(places) == list(range(40))
    assert places != sorted(places)
    replayed(result)


def test_a_run_that_could_not_be_is_told(tmp_path: Path) -> None:
    """Two places exchanged, and the replay fails."""
    result = promoting().run(tmp_path / "run")
    rows = list(result.rows)
    for first in range(len(rows) - 1):
        rows[first], rows[first + 1] = exchanged(rows[first], rows[first + 1])
    with pytest.raises(Violation):
        check_replay(make_problem(promoting(workers=1), 40), living.Promoting(trials=40), rows, "arrival")


def test_in_the_order_of_numbers_a_run_replays_too(tmp_path: Path) -> None:
    """With two workers, each proposal knows all but the last few."""
    search = Search(
        mocks.Toy(), "evolution", living.Sleeps(UNIT), None, 40, seed=5, engine=Processes(workers=2)
    )
    result = search.run(tmp_path / "run")
    assert all(row.learned is None for row in result.rows)
    check_replay(make_problem(search, 40), search.strategy, result.rows)


def test_a_repaired_run_has_no_gap_in_its_places(tmp_path: Path) -> None:
    """Of a run that lost its later rows the places are closed up, and it goes on to its end."""
    promoting().run(tmp_path / "run")
    path = tmp_path / "run" / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE trial SET checksum = checksum + 1 WHERE number = 21")
    db.close()
    assert repair(tmp_path / "run")["kept"] == 21
    ledger = Ledger.read(path)
    places = [row.learned for row in ledger.rows() if row.learned is not None]
    ledger.close()
    assert sorted(places) == list(range(len(places)))
    rows = promoting().run(tmp_path / "run").rows
    assert len(rows) == 40
    assert sorted(row.learned for row in rows) == list(range(40))


def exchanged(one: Row, other: Row) -> tuple[Row, Row]:
    import msgspec

    swap = msgspec.structs.replace
    return swap(one, learned=other.learned), swap(other, learned=one.learned)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="orphans are caught by prctl")
def test_killed_and_resumed_it_is_a_run_that_could_have_been(tmp_path: Path) -> None:
    """kill -9 again and again: no place is given twice, nothing finished is lost, and the ledger replays."""
    path, rng, before, kills = tmp_path / "run" / "ledger.sqlite", random.Random(0), {}, 0
    while True:
        wanted = len(before) + rng.randint(3, 8)
        child = begin(tmp_path / "run")
        while (code := end_of(child)) is None and len(still_there(path, before)) < wanted:
            time.sleep(0.01)
        if code is not None:
            break
        time.sleep(rng.random() * UNIT)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
        before = still_there(path, before)
    assert code == 0
    assert kills >= 3
    replayed(Result.open(tmp_path / "run"))


def begin(run: Path) -> int:
    """Go on with the run in a process that is forked, so that nothing has to be imported again."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            promoting().run(run)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def end_of(child: int) -> int | None:
    """Its exit code; None while it runs."""
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def still_there(path: Path, before: dict[int, Any]) -> dict[int, Any]:
    """What was learned, which was so already when it was looked at last."""
    if not path.exists():
        return before
    ledger = Ledger.read(path)
    now = {r.trial.number: (r.learned, r.trial.outcome) for r in ledger.rows() if r.learned is not None}
    ledger.close()
    assert {n: now[n] for n in before} == before
    return now
